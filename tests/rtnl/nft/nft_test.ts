import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  ExistsError,
  InputError,
  NetlinkError,
  NotFoundError,
  PermissionError,
} from "../../../ffi/mod.ts";
import { Buffer, input } from "../../../rtnl/codec/buffer.ts";
import { untypedCodec } from "../../../rtnl/codec/compile.ts";
import {
  addNftRule,
  Connection,
  Nft,
  NFT_MESSAGES,
  NFT_RULE,
  nftChain,
  nftCounter,
  nftElement,
  nftMatch,
  type NftRule,
  nftRule,
  nftSet,
  nftTable,
  nftVerdict,
  replaceNftTable,
  type Request,
} from "../../../rtnl/mod.ts";
import { kernelTest, runIn } from "../../support.ts";
import { acknowledgement, type Asked, FakeKernel, message, type Queued } from "../fake_kernel.ts";
import { listed, nftIn, nftTest } from "./support.ts";

const TABLE = { family: "ip", name: "t" } as const;
const CHAIN = { family: "ip", table: "t", name: "c" } as const;
const RULE = {
  family: "ip",
  table: "t",
  chain: "c",
  expressions: [{ name: "counter", data: {} }],
} as const satisfies Parameters<typeof nftRule.add>[0];

nftTest("a transaction is made whole or not at all", {}, async ({ netns }) => {
  await runIn(netns, "nft", "table ip t { chain c { counter accept; }; }");
  using nft = await nftIn(netns);
  const before = await listed(netns);
  const bad: [Request<void>, string, string | undefined][] = [
    [nftRule.add({ ...RULE, chain: "none" }), "add rule ip t none", "chain"],
    [nftRule.delete({ ...RULE, handle: 77n }), "delete rule ip t c handle 77", "handle"],
    [nftTable.create(TABLE), "create table ip t", "name"],
    [
      nftRule.add({
        ...RULE,
        userdata: { comment: "odd" },
        expressions: [
          { name: "counter", data: {} },
          { name: "cmp", data: { sreg: 99, op: "eq", data: { value: new Uint8Array(4) } } },
        ],
      }),
      'add rule ip t c comment "odd"',
      "expressions.1",
    ],
    [nftRule.add({ ...RULE, expressions: [{ name: "odd" }] }), "add rule ip t c", "expressions.0"],
  ];
  for (const [request, operation, attribute] of bad) {
    const changes = [
      nftTable.add({ family: "inet", name: "another" }),
      nftRule.delete({ family: "ip", table: "t", chain: "c" }),
      request,
      nftRule.add(RULE),
      nftChain.add({ ...CHAIN, name: "d" }),
    ];
    for (
      const error of [
        await assertRejects(() => nft.transaction(changes), NetlinkError),
        assertThrows(() => nft.transactionSync(changes), NetlinkError),
      ]
    ) {
      assertEquals([error.operation, error.attribute], [operation, attribute]);
      assert(error.message.startsWith(`Cannot ${operation}: the kernel answered`), error.message);
    }
    assertEquals(await listed(netns), before);
  }
  await nft.transaction([]);
  await nft.transaction([
    nftRule.delete({ family: "ip", table: "t", chain: "c" }),
    nftRule.add(RULE),
  ]);
  assert(
    (await listed(netns)).join().includes("counter") &&
      !(await listed(netns)).join().includes("accept"),
  );
});

kernelTest("errors are told apart, single changes are transactions", {}, async ({ netns }) => {
  using nft = await nftIn(netns);
  await assertRejects(() => nft.tables.get(TABLE), NotFoundError, "Cannot get table ip t");
  await nft.tables.create(TABLE);
  await nft.tables.add(TABLE);
  await assertRejects(() => nft.tables.create(TABLE), ExistsError, "Cannot create table ip t");
  assertEquals((await nft.tables.get(TABLE)).name, "t");
  nft.requestSync(nftChain.add(CHAIN));
  await nft.rules.add(RULE);
  await nft.rules.insert({ ...RULE, userdata: { comment: "first" } });
  const rules = await Array.fromAsync(nft.rules.list({ family: "ip", table: "t" }));
  assertEquals(rules.map(({ userdata }) => userdata?.comment), ["first", undefined]);
  const [{ handle }] = rules as [{ handle: bigint }];
  await nft.rules.replace({ ...RULE, handle, userdata: { comment: "other" } });
  assertEquals((await nft.rules.get({ ...RULE, handle })).userdata, { comment: "other" });
  await nft.rules.delete({ ...RULE, handle });
  assertEquals(nft.requestSync(nftRule.list()).length, 1);
  assertEquals((await Array.fromAsync(nft.chains.list({ table: "none" }))).length, 0);
  assertEquals((await nft.chains.get(CHAIN)).use, 1);
  await nft.tables.delete(TABLE);
  assertEquals(await Array.fromAsync(nft.tables.list()), []);
  nft.close();
  await assertRejects(() => nft.tables.add(TABLE), InputError, "closed");
});

