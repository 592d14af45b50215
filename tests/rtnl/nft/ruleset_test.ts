import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../../ffi/mod.ts";
import {
  addNftElements,
  addNftRule,
  deleteNftElements,
  deleteNftTable,
  NFT_ELEMENTS,
  nftCounter,
  type NftElements,
  type NftField,
  nftLimit,
  type NftMatch,
  nftMatch,
  type NftRuleSpec,
  type NftSetSpec,
  type NftTableSpec,
  nftVerdict,
  replaceNftTable,
} from "../../../rtnl/mod.ts";
import { input } from "../../../rtnl/codec/buffer.ts";
import { untypedCodec } from "../../../rtnl/codec/compile.ts";
import { runIn } from "../../support.ts";
import { TABLES } from "./cases.ts";
import { listed, nftIn, nftTest } from "./support.ts";

for (const { words, table } of TABLES) {
  nftTest(
    `what nft makes in a table ${table.family}, we make`,
    {},
    async (kernel) => {
      const other = await kernel.another();
      await runIn(kernel.netns, "nft", words);
      using nft = await nftIn(other);
      await nft.transaction(replaceNftTable(table));
      const [theirs, ours] = await Promise.all([kernel.netns, other].map(listed));
      assert(theirs!.length > 80);
      assertEquals(ours, theirs);
    },
  );
}

const JSON_TABLE: NftTableSpec = {
  family: "ip",
  name: "t",
  comment: "a table",
  chains: [{
    name: "c",
    hook: "prerouting",
    type: "nat",
    rules: [{
      expressions: [nftCounter(), nftVerdict.dnat({ address: "10.0.0.2" })],
      comment: "é",
    }],
  }],
};

nftTest(
  "a table is made again as it is said, whatever was there",
  {},
  async ({ netns }) => {
    const theirs = "table ip theirs { chain c { type filter hook input priority 0; accept; }; }";
    await runIn(netns, "nft", theirs);
    using nft = await nftIn(netns);
    const others = await listed(netns);
    const json = async () => {
      const { nftables } = JSON.parse(await runIn(netns, "nft", "-j", "list", "table", "ip", "t"));
      return JSON.stringify(nftables.slice(1)).replace(/,?"handle":\d+/g, "");
    };
    await nft.transaction(replaceNftTable(JSON_TABLE));
    const made = await json();
    assert(made.includes('"comment":"é"') && made.includes('"addr":"10.0.0.2"'), made);
    await runIn(
      netns,
      "nft",
      "add chain ip t more; add rule ip t c counter accept; add set ip t s { type mark; }",
    );
    assert(await json() !== made);
    await nft.transaction(replaceNftTable(JSON_TABLE));
    assertEquals(await json(), made);
    await nft.transaction(deleteNftTable("ip", "t"));
    assertEquals(await listed(netns), others);
    await nft.transaction(deleteNftTable("ip", "t"));
    assertEquals(await listed(netns), others);
  },
);

const PUBLISHED: NftSetSpec = {
  name: "published",
  type: ["inet_proto", "inet_service"],
  data: ["ipv4_addr", "inet_service"],
};
const NETS: NftSetSpec = { name: "nets", type: "ipv4_addr", flags: ["interval"] };

nftTest(
  "rules and elements are added to what is there, and taken away",
  {},
  async ({ netns }) => {
    using nft = await nftIn(netns);
    const table = { family: "ip", name: "t" } as const;
    await nft.transaction(
      replaceNftTable({ ...table, chains: [{ name: "c" }], sets: [PUBLISHED, NETS] }),
    );
    const empty = await listed(netns);
    const web = { key: ["tcp", 8080], value: ["10.0.0.2", 80] };
    await nft.transaction([
      ...addNftElements(table, PUBLISHED, [web]),
      ...addNftElements(table, NETS, ["10.0.0.0/8", "192.168.0.0/16"]),
      ...addNftRule(table, "c", { expressions: [nftMatch.mark([1, 2]), nftVerdict.accept()] }),
      ...addNftRule(table, "c", { expressions: [nftMatch.mark([3, 4]), nftVerdict.drop()] }),
    ]);
    const lines = (await listed(netns)).map((line) => line.trim());
    for (
      const line of [
        "elements = { tcp . 8080 : 10.0.0.2 . 80 }",
        "elements = { 10.0.0.0/8, 192.168.0.0/16 }",
        "meta mark { 0x00000001, 0x00000002 } accept",
        "meta mark { 0x00000003, 0x00000004 } drop",
      ]
    ) assert(lines.includes(line), lines.join("\n"));
    await nft.transaction([
      ...deleteNftElements(table, PUBLISHED, [web]),
      ...deleteNftElements(table, NETS, ["192.168.0.0/16", "10.0.0.0/8"]),
    ]);
    await nft.rules.delete({ family: "ip", table: "t", chain: "c" });
    assertEquals(await listed(netns), empty);
  },
);

