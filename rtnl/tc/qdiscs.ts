/**
 * What the kinds of queueing disciplines and their classes can be told (tc(8), linux/pkt_sched.h): one table for each.
 *
 * @module
 */

import { bytes, flag, presence, s32, s64, u32, u64, u8 } from "../codec/scalars.ts";
import type { Shape, Table } from "../codec/shape.ts";
import { RATE } from "./rates.ts";

const CHANCE = { struct: { probability: u32, correlation: u32 } } as const;

const LOSS = {
  gilbertElliott: ["NETEM_LOSS_GE", 2, { struct: { p: u32, r: u32, h: u32, k1: u32 } }],
  general: ["NETEM_LOSS_GI", 1, { struct: { p13: u32, p31: u32, p32: u32, p14: u32, p23: u32 } }],
} as const satisfies Table;

/** A queue with a limit: packets for pfifo, bytes for bfifo (struct tc_fifo_qopt). */
export const FIFO = { struct: { limit: u32 } } as const;

/** Bands of priorities, the first served first (struct tc_prio_qopt). */
export const PRIO = { struct: { bands: s32, priorityMap: { arrayOf: u8, count: 16 } } } as const;

/** A token bucket: a rate, and how much may come at once (tc-tbf(8)). */
export const TBF = {
  /** `limit` in bytes; `buffer` and `mtu` in ticks of 64 nanoseconds. */
  parameters: ["TCA_TBF_PARMS", 1, {
    struct: { rate: RATE, peakRate: RATE, limit: u32, buffer: u32, mtu: u32 },
  }],
  rateTable: ["TCA_TBF_RTAB", 2, bytes],
  peakRateTable: ["TCA_TBF_PTAB", 3, bytes],
  rate64: ["TCA_TBF_RATE64", 4, u64],
  peakRate64: ["TCA_TBF_PRATE64", 5, u64],
  /** Bytes, in place of `buffer`. */
  burst: ["TCA_TBF_BURST", 6, u32],
  peakBurst: ["TCA_TBF_PBURST", 7, u32],
} as const satisfies Table;

/** Classes that borrow from each other (tc-htb(8)): `init` for the qdisc, the rest for classes. */
export const HTB = {
  /** Buffers in ticks of 64 nanoseconds, the quantum in bytes. */
  parameters: ["TCA_HTB_PARMS", 1, {
    struct: {
      rate: RATE,
      ceiling: RATE,
      buffer: u32,
      ceilingBuffer: u32,
      quantum: u32,
      level: u32,
      priority: u32,
    },
  }],
  /** The version is 3. */
  init: ["TCA_HTB_INIT", 2, {
    struct: { version: u32, rateToQuantum: u32, defaultClass: u32, debug: u32, directPackets: u32 },
  }],
  ceilingTable: ["TCA_HTB_CTAB", 3, bytes],
  rateTable: ["TCA_HTB_RTAB", 4, bytes],
  directQueueLength: ["TCA_HTB_DIRECT_QLEN", 5, u32],
  rate64: ["TCA_HTB_RATE64", 6, u64],
  ceiling64: ["TCA_HTB_CEIL64", 7, u64],
  offload: ["TCA_HTB_OFFLOAD", 9, presence],
} as const satisfies Table;

/** Controlled delay (RFC 8289). Times are in microseconds. */
export const CODEL = {
  target: ["TCA_CODEL_TARGET", 1, u32],
  /** Packets. */
  limit: ["TCA_CODEL_LIMIT", 2, u32],
  interval: ["TCA_CODEL_INTERVAL", 3, u32],
  ecn: ["TCA_CODEL_ECN", 4, u32],
  ceThreshold: ["TCA_CODEL_CE_THRESHOLD", 5, u32],
} as const satisfies Table;

