import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../../mod.ts";
import { TopologyError } from "../../../overlay/topology/problem.ts";
import { checkTopology } from "../../../overlay/topology/read.ts";
import { MOST_VALUES } from "../../../overlay/topology/schema.ts";
import {
  addressesOf,
  parseEndpoint,
  parsePercent,
  parsePublish,
  parseRate,
  parseSubnet,
  parseTarget,
  parseTime,
} from "../../../overlay/topology/units.ts";
import { parseTopology } from "../../../overlay/topology/yaml.ts";

/** What is wrong with a file, in lines without its name. */
function wrong(yaml: string): string[] {
  try {
    parseTopology(`denolink: 1\n${yaml}`, "lab.yaml");
    return [];
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    return error.message.split("\n").map((line) => line.replace(/^lab\.yaml:/, ""));
  }
}

/** Files without their first line, and what is wrong with them. */
const CASES: Record<string, [yaml: string, ...problems: string[]][]> = {
  "the structure": [
    [
      "links: { a: { kind: dummy, mtu: big } }",
      '2:28: links.a.mtu: expected a whole number from 68 to 2147483647, got "big"',
    ],
    ["lniks: {}", '2:1: lniks: unknown key; did you mean "links"?'],
    [
      `
links:
  a:
    knd: dummy
    type: dummy
`,
      '5:5: links.a.knd: unknown key; did you mean "kind"?',
      "6:5: links.a.type: unknown key; the keys here are kind, peer, link, master, address, addresses, mac, mtu, up, group, txQueueLength, portData, vlans, fdb, rate, delay, jitter, loss, qdisc, data",
    ],
    [
      `
routes:
  - via: 10.0.0.1
neighbours:
  - {}
`,
      '4:5: routes[0]: the key "to" is missing; it is a subnet, such as 10.9.0.0/16, or default',
      '6:5: neighbours[0]: the key "to" is missing; it is an IPv4 or IPv6 address',
      '6:5: neighbours[0]: the key "dev" is missing; it is a link\'s name, such as eth0',
    ],
    [
      "denolink: 2",
      '2:1: denolink: the key "denolink" is there twice, first in line 1; leave one out',
    ],
    [
      "name: My Lab",
      '2:1: name: expected a name of 1 to 15 letters from a to z, digits and hyphens, got "My Lab"',
    ],
    [
      `
links: [a]
bridges: br0
routes: {}
namespaces:
  r1:
`,
      "3:1: links: expected a mapping, got a list",
      '4:1: bridges: expected a mapping, got "br0"',
      "5:1: routes: expected a list, got a mapping",
      "7:3: namespaces.r1: expected a mapping, got nothing; write {} where nothing is to be said",
    ],
    [
      "links: { 'a/b': {}, this-name-is-long: {}, '..': {} }",
      '2:10: links["a/b"]: Cannot use link name "a/b": a name has no "/"',
      '2:21: links.this-name-is-long: Cannot use link name "this-name-is-long": a name has at most 15 bytes, this one has 17',
      '2:44: links[".."]: Cannot use link name "..": the kernel takes no such name',
    ],
    [
      `
namespaces: { host: {}, 'a/b': {} }
containers: { host: { address: 10.0.0.2/24 } }
`,
      '3:15: namespaces.host: Cannot use namespace name "host": that is the host\'s own namespace',
      '3:25: namespaces["a/b"]: Cannot use network namespace name "a/b": a name has no "/"; for a file give { path }',
      '4:15: containers.host: Cannot use namespace name "host": that is the host\'s own namespace',
    ],
    [
      "links: { a: { kind: dumy }, b: { kind: 7 } }",
      '2:15: links.a.kind: expected one of batadv, bond, bridge, erspan, geneve, gre, gretap, hsr, ip6erspan, ip6gre, ip6gretap, ip6tnl, ipip, ipvlan, ipvtap, macvlan, macvtap, netkit, sit, tun, veth, vlan, vrf, vti, vti6, vxlan, xfrm, dummy, ifb, nlmon, team, wireguard, got "dumy"; did you mean "dummy"?',
      "2:34: links.b.kind: expected one of batadv, bond, bridge, erspan, geneve, gre, gretap, hsr, ip6erspan, ip6gre, ip6gretap, ip6tnl, ipip, ipvlan, ipvtap, macvlan, macvtap, netkit, sit, tun, veth, vlan, vrf, vti, vti6, vxlan, xfrm, dummy, ifb, nlmon, team, wireguard, got 7",
    ],
    [
      "links: { a: { data: { id: 1 } }, b: { kind: vlan, link: lo, data: { id: 70000, prtocol: x } } }",
      '2:15: links.a.data: it needs the key "kind", which says what it may be',
      "2:69: links.b.data.id: expected a whole number from 0 to 65535, got 70000",
      '2:80: links.b.data.prtocol: unknown key; did you mean "protocol"?',
    ],
    [
      "links: { a: { kind: bond, data: { mode: active, miimon: -1, adInfo: { actorKey: x } } } }",
      '2:35: links.a.data.mode: expected one of balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb, got "active"',
      "2:49: links.a.data.miimon: expected a whole number from 0 to 4294967295, got -1",
      '2:71: links.a.data.adInfo.actorKey: expected a whole number from 0 to 65535, got "x"',
    ],
    [
      "bridges: { b: { data: { rootId: 1, groupAddress: x, booleanOptions: { values: [mst, 0x1] } } } }",
      "2:25: bridges.b.data.rootId: expected a bridge id such as 8000.02:00:5e:00:53:01, got 1",
      '2:36: bridges.b.data.groupAddress: expected a link-layer address such as 02:00:5e:00:53:01, got "x"',
      '2:80: bridges.b.data.booleanOptions.values[0]: expected one of noLinkLocalLearn, multicastVlanSnooping, mstEnable, mdbOffloadFailNotification, fdbLocalVlan0, or bits such as 0x10, got "mst"',
      "2:85: bridges.b.data.booleanOptions.values[1]: expected one of noLinkLocalLearn, multicastVlanSnooping, mstEnable, mdbOffloadFailNotification, fdbLocalVlan0, or bits such as 0x10, got 1",
    ],
    [
      "links: { a: { kind: veth, data: { peer: {} } } }",
      "2:35: links.a.data.peer: unknown key; there are none here",
    ],
    [
      "links: { a: { qdisc: { kind: fq_codel, options: { limt: 5 } } } }",
      '2:51: links.a.qdisc.options.limt: unknown key; did you mean "limit"?',
    ],
    [
      "links: { a: { qdisc: { kind: fifo } }, b: { qdisc: { options: {} } } }",
      '2:24: links.a.qdisc.kind: expected one of bfifo, cake, clsact, codel, fq, fq_codel, htb, ingress, mq, netem, noqueue, pfifo, pfifo_fast, pfifo_head_drop, prio, red, tbf, got "fifo"; did you mean "bfifo"?',
      '2:45: links.b.qdisc: the key "kind" is missing; it is one of bfifo, cake, clsact, codel, fq, fq_codel, htb, ingress, mq, netem, noqueue, pfifo, pfifo_fast, pfifo_head_drop, prio, red, tbf',
      '2:54: links.b.qdisc.options: it needs the key "kind", which says what it may be',
    ],
    [
      "links: { a: { kind: dummy, rate: fast, delay: 50, jitter: 5m, loss: 101, vlans: [{ id: 4095 }] } }",
      '2:28: links.a.rate: Cannot read rate "fast": write it as "10mbit"',
      '2:51: links.a.jitter: Cannot read time "5m": write it as "50ms"',
      "2:63: links.a.loss: expected a number from 0 to 100, got 101",
      "2:84: links.a.vlans[0].id: expected a whole number from 1 to 4094, got 4095",
    ],
    [
      "links: { a: { rate: 7kbit }, b: { rate: 7 }, c: { loss: 101% }, d: { delay: 1e3s } }",
      "2:15: links.a.rate: Cannot limit a rate to 7000: it is a whole number of bits per second, from 8000 to 34000000000",
      "2:35: links.b.rate: expected a whole number from 8000 to 34000000000, got 7",
      '2:51: links.c.loss: Cannot read share "101%": a share is from 0% to 100%',
      '2:70: links.d.delay: Cannot read time "1e3s": write it as "50ms"',
    ],
    [
      "links: { a: { address: 10.0.0.1 }, b: { address: 10.0.0.1/33 }, c: { address: 0.0.0.0/0 } }",
      '2:15: links.a.address: Cannot read address "10.0.0.1": the prefix length is missing; write it as 10.0.0.1/24',
      '2:41: links.b.address: Cannot read address "10.0.0.1/33": the prefix length is a number from 0 to 32',
      "2:70: links.c.address: Cannot give address 0.0.0.0/0 to a link: it stands for no host; take another one",
    ],
    [
      "links: { a: { mac: 01:00:5e:00:00:01 }, b: { mac: 00:00:00:00:00:00 }, c: { mac: 02:00 } }",
      '2:15: links.a.mac: Cannot use MAC address "01:00:5e:00:00:01": it is a group\'s',
      '2:46: links.b.mac: Cannot use MAC address "00:00:00:00:00:00": it is nobody\'s',
      '2:77: links.c.mac: Cannot use MAC address "02:00": it is six bytes, such as 02:00:5e:10:00:01',
    ],
    [
      "containers: { 'a b': { address: 10.0.0.2/24 } }",
      '2:15: containers["a b"]: Cannot use id "a b": an id has 1 to 64 bytes, without blanks or control characters',
    ],
    [
      "containers: { a: { address: 10.0.0.2/24, netns: { id: 5 } }, b: { address: 10.0.0.3/24, netns: { path: x } } }",
      '2:42: containers.a.netns: the key "pid" is missing; it is a whole number from 1 to 2147483647',
      '2:51: containers.a.netns.id: unknown key; did you mean "pid"?',
      '2:98: containers.b.netns.path: expected a path that starts with /, got "x"',
    ],
    [
      "containers: { a: { bridge: b, publish: ['80', 80, { hostPort: 0, port: 80 }, '8080:99999'] } }",
      '2:41: containers.a.publish[0]: Cannot read port "80": write it as "8080:80" or "53:5353/udp"',
      '2:47: containers.a.publish[1]: expected ports such as "8080:80" or "53:5353/udp", or a mapping, got 80',
      "2:53: containers.a.publish[2].hostPort: expected a whole number from 1 to 65535, got 0",
      "2:78: containers.a.publish[3]: Cannot use port 99999: a port is a whole number from 1 to 65535",
    ],
    [
      "containers: { a: { bridge: b, pool: { ranges: [10.0.0.9-10.0.0.1], exclude: [x] } } }",
      '2:48: containers.a.pool.ranges[0]: Cannot use address range "10.0.0.9-10.0.0.1": it ends before it begins; write it as 10.0.0.100-10.0.0.199 or 10.0.0.128/25',
      '2:78: containers.a.pool.exclude[0]: Cannot read address "x": that is no IPv4 or IPv6 address',
    ],
    [
      "sysctls: { net..ip_forward: 1, net.ipv4.ip_forward: 1.5 }",
      '2:12: sysctls["net..ip_forward"]: Cannot use sysctl key "net..ip_forward": it would leave /proc/sys or has an empty part; write it as "net.ipv4.ip_forward"',
      '2:32: sysctls["net.ipv4.ip_forward"]: expected a whole number from -9007199254740991 to 9007199254740991, got 1.5',
    ],
    [
      "routes: [{ to: 10.0.0.0/8, via: x, type: blackhol, table: 4294967296, metrics: { mtu: x } }]",
      '2:28: routes[0].via: Cannot read address "x": that is no IPv4 or IPv6 address',
      '2:36: routes[0].type: expected one of unspec, unicast, local, broadcast, anycast, multicast, blackhole, unreachable, prohibit, throw, nat, got "blackhol"; did you mean "blackhole"?',
      "2:52: routes[0].table: expected a whole number from 0 to 4294967295, got 4294967296",
      '2:82: routes[0].metrics.mtu: expected a whole number from 0 to 4294967295, got "x"',
    ],
    [
      "rules: [{ from: 10.0.0.1, table: x, action: y, sport: { start: 1, stop: 2 } }]",
      '2:11: rules[0].from: Cannot read address "10.0.0.1": the prefix length is missing; write it as 10.0.0.1/24',
      '2:27: rules[0].table: expected one of unspec, default, main, local, got "x"',
      '2:37: rules[0].action: expected one of table, goto, nop, blackhole, unreachable, prohibit, got "y"',
      "2:67: rules[0].sport.stop: unknown key; the keys here are start, end",
    ],
    [
      "firewall: { input: { policy: reject, rules: [{ state: [old], port: 0, verdict: [] }] } }",
      '2:22: firewall.input.policy: expected one of accept, drop, got "reject"',
      '2:56: firewall.input.rules[0].state[0]: expected one of new, established, related, invalid, got "old"',
      "2:62: firewall.input.rules[0].port: expected a whole number from 1 to 65535, got 0",
      "2:71: firewall.input.rules[0].verdict: expected one of accept, drop, reject, got a list",
    ],
    [
      "nat: { dnat: [{ port: 80, target: '10.0.0.1' }, { port: 80, target: 'fd00::1:80' }] }",
      '2:27: nat.dnat[0].target: Cannot read target "10.0.0.1": write it as "10.2.0.2:80" or "[fd00::2]:80"',
      '2:61: nat.dnat[1].target: Cannot read target "fd00::1:80": write it as "10.2.0.2:80" or "[fd00::2]:80"',
    ],
  ],
  "names": [
    [
      "namespaces: { r1: {}, r2: { containers: { r1: { address: 10.0.0.2/24 } } } }",
      "2:43: namespaces.r2.containers.r1: namespaces.r1 has this name already; each namespace and container has its own",
    ],
    [
      `
namespaces:
  r1: { netns: { name: r2 } }
  r2: {}
  r3: { netns: { pid: 7 } }
  r4: { netns: { pid: 7 } }
`,
      "5:3: namespaces.r2: that is the namespace of namespaces.r1 already; take another one",
      "7:9: namespaces.r4.netns: that is the namespace of namespaces.r3 already; take another one",
    ],
    [
      `
bridges: { b: 10.0.0.1/24 }
links: { b: { kind: dummy } }
`,
      "4:10: links.b: bridges.b is the link b of host already; take another name",
    ],
    [
      "containers: { web: { address: 10.0.0.2/24, links: { eth0: { kind: dummy } } } }",
      "2:15: containers.web: containers.web.links.eth0 is the link eth0 of web already; take another name",
    ],
    [
      `
bridges: { b: { vxlan: { id: 5, local: 192.0.2.1, remotes: [] } } }
links: { vxlan5: { kind: dummy } }
`,
      "4:10: links.vxlan5: bridges.b.vxlan is the link vxlan5 of host already; take another name",
    ],
    [
      `
containers:
  web:
    bridge: br0
    interfaces: { eth1: { bridge: br0 } }
`,
      "5:5: containers.web.bridge: the interfaces say that of themselves; say it there",
    ],
    [
      "links: { d: { kind: dummy, address: 10.0.0.1/24, addresses: [10.1.0.1/24] } }",
      '2:28: links.d.address: it stands for "addresses"; say all of them there',
    ],
  ],
  "what is not there": [
    [
      "namespaces: { r1: { links: { eth0: {}, tunl0: {}, lo: {} } } }",
      "2:30: namespaces.r1.links.eth0: r1 is made here, without this link; say its kind or its peer",
    ],
    [
      `
namespaces:
  r1:
    links: { eth0: { peer: eth1 }, eth1: { master: br0 }, v: { kind: vlan, link: eht0, data: { id: 1 } } }
`,
      "5:44: namespaces.r1.links.eth1.master: there is no link br0 in r1; there are eth0, eth1, v",
      '5:76: namespaces.r1.links.v.link: there is no link eht0 in r1; did you mean "eth0"?',
    ],
    [
      `
links: { a: { peer: 'r9:eth0' }, b: { master: 'r1:br0' } }
namespaces: { r1: {} }
`,
      '3:15: links.a.peer: there is no namespace r9 here; did you mean "r1"?',
      "3:39: links.b.master: there is no link br0 in r1, which has none",
    ],
    [
      `
namespaces:
  r1:
    routes: [{ to: default, dev: eth0 }, { to: 10.0.0.0/8, nexthops: [{ dev: eth1 }] }]
    rules: [{ iif: eth2, oif: eth3 }]
    neighbours: [{ to: 10.0.0.1, dev: eth4, mac: 02:00:00:00:00:01 }]
    firewall: { forward: { rules: [{ in: eth5, out: eth6, verdict: drop }] } }
    nat: { masquerade: [{ out: eth7 }], dnat: [{ in: eth8, port: 80, target: '10.0.0.2:80' }] }
`,
      "5:29: namespaces.r1.routes[0].dev: there is no link eth0 in r1, which has none",
      "5:73: namespaces.r1.routes[1].nexthops[0].dev: there is no link eth1 in r1, which has none",
      "6:15: namespaces.r1.rules[0].iif: there is no link eth2 in r1, which has none",
      "6:26: namespaces.r1.rules[0].oif: there is no link eth3 in r1, which has none",
      "7:34: namespaces.r1.neighbours[0].dev: there is no link eth4 in r1, which has none",
      "8:38: namespaces.r1.firewall.forward.rules[0].in: there is no link eth5 in r1, which has none",
      "8:48: namespaces.r1.firewall.forward.rules[0].out: there is no link eth6 in r1, which has none",
      "9:27: namespaces.r1.nat.masquerade[0].out: there is no link eth7 in r1, which has none",
      "9:50: namespaces.r1.nat.dnat[0].in: there is no link eth8 in r1, which has none",
    ],
    [
      `
namespaces:
  r1:
    links: { b0: { kind: bond, data: { primary: eth0 } }, x0: { kind: vxlan, data: { id: 1, link: eth1 } } }
`,
      "5:40: namespaces.r1.links.b0.data.primary: there is no link eth0 in r1; there are b0, x0",
      "5:93: namespaces.r1.links.x0.data.link: there is no link eth1 in r1; there are b0, x0",
    ],
    [
      `
namespaces:
  r1:
    bridges: { br0: { address: 10.0.0.1/24, ports: [p0, p1] } }
    links: { p0: { kind: dummy, portData: { backupPort: p2 } } }
`,
      '5:57: namespaces.r1.bridges.br0.ports[1]: there is no link p1 in r1; did you mean "p0"?',
      '6:45: namespaces.r1.links.p0.portData.backupPort: there is no link p2 in r1; did you mean "p0"?',
    ],
    [
      "namespaces: { r1: { containers: { web: { bridge: br0 } } } }",
      "2:42: namespaces.r1.containers.web.bridge: there is no link br0 in r1, which has none",
    ],
  ],
  "kinds": [
    [
      `
links: { d: { kind: dummy }, e: { kind: dummy, master: d }, v: { kind: vlan, link: d, data: { id: 1 } } }
containers: { web: { bridge: d, address: 10.0.0.2/24 } }
`,
      "3:48: links.e.master: d is of kind dummy; of these kinds are masters: bridge, bond, vrf, team, batadv",
      "4:22: containers.web.bridge: d is of kind dummy, and no bridge",
    ],
    [
      `
bridges: { a: { ports: [d] }, b: { ports: [d, e] } }
links: { d: { kind: dummy }, e: { kind: dummy, master: a } }
`,
      "3:44: bridges.b.ports[0]: d is a port of a already; leave one of them out",
      "3:47: bridges.b.ports[1]: e is a port of a already; leave one of them out",
    ],
    [
      "bridges: { a: { master: b }, b: [] }",
      "2:17: bridges.a.master: a and b are bridges; one is no port of another",
    ],
    [
      `
links: { d: { kind: dummy, master: 'r1:b' } }
namespaces: { r1: { bridges: { b: [] } } }
`,
      "3:28: links.d.master: a port and its master are in one namespace; this is another one's",
    ],
    [
      "containers: { web: { address: 10.0.0.2/24, bridges: { b: { ports: [eth0] } } } }",
      "2:68: containers.web.bridges.b.ports[0]: eth0 is how web is attached; it is no port here",
    ],
    [
      "links: { v: { kind: vlan, data: { id: 1 } }, m: { kind: macvlan }, d: { kind: dummy, link: lo }, x: { kind: vxlan, link: lo, data: { id: 1 } } }",
      '2:10: links.v: a link of kind vlan is on another one; say which as "link"',
      '2:46: links.m: a link of kind macvlan is on another one; say which as "link"',
      "2:86: links.d.link: a link of kind dummy is on no other one; leave it out",
      "2:116: links.x.link: of kind vxlan, that is one of its data; write data: { link: lo }",
    ],
    [
      "links: { v: { kind: vlan, link: lo }, r: { kind: vrf }, h: { kind: hsr, data: { port1: a } } }",
      "2:10: links.v: a link of kind vlan needs data.id",
      "2:39: links.r: a link of kind vrf needs data.table",
      "2:57: links.h: a link of kind hsr needs data.port2",
    ],
    [
      `
links:
  v1: { kind: vlan, link: eth0, data: { id: 7 } }
  v2: { kind: vlan, link: 'host:eth0', data: { id: 7 } }
  v3: { kind: vlan, link: eth0, data: { id: 7, protocol: 802.1ad } }
`,
      "5:48: links.v2.data.id: links.v1 is VLAN 7 of host:eth0 already; take another number",
    ],
    [
      `
links:
  b: { kind: bond }
  r: { kind: vrf, data: { table: 5 } }
  p: { kind: dummy, master: b, portData: { table: 5 } }
  q: { kind: dummy, master: r, portData: { priority: 5 } }
  s: { kind: dummy, portData: { priority: 5 } }
  t: { kind: team }
  u: { kind: dummy, master: t, portData: {} }
`,
      "6:44: links.p.portData.table: unknown key; the keys here are state, miiStatus, linkFailureCount, permanentAddress, queueId, adAggregatorId, adActorPortState, adPartnerPortState, priority, actorPortPriority",
      "7:44: links.q.portData.priority: unknown key; the keys here are table",
      "8:21: links.s.portData: it is no port; say its master",
      "10:32: links.u.portData: a port of a master of kind team has no data; leave it out",
    ],
    [
      "links: { d: { kind: dummy, vlans: [{ id: 1 }], fdb: [{ mac: 02:00:00:00:00:01, dst: 192.0.2.1 }] } }",
      "2:28: links.d.vlans: VLANs are a bridge's or its port's; for a VLAN on a link make a link of kind vlan",
      "2:48: links.d.fdb: a forwarding table has a bridge's port or a vxlan",
      "2:80: links.d.fdb[0].dst: only a vxlan sends to other hosts; leave it out",
    ],
    [
      "bridges: { b: { vlans: [{ id: 1, pvid: true }, { id: 2, pvid: true }, { id: 1 }] } }",
      "2:57: bridges.b.vlans[1].pvid: untagged frames are of VLAN 1 already",
      "2:73: bridges.b.vlans[2].id: VLAN 1 is there twice",
    ],
    [
      "links: { d: { kind: dummy, rate: 1mbit, loss: 1, qdisc: { kind: fq } }, e: { kind: dummy, jitter: 5ms } }",
      "2:50: links.d.qdisc: it stands in place of rate, loss; leave that out",
      "2:91: links.e.jitter: it varies the delay, and there is none; say a delay",
    ],
  ],
  "pairs and loops": [
    [
      "links: { a: { peer: a } }",
      "2:15: links.a.peer: a link is not its own peer; name another one",
    ],
    [
      "links: { a: { peer: b }, b: { peer: c }, c: { peer: b } }",
      "2:15: links.a.peer: the peer of b is c; let each name the other",
    ],
    [
      `
links: { a: { peer: 'r1:x' }, b: { peer: 'r1:x' } }
namespaces: { r1: {} }
`,
      "3:36: links.b.peer: that is the other end of a already; take another name",
    ],
    [
      "links: { a: { peer: d }, d: { kind: dummy }, e: { kind: dummy, peer: f }, g: { kind: veth } }",
      "2:15: links.a.peer: d is of kind dummy, and no other end of a pair",
      "2:64: links.e.peer: a link of kind dummy has no peer; leave it out",
      "2:75: links.g: a veth is one end of a pair; name the other one as its peer",
    ],
    [
      `
bridges: { br0: 10.0.0.1/24 }
links: { a: { peer: br0 }, b: { peer: 'web:eth0' } }
containers: { web: { bridge: br0 } }
`,
      "4:15: links.a.peer: br0 is of kind bridge, and no other end of a pair",
      "4:33: links.b.peer: web:eth0 is how a container is attached; take another name",
    ],
    ["links: { b: { kind: bond, master: b } }", "2:27: links.b.master: it is above itself: b, b"],
    [
      "links: { v: { kind: vlan, link: w, data: { id: 1 } }, w: { kind: vlan, link: v, data: { id: 2 } } }",
      "2:27: links.v.link: it is above itself: v, w, v",
    ],
    [
      `
bridges: { br0: [] }
links: { v: { kind: vlan, link: br0, master: br0, data: { id: 1 } } }
`,
      "4:27: links.v.link: it is above itself: v, br0, v",
    ],
    [
      "links: { a: { kind: bond, master: c }, b: { kind: bond, master: a }, c: { kind: bond, master: b }, d: { kind: dummy, master: a } }",
      "2:27: links.a.master: it is above itself: a, b, c, a",
    ],
  ],
  "addresses": [
    [
      "links: { a: { kind: dummy, address: 10.0.0.1/24 }, b: { kind: dummy, addresses: [10.1.0.1/24, 10.0.0.9/16] } }",
      "2:95: links.b.addresses[1]: 10.0.0.9/16 overlaps 10.0.0.1/24 of a; take another subnet",
    ],
    [
      "bridges: { a: 10.0.0.1/8, b: [fd00::1/64, 10.9.0.1/24], c: 'fd00::2/64' }",
      "2:43: bridges.b[1]: 10.9.0.1/24 overlaps 10.0.0.1/8 of a; take another subnet",
      "2:57: bridges.c: fd00::2/64 overlaps fd00::1/64 of b; take another subnet",
    ],
    ["links: { a: { kind: dummy, addresses: [10.0.0.1/24, 10.0.0.1/25] } }"],
    [
      `
bridges: { br0: 10.0.0.1/24 }
containers:
  a: { bridge: br0, address: 10.0.0.1/24 }
  b: { bridge: br0, address: 10.0.0.2/24 }
  c: { interfaces: { eth1: { bridge: br0, address: 10.0.0.2/24 } } }
`,
      "5:21: containers.a.address: bridges.br0 has 10.0.0.1 already, in the same network; take another one",
      "7:43: containers.c.interfaces.eth1.address: containers.b has 10.0.0.2 already, in the same network; take another one",
    ],
    [
      "containers: { a: { address: 10.0.0.2/24 }, b: { address: 10.0.0.2/32 } }",
      "2:49: containers.b.address: containers.a has 10.0.0.2 already, in the same network; take another one",
    ],
    [
      `
bridges: { br0: { address: 10.0.0.1/24, ports: [p0] } }
links: { p0: { peer: 'r1:eth0' }, q: { peer: 'r1:eth1', address: 192.0.2.1/30 } }
namespaces:
  r1: { links: { eth0: { address: 10.0.0.1/24 }, eth1: { address: 192.0.2.1/30 } } }
`,
      "6:26: namespaces.r1.links.eth0.address: bridges.br0 has 10.0.0.1 already, in the same network; take another one",
      "6:58: namespaces.r1.links.eth1.address: links.q has 192.0.2.1 already, in the same network; take another one",
    ],
    [
      `
bridges: { br0: [10.0.0.1/24, 'fd00::1/64'] }
containers: { a: { bridge: br0, addresses: [10.0.1.2/24, 'fd01::2/64', 'fe80::2/64'] } }
`,
      "4:45: containers.a.addresses[0]: 10.0.1.2 is in no subnet of bridge br0; take one of 10.0.0.0/24, fd00::/64",
      "4:58: containers.a.addresses[1]: fd01::2 is in no subnet of bridge br0; take one of 10.0.0.0/24, fd00::/64",
    ],
    [
      `
bridges: { br0: [] }
containers: { a: { bridge: br0, gateways: [auto] } }
`,
      "4:15: containers.a: auto takes the next free address of a bridge's subnet, and br0 has none; give it an address",
      "4:44: containers.a.gateways[0]: auto is the bridge's own address, and br0 has none; give it one",
    ],
    [
      `
bridges: { br0: 10.0.0.1/24 }
containers: { a: { bridge: br0, gateways: [10.1.0.1] }, b: { bridge: br0, address: 10.0.0.3/24, gateways: [10.1.0.1] } }
`,
      "4:44: containers.a.gateways[0]: 10.1.0.1 is in no subnet of bridge br0; take one of 10.0.0.0/24",
      "4:97: containers.b.gateways: Cannot use gateway 10.1.0.1: it is in no subnet of 10.0.0.3/24; take an address of the subnet, or a shorter prefix",
    ],
    [
      `
links: { d: { kind: dummy, address: 'fd00::1/64', mtu: 1000 } }
bridges: { br0: 'fd01::1/64' }
containers: { a: { bridge: br0, mtu: 1200 } }
`,
      "3:51: links.d.mtu: IPv6 needs 1280 at least, and it has fd00::1/64; raise it",
      "5:33: containers.a.mtu: IPv6 needs 1280 at least, and it has fd01::1/64; raise it",
    ],
    [
      "containers: { a: {}, b: { address: 10.0.0.2/24, hairpin: true }, c: { address: 10.0.0.3/24, pool: {} }, d: { address: 10.0.0.0/24 } }",
      "2:110: containers.d.address: Cannot give address 10.0.0.0/24 to a container: it is the address of the network itself; take another one of the subnet",
    ],
    [
      `
bridges: { br0: 10.0.0.1/24 }
containers:
  a: { bridge: br0, publish: ['8080:80', '53:53/udp'] }
  b: { bridge: br0, publish: [{ hostPort: 8080, port: 81 }, '53:53'] }
  c: { bridge: br0, publish: ['1:1', '1:2'] }
`,
      "6:31: containers.b.publish[0]: tcp port 8080 leads to containers.a already; take another one",
      "7:38: containers.c.publish[1]: tcp port 1 leads to containers.c already; take another one",
    ],
    [
      `
bridges:
  a: { vxlan: { id: 7, local: 192.0.2.1, remotes: [192.0.2.1] } }
  b: { vxlan: { id: 7, local: 192.0.2.1, remotes: ['fd00::1'] } }
`,
      "4:8: bridges.a.vxlan: Cannot use vxlan 7: remote address 192.0.2.1 is this host's own; leave it out",
      "5:8: bridges.b.vxlan: Cannot use vxlan 7: local address 192.0.2.1 and remote address fd00::1 are not of one family; take two IPv4 or two IPv6 addresses",
      "5:17: bridges.b.vxlan.id: bridge a has this number already; take another one",
    ],
  ],
  "routes": [
    [
      "routes: [{ to: 10.0.0.0/8 }, { to: 10.1.0.0/16, dev: lo, nexthops: [{ dev: lo }, {}] }, { to: 10.2.0.0/16, type: blackhole, via: 10.0.0.1 }]",
      "2:10: routes[0]: it leads nowhere; say via, dev or nexthops, or a type such as blackhole",
      "2:58: routes[1].nexthops: they stand in place of via and dev; leave those out",
      "2:82: routes[1].nexthops[1]: it leads nowhere; say via or dev",
      "2:125: routes[2].via: a route of type blackhole leads nowhere; leave it out",
    ],
    [
      "routes: [{ to: 10.9.0.1/16, dev: lo }, { to: 'fd00::1/64', dev: lo }]",
      "2:12: routes[0].to: 10.9.0.1/16 is one address of a subnet; write it as 10.9.0.0/16",
      "2:42: routes[1].to: fd00::1/64 is one address of a subnet; write it as fd00::/64",
    ],
    [
      "routes: [{ to: 'fd00::/64', via: 10.0.0.1 }, { to: 10.0.0.0/8, dev: lo, source: 'fd00::1' }, { to: default, via: 'fd00::1', source: 10.0.0.1 }]",
      "2:29: routes[0].via: it is IPv4, and the route is IPv6; take one of its family",
      "2:73: routes[1].source: it is IPv6, and the route is IPv4; take one of its family",
      "2:125: routes[2].source: it is IPv4, and the route is IPv6; take one of its family",
    ],
    [
      `
namespaces:
  r1:
    links: { d: { kind: dummy, address: 10.0.0.1/24 }, e: { kind: dummy, address: 10.1.0.1/24 } }
    routes:
      - { to: default, via: 10.2.0.1 }
      - { to: 10.7.0.0/16, via: 10.0.0.9, dev: e }
      - { to: 'fd00::/16', via: 'fe80::1' }
      - { to: 10.8.0.0/16, via: 10.2.0.1, flags: [onlink] }
`,
      "7:24: namespaces.r1.routes[0].via: 10.2.0.1 is in no subnet of r1; take a gateway in 10.0.0.0/24, 10.1.0.0/24",
      "8:28: namespaces.r1.routes[1].via: 10.0.0.9 is in no subnet of e; take a gateway in 10.1.0.0/24",
      "9:28: namespaces.r1.routes[2].via: a link-local gateway may be on any link; say which as dev",
      "10:28: namespaces.r1.routes[3].via: onlink is about one link; say which as dev",
    ],
    [
      "namespaces: { r1: { routes: [{ to: default, via: 10.2.0.1 }] } }",
      "2:45: namespaces.r1.routes[0].via: 10.2.0.1 can't be reached: r1 has no address; give it one of the gateway's subnet",
    ],
    [
      "rules: [{ from: 10.0.0.0/8, to: 'fd00::/64' }, { from: 'fd00::/8', family: inet }, { action: goto }]",
      "2:29: rules[0].to: it is IPv6, and the rule is IPv4; make two rules of it",
      "2:50: rules[1].from: it is IPv6, and the rule is IPv4; make two rules of it",
      '2:84: rules[2]: it goes on with another rule; say the priority of that as "goto"',
    ],
    [
      "neighbours: [{ to: 10.0.0.1, dev: lo }]",
      "2:14: neighbours[0]: it needs mac, its address on the link; or proxy",
    ],
    [
      `
firewall:
  input: { rules: [{ out: lo, port: 80, verdict: drop }] }
  output: { rules: [{ in: lo, protocol: icmp, from: 'fd00::1', port: 80, verdict: drop }] }
  forward: { rules: [{ from: [10.0.0.1, 'fd00::1'], to: 10.0.0.0/8, verdict: drop }] }
`,
      "4:22: firewall.input.rules[0].out: what comes in goes out by no link; leave it out",
      "4:31: firewall.input.rules[0].port: a packet of any protocol has no port; say one of tcp, udp, sctp as its protocol",
      "5:23: firewall.output.rules[0].in: what goes out came in by no link; leave it out",
      "5:47: firewall.output.rules[0].from: fd00::1 is IPv6, and the rule is IPv4; make two rules of it",
      "5:64: firewall.output.rules[0].port: icmp has no port; say one of tcp, udp, sctp as its protocol",
      "6:24: firewall.forward.rules[0].from: fd00::1 is IPv6, and the rule is IPv4; make two rules of it",
    ],
    [
      "nat: { dnat: [{ to: 'fd00::1', port: 80, target: '10.0.0.2:80' }, { port: 80, target: '10.0.0.2:80' }, { port: 80, target: '10.0.0.3:80' }] }",
      "2:42: nat.dnat[0].target: it is IPv4, and fd00::1 is not; take one of its family",
      "2:106: nat.dnat[2].port: rule 1 leads this port elsewhere already",
    ],
  ],
};