nftTest(
  "thousands of rules and elements are one transaction",
  {},
  async ({ netns }) => {
    using nft = await nftIn(netns);
    const address = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    const many = Array.from({ length: 1000 }, (_, i) => i);
    const set: NftSetSpec = {
      name: "s",
      type: "ipv4_addr",
      elements: many.map((i) => ({ key: address(i), comment: "x".repeat(40) })),
    };
    await nft.transaction(replaceNftTable({
      family: "ip",
      name: "t",
      sets: [set],
      chains: [{
        name: "c",
        rules: many.map((i) => ({
          expressions: [nftMatch.sourceAddress(address(i)), nftCounter(), nftVerdict.accept()],
        })),
      }],
    }));
    assertEquals((await Array.fromAsync(nft.rules.list({ table: "t" }))).length, 1000);
    const elements = nft.elements.list({ family: "ip", table: "t", set: "s" });
    assertEquals((await Array.fromAsync(elements)).length, 1000);
  },
);

/** A table of one rule. */
function ruled(
  family: "inet" | "ip" | "ip6",
  ...expressions: NftRuleSpec["expressions"]
): NftTableSpec {
  return { family, name: "t", chains: [{ name: "c", rules: [{ expressions }] }] };
}

Deno.test("what can't be meant is refused before the kernel is asked", () => {
  const set = (set: Partial<NftSetSpec>): NftTableSpec => ({
    family: "ip",
    name: "t",
    sets: [{ name: "s", type: "ipv4_addr", ...set }],
  });
  const refused: [NftTableSpec, string][] = [
    [ruled("ip", nftMatch.destinationPort(80)), "Cannot add rule ip t c: a port needs a protocol"],
    [ruled("ip", nftVerdict.dnat({ address: "10.0.0.1", port: 80 })), "needs a protocol before it"],
    [
      ruled("ip", nftMatch.sourceAddress("fd00::1")),
      "nothing is of the family ip6 in a table of the family ip",
    ],
    [
      ruled("inet", nftMatch.sourceAddress("fd00::1"), nftMatch.destinationAddress("10.0.0.1")),
      "nothing is of the family ip in a rule of the family ip6",
    ],
    [ruled("ip", nftMatch.sourceAddress(["10.0.0.1", "fd00::1"])), "expected an IPv4 address"],
    [ruled("inet", nftMatch.sourceAddress("@s")), "say which"],
    [ruled("ip", nftMatch.sourceAddress("10.0.0.0/33")), "0 to 32 bits"],
    [ruled("ip", nftMatch.sourceAddress("10.0.0.9-10.0.0.1")), "from the least to the greatest"],
    [ruled("ip", nftMatch.sourceAddress([])), "no value"],
    [ruled("ip", nftMatch.sourceAddress("host")), 'expected an IPv4 address, got "host"'],
    [
      ruled("ip", nftMatch.protocol("tcpp")),
      "expected a whole number from 0 to 255 or one of icmp",
    ],
    [ruled("ip", nftMatch.protocol("tcp"), nftMatch.destinationPort(65536)), "0 to 65535"],
    [ruled("ip", nftMatch.protocol("tcp"), nftMatch.destinationPort(-1)), "0 to 65535"],
    [ruled("ip", nftMatch.inputInterface("a-name-of-sixteen")), "1 to 15 bytes"],
    [ruled("ip", nftMatch.inputInterface("*")), "1 to 15 bytes"],
    [ruled("ip", nftMatch.inputInterface(["eth*", "br0"])), "1 to 15 bytes"],
    [ruled("ip", nftMatch.inSet(["protocol", "destinationPort"], "tcp")), '"@NAME"'],
    [ruled("ip", { match: "weight" as "mark", value: 1 }), "expected one of sourceAddress"],
    [ruled("ip", nftVerdict.map("inputInterface", "links")), '"@NAME"'],
    [ruled("ip", nftVerdict.dnat({})), "an address or a port"],
    [
      ruled("inet", nftMatch.family("ip"), nftVerdict.dnat({ address: "fd00::1" })),
      "an address of the family ip,",
    ],
    [ruled("ip", nftVerdict.dnat({ address: "fd00::1" })), "an address of the family ip,"],
    [ruled("inet", nftVerdict.dnat({ map: "@m", by: "mark" })), "say which"],
    [ruled("ip", nftVerdict.reject("never" as "no-route")), "expected one of tcp reset"],
    [{ family: "ip", name: "t", chains: [{ name: "c", policy: "drop" }] }, "for chains of a hook"],
    [
      {
        family: "ip",
        name: "t",
        chains: [{ name: "c", hook: "input", priority: "first" as "raw" }],
      },
      "there is no priority first",
    ],
    [{ family: "ip", name: "t", comment: 'a "quote"' }, "neither quotes"],
    [{ family: "ip", name: "t", comment: "é".repeat(64) }, "1 to 127 bytes"],
    [set({ elements: ["10.0.0.0/8"] }), 'the flag "interval"'],
    [set({ elements: [["10.0.0.1", 80]] }), "expected ipv4_addr, got"],
    [set({ data: "verdict", elements: ["10.0.0.1"] }), "has a value"],
    [
      set({ data: "verdict", elements: [{ key: "10.0.0.1", value: "accept" }] }),
      "a verdict such as",
    ],
    [
      set({ data: "mark", elements: [{ key: "10.0.0.1", value: { code: "drop" } }] }),
      "a value of the map",
    ],
    [set({ type: "ipv5_addr" as "mark" }), "expected one of ipv4_addr"],
    [
      set({ type: "mark", flags: ["interval"], elements: ["1-5"] }),
      "from the least to the greatest",
    ],
  ];
  for (const [table, reason] of refused) {
    const error = assertThrows(() => replaceNftTable(table), InputError);
    assert(error.message.startsWith("Cannot ") && error.message.includes(reason), error.message);
  }
  assertThrows(() => nftMatch.connectionState("old" as "new"), InputError, "there is none");
  assertThrows(() => nftMatch.connectionStatus([]), InputError, "none is said");
  assertThrows(() => nftLimit({ rate: 0, per: "second" }), InputError, "from 1");
});

