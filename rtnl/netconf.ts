/**
 * Whether links, or all of a namespace, route and answer for others (linux/netconf.h).
 *
 * @module
 */

import { s32 } from "./codec/scalars.ts";
import type { Message, MessageShape } from "./codec/shape.ts";
import { FAMILY } from "./names.ts";
import { getting, type Request } from "./request.ts";

/** RTM_NEWNETCONF, RTM_GETNETCONF: struct netconfmsg and the NETCONFA_* attributes. */
export const NETCONF = {
  header: {
    family: FAMILY,
  },
  attributes: {
    /** The number of the link; -1 for all, -2 for links to come. */
    index: ["NETCONFA_IFINDEX", 1, s32],
    /** 1 where packets of others are passed on. */
    forwarding: ["NETCONFA_FORWARDING", 2, s32],
    rpFilter: ["NETCONFA_RP_FILTER", 3, s32],
    multicastForwarding: ["NETCONFA_MC_FORWARDING", 4, s32],
    proxyNeighbour: ["NETCONFA_PROXY_NEIGH", 5, s32],
    ignoreRoutesWithLinkdown: ["NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN", 6, s32],
    input: ["NETCONFA_INPUT", 7, s32],
    broadcastForwarding: ["NETCONFA_BC_FORWARDING", 8, s32],
  },
} as const satisfies MessageShape;

/** The settings of a link or of all; what is `undefined` was not said. */
export interface Netconf extends Message<typeof NETCONF> {}

// linux/rtnetlink.h
const RTM_GETNETCONF = 82;
/** linux/netconf.h */
const NETCONFA_IFINDEX_ALL = -1;

/** The requests about these settings; they are changed by sysctl. */
export class NetconfRequests {
  /** The settings of one family, of the link `index` or of all. */
  get(spec: Netconf): Request<Netconf> {
    const { index = NETCONFA_IFINDEX_ALL, family } = spec;
    return getting(`get netconf of ${family}`, RTM_GETNETCONF, NETCONF, { index, family });
  }
}

/** The requests about these settings, ready to be sent or batched. */
export const netconf: NetconfRequests = new NetconfRequests();
