/**
 * Numbers that have names in more than one message.
 *
 * @module
 */

import type { Codec, OneOfShape } from "./codec/shape.ts";
import { u8 } from "./codec/scalars.ts";

/** Address families (linux/socket.h) as `ip` calls them. */
export const FAMILY = {
  oneOf: u8 as Codec<number>,
  names: { unspec: 0, inet: 2, bridge: 7, inet6: 10, mpls: 28 },
} as const satisfies OneOfShape;

/** How far an address or a route reaches (rtnetlink(7), RT_SCOPE_*). */
export const SCOPE = {
  oneOf: u8 as Codec<number>,
  names: { global: 0, site: 200, link: 253, host: 254, nowhere: 255 },
} as const satisfies OneOfShape;

/** The family of an address: by its colon. */
export function familyOf(address: string): "inet" | "inet6" {
  return address.includes(":") ? "inet6" : "inet";
}
