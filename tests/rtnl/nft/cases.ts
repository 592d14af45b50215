/**
 * What rules say in nft's words, and the same in ours.
 *
 * @module
 */

import {
  type NftChainSpec,
  nftCounter,
  nftLimit,
  nftLog,
  nftMatch,
  type NftRuleSpec,
  type NftSetSpec,
  type NftTableSpec,
  nftVerdict,
} from "../../../rtnl/mod.ts";

/** A rule of nft, and what it is in ours. */
export type RuleCase = readonly [words: string, ...statements: NftRuleSpec["expressions"]];

/** Those that are the same whatever the table is. */
const ANYWHERE: readonly RuleCase[] = [
  ['iifname "br0" accept', nftMatch.inputInterface("br0"), nftVerdict.accept()],
  ['oifname != "br0" drop', nftMatch.outputInterface("br0", { not: true }), nftVerdict.drop()],
  ['iifname "eth*" return', nftMatch.inputInterface("eth*"), nftVerdict.return()],
  [
    'iifname != "eth*" jump other',
    nftMatch.inputInterface("eth*", { not: true }),
    nftVerdict.jump("other"),
  ],
  [
    'iifname { "br0", "br1" } goto other',
    nftMatch.inputInterface(["br0", "br1"]),
    nftVerdict.goto("other"),
  ],
  ["meta l4proto tcp accept", nftMatch.protocol("tcp"), nftVerdict.accept()],
  ["meta l4proto { tcp, udp } accept", nftMatch.protocol(["tcp", "udp"]), nftVerdict.accept()],
  ["meta l4proto 132 accept", nftMatch.protocol(132), nftVerdict.accept()],
  [
    "tcp dport 80 accept",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort(80),
    nftVerdict.accept(),
  ],
  ["udp sport 53 accept", nftMatch.protocol("udp"), nftMatch.sourcePort(53), nftVerdict.accept()],
  [
    "tcp dport != 80 accept",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort(80, { not: true }),
    nftVerdict.accept(),
  ],
  [
    "tcp dport 1000-2000 accept",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort("1000-2000"),
    nftVerdict.accept(),
  ],
  [
    "tcp dport != 1000-2000 accept",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort("1000-2000", { not: true }),
    nftVerdict.accept(),
  ],
  [
    "tcp dport { 22, 80, 1000-2000 } accept",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort([22, 80, "1000-2000"]),
    nftVerdict.accept(),
  ],
  [
    "tcp dport != { 22, 80 } accept",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort([22, 80], { not: true }),
    nftVerdict.accept(),
  ],
  [
    "tcp dport @ports accept",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort("@ports"),
    nftVerdict.accept(),
  ],
  [
    "tcp dport != @ports accept",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort("@ports", { not: true }),
    nftVerdict.accept(),
  ],
  [
    "meta l4proto . th dport @services accept",
    nftMatch.inSet(["protocol", "destinationPort"], "@services"),
    nftVerdict.accept(),
  ],
  [
    "meta l4proto { tcp, udp } th dport 53 accept",
    nftMatch.protocol(["tcp", "udp"]),
    nftMatch.destinationPort(53),
    nftVerdict.accept(),
  ],
  ["fib daddr type local accept", nftMatch.destinationIsLocal(), nftVerdict.accept()],
  ["fib saddr type != local accept", nftMatch.sourceIsLocal({ not: true }), nftVerdict.accept()],
  ["ct state new accept", nftMatch.connectionState("new"), nftVerdict.accept()],
  [
    "ct state established,related accept",
    nftMatch.connectionState(["established", "related"]),
    nftVerdict.accept(),
  ],
  ["ct state invalid drop", nftMatch.connectionState("invalid"), nftVerdict.drop()],
  ["ct status dnat accept", nftMatch.connectionStatus("dnat"), nftVerdict.accept()],
  ["meta mark 0x00000005 accept", nftMatch.mark(5), nftVerdict.accept()],
  ["meta mark { 0x00000005, 0x00000007 } accept", nftMatch.mark([5, 7]), nftVerdict.accept()],
  ["limit rate 10/second accept", nftLimit({ rate: 10, per: "second" }), nftVerdict.accept()],
  [
    "limit rate over 3/hour burst 20 packets drop",
    nftLimit({ rate: 3, per: "hour", burst: 20, over: true }),
    nftVerdict.drop(),
  ],
  ["counter accept", nftCounter(), nftVerdict.accept()],
  ["counter", nftCounter()],
  ['log prefix "seen: "', nftLog({ prefix: "seen: " })],
  ["log level info", nftLog({ level: "info" })],
  ["log", nftLog()],
  ["iifname vmap @links", nftVerdict.map("inputInterface", "@links")],
];

