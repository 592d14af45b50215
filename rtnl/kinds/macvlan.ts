/**
 * A link with an address of its own on another link (linux/if_link.h, IFLA_MACVLAN_*); macvtap is the same.
 *
 * @module
 */

import { mac, s32, u16, u32 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for a macvlan or a macvtap; the link below is the link's own `link`. */
export const MACVLAN = {
  mode: ["IFLA_MACVLAN_MODE", 1, {
    oneOf: u32,
    names: { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 },
  }],
  flags: ["IFLA_MACVLAN_FLAGS", 2, { flags: u16, names: { nopromisc: 1, nodst: 2 } }],
  /** What to do with `addresses`, mode "source". */
  addressMode: ["IFLA_MACVLAN_MACADDR_MODE", 3, {
    oneOf: u32,
    names: { add: 0, delete: 1, flush: 2, set: 3 },
  }],
  macAddress: ["IFLA_MACVLAN_MACADDR", 4, mac],
  /** The senders that are let in, mode "source". */
  addresses: ["IFLA_MACVLAN_MACADDR_DATA", 5, { listOf: mac, number: 4 }],
  addressCount: ["IFLA_MACVLAN_MACADDR_COUNT", 6, u32],
  broadcastQueueLength: ["IFLA_MACVLAN_BC_QUEUE_LEN", 7, u32],
  broadcastQueueLengthUsed: ["IFLA_MACVLAN_BC_QUEUE_LEN_USED", 8, u32],
  broadcastCutoff: ["IFLA_MACVLAN_BC_CUTOFF", 9, s32],
} as const satisfies Table;