kernelTest("sets, elements and objects come and go", {}, async ({ netns }) => {
  using nft = await nftIn(netns);
  const set = { family: "ip", table: "t", name: "s" } as const;
  const elements = { family: "ip", table: "t", set: "s" } as const;
  const key = (...bytes: number[]) => ({ key: { value: Uint8Array.from(bytes) } });
  await nft.transaction([
    nftTable.add(TABLE),
    nftSet.create({ ...set, keyType: 7, keyLen: 4 }),
    nftElement.add({ ...elements, elements: [key(10, 0, 0, 1), key(10, 0, 0, 2)] }),
  ]);
  assertEquals((await nft.sets.get(set)).keyLen, 4);
  await assertRejects(
    () => nft.elements.create({ ...elements, elements: [key(10, 0, 0, 1)] }),
    ExistsError,
    "Cannot create elements of set ip t s",
  );
  await nft.elements.delete({ ...elements, elements: [key(10, 0, 0, 1)] });
  const left = await Array.fromAsync(nft.elements.list(elements));
  assertEquals(left.map(({ key }) => key), [{ value: Uint8Array.of(10, 0, 0, 2) }]);
  await nft.sets.delete(set);
  assertEquals(await Array.fromAsync(nft.sets.list()), []);
  const hits = { family: "ip", table: "t", name: "hits", type: "counter" } as const;
  await nft.objects.create({ ...hits, data: { packets: 1n, bytes: 2n } });
  assertEquals((await nft.objects.get(hits)).data, { packets: 1n, bytes: 2n });
  await nft.objects.delete(hits);
  await assertRejects(
    () => nft.objects.delete(hits),
    NotFoundError,
    "Cannot delete counter ip t hits",
  );
});

nftTest(
  "a ruleset that somebody changed meanwhile is left alone",
  {},
  async ({ netns }) => {
    using nft = await nftIn(netns);
    const generation = await nft.generation();
    await runIn(netns, "nft", "add table ip theirs");
    assert(await nft.generation() !== generation);
    const error = await assertRejects(
      () => nft.transaction([nftTable.add(TABLE), nftChain.add(CHAIN)], { generation }),
      NetlinkError,
    );
    assertEquals([error.code, error.operation], ["ERESTART", "add table ip t, and 1 more"]);
    assert(error.message.endsWith("read it again, and try again"), error.message);
    assertEquals((await Array.fromAsync(nft.tables.list())).map(({ name }) => name), ["theirs"]);
    await nft.transaction([nftTable.add(TABLE)], { generation: await nft.generation() });
  },
);

kernelTest("the first of thousands of refusals is told", {}, async ({ netns }) => {
  using nft = await nftIn(netns);
  await nft.tables.add(TABLE);
  const changes = Array.from(
    { length: 5000 },
    (_, i) => nftRule.add({ ...RULE, chain: `none${i}` }),
  );
  const error = await assertRejects(
    () => nft.transaction([nftChain.add(CHAIN), ...changes]),
    NotFoundError,
  );
  assertEquals(error.operation, "add rule ip t none0");
  // The socket is good for more.
  assertEquals(await Array.fromAsync(nft.chains.list()), []);
  await nft.chains.add(CHAIN);
});

