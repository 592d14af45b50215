/**
 * A topology of everything that a small kernel can, in two versions that differ in a thing of each kind.
 *
 * @module
 */

import { Netns, type Topology } from "../../../mod.ts";
import { runIn } from "../../support.ts";

/** A host with a link of its own, and two named namespaces beside it that are there already. */
export class Lab implements Disposable {
  static #count = 0;
  readonly prefix: string;
  readonly host: Netns;

  private constructor(prefix: string, host: Netns) {
    this.prefix = prefix;
    this.host = host;
  }

  /** Makes one; the names of its namespaces begin with a prefix that no other has. */
  static async make(what: string): Promise<Lab> {
    const prefix = `${what}-${Deno.pid}-${++Lab.#count}-`;
    const lab = new Lab(prefix, await Netns.create());
    await runIn(lab.host, ..."ip link add up0 type veth peer name up1".split(" "));
    (await Netns.create(`${prefix}beside`)).close();
    using held = await Netns.create(`${prefix}held`);
    await runIn(held, ..."ip link set lo up".split(" "));
    return lab;
  }

  /** A version of the topology. */
  topology(version: keyof typeof VERSIONS): Topology {
    const text = JSON.stringify(VERSIONS[version]).replaceAll(/\$/g, this.prefix);
    return JSON.parse(text);
  }

  [Symbol.dispose](): void {
    this.host.close();
    for (const { name } of Netns.list()) if (name.startsWith(this.prefix)) Netns.remove(name);
  }
}

