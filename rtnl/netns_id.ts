/**
 * The numbers by which a namespace counts others (ip-netns(8), linux/net_namespace.h).
 *
 * @module
 */

import { s32, u32 } from "./codec/scalars.ts";
import type { Message, MessageShape } from "./codec/shape.ts";
import { FAMILY } from "./names.ts";
import { changing, getting, listing, type Request } from "./request.ts";

/** RTM_NEWNSID, RTM_GETNSID: struct rtgenmsg and the NETNSA_* attributes. */
export const NETNS_ID = {
  header: { family: FAMILY },
  attributes: {
    /** The number, from 0; -1 for none yet, or for the kernel to pick one. */
    nsid: ["NETNSA_NSID", 1, s32],
    /** The namespace of a process. */
    pid: ["NETNSA_PID", 2, u32],
    /** The namespace behind a descriptor. */
    fd: ["NETNSA_FD", 3, u32],
    /** Answer for this namespace, not for the connection's. */
    targetNsid: ["NETNSA_TARGET_NSID", 4, s32],
    /** The number that the connection's own namespace has for the same one. */
    currentNsid: ["NETNSA_CURRENT_NSID", 5, s32],
  },
} as const satisfies MessageShape;

/** A namespace and its number; what is `undefined` was not said. */
export interface NetnsId extends Message<typeof NETNS_ID> {}

// linux/rtnetlink.h
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;

/** The requests about the numbers of namespaces. */
export class NetnsIdRequests {
  /** All namespaces that have a number here. */
  list(filter: NetnsId = {}): Request<NetnsId[]> {
    return listing("list netns ids", RTM_GETNSID, NETNS_ID, filter);
  }

  /** The number of the namespace that `fd`, `pid` or `nsid` says; `nsid` is -1 when it has none. */
  get(spec: NetnsId): Request<NetnsId> {
    return getting(`get the netns id of ${describe(spec)}`, RTM_GETNSID, NETNS_ID, spec);
  }

  /** Gives the namespace of `fd` or `pid` the number `nsid`, or one that is free; it keeps it. */
  add(spec: NetnsId): Request<void> {
    return changing(`give ${describe(spec)} a netns id`, RTM_NEWNSID, NETNS_ID, {
      nsid: -1,
      ...spec,
    });
  }
}

/** The requests about the numbers of namespaces, ready to be sent or batched. */
export const netnsId: NetnsIdRequests = new NetnsIdRequests();

function describe({ fd, pid, nsid }: NetnsId): string {
  if (fd !== undefined) return `the namespace of descriptor ${fd}`;
  return pid !== undefined ? `the namespace of process ${pid}` : `namespace number ${nsid}`;
}
