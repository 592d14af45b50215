/**
 * What the address families add to a link (linux/if_link.h, IFLA_AF_SPEC).
 *
 * @module
 */

import { ip, s32, u32, u64, u8 } from "./codec/scalars.ts";
import type { Table } from "./codec/shape.ts";

/** What IPv4 adds. */
export const INET = {
  /** The sysctls under net.ipv4.conf, in the order of linux/ip.h (IPV4_DEVCONF_*). */
  conf: ["IFLA_INET_CONF", 1, { arrayOf: u32 }],
} as const satisfies Table;

/** What IPv6 adds. */
export const INET6 = {
  /** IF_RS_SENT and others. */
  flags: ["IFLA_INET6_FLAGS", 1, u32],
  /** The sysctls under net.ipv6.conf, in the order of linux/ipv6.h (DEVCONF_*). */
  conf: ["IFLA_INET6_CONF", 2, { arrayOf: s32 }],
  /** Counters, in the order of linux/snmp.h (IPSTATS_MIB_*). */
  stats: ["IFLA_INET6_STATS", 3, { arrayOf: u64 }],
  /** Bytes; hundredths of a second since boot; milliseconds. */
  cacheInfo: ["IFLA_INET6_CACHEINFO", 5, {
    struct: { maxReassemblyLength: u32, updated: u32, reachableTime: u32, retransmitTime: u32 },
  }],
  icmp6Stats: ["IFLA_INET6_ICMP6STATS", 6, { arrayOf: u64 }],
  /** The interface identifier for addresses made of a prefix. */
  token: ["IFLA_INET6_TOKEN", 7, ip],
  addressGenerationMode: ["IFLA_INET6_ADDR_GEN_MODE", 8, {
    oneOf: u8,
    names: { eui64: 0, none: 1, stableSecret: 2, random: 3 },
  }],
  routerAdvertisementMtu: ["IFLA_INET6_RA_MTU", 9, u32],
} as const satisfies Table;

/** What MCTP adds. */
export const MCTP = {
  net: ["IFLA_MCTP_NET", 1, u32],
} as const satisfies Table;

/** IFLA_AF_SPEC: by address family (linux/socket.h). */
export const AF_SPEC = {
  inet: ["AF_INET", 2, INET],
  inet6: ["AF_INET6", 10, INET6],
  mctp: ["AF_MCTP", 45, MCTP],
} as const satisfies Table;
