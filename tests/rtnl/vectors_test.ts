/**
 * What `ip` sent and the kernel answered, on two kernels (tools/capture.ts): read, written again, and
 * compared with what we send for the same.
 */

import { assert, assertEquals } from "@std/assert";
import { decodeMessages, MESSAGES } from "../../mod.ts";
import type { Vector } from "../../tools/capture.ts";
import { Buffer, input } from "../../rtnl/codec/buffer.ts";
import { untypedCodec } from "../../rtnl/codec/compile.ts";
import { BRIDGE_VLAN } from "../../rtnl/bridge_vlan.ts";
import { MULTICAST_GROUP_CHANGE } from "../../rtnl/multicast_group.ts";
import { frame, frames, type Request } from "../../rtnl/request.ts";
import { LINKS, OBJECTS } from "./cases.ts";
import { unknownIn } from "./referee.ts";
import old from "../vectors/linux-6.1.json" with { type: "json" };
import recent from "../vectors/linux-6.18.json" with { type: "json" };

const CAPTURES = [old, recent] as { kernel: string; vectors: Vector[] }[];
const CASES = new Map([...LINKS, ...OBJECTS].map((thing) => [thing.name, thing]));

/** What we say otherwise on purpose: the kernel makes the same of it, as objects_test.ts shows. */
const OTHERWISE: [path: string, reason: string][] = [
  [".linkInfo.slave", "ip names a port's kind as if it were the link's: bridge_slave"],
  [".options.parameters.buffer", "the burst is an attribute of its own in bytes"],
  [".options.parameters.rate.cell", "no rate table, so no cells of one"],
  [".options.parameters.ceiling.cell", "the same"],
  [".options.latency", "64 bits of nanoseconds in place of ticks"],
  [".options.jitter", "the same"],
  [".options.actions.0.options.parameters.mtu", "the rate table's size, which no packet exceeds"],
  [".options.actions.0.options.rateTable", "the kernel wants a table, and does not read it"],
];

function messagesOf(hex: string) {
  return decodeMessages(Uint8Array.fromHex(hex)).filter(({ type }) => type !== "NLMSG_ERROR");
}

for (const { kernel, vectors } of CAPTURES) {
  Deno.test(`all that was captured on Linux ${kernel} is understood, and written again the same`, () => {
    let read = 0;
    for (const { name, sent, received } of vectors) {
      for (const hex of [...sent, ...received]) {
        const bytes = Uint8Array.fromHex(hex);
        for (const { type, start, end } of frames(input(bytes))) {
          const shape = shapeOf(type, bytes[start]!, sent.includes(hex));
          if (shape === undefined) continue;
          const codec = untypedCodec(shape);
          const value = codec.read(input(bytes), start, end);
          assert(value !== undefined, name);
          // ip names a port's kind where the kernel looks for the link's own, which it lets pass.
          const port = name === "bridge port" && sent.includes(hex);
          if (!port) assertEquals(unknownIn(value), [], name);
          const output = new Buffer();
          codec.write(output, value);
          const again = output.finish();
          assertEquals(
            withoutFalseFlags(codec.read(input(again), 0, again.length)!),
            withoutFalseFlags(value),
            name,
          );
          read++;
        }
      }
    }
    assert(read > 3 * vectors.length);
  });

  Deno.test(`we send what ip sends on Linux ${kernel}`, () => {
    const differences: Record<string, string[]> = {};
    for (const { name, sent } of vectors) {
      const theirs = sent.flatMap(messagesOf).filter(({ message }) => message !== undefined);
      const thing = CASES.get(name);
      assert(thing !== undefined, `${name} is no case any more: capture again`);
      const ours = thing.requests.map(asSent);
      assertEquals(ours.map(kindOf), theirs.map(kindOf), name);
      for (const [i, { message }] of theirs.entries()) {
        for (const difference of differencesIn(message!, ours[i]!.message!, "")) {
          (differences[difference] ??= []).push(name);
        }
      }
    }
    for (const [path, cases] of Object.entries(differences)) {
      const known = OTHERWISE.find(([start]) => path.startsWith(start));
      assert(known !== undefined, `${path} in ${cases.join(", ")}`);
    }
  });
}

/** That a flag is not set is said by leaving it out, where the kernel's answer has a zero. */
function withoutFalseFlags(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => {
    if (typeof inner === "bigint") return `${inner}n`;
    return key === "ttlInherit" && inner === false ? undefined : inner;
  }));
}

function shapeOf(type: number, family: number, request: boolean) {
  const shape = Object.values(MESSAGES).find(([number]) => number === type)?.[1];
  if (shape === MESSAGES.RTM_NEWLINK![1] && family === 7) return BRIDGE_VLAN;
  return request && shape === MESSAGES.RTM_NEWMDB![1] ? MULTICAST_GROUP_CHANGE : shape;
}

/** To the kernel a set link is a new link without NLM_F_CREATE. */
function kindOf({ type }: { type: string | number }): string {
  return String(type).replace("RTM_SETLINK", "RTM_NEWLINK");
}

function asSent(request: Request<unknown>) {
  const output = new Buffer();
  frame(output, request, 1, true);
  return decodeMessages(output.finish())[0]!;
}

/** Paths of what we say and ip does not, or otherwise; ip says more, with a zero for what was not said. */
function differencesIn(theirs: unknown, ours: unknown, path: string): string[] {
  if (ours instanceof Uint8Array || typeof ours !== "object" || ours === null) {
    return theirs === ours ? [] : [`${path}: ip ${show(theirs)}, we ${show(ours)}`];
  }
  return Object.entries(ours).flatMap(([key, value]) =>
    differencesIn((theirs as Record<string, unknown> | undefined)?.[key], value, `${path}.${key}`)
  );
}

function show(value: unknown): string {
  return value instanceof Uint8Array
    ? `${value.length} bytes`
    : JSON.stringify(value, (_, v) => typeof v === "bigint" ? `${v}n` : v);
}
