/** Topologies applied, changed and taken away again: what `ip` and the like see of it. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  apply,
  destroy,
  Netns,
  NotFoundError,
  plan,
  readSysctl,
  type Topology,
  TopologyStepError,
  withNetns,
} from "../../../mod.ts";
import { eventually, kernelTest, runIn } from "../../support.ts";
import { watchSent } from "../changes.ts";
import { startContainer } from "../container.ts";
import { counting, lookAt, lookAtAll, removingNames, traceOf } from "./scene.ts";

/** A topology but for its version and name. */
type Said = Omit<Topology, "denolink" | "name">;
// deno-lint-ignore no-explicit-any
type Json = any;
/** What a referee says: a command, and what something in its answer has. */
type Seen = readonly [command: string, has: Json];

/** Names of namespaces begin with it, so that no two tests have the same. */
const PREFIX = `apply-${Deno.pid}-`;
const isOwn = (name: string) => name.startsWith(PREFIX);

/** A kind of thing: in a topology, and in the next version of it. */
interface Case {
  first: Said;
  seen: readonly Seen[];
  then: Said;
  /** What is done to get from the first to the second. */
  changes: readonly string[];
  seenThen: readonly Seen[];
  /** Links that stay the same one, and links that are made anew. */
  keeps?: readonly string[];
  renews?: readonly string[];
}

const lab = (said: Said): Topology => ({ denolink: 1, name: "lab", ...said });

/** What a user has made by hand, which stays. */
const BY_HAND = `
ip link set lo up
ip link add w0 type veth peer name w1
ip link set w0 mtu 1480 up
ip link set w1 address 02:00:00:00:00:11 up
ip address add 192.0.2.1/24 dev w0
ip address add 2001:db8::1/64 dev w0 nodad
ip route add 203.0.113.0/24 via 192.0.2.2
ip rule add from 203.0.113.0/24 table 77
ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev w0
ip link add x0 type veth peer name x1
ip link set x0 up
ip link set x1 up
ip link set x1 down
ip link add hand type bridge
ip link set w1 master hand
tc qdisc add dev w1 root pfifo limit 10
nft add table inet theirs
sysctl -qw net.ipv4.tcp_rmem='4096 100000 200000'
`;