const IPV4: readonly RuleCase[] = [
  ["ip saddr 10.0.0.1 accept", nftMatch.sourceAddress("10.0.0.1"), nftVerdict.accept()],
  [
    "ip saddr != 10.0.0.1 accept",
    nftMatch.sourceAddress("10.0.0.1", { not: true }),
    nftVerdict.accept(),
  ],
  ["ip saddr 10.0.0.0/24 accept", nftMatch.sourceAddress("10.0.0.0/24"), nftVerdict.accept()],
  ["ip daddr 10.1.2.0/25 accept", nftMatch.destinationAddress("10.1.2.77/25"), nftVerdict.accept()],
  [
    "ip daddr != 10.0.0.0/7 accept",
    nftMatch.destinationAddress("10.0.0.0/7", { not: true }),
    nftVerdict.accept(),
  ],
  [
    "ip daddr 10.0.0.1-10.0.0.9 accept",
    nftMatch.destinationAddress("10.0.0.1-10.0.0.9"),
    nftVerdict.accept(),
  ],
  [
    "ip daddr != 10.0.0.1-10.0.0.9 accept",
    nftMatch.destinationAddress("10.0.0.1-10.0.0.9", { not: true }),
    nftVerdict.accept(),
  ],
  [
    "ip saddr { 10.0.0.0/8, 172.16.0.1, 192.168.1.1-192.168.1.9 } accept",
    nftMatch.sourceAddress(["192.168.1.1-192.168.1.9", "172.16.0.1", "10.0.0.0/8"]),
    nftVerdict.accept(),
  ],
  [
    "ip saddr { 10.0.0.1, 10.0.0.2 } accept",
    nftMatch.sourceAddress(["10.0.0.1", "10.0.0.2"]),
    nftVerdict.accept(),
  ],
  ["ip saddr @nets accept", nftMatch.sourceAddress("@nets", { family: "ip" }), nftVerdict.accept()],
  [
    "ip daddr . tcp dport @pairs accept",
    nftMatch.protocol("tcp"),
    nftMatch.inSet(["destinationAddress", "destinationPort"], "@pairs", { family: "ip" }),
    nftVerdict.accept(),
  ],
  [
    "ip saddr 10.0.0.0/24 ip daddr 10.0.1.0/24 tcp dport 80 counter accept",
    nftMatch.sourceAddress("10.0.0.0/24"),
    nftMatch.destinationAddress("10.0.1.0/24"),
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort(80),
    nftCounter(),
    nftVerdict.accept(),
  ],
];

const IPV6: readonly RuleCase[] = [
  ["ip6 saddr fd00::1 accept", nftMatch.sourceAddress("fd00::1"), nftVerdict.accept()],
  ["ip6 saddr fd00::/64 accept", nftMatch.sourceAddress("fd00::/64"), nftVerdict.accept()],
  [
    "ip6 daddr != fd00::/61 accept",
    nftMatch.destinationAddress("fd00::/61", { not: true }),
    nftVerdict.accept(),
  ],
  [
    "ip6 daddr fd00::1-fd00::9 accept",
    nftMatch.destinationAddress("fd00::1-fd00::9"),
    nftVerdict.accept(),
  ],
  [
    "ip6 saddr { fd00::/64, fd01::1 } accept",
    nftMatch.sourceAddress(["fd01::1", "fd00::/64"]),
    nftVerdict.accept(),
  ],
  [
    "ip6 saddr @nets6 accept",
    nftMatch.sourceAddress("@nets6", { family: "ip6" }),
    nftVerdict.accept(),
  ],
];

