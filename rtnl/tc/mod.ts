/**
 * Traffic control: queueing disciplines, their classes and filters (tc(8), linux/rtnetlink.h).
 *
 * @module
 */

import { be16, bytes, padding, presence, s32, text, u16, u32, u8 } from "../codec/scalars.ts";
import type { Message, MessageShape } from "../codec/shape.ts";
import { FAMILY } from "../names.ts";
import {
  changing,
  listing,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
} from "../request.ts";
import { FILTER_KINDS } from "./filters.ts";
import { QDISC_KINDS } from "./qdiscs.ts";
import { handle, TC_STATS } from "./rates.ts";

/** struct tc_stats: the counters before TCA_STATS2. */
const OLD_STATS = {
  struct: {
    bytes: { arrayOf: u32, count: 2 },
    packets: u32,
    drops: u32,
    overlimits: u32,
    bps: u32,
    pps: u32,
    length: u32,
    backlog: u32,
    padding: u32,
  },
} as const;

/** RTM_NEWQDISC, RTM_NEWTCLASS and the others of both: struct tcmsg and the TCA_* attributes. */
export const QDISC = {
  header: {
    family: FAMILY,
    padding1: padding,
    padding2: u16,
    /** The number of the link. */
    index: s32,
    /** Its own handle, "1:"; of a class "1:10". */
    handle,
    /** Where it hangs: "root", "ingress", or a class. */
    parent: handle,
    /** Of a qdisc how many use it, of a class the qdisc below. */
    info: u32,
  },
  attributes: {
    kind: ["TCA_KIND", 1, text],
    options: ["TCA_OPTIONS", 2, { by: "kind", of: QDISC_KINDS }],
    oldStats: ["TCA_STATS", 3, OLD_STATS],
    kindStats: ["TCA_XSTATS", 4, bytes],
    estimator: ["TCA_RATE", 5, bytes],
    stats: ["TCA_STATS2", 7, TC_STATS],
    sizeTable: ["TCA_STAB", 8, bytes],
    /** In a list's filter: also those that the kernel made. */
    invisible: ["TCA_DUMP_INVISIBLE", 10, presence],
    hardwareOffload: ["TCA_HW_OFFLOAD", 12, u8],
    ingressBlock: ["TCA_INGRESS_BLOCK", 13, u32],
    egressBlock: ["TCA_EGRESS_BLOCK", 14, u32],
    warning: ["TCA_EXT_WARN_MSG", 16, text],
  },
} as const satisfies MessageShape;

/** RTM_NEWTFILTER and the others: struct tcmsg and the TCA_* attributes. */
export const FILTER = {
  header: {
    family: FAMILY,
    padding1: padding,
    padding2: u16,
    /** The number of the link. */
    index: s32,
    /** Its number among those of one priority. */
    handle: u32,
    /** The qdisc or class whose packets it sees: "1:", "ingress", "ffff:fff3" (clsact's egress). */
    parent: handle,
    /** ETH_P_*: 3 all, 2048 IPv4, 34525 IPv6. */
    protocol: be16,
    /** Filters are tried in ascending order. */
    priority: u16,
  },
  attributes: {
    kind: ["TCA_KIND", 1, text],
    options: ["TCA_OPTIONS", 2, { by: "kind", of: FILTER_KINDS }],
    estimator: ["TCA_RATE", 5, bytes],
    chain: ["TCA_CHAIN", 11, u32],
    warning: ["TCA_EXT_WARN_MSG", 16, text],
  },
} as const satisfies MessageShape;

/** A queueing discipline or a class; what is `undefined` was not said. */
export type Qdisc = Message<typeof QDISC>;

/** A filter; what is `undefined` was not said. */
export type Filter = Message<typeof FILTER>;

// linux/rtnetlink.h
const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTCLASS = 40;
const RTM_DELTCLASS = 41;
const RTM_GETTCLASS = 42;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;

/** The requests about queueing disciplines. */
export class QdiscRequests {
  /** All qdiscs, or those of the link `index`; with `invisible`, also those that the kernel made by itself. */
  list(filter: Qdisc = {}): Request<Qdisc[]> {
    return list("qdiscs", RTM_GETQDISC, QDISC, filter);
  }

