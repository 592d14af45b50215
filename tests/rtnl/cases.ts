/**
 * One thing, said twice: in the words of `ip`, `bridge` or `tc`, and as requests.
 *
 * @module
 */

import {
  address,
  addressLabel,
  bridgeVlan,
  filter,
  forwarding,
  link,
  type LinkSpec,
  multicastGroup,
  neighbour,
  nexthop,
  qdisc,
  type Request,
  route,
  rule,
  trafficClass,
} from "../../mod.ts";

/** Something to make in a namespace that has {@linkcode SETTING}. */
export interface Case {
  name: string;
  /** What both namespaces need before. */
  before?: string;
  /** The programs that make it. */
  words: string[];
  /** The same as requests. */
  requests: Request<unknown>[];
  /** The program that shows it, with `-j`. */
  show: string;
}

/** What is there before: two links, `eth0` (10) and `eth1` (11), with addresses. */
export const SETTING: Request<unknown>[] = [
  link.add({
    name: "eth0",
    index: 10,
    address: "02:00:00:00:00:0a",
    linkInfo: {
      kind: "veth",
      data: { peer: { name: "eth1", index: 11, address: "02:00:00:00:00:0b" } },
    },
  }),
  link.set({ index: 10, up: true, alias: "setting" }),
  link.set({ index: 11, up: true }),
  link.set({ name: "lo", up: true }),
  address.add({ index: 10, local: "10.0.0.1", prefixLength: 24 }),
  address.add({ index: 10, local: "fd00::1", prefixLength: 64, flags: ["nodad"] }),
];

const X = 50;
const Y = 51;
const MAC = "02:00:00:00:00:32";

/** A link `x`; `address`: only Ethernet has one to choose. */
function made(
  name: string,
  words: string,
  linkInfo: LinkSpec["linkInfo"],
  { more = {}, before = "", ethernet = false }: {
    more?: LinkSpec;
    before?: string;
    ethernet?: boolean;
  } = {},
): Case {
  return {
    name,
    words: [
      ["ip link add", before, `name x index ${X}`, ethernet ? `address ${MAC}` : "", "type", words]
        .filter((part) => part !== "").join(" "),
    ],
    requests: [
      link.add({
        name: "x",
        index: X,
        linkInfo,
        ...ethernet ? { address: MAC } : {},
        ...more,
      }),
    ],
    show: "ip -d link show dev x",
  };
}

const ETHERNET = { ethernet: true } as const;
const OVER_ETH0 = { before: "link eth0", more: { link: 10 }, ethernet: true } as const;
const BRIDGE: LinkSpec = { name: "x", index: X, address: MAC };
const BRIDGE_WORDS = [
  `ip link add name x index ${X} address ${MAC} type bridge`,
  "ip link set eth0 master x",
];
const BRIDGE_REQUESTS = [
  link.add({ ...BRIDGE, linkInfo: { kind: "bridge" } }),
  link.set({ index: 10, master: X }),
];
const VLAN_BRIDGE_WORDS = [
  `ip link add name x index ${X} address ${MAC} type bridge vlan_filtering 1`,
  "ip link set eth0 master x",
];
const VLAN_BRIDGE_REQUESTS = [
  link.add({ ...BRIDGE, linkInfo: { kind: "bridge", data: { vlanFiltering: true } } }),
  link.set({ index: 10, master: X }),
];
const END_POINTS = { local: "10.0.0.1", remote: "10.0.0.2" } as const;
const END_POINTS_6 = { local: "fd00::1", remote: "fd00::2" } as const;
const WORDS_4 = "local 10.0.0.1 remote 10.0.0.2";
const WORDS_6 = "local fd00::1 remote fd00::2";
const ROUTE_SHOW = "ip -d route show table all proto static";
const ROUTE_6_SHOW = "ip -d -6 route show table all proto static";

