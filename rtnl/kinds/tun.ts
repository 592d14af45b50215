/**
 * A link whose other side is a program (linux/if_link.h, IFLA_TUN_*); made by ioctl only, so this is read.
 *
 * @module
 */

import { bool, u32, u8 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for a tun or a tap. */
export const TUN = {
  /** User id. */
  owner: ["IFLA_TUN_OWNER", 1, u32],
  /** Group id. */
  group: ["IFLA_TUN_GROUP", 2, u32],
  type: ["IFLA_TUN_TYPE", 3, { oneOf: u8, names: { tun: 1, tap: 2 } }],
  packetInfo: ["IFLA_TUN_PI", 4, bool],
  virtioHeader: ["IFLA_TUN_VNET_HDR", 5, bool],
  persist: ["IFLA_TUN_PERSIST", 6, bool],
  multiQueue: ["IFLA_TUN_MULTI_QUEUE", 7, bool],
  queues: ["IFLA_TUN_NUM_QUEUES", 8, u32],
  disabledQueues: ["IFLA_TUN_NUM_DISABLED_QUEUES", 9, u32],
} as const satisfies Table;
