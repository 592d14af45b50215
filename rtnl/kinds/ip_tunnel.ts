/**
 * IP in IP (linux/if_tunnel.h, IFLA_IPTUN_*): ipip and sit over IPv4, ip6tnl over IPv6.
 *
 * @module
 */

import { be16, be32, bool, ip, presence, u16, u32, u8 } from "../codec/scalars.ts";
import type { FlagsShape, OneOfShape, Table } from "../codec/shape.ts";

/** What else is wrapped around: nothing, FOU, GUE or MPLS. */
export const ENCAP_TYPE = {
  oneOf: u16,
  names: { none: 0, fou: 1, gue: 2, mpls: 3 },
} as const satisfies OneOfShape;

/** TUNNEL_ENCAP_FLAG_* of linux/if_tunnel.h. */
export const ENCAP_FLAGS = {
  flags: u16,
  names: { checksum: 1, checksum6: 2, remoteChecksum: 4 },
} as const satisfies FlagsShape;

/** What is inside: IPPROTO_* of linux/in.h; 0 is any. */
const PROTOCOL = { oneOf: u8, names: { any: 0, ipip: 4, ipv6: 41, mpls: 137 } } as const;

/** IP6_TNL_F_* of linux/ip6_tunnel.h. */
export const IP6_TUNNEL_FLAGS = {
  flags: u32,
  names: {
    ignoreEncapLimit: 1,
    useOriginalTrafficClass: 2,
    useOriginalFlowLabel: 4,
    mip6: 8,
    receiveDscpCopy: 0x10,
    useOriginalFwmark: 0x20,
    allowLocalRemote: 0x40,
  },
} as const satisfies FlagsShape;

/** What IFLA_INFO_DATA holds for an ipip or a sit tunnel. */
export const IP_TUNNEL = {
  /** The link that the tunnel's packets use. */
  link: ["IFLA_IPTUN_LINK", 1, u32],
  local: ["IFLA_IPTUN_LOCAL", 2, ip],
  remote: ["IFLA_IPTUN_REMOTE", 3, ip],
  /** 0 inherits the inner packet's. */
  ttl: ["IFLA_IPTUN_TTL", 4, u8],
  tos: ["IFLA_IPTUN_TOS", 5, u8],
  flags: ["IFLA_IPTUN_FLAGS", 8, { flags: be16, names: { isatap: 1 } }],
  protocol: ["IFLA_IPTUN_PROTO", 9, PROTOCOL],
  pathMtuDiscovery: ["IFLA_IPTUN_PMTUDISC", 10, bool],
  sixRdPrefix: ["IFLA_IPTUN_6RD_PREFIX", 11, ip],
  sixRdRelayPrefix: ["IFLA_IPTUN_6RD_RELAY_PREFIX", 12, ip],
  sixRdPrefixLength: ["IFLA_IPTUN_6RD_PREFIXLEN", 13, u16],
  sixRdRelayPrefixLength: ["IFLA_IPTUN_6RD_RELAY_PREFIXLEN", 14, u16],
  encapType: ["IFLA_IPTUN_ENCAP_TYPE", 15, ENCAP_TYPE],
  encapFlags: ["IFLA_IPTUN_ENCAP_FLAGS", 16, ENCAP_FLAGS],
  encapSourcePort: ["IFLA_IPTUN_ENCAP_SPORT", 17, be16],
  encapDestinationPort: ["IFLA_IPTUN_ENCAP_DPORT", 18, be16],
  collectMetadata: ["IFLA_IPTUN_COLLECT_METADATA", 19, presence],
  fwmark: ["IFLA_IPTUN_FWMARK", 20, u32],
} as const satisfies Table;

/** What IFLA_INFO_DATA holds for an ip6tnl tunnel. */
export const IP6_TUNNEL = {
  link: ["IFLA_IPTUN_LINK", 1, u32],
  local: ["IFLA_IPTUN_LOCAL", 2, ip],
  remote: ["IFLA_IPTUN_REMOTE", 3, ip],
  /** The hop limit. */
  ttl: ["IFLA_IPTUN_TTL", 4, u8],
  encapLimit: ["IFLA_IPTUN_ENCAP_LIMIT", 6, u8],
  /** Traffic class and flow label. */
  flowInfo: ["IFLA_IPTUN_FLOWINFO", 7, be32],
  flags: ["IFLA_IPTUN_FLAGS", 8, IP6_TUNNEL_FLAGS],
  protocol: ["IFLA_IPTUN_PROTO", 9, PROTOCOL],
  encapType: ["IFLA_IPTUN_ENCAP_TYPE", 15, ENCAP_TYPE],
  encapFlags: ["IFLA_IPTUN_ENCAP_FLAGS", 16, ENCAP_FLAGS],
  encapSourcePort: ["IFLA_IPTUN_ENCAP_SPORT", 17, be16],
  encapDestinationPort: ["IFLA_IPTUN_ENCAP_DPORT", 18, be16],
  collectMetadata: ["IFLA_IPTUN_COLLECT_METADATA", 19, presence],
  fwmark: ["IFLA_IPTUN_FWMARK", 20, u32],
} as const satisfies Table;