/** Each kind of link. */
export const LINKS: Case[] = [
  made("dummy", "dummy", { kind: "dummy" as string }, ETHERNET),
  made("ifb", "ifb", { kind: "ifb" as string }, ETHERNET),
  made("nlmon", "nlmon", { kind: "nlmon" as string }),
  made("team", "team", { kind: "team" as string }, ETHERNET),
  made("wireguard", "wireguard", { kind: "wireguard" as string }),
  made("veth", `veth peer name y index ${Y} address 02:00:00:00:00:33`, {
    kind: "veth",
    data: { peer: { name: "y", index: Y, address: "02:00:00:00:00:33" } },
  }, ETHERNET),
  made(
    "bridge",
    "bridge stp_state 1 ageing_time 20000 forward_delay 400 priority 100 group_fwd_mask 8",
    {
      kind: "bridge",
      data: {
        stpState: 1,
        ageingTime: 20000,
        forwardDelay: 400,
        priority: 100,
        groupForwardMask: 8,
      },
    },
    ETHERNET,
  ),
  made(
    "bridge that filters VLANs and snoops",
    "bridge vlan_filtering 1 vlan_default_pvid 0 vlan_protocol 802.1ad mcast_snooping 0 " +
      "mcast_querier 1",
    {
      kind: "bridge",
      data: {
        vlanFiltering: true,
        vlanDefaultPvid: 0,
        vlanProtocol: "802.1ad",
        multicastSnooping: false,
        multicastQuerier: true,
      },
    },
    ETHERNET,
  ),
  {
    name: "bridge port",
    words: [
      ...BRIDGE_WORDS,
      "ip link set eth0 type bridge_slave hairpin on cost 7 isolated on learning off",
    ],
    requests: [
      ...BRIDGE_REQUESTS,
      link.setKind({
        index: 10,
        linkInfo: {
          slaveKind: "bridge",
          slaveData: { hairpin: true, cost: 7, isolated: true, learning: false },
        },
      }),
    ],
    show: "ip -d link show dev eth0",
  },
  made(
    "vxlan",
    `vxlan id 42 dstport 4789 dev eth0 ${WORDS_4} ttl 5 nolearning ageing 30 gbp`,
    {
      kind: "vxlan",
      data: {
        id: 42,
        port: 4789,
        link: 10,
        local: "10.0.0.1",
        group: "10.0.0.2",
        ttl: 5,
        learning: false,
        ageing: 30,
        gbp: true,
      },
    },
    ETHERNET,
  ),
  made(
    "vxlan over IPv6",
    `vxlan id 43 dstport 8472 ${WORDS_6} srcport 1000 2000 udp6zerocsumrx`,
    {
      kind: "vxlan",
      data: {
        id: 43,
        port: 8472,
        local6: "fd00::1",
        group6: "fd00::2",
        portRange: { low: 1000, high: 2000 },
        udpZeroChecksum6Rx: true,
      },
    },
    ETHERNET,
  ),
  made("vlan", "vlan protocol 802.1ad id 5 gvrp on egress-qos-map 1:2 3:4", {
    kind: "vlan",
    data: {
      id: 5,
      protocol: "802.1ad",
      flags: { flags: ["gvrp"], mask: ["gvrp"] },
      egressQos: [{ from: 1, to: 2 }, { from: 3, to: 4 }],
    },
  }, OVER_ETH0),
  made("macvlan", "macvlan mode bridge", { kind: "macvlan", data: { mode: "bridge" } }, OVER_ETH0),
  made("macvtap", "macvtap mode vepa", { kind: "macvtap", data: { mode: "vepa" } }, OVER_ETH0),
  made("ipvlan", "ipvlan mode l3s", { kind: "ipvlan", data: { mode: "l3s" } }, {
    before: "link eth0",
    more: { link: 10 },
  }),
  made("ipvtap", "ipvtap mode l2", { kind: "ipvtap", data: { mode: "l2" } }, {
    before: "link eth0",
    more: { link: 10 },
  }),
  made(
    "bond",
    "bond mode active-backup miimon 100 updelay 200 primary_reselect better fail_over_mac active",
    {
      kind: "bond",
      data: {
        mode: "active-backup",
        miimon: 100,
        upDelay: 200,
        primaryReselect: "better",
        failOverMac: "active",
      },
    },
    ETHERNET,
  ),
  made(
    "bond that asks by ARP",
    "bond mode balance-xor arp_interval 50 arp_ip_target 10.0.0.7,10.0.0.8 xmit_hash_policy layer2+3",
    {
      kind: "bond",
      data: {
        mode: "balance-xor",
        arpInterval: 50,
        arpIpTargets: ["10.0.0.7", "10.0.0.8"],
        transmitHashPolicy: "layer2+3",
      },
    },
    ETHERNET,
  ),
  {
    name: "bond port",
    words: [
      `ip link add name x index ${X} address ${MAC} type bond mode active-backup`,
      "ip link set eth0 down",
      "ip link set eth0 master x",
    ],
    requests: [
      link.add({
        name: "x",
        index: X,
        address: MAC,
        linkInfo: { kind: "bond", data: { mode: "active-backup" } },
      }),
      link.set({ index: 10, up: false }),
      link.set({ index: 10, master: X }),
    ],
    show: "ip -d link show dev eth0",
  },
  made("vrf", "vrf table 100", { kind: "vrf", data: { table: 100 } }, ETHERNET),
  made("gre", `gre ${WORDS_4} ikey 5 okey 6 ttl 3 icsum dev eth0`, {
    kind: "gre",
    data: {
      ...END_POINTS,
      inputKey: 5,
      outputKey: 6,
      inputFlags: ["key", "checksum"],
      outputFlags: ["key"],
      ttl: 3,
      link: 10,
    },
  }),
  made("gretap", `gretap ${WORDS_4} nopmtudisc`, {
    kind: "gretap",
    data: { ...END_POINTS, pathMtuDiscovery: false },
  }, ETHERNET),
  made("ip6gre", `ip6gre ${WORDS_6} hoplimit 9 encaplimit none`, {
    kind: "ip6gre",
    data: { ...END_POINTS_6, ttl: 9, flags: ["ignoreEncapLimit"] },
  }),
  made("ip6gretap", `ip6gretap ${WORDS_6} hoplimit 9 encaplimit 3`, {
    kind: "ip6gretap",
    data: { ...END_POINTS_6, ttl: 9, encapLimit: 3 },
  }, ETHERNET),
  made("ipip", `ipip ${WORDS_4} ttl 7`, {
    kind: "ipip",
    data: { ...END_POINTS, ttl: 7, protocol: "any" },
  }),
  made("sit", `sit ${WORDS_4} ttl 7 mode ip6ip`, {
    kind: "sit",
    data: { ...END_POINTS, ttl: 7, protocol: "ipv6" },
  }),
  made("ip6tnl", `ip6tnl mode any ${WORDS_6} hoplimit 9 encaplimit 5`, {
    kind: "ip6tnl",
    data: { ...END_POINTS_6, protocol: "any", ttl: 9, encapLimit: 5 },
  }),
  made("vti", `vti ${WORDS_4} ikey 1 okey 2`, {
    kind: "vti",
    data: { ...END_POINTS, inputKey: 1, outputKey: 2 },
  }),
  made("vti6", `vti6 ${WORDS_6} ikey 1 okey 2`, {
    kind: "vti6",
    data: { ...END_POINTS_6, inputKey: 1, outputKey: 2 },
  }),
  made("geneve", "geneve id 5 remote 10.0.0.9 dstport 6082 ttl 4", {
    kind: "geneve",
    data: { id: 5, remote: "10.0.0.9", port: 6082, ttl: 4 },
  }, ETHERNET),
  made("xfrm", "xfrm dev eth0 if_id 7", { kind: "xfrm", data: { link: 10, interfaceId: 7 } }),
  made("hsr", "hsr slave1 eth0 slave2 eth1 version 1", {
    kind: "hsr",
    data: { port1: 10, port2: 11, version: 1 },
  }),
  made("batadv", "batadv", { kind: "batadv" }, ETHERNET),
  {
    name: "altnames, group, queue length",
    words: [
      "ip link property add dev eth0 altname one altname another-very-long-name",
      "ip link set dev eth0 group 7 txqueuelen 99",
      "ip link property del dev eth0 altname one",
    ],
    requests: [
      link.addAltNames({ index: 10, altNames: ["one", "another-very-long-name"] }),
      link.set({ index: 10, group: 7, txQueueLength: 99 }),
      link.deleteAltNames({ index: 10, altNames: ["one"] }),
    ],
    show: "ip -d link show dev eth0",
  },
  {
    name: "address generation mode",
    words: ["ip link set dev eth0 addrgenmode none"],
    requests: [
      link.set({ index: 10, afSpec: { inet6: { addressGenerationMode: "none" } } }),
    ],
    show: "ip -d link show dev eth0",
  },
];

