/**
 * Queueing disciplines at the root of links: rates, delays and losses. The major number of its handle says
 * that a topology made it, and is another one when anything that it says is.
 *
 * @module
 */

import { InputError } from "../../../ffi/errors.ts";
import { type Qdisc, qdisc } from "../../../rtnl/tc/mod.ts";
import type { Shape } from "../../../rtnl/codec/shape.ts";
import { QDISC_KINDS } from "../../../rtnl/tc/qdiscs.ts";
import { toAttributes } from "../attributes.ts";
import { bucketOf } from "../../rate.ts";
import { digestOf, said } from "../canonical.ts";
import { nameOf } from "../place.ts";
import type { ThingType, Work } from "../state.ts";
import type { LinkEntry } from "../types.ts";
import { parsePercent, parseRate, parseTime } from "../units.ts";

/** A queueing discipline, and its link. */
export interface QdiscValue {
  dev: string;
  kind: string;
  options?: object | undefined;
  handle: string;
}

/** Packets that netem keeps, at most: a second of full-size packets at 1 Gbit/s. */
const NETEM_LIMIT = 100_000;

/** Queueing disciplines at the root of links. */
export const QDISCS: ThingType<QdiscValue> = {
  kind: "qdisc",
  wanted: ({ links }) =>
    [...links].flatMap(([dev, { entry, path }]) => {
      const asked = askedOf(entry);
      if (asked === undefined) return [];
      const key = KEYS.find((key) => entry[key] !== undefined)!;
      const value = { dev, ...asked, handle: `${(0xd000 | numberOf(asked)).toString(16)}:` };
      return [{ name: nameIt(value), value, path: [...path, key] }];
    }),
  found: ({ qdiscs, place }) =>
    qdiscs.filter(({ handle, parent }) => parent === "root" && /^d[0-9a-f]{3}:$/.test(handle ?? ""))
      .map((it) => {
        const value: QdiscValue = {
          dev: nameOf(place, it.index!),
          kind: it.kind!,
          options: it.options,
          handle: it.handle!,
        };
        return { name: nameIt(value), value };
      }),
  compare(wanted, found) {
    const has = { ...found.options } as Record<string, unknown>;
    // Those that are said in other units than the kernel says them in are left to the handle.
    const keys = Object.keys(wanted.options ?? {}).filter((key) => key in has && !UNLIKE.has(key));
    const differences = keys.flatMap((key) => {
      const after = (wanted.options as Record<string, unknown>)[key];
      return contains(has[key], after) ? [] : [{ key, before: has[key], after }];
    });
    if (differences.length > 0 || wanted.handle === found.handle) return differences;
    return [{ key: "options", before: found.options, after: wanted.options }];
  },
  on: ({ dev }, netns) => [{ netns, link: dev }],
  add: (work, value) => [qdisc.add(requestOf(work, value))],
  remove: (work, { dev }) => [qdisc.delete({ index: work.index(dev), parent: "root" })],
};

const KEYS = ["qdisc", "rate", "delay", "jitter", "loss"] as const;
const UNLIKE = new Set(["burst", "peakBurst", "rateTable", "peakRateTable", "delayDistribution"]);

function nameIt({ dev }: QdiscValue): string {
  return `root dev ${dev}`;
}

function numberOf(asked: object): number {
  return parseInt(digestOf(asked).slice(-3), 16);
}

/** What a link's entry asks for: in full, or in short. */
function askedOf({ qdisc: full, rate, delay, jitter, loss }: LinkEntry) {
  if (full !== undefined) {
    const shape = QDISC_KINDS[full.kind as keyof typeof QDISC_KINDS] as Shape | undefined;
    const options = shape === undefined ? full.options : toAttributes(shape, full.options);
    return said({ kind: full.kind, options: options as object | undefined });
  }
  if (delay === undefined && jitter === undefined && loss === undefined) {
    if (rate === undefined) return undefined;
    return bucketOf(parseRate(rate));
  }
  if (jitter !== undefined && delay === undefined) {
    throw new InputError("Cannot vary a delay that is not there: say delay beside jitter");
  }
  return {
    kind: "netem",
    options: said({
      limit: NETEM_LIMIT,
      latency64: delay === undefined ? undefined : BigInt(parseTime(delay)),
      jitter64: jitter === undefined ? undefined : BigInt(parseTime(jitter)),
      loss: loss === undefined ? undefined : parsePercent(loss),
      ...rate === undefined ? {} : bytesPerSecond(Math.ceil(parseRate(rate) / 8)),
    }),
  };
}

function bytesPerSecond(rate: number) {
  const whole = rate < 0xffffffff;
  return {
    rate: { rate: whole ? rate : 0xffffffff, packetOverhead: 0, cellSize: 0, cellOverhead: 0 },
    ...whole ? {} : { rate64: BigInt(rate) },
  };
}

function requestOf({ index }: Work, { dev, kind, options, handle }: QdiscValue): Qdisc {
  return said({ index: index(dev), parent: "root", handle, kind, options }) as Qdisc;
}

/** Whether a value has all that another says. */
function contains(has: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return String(has) === String(wanted);
  return typeof has === "object" && has !== null &&
    Object.entries(wanted).every(([key, value]) =>
      contains((has as Record<string, unknown>)[key], value)
    );
}
