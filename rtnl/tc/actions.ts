/**
 * What becomes of the packets that a filter picks (tc-actions(8), linux/pkt_cls.h): one table for each kind.
 *
 * @module
 */

import { be16, bytes, mac, s32, text, u16, u32, u64, u8 } from "../codec/scalars.ts";
import type { ListShape, OneOfShape, Table } from "../codec/shape.ts";
import { RATE, TC_STATS } from "./rates.ts";

const MIRROR = {
  oneOf: s32,
  names: { egressRedirect: 1, egressMirror: 2, ingressRedirect: 3, ingressMirror: 4 },
} as const;

/** TC_ACT_*: what comes next. */
export const CONTROL = {
  oneOf: s32,
  names: {
    unspec: -1,
    ok: 0,
    reclassify: 1,
    shot: 2,
    pipe: 3,
    stolen: 4,
    queued: 5,
    repeat: 6,
    redirect: 7,
    trap: 8,
  },
} as const satisfies OneOfShape;

/** tc_gen: what all actions begin with. */
const GENERIC = {
  index: u32,
  capabilities: u32,
  control: CONTROL,
  references: s32,
  bindings: s32,
} as const;

/** struct tcf_t: hundredths of a second. */
const TIMES = { struct: { installed: u64, lastUsed: u64, expires: u64, firstUsed: u64 } } as const;
const BITS = { struct: { value: u32, selector: u32 } } as const;

/** Accept, drop, and so on: the control alone. */
export const GACT = {
  times: ["TCA_GACT_TM", 1, TIMES],
  parameters: ["TCA_GACT_PARMS", 2, { struct: GENERIC }],
  probability: ["TCA_GACT_PROB", 3, { struct: { type: u16, value: u16, control: CONTROL } }],
} as const satisfies Table;

/** Send to another link. */
export const MIRRED = {
  times: ["TCA_MIRRED_TM", 1, TIMES],
  parameters: ["TCA_MIRRED_PARMS", 2, {
    struct: {
      ...GENERIC,
      action: MIRROR,
      ifindex: u32,
    },
  }],
  block: ["TCA_MIRRED_BLOCKID", 5, u32],
} as const satisfies Table;

/** A rate, and what becomes of what is above. */
export const POLICE = {
  /** `burst` in ticks of 64 nanoseconds. */
  parameters: ["TCA_POLICE_TBF", 1, {
    struct: {
      index: u32,
      control: CONTROL,
      limit: u32,
      burst: u32,
      mtu: u32,
      rate: RATE,
      peakRate: RATE,
      references: s32,
      bindings: s32,
      capabilities: u32,
    },
  }],
  /** 256 times 32 bits: what each size costs. */
  rateTable: ["TCA_POLICE_RATE", 2, bytes],
  peakRateTable: ["TCA_POLICE_PEAKRATE", 3, bytes],
  averageRate: ["TCA_POLICE_AVRATE", 4, u32],
  /** The control for what is within the rate. */
  result: ["TCA_POLICE_RESULT", 5, u32],
  times: ["TCA_POLICE_TM", 6, TIMES],
  rate64: ["TCA_POLICE_RATE64", 8, u64],
  peakRate64: ["TCA_POLICE_PEAKRATE64", 9, u64],
  packetRate: ["TCA_POLICE_PKTRATE64", 10, u64],
  packetBurst: ["TCA_POLICE_PKTBURST64", 11, u64],
} as const satisfies Table;

/** A program decides. */
export const ACT_BPF = {
  times: ["TCA_ACT_BPF_TM", 1, TIMES],
  parameters: ["TCA_ACT_BPF_PARMS", 2, { struct: GENERIC }],
  length: ["TCA_ACT_BPF_OPS_LEN", 3, u16],
  instructions: ["TCA_ACT_BPF_OPS", 4, bytes],
  fd: ["TCA_ACT_BPF_FD", 5, u32],
  name: ["TCA_ACT_BPF_NAME", 6, text],
  tag: ["TCA_ACT_BPF_TAG", 8, bytes],
  id: ["TCA_ACT_BPF_ID", 9, u32],
} as const satisfies Table;

/** Push, pop or change a VLAN tag. */
export const ACT_VLAN = {
  times: ["TCA_VLAN_TM", 1, TIMES],
  parameters: ["TCA_VLAN_PARMS", 2, {
    struct: {
      ...GENERIC,
      action: {
        oneOf: s32,
        names: { pop: 1, push: 2, modify: 3, popEthernet: 4, pushEthernet: 5 },
      },
    },
  }],
  id: ["TCA_VLAN_PUSH_VLAN_ID", 3, u16],
  protocol: ["TCA_VLAN_PUSH_VLAN_PROTOCOL", 4, be16],
  priority: ["TCA_VLAN_PUSH_VLAN_PRIORITY", 6, u8],
  destination: ["TCA_VLAN_PUSH_ETH_DST", 7, mac],
  source: ["TCA_VLAN_PUSH_ETH_SRC", 8, mac],
} as const satisfies Table;

/** Change what the kernel notes of a packet. */
export const SKBEDIT = {
  times: ["TCA_SKBEDIT_TM", 1, TIMES],
  parameters: ["TCA_SKBEDIT_PARMS", 2, { struct: GENERIC }],
  priority: ["TCA_SKBEDIT_PRIORITY", 3, u32],
  queue: ["TCA_SKBEDIT_QUEUE_MAPPING", 4, u16],
  mark: ["TCA_SKBEDIT_MARK", 5, u32],
  packetType: ["TCA_SKBEDIT_PTYPE", 7, u16],
  mask: ["TCA_SKBEDIT_MASK", 8, u32],
  flags: ["TCA_SKBEDIT_FLAGS", 9, u64],
  queueMost: ["TCA_SKBEDIT_QUEUE_MAPPING_MAX", 10, u16],
} as const satisfies Table;

/** The options of an action, by kind. */
export const ACTION_KINDS = {
  bpf: ACT_BPF,
  gact: GACT,
  mirred: MIRRED,
  police: POLICE,
  skbedit: SKBEDIT,
  vlan: ACT_VLAN,
} as const;

/** One action of a filter. */
export const ACTION = {
  kind: ["TCA_ACT_KIND", 1, text],
  options: ["TCA_ACT_OPTIONS", 2, { by: "kind", of: ACTION_KINDS }],
  index: ["TCA_ACT_INDEX", 3, u32],
  stats: ["TCA_ACT_STATS", 4, TC_STATS],
  cookie: ["TCA_ACT_COOKIE", 6, bytes],
  flags: ["TCA_ACT_FLAGS", 7, BITS],
  hardwareStats: ["TCA_ACT_HW_STATS", 8, BITS],
  usedHardwareStats: ["TCA_ACT_USED_HW_STATS", 9, BITS],
  inHardwareCount: ["TCA_ACT_IN_HW_COUNT", 10, u32],
} as const satisfies Table;

/** The actions of a filter, in order. */
export const ACTIONS = { listOf: ACTION, number: 1, counting: true } as const satisfies ListShape;