const CASES: Readonly<Record<string, Case>> = {
  "a bridge": {
    first: { bridges: { b0: { addresses: ["10.0.0.1/24", "fd00::1/64"], stp: false } } },
    seen: [
      ["ip link show b0", { flags: ["UP"], linkinfo: { info_data: { stp_state: 0 } } }],
      ["ip address show b0", {
        addr_info: [{ local: "10.0.0.1", prefixlen: 24 }, { local: "fd00::1", prefixlen: 64 }],
      }],
    ],
    then: {
      bridges: {
        b0: {
          ...{ addresses: ["10.0.0.2/24", "fd00::1/64"], stp: true, mtu: 1400 },
          data: { ageingTime: 1000 },
        },
      },
    },
    changes: [
      "remove address 10.0.0.1/24 dev b0 in host",
      "change link b0 in host",
      "add address 10.0.0.2/24 dev b0 in host",
    ],
    seenThen: [
      ["ip link show b0", {
        ...{ mtu: 1400, flags: ["UP"] },
        linkinfo: { info_data: { stp_state: 1, ageing_time: 1000 } },
      }],
      ["ip address show b0", { addr_info: [{ local: "10.0.0.2" }, { local: "fd00::1" }] }],
    ],
    keeps: ["b0"],
  },

  "what is not said of a link any more, and is the kernel's choice again": {
    first: {
      bridges: { b0: { stp: true, address: "10.0.0.1/24" }, b1: { mac: "02:00:00:00:00:b1" } },
    },
    seen: [["ip link show b1", { address: "02:00:00:00:00:b1" }]],
    then: { bridges: { b0: "10.0.0.1/24", b1: { mac: "02:00:00:00:00:b2" } } },
    changes: [
      "change link b0 in host",
      "change link b1 in host",
      "add address 10.0.0.1/24 dev b0 in host",
    ],
    seenThen: [
      ["ip link show b0", { linkinfo: { info_data: { stp_state: 0 } } }],
      ["ip link show b1", { address: "02:00:00:00:00:b2" }],
      ["ip address show b0", { addr_info: [{ local: "10.0.0.1" }] }],
    ],
    keeps: ["b1"],
    renews: ["b0"],
  },

  "a pair, and its master": {
    first: {
      bridges: { b0: {}, b1: {} },
      links: {
        v0: { peer: "v1", master: "b0", portData: { hairpin: true }, txQueueLength: 500 },
        v1: { mtu: 1400, mac: "02:00:00:00:00:01", up: false, group: 7 },
      },
    },
    seen: [
      ["ip link show v0", {
        ...{ master: "b0", txqlen: 500, flags: ["UP"], mtu: 1500 },
        linkinfo: { info_kind: "veth", info_slave_data: { hairpin: true } },
      }],
      ["ip link show v1", {
        ...{ mtu: 1400, address: "02:00:00:00:00:01", group: "7", operstate: "DOWN" },
      }],
    ],
    then: {
      bridges: { b0: {}, b1: {} },
      links: {
        v0: { peer: "v1", master: "b1", portData: { hairpin: false }, txQueueLength: 400 },
        v1: { mtu: 1300, mac: "02:00:00:00:00:02", group: 8 },
      },
    },
    changes: ["change link v0 in host", "change link v1 in host"],
    seenThen: [
      ["ip link show v0", {
        ...{ master: "b1", txqlen: 400 },
        linkinfo: { info_slave_data: { hairpin: false } },
      }],
      ["ip link show v1", { mtu: 1300, address: "02:00:00:00:00:02", group: "8", flags: ["UP"] }],
    ],
    keeps: ["b0", "b1", "v0", "v1"],
  },

  "a pair with another end": {
    first: { links: { v0: { peer: "v1", address: "10.0.0.1/24" } } },
    seen: [["ip link show v0", { link: "v1" }]],
    then: { links: { v0: { peer: "v2", address: "10.0.0.1/24" } } },
    changes: [
      "remove link v1 in host",
      "change link v0 in host",
      "add link v2 in host",
      "add address 10.0.0.1/24 dev v0 in host",
    ],
    seenThen: [["ip link show v0", { link: "v2", flags: ["UP", "LOWER_UP"] }]],
    renews: ["v0"],
  },

  "a link on another one, and what is on it": {
    first: {
      links: {
        mv: { kind: "macvlan", link: "w0", data: { mode: "bridge" }, address: "10.0.0.1/24" },
      },
      routes: [{ to: "10.5.0.0/16", dev: "mv" }, { to: "10.6.0.0/16", dev: "w0" }],
      neighbours: [{ to: "10.0.0.9", dev: "mv", mac: "02:00:00:00:00:09" }],
    },
    seen: [["ip link show mv", { link: "w0", linkinfo: { info_data: { mode: "bridge" } } }]],
    then: {
      links: {
        mv: { kind: "macvlan", link: "w0", data: { mode: "private" }, address: "10.0.0.1/24" },
      },
      routes: [{ to: "10.5.0.0/16", dev: "mv" }, { to: "10.6.0.0/16", dev: "w0" }],
      neighbours: [{ to: "10.0.0.9", dev: "mv", mac: "02:00:00:00:00:09" }],
    },
    changes: [
      "change link mv in host",
      "add address 10.0.0.1/24 dev mv in host",
      "add neighbour 10.0.0.9 dev mv in host",
      "add route 10.5.0.0/16 in host",
    ],
    seenThen: [
      ["ip link show mv", { linkinfo: { info_data: { mode: "private" } } }],
      ["ip route show", { dst: "10.5.0.0/16", dev: "mv" }],
      ["ip neighbour show", { dst: "10.0.0.9", lladdr: "02:00:00:00:00:09", state: ["PERMANENT"] }],
    ],
    renews: ["mv"],
  },

  "a vxlan": {
    first: {
      bridges: { b0: { vxlan: { id: 7, local: "192.0.2.1", remotes: ["192.0.2.8"] } } },
      links: { vx: { kind: "vxlan", data: { link: "w0", id: 8, port: 5000, learning: true } } },
    },
    seen: [
      ["ip link show b0", { mtu: 1450 }],
      ["ip link show vxlan7", {
        ...{ master: "b0", mtu: 1450, flags: ["UP"] },
        linkinfo: { info_data: { id: 7, local: "192.0.2.1", port: 4789 } },
      }],
      ["bridge fdb show dev vxlan7", { mac: "00:00:00:00:00:00", dst: "192.0.2.8" }],
      ["ip link show vx", { linkinfo: { info_data: { id: 8, port: 5000, learning: true } } }],
    ],
    then: {
      bridges: { b0: { vxlan: { id: 7, local: "192.0.2.1", remotes: ["192.0.2.9"], mtu: 1400 } } },
      links: { vx: { kind: "vxlan", data: { link: "w0", id: 9, port: 5000, learning: true } } },
    },
    changes: ["change link b0 in host", "change link vxlan7 in host", "change link vx in host"],
    seenThen: [
      ["ip link show vxlan7", { mtu: 1400 }],
      ["bridge fdb show dev vxlan7", { mac: "00:00:00:00:00:00", dst: "192.0.2.9" }],
      ["ip link show vx", { linkinfo: { info_data: { id: 9 } } }],
    ],
    keeps: ["b0", "vxlan7"],
    renews: ["vx"],
  },

  "links that are there already": {
    first: {
      bridges: { b0: { ports: ["w1"] } },
      links: {
        w0: { mtu: 1400, address: "10.0.0.1/24" },
        x0: { up: false, rate: "10mbit", mac: "02:00:00:00:00:10" },
        x1: { up: true },
      },
    },
    seen: [
      ["ip link show w0", { mtu: 1400 }],
      ["ip link show w1", { master: "b0" }],
      ["ip link show x0", { operstate: "DOWN", address: "02:00:00:00:00:10" }],
      ["ip link show x1", { flags: ["UP"] }],
      ["ip address show w0", { addr_info: [{ local: "192.0.2.1" }, { local: "10.0.0.1" }] }],
    ],
    then: {
      links: {
        w0: { mtu: 1300, address: "10.0.0.1/24" },
        lo: { addresses: ["10.255.0.1/32", "fd00::1/128"] },
      },
    },
    changes: [
      "remove qdisc root dev x0 in host",
      "remove link b0 in host",
      "remove link x0 in host",
      "remove link x1 in host",
      "remove link w1 in host",
      "change link w0 in host",
      "add address 10.255.0.1/32 dev lo in host",
      "add address fd00::1/128 dev lo in host",
    ],
    seenThen: [
      ["ip link show w0", { mtu: 1300 }],
      ["ip link show w1", { master: "hand" }],
      ["ip link show x0", { flags: ["UP"] }],
      ["ip link show x1", { operstate: "DOWN" }],
      ["ip address show lo", { addr_info: [{ local: "10.255.0.1" }, { local: "fd00::1" }] }],
    ],
    keeps: ["w0", "w1"],
  },

  routes: {
    first: {
      routes: [
        { to: "198.51.100.0/24", via: "192.0.2.7" },
        { to: "198.51.101.0/24", dev: "w0", metrics: { mtu: 1400 }, source: "192.0.2.1" },
        { to: "default", nexthops: [{ via: "192.0.2.7" }, { via: "192.0.2.8", weight: 3 }] },
        { to: "198.51.102.0/24", type: "blackhole", table: 100 },
        { to: "2001:db8:1::/64", via: "2001:db8::7" },
        { to: "default", via: "2001:db8::7", priority: 50 },
        { to: "198.51.103.7/32", via: "2001:db8::7", dev: "w0" },
        { to: "198.51.104.0/24", via: "198.18.0.1", dev: "w0", flags: ["onlink"] },
      ],
    },
    seen: [
      ["ip route show", { dst: "198.51.100.0/24", gateway: "192.0.2.7" }],
      ["ip route show", { dst: "198.51.101.0/24", prefsrc: "192.0.2.1", metrics: [{ mtu: 1400 }] }],
      ["ip route show", {
        dst: "default",
        nexthops: [{ gateway: "192.0.2.7", weight: 1 }, { gateway: "192.0.2.8", weight: 3 }],
      }],
      ["ip route show table 100", { dst: "198.51.102.0/24", type: "blackhole" }],
      ["ip -6 route show", { dst: "2001:db8:1::/64", gateway: "2001:db8::7", metric: 1024 }],
      ["ip -6 route show", { dst: "default", gateway: "2001:db8::7", metric: 50 }],
      ["ip route show", { dst: "198.51.103.7", via: { family: "inet6", host: "2001:db8::7" } }],
      ["ip route show", { dst: "198.51.104.0/24", gateway: "198.18.0.1", flags: ["onlink"] }],
    ],
    then: {
      routes: [
        { to: "198.51.100.0/24", via: "192.0.2.8" },
        { to: "198.51.101.0/24", dev: "w0", metrics: { mtu: 1300 }, source: "192.0.2.1" },
        { to: "default", nexthops: [{ via: "192.0.2.7" }, { via: "192.0.2.8", weight: 4 }] },
        { to: "198.51.102.0/24", type: "unreachable", table: 101 },
        { to: "2001:db8:1::/64", via: "2001:db8::8" },
        { to: "default", via: "2001:db8::7", priority: 50 },
        { to: "198.51.103.7/32", via: "2001:db8::7", dev: "w0" },
        { to: "198.51.104.0/24", via: "198.18.0.1", dev: "w0", flags: ["onlink"] },
      ],
    },
    changes: [
      "remove route 198.51.102.0/24 table 100 in host",
      "change route 198.51.100.0/24 in host",
      "change route 198.51.101.0/24 in host",
      "change route default in host",
      "add route 198.51.102.0/24 table 101 in host",
      "change route 2001:db8:1::/64 in host",
    ],
    seenThen: [
      ["ip route show", { dst: "198.51.100.0/24", gateway: "192.0.2.8" }],
      ["ip route show", { dst: "default", nexthops: [{ gateway: "192.0.2.8", weight: 4 }] }],
      ["ip route show table 101", { dst: "198.51.102.0/24", type: "unreachable" }],
      ["ip -6 route show", { dst: "2001:db8:1::/64", gateway: "2001:db8::8" }],
    ],
  },

  rules: {
    first: {
      rules: [
        { from: "10.0.0.0/8", table: 100 },
        // The kernel takes a second one that differs in who made it.
        { from: "203.0.113.0/24", table: 77, priority: 32765 },
        { to: "fd00::/64", priority: 50, action: "unreachable" },
        { fwmark: 7, fwmask: 15, iif: "w0", priority: 60, table: 100 },
        { family: "inet6", table: 100, priority: 70, suppressPrefixLength: 0 },
      ],
    },
    seen: [
      ["ip rule show", { priority: 1000, src: "10.0.0.0", srclen: 8, table: "100" }],
      ["ip -6 rule show", { priority: 50, dst: "fd00::", dstlen: 64, action: "unreachable" }],
      ["ip rule show", { priority: 60, fwmark: "0x7", fwmask: "0xf", iif: "w0" }],
      ["ip -6 rule show", { priority: 70, suppress_prefixlen: 0 }],
    ],
    then: {
      rules: [
        { from: "10.0.0.0/8", table: 101 },
        { to: "fd00::/64", priority: 50, action: "unreachable" },
        { ipProtocol: 6, dport: { start: 80, end: 90 }, priority: 80, table: 100 },
      ],
    },
    changes: [
      "remove rule 60: from all in host",
      "remove rule 32765: from 203.0.113.0/24 in host",
      "remove rule 70: inet6 from all in host",
      "change rule 1000: from 10.0.0.0/8 in host",
      "add rule 80: from all in host",
    ],
    seenThen: [
      ["ip rule show", { priority: 1000, table: "101" }],
      ["ip rule show", { priority: 80, ipproto: "tcp", dport_start: 80, dport_end: 90 }],
    ],
  },

  neighbours: {
    first: {
      neighbours: [
        { to: "192.0.2.9", dev: "w0", mac: "02:00:00:00:00:09" },
        { to: "2001:db8::9", dev: "w0", mac: "02:00:00:00:00:09" },
        { to: "192.0.2.99", dev: "w0", proxy: true },
      ],
    },
    seen: [
      ["ip neighbour show", { dst: "2001:db8::9", dev: "w0", state: ["PERMANENT"] }],
      ["ip neighbour show proxy", { dst: "192.0.2.99", dev: "w0" }],
    ],
    then: {
      neighbours: [
        { to: "192.0.2.9", dev: "w0", mac: "02:00:00:00:00:0a" },
        { to: "192.0.2.98", dev: "w0", proxy: true },
      ],
    },
    changes: [
      "remove neighbour 2001:db8::9 dev w0 in host",
      "remove neighbour proxy 192.0.2.99 dev w0 in host",
      "change neighbour 192.0.2.9 dev w0 in host",
      "add neighbour proxy 192.0.2.98 dev w0 in host",
    ],
    seenThen: [["ip neighbour show", { dst: "192.0.2.9", lladdr: "02:00:00:00:00:0a" }]],
  },

  "queueing disciplines": {
    first: {
      links: {
        v0: { peer: "v1", rate: "10mbit" },
        v1: { qdisc: { kind: "pfifo" } },
        w0: { rate: "8mbit" },
      },
    },
    seen: [
      ["tc qdisc show dev v0", { kind: "tbf", root: true, options: { rate: 1250000 } }],
      ["tc qdisc show dev v1", { kind: "pfifo", root: true }],
      ["tc qdisc show dev w0", { kind: "tbf", options: { rate: 1000000 } }],
    ],
    then: { links: { v0: { peer: "v1", rate: "20mbit" }, v1: {}, w0: { rate: 8e6 } } },
    changes: ["remove qdisc root dev v1 in host", "change qdisc root dev v0 in host"],
    seenThen: [["tc qdisc show dev v0", { kind: "tbf", options: { rate: 2500000 } }]],
    keeps: ["v0", "v1"],
  },

  "settings": {
    first: {
      bridges: { b0: {} },
      sysctls: {
        "net.ipv4.ip_forward": 1,
        "net.ipv4.tcp_rmem": "4096 131072 300000",
        "net.ipv4.conf.b0.rp_filter": 2,
        "net.ipv4.ip_default_ttl": 64,
      },
    },
    seen: [],
    then: {
      sysctls: {
        "net.ipv4.tcp_rmem": "4096 131072 400000",
        "net.ipv4.ip_default_ttl": 64,
        "net.ipv4.conf.w0.rp_filter": 2,
      },
    },
    changes: [
      "remove sysctl net.ipv4.ip_forward in host",
      "remove sysctl net.ipv4.conf.b0.rp_filter in host",
      "remove link b0 in host",
      "change sysctl net.ipv4.tcp_rmem in host",
      "add sysctl net.ipv4.conf.w0.rp_filter in host",
    ],
    seenThen: [],
  },

  "a firewall and translations": {
    first: {
      firewall: { input: { policy: "drop", rules: [{ in: "w0", verdict: "accept" }] } },
      nat: { masquerade: [{ out: "w0" }] },
    },
    seen: [["nft list chain inet denolink.lab input", {
      nftables: [{ chain: { policy: "drop" } }],
    }]],
    then: { firewall: { forward: { policy: "drop" } } },
    changes: ["change nft table firewall and NAT in host"],
    seenThen: [["nft list table inet denolink.lab", {
      nftables: [{ chain: { name: "forward" } }],
    }]],
  },

  "a forwarding table": {
    first: {
      bridges: { b0: {} },
      links: {
        v0: {
          peer: "v1",
          master: "b0",
          fdb: [{ mac: "02:00:00:00:00:21" }, { mac: "02:00:00:00:00:22" }],
        },
      },
    },
    seen: [["bridge fdb show dev v0", { mac: "02:00:00:00:00:21", master: "b0" }]],
    then: {
      bridges: { b0: {} },
      links: {
        v0: {
          peer: "v1",
          master: "b0",
          fdb: [{ mac: "02:00:00:00:00:23" }, { mac: "02:00:00:00:00:22" }],
        },
      },
    },
    changes: ["change link v0 in host"],
    seenThen: [["bridge fdb show dev v0", { mac: "02:00:00:00:00:23", master: "b0" }]],
    keeps: ["v0", "b0"],
  },
};

