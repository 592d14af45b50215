/**
 * High-availability seamless redundancy (IEC 62439-3; linux/if_link.h, IFLA_HSR_*).
 *
 * @module
 */

import { mac, u16, u32, u8 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for an HSR or a PRP ring. */
export const HSR = {
  port1: ["IFLA_HSR_SLAVE1", 1, u32],
  port2: ["IFLA_HSR_SLAVE2", 2, u32],
  /** The last byte of the supervision address. */
  multicastSpec: ["IFLA_HSR_MULTICAST_SPEC", 3, u8],
  supervisionAddress: ["IFLA_HSR_SUPERVISION_ADDR", 4, mac],
  sequence: ["IFLA_HSR_SEQ_NR", 5, u16],
  version: ["IFLA_HSR_VERSION", 6, u8],
  protocol: ["IFLA_HSR_PROTOCOL", 7, { oneOf: u8, names: { hsr: 0, prp: 1 } }],
  interlink: ["IFLA_HSR_INTERLINK", 8, u32],
} as const satisfies Table;