for (const [name, cases] of Object.entries(CASES)) {
  Deno.test(`what is wrong with a topology is told: ${name}`, () => {
    for (const [yaml, ...problems] of cases) assertEquals(wrong(yaml), problems, yaml);
  });
}

/** What looks wrong, and is not. */
const VALID = `
# The host and namespaces that are there have links that the file does not name.
links:
  up0: { address: 192.0.2.1/24, mtu: 9000 }
  vlan7: { kind: vlan, link: eth9, master: vrf9, data: { id: 7 } }
  to-r1: { peer: "r1:up", master: vrf-a, address: 10.0.0.1/30 }
  to-r2: { peer: "r2:up", master: vrf-b, address: 10.0.0.1/30 }
  vrf-a: { kind: vrf, data: { table: 10 } }
  vrf-b: { kind: vrf, data: { table: 11 } }
  bond0: { kind: bond, data: { mode: active-backup, primary: p0 } }
  p0: { kind: dummy, master: bond0, portData: { queueId: 1 } }
  x1: { kind: macvlan, link: "r1:up" }
  tun9: { kind: ipip, data: { local: 192.0.2.1, remote: 192.0.2.2, link: eth9 } }
  s0: { peer: s1, qdisc: { kind: netem, options: { latency64: 5000000, limit: 10 } } }
bridges:
  br0: [10.1.0.1/24, "fd00:1::1/64"]
  br1: { vlanFiltering: true, ports: [q0, q1], vlans: [{ id: 1, pvid: true, untagged: true }] }
  br2: { address: 10.2.0.1/24, vxlan: { id: 9, local: 192.0.2.1, remotes: [192.0.2.2] } }
  empty: []
containers:
  auto: { bridge: br0, publish: ["8080:80", "8080:80/udp"], routes: [{ to: 10.99.0.0/16, via: 10.1.0.77 }] }
  other: { bridge: unknown, routes: [{ to: default, via: 10.55.0.1 }] }
  six: { bridge: br2, addresses: [10.2.0.9/24, "fd09::9/64"], gateways: [10.2.0.1], rate: { send: 1gbit } }
  routed: { address: 10.3.0.2/32, routes: [{ to: 10.4.0.0/16, via: 169.254.1.1 }] }
  plain: { bridge: empty, address: 10.6.0.2/24 }
  outer:
    bridge: br0
    address: 10.1.0.200/24
    bridges: { in0: 10.7.0.1/24 }
    containers: { inner: { bridge: in0 } }
  none: { interfaces: {} }
routes:
  - { to: default, via: 192.0.2.254 }
  - { to: 10.200.0.0/16, via: 10.250.0.1 }
  - { to: "fd99::/64", type: unreachable, dev: lo }
  - { to: 10.201.0.0/16, type: throw, table: 77 }
rules:
  - { iif: wg7, table: 77, priority: 100 }
neighbours:
  - { to: 192.0.2.9, dev: eth9, proxy: true }
namespaces:
  r1:
    links:
      lo: { address: 10.0.0.2/32 }
      up: { address: 10.0.0.2/30, mtu: 1400 }
      d0: { kind: dummy, addresses: [10.50.0.1/32, "fe80::1/64"] }
      d1: { kind: dummy, addresses: [10.50.0.1/32, "fe80::1/64"] }
      q: { peer: "host:q0", address: 10.60.0.1/24 }
    routes:
      - { to: default, via: 10.0.0.1 }
      - { to: 10.51.0.0/16, dev: d0 }
      - { to: 10.52.0.0/16, via: 10.51.0.1 }
      - { to: 10.53.0.0/16, via: "fe80::9", dev: d0 }
      - { to: 10.54.0.0/16, via: 10.9.9.9, dev: d1, flags: [onlink] }
      - { to: "fd00::/8", nexthops: [{ via: "fe80::1", dev: d0 }, { via: "fe80::1", dev: d1, weight: 5 }] }
      - { to: 10.58.0.0/16, type: local, dev: lo }
    rules:
      - { from: 10.0.0.0/8, to: 10.1.0.0/16, table: main }
    firewall:
      input: { policy: drop, rules: [{ in: up, protocol: tcp, port: [22, 80], verdict: accept }] }
  r2:
    netns: { pid: 4242 }
    links: { q: { peer: "host:q1", address: 10.60.0.1/24 }, wlan0: { up: true } }
    routes: [{ to: default, via: 10.77.0.1, dev: eth0 }]
`;