kernelTest("each kind of thing is made, changed, and gone again", { run: true }, async (kernel) => {
  const cases = Object.entries(CASES);
  const failures: string[] = [];
  const next = async (): Promise<void> => {
    const [name, it] = cases.shift() ?? [];
    if (it === undefined) return;
    try {
      await check(await kernel.another(), it);
    } catch (error) {
      failures.push(`${name}: ${(error as Error).stack}`);
    }
    return await next();
  };
  // Some at a time: they wait for the kernel more than they work.
  await Promise.all(Array.from({ length: 4 }, next));
  assertEquals(failures.join("\n"), "");
});

async function check(netns: Netns, it: Case): Promise<void> {
  const host = { netns };
  await runIn(netns, "sh", "-ec", BY_HAND);
  const assertAsBefore = await traceOf(netns, isOwn);
  await apply(lab(it.first), host);
  await assertSeen(netns, it.seen);
  await assertSettings(netns, it.first);
  const old = await indexesOf(netns);
  const { changes } = await apply(lab(it.then), host);
  assertEquals(changes.map(({ text }) => text), it.changes);
  await assertSeen(netns, it.seenThen);
  await assertSettings(netns, it.then);
  const now = await indexesOf(netns);
  for (const name of it.keeps ?? []) assertEquals(now.get(name), old.get(name), `${name} stays`);
  for (const name of it.renews ?? []) assert(now.get(name) !== old.get(name), `${name} is new`);
  assertEquals((await apply(lab(it.then), host)).changes, []);
  await apply(lab({}), host);
  await assertAsBefore();
}

