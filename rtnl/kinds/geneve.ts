/**
 * Generic network virtualization encapsulation (RFC 8926; linux/if_link.h, IFLA_GENEVE_*).
 *
 * @module
 */

import { be16, be32, bool, ip, presence, u32, u8 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";
import { DF } from "./vxlan.ts";

/** What IFLA_INFO_DATA holds for a Geneve tunnel. */
export const GENEVE = {
  /** The VNI, 0 to 16777215. */
  id: ["IFLA_GENEVE_ID", 1, u32],
  remote: ["IFLA_GENEVE_REMOTE", 2, ip],
  ttl: ["IFLA_GENEVE_TTL", 3, u8],
  tos: ["IFLA_GENEVE_TOS", 4, u8],
  /** Destination port, 6081 unless said. */
  port: ["IFLA_GENEVE_PORT", 5, be16],
  collectMetadata: ["IFLA_GENEVE_COLLECT_METADATA", 6, presence],
  remote6: ["IFLA_GENEVE_REMOTE6", 7, ip],
  udpChecksum: ["IFLA_GENEVE_UDP_CSUM", 8, bool],
  udpZeroChecksum6Tx: ["IFLA_GENEVE_UDP_ZERO_CSUM6_TX", 9, bool],
  udpZeroChecksum6Rx: ["IFLA_GENEVE_UDP_ZERO_CSUM6_RX", 10, bool],
  label: ["IFLA_GENEVE_LABEL", 11, be32],
  ttlInherit: ["IFLA_GENEVE_TTL_INHERIT", 12, bool],
  df: ["IFLA_GENEVE_DF", 13, DF],
  innerProtocolInherit: ["IFLA_GENEVE_INNER_PROTO_INHERIT", 14, presence],
  portRange: ["IFLA_GENEVE_PORT_RANGE", 15, { struct: { low: be16, high: be16 } }],
} as const satisfies Table;
