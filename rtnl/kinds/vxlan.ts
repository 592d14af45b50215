/**
 * Ethernet over UDP (RFC 7348; linux/if_link.h, IFLA_VXLAN_*).
 *
 * @module
 */

import { be16, be32, bool, bytes, flag, ip, presence, u32, u8 } from "../codec/scalars.ts";
import type { OneOfShape, Table } from "../codec/shape.ts";

/** Whether the tunnel's packets may be fragmented: unset, the DF bit set, or as the inner packet says. */
export const DF = {
  oneOf: u8,
  names: { unset: 0, set: 1, inherit: 2 },
} as const satisfies OneOfShape;

/** What IFLA_INFO_DATA holds for a VXLAN. */
export const VXLAN = {
  /** The VNI, 0 to 16777215. */
  id: ["IFLA_VXLAN_ID", 1, u32],
  /** IPv4: the remote end, or the multicast group. */
  group: ["IFLA_VXLAN_GROUP", 2, ip],
  /** The link that the tunnel's packets use. */
  link: ["IFLA_VXLAN_LINK", 3, u32],
  local: ["IFLA_VXLAN_LOCAL", 4, ip],
  ttl: ["IFLA_VXLAN_TTL", 5, u8],
  /** 1 inherits the inner packet's. */
  tos: ["IFLA_VXLAN_TOS", 6, u8],
  learning: ["IFLA_VXLAN_LEARNING", 7, bool],
  /** Seconds. */
  ageing: ["IFLA_VXLAN_AGEING", 8, u32],
  /** Most entries of its forwarding table; 0 is no limit. */
  limit: ["IFLA_VXLAN_LIMIT", 9, u32],
  /** Source ports. */
  portRange: ["IFLA_VXLAN_PORT_RANGE", 10, { struct: { low: be16, high: be16 } }],
  /** Answers ARP for others. */
  proxy: ["IFLA_VXLAN_PROXY", 11, bool],
  routeShortCircuit: ["IFLA_VXLAN_RSC", 12, bool],
  l2miss: ["IFLA_VXLAN_L2MISS", 13, bool],
  l3miss: ["IFLA_VXLAN_L3MISS", 14, bool],
  /** Destination port: 4789 is IANA's, 8472 the kernel's default. */
  port: ["IFLA_VXLAN_PORT", 15, be16],
  /** IPv6: the remote end, or the multicast group. */
  group6: ["IFLA_VXLAN_GROUP6", 16, ip],
  local6: ["IFLA_VXLAN_LOCAL6", 17, ip],
  udpChecksum: ["IFLA_VXLAN_UDP_CSUM", 18, bool],
  udpZeroChecksum6Tx: ["IFLA_VXLAN_UDP_ZERO_CSUM6_TX", 19, bool],
  udpZeroChecksum6Rx: ["IFLA_VXLAN_UDP_ZERO_CSUM6_RX", 20, bool],
  remoteChecksumTx: ["IFLA_VXLAN_REMCSUM_TX", 21, bool],
  remoteChecksumRx: ["IFLA_VXLAN_REMCSUM_RX", 22, bool],
  /** Group policy in the header. */
  gbp: ["IFLA_VXLAN_GBP", 23, presence],
  remoteChecksumNoPartial: ["IFLA_VXLAN_REMCSUM_NOPARTIAL", 24, presence],
  /** The tunnel's keys come from routes and filters ("external"). */
  collectMetadata: ["IFLA_VXLAN_COLLECT_METADATA", 25, bool],
  /** IPv6 flow label. */
  label: ["IFLA_VXLAN_LABEL", 26, be32],
  /** Generic protocol extension. */
  gpe: ["IFLA_VXLAN_GPE", 27, presence],
  ttlInherit: ["IFLA_VXLAN_TTL_INHERIT", 28, flag],
  df: ["IFLA_VXLAN_DF", 29, DF],
  vniFilter: ["IFLA_VXLAN_VNIFILTER", 30, bool],
  localBypass: ["IFLA_VXLAN_LOCALBYPASS", 31, bool],
  labelPolicy: ["IFLA_VXLAN_LABEL_POLICY", 32, { oneOf: u32, names: { fixed: 0, inherit: 1 } }],
  reservedBits: ["IFLA_VXLAN_RESERVED_BITS", 33, bytes],
  multicastRoute: ["IFLA_VXLAN_MC_ROUTE", 34, bool],
} as const satisfies Table;