const NAT_ANYWHERE: readonly RuleCase[] = [
  [
    "tcp dport 80 redirect to :8080",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort(80),
    nftVerdict.redirect({ port: 8080 }),
  ],
  ["redirect", nftVerdict.redirect()],
  [
    "tcp dport 80 dnat to :8080",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort(80),
    nftVerdict.dnat({ port: 8080 }),
  ],
];

const NAT4: readonly RuleCase[] = [
  ["dnat IP to 10.0.0.2", nftVerdict.dnat({ address: "10.0.0.2" })],
  [
    "tcp dport 80 dnat IP to 10.0.0.2:8080",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort(80),
    nftVerdict.dnat({ address: "10.0.0.2", port: 8080 }),
  ],
  [
    "udp dport 53 dnat IP to 10.0.0.2-10.0.0.5:5300-5399 random,persistent",
    nftMatch.protocol("udp"),
    nftMatch.destinationPort(53),
    nftVerdict.dnat({
      address: "10.0.0.2-10.0.0.5",
      port: "5300-5399",
      random: true,
      persistent: true,
    }),
  ],
  [
    "fib daddr type local tcp dport 8081 counter dnat IP to 10.0.0.2:80",
    nftMatch.destinationIsLocal(),
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort(8081),
    nftCounter(),
    nftVerdict.dnat({ address: "10.0.0.2", port: 80 }),
  ],
  [
    "dnat IP to meta l4proto . th dport map @published",
    nftVerdict.dnat({
      map: "@published",
      by: ["protocol", "destinationPort"],
      port: true,
      family: "ip",
    }),
  ],
  [
    "dnat IP to ip saddr map @clients",
    nftVerdict.dnat({ map: "@clients", by: "sourceAddress", family: "ip" }),
  ],
];

const NAT6: readonly RuleCase[] = [
  ["dnat IP6 to fd00::2", nftVerdict.dnat({ address: "fd00::2" })],
  [
    "tcp dport 80 dnat IP6 to [fd00::2]:8080",
    nftMatch.protocol("tcp"),
    nftMatch.destinationPort(80),
    nftVerdict.dnat({ address: "fd00::2", port: 8080 }),
  ],
  [
    "dnat IP6 to meta l4proto . th dport map @published6",
    nftVerdict.dnat({
      map: "@published6",
      by: ["protocol", "destinationPort"],
      port: true,
      family: "ip6",
    }),
  ],
];

const SNAT_ANYWHERE: readonly RuleCase[] = [
  ["masquerade", nftVerdict.masquerade()],
  ["masquerade fully-random", nftVerdict.masquerade({ fullyRandom: true })],
  [
    'oifname != "br0" masquerade random',
    nftMatch.outputInterface("br0", { not: true }),
    nftVerdict.masquerade({ random: true }),
  ],
  [
    "meta l4proto tcp masquerade to :1024-65535",
    nftMatch.protocol("tcp"),
    nftVerdict.masquerade({ port: "1024-65535" }),
  ],
];

const SNAT4: readonly RuleCase[] = [
  [
    "ip saddr 10.0.0.0/24 masquerade",
    nftMatch.sourceAddress("10.0.0.0/24"),
    nftVerdict.masquerade(),
  ],
  [
    "ip saddr 10.0.0.0/24 snat IP to 1.2.3.4",
    nftMatch.sourceAddress("10.0.0.0/24"),
    nftVerdict.snat({ address: "1.2.3.4" }),
  ],
];

const SNAT6: readonly RuleCase[] = [
  [
    "ip6 saddr fd00::/64 snat IP6 to fd01::4 persistent",
    nftMatch.sourceAddress("fd00::/64"),
    nftVerdict.snat({ address: "fd01::4", persistent: true }),
  ],
];