Deno.test("nothing is wrong with what looks so only", () => {
  assertEquals(wrong(VALID), []);
});

/** What is wrong with a value. */
function refused(value: unknown): string {
  return assertThrows(() => checkTopology(value), TopologyError).message;
}

Deno.test("a topology may be an object", () => {
  const head = { denolink: 1, name: "lab" };
  const sound = {
    ...head,
    namespaces: undefined,
    links: {
      d: { kind: "dummy", mtu: undefined, qdisc: { kind: "netem", options: { latency64: 5n } } },
    },
  };
  assert(checkTopology(sound) === sound);
  assertEquals(refused({ denolink: 2 }).split("\n"), [
    "denolink: expected 1, got 2",
    'the key "name" is missing; it is a name of 1 to 15 letters from a to z, digits and hyphens',
  ]);
  assertEquals(
    refused(null),
    "expected a mapping, got nothing; write {} where nothing is to be said",
  );
  const links = JSON.parse('{ "__proto__": {}, "constructor": { "kind": "toString" } }');
  assertEquals(
    refused({ ...head, links }).replace(/ batadv.*/s, ""),
    "links.constructor.kind: expected one of",
  );
  assertEquals(
    refused({
      ...head,
      links: { d: { kind: "vxlan", data: { id: 2n ** 33n, ttl: 5n, learning: 1 } } },
    }),
    `links.d.data.id: expected a whole number from 0 to 4294967295, got 8589934592
links.d.data.ttl: expected a whole number from 0 to 255, got 5
links.d.data.learning: expected true or false, got 1`,
  );
});