  /** Adds a qdisc of a `kind` to the link `index`, at the "root" unless `parent` says elsewhere. */
  add(spec: Qdisc): Request<void> {
    return change("add qdisc", RTM_NEWQDISC, QDISC, placed(spec), NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Adds it, or puts it in place of the one that is there. */
  replace(spec: Qdisc): Request<void> {
    return change("replace qdisc", RTM_NEWQDISC, QDISC, placed(spec), NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** Changes the options of the one that is there. */
  set(spec: Qdisc): Request<void> {
    return change("set qdisc", RTM_NEWQDISC, QDISC, placed(spec));
  }

  /** Takes it away, with its classes and filters. */
  delete(spec: Qdisc): Request<void> {
    return change("delete qdisc", RTM_DELQDISC, QDISC, placed(spec));
  }
}

/** The requests about classes of queueing disciplines. */
export class TrafficClassRequests {
  /** The classes of the link `index`, of the qdisc `parent` where one is said. */
  list(filter: Qdisc): Request<Qdisc[]> {
    return list("classes", RTM_GETTCLASS, QDISC, filter);
  }

  /** Adds the class `handle` below `parent`. */
  add(spec: Qdisc): Request<void> {
    return change("add class", RTM_NEWTCLASS, QDISC, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Adds it, or changes the one that is there. */
  replace(spec: Qdisc): Request<void> {
    return change("replace class", RTM_NEWTCLASS, QDISC, spec, NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** Takes it away. */
  delete(spec: Qdisc): Request<void> {
    return change("delete class", RTM_DELTCLASS, QDISC, spec);
  }
}

/** The requests about filters. */
export class FilterRequests {
  /** The filters of the link `index` at `parent`, "root" unless said. */
  list(filter: Filter): Request<Filter[]> {
    return list("filters", RTM_GETTFILTER, FILTER, { parent: "root", ...filter });
  }

  /** Adds a filter of a `kind` at `parent` of the link `index`, for all protocols unless said. */
  add(spec: Filter): Request<void> {
    return change(
      "add filter",
      RTM_NEWTFILTER,
      FILTER,
      { protocol: ETH_P_ALL, ...spec },
      NLM_F_CREATE | NLM_F_EXCL,
    );
  }

  /** Adds it, or puts it in place of the one with this `handle`. */
  replace(spec: Filter): Request<void> {
    return change(
      "replace filter",
      RTM_NEWTFILTER,
      FILTER,
      { protocol: ETH_P_ALL, ...spec },
      NLM_F_CREATE | NLM_F_REPLACE,
    );
  }

  /** Takes away the filters at `parent` that have all that is said here. */
  delete(spec: Filter): Request<void> {
    return change("delete filter", RTM_DELTFILTER, FILTER, spec);
  }
}

/** The requests about queueing disciplines, ready to be sent or batched. */
export const qdisc: QdiscRequests = new QdiscRequests();

/** The requests about classes of queueing disciplines, ready to be sent or batched. */
export const trafficClass: TrafficClassRequests = new TrafficClassRequests();

/** The requests about filters, ready to be sent or batched. */
export const filter: FilterRequests = new FilterRequests();

const ETH_P_ALL = 3;
/** Where these hang, and which handle they have: nothing else is possible. */
const INGRESS = { parent: "ingress", handle: "ffff:" } as const;

function placed(spec: Qdisc): Qdisc {
  const clsact = spec.kind === "clsact" || spec.kind === "ingress";
  return { ...clsact ? INGRESS : { parent: "root" }, ...spec } as Qdisc;
}

function list<Entry>(
  what: string,
  type: number,
  shape: MessageShape,
  values: Entry & object,
): Request<Entry[]> {
  return listing(`list ${what}`, type, shape, values);
}

function change(
  what: string,
  type: number,
  shape: MessageShape,
  values: Qdisc | Filter,
  flags = 0,
): Request<void> {
  const { kind, index, parent, handle } = values;
  const own = handle === undefined ? "" : ` ${handle}`;
  const at = parent === undefined ? "" : ` at ${parent}`;
  return changing(
    `${what}${own}${kind === undefined ? "" : ` ${kind}`}${at} of link number ${index}`,
    type,
    shape,
    values,
    flags,
  );
}
