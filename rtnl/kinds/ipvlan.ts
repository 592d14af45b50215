/**
 * A link with addresses of its own behind another link's MAC (linux/if_link.h, IFLA_IPVLAN_*); ipvtap is the same.
 *
 * @module
 */

import { u16 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for an ipvlan or an ipvtap; the link below is the link's own `link`. */
export const IPVLAN = {
  mode: ["IFLA_IPVLAN_MODE", 1, { oneOf: u16, names: { l2: 0, l3: 1, l3s: 2 } }],
  flags: ["IFLA_IPVLAN_FLAGS", 2, { flags: u16, names: { private: 1, vepa: 2 } }],
} as const satisfies Table;
