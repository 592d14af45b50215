/**
 * The settings of the tables of neighbours (linux/neighbour.h, NDTA_*).
 *
 * @module
 */

import { padding, text, u16, u32, u64 } from "./codec/scalars.ts";
import type { Message, MessageShape, Table } from "./codec/shape.ts";
import { FAMILY } from "./names.ts";
import { changing, listing, NLM_F_REPLACE, type Request } from "./request.ts";

/** NDTA_PARMS: the settings of one link, or of all. Times are in milliseconds. */
export const NEIGHBOUR_PARAMETERS = {
  /** The number of the link; absent for the defaults. */
  index: ["NDTPA_IFINDEX", 1, u32],
  references: ["NDTPA_REFCNT", 2, u32],
  reachableTime: ["NDTPA_REACHABLE_TIME", 3, u64],
  baseReachableTime: ["NDTPA_BASE_REACHABLE_TIME", 4, u64],
  retransmitTime: ["NDTPA_RETRANS_TIME", 5, u64],
  staleTime: ["NDTPA_GC_STALETIME", 6, u64],
  delayProbeTime: ["NDTPA_DELAY_PROBE_TIME", 7, u64],
  /** Packets. */
  queueLength: ["NDTPA_QUEUE_LEN", 8, u32],
  programProbes: ["NDTPA_APP_PROBES", 9, u32],
  unicastProbes: ["NDTPA_UCAST_PROBES", 10, u32],
  multicastProbes: ["NDTPA_MCAST_PROBES", 11, u32],
  anycastDelay: ["NDTPA_ANYCAST_DELAY", 12, u64],
  proxyDelay: ["NDTPA_PROXY_DELAY", 13, u64],
  proxyQueueLength: ["NDTPA_PROXY_QLEN", 14, u32],
  lockTime: ["NDTPA_LOCKTIME", 15, u64],
  queueBytes: ["NDTPA_QUEUE_LENBYTES", 16, u32],
  multicastReprobes: ["NDTPA_MCAST_REPROBES", 17, u32],
  intervalProbeTime: ["NDTPA_INTERVAL_PROBE_TIME_MS", 19, u64],
} as const satisfies Table;

/** RTM_NEWNEIGHTBL, RTM_GETNEIGHTBL, RTM_SETNEIGHTBL: struct ndtmsg and the NDTA_* attributes. */
export const NEIGHBOUR_TABLE = {
  header: { family: FAMILY, padding1: padding, padding2: u16 },
  attributes: {
    /** "arp_cache" or "ndisc_cache". */
    name: ["NDTA_NAME", 1, text],
    /** Below so many entries none is collected. */
    threshold1: ["NDTA_THRESH1", 2, u32],
    /** Above so many, those older than 5 seconds are. */
    threshold2: ["NDTA_THRESH2", 3, u32],
    /** The most entries. */
    threshold3: ["NDTA_THRESH3", 4, u32],
    config: ["NDTA_CONFIG", 5, {
      struct: {
        keyLength: u16,
        entrySize: u16,
        entries: u32,
        lastFlush: u32,
        lastRandom: u32,
        hashRandom: u32,
        hashMask: u32,
        hashChainCollection: u32,
        proxyQueueLength: u32,
      },
    }],
    parameters: ["NDTA_PARMS", 6, NEIGHBOUR_PARAMETERS],
    stats: ["NDTA_STATS", 7, {
      struct: {
        allocations: u64,
        destroys: u64,
        hashGrows: u64,
        resolutionsFailed: u64,
        lookups: u64,
        hits: u64,
        multicastProbesReceived: u64,
        unicastProbesReceived: u64,
        periodicCollections: u64,
        forcedCollections: u64,
        tableFulls: u64,
      },
    }],
    /** Milliseconds. */
    collectionInterval: ["NDTA_GC_INTERVAL", 8, u64],
  },
} as const satisfies MessageShape;

/** A table of neighbours, or a link's settings in one; what is `undefined` was not said. */
export interface NeighbourTable extends Message<typeof NEIGHBOUR_TABLE> {}

// linux/rtnetlink.h
const RTM_GETNEIGHTBL = 66;
const RTM_SETNEIGHTBL = 67;

/** The requests about tables of neighbours. */
export class NeighbourTableRequests {
  /** The tables with their defaults, each followed by the settings of each link. */
  list(filter: NeighbourTable = {}): Request<NeighbourTable[]> {
    return listing("list neighbour tables", RTM_GETNEIGHTBL, NEIGHBOUR_TABLE, filter);
  }

  /** Changes the settings of the table `name`, or of the link `parameters.index` in it. */
  set(spec: NeighbourTable): Request<void> {
    return changing(
      `set neighbour table ${spec.name}`,
      RTM_SETNEIGHTBL,
      NEIGHBOUR_TABLE,
      spec,
      NLM_F_REPLACE,
    );
  }
}

/** The requests about tables of neighbours, ready to be sent or batched. */
export const neighbourTable: NeighbourTableRequests = new NeighbourTableRequests();