async function assertSettings(netns: Netns, said: Said): Promise<void> {
  for (const [key, value] of Object.entries(said.sysctls ?? {})) {
    assertEquals((await readSysctl(key, { netns })).replaceAll("\t", " "), String(value), key);
  }
}

async function indexesOf(netns: Netns): Promise<Map<string, number>> {
  const links = JSON.parse(await runIn(netns, "ip", "-j", "link", "show")) as Json[];
  return new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
}

/** What each command answers has something that has all that is said; flags and the like in any order. */
async function assertSeen(netns: Netns, seen: readonly Seen[]): Promise<void> {
  for (const [command, has] of seen) {
    const [program = "", ...args] = command.split(" ");
    const options = program === "nft" ? ["-j"] : ["-j", "-d"];
    const said = await runIn(netns, program, ...options, ...args);
    const answer = [JSON.parse(said || "[]")].flat();
    assert(
      contains(answer, [has]),
      `${command}: ${JSON.stringify(answer)} has no ${JSON.stringify(has)}`,
    );
  }
}

function contains(value: Json, wanted: Json): boolean {
  if (Array.isArray(wanted)) {
    return Array.isArray(value) && wanted.every((it) => value.some((has) => contains(has, it)));
  }
  if (typeof wanted !== "object" || wanted === null) return value === wanted;
  return typeof value === "object" && value !== null &&
    Object.entries(wanted).every(([key, it]) => contains(value[key], it));
}