/** Fair queues with controlled delay (RFC 8290). Times are in microseconds. */
export const FQ_CODEL = {
  target: ["TCA_FQ_CODEL_TARGET", 1, u32],
  /** Packets. */
  limit: ["TCA_FQ_CODEL_LIMIT", 2, u32],
  interval: ["TCA_FQ_CODEL_INTERVAL", 3, u32],
  ecn: ["TCA_FQ_CODEL_ECN", 4, u32],
  flows: ["TCA_FQ_CODEL_FLOWS", 5, u32],
  /** Bytes. */
  quantum: ["TCA_FQ_CODEL_QUANTUM", 6, u32],
  ceThreshold: ["TCA_FQ_CODEL_CE_THRESHOLD", 7, u32],
  dropBatch: ["TCA_FQ_CODEL_DROP_BATCH_SIZE", 8, u32],
  /** Bytes. */
  memoryLimit: ["TCA_FQ_CODEL_MEMORY_LIMIT", 9, u32],
  ceThresholdSelector: ["TCA_FQ_CODEL_CE_THRESHOLD_SELECTOR", 10, u8],
  ceThresholdMask: ["TCA_FQ_CODEL_CE_THRESHOLD_MASK", 11, u8],
} as const satisfies Table;

/** Fair queues with pacing (tc-fq(8)). */
export const FQ = {
  /** Packets in all. */
  limit: ["TCA_FQ_PLIMIT", 1, u32],
  /** Packets of one flow. */
  flowLimit: ["TCA_FQ_FLOW_PLIMIT", 2, u32],
  /** Bytes. */
  quantum: ["TCA_FQ_QUANTUM", 3, u32],
  initialQuantum: ["TCA_FQ_INITIAL_QUANTUM", 4, u32],
  pacing: ["TCA_FQ_RATE_ENABLE", 5, u32],
  flowDefaultRate: ["TCA_FQ_FLOW_DEFAULT_RATE", 6, u32],
  /** Bytes in a second. */
  flowMaxRate: ["TCA_FQ_FLOW_MAX_RATE", 7, u32],
  bucketsLog: ["TCA_FQ_BUCKETS_LOG", 8, u32],
  /** Microseconds. */
  flowRefillDelay: ["TCA_FQ_FLOW_REFILL_DELAY", 9, u32],
  orphanMask: ["TCA_FQ_ORPHAN_MASK", 10, u32],
  lowRateThreshold: ["TCA_FQ_LOW_RATE_THRESHOLD", 11, u32],
  ceThreshold: ["TCA_FQ_CE_THRESHOLD", 12, u32],
  timerSlack: ["TCA_FQ_TIMER_SLACK", 13, u32],
  /** Microseconds. */
  horizon: ["TCA_FQ_HORIZON", 14, u32],
  horizonDrop: ["TCA_FQ_HORIZON_DROP", 15, u8],
  priorityMap: ["TCA_FQ_PRIOMAP", 16, PRIO],
  weights: ["TCA_FQ_WEIGHTS", 17, { arrayOf: s32 }],
  offloadHorizon: ["TCA_FQ_OFFLOAD_HORIZON", 18, u32],
} as const satisfies Table;

/** Common applications kept enhanced (tc-cake(8)). Times are in microseconds. */
export const CAKE = {
  /** Bytes in a second; 0 is no limit. */
  bandwidth: ["TCA_CAKE_BASE_RATE64", 2, u64],
  diffserv: ["TCA_CAKE_DIFFSERV_MODE", 3, {
    oneOf: u32,
    names: { diffserv3: 0, diffserv4: 1, diffserv8: 2, besteffort: 3, precedence: 4 },
  }],
  atm: ["TCA_CAKE_ATM", 4, { oneOf: u32, names: { noatm: 0, atm: 1, ptm: 2 } }],
  flowMode: ["TCA_CAKE_FLOW_MODE", 5, {
    oneOf: u32,
    names: {
      flowblind: 0,
      srchost: 1,
      dsthost: 2,
      hosts: 3,
      flows: 4,
      "dual-srchost": 5,
      "dual-dsthost": 6,
      "triple-isolate": 7,
    },
  }],
  overhead: ["TCA_CAKE_OVERHEAD", 6, s32],
  rtt: ["TCA_CAKE_RTT", 7, u32],
  target: ["TCA_CAKE_TARGET", 8, u32],
  autorate: ["TCA_CAKE_AUTORATE", 9, u32],
  memory: ["TCA_CAKE_MEMORY", 10, u32],
  nat: ["TCA_CAKE_NAT", 11, u32],
  raw: ["TCA_CAKE_RAW", 12, flag],
  wash: ["TCA_CAKE_WASH", 13, u32],
  minimum: ["TCA_CAKE_MPU", 14, u32],
  ingress: ["TCA_CAKE_INGRESS", 15, u32],
  ackFilter: ["TCA_CAKE_ACK_FILTER", 16, {
    oneOf: u32,
    names: { none: 0, filter: 1, aggressive: 2 },
  }],
  splitGso: ["TCA_CAKE_SPLIT_GSO", 17, u32],
  fwmark: ["TCA_CAKE_FWMARK", 18, u32],
} as const satisfies Table;