const REJECT: readonly RuleCase[] = [
  [
    "meta l4proto tcp reject with tcp reset",
    nftMatch.protocol("tcp"),
    nftVerdict.reject("tcp reset"),
  ],
  ["reject", nftVerdict.reject()],
];
const REJECTED = {
  inet: [
    ["reject with icmpx type admin-prohibited", nftVerdict.reject("admin-prohibited")],
    ["reject with icmpx type host-unreachable", nftVerdict.reject("host-unreachable")],
    ["reject with icmpx type no-route", nftVerdict.reject("no-route")],
  ],
  ip: [
    ["reject with icmp type admin-prohibited", nftVerdict.reject("admin-prohibited")],
    ["reject with icmp type host-unreachable", nftVerdict.reject("host-unreachable")],
    ["reject with icmp type net-unreachable", nftVerdict.reject("no-route")],
  ],
  ip6: [
    ["reject with icmpv6 type admin-prohibited", nftVerdict.reject("admin-prohibited")],
    ["reject with icmpv6 type addr-unreachable", nftVerdict.reject("host-unreachable")],
    ["reject with icmpv6 type no-route", nftVerdict.reject("no-route")],
  ],
} as const satisfies Record<string, readonly RuleCase[]>;

/** A set in nft's words, and in ours. */
export type SetCase = readonly [words: string, set: NftSetSpec];

const SETS: readonly SetCase[] = [
  [
    'set ports { type inet_service; flags interval; elements = { 22, 80, 1000-2000, 65000-65535 }; comment "some ports"; }',
    {
      name: "ports",
      type: "inet_service",
      flags: ["interval"],
      comment: "some ports",
      elements: ["65000-65535", 22, "1000-2000", 80],
    },
  ],
  [
    'set services { type inet_proto . inet_service; elements = { tcp . 80 comment "web", udp . 53 }; }',
    {
      name: "services",
      type: ["inet_proto", "inet_service"],
      elements: [{ key: ["tcp", 80], comment: "web" }, ["udp", 53]],
    },
  ],
  ["set macs { type ether_addr; size 100; elements = { 02:00:5e:00:53:01 }; }", {
    name: "macs",
    type: "ether_addr",
    size: 100,
    elements: ["02:00:5e:00:53:01"],
  }],
  ["set marks { type mark; elements = { 0x5, 0x17 }; }", {
    name: "marks",
    type: "mark",
    elements: [5, 0x17],
  }],
  ["set seen { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 1h; size 1000; }", {
    name: "seen",
    type: ["ipv4_addr", "inet_service"],
    flags: ["dynamic", "timeout"],
    timeout: 3_600_000,
    size: 1000,
  }],
  ['map links { type ifname : verdict; elements = { "br0" : jump other, "br1" : drop }; }', {
    name: "links",
    type: "ifname",
    data: "verdict",
    elements: [
      { key: "br0", value: { code: "jump", chain: "other" } },
      { key: "br1", value: { code: "drop" } },
    ],
  }],
];

const SETS4: readonly SetCase[] = [
  [
    "set nets { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 11.0.0.0/8, 172.16.0.1-172.16.0.9, 255.255.255.0/24 }; }",
    {
      name: "nets",
      type: "ipv4_addr",
      flags: ["interval"],
      elements: ["255.255.255.0/24", "11.0.0.0/8", "10.0.0.0/8", "172.16.0.1-172.16.0.9"],
    },
  ],
  ["set everything { type ipv4_addr; flags interval; elements = { 0.0.0.0/0 }; }", {
    name: "everything",
    type: "ipv4_addr",
    flags: ["interval"],
    elements: ["0.0.0.0/0"],
  }],
  [
    "set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 10-20, 11.0.0.1 . 80 }; }",
    {
      name: "pairs",
      type: ["ipv4_addr", "inet_service"],
      flags: ["interval"],
      elements: [["10.0.0.0/8", "10-20"], ["11.0.0.1", 80]],
    },
  ],
  [
    "map published { type inet_proto . inet_service : ipv4_addr . inet_service; elements = { tcp . 8080 : 10.0.0.2 . 80, udp . 53 : 10.0.0.3 . 53 }; }",
    {
      name: "published",
      type: ["inet_proto", "inet_service"],
      data: ["ipv4_addr", "inet_service"],
      elements: [
        { key: ["tcp", 8080], value: ["10.0.0.2", 80] },
        { key: ["udp", 53], value: ["10.0.0.3", 53] },
      ],
    },
  ],
  [
    "map clients { type ipv4_addr : ipv4_addr; flags interval; elements = { 10.0.0.0/24 : 10.9.0.1 }; }",
    {
      name: "clients",
      type: "ipv4_addr",
      data: "ipv4_addr",
      flags: ["interval"],
      elements: [{ key: "10.0.0.0/24", value: "10.9.0.1" }],
    },
  ],
];

