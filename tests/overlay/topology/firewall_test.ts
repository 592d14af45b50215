/** Firewalls and translations: what nft sees of them, what packets see of them, and what is read back. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { attach, InputError, type Netns, runInNetns, type RunOptions } from "../../../mod.ts";
import {
  canonicalTable,
  describeTable,
  readTopologyTable,
  sameTable,
  type TableSpec,
  topologyTable,
} from "../../../overlay/topology/firewall.ts";
import type { FirewallChain, FirewallRule } from "../../../overlay/topology/types.ts";
import { deleteNftTable, type Nft, replaceNftTable } from "../../../rtnl/mod.ts";
import { listed, nftIn, nftTest } from "../../rtnl/nft/support.ts";
import { eventually, type Kernel, kernelTest, runIn } from "../../support.ts";

const NAME = "denolink.lab";

async function make(nft: Nft, spec: TableSpec): Promise<void> {
  await nft.transaction(replaceNftTable(topologyTable("lab", spec)!));
}

/** All that can be said, and the same in nft's words. */
const ALL: TableSpec = {
  firewall: {
    input: {
      policy: "drop",
      rules: [
        { state: ["established", "related"], verdict: "accept" },
        { state: ["invalid"], verdict: "drop" },
        { in: "lo", verdict: "accept" },
        { protocol: "icmpv6", verdict: "accept" },
        { protocol: "tcp", port: [443, 80], from: "10.1.2.3/16", verdict: "accept" },
        { protocol: "sctp", port: 7, state: ["new"], verdict: "reject" },
      ],
    },
    forward: {
      policy: "accept",
      rules: [
        {
          in: "eth*",
          out: "br0",
          from: ["10.0.2.0/25", "10.0.0.7", "10.0.0.0/25", "10.9.9.9/32"],
          to: ["10.2.0.2", "10.2.0.1"],
          verdict: "drop",
        },
        { from: ["fd00::/61", "fd01::1"], to: "fd02::1:0/112", verdict: "drop" },
        { from: "0.0.0.0/0", to: "224.0.0.0/3", protocol: "udp", port: 53, verdict: "reject" },
      ],
    },
    output: {},
  },
  nat: {
    masquerade: [{ from: "10.0.0.0/24", out: "eth0" }, { out: "eth1" }, { from: "fd00::/64" }],
    dnat: [
      { in: "eth0", port: 80, target: "10.2.0.2:8080" },
      { to: "192.0.2.1", protocol: "udp", port: 53, target: "10.2.0.3:53" },
      { port: 443, target: "[fd00:0::2]:8443" },
    ],
  },
};

const ALL_IN_NFT = `table inet ${NAME} {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    ct state invalid drop
    iifname lo accept
    meta l4proto icmpv6 accept
    ip saddr 10.1.0.0/16 tcp dport { 80, 443 } accept
    ct state new sctp dport 7 reject
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname "eth*" oifname br0 ip saddr { 10.0.0.0/25, 10.0.2.0/25, 10.9.9.9 } ip daddr { 10.2.0.1, 10.2.0.2 } drop
    ip6 saddr { fd00::/61, fd01::1 } ip6 daddr fd02::1:0/112 drop
    ip saddr 0.0.0.0/0 ip daddr 224.0.0.0/3 udp dport 53 reject with icmpx port-unreachable
  }
  chain nat-prerouting {
    type nat hook prerouting priority -100;
    iifname eth0 meta nfproto ipv4 fib daddr type local ip daddr != 127.0.0.0/8 tcp dport 80 dnat ip to 10.2.0.2:8080
    ip daddr 192.0.2.1 udp dport 53 dnat ip to 10.2.0.3:53
    meta nfproto ipv6 fib daddr type local ip6 daddr != ::1 tcp dport 443 dnat ip6 to [fd00::2]:8443
  }
  chain nat-output {
    type nat hook output priority -100;
    ip daddr 192.0.2.1 udp dport 53 dnat ip to 10.2.0.3:53
    meta nfproto ipv6 fib daddr type local ip6 daddr != ::1 tcp dport 443 dnat ip6 to [fd00::2]:8443
  }
  chain nat-postrouting {
    type nat hook postrouting priority 100;
    oifname eth0 ip saddr 10.0.0.0/24 masquerade
    oifname eth1 masquerade
    ip6 saddr fd00::/64 masquerade
  }
}`;