/** The attachments of a host, by container and interface. */
async function attached(netns: Netns): Promise<Map<string, { index: number; addresses: string }>> {
  const links = JSON.parse(await runIn(netns, "ip", "-j", "link", "show")) as Json[];
  return new Map(links.flatMap(({ ifindex: index, ifalias = "" }) => {
    const [, id, name, addresses = ""] =
      /id=(\S+) .*interface=(\S+) addresses=(\S+)/.exec(ifalias) ?? [];
    return id === undefined ? [] : [[`${id.replace(PREFIX, "")}:${name}`, { index, addresses }]];
  }));
}

kernelTest("containers keep their addresses while others come and go", { run: true }, async (
  { netns },
) => {
  const host = { netns };
  await runIn(netns, "sh", "-ec", BY_HAND);
  using _names = removingNames(isOwn);
  const assertAsBefore = await traceOf(netns, isOwn);
  const up = async (containers: NonNullable<Said["containers"]>) => {
    const named = Object.entries(containers).map(([name, spec]) => [PREFIX + name, spec] as const);
    const { changes } = await apply(
      lab({
        bridges: { b0: ["10.0.0.1/24", "fd00::1/64"], b1: "10.1.0.1/24" },
        containers: Object.fromEntries(named),
      }),
      host,
    );
    const found = [...await attached(netns)];
    return {
      done: changes.filter(({ kind }) => kind === "attachment" || kind === "netns")
        .map(({ text }) => text.replaceAll(PREFIX, "")),
      addresses: Object.fromEntries(found.map(([name, { addresses }]) => [name, addresses])),
      indexes: Object.fromEntries(found.map(([name, { index }]) => [name, index])),
    };
  };
  const a = { bridge: "b0" };
  const d = { interfaces: { eth0: { bridge: "b0" }, eth1: { bridge: "b1", mtu: 1400 } } };
  const e = { address: "10.9.0.1/32" };
  const first = await up({ a, b: a, c: a, d, e });
  assertEquals(first.addresses, {
    "a:eth0": "10.0.0.2/24,fd00::2/64",
    "b:eth0": "10.0.0.3/24,fd00::3/64",
    "c:eth0": "10.0.0.4/24,fd00::4/64",
    "d:eth0": "10.0.0.5/24,fd00::5/64",
    "d:eth1": "10.1.0.2/24",
    "e:eth0": "10.9.0.1/32",
  });
  {
    using inside = Netns.open({ name: `${PREFIX}d` });
    await assertSeen(inside, [
      ["ip route show", { dst: "default", gateway: "10.0.0.1", dev: "eth0" }],
      ["ip link show eth1", { mtu: 1400 }],
    ]);
  }
  // b goes, f takes its place, c is made anew with what it has; nobody else is touched.
  const second = await up({ f: a, a, c: { bridge: "b0", rate: "10mbit" }, d, e });
  assertEquals(second.done, [
    "remove attachment b:eth0 in host",
    "remove netns b",
    "add netns f",
    "add attachment f:eth0 in host",
    "change attachment c:eth0 in host",
  ]);
  const { "f:eth0": f, "c:eth0": newC, ...others } = second.indexes;
  const { "b:eth0": _, "c:eth0": oldC, ...same } = first.indexes;
  assertEquals(others, same);
  assert(newC !== oldC && f !== undefined);
  assertEquals(second.addresses["f:eth0"], "10.0.0.3/24,fd00::3/64");
  // Who says an address has it, though another one had it by chance.
  const g = {
    ...{ bridge: "b0", address: "10.0.0.2/24" },
    sysctls: { "net.ipv4.conf.eth0.rp_filter": 2 },
    neighbours: [{ to: "10.0.0.9", dev: "eth0", mac: "02:00:00:00:00:09" }],
  };
  const third = await up({ a, g });
  assertEquals(third.addresses["g:eth0"], "10.0.0.2/24");
  assert(!third.addresses["a:eth0"]!.includes("10.0.0.2/24"));
  assertEquals((await up({ a, g })).done, []);
  // What somebody takes from a container comes back, with what was on it.
  {
    using inside = Netns.open({ name: `${PREFIX}g` });
    await runIn(inside, "ip", "address", "delete", "10.0.0.2/24", "dev", "eth0");
    assertEquals((await up({ a, g })).done, ["change attachment g:eth0 in host"]);
    await assertSettings(inside, g);
    await assertSeen(inside, [
      ["ip route show", { dst: "default", gateway: "10.0.0.1" }],
      ["ip neighbour show", { dst: "10.0.0.9", state: ["PERMANENT"] }],
    ]);
  }
  assertEquals((await up({ a, g })).done, []);
  await destroy({ name: "lab" }, host);
  await assertAsBefore();
});

