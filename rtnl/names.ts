/**
 * Numbers that have names in more than one message.
 *
 * @module
 */

import type { Codec, FlagsShape, OneOfShape } from "./codec/shape.ts";
import { u32, u8 } from "./codec/scalars.ts";

/** Address families (linux/socket.h) as `ip` calls them. */
export const FAMILY = {
  oneOf: u8 as Codec<number>,
  names: { unspec: 0, inet: 2, bridge: 7, inet6: 10, packet: 17, mpls: 28, ipmr: 128, ip6mr: 129 },
} as const satisfies OneOfShape;

/** How far an address or a route reaches (rtnetlink(7), RT_SCOPE_*). */
export const SCOPE = {
  oneOf: u8 as Codec<number>,
  names: { global: 0, site: 200, link: 253, host: 254, nowhere: 255 },
} as const satisfies OneOfShape;

/** Whether a link can carry packets (RFC 2863, linux/if.h, IF_OPER_*). */
export const OPER_STATE = {
  oneOf: u8 as Codec<number>,
  names: {
    unknown: 0,
    notPresent: 1,
    down: 2,
    lowerLayerDown: 3,
    testing: 4,
    dormant: 5,
    up: 6,
  },
} as const satisfies OneOfShape;

/** Who made a route, a rule or a neighbour (linux/rtnetlink.h, RTPROT_*): "boot" is `ip`'s, "static" an administrator's. */
export const ROUTE_PROTOCOL = {
  oneOf: u8 as Codec<number>,
  names: {
    unspec: 0,
    redirect: 1,
    kernel: 2,
    boot: 3,
    static: 4,
    gated: 8,
    ra: 9,
    mrt: 10,
    zebra: 11,
    bird: 12,
    dnrouted: 13,
    xorp: 14,
    ntk: 15,
    dhcp: 16,
    mrouted: 17,
    keepalived: 18,
    babel: 42,
    ovn: 84,
    openr: 99,
    bgp: 186,
    isis: 187,
    ospf: 188,
    rip: 189,
    eigrp: 192,
  },
} as const satisfies OneOfShape;

/** The routing tables that have names (RT_TABLE_*). */
export const TABLE_NAMES = { unspec: 0, default: 253, main: 254, local: 255 } as const;

/** What is to be known of a nexthop (RTNH_F_*). */
export const NEXTHOP_FLAG_NAMES = {
  dead: 0x1,
  pervasive: 0x2,
  /** The gateway is taken to be on the link, whatever the routes say. */
  onlink: 0x4,
  offload: 0x8,
  linkdown: 0x10,
  unresolved: 0x20,
  trap: 0x40,
} as const;

/** The same as 32 bits. */
export const NEXTHOP_FLAGS = {
  flags: u32 as Codec<number>,
  names: NEXTHOP_FLAG_NAMES,
} as const satisfies FlagsShape;

/** The family of an address: by its colon. */
export function familyOf(address: string): "inet" | "inet6" {
  return address.includes(":") ? "inet6" : "inet";
}
