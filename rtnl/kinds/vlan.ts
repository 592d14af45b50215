/**
 * A VLAN on another link (linux/if_link.h, IFLA_VLAN_*; IEEE 802.1Q).
 *
 * @module
 */

import { be16, u16, u32 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

const VLAN_FLAGS = {
  flags: u32,
  names: { reorderHeader: 1, gvrp: 2, looseBinding: 4, mvrp: 8, bridgeBinding: 0x10 },
} as const;

const QOS_MAPPING = { struct: { from: u32, to: u32 } } as const;

/** What IFLA_INFO_DATA holds for a VLAN; the link below is the link's own `link`. */
export const VLAN = {
  /** 0 to 4095. */
  id: ["IFLA_VLAN_ID", 1, u16],
  /** The flags, and which of them are meant. */
  flags: ["IFLA_VLAN_FLAGS", 2, { struct: { flags: VLAN_FLAGS, mask: VLAN_FLAGS } }],
  /** From a packet's priority to the tag's, 0 to 7. */
  egressQos: ["IFLA_VLAN_EGRESS_QOS", 3, { listOf: QOS_MAPPING, number: 1 }],
  /** From the tag's priority to the packet's. */
  ingressQos: ["IFLA_VLAN_INGRESS_QOS", 4, { listOf: QOS_MAPPING, number: 1 }],
  protocol: ["IFLA_VLAN_PROTOCOL", 5, {
    oneOf: be16,
    names: { "802.1Q": 0x8100, "802.1ad": 0x88a8 },
  }],
} as const satisfies Table;