kernelTest(
  "a container that stays without its host has nothing of it any more",
  { run: true },
  async (
    { netns },
  ) => {
    const host = { netns };
    using _names = removingNames(isOwn);
    const assertAsBefore = await traceOf(netns, isOwn);
    const [router, stays, goes] = ["router", "stays", "goes"].map((it) => PREFIX + it);
    const containers = {
      [stays!]: { address: "10.9.0.1/32" },
      [goes!]: { address: "10.9.0.2/32" },
    };
    // The kernel ends a namespace's links some time after its name is gone.
    for (let i = 0; i < 5; i++) {
      await apply(lab({ namespaces: { [router!]: { containers } } }), host);
      await apply(lab({ namespaces: { [stays!]: {} } }), host);
      using container = Netns.open({ name: stays! });
      const links = JSON.parse(await runIn(container, "ip", "-j", "link", "show"));
      assertEquals(links.map(({ ifname }: { ifname: string }) => ifname), ["lo"]);
    }
    await destroy({ name: "lab" }, host);
    await assertAsBefore();
  },
);

kernelTest(
  "namespaces of processes, of names and of paths, and hosts in hosts",
  { run: true },
  async (
    { netns, another },
  ) => {
    const host = { netns };
    using _names = removingNames(isOwn);
    const assertAsBefore = await traceOf(netns, isOwn);
    await using process = await startContainer();
    using pathed = await another();
    using named = await Netns.create(`${PREFIX}there`);
    using ofProcess = Netns.open({ pid: process.pid });
    const theirs = [ofProcess, pathed, named];
    // Attaching a container leaves it so.
    for (const it of theirs) await runIn(it, "ip", "link", "set", "lo", "up");
    await runIn(named, "ip", "link", "add", "hand", "type", "bridge");
    const untouched = await Promise.all(theirs.map(lookAt));
    const topology = lab({
      bridges: { b0: "10.0.0.1/24" },
      containers: {
        web: { netns: { pid: process.pid }, bridge: "b0", sysctls: { "net.ipv4.ip_forward": 1 } },
        file: { netns: { path: `/proc/self/fd/${pathed.fd}` }, bridge: "b0" },
      },
      namespaces: {
        [`${PREFIX}router`]: {
          links: { up: { peer: "there:down", address: "10.2.0.1/24" } },
          // A container of this one's, which has one of its own.
          bridges: { b0: "10.3.0.1/24" },
          containers: {
            [`${PREFIX}outer`]: {
              bridge: "b0",
              bridges: { b0: "10.4.0.1/24" },
              containers: { [`${PREFIX}inner`]: { bridge: "b0", masquerade: true } },
            },
          },
        },
        there: {
          netns: { name: `${PREFIX}there` },
          links: { down: { address: "10.2.0.2/24" }, mv: { kind: "macvlan", link: "host:b0" } },
          routes: [{ to: "10.3.0.0/16", via: "10.2.0.1" }],
        },
      },
    });
    await apply(topology, host);
    await assertSeen(ofProcess, [
      ["ip address show eth0", { addr_info: [{ local: "10.0.0.2", prefixlen: 24 }] }],
      ["ip route show", { dst: "default", gateway: "10.0.0.1" }],
    ]);
    assertEquals(await readSysctl("net.ipv4.ip_forward", { netns: ofProcess }), "1");
    await assertSeen(pathed, [["ip address show eth0", { addr_info: [{ local: "10.0.0.3" }] }]]);
    await assertSeen(named, [
      ["ip link show mv", { linkinfo: { info_kind: "macvlan" } }],
      ["ip route show", { dst: "10.3.0.0/16", gateway: "10.2.0.1", dev: "down" }],
    ]);
    {
      using inner = Netns.open({ name: `${PREFIX}inner` });
      await assertSeen(inner, [["ip address show eth0", { addr_info: [{ local: "10.4.0.2" }] }]]);
      // Through both of its hosts, which forward for it.
      assert(await reaches(inner, "10.3.0.1"));
    }
    const again = await counting(() => apply(topology, host));
    assertEquals([again.answer.changes, again.changing], [[], []]);

    // By the name alone, those without a name too.
    await destroy({ name: "lab" }, host);
    for (const [i, it] of theirs.entries()) await assertLook(it, untouched[i]!);
    Netns.remove(`${PREFIX}there`);
    await assertAsBefore();

    // A container that ends takes all of its own along.
    const web = { bridge: "b0", netns: { pid: process.pid } };
    await apply(lab({ bridges: { b0: "10.0.0.1/24" }, containers: { web } }), host);
    ofProcess.close();
    await process.kill();
    await assertRejects(
      () => apply(lab({ bridges: { b0: "10.0.0.1/24" }, containers: { web } }), host),
      NotFoundError,
      `${process.pid}`,
    );
    await eventually(async () =>
      assertEquals((await apply(lab({ bridges: { b0: "10.0.0.1/24" } }), host)).changes, [])
    );
    await destroy({ name: "lab" }, host);
    await assertAsBefore();
  },
);