/** Random early detection (tc-red(8)). */
export const RED = {
  /** Bytes. */
  parameters: ["TCA_RED_PARMS", 1, {
    struct: {
      limit: u32,
      least: u32,
      most: u32,
      averageLog: u8,
      probabilityLog: u8,
      cellLog: u8,
      flags: u8,
    },
  }],
  idleTable: ["TCA_RED_STAB", 2, bytes],
  maxProbability: ["TCA_RED_MAX_P", 3, u32],
  flags: ["TCA_RED_FLAGS", 4, { struct: { value: u32, selector: u32 } }],
  earlyDropBlock: ["TCA_RED_EARLY_DROP_BLOCK", 5, u32],
  markBlock: ["TCA_RED_MARK_BLOCK", 6, u32],
} as const satisfies Table;

/** Delay, loss, duplication and reordering, to test with (tc-netem(8)). Probabilities are in parts of 2^32. */
export const NETEM = {
  header: {
    /** Ticks of 64 nanoseconds; `latency64` says it whole. */
    latency: u32,
    /** Packets. */
    limit: u32,
    loss: u32,
    /** Each so many packets one goes out at once, before those that wait. */
    gap: u32,
    duplicate: u32,
    /** Ticks of 64 nanoseconds; `jitter64` says it whole. */
    jitter: u32,
  },
  attributes: {
    correlation: ["TCA_NETEM_CORR", 1, { struct: { delay: u32, loss: u32, duplicate: u32 } }],
    delayDistribution: ["TCA_NETEM_DELAY_DIST", 2, bytes],
    reorder: ["TCA_NETEM_REORDER", 3, CHANCE],
    corrupt: ["TCA_NETEM_CORRUPT", 4, CHANCE],
    lossModel: ["TCA_NETEM_LOSS", 5, LOSS],
    /** Bytes in a second; 4294967295 where `rate64` says it. */
    rate: ["TCA_NETEM_RATE", 6, {
      struct: { rate: u32, packetOverhead: s32, cellSize: u32, cellOverhead: s32 },
    }],
    ecn: ["TCA_NETEM_ECN", 7, u32],
    rate64: ["TCA_NETEM_RATE64", 8, u64],
    /** Nanoseconds. */
    latency64: ["TCA_NETEM_LATENCY64", 10, s64],
    /** Nanoseconds. */
    jitter64: ["TCA_NETEM_JITTER64", 11, s64],
    slot: ["TCA_NETEM_SLOT", 12, {
      struct: {
        leastDelay: s64,
        mostDelay: s64,
        mostPackets: s32,
        mostBytes: s32,
        delay: s64,
        jitter: s64,
      },
    }],
    slotDistribution: ["TCA_NETEM_SLOT_DIST", 13, bytes],
    seed: ["TCA_NETEM_PRNG_SEED", 15, u64],
  },
} as const satisfies Shape;

/** The options of a qdisc or a class, by kind. */
export const QDISC_KINDS = {
  bfifo: FIFO,
  cake: CAKE,
  clsact: {},
  codel: CODEL,
  fq: FQ,
  fq_codel: FQ_CODEL,
  htb: HTB,
  ingress: {},
  mq: {},
  netem: NETEM,
  noqueue: {},
  pfifo: FIFO,
  pfifo_fast: PRIO,
  pfifo_head_drop: FIFO,
  prio: PRIO,
  red: RED,
  tbf: TBF,
} as const satisfies Record<string, Shape>;
