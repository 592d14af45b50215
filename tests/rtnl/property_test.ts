import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import {
  type Codec,
  Connection,
  decodeMessages,
  link,
  MESSAGES,
  type MessageShape,
  NetlinkError,
  NFT_MESSAGES,
} from "../../mod.ts";
import { BRIDGE_VLAN } from "../../rtnl/bridge_vlan.ts";
import { Buffer, input } from "../../rtnl/codec/buffer.ts";
import { untypedCodec } from "../../rtnl/codec/compile.ts";
import { MULTICAST_GROUP_CHANGE } from "../../rtnl/multicast_group.ts";
import { NFT_BATCH } from "../../rtnl/nft/message.ts";
import { arbitrary } from "./arbitrary.ts";
import { FakeKernel, message } from "./fake_kernel.ts";

const SHAPES = new Map<MessageShape, string>(
  Object.entries(MESSAGES).map(([name, [, shape]]) => [shape, name]),
);
SHAPES.set(BRIDGE_VLAN, "RTM_SETLINK of a bridge");
SHAPES.set(MULTICAST_GROUP_CHANGE, "RTM_NEWMDB as a request");
for (const [name, [, shape]] of Object.entries(NFT_MESSAGES)) SHAPES.set(shape, name);
SHAPES.set(NFT_BATCH, "NFNL_MSG_BATCH_BEGIN");

function encode(codec: Codec<unknown>, value: unknown): Uint8Array<ArrayBuffer> {
  const output = new Buffer();
  codec.write(output, value);
  return output.finish().slice();
}

function takes(codec: Codec<unknown>, value: unknown): boolean {
  try {
    const bytes = encode(codec, value);
    return codec.read(input(bytes), 0, bytes.length) !== undefined;
  } catch {
    return false;
  }
}

function decode(codec: Codec<unknown>, bytes: Uint8Array): unknown {
  return codec.read(input(bytes), 0, bytes.length);
}

for (const [shape, name] of SHAPES) {
  Deno.test(`any ${name} is read as it was written, and written again to the same bytes`, () => {
    const codec = untypedCodec(shape);
    fc.assert(
      fc.property(arbitrary(shape, takes), (value) => {
        const bytes = encode(codec, value);
        const read = decode(codec, bytes);
        assert(read !== undefined, "not read");
        assertEquals(encode(codec, read).toHex(), bytes.toHex());
        assertContains(read, value, name);
      }),
      { numRuns: 60 },
    );
  });
}

/** What was said is all there; a header's fields are there even where nothing was said. */
function assertContains(read: unknown, said: unknown, path: string): void {
  if (said === undefined) return;
  if (said instanceof Uint8Array || typeof said !== "object" || said === null) {
    return assertEquals(read, said, path);
  }
  if (Array.isArray(said)) {
    assertEquals((read as unknown[] | undefined)?.length ?? 0, said.length, path);
    const isFlags = said.every((entry) => typeof entry === "string");
    if (isFlags) return assertEquals([...read as string[]].sort(), [...said].sort(), path);
  }
  for (const [key, value] of Object.entries(said)) {
    assertContains((read as Record<string, unknown>)[key], value, `${path}.${key}`);
  }
}

Deno.test("random, cut and flipped messages never throw, and are never read past their end", () => {
  const types = Object.values(MESSAGES).map(([type]) => type);
  const shapes = new Map([...SHAPES].map(([shape, name]) => [name, shape]));
  const any = fc.constantFrom(...shapes.keys()).chain((name) =>
    fc.record({
      name: fc.constant(name),
      value: arbitrary(shapes.get(name)!, takes),
      type: fc.constantFrom(...types),
      flips: fc.array(fc.tuple(fc.nat(4000), fc.nat(7)), { maxLength: 6 }),
      cut: fc.option(fc.nat(4000)),
      offset: fc.nat(600),
      number: fc.nat(80),
    })
  );
  fc.assert(
    fc.property(any, ({ name, value, type, flips, cut, offset, number }) => {
      const codec = untypedCodec(shapes.get(name)!);
      const whole = encode(codec, value);
      for (const [at, bit] of flips) {
        if (at < whole.length) whole[at]! ^= 1 << bit;
      }
      const end = cut === null ? whole.length : Math.min(cut, whole.length);
      // Behind the message stands what must not be read: it would change the value.
      const padded = new Uint8Array(end + 64).fill(0x58);
      padded.set(whole.subarray(0, end));
      assertEquals(codec.read(input(padded), 0, end), decode(codec, whole.slice(0, end)));
      codec.locate?.(input(padded), 0, end, offset);
      codec.nameAt?.(input(padded), 0, end, offset, number);
      decodeMessages(message(type, 1, 0, whole.subarray(0, end)));
      decodeMessages(whole);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("whatever a kernel answers, a request ends, with an answer or with a NetlinkError", async () => {
  const datagram = fc.uint8Array({ minLength: 1, maxLength: 300 }).chain((bytes) =>
    fc.record({
      bytes: fc.constant(bytes),
      type: fc.constantFrom(1, 2, 3, 16, 24),
      flags: fc.nat(0xffff),
      framed: fc.boolean(),
    })
  );
  await fc.assert(
    fc.asyncProperty(fc.array(datagram, { maxLength: 5 }), async (datagrams) => {
      const kernel = new FakeKernel(([asked]) =>
        datagrams.map(({ bytes, type, flags, framed }) =>
          framed ? message(type, asked!.sequence, flags, bytes) : Uint8Array.from(bytes)
        )
      );
      const connection = new Connection(kernel);
      for (const request of [link.list(), link.get({ name: "a" }), link.add({ name: "a" })]) {
        try {
          await connection.request<unknown>(request);
        } catch (error) {
          assertInstanceOf(error, NetlinkError);
        }
      }
    }),
    { numRuns: 500 },
  );
});
