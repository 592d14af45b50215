"""The works with pyroute2; see bench/programs.ts. Prints nanoseconds, and how many there were."""

import os
import socket
import sys
import time

from pyroute2 import IPRoute, netns
from pyroute2.netlink.rtnl import RTMGRP_IPV4_ROUTE

NODAD = 2  # IFA_F_NODAD


def numbers(i):
    """The addresses of the container with this number."""
    return f"10.0.{i + 2 >> 8}.{i + 2 & 255}", f"fd00::{i + 2:x}"


def attach(count):
    with IPRoute() as host:
        (bridge,) = host.link_lookup(ifname="br0")
        start = time.monotonic_ns()
        for i in range(int(count)):
            peer = {"ifname": "eth0", "net_ns_fd": f"c{i}"}
            host.link("add", ifname=f"h{i}", kind="veth", peer=peer, master=bridge, state="up")
            configure(f"c{i}", i)
        return time.monotonic_ns() - start, int(count)


def configure(name, i):
    own4, own6 = numbers(i)
    # A NetNS would start a process for each.
    netns.pushns(name)
    inside = IPRoute()
    netns.popns()
    with inside:
        (link,) = inside.link_lookup(ifname="eth0")
        (loopback,) = inside.link_lookup(ifname="lo")
        inside.link("set", index=loopback, state="up")
        inside.addr("add", index=link, address=own4, prefixlen=16)
        inside.addr("add", index=link, address=own6, prefixlen=64, IFA_FLAGS=NODAD)
        inside.link("set", index=link, state="up")
        inside.route("add", dst="default", gateway="10.0.0.1")
        inside.route("add", family=socket.AF_INET6, dst="default", gateway="fd00::1")


def delete(path):
    names = open(path).read().split()
    with IPRoute() as host:
        start = time.monotonic_ns()
        for name in names:
            host.link("del", ifname=name)
        return time.monotonic_ns() - start, len(names)


def insert_routes(count):
    with IPRoute() as host:
        (link,) = host.link_lookup(ifname="v0")
        start = time.monotonic_ns()
        for i in range(int(count)):
            dst = f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}/32"
            host.route("add", dst=dst, oif=link)
        return time.monotonic_ns() - start, int(count)


def dump_routes():
    with IPRoute() as host:
        (link,) = host.link_lookup(ifname="v0")
        start = time.monotonic_ns()
        routes = host.get_routes(family=socket.AF_INET)
        own = sum(
            route.get_attr("RTA_OIF") == link and route.get_attr("RTA_DST") is not None
            for route in routes
        )
        return time.monotonic_ns() - start, own


def dump_links():
    with IPRoute() as host:
        start = time.monotonic_ns()
        links = host.get_links()
        named = sum(link.get_attr("IFLA_IFNAME") is not None for link in links)
        return time.monotonic_ns() - start, named


def lookup(path):
    names = open(path).read().split()
    with IPRoute() as host:
        start = time.monotonic_ns()
        found = sum(len(host.link("get", ifname=name)) for name in names)
        return time.monotonic_ns() - start, found


def monitor(count, size):
    with IPRoute() as host:
        host.setsockopt(socket.SOL_SOCKET, 33, int(size))  # SO_RCVBUFFORCE
        host.bind(groups=RTMGRP_IPV4_ROUTE)
        print("ready", flush=True)
        start, seen = 0, 0
        while seen < int(count):
            for message in host.get():
                start = start or time.monotonic_ns()
                seen += message["event"] == "RTM_NEWROUTE"
        return time.monotonic_ns() - start, seen


WORKS = {
    "attach": attach,
    "attach-born": attach,
    "delete": delete,
    "insert-routes": insert_routes,
    "dump-routes": dump_routes,
    "dump-links": dump_links,
    "lookup": lookup,
    "monitor": monitor,
}

nanoseconds, count = WORKS[sys.argv[1]](*sys.argv[2:])
print(nanoseconds, count, flush=True)
# Its threads would be waited for.
os._exit(0)
