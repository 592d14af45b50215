/**
 * Virtual routing and forwarding: a link whose ports have a routing table of their own (linux/if_link.h, IFLA_VRF_*).
 *
 * @module
 */

import { u32 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for a VRF. */
export const VRF = {
  /** The routing table. */
  table: ["IFLA_VRF_TABLE", 1, u32],
} as const satisfies Table;

/** What IFLA_INFO_SLAVE_DATA holds for a port of a VRF. */
export const VRF_PORT = {
  table: ["IFLA_VRF_PORT_TABLE", 1, u32],
} as const satisfies Table;
