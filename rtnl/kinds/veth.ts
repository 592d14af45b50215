/**
 * A pair of links, each the other's peer (veth(4), linux/veth.h).
 *
 * @module
 */

import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for a veth; taken at creation, never sent by the kernel. */
export const VETH = {
  /** The other end: a link of its own, with its name and its namespace. */
  peer: ["VETH_INFO_PEER", 1, { itself: true, without: "linkInfo" }],
} as const satisfies Table;