Deno.test("what holds itself, or far too much, is refused at once", () => {
  const head = { denolink: 1, name: "lab" };
  const containers: Record<string, unknown> = {};
  containers.a = { address: "10.0.0.2/24", containers };
  assertEquals(
    refused({ ...head, containers }),
    "containers.a.containers: it contains itself; write it out",
  );
  let nested: unknown = {};
  for (let i = 0; i < 200; i++) nested = { containers: { a: nested } };
  assertEquals(
    refused({ ...head, ...nested as object }).replace(/.*: it/, "it"),
    "it is nested too deeply; 100 levels are the most",
  );
  let laughs: unknown = {};
  for (let i = 0; i < 40; i++) laughs = { containers: { a: laughs, b: laughs } };
  assertEquals(
    refused({ ...head, ...laughs as object }),
    `it has more than ${MOST_VALUES} values; leave out what aliases say again and again`,
  );
});

Deno.test("rates, times, shares, ports, links, addresses and targets are read", () => {
  const read = (fn: () => unknown) => {
    try {
      return fn();
    } catch (error) {
      assert(error instanceof InputError);
      return error.message.replace(/^Cannot /, "");
    }
  };
  const cases: [said: unknown, meant: unknown][] = [
    [read(() => ["10mbit", "1.5Gbit", "2mbps", "8kibit", "9000", 8000].map(parseRate)), [
      ...[10e6, 1.5e9, 16e6, 8192, 9000, 8000],
    ]],
    [
      read(() => parseRate("7999")),
      "limit a rate to 7999: it is a whole number of bits per second, from 8000 to 34000000000",
    ],
    [read(() => parseRate("10 mbit")), 'read rate "10 mbit": write it as "10mbit"'],
    [read(() => ["50ms", "1.5s", "20us", "3nsec", 50, 0.5].map(parseTime)), [
      ...[50e6, 1.5e9, 20e3, 3, 50e6, 5e5],
    ]],
    // To tc a bare number is in microseconds, and a number here in milliseconds.
    [read(() => parseTime("50")), 'read time "50": write it as "50ms"'],
    [read(() => parseTime(-1)), "read time -1: a time is from 0 to 9007199254740991 nanoseconds"],
    [read(() => ["50%", 50, "100%", 0].map(parsePercent)), [2 ** 31, 2 ** 31, 2 ** 32 - 1, 0]],
    [read(() => parsePercent("0.5")), 'read share "0.5": write it as "0.5%"'],
    [read(() => ["8080:80", "53:5353/udp"].map(parsePublish)), [
      { protocol: "tcp", hostPort: 8080, port: 80 },
      { protocol: "udp", hostPort: 53, port: 5353 },
    ]],
    [read(() => parsePublish({ hostPort: 1, port: 2 })), {
      ...{ protocol: "tcp", hostPort: 1, port: 2 },
    }],
    [
      read(() => parsePublish("0:80")),
      "use port 0: a port is a whole number from 1 to 65535",
    ],
    [read(() => ["eth0", "r1:eth0", "a:b:eth0"].map((text) => parseEndpoint(text, "here"))), [
      { netns: "here", link: "eth0" },
      { netns: "r1", link: "eth0" },
      { netns: "a:b", link: "eth0" },
    ]],
    [read(() => parseEndpoint(":eth0", "r1")), 'read link ":eth0": write it as "r1:eth0"'],
    [read(() => addressesOf("10.0.0.1/24")), ["10.0.0.1/24"]],
    [read(() => addressesOf(["10.0.0.1/24"])), ["10.0.0.1/24"]],
    [read(() => addressesOf({ address: "auto" })), ["auto"]],
    [read(() => addressesOf({})), []],
    [
      read(() => addressesOf({ address: "auto", addresses: [] })),
      'use both "address" and "addresses": say all in "addresses"',
    ],
    [read(() => ["10.0.0.2:80", "[fd00::2]:80"].map(parseTarget)), [
      { family: "inet", address: "10.0.0.2", port: 80 },
      { family: "inet6", address: "fd00::2", port: 80 },
    ]],
    [
      read(() => parseTarget("[10.0.0.2]:80")),
      'read target "[10.0.0.2]:80": write it as "10.2.0.2:80" or "[fd00::2]:80"',
    ],
    [read(() => parseSubnet("fd00::1")), parseSubnet("fd00::1/128")],
  ];
  for (const [said, meant] of cases) assertEquals(said, meant);
});