nftTest("a topology's words are these of nft, and are read back", {}, async (kernel) => {
  const theirs = await kernel.another();
  using nft = await nftIn(kernel.netns);
  assertEquals(await readTopologyTable(nft, "lab"), undefined);
  await make(nft, ALL);
  await runIn(theirs, "nft", ALL_IN_NFT);
  assertEquals(await listed(kernel.netns), await listed(theirs));
  const found = await readTopologyTable(nft, "lab");
  assert(found !== undefined && sameTable(ALL, found));
  assertEquals(found.firewall?.forward?.rules?.[0], {
    in: "eth*",
    out: "br0",
    from: ["10.0.0.0/25", "10.0.2.0/25", "10.9.9.9"],
    to: ["10.2.0.1", "10.2.0.2"],
    verdict: "drop",
  });
  assertEquals(found.nat?.dnat?.at(-1), { port: 443, target: "[fd00::2]:8443" });
});

const FIRST: FirewallRule = { state: ["established"], verdict: "accept" };
const SECOND: FirewallRule = { in: "eth0", verdict: "accept" };
const FORWARD: FirewallChain = { policy: "drop", rules: [FIRST, SECOND] };
const WANTED: TableSpec = {
  firewall: { forward: FORWARD },
  nat: { dnat: [{ port: 80, target: "10.0.0.2:80" }], masquerade: [{ out: "eth0" }] },
};

/** What others do to a table, by the handles of its rules; and the chain, where it can be said so. */
const ALTERATIONS: [words: string, forward?: FirewallChain][] = [
  ["add rule CHAIN counter accept"],
  ["add rule CHAIN ip saddr != 10.0.0.1 accept"],
  ["add rule CHAIN th dport 53 accept"],
  ["add rule CHAIN tcp dport 80-90 accept"],
  ["add rule CHAIN iifname { eth0, eth1 } accept"],
  ["add rule CHAIN meta l4proto { tcp, udp } accept"],
  ["add rule CHAIN ip saddr { 10.0.0.0-10.0.0.5, 10.0.0.9 } accept"],
  ["add rule CHAIN ct state vmap { new : drop, invalid : drop }"],
  ["add rule CHAIN tcp dport 22 iifname eth0 accept"],
  ["add rule CHAIN reject with icmpx no-route"],
  ["add rule CHAIN meta mark set 1"],
  ["add rule CHAIN limit rate 1/second return"],
  ["add rule CHAIN tcp dport { 22, 23 } drop", {
    policy: "drop",
    rules: [FIRST, SECOND, { protocol: "tcp", port: [22, 23], verdict: "drop" }],
  }],
  ["insert rule CHAIN iifname eth9 ip saddr 10.0.0.1 accept", {
    policy: "drop",
    rules: [{ in: "eth9", from: "10.0.0.1", verdict: "accept" }, FIRST, SECOND],
  }],
  ["delete rule CHAIN handle FIRST", { policy: "drop", rules: [SECOND] }],
  ["delete rule CHAIN handle FIRST; add rule CHAIN ct state established accept", {
    policy: "drop",
    rules: [SECOND, FIRST],
  }],
  ["replace rule CHAIN handle SECOND iifname eth1 accept", {
    policy: "drop",
    rules: [FIRST, { in: "eth1", verdict: "accept" }],
  }],
  ["add chain CHAIN { policy accept; }", { rules: [FIRST, SECOND] }],
  ["add rule TABLE nat-prerouting tcp dport 80 redirect to 8080"],
  ["add rule TABLE nat-prerouting udp dport { 80, 81 } dnat ip to 10.0.0.2:80"],
  ["add rule TABLE nat-postrouting ip saddr { 10.0.0.1, 10.0.0.2 } masquerade"],
  ["add rule TABLE nat-postrouting masquerade random"],
  ["flush chain TABLE nat-output"],
  ["flush chain TABLE nat-output; delete chain TABLE nat-output"],
  ["add chain TABLE more"],
  ["add set TABLE s { type ipv4_addr; elements = { * }; }; add rule CHAIN ip saddr @s drop"],
  ["add table TABLE { flags dormant; }"],
];

