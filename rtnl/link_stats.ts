/**
 * Counters of links, those of their kinds among them (linux/if_link.h, IFLA_STATS_*).
 *
 * @module
 */

import { bytes, padding, u16, u32, u64 } from "./codec/scalars.ts";
import type { Message, MessageShape, Table } from "./codec/shape.ts";
import { LINK_STATS } from "./link.ts";
import { FAMILY } from "./names.ts";
import { getting, listing, type Request } from "./request.ts";

const VLAN_STATS = {
  struct: {
    rxBytes: u64,
    rxPackets: u64,
    txBytes: u64,
    txPackets: u64,
    vid: u16,
    flags: u16,
    padding: u32,
  },
} as const;

const STP_STATS = {
  struct: {
    transitionsBlocking: u64,
    transitionsForwarding: u64,
    rxBpdu: u64,
    txBpdu: u64,
    rxTcn: u64,
    txTcn: u64,
  },
} as const;

/** IFLA_STATS_LINK_XSTATS: what the kind of a link, or of its master, counts. */
export const KIND_STATS = {
  bridge: ["LINK_XSTATS_TYPE_BRIDGE", 1, {
    vlans: ["BRIDGE_XSTATS_VLAN", 1, { repeated: VLAN_STATS }],
    /** struct br_mcast_stats */
    multicast: ["BRIDGE_XSTATS_MCAST", 2, { arrayOf: u64 }],
    stp: ["BRIDGE_XSTATS_STP", 4, STP_STATS],
  }],
  bond: ["LINK_XSTATS_TYPE_BOND", 2, bytes],
} as const satisfies Table;

const FILTER = {
  flags: u32,
  names: { link: 1, kind: 2, portKind: 4, offload: 8, afSpec: 0x10 },
} as const;

/** RTM_NEWSTATS, RTM_GETSTATS: struct if_stats_msg and the IFLA_STATS_* attributes. */
export const LINK_STATISTICS = {
  header: {
    family: FAMILY,
    padding1: padding,
    padding2: u16,
    /** The number of the link. */
    index: u32,
    /** Which of the attributes are meant. */
    filter: FILTER,
  },
  attributes: {
    link: ["IFLA_STATS_LINK_64", 1, LINK_STATS],
    /** What its own kind counts. */
    kind: ["IFLA_STATS_LINK_XSTATS", 2, KIND_STATS],
    /** What its master's kind counts for a port. */
    portKind: ["IFLA_STATS_LINK_XSTATS_SLAVE", 3, KIND_STATS],
    offload: ["IFLA_STATS_LINK_OFFLOAD_XSTATS", 4, {
      cpuHit: ["IFLA_OFFLOAD_XSTATS_CPU_HIT", 1, LINK_STATS],
      hardware: ["IFLA_OFFLOAD_XSTATS_HW_S_INFO", 2, bytes],
      l3: ["IFLA_OFFLOAD_XSTATS_L3_STATS", 3, bytes],
    }],
    afSpec: ["IFLA_STATS_AF_SPEC", 5, { mpls: ["AF_MPLS", 28, bytes] }],
  },
} as const satisfies MessageShape;

/** A link's counters; what is `undefined` was not asked for, or is not counted. */
export interface LinkStatistics extends Message<typeof LINK_STATISTICS> {}

// linux/rtnetlink.h
const RTM_GETSTATS = 94;

/** The requests about counters. */
export class LinkStatisticsRequests {
  /** The counters of all links; `filter` says which, "link" unless said. */
  list({ filter = ["link"] }: LinkStatistics = {}): Request<LinkStatistics[]> {
    return listing("list link statistics", RTM_GETSTATS, LINK_STATISTICS, { filter });
  }

  /** The counters of the link `index`; `filter` says which, "link" unless said. */
  get({ index, filter = ["link"] }: LinkStatistics): Request<LinkStatistics> {
    return getting(`get the statistics of link number ${index}`, RTM_GETSTATS, LINK_STATISTICS, {
      index,
      filter,
    });
  }
}

/** The requests about counters, ready to be sent or batched. */
export const linkStatistics: LinkStatisticsRequests = new LinkStatisticsRequests();
