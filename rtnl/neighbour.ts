/**
 * Neighbours: which link-layer address an IP address has (arp(7), linux/neighbour.h), and forwarding tables.
 *
 * @module
 */

import { be16, ip, mac, padding, presence, s32, u16, u32, u8 } from "./codec/scalars.ts";
import type { Message, MessageShape } from "./codec/shape.ts";
import { FAMILY, familyOf, ROUTE_PROTOCOL } from "./names.ts";
import {
  changing,
  getting,
  listing,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
} from "./request.ts";

const STATE_NAMES = {
  incomplete: 1,
  reachable: 2,
  stale: 4,
  delay: 8,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;

const FLAG_NAMES = {
  /** The link itself has the entry: a vxlan's own forwarding table. */
  self: 2,
  use: 1,
  /** The bridge has it. */
  master: 4,
  proxy: 8,
  externLearn: 0x10,
  offloaded: 0x20,
  sticky: 0x40,
  router: 0x80,
} as const;

/** RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH: struct ndmsg and the NDA_* attributes. */
export const NEIGHBOUR = {
  header: {
    family: FAMILY,
    padding1: padding,
    padding2: u16,
    /** The number of the link. */
    index: s32,
    /** NUD_* */
    state: { flags: u16, names: STATE_NAMES },
    /** NTF_* */
    flags: { flags: u8, names: FLAG_NAMES },
    /** RTN_* */
    type: u8,
  },
  attributes: {
    /** The IP address; of an entry in a vxlan's forwarding table the remote end. */
    dst: ["NDA_DST", 1, ip],
    /** The link-layer address. */
    address: ["NDA_LLADDR", 2, mac],
    /** Hundredths of a second ago. */
    cacheInfo: ["NDA_CACHEINFO", 3, {
      struct: { confirmed: u32, used: u32, updated: u32, references: u32 },
    }],
    probes: ["NDA_PROBES", 4, u32],
    vlan: ["NDA_VLAN", 5, u16],
    /** The remote UDP port, vxlan. */
    port: ["NDA_PORT", 6, be16],
    vni: ["NDA_VNI", 7, u32],
    /** The link by which the remote end is reached, vxlan. */
    via: ["NDA_IFINDEX", 8, u32],
    /** In a list's filter, and of an entry in a bridge's forwarding table. */
    master: ["NDA_MASTER", 9, u32],
    linkNetnsId: ["NDA_LINK_NETNSID", 10, s32],
    sourceVni: ["NDA_SRC_VNI", 11, u32],
    protocol: ["NDA_PROTOCOL", 12, ROUTE_PROTOCOL],
    nexthopId: ["NDA_NH_ID", 13, u32],
    forwarding: ["NDA_FDB_EXT_ATTRS", 14, {
      activityNotify: ["NFEA_ACTIVITY_NOTIFY", 1, u8],
      dontRefresh: ["NFEA_DONT_REFRESH", 2, presence],
    }],
    extendedFlags: ["NDA_FLAGS_EXT", 15, {
      flags: u32,
      names: { managed: 1, locked: 2, extValidated: 4 },
    }],
    stateMask: ["NDA_NDM_STATE_MASK", 16, { flags: u16, names: STATE_NAMES }],
    flagsMask: ["NDA_NDM_FLAGS_MASK", 17, { flags: u8, names: FLAG_NAMES }],
  },
} as const satisfies MessageShape;

/** A neighbour, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface Neighbour extends Message<typeof NEIGHBOUR> {}

// linux/rtnetlink.h
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;

/** The requests about neighbours. */
export class NeighbourRequests {
  /** All neighbours, or those that the kernel finds to match: `family`, the link's `via` or `master`, `flags: ["proxy"]`. */
  list(filter: Neighbour = {}): Request<Neighbour[]> {
    const { index, ...rest } = filter;
    return list("neighbours", { ...rest, via: index ?? filter.via });
  }

  /** The neighbour with this `dst` on the link `index`. */
  get(spec: Neighbour): Request<Neighbour> {
    const values = described(spec);
    return get(`neighbour ${values.dst}`, values);
  }

  /** Adds a neighbour, "permanent" unless a state is said. */
  add(spec: Neighbour): Request<void> {
    return change("add neighbour", RTM_NEWNEIGH, described(spec), NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Adds it, or changes the one that is there. */
  replace(spec: Neighbour): Request<void> {
    return change("replace neighbour", RTM_NEWNEIGH, described(spec), NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** Takes it away. */
  delete(spec: Neighbour): Request<void> {
    const { family, index, dst, flags } = described(spec);
    return change("delete neighbour", RTM_DELNEIGH, { family, index, dst, flags });
  }
}

/** The requests about the forwarding tables of bridges and vxlans: which port leads to an address. */
export class ForwardingRequests {
  /** All entries, or those of the links of `master` or of the link `index`. */
  list(filter: Neighbour = {}): Request<Neighbour[]> {
    return list("forwarding entries", { ...filter, family: "bridge" });
  }

  /** The entry of this `address` at the port `index`, or at the bridge `master`. */
  get(spec: Neighbour): Request<Neighbour> {
    return get(`forwarding entry ${spec.address}`, { ...spec, family: "bridge" });
  }

  /** Adds an entry: `address` is behind the port `index`; `flags` says whose table, "self" or "master". */
  add(spec: Neighbour): Request<void> {
    return change("add forwarding entry", RTM_NEWNEIGH, entry(spec), NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Adds a further remote end to the same address, vxlan. */
  append(spec: Neighbour): Request<void> {
    return change(
      "append forwarding entry",
      RTM_NEWNEIGH,
      entry(spec),
      NLM_F_CREATE | NLM_F_APPEND,
    );
  }

  /** Adds it, or changes the one that is there. */
  replace(spec: Neighbour): Request<void> {
    return change(
      "replace forwarding entry",
      RTM_NEWNEIGH,
      entry(spec),
      NLM_F_CREATE | NLM_F_REPLACE,
    );
  }

  /** Takes it away. */
  delete(spec: Neighbour): Request<void> {
    return change("delete forwarding entry", RTM_DELNEIGH, entry(spec));
  }
}

/** The requests about neighbours, ready to be sent or batched. */
export const neighbour: NeighbourRequests = new NeighbourRequests();

/** The requests about forwarding tables, ready to be sent or batched. */
export const forwarding: ForwardingRequests = new ForwardingRequests();

function described(spec: Neighbour): Neighbour {
  return { family: familyOf(spec.dst ?? ""), state: ["permanent"], ...spec };
}

/** "static" in a bridge, and for ever in the link's own table, as `bridge fdb` has it. */
function entry(spec: Neighbour): Neighbour {
  const flags = spec.flags ?? ["self"];
  const own = flags.includes("master") ? "reachable" : "permanent";
  return { state: ["noarp", own], ...spec, flags, family: "bridge" };
}

function list(what: string, values: Neighbour): Request<Neighbour[]> {
  return listing(`list ${what}`, RTM_GETNEIGH, NEIGHBOUR, values);
}

function get(
  what: string,
  { family, index, dst, address, vlan, vni, master, flags }: Neighbour,
): Request<Neighbour> {
  return getting(`get ${what}`, RTM_GETNEIGH, NEIGHBOUR, {
    family,
    index,
    dst,
    address,
    vlan,
    vni,
    master,
    flags,
  });
}

function change(what: string, type: number, values: Neighbour, flags = 0): Request<void> {
  const address = values.family === "bridge" ? values.address : values.dst;
  return changing(
    `${what} ${address} on link number ${values.index}`,
    type,
    NEIGHBOUR,
    values,
    flags,
  );
}