async function reaches(from: Netns, address: string): Promise<boolean> {
  const reply = await withNetns(from, (rtnl) => rtnl.ping(address, { timeout: 2000 }));
  return reply !== undefined;
}

async function assertLook(netns: Netns, look: unknown): Promise<void> {
  await eventually(async () => assertEquals(await lookAt(netns), look as Json));
}

/** Something of every kind, in the host and in a namespace. */
const MUCH: Said = {
  bridges: { b0: { addresses: ["10.0.0.1/24", "fd00::1/64"], ports: ["w1", "v0"] } },
  links: {
    v0: { peer: `${PREFIX}r:up`, mtu: 1400 },
    w0: { mtu: 1400, address: "10.7.0.1/24", rate: "10mbit" },
    x0: { mac: "02:00:00:00:00:10", up: false },
  },
  routes: [{ to: "198.51.100.0/24", via: "10.0.0.9" }],
  rules: [{ from: "10.0.0.0/8", table: 100 }],
  neighbours: [{ to: "10.0.0.9", dev: "b0", mac: "02:00:00:00:00:09" }],
  sysctls: { "net.ipv4.ip_forward": 1, "net.ipv4.tcp_rmem": "4096 131072 300000" },
  firewall: { forward: { rules: [{ in: "b0", verdict: "accept" }] } },
  containers: {
    [`${PREFIX}web`]: { bridge: "b0", publish: ["8080:80"], masquerade: true, rate: "10mbit" },
  },
  namespaces: {
    [`${PREFIX}r`]: {
      links: { up: { mac: "02:00:00:00:00:01", address: "10.0.0.9/24" } },
      sysctls: { "net.ipv4.ip_forward": 1 },
    },
  },
};

/** The same with a way to nowhere, and much that is changed before that one is tried. */
const TOO_MUCH: Said = {
  ...MUCH,
  bridges: { b0: { addresses: ["10.0.0.2/24"], stp: true, ports: ["w1"] }, b1: "10.8.0.1/24" },
  links: { v0: { peer: `${PREFIX}r:up`, mtu: 1300, master: "b1" }, w0: { mtu: 1300, up: true } },
  rules: [{ from: "10.0.0.0/8", table: 101 }],
  sysctls: { "net.ipv4.tcp_rmem": "4096 131072 500000" },
  firewall: { forward: { policy: "drop" } },
  routes: [{ to: "10.9.0.0/16", via: "10.8.0.9" }, { to: "10.99.0.0/16", via: "10.98.0.1" }],
  namespaces: {
    [`${PREFIX}r`]: {
      links: { up: { address: "10.8.0.9/24" } },
      routes: [{ to: "10.9.0.0/16", via: "10.8.0.1" }],
    },
  },
};

kernelTest(
  "when a step fails, all is as before, and the error says which one",
  { run: true },
  async (
    { netns },
  ) => {
    const host = { netns };
    await runIn(netns, "sh", "-ec", BY_HAND);
    using _names = removingNames(isOwn);
    const assertAsBefore = await traceOf(netns, isOwn);
    const refused = async () => {
      const error = await assertRejects(() => apply(lab(TOO_MUCH), host), TopologyStepError);
      const { action, kind, name, netns: where, path } = error.change;
      assertEquals([action, kind, name, where], ["add", "route", "10.99.0.0/16", "host"]);
      assertEquals(path, ["routes", 1]);
      assertStringIncludes(error.message, "Cannot add route 10.99.0.0/16 in host: ");
      assertStringIncludes(error.message, "Network is unreachable");
      assert(error.message.endsWith("; everything was put back"), error.message);
    };
    await refused();
    await assertAsBefore();

    await apply(lab(MUCH), host);
    const names = [`${PREFIX}r`, `${PREFIX}web`];
    const look = await lookAtAll(netns, names);
    const { "web:eth0": was } = Object.fromEntries(await attached(netns));
    await refused();
    await eventually(async () => assertEquals(await lookAtAll(netns, names), look));
    assertEquals((await plan(lab(MUCH), host)).changes, []);
    assertEquals(Object.fromEntries(await attached(netns))["web:eth0"]!.addresses, was!.addresses);
    await destroy({ name: "lab" }, host);
    await assertAsBefore();
  },
);

