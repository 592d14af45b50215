/**
 * Generic routing encapsulation (RFC 2784, RFC 2890; linux/if_tunnel.h, IFLA_GRE_*): gre, gretap, ip6gre, ip6gretap, erspan, ip6erspan.
 *
 * @module
 */

import { be16, be32, bool, ip, presence, u16, u32, u8 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";
import { ENCAP_FLAGS, ENCAP_TYPE, IP6_TUNNEL_FLAGS } from "./ip_tunnel.ts";

const GRE_FLAGS = {
  flags: be16,
  names: { sequence: 0x1000, key: 0x2000, checksum: 0x8000 },
} as const;

/** What IFLA_INFO_DATA holds for a GRE tunnel of any kind. */
export const GRE = {
  /** The link that the tunnel's packets use. */
  link: ["IFLA_GRE_LINK", 1, u32],
  /** "key" makes `inputKey` count. */
  inputFlags: ["IFLA_GRE_IFLAGS", 2, GRE_FLAGS],
  outputFlags: ["IFLA_GRE_OFLAGS", 3, GRE_FLAGS],
  inputKey: ["IFLA_GRE_IKEY", 4, be32],
  outputKey: ["IFLA_GRE_OKEY", 5, be32],
  local: ["IFLA_GRE_LOCAL", 6, ip],
  remote: ["IFLA_GRE_REMOTE", 7, ip],
  /** 0 inherits the inner packet's. */
  ttl: ["IFLA_GRE_TTL", 8, u8],
  tos: ["IFLA_GRE_TOS", 9, u8],
  pathMtuDiscovery: ["IFLA_GRE_PMTUDISC", 10, bool],
  encapLimit: ["IFLA_GRE_ENCAP_LIMIT", 11, u8],
  flowInfo: ["IFLA_GRE_FLOWINFO", 12, be32],
  /** Of ip6gre and ip6gretap. */
  flags: ["IFLA_GRE_FLAGS", 13, IP6_TUNNEL_FLAGS],
  encapType: ["IFLA_GRE_ENCAP_TYPE", 14, ENCAP_TYPE],
  encapFlags: ["IFLA_GRE_ENCAP_FLAGS", 15, ENCAP_FLAGS],
  encapSourcePort: ["IFLA_GRE_ENCAP_SPORT", 16, be16],
  encapDestinationPort: ["IFLA_GRE_ENCAP_DPORT", 17, be16],
  collectMetadata: ["IFLA_GRE_COLLECT_METADATA", 18, presence],
  ignoreDf: ["IFLA_GRE_IGNORE_DF", 19, bool],
  fwmark: ["IFLA_GRE_FWMARK", 20, u32],
  erspanIndex: ["IFLA_GRE_ERSPAN_INDEX", 21, u32],
  erspanVersion: ["IFLA_GRE_ERSPAN_VER", 22, u8],
  erspanDirection: ["IFLA_GRE_ERSPAN_DIR", 23, u8],
  erspanHardwareId: ["IFLA_GRE_ERSPAN_HWID", 24, u16],
} as const satisfies Table;
