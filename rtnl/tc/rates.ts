/**
 * Numbers that many queueing disciplines share (linux/pkt_sched.h).
 *
 * @module
 */

import { bytes, s16, show, u16, u32, u64, u8 } from "../codec/scalars.ts";
import { type Codec, type StructShape, type Table, ValueError } from "../codec/shape.ts";

/** struct tc_ratespec: bytes in a second, and how a packet's size counts. */
export const RATE = {
  struct: {
    /** log2 of the size that one entry of a rate table stands for. */
    cellLog: u8,
    /** Without "ethernet" or "atm" the kernel wants a rate table. */
    linkLayer: { oneOf: u8, names: { unaware: 0, ethernet: 1, atm: 2 } },
    /** Bytes that each packet counts more. */
    overhead: u16,
    cellAlign: s16,
    /** The least size that a packet counts. */
    minimum: u16,
    /** Bytes in a second; 4294967295 where the 64-bit attribute says it. */
    rate: u32,
  },
} as const satisfies StructShape;

// A class's major and minor number with names of their own (linux/pkt_sched.h).
const HANDLES: Record<string, number> = { none: 0, root: 0xffffffff, ingress: 0xfffffff1 };
const HANDLE_NAMES = new Map(Object.entries(HANDLES).map(([name, number]) => [number, name]));

/** A handle as `tc` writes it: "1:" a qdisc's, "1:a" a class's (hexadecimal), "root", "ingress", "none". */
export const handle: Codec<string> = {
  size: 4,
  read(input, start, end) {
    const number = u32.read(input, start, end);
    if (number === undefined) return undefined;
    const minor = number & 0xffff;
    return HANDLE_NAMES.get(number) ??
      `${(number >>> 16).toString(16)}:${minor === 0 ? "" : minor.toString(16)}`;
  },
  write(output, value) {
    const parts = /^([0-9a-f]{0,4}):([0-9a-f]{0,4})$/i.exec(String(value));
    const number = Object.hasOwn(HANDLES, value)
      ? HANDLES[value]
      : parts === null
      ? undefined
      : parseInt(parts[1] || "0", 16) * 0x10000 + parseInt(parts[2] || "0", 16);
    if (number === undefined) {
      throw new ValueError(`expected a handle such as "1:" or "1:a", got ${show(value)}`);
    }
    u32.write(output, number);
  },
};

/** TCA_STATS2: what a qdisc, a class or an action has counted. */
export const TC_STATS = {
  basic: ["TCA_STATS_BASIC", 1, { struct: { bytes: u64, packets: u32, padding: u32 } }],
  /** A second's bytes and packets. */
  rate: ["TCA_STATS_RATE_EST", 2, { struct: { bytes: u32, packets: u32 } }],
  queue: ["TCA_STATS_QUEUE", 3, {
    struct: { length: u32, backlog: u32, drops: u32, requeues: u32, overlimits: u32 },
  }],
  /** What the kind counts. */
  kind: ["TCA_STATS_APP", 4, bytes],
  rate64: ["TCA_STATS_RATE_EST64", 5, { struct: { bytes: u64, packets: u64 } }],
  hardware: ["TCA_STATS_BASIC_HW", 7, { struct: { bytes: u64, packets: u32, padding: u32 } }],
  packets64: ["TCA_STATS_PKT64", 8, u64],
} as const satisfies Table;
