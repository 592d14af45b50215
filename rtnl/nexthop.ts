/**
 * Nexthops: where routes lead, as objects that many routes share (linux/nexthop.h).
 *
 * @module
 */

import { ip, padding, presence, u16, u32, u64, u8 } from "./codec/scalars.ts";
import type { Message, MessageShape, Table } from "./codec/shape.ts";
import { ENCAP_TYPE, ENCAPS } from "./encap.ts";
import { FAMILY, familyOf, NEXTHOP_FLAGS, ROUTE_PROTOCOL, SCOPE } from "./names.ts";
import {
  changing,
  getting,
  listing,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
} from "./request.ts";
import { weight } from "./route.ts";

/** NHA_GROUP_STATS: how many packets each member took. */
const GROUP_STATS = {
  id: ["NHA_GROUP_STATS_ENTRY_ID", 1, u32],
  packets: ["NHA_GROUP_STATS_ENTRY_PACKETS", 2, u64],
  hardwarePackets: ["NHA_GROUP_STATS_ENTRY_PACKETS_HW", 3, u64],
} as const satisfies Table;

/** NHA_RES_GROUP: buckets that keep their nexthop while traffic flows. Times in hundredths of a second. */
const RESILIENT_GROUP = {
  buckets: ["NHA_RES_GROUP_BUCKETS", 1, u16],
  idleTimer: ["NHA_RES_GROUP_IDLE_TIMER", 2, u32],
  unbalancedTimer: ["NHA_RES_GROUP_UNBALANCED_TIMER", 3, u32],
  unbalancedTime: ["NHA_RES_GROUP_UNBALANCED_TIME", 4, u64],
} as const satisfies Table;

const BUCKET = {
  index: ["NHA_RES_BUCKET_INDEX", 1, u16],
  idleTime: ["NHA_RES_BUCKET_IDLE_TIME", 2, u64],
  nexthopId: ["NHA_RES_BUCKET_NH_ID", 3, u32],
} as const satisfies Table;

/** RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_GETNEXTHOP: struct nhmsg and the NHA_* attributes. */
export const NEXTHOP = {
  header: { family: FAMILY, scope: SCOPE, protocol: ROUTE_PROTOCOL, padding, flags: NEXTHOP_FLAGS },
  attributes: {
    /** Its number; the kernel picks one when none is said. */
    id: ["NHA_ID", 1, u32],
    /** The nexthops of a group, each with its weight from 1 to 256. */
    group: ["NHA_GROUP", 2, {
      arrayOf: { struct: { id: u32, weight, weightHigh: u8, padding2: u16 } },
    }],
    groupType: ["NHA_GROUP_TYPE", 3, { oneOf: u16, names: { mpath: 0, resilient: 1 } }],
    /** Packets are dropped. */
    blackhole: ["NHA_BLACKHOLE", 4, presence],
    /** The number of the link. */
    oif: ["NHA_OIF", 5, u32],
    gateway: ["NHA_GATEWAY", 6, ip],
    encapType: ["NHA_ENCAP_TYPE", 7, ENCAP_TYPE],
    encap: ["NHA_ENCAP", 8, { either: "encapType", when: ENCAPS }],
    /** In a list's filter: groups only. */
    groups: ["NHA_GROUPS", 9, presence],
    /** In a list's filter: by the master of their link. */
    master: ["NHA_MASTER", 10, u32],
    /** It is for entries of a bridge's or a vxlan's forwarding table. */
    fdb: ["NHA_FDB", 11, presence],
    resilientGroup: ["NHA_RES_GROUP", 12, RESILIENT_GROUP],
    bucket: ["NHA_RES_BUCKET", 13, BUCKET],
    operationFlags: ["NHA_OP_FLAGS", 14, {
      flags: u32,
      names: { dumpStats: 1, dumpHardwareStats: 2, weight16: 4 },
    }],
    groupStats: ["NHA_GROUP_STATS", 15, { listOf: GROUP_STATS, number: 1 }],
    hardwareStats: ["NHA_HW_STATS_ENABLE", 16, u32],
    hardwareStatsUsed: ["NHA_HW_STATS_USED", 17, u32],
  },
} as const satisfies MessageShape;

/** A nexthop, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface Nexthop extends Message<typeof NEXTHOP> {}

// linux/rtnetlink.h
const RTM_NEWNEXTHOP = 104;
const RTM_DELNEXTHOP = 105;
const RTM_GETNEXTHOP = 106;
const RTM_GETNEXTHOPBUCKET = 118;

/** The requests about nexthops. */
export class NexthopRequests {
  /** All nexthops, or those that the kernel finds to match: `family`, `oif`, `master`, `groups`, `fdb`. */
  list(filter: Nexthop = {}): Request<Nexthop[]> {
    return listing("list nexthops", RTM_GETNEXTHOP, NEXTHOP, filter);
  }

  /** The nexthop with this `id`. */
  get({ id }: Nexthop): Request<Nexthop> {
    return getting(`get nexthop id ${id}`, RTM_GETNEXTHOP, NEXTHOP, { id });
  }

  /** Adds a nexthop: `oif` and perhaps `gateway`, or `blackhole`, or a `group`. */
  add(spec: Nexthop): Request<void> {
    return change("add", RTM_NEWNEXTHOP, described(spec), NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Adds it, or puts it in place of the one with this `id`: routes that use it follow. */
  replace(spec: Nexthop): Request<void> {
    return change("replace", RTM_NEWNEXTHOP, described(spec), NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** Takes away the one with this `id`, with the routes that use it. */
  delete({ id }: Nexthop): Request<void> {
    return change("delete", RTM_DELNEXTHOP, { id });
  }
}

/** The requests about buckets of resilient groups. */
export class NexthopBucketRequests {
  /** The buckets of resilient groups, or of the one with this `id`. */
  list(filter: Nexthop = {}): Request<Nexthop[]> {
    return listing("list nexthop buckets", RTM_GETNEXTHOPBUCKET, NEXTHOP, filter);
  }
}

/** The requests about buckets, ready to be sent or batched. */
export const nexthopBucket: NexthopBucketRequests = new NexthopBucketRequests();

/** The requests about nexthops, ready to be sent or batched. */
export const nexthop: NexthopRequests = new NexthopRequests();

/** A group has no family and no scope; else the family is the gateway's, IPv4 when nothing says. */
function described(spec: Nexthop): Nexthop {
  if (spec.group !== undefined) return spec;
  const family = spec.gateway === undefined ? "inet" : familyOf(spec.gateway);
  return { family, ...spec };
}

function change(verb: string, type: number, values: Nexthop, flags = 0): Request<void> {
  return changing(
    `${verb} nexthop${values.id === undefined ? "" : ` id ${values.id}`}`,
    type,
    NEXTHOP,
    values,
    flags,
  );
}