kernelTest(
  "what only the last change makes too deep is refused whole",
  {},
  async ({ netns }) => {
    using nft = await nftIn(netns);
    const jump = (from: string, to: string) =>
      nftRule.add({
        ...RULE,
        chain: from,
        expressions: [{
          name: "immediate",
          data: { dreg: 0, data: { verdict: { code: "jump", chain: to } } },
        }],
      });
    const chains = Array.from({ length: 30 }, (_, i) => `c${i}`);
    const error = await assertRejects(() =>
      nft.transaction([
        nftTable.add(TABLE),
        ...chains.map((name) => nftChain.add({ ...CHAIN, name })),
        nftChain.add({
          ...CHAIN,
          hook: { hooknum: "input", priority: 0 },
          type: "filter",
          policy: "accept",
        }),
        // Only the last rule makes it too deep.
        ...chains.slice(1).map((name, i) => jump(chains[i]!, name)),
        jump("c", "c0"),
      ]), NetlinkError);
    assertEquals(error.code, "EMLINK");
    assertEquals(await Array.fromAsync(nft.tables.list()), []);
  },
);

kernelTest("many transactions and lists at once on one connection", {}, async ({ netns }) => {
  using nft = await nftIn(netns);
  const tables = Array.from({ length: 30 }, (_, i) => `t${i}`);
  const [lists] = await Promise.all([
    Promise.all(tables.map(() => Array.fromAsync(nft.chains.list()))),
    ...tables.map((name) =>
      nft.transaction(
        replaceNftTable({ family: "inet", name, chains: [{ name: "c" }, { name: "d" }] }),
      )
    ),
  ]);
  for (const list of lists) assertEquals(list.length % 2, 0, "a table is seen half made");
  assertEquals((await Array.fromAsync(nft.chains.list())).length, 60);
});

kernelTest("a connection opened here acts here", {}, async () => {
  using nft = Nft.open();
  const generation = await nft.generation();
  assert(Number.isInteger(generation));
});

Deno.test("a rule is the bytes that nft sends", () => {
  // strace of nft 'add rule ip t c iifname "br0" counter accept comment "abc"'
  const sent = [
    "02000000", // struct nfgenmsg
    "06000100" + "74000000" + "06000200" + "63000000", // table, chain
    "a4000480", // expressions
    "24000180" + "09000100" + "6d65746100000000" + "14000280", // meta
    "08000200" + "00000006" + "08000100" + "00000001",
    "38000180" + "08000100" + "636d7000" + "2c000280", // cmp
    "08000100" + "00000001" + "08000200" + "00000000" + "18000380" + "14000100",
    "62723000000000000000000000000000",
    "14000180" + "0c000100" + "636f756e74657200" + "04000280", // counter
    "30000180" + "0e000100" + "696d6d656469617465000000" + "1c000280", // immediate
    "08000100" + "00000000" + "10000280" + "0c000280" + "08000100" + "00000001",
    "0a000700" + "000461626300" + "0000", // userdata
  ].join("");
  const [rule] = addNftRule({ family: "ip", name: "t" }, "c", {
    expressions: [nftMatch.inputInterface("br0"), nftCounter(), nftVerdict.accept()],
    comment: "abc",
  });
  assertEquals(rule!.body.toHex(), sent);
});

Deno.test("user data that would not come out again as it came is kept as bytes", () => {
  const codec = untypedCodec(NFT_RULE);
  const read = (userdata: string) => {
    const length = 4 + userdata.length / 2;
    const body = Uint8Array.fromHex(
      `020000000${length.toString(16)}000700${userdata}${"00".repeat(-length & 3)}`,
    );
    const value = codec.read(input(body), 0, body.length) as NftRule;
    const output = new Buffer();
    codec.write(output, value);
    assertEquals(output.finish().toHex(), body.toHex());
    return value;
  };
  assertEquals(read("0002" + "6100").userdata, { comment: "a" });
  const other = { type: 5, bytes: Uint8Array.of(7) };
  assertEquals(read("0002" + "6100" + "050107").userdata, { comment: "a", unknown: [other] });
  // In another order, cut off, without its NUL.
  for (const odd of ["050107" + "0002" + "6100", "0009" + "6100", "0001" + "61"]) {
    const { userdata, unknown } = read(odd);
    assertEquals([userdata, unknown?.[0]?.bytes.toHex()], [undefined, odd]);
  }
});