const SETS6: readonly SetCase[] = [
  [
    "set nets6 { type ipv6_addr; flags interval; elements = { fd00::/64, fd01::1-fd01::9, ffff:ffff:ffff:ffff::/64 }; }",
    {
      name: "nets6",
      type: "ipv6_addr",
      flags: ["interval"],
      elements: ["fd00::/64", "fd01::1-fd01::9", "ffff:ffff:ffff:ffff::/64"],
    },
  ],
  [
    "map published6 { type inet_proto . inet_service : ipv6_addr . inet_service; elements = { tcp . 8080 : fd00::2 . 80 }; }",
    {
      name: "published6",
      type: ["inet_proto", "inet_service"],
      data: ["ipv6_addr", "inet_service"],
      elements: [{ key: ["tcp", 8080], value: ["fd00::2", 80] }],
    },
  ],
];

/** A chain: what nft has in its braces, what we have beside its rules. */
type ChainCase = readonly [words: string, chain: NftChainSpec, rules: readonly RuleCase[]];

/** A table in nft's words, and in ours. */
export interface TableCase {
  readonly words: string;
  readonly table: NftTableSpec;
}

/** Everything, in a table of each family. */
export const TABLES: readonly TableCase[] = (["inet", "ip", "ip6"] as const).map((family) => {
  const four = family !== "ip6", six = family !== "ip";
  const of = <T>(any: readonly T[], v4: readonly T[], v6: readonly T[]) => [
    ...any,
    ...four ? v4 : [],
    ...six ? v6 : [],
  ];
  const chains: ChainCase[] = [
    ["", { name: "other" }, []],
    ["type filter hook forward priority filter + 5; policy drop;", {
      name: "forwarded",
      hook: "forward",
      priority: 5,
      policy: "drop",
    }, [...of(ANYWHERE, IPV4, IPV6), ...REJECT, ...REJECTED[family]]],
    ["type nat hook prerouting priority dstnat;", {
      name: "pre",
      type: "nat",
      hook: "prerouting",
    }, of(NAT_ANYWHERE, NAT4, NAT6)],
    ['type nat hook postrouting priority srcnat; comment "out";', {
      name: "post",
      type: "nat",
      hook: "postrouting",
      comment: "out",
    }, of(SNAT_ANYWHERE, SNAT4, SNAT6)],
    ["type route hook output priority mangle;", {
      name: "rerouted",
      type: "route",
      hook: "output",
      priority: "mangle",
    }, [["counter accept", nftCounter(), nftVerdict.accept()]]],
  ];
  const sets = of(SETS, SETS4, SETS6);
  // nft wants the family of an address only where the table leaves it open.
  const words = (rule: string) =>
    rule.replace(/ IP(6?) to/, (_, six) => family === "inet" ? ` ip${six} to` : " to");
  return {
    words: [
      `table ${family} t {`,
      'comment "a table"',
      "chain other { }",
      ...sets.map(([words]) => words),
      ...chains.map(([head, { name }, rules]) =>
        [`chain ${name} {`, head, ...rules.map(([rule], i) => `${words(rule)} comment "${i}"`), "}"]
          .join("\n")
      ),
      "}",
      "",
    ].join("\n"),
    table: {
      family,
      name: "t",
      comment: "a table",
      sets: sets.map(([, set]) => set),
      chains: chains.map(([, chain, rules]) => ({
        ...chain,
        rules: rules.map(([, ...expressions], i) => ({ expressions, comment: String(i) })),
      })),
    },
  };
});