/** The names of namespaces begin with a "$" for the lab's prefix. */
const VERSIONS = {
  new: {
    denolink: 1,
    name: "lab",
    bridges: {
      br0: { addresses: ["10.60.0.1/24", "fd60::1/64"], ports: ["port0"] },
      br1: {
        ...{ address: "10.61.0.1/24", stp: true, mac: "02:00:00:00:00:61" },
        vxlan: { id: 7, local: "192.0.2.9", remotes: ["192.0.2.10", "192.0.2.11"] },
      },
    },
    links: {
      port0: { peer: "$r1:up", mtu: 1400, portData: { hairpin: true } },
      up0: { mtu: 1400, mac: "02:00:00:00:00:20", up: true, address: "192.0.2.9/24" },
    },
    sysctls: { "net.ipv4.ip_default_ttl": 70, "net.ipv4.conf.br0.proxy_arp": 1 },
    routes: [
      { to: "198.51.100.0/24", via: "10.60.0.9" },
      { to: "fd99::/64", via: "fd60::9" },
      { to: "203.0.113.0/24", type: "blackhole", table: 100 },
    ],
    rules: [{ from: "10.60.0.0/24", table: 100 }, { to: "fd99::/64", priority: 77, table: 100 }],
    neighbours: [
      { to: "10.60.0.9", dev: "br0", mac: "02:00:00:00:00:09" },
      { to: "fd60::9", dev: "br0", mac: "02:00:00:00:00:09" },
      { to: "10.60.0.200", dev: "br0", proxy: true },
    ],
    firewall: { forward: { policy: "drop", rules: [{ from: "10.60.0.0/16", verdict: "accept" }] } },
    nat: { masquerade: [{ out: "up0" }] },
    containers: {
      $web: { bridge: "br0", masquerade: true, publish: ["8080:80"], rate: "10mbit" },
      $db: { bridge: "br0", address: "10.60.0.77/24", sysctls: { "net.ipv4.ip_default_ttl": 44 } },
      $both: { interfaces: { eth0: { bridge: "br0" }, eth1: { bridge: "br1", isolated: true } } },
      $kept: { netns: { name: "$held" }, bridge: "br0", address: "10.60.0.88/24", mtu: 1300 },
      $routed: { address: "10.99.0.5/32" },
    },
    namespaces: {
      $r1: {
        links: {
          lo: { address: "10.255.0.1/32" },
          up: { peer: "host:port0", addresses: ["10.60.0.50/24", "fd60::50/64"], rate: "10mbit" },
          e0: { peer: "$r2:e0", mac: "02:00:00:00:00:01", address: "192.0.3.1/24" },
          x0: { peer: "$ext:x0", address: "192.0.4.1/24" },
        },
        routes: [{ to: "default", nexthops: [{ via: "10.60.0.1" }, { via: "192.0.3.2" }] }],
        rules: [{ from: "192.0.3.0/24", table: 200 }],
        neighbours: [{ to: "192.0.3.9", dev: "e0", mac: "02:00:00:00:00:39" }],
        sysctls: { "net.ipv4.ip_forward": 1, "net.ipv4.conf.e0.rp_filter": 2 },
        firewall: { input: { rules: [{ protocol: "tcp", port: [22], verdict: "drop" }] } },
        nat: { dnat: [{ port: 80, target: "192.0.3.2:8080" }] },
        bridges: { in0: "10.63.0.1/24" },
        containers: { $in: { bridge: "in0", address: "10.63.0.9/24", masquerade: true } },
      },
      $r2: {
        links: {
          e0: { peer: "$r1:e0", mtu: 1300, address: "192.0.3.2/24", up: true },
          mv: {
            ...{ kind: "macvlan", link: "host:br0", data: { mode: "bridge" } },
            ...{ mac: "02:00:00:00:00:42", address: "10.60.0.60/24" },
          },
        },
        routes: [{ to: "default", via: "192.0.3.1" }],
      },
      $ext: {
        netns: { name: "$beside" },
        links: {
          x0: { peer: "$r1:x0", address: "192.0.4.2/24" },
          xb: { kind: "bridge", data: { ageingTime: 1000 } },
        },
        routes: [{ to: "default", via: "192.0.4.1" }],
        sysctls: { "net.ipv4.ip_default_ttl": 33 },
        firewall: { output: { rules: [{ to: "192.0.5.0/24", verdict: "reject" }] } },
      },
    },
  },
  old: {
    denolink: 1,
    name: "lab",
    bridges: {
      br0: { addresses: ["10.60.0.1/24", "10.60.1.1/24"], ports: ["port0"], stp: true },
      br2: "10.62.0.1/24",
    },
    links: {
      port0: { peer: "$r1:up", group: 7 },
      up0: { master: "br2", up: true },
    },
    sysctls: { "net.ipv4.ip_default_ttl": 71, "net.ipv4.ip_forward": 1 },
    routes: [
      { to: "198.51.100.0/24", via: "10.60.0.8" },
      { to: "198.51.99.0/24", dev: "br2" },
    ],
    rules: [{ from: "10.60.0.0/24", table: 101 }, { to: "fd98::/64", priority: 78, table: 100 }],
    neighbours: [
      { to: "10.60.0.9", dev: "br0", mac: "02:00:00:00:00:08" },
      { to: "10.62.0.9", dev: "br2", mac: "02:00:00:00:00:09" },
    ],
    firewall: { forward: { rules: [{ from: "10.60.0.0/16", verdict: "drop" }] } },
    containers: {
      $web: { bridge: "br0", publish: ["8081:80", "53:53/udp"] },
      $gone: { bridge: "br2" },
      $kept: { netns: { name: "$held" }, bridge: "br0", address: "10.60.0.88/24" },
      $both: { interfaces: { eth0: { bridge: "br0" }, eth1: { bridge: "br2" } } },
      $routed: { address: "10.99.0.6/32", masquerade: true },
    },
    namespaces: {
      $r1: {
        links: {
          up: { peer: "host:port0", address: "10.60.0.51/24", rate: "20mbit" },
          e0: { peer: "$r3:e0", address: "192.0.3.1/24", up: false },
        },
        rules: [{ from: "192.0.3.0/24", table: 201 }],
        sysctls: { "net.ipv4.conf.e0.rp_filter": 1 },
        nat: { dnat: [{ port: 80, target: "192.0.3.3:8080" }] },
        bridges: { in0: "10.63.0.1/24" },
        containers: { $in: { bridge: "in0", address: "10.63.0.9/24", rate: "10mbit" } },
      },
      $r3: { links: { e0: { peer: "$r1:e0", address: "192.0.3.3/24" } } },
      $ext: {
        netns: { name: "$beside" },
        links: { xb: { kind: "bridge", data: { ageingTime: 2000, priority: 7 }, up: false } },
        sysctls: { "net.ipv4.ip_default_ttl": 34, "net.ipv4.conf.all.rp_filter": 1 },
      },
    },
  },
} as const;