const HTB = qdisc.add({
  index: 10,
  handle: "1:",
  kind: "htb",
  options: { init: { version: 3, rateToQuantum: 10, defaultClass: 0x10 } },
});

/** Everything that is no link. */
export const OBJECTS: Case[] = [
  {
    name: "addresses",
    words: [
      "ip address add 10.1.0.1/16 dev eth1 broadcast + noprefixroute metric 50",
      "ip address add 10.2.0.1 peer 10.2.0.2/32 dev eth1 scope link",
      "ip address add fd01::1/64 dev eth1 nodad home",
    ],
    requests: [
      address.add({
        index: 11,
        local: "10.1.0.1",
        prefixLength: 16,
        broadcast: "10.1.255.255",
        flags: ["noprefixroute"],
        routePriority: 50,
      }),
      address.add({
        index: 11,
        local: "10.2.0.1",
        address: "10.2.0.2",
        prefixLength: 32,
        scope: "link",
      }),
      address.add({ index: 11, local: "fd01::1", prefixLength: 64, flags: ["nodad", "home"] }),
    ],
    show: "ip -d address show dev eth1",
  },
  {
    name: "routes",
    words: [
      "ip route add 10.5.0.0/16 via 10.0.0.9 proto static metric 7 mtu 1400 advmss 1360 hoplimit 9",
      "ip route add 10.6.0.0/16 dev eth0 src 10.0.0.1 table 1000 proto static",
      "ip route add blackhole 10.7.0.0/16 proto static",
      "ip route add unreachable 10.8.0.0/16 proto static metric 5",
      "ip route add 10.9.0.0/16 via 10.99.0.1 dev eth0 onlink proto static",
    ],
    requests: [
      route.add({
        dst: "10.5.0.0",
        dstLength: 16,
        gateway: "10.0.0.9",
        protocol: "static",
        priority: 7,
        metrics: { mtu: 1400, advertisedMss: 1360, hopLimit: 9 },
      }),
      route.add({
        dst: "10.6.0.0",
        dstLength: 16,
        oif: 10,
        prefsrc: "10.0.0.1",
        table: 1000,
        protocol: "static",
      }),
      route.add({ dst: "10.7.0.0", dstLength: 16, type: "blackhole", protocol: "static" }),
      route.add({
        dst: "10.8.0.0",
        dstLength: 16,
        type: "unreachable",
        protocol: "static",
        priority: 5,
      }),
      route.add({
        dst: "10.9.0.0",
        dstLength: 16,
        gateway: "10.99.0.1",
        oif: 10,
        flags: ["onlink"],
        protocol: "static",
      }),
    ],
    show: ROUTE_SHOW,
  },
  {
    name: "routes by several ways, and by another family",
    words: [
      "ip route add 10.5.0.0/16 proto static nexthop via 10.0.0.8 weight 3 nexthop via 10.0.0.9 dev eth0 weight 256",
      "ip route add 10.6.0.0/16 via inet6 fe80::9 dev eth0 proto static",
    ],
    requests: [
      route.add({
        dst: "10.5.0.0",
        dstLength: 16,
        protocol: "static",
        multipath: [
          { gateway: "10.0.0.8", weight: 3 },
          { gateway: "10.0.0.9", oif: 10, weight: 256 },
        ],
      }),
      route.add({ dst: "10.6.0.0", dstLength: 16, via: "fe80::9", oif: 10, protocol: "static" }),
    ],
    show: ROUTE_SHOW,
  },
  {
    name: "IPv6 routes",
    words: [
      "ip route add fd05::/64 via fd00::9 proto static pref high expires 1000",
      "ip route add fd06::/64 proto static nexthop via fd00::8 weight 2 nexthop via fd00::9",
    ],
    requests: [
      route.add({
        dst: "fd05::",
        dstLength: 64,
        gateway: "fd00::9",
        protocol: "static",
        preference: "high",
        expires: 1000,
      }),
      route.add({
        dst: "fd06::",
        dstLength: 64,
        protocol: "static",
        multipath: [{ gateway: "fd00::8", weight: 2 }, { gateway: "fd00::9", weight: 1 }],
      }),
    ],
    show: ROUTE_6_SHOW,
  },
  {
    name: "encapsulation: ip",
    words: [
      "ip route add 10.5.0.0/16 encap ip id 7 dst 10.0.0.9 ttl 8 via 10.0.0.9 dev eth0 proto static",
    ],
    requests: [
      route.add({
        dst: "10.5.0.0",
        dstLength: 16,
        gateway: "10.0.0.9",
        oif: 10,
        protocol: "static",
        encapType: "ip",
        encap: { id: 7n, dst: "10.0.0.9", ttl: 8 },
      }),
    ],
    show: ROUTE_SHOW,
  },
  {
    name: "encapsulation: ip6",
    words: [
      "ip route add fd05::/64 encap ip6 id 7 dst fd00::9 hoplimit 8 via fd00::9 dev eth0 proto static",
    ],
    requests: [
      route.add({
        dst: "fd05::",
        dstLength: 64,
        gateway: "fd00::9",
        oif: 10,
        protocol: "static",
        encapType: "ip6",
        encap: { id: 7n, dst: "fd00::9", hopLimit: 8 },
      }),
    ],
    show: ROUTE_6_SHOW,
  },
  {
    name: "encapsulation: mpls",
    words: [
      "ip route add 10.5.0.0/16 encap mpls 100/200 ttl 9 via 10.0.0.9 dev eth0 proto static",
    ],
    requests: [
      route.add({
        dst: "10.5.0.0",
        dstLength: 16,
        gateway: "10.0.0.9",
        oif: 10,
        protocol: "static",
        encapType: "mpls",
        encap: { dst: "100/200", ttl: 9 },
      }),
    ],
    show: ROUTE_SHOW,
  },
  {
    name: "encapsulation: seg6",
    words: [
      "ip route add fd05::/64 encap seg6 mode encap segs fd07::1,fd08::1 dev eth0 proto static",
    ],
    requests: [
      route.add({
        dst: "fd05::",
        dstLength: 64,
        oif: 10,
        protocol: "static",
        encapType: "seg6",
        encap: { srh: { mode: "encap", segments: ["fd07::1", "fd08::1"] } },
      }),
    ],
    show: ROUTE_6_SHOW,
  },
  {
    name: "encapsulation: seg6local",
    words: [
      "ip route add fd05::/64 encap seg6local action End.X nh6 fd00::9 dev eth0 proto static",
    ],
    requests: [
      route.add({
        dst: "fd05::",
        dstLength: 64,
        oif: 10,
        protocol: "static",
        encapType: "seg6local",
        encap: { action: "End.X", nexthop6: "fd00::9" },
      }),
    ],
    show: ROUTE_6_SHOW,
  },
  {
    name: "MPLS routes",
    before: "sysctl -q -w net.mpls.platform_labels=1000",
    words: [
      "ip -f mpls route add 100 as 200/300 via inet 10.0.0.9 proto static",
    ],
    requests: [
      route.add({
        family: "mpls",
        dst: "100",
        dstLength: 20,
        newDst: "200/300",
        via: "10.0.0.9",
        protocol: "static",
        scope: "global",
      }),
    ],
    show: "ip -d -f mpls route show",
  },
  {
    name: "nexthops and groups",
    words: [
      "ip nexthop add id 1 via 10.0.0.8 dev eth0",
      "ip nexthop add id 2 via 10.0.0.9 dev eth0 onlink",
      "ip nexthop add id 3 via fd00::9 dev eth0",
      "ip nexthop add id 4 blackhole",
      "ip nexthop add id 5 group 1,5/2,9",
      "ip nexthop add id 6 group 1/2 type resilient buckets 8 idle_timer 60",
      "ip nexthop add id 7 via 10.0.0.8 fdb",
    ],
    requests: [
      nexthop.add({ id: 1, gateway: "10.0.0.8", oif: 10 }),
      nexthop.add({ id: 2, gateway: "10.0.0.9", oif: 10, flags: ["onlink"] }),
      nexthop.add({ id: 3, gateway: "fd00::9", oif: 10 }),
      nexthop.add({ id: 4, blackhole: true }),
      nexthop.add({ id: 5, group: [{ id: 1, weight: 5 }, { id: 2, weight: 9 }] }),
      nexthop.add({
        id: 6,
        group: [{ id: 1, weight: 1 }, { id: 2, weight: 1 }],
        groupType: "resilient",
        resilientGroup: { buckets: 8, idleTimer: 6000 },
      }),
      nexthop.add({ id: 7, gateway: "10.0.0.8", fdb: true }),
    ],
    show: "ip -d nexthop show",
  },
  {
    name: "rules",
    words: [
      "ip rule add from 10.0.0.0/8 to 10.1.0.0/16 table 100 priority 50 fwmark 0x7/0xff iif eth0",
      "ip rule add ipproto tcp dport 80-90 sport 5 table 1000 priority 51 uidrange 0-0",
      "ip -6 rule add from fd00::/16 blackhole priority 52",
      "ip rule add not from 10.0.0.1 goto 32766 priority 53",
      "ip rule add table 7 priority 54 suppress_prefixlength 0",
    ],
    requests: [
      rule.add({
        src: "10.0.0.0",
        srcLength: 8,
        dst: "10.1.0.0",
        dstLength: 16,
        table: 100,
        priority: 50,
        fwmark: 7,
        fwmask: 0xff,
        iif: "eth0",
      }),
      rule.add({
        ipProtocol: 6,
        dport: { start: 80, end: 90 },
        sport: { start: 5, end: 5 },
        table: 1000,
        priority: 51,
        uidRange: { start: 0, end: 0 },
      }),
      rule.add({ src: "fd00::", srcLength: 16, action: "blackhole", priority: 52 }),
      rule.add({ src: "10.0.0.1", flags: ["invert"], action: "goto", goto: 32766, priority: 53 }),
      rule.add({ table: 7, priority: 54, suppressPrefixLength: 0 }),
    ],
    show: "ip -d rule show",
  },
  {
    name: "neighbours",
    words: [
      "ip neighbour add 10.0.0.5 lladdr 02:00:00:00:00:05 dev eth0",
      "ip neighbour add fd00::5 lladdr 02:00:00:00:00:05 dev eth0 nud reachable router",
      "ip neighbour add proxy 10.0.0.6 dev eth0",
    ],
    requests: [
      neighbour.add({ index: 10, dst: "10.0.0.5", address: "02:00:00:00:00:05" }),
      neighbour.add({
        index: 10,
        dst: "fd00::5",
        address: "02:00:00:00:00:05",
        state: ["reachable"],
        flags: ["router"],
      }),
      neighbour.add({ index: 10, dst: "10.0.0.6", flags: ["proxy"] }),
    ],
    show: "ip neighbour show dev eth0 nud all",
  },
  {
    name: "address labels",
    words: ["ip addrlabel add prefix fd09::/64 label 99"],
    requests: [addressLabel.add({ address: "fd09::", prefixLength: 64, label: 99 })],
    show: "ip addrlabel list",
  },
  {
    name: "a bridge's VLANs",
    words: [
      ...VLAN_BRIDGE_WORDS,
      "bridge vlan add dev eth0 vid 100-200",
      "bridge vlan add dev eth0 vid 7 pvid untagged",
      "bridge vlan del dev eth0 vid 1",
      "bridge vlan add dev x vid 100 self",
    ],
    requests: [
      ...VLAN_BRIDGE_REQUESTS,
      bridgeVlan.add({ index: 10, vid: 100, vidEnd: 200 }),
      bridgeVlan.add({ index: 10, vid: 7, pvid: true, untagged: true }),
      bridgeVlan.delete({ index: 10, vid: 1 }),
      bridgeVlan.add({ index: X, vid: 100, self: true }),
    ],
    show: "bridge vlan show",
  },
  {
    name: "a bridge's forwarding table",
    words: [
      ...BRIDGE_WORDS,
      "bridge fdb add 02:00:00:00:00:77 dev eth0 master static",
      "bridge fdb add 02:00:00:00:00:78 dev eth0 self",
    ],
    requests: [
      ...BRIDGE_REQUESTS,
      forwarding.add({ index: 10, address: "02:00:00:00:00:77", flags: ["master"] }),
      forwarding.add({ index: 10, address: "02:00:00:00:00:78", flags: ["self"] }),
    ],
    show: "bridge fdb show dev eth0",
  },
  {
    name: "a vxlan's forwarding table",
    words: [
      `ip link add name x index ${X} address ${MAC} type vxlan id 42 dstport 4789`,
      "bridge fdb append 00:00:00:00:00:00 dev x dst 10.0.0.8",
      "bridge fdb append 00:00:00:00:00:00 dev x dst 10.0.0.9 vni 7 port 99",
    ],
    requests: [
      link.add({
        name: "x",
        index: X,
        address: MAC,
        linkInfo: { kind: "vxlan", data: { id: 42, port: 4789 } },
      }),
      forwarding.append({ index: X, address: "00:00:00:00:00:00", dst: "10.0.0.8" }),
      forwarding.append({
        index: X,
        address: "00:00:00:00:00:00",
        dst: "10.0.0.9",
        vni: 7,
        port: 99,
      }),
    ],
    show: "bridge fdb show dev x",
  },
  {
    name: "multicast groups",
    words: [
      ...VLAN_BRIDGE_WORDS,
      "ip link set x up",
      "bridge mdb add dev x port eth0 grp 239.1.1.1 permanent vid 1",
    ],
    requests: [
      ...VLAN_BRIDGE_REQUESTS,
      link.set({ index: X, up: true }),
      multicastGroup.add({ bridge: X, port: 10, group: "239.1.1.1", vid: 1 }),
    ],
    show: "bridge mdb show dev x",
  },
  {
    name: "qdisc pfifo",
    words: ["tc qdisc add dev eth0 root handle 1: pfifo limit 77"],
    requests: [qdisc.add({ index: 10, handle: "1:", kind: "pfifo", options: { limit: 77 } })],
    show: "tc qdisc show dev eth0",
  },
  {
    name: "qdisc prio",
    words: [
      "tc qdisc add dev eth0 root handle 1: prio bands 2 priomap 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1",
    ],
    requests: [
      qdisc.add({
        index: 10,
        handle: "1:",
        kind: "prio",
        options: { bands: 2, priorityMap: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1] },
      }),
    ],
    show: "tc qdisc show dev eth0",
  },
  {
    name: "qdisc tbf",
    words: ["tc qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 10000 limit 30000"],
    requests: [
      qdisc.add({
        index: 10,
        handle: "1:",
        kind: "tbf",
        options: {
          parameters: { rate: { rate: 125_000, linkLayer: "ethernet" }, limit: 30_000 },
          burst: 10_000,
        },
      }),
    ],
    show: "tc qdisc show dev eth0",
  },
  {
    name: "qdisc htb with a class",
    words: [
      "tc qdisc add dev eth0 root handle 1: htb default 0x10",
      "tc class add dev eth0 parent 1: classid 1:10 htb rate 1mbit ceil 2mbit burst 1600 cburst 1600 quantum 1514",
    ],
    requests: [
      HTB,
      trafficClass.add({
        index: 10,
        parent: "1:",
        handle: "1:10",
        kind: "htb",
        options: {
          parameters: {
            rate: { rate: 125_000, linkLayer: "ethernet" },
            ceiling: { rate: 250_000, linkLayer: "ethernet" },
            buffer: 200_000,
            ceilingBuffer: 100_000,
            quantum: 1514,
          },
        },
      }),
    ],
    show: "tc class show dev eth0",
  },
  {
    name: "filter u32",
    words: [
      "tc qdisc add dev eth0 root handle 1: htb default 0x10",
      "tc filter add dev eth0 parent 1: protocol ip prio 5 u32 match ip dst 10.1.0.0/16 flowid 1:10",
    ],
    requests: [
      HTB,
      filter.add({
        index: 10,
        parent: "1:",
        protocol: 0x0800,
        priority: 5,
        kind: "u32",
        options: {
          classId: "1:10",
          selector: {
            flags: ["terminal"],
            keyCount: 1,
            keys: [{ mask: 0xffff0000, value: 0x0a010000, offset: 16 }],
          },
        },
      }),
    ],
    show: "tc filter show dev eth0 parent 1:",
  },
  {
    name: "filter matchall",
    words: [
      "tc qdisc add dev eth0 root handle 1: htb default 0x10",
      "tc filter add dev eth0 parent 1: protocol all prio 6 matchall classid 1:10",
    ],
    requests: [
      HTB,
      filter.add({
        index: 10,
        parent: "1:",
        priority: 6,
        kind: "matchall",
        options: { classId: "1:10" },
      }),
    ],
    show: "tc filter show dev eth0 parent 1:",
  },
  {
    name: "a mirred and a police action",
    words: [
      "tc qdisc add dev eth0 clsact",
      "tc filter add dev eth0 ingress protocol ip prio 1 u32 match u32 0 0 action police rate 1mbit burst 10000 conform-exceed drop/pipe action mirred egress mirror dev eth1",
    ],
    requests: [
      qdisc.add({ index: 10, kind: "clsact" }),
      filter.add({
        index: 10,
        parent: "ffff:fff2",
        protocol: 0x0800,
        priority: 1,
        kind: "u32",
        options: {
          selector: { flags: ["terminal"], keyCount: 1, keys: [{ mask: 0, value: 0 }] },
          actions: [
            {
              kind: "police",
              options: {
                parameters: {
                  rate: { rate: 125_000, linkLayer: "ethernet", cellLog: 3, cellAlign: -1 },
                  burst: 1_250_000,
                  control: "shot",
                  mtu: 2047,
                },
                rateTable: new Uint8Array(1024),
                result: 3,
              },
            },
            {
              kind: "mirred",
              options: { parameters: { control: "pipe", action: "egressMirror", ifindex: 11 } },
            },
          ],
        },
      }),
    ],
    show: "tc filter show dev eth0 ingress",
  },
  {
    name: "qdisc clsact, with filters and actions",
    words: [
      "tc qdisc add dev eth0 clsact",
      "tc filter add dev eth0 ingress protocol ip prio 1 flower ip_proto tcp dst_port 80 src_ip 10.0.0.0/8 action drop",
      "tc filter add dev eth0 egress protocol all prio 2 matchall action mirred egress redirect dev eth1",
    ],
    requests: [
      qdisc.add({ index: 10, kind: "clsact" }),
      filter.add({
        index: 10,
        parent: "ffff:fff2",
        protocol: 0x0800,
        priority: 1,
        kind: "flower",
        options: {
          etherType: 0x0800,
          ipProtocol: 6,
          tcpDestination: 80,
          source4: "10.0.0.0",
          source4Mask: "255.0.0.0",
          actions: [{ kind: "gact", options: { parameters: { control: "shot" } } }],
        },
      }),
      filter.add({
        index: 10,
        parent: "ffff:fff3",
        priority: 2,
        kind: "matchall",
        options: {
          actions: [{
            kind: "mirred",
            options: {
              parameters: { control: "stolen", action: "egressRedirect", ifindex: 11 },
            },
          }],
        },
      }),
    ],
    show: "tc filter show dev eth0 egress",
  },
  {
    name: "qdisc fq_codel",
    words: ["tc qdisc add dev eth0 root handle 1: fq_codel limit 500 target 3ms noecn"],
    requests: [
      qdisc.add({
        index: 10,
        handle: "1:",
        kind: "fq_codel",
        options: { limit: 500, target: 3000, ecn: 0 },
      }),
    ],
    show: "tc qdisc show dev eth0",
  },
  {
    name: "qdisc fq",
    words: ["tc qdisc add dev eth0 root handle 1: fq limit 500 maxrate 1mbit"],
    requests: [
      qdisc.add({
        index: 10,
        handle: "1:",
        kind: "fq",
        options: { limit: 500, flowMaxRate: 125_000 },
      }),
    ],
    show: "tc qdisc show dev eth0",
  },
  {
    name: "qdisc netem",
    words: ["tc qdisc add dev eth0 root handle 1: netem limit 100 delay 10ms 2ms loss 50%"],
    requests: [
      qdisc.add({
        index: 10,
        handle: "1:",
        kind: "netem",
        options: {
          limit: 100,
          latency64: 10_000_000n,
          jitter64: 2_000_000n,
          loss: 0x80000000,
        },
      }),
    ],
    show: "tc qdisc show dev eth0",
  },
];