nftTest("whatever others change of a table is noticed", {}, async ({ netns }) => {
  using nft = await nftIn(netns);
  for (const [words, forward] of ALTERATIONS) {
    await make(nft, WANTED);
    assertEquals(await readTopologyTable(nft, "lab"), WANTED);
    const chain = { family: "inet", table: NAME, chain: "forward" } as const;
    const [first, second] = await Array.fromAsync(nft.rules.list(chain));
    const command = words.replaceAll("CHAIN", `inet ${NAME} forward`)
      .replaceAll("TABLE", `inet ${NAME}`)
      .replace("FIRST", String(first?.handle)).replace("SECOND", String(second?.handle));
    await runIn(netns, "nft", command);
    const found = await readTopologyTable(nft, "lab");
    assert(found !== undefined && !sameTable(WANTED, found), command);
    // Rules that no topology says are not said.
    const said = forward ?? FORWARD;
    assertEquals(found, {
      ...WANTED,
      firewall: { forward: said },
      ...forward === undefined ? { altered: true } : {},
    }, command);
  }
  await nft.transaction(deleteNftTable("inet", NAME));
  await runIn(netns, "nft", `add table inet ${NAME}`);
  assertEquals(await readTopologyTable(nft, "lab"), { altered: true });
});

kernelTest("what is changed meanwhile is read as it was before or after", {}, async ({ netns }) => {
  using nft = await nftIn(netns);
  using other = await nftIn(netns);
  await make(nft, ALL);
  for (let i = 0; i < 20; i++) {
    const [found] = await Promise.all([
      readTopologyTable(nft, "lab"),
      make(other, i % 2 === 0 ? WANTED : ALL),
    ]);
    assert(found !== undefined && [WANTED, ALL].some((spec) => sameTable(spec, found)), `${i}`);
  }
});

const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const port = fc.integer({ min: 1, max: 65535 });
const link = fc.constantFrom("eth0", "eth1", "a.b-c:d", "x*", "ééééééé");
const ip = fc.integer({ min: 0, max: 0xffffffff }).map((number) =>
  [24, 16, 8, 0].map((bits) => (number >>> bits) & 255).join(".")
);
const ip6 = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(":"));
const FAMILIES = [[ip, 32], [ip6, 128]] as const;

/** An address or a subnet; of those near each other one may be in the other, or just beside it. */
function subnet([address, bits]: readonly [fc.Arbitrary<string>, number]): fc.Arbitrary<string> {
  const near = fc.integer({ min: 0, max: 15 }).map((i) =>
    bits === 32 ? `10.0.0.${i}` : `fd00::${i}`
  );
  const length = fc.oneof(
    fc.integer({ min: bits - 4, max: bits }),
    fc.integer({ min: 0, max: bits }),
  );
  return fc.tuple(fc.oneof(near, address), some(length))
    .map(([address, length]) => length === undefined ? address : `${address}/${length}`);
}

function rule(family: typeof FAMILIES[number]): fc.Arbitrary<FirewallRule> {
  const subnets = fc.oneof(
    subnet(family),
    fc.array(subnet(family), { minLength: 1, maxLength: 5 }),
  );
  const ports = fc.oneof(port, fc.array(port, { minLength: 1, maxLength: 4 }));
  const states = fc.array(
    fc.constantFrom("new" as const, "established" as const, "related" as const, "invalid" as const),
    { minLength: 1, maxLength: 5 },
  );
  const protocol = fc.oneof(
    fc.record({ protocol: fc.constantFrom("tcp", "udp", "sctp"), port: some(ports) }),
    fc.record({ protocol: fc.constantFrom("icmp", "icmpv6", undefined) }),
  );
  const rest = fc.record({
    in: some(link),
    out: some(link),
    from: some(subnets),
    to: some(subnets),
    state: some(states),
    verdict: fc.constantFrom("accept", "drop", "reject"),
  });
  return fc.tuple(rest, protocol).map(([rest, protocol]) =>
    ({ ...rest, ...protocol }) as FirewallRule
  );
}