kernelTest("what somebody else has made is neither taken over nor lost", { run: true }, async (
  { netns },
) => {
  const host = { netns };
  await runIn(netns, "sh", "-ec", BY_HAND);
  using _there = await Netns.create(`${PREFIX}theirs`);
  await apply({ denolink: 1, name: "other", bridges: { b9: "10.90.0.1/24" } }, host);
  using _names = removingNames(isOwn);
  const assertAsBefore = await traceOf(netns, isOwn);
  const DELETE = "there is one already that this topology did not make; delete it, or say another";
  const conflicts: [said: Said, text: string, remedy: string][] = [
    [{ bridges: { hand: {} } }, "add link hand in host", DELETE],
    [{ bridges: { b9: {} } }, "add link b9 in host", DELETE],
    [{ links: { w0: { address: "192.0.2.1/24" } } }, "add address 192.0.2.1/24 dev w0", DELETE],
    [{ links: { w1: { rate: "10mbit" } } }, "add qdisc root dev w1 in host", DELETE],
    [{ routes: [{ to: "203.0.113.0/24", via: "192.0.2.9" }] }, "add route 203.0.113.0/24", DELETE],
    [
      { neighbours: [{ to: "192.0.2.2", dev: "w0", mac: "02:00:00:00:00:99" }] },
      "add neighbour 192.0.2.2 dev w0 in host",
      DELETE,
    ],
    [
      { namespaces: { [`${PREFIX}theirs`]: {} } },
      `add netns ${PREFIX}theirs`,
      `say netns: {name: ${PREFIX}theirs} to use it as it is`,
    ],
    [{ links: { w9: { mtu: 1400 } } }, "add link w9 in host", "there is no such link"],
    [
      { routes: [{ to: "10.0.0.0/8", dev: "w9" }] },
      "add route 10.0.0.0/8 in host",
      "there is no such link",
    ],
  ];
  for (const [said, text, remedy] of conflicts) {
    const error = await assertRejects(() => apply(lab(said), host), TopologyStepError, text);
    assertStringIncludes(error.message, `Cannot ${text}`);
    assertStringIncludes(error.message, remedy);
  }
  await assertAsBefore();
  const absent = {
    containers: { c: { netns: { name: `${PREFIX}none` }, address: "10.0.0.1/32" } },
  };
  await assertRejects(() => apply(lab(absent), host), NotFoundError, `${PREFIX}none`);

  // What a user adds to the topology's own links stays there, whatever else becomes of them.
  await apply(lab({ bridges: { b0: "10.0.0.1/24" } }), host);
  await runIn(
    netns,
    "sh",
    "-ec",
    `
    ip address add 10.0.5.1/24 dev b0
    ip link set x1 master b0
    ip route add 10.0.6.0/24 via 10.0.5.2
    ip rule add from 10.0.5.0/24 table 78
    ip neighbour add 10.0.5.2 lladdr 02:00:00:00:00:52 dev b0
  `,
  );
  const { changes } = await apply(
    lab({ bridges: { b0: { address: "10.0.0.2/24", stp: true } } }),
    host,
  );
  assertEquals(changes.length, 3);
  await assertSeen(netns, [
    ["ip address show b0", { addr_info: [{ local: "10.0.0.2" }, { local: "10.0.5.1" }] }],
    ["ip link show x1", { master: "b0" }],
    ["ip route show", { dst: "10.0.6.0/24", gateway: "10.0.5.2" }],
    ["ip rule show", { src: "10.0.5.0", table: "78" }],
    ["ip neighbour show", { dst: "10.0.5.2", lladdr: "02:00:00:00:00:52" }],
  ]);
  await destroy({ name: "lab" }, host);
  await runIn(netns, "ip", "rule", "delete", "from", "10.0.5.0/24");
  await assertAsBefore();
  await destroy({ name: "other" }, host);
  Netns.remove(`${PREFIX}theirs`);
});

kernelTest(
  "former values come back after an end at any point",
  { run: true },
  async ({ netns }) => {
    const host = { netns };
    await runIn(netns, "sh", "-ec", BY_HAND);
    using _names = removingNames(isOwn);
    const assertAsBefore = await traceOf(netns, isOwn);
    const said = lab({
      bridges: { b0: { ports: ["w1"] } },
      links: { w0: { mtu: 1400 }, x0: { mac: "02:00:00:00:00:10", up: false } },
      sysctls: { "net.ipv4.ip_forward": 1, "net.ipv4.tcp_rmem": "4096 131072 300000" },
    });
    let cuts = 0;
    for (; await isCut(cuts, () => apply(said, host)); cuts++) {
      await destroy({ name: "lab" }, host);
      await assertAsBefore(`apply cut after ${cuts} requests`);
    }
    assert(cuts > 5, `${cuts} cuts`);
    for (cuts = 0; await isCut(cuts, () => destroy({ name: "lab" }, host)); cuts++) {
      await apply(said, host);
      assertEquals((await plan(said, host)).changes, []);
    }
    await assertAsBefore();
    assert(cuts > 5, `${cuts} cuts`);
  },
);

/** Whether something is cut off: after so many requests nothing gets to the kernel any more. */
async function isCut(requests: number, fn: () => Promise<unknown>): Promise<boolean> {
  const cut = new Error("cut off");
  using _ = watchSent(() => {
    if (requests-- <= 0) throw cut;
  });
  try {
    await fn();
  } catch (error) {
    if (requests >= 0) throw error;
  }
  return requests < 0;
}