Deno.test("intervals beside each other have no end between them in a rule's own set", () => {
  const beside = ["10.0.0.128/25", "10.0.0.0/25", "10.0.1.0/25", "255.255.255.0/24"];
  const [, { body } = { body: new Uint8Array() }] = addNftRule({ family: "ip", name: "t" }, "c", {
    expressions: [nftMatch.sourceAddress(beside)],
  });
  const { elements = [] } = untypedCodec(NFT_ELEMENTS)
    .read(input(body), 0, body.length) as NftElements;
  assertEquals(
    elements.map(({ key, flags = [] }) => [key?.value?.join("."), ...flags]),
    [["10.0.0.0"], ["10.0.0.128"], ["10.0.1.0"], ["10.0.1.128", "intervalEnd"], ["255.255.255.0"]],
  );
});

Deno.test("rules of one transaction do not find each other's sets", () => {
  const table = { family: "ip", name: "t" } as const;
  const rule = { expressions: [nftMatch.mark([1, 2])] };
  const ids = [...addNftRule(table, "c", rule), ...addNftRule(table, "c", rule)]
    .filter(({ operation }) => operation.startsWith("add set"));
  assertEquals(ids.length, 2);
  assert(ids[0]!.body.toHex() !== ids[1]!.body.toHex());
});

Deno.test("whatever is to be matched is bytes, or an InputError", () => {
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.ipV4(),
    fc.ipV6(),
    fc.tuple(fc.ipV4(), fc.nat(40)).map((parts) => parts.join("/")),
    fc.tuple(fc.ipV6(), fc.ipV6()).map((parts) => parts.join("-")),
    fc.tuple(fc.nat(70000), fc.nat(70000)).map((parts) => parts.join("-")),
  );
  const match = fc.record({
    match: fc.constantFrom<NftField>(
      ...["sourceAddress", "destinationPort", "protocol", "inputInterface", "mark"] as const,
    ),
    value: fc.oneof(value, fc.array(value)),
    not: fc.boolean(),
    family: fc.constantFrom("ip", "ip6", undefined),
  }) as fc.Arbitrary<NftMatch>;
  const family = fc.constantFrom("inet", "ip", "ip6");
  fc.assert(
    fc.property(family, fc.array(match), (family, matches) => {
      try {
        replaceNftTable(ruled(family, ...matches, nftVerdict.accept()));
      } catch (error) {
        assertInstanceOf(error, InputError);
      }
    }),
    { numRuns: 2000 },
  );
});