const rules = fc.array(fc.constantFrom(...FAMILIES).chain(rule), { maxLength: 4 });
const chain = some(fc.record({
  policy: fc.constantFrom("accept" as const, "drop" as const, undefined),
  rules: some(rules),
}));
const dnat = fc.constantFrom(...FAMILIES).chain((family) =>
  fc.record({
    in: some(link),
    to: some(subnet(family)),
    protocol: fc.constantFrom("tcp" as const, "udp" as const, undefined),
    port,
    target: fc.tuple(family[0], port)
      .map(([address, port]) => family[1] === 32 ? `${address}:${port}` : `[${address}]:${port}`),
  })
);
const masquerade = fc.constantFrom(...FAMILIES).chain((family) =>
  fc.record({ out: some(link), from: some(subnet(family)) })
);
const table: fc.Arbitrary<TableSpec> = fc.record({
  firewall: some(fc.record({ input: chain, forward: chain, output: chain })),
  nat: some(fc.record({
    masquerade: some(fc.array(masquerade, { maxLength: 3 })),
    dnat: some(fc.array(dnat, { maxLength: 3 })),
  })),
});

kernelTest("whatever a topology says is read back", {}, async ({ netns }) => {
  using nft = await nftIn(netns);
  let before: TableSpec = {};
  await fc.assert(
    fc.asyncProperty(table, async (spec) => {
      const made = topologyTable("lab", spec);
      await nft.transaction(
        made === undefined ? deleteNftTable("inet", NAME) : replaceNftTable(made),
      );
      const found = await readTopologyTable(nft, "lab");
      assertEquals(found ?? {}, canonicalTable(spec));
      assert(sameTable(spec, found ?? {}));
      const same = JSON.stringify(canonicalTable(before)) === JSON.stringify(canonicalTable(spec));
      assertEquals(sameTable(before, found ?? {}), same);
      before = spec;
    }),
    { numRuns: 40 },
  );
});

const ICMPV6: FirewallRule = { protocol: "icmpv6", verdict: "accept" };
const INSIDE = new URL("../../rtnl/nft/inside.ts", import.meta.url);
const CLIENT = ["10.1.0.128", "fd01::2"] as const;
const SERVER = ["10.2.0.2", "fd02::2"] as const;

/** A client and a server, each on a bridge of the router. */
async function network(kernel: Kernel) {
  const [router, client, server] = [kernel.netns, await kernel.another(), await kernel.another()];
  const sides = [[client, "near", CLIENT, 1], [server, "far", SERVER, 2]] as const;
  for (const [netns, bridge, [ip, ip6], i] of sides) {
    await attach({
      netns,
      bridge: { name: bridge, addresses: [`10.${i}.0.1/24`, `fd0${i}::1/64`] },
      addresses: [`${ip}/24`, `${ip6}/64`],
      gateways: ["auto"],
    }, { netns: router });
  }
  await kernel.ip("link", "set", "lo", "up");
  return { router, client, server };
}

/** Servers that tell their clients their addresses, until they are disposed. */
async function serving(netns: Netns, ...ends: [string, number][]): Promise<AsyncDisposable> {
  const { signal, abort } = stoppable();
  const ended: Promise<unknown>[] = [];
  for (const [hostname, port] of ends) {
    const { port1: ready, port2 } = new MessageChannel();
    const listening = new Promise((resolve) => ready.onmessage = resolve);
    const args = [hostname, port, port2];
    const options = { export: "serve", args, transfer: [port2], signal };
    const end = runInNetns(netns, INSIDE, options).catch((error) => error);
    await Promise.race([listening, end.then((error) => Promise.reject(error))]);
    ready.close();
    ended.push(end);
  }
  return {
    async [Symbol.asyncDispose]() {
      abort();
      for (const end of ended) assertEquals(await end, "over");
    },
  };
}

function stoppable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort("over") };
}

const call = (netns: Netns, hostname: string, port: number, options?: RunOptions) =>
  runInNetns<string>(netns, INSIDE, { export: "call", args: [hostname, port], ...options });

