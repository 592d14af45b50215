/**
 * A pair of links that BPF programs join (linux/if_link.h, IFLA_NETKIT_*; from Linux 6.7).
 *
 * @module
 */

import { bool, u16, u32 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

const NETKIT_POLICY = { oneOf: u32, names: { forward: 0, blackhole: 2 } } as const;
const NETKIT_SCRUB = { oneOf: u32, names: { none: 0, default: 1 } } as const;

/** What IFLA_INFO_DATA holds for a netkit. */
export const NETKIT = {
  /** The other end; taken at creation. */
  peer: ["IFLA_NETKIT_PEER_INFO", 1, { itself: true, without: "linkInfo" }],
  /** Whether this is the end that has the settings. */
  primary: ["IFLA_NETKIT_PRIMARY", 2, bool],
  /** What becomes of packets without a program. */
  policy: ["IFLA_NETKIT_POLICY", 3, NETKIT_POLICY],
  peerPolicy: ["IFLA_NETKIT_PEER_POLICY", 4, NETKIT_POLICY],
  mode: ["IFLA_NETKIT_MODE", 5, { oneOf: u32, names: { l2: 0, l3: 1 } }],
  /** What the packets' metadata become. */
  scrub: ["IFLA_NETKIT_SCRUB", 6, NETKIT_SCRUB],
  peerScrub: ["IFLA_NETKIT_PEER_SCRUB", 7, NETKIT_SCRUB],
  headroom: ["IFLA_NETKIT_HEADROOM", 8, u16],
  tailroom: ["IFLA_NETKIT_TAILROOM", 9, u16],
} as const satisfies Table;
