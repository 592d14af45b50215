/** What nft makes, we read, write again to the same bytes, and make again. */

import { assert, assertEquals } from "@std/assert";
import { AF_NETLINK, NETLINK_NETFILTER, SOCK_RAW } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink_socket.ts";
import type { Netns } from "../../../netns/mod.ts";
import { Buffer, input } from "../../../rtnl/codec/buffer.ts";
import { untypedCodec } from "../../../rtnl/codec/compile.ts";
import {
  Connection,
  Nft,
  NFT_MESSAGES,
  nftChain,
  nftElement,
  type NftExpression,
  nftObject,
  nftRule,
  nftSet,
  nftTable,
  type Request,
} from "../../../rtnl/mod.ts";
import { frames } from "../../../rtnl/request.ts";
import { unknownIn } from "../referee.ts";
import { runIn } from "../../support.ts";
import { BROAD_RULES, BROAD_TABLES } from "./broad.ts";
import { listed, nftIn, nftTest } from "./support.ts";

/** Kinds of which there is no table: their bytes are kept. */
const WITHOUT_TABLE = ["dup", "synproxy"];

nftTest(
  "what nft makes is read and written to the same bytes",
  {},
  async ({ netns }) => {
    await makeBroad(netns);
    const bodies: [type: number, body: Uint8Array][] = [];
    using nft = await recording(netns, bodies);
    const ruleset = await everything(nft);
    assert(bodies.length > 90, `only ${bodies.length} messages`);
    const shapes = new Map(Object.values(NFT_MESSAGES));
    const reordered = bodies.filter(([type, body]) => {
      const codec = untypedCodec(shapes.get(type)!);
      const value = codec.read(input(body), 0, body.length);
      assert(value !== undefined);
      const output = new Buffer();
      codec.write(output, value);
      const ours = output.finish();
      if (areSame(ours, body)) return false;
      // Kernels do not all list in the same order.
      assertEquals(ours.length, body.length);
      assertEquals(codec.read(input(ours), 0, ours.length), value);
      return true;
    });
    assert(reordered.length < bodies.length / 3, `${reordered.length} are in another order`);
    const kinds = new Set(
      ruleset.rules.flatMap(({ expressions }) => expressions!.map((e) => e.name)),
    );
    assert(kinds.size > 25, [...kinds].join());
    const known = ruleset.rules.flatMap(({ expressions }) => expressions!)
      .filter(({ name }) => !WITHOUT_TABLE.includes(name!));
    assertEquals(unknownIn({ ...ruleset, rules: known }), [], "attributes without a row");
  },
);

/** The kernel leaves NLA_F_NESTED out, and nothing else is different. */
function areSame(ours: Uint8Array, theirs: Uint8Array): boolean {
  return ours.length === theirs.length &&
    ours.every((byte, i) => byte === theirs[i] || (byte ^ theirs[i]!) === 0x80);
}

nftTest("what nft makes is made again from what was read", {}, async (kernel) => {
  const other = await kernel.another();
  await makeBroad(kernel.netns);
  using read = await nftIn(kernel.netns);
  using write = await nftIn(other);
  await write.transaction(again(await everything(read)));
  const [theirs, ours] = await Promise.all([kernel.netns, other].map(listed));
  assert(theirs!.length > 120);
  assertEquals(ours, theirs);
});

async function makeBroad(netns: Netns): Promise<void> {
  await runIn(netns, "nft", BROAD_TABLES);
  const lacking: string[] = [];
  let all = 0;
  for (const [chain, rules] of Object.entries(BROAD_RULES)) {
    for (const rule of rules) {
      all++;
      try {
        await runIn(netns, "nft", `add rule ${chain} ${rule}`);
      } catch {
        lacking.push(rule);
      }
    }
  }
  assert(lacking.length < all / 3, `nft has refused ${lacking.join(", ")}`);
}

/** A connection that keeps the messages that it receives. */
async function recording(netns: Netns, bodies: [number, Uint8Array][]): Promise<Nft> {
  using rtnl = await netns.connect();
  const descriptor = await rtnl.openSocket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  const socket = new NetlinkSocket(descriptor, undefined, NETLINK_NETFILTER);
  const receive = socket.receive.bind(socket);
  socket.receive = () => {
    const datagram = receive();
    if (datagram instanceof Uint8Array) {
      for (const { type, start, end } of frames(input(datagram))) {
        if (type >= 0x100) bodies.push([type, datagram.slice(start, end)]);
      }
    }
    return datagram;
  };
  return new Nft(new Connection(socket));
}

/** All that there is. */
async function everything(nft: Nft) {
  const sets = await Array.fromAsync(nft.sets.list());
  const elements = [];
  for (const { family, table, name } of sets) {
    const spec = { family, table, set: name };
    elements.push({ ...spec, elements: await nft.request(nftElement.list(spec)) });
  }
  return {
    tables: await Array.fromAsync(nft.tables.list()),
    chains: await Array.fromAsync(nft.chains.list()),
    objects: await Array.fromAsync(nft.objects.list()),
    sets,
    elements,
    rules: await Array.fromAsync(nft.rules.list()),
  };
}

/** The requests that make it. */
function again(
  { tables, chains, objects, sets, elements, rules }: Awaited<ReturnType<typeof everything>>,
): Request<void>[] {
  // What the kernel numbers and counts is not to be said.
  const unnumbered = { handle: undefined, use: undefined };
  const hooked = chains.filter(({ hook }) => hook !== undefined);
  return [
    ...tables.map((table) => nftTable.add({ ...table, ...unnumbered })),
    ...[...chains.filter((chain) => !hooked.includes(chain)), ...hooked]
      .map((chain) => nftChain.add({ ...chain, ...unnumbered })),
    ...objects.map((object) => nftObject.add({ ...object, ...unnumbered })),
    ...sets.map((set) =>
      nftSet.add({ ...set, handle: undefined, type: undefined, count: undefined })
    ),
    ...elements.filter(({ elements }) => elements.length > 0).map((spec) => nftElement.add(spec)),
    ...rules.map((rule) =>
      nftRule.add({
        ...rule,
        handle: undefined,
        position: undefined,
        expressions: rule.expressions?.map(taken),
      })
    ),
  ];
}

/** The kernel lists flags of a change of a TCP option, and refuses to be told of any. */
function taken(expression: NftExpression): NftExpression {
  const { name, data } = expression;
  return name === "exthdr" && data?.sreg !== undefined
    ? { ...expression, name, data: { ...data, flags: undefined } }
    : expression;
}