const WATCH = `table inet watch {
  chain before { type filter hook prerouting priority 0; counter; }
  chain through { type filter hook forward priority 10; counter; }
  chain in { type filter hook input priority 10; counter; }
}`.replaceAll("counter", "tcp flags syn tcp dport PORT counter");

/** A call that is neither answered nor refused: the router has seen it, and it has got no further. */
async function assertDropped(
  { router, client }: Record<"router" | "client", Netns>,
  hostname: string,
  port: number,
): Promise<void> {
  await runIn(router, "nft", WATCH.replaceAll("PORT", String(port)));
  const { signal, abort } = stoppable();
  const called = call(client, hostname, port, { signal }).catch((error) => error);
  let seen: number[] = [];
  await eventually(async () => {
    const listed = await runIn(router, "nft", "list table inet watch");
    seen = [...listed.matchAll(/packets (\d+)/g)].map(([, count]) => Number(count));
    assert(seen[0]! > 0);
  });
  abort();
  assertEquals([await called, ...seen.slice(1)], ["over", 0, 0]);
  await runIn(router, "nft", "delete table inet watch");
}

const FIREWALL: TableSpec = {
  firewall: {
    forward: {
      policy: "drop",
      rules: [
        { state: ["established", "related"], verdict: "accept" },
        { in: "far", state: ["new"], verdict: "reject" },
        { protocol: "tcp", port: 7002, verdict: "drop" },
        {
          ...{ in: "near", out: "far", from: ["10.1.0.0/25", "10.1.0.128/25", "10.1.1.0/24"] },
          ...{ to: SERVER[0], protocol: "tcp", port: [7000, 7003], state: ["new"] },
          verdict: "accept",
        },
        { from: ["fd01::/64", "fd09::/64"], verdict: "accept" },
        { from: "10.1.0.0/24", protocol: "tcp", port: 7001, verdict: "reject" },
      ],
    },
    // What is refused on its way out is told by way of lo.
    input: { policy: "drop", rules: [{ in: "lo", verdict: "accept" }, ICMPV6] },
    output: { rules: [{ to: "10.2.0.0/16", protocol: "tcp", port: 7000, verdict: "reject" }] },
  },
};

const TRANSLATION: TableSpec = {
  nat: {
    masquerade: [{ out: "far", from: "10.1.0.0/24" }],
    dnat: [
      { in: "near", port: 8080, target: `${SERVER[0]}:7000` },
      { to: "192.0.2.0/24", port: 80, target: `${SERVER[0]}:7000` },
      { port: 8080, target: `[${SERVER[1]}]:7000` },
    ],
  },
};

nftTest("packets pass, are led and are hidden as it is said", { all: true }, async (kernel) => {
  const { router, client, server } = await network(kernel);
  using nft = await nftIn(router);
  const ends: [string, number][] = [[SERVER[0], 7000], [SERVER[0], 7001], [SERVER[1], 7000]];
  await using _server = await serving(server, ...ends);
  await using _client = await serving(client, [CLIENT[0], 7000]);
  assertEquals(await call(client, SERVER[0], 7001), CLIENT[0]);
  assertEquals(await call(server, CLIENT[0], 7000), SERVER[0]);

  await make(nft, FIREWALL);
  assertEquals(await call(client, SERVER[0], 7000), CLIENT[0]);
  assertEquals(await call(client, SERVER[1], 7000), CLIENT[1]);
  assertEquals(await call(client, SERVER[0], 7001), "ConnectionRefused");
  assertEquals(await call(server, CLIENT[0], 7000), "ConnectionRefused");
  assertEquals(await call(router, SERVER[0], 7000), "ConnectionRefused");
  await assertDropped({ router, client }, SERVER[0], 7002);
  await assertDropped({ router, client }, SERVER[0], 7004);
  await assertDropped({ router, client }, "10.1.0.1", 7000);

  await make(nft, TRANSLATION);
  assertEquals(await call(client, SERVER[0], 7000), "10.2.0.1");
  assertEquals(await call(client, "10.1.0.1", 8080), "10.2.0.1");
  assertEquals(await call(client, "10.2.0.1", 8080), "10.2.0.1");
  assertEquals(await call(client, "192.0.2.9", 80), "10.2.0.1");
  assertEquals(await call(client, "fd01::1", 8080), CLIENT[1]);
  assertEquals(await call(router, "fd01::1", 8080), "fd01::1");
  for (const own of ["10.1.0.1", "::1"]) {
    assertEquals(await call(router, own, 8080), "ConnectionRefused");
  }
});