const ENOBUFS = 105;
const EPERM = 1;
const EINVAL = 22;
const CHANGES = [nftTable.add(TABLE), nftChain.add(CHAIN), nftRule.add(RULE)];

/** What a transaction comes to where a kernel answers so, and what the kernel was asked. */
async function answered(answer: (asked: Asked[]) => Queued[]) {
  const kernel = new FakeKernel((asked) => answer(asked));
  const nft = new Nft(new Connection(kernel));
  const error = await nft.transaction(CHANGES).then(() => undefined, (error) => error);
  return { error, sent: kernel.sent };
}

Deno.test("a transaction is one message, and asks for one answer", async () => {
  const { error, sent } = await answered((asked) => [acknowledgement(asked[3]!.sequence)]);
  assertEquals(error, undefined);
  assertEquals(sent.map((group) => group.map(({ type }) => type)), [[16, 0xa00, 0xa03, 0xa06, 17]]);
  assertEquals(sent[0]!.map(({ flags }) => (flags & 4) !== 0), [false, false, false, true, false]);
});

Deno.test("the refusal of a bracket is that of the transaction", async () => {
  const { error } = await answered((asked) => [acknowledgement(asked[0]!.sequence, EPERM)]);
  assertInstanceOf(error, PermissionError);
  assertEquals(error.operation, "add table ip t, and 2 more");
  // Refused at last, after all changes were found good.
  const late = await answered((asked) => [
    acknowledgement(asked[0]!.sequence, EINVAL),
    acknowledgement(asked[3]!.sequence),
  ]);
  assertInstanceOf(late.error, NetlinkError);
  assertEquals(late.error.operation, "add table ip t, and 2 more");
});

Deno.test("of a transaction whose answers were lost the refusal is told that was not", async () => {
  // That some are lost is said before those that are left are read.
  const { error } = await answered((
    asked,
  ) => [-ENOBUFS, acknowledgement(asked[2]!.sequence, EINVAL)]);
  assertInstanceOf(error, NetlinkError);
  assertEquals([error.code, error.operation], ["EINVAL", "add chain ip t c"]);
  const { error: unknown } = await answered(() => [-ENOBUFS]);
  assertInstanceOf(unknown, NetlinkError);
  assertEquals([unknown.code, unknown.operation], ["ENOBUFS", "add table ip t, and 2 more"]);
  assert(unknown.message.includes("look whether it was carried out"));
});

Deno.test("what is too long for one message says so", async () => {
  const EMSGSIZE = 90;
  const kernel = new class extends FakeKernel {
    override send(): Promise<number> {
      return Promise.resolve(-EMSGSIZE);
    }
  }(() => []);
  const error = await assertRejects(
    () => new Nft(new Connection(kernel)).transaction(CHANGES),
    NetlinkError,
  );
  assertEquals([error.code, error.operation], ["EMSGSIZE", "add table ip t, and 2 more"]);
  assert(error.message.endsWith("or make several transactions"), error.message);
});

Deno.test("whatever a kernel answers, a request ends, with an answer or with a NetlinkError", async () => {
  const types = [1, 2, 3, ...Object.values(NFT_MESSAGES).map(([type]) => type)];
  const datagram = fc.record({
    bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    type: fc.constantFrom(...types),
    flags: fc.nat(0xffff),
    which: fc.nat(4),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(datagram, { maxLength: 5 }), async (datagrams) => {
      const nft = new Nft(
        new Connection(
          new FakeKernel((asked) =>
            datagrams.map(({ bytes, type, flags, which }) =>
              message(type, asked[which % asked.length]!.sequence, flags, bytes)
            )
          ),
        ),
      );
      const ends: (() => Promise<unknown>)[] = [
        () => nft.transaction(CHANGES),
        () => Array.fromAsync(nft.rules.list()),
        () => nft.request(nftElement.list({ family: "ip", table: "t", set: "s" })),
        () => nft.chains.get(CHAIN),
        () => nft.generation(),
      ];
      for (const end of ends) {
        try {
          await end();
        } catch (error) {
          assertInstanceOf(error, NetlinkError);
        }
      }
    }),
    { numRuns: 300 },
  );
});