Deno.test("one form for what is the same, words for it, and errors", () => {
  const spec: TableSpec = {
    firewall: {
      input: { policy: "accept", rules: [] },
      forward: {
        policy: "drop",
        rules: [{
          ...{ from: ["10.0.1.9/8", "10.2.3.4"], to: "FD00:0::1/128", port: [443, 80, 443] },
          ...{ in: undefined, protocol: "tcp", state: ["related", "new"], verdict: "accept" },
        }],
      },
    },
    nat: { masquerade: [{}], dnat: [{ protocol: "tcp", port: 1, target: "[FD00:0::2]:2" }] },
  };
  const canonical: TableSpec = {
    firewall: {
      forward: {
        policy: "drop",
        rules: [{
          ...{ from: "10.0.0.0/8", to: "fd00::1", port: [80, 443] },
          ...{ protocol: "tcp", state: ["new", "related"], verdict: "accept" },
        }],
      },
    },
    nat: { masquerade: [{}], dnat: [{ port: 1, target: "[fd00::2]:2" }] },
  };
  assertEquals(canonicalTable(spec), canonical);
  assert(sameTable(spec, canonical));
  assert(!sameTable(spec, { ...canonical, altered: true }));
  assert(!sameTable(spec, { ...canonical, nat: undefined }));
  assert(sameTable({ firewall: { output: {} }, nat: { dnat: [] } }, {}));
  assertEquals(
    describeTable("lab", spec),
    "nft table denolink.lab: forward policy drop, 1 rule; masquerade 1; dnat 1",
  );
  assertEquals(
    describeTable("lab", { firewall: { input: { rules: [ICMPV6, ICMPV6] } } }),
    "nft table denolink.lab: input policy accept, 2 rules",
  );
  assertEquals(topologyTable("lab", { firewall: {}, nat: { masquerade: [] } }), undefined);

  const filter = (rule: object): TableSpec => ({
    firewall: { input: { rules: [{ verdict: "accept", ...rule } as FirewallRule] } },
  });
  const led = (rule: object): TableSpec => ({
    nat: { dnat: [{ port: 80, target: "10.0.0.2:80", ...rule }] },
  });
  const refused: [TableSpec, string][] = [
    [filter({ port: 80 }), "Cannot match port 80 of any protocol: only tcp, udp, sctp have ports"],
    [filter({ port: [1, 2], protocol: "icmp" }), "Cannot match port 1,2 of icmp"],
    [filter({ port: [], protocol: "tcp" }), "no value"],
    [filter({ port: 65536, protocol: "tcp" }), "0 to 65535"],
    [filter({ from: [] }), "no value"],
    [filter({ from: "10.0.0" }), "no IPv4 or IPv6 address"],
    [filter({ from: ["10.0.0.1", "fd00::1"] }), "expected an IPv4 address"],
    [filter({ from: "10.0.0.1", to: "fd00::1" }), "in a rule of the family ip"],
    [filter({ state: [] }), "none is said"],
    [filter({ state: ["new", "old"] }), "Cannot match a connection's state old: there is none"],
    [filter({ verdict: "return" }), 'Cannot use verdict "return": a rule says one of accept, drop'],
    ...["10.0.0.2", "fd00::2:80", "[10.0.0.2]:80", "10.0.0.2:0", "10.0.0.2:65536", "host:80"]
      .map((
        target,
      ): [TableSpec, string] => [led({ target }), `Cannot lead packets to "${target}"`]),
    [led({ to: "fd00::1" }), "expected an address of the family ip6"],
  ];
  for (const [spec, reason] of refused) {
    assertThrows(() => replaceNftTable(topologyTable("lab", spec)!), InputError, reason);
  }
});
