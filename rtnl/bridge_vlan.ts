/**
 * Which VLANs the ports of a bridge carry (bridge(8), linux/if_bridge.h).
 *
 * @module
 */

import { bytes, mac, padding, s32, text, u16, u32, u8 } from "./codec/scalars.ts";
import type { Message, MessageShape, Table } from "./codec/shape.ts";
import { BRIDGE_PORT } from "./kinds/bridge.ts";
import { FAMILY, OPER_STATE } from "./names.ts";
import { changing, listing, type Request } from "./request.ts";

const VLAN_FLAGS = {
  flags: u16,
  names: {
    master: 1,
    pvid: 2,
    untagged: 4,
    rangeBegin: 8,
    rangeEnd: 0x10,
    entry: 0x20,
    onlyOptions: 0x40,
  },
} as const;

const TUNNEL = {
  id: ["IFLA_BRIDGE_VLAN_TUNNEL_ID", 1, u32],
  vid: ["IFLA_BRIDGE_VLAN_TUNNEL_VID", 2, u16],
  flags: ["IFLA_BRIDGE_VLAN_TUNNEL_FLAGS", 3, VLAN_FLAGS],
} as const satisfies Table;

const MST = {
  instance: ["IFLA_BRIDGE_MST_ENTRY_MSTI", 1, u16],
  state: ["IFLA_BRIDGE_MST_ENTRY_STATE", 2, u8],
} as const satisfies Table;

/** IFLA_AF_SPEC of a link as a port of a bridge. */
export const BRIDGE_AF_SPEC = {
  /** Whose VLANs: the port's in its bridge, or the bridge's own. */
  flags: ["IFLA_BRIDGE_FLAGS", 0, { flags: u16, names: { master: 1, self: 2 } }],
  mode: ["IFLA_BRIDGE_MODE", 1, { oneOf: u16, names: { veb: 0, vepa: 1, undefined: 0xffff } }],
  /** A range is two entries, "rangeBegin" and "rangeEnd". */
  vlans: ["IFLA_BRIDGE_VLAN_INFO", 2, { repeated: { struct: { flags: VLAN_FLAGS, vid: u16 } } }],
  tunnels: ["IFLA_BRIDGE_VLAN_TUNNEL_INFO", 3, { repeated: TUNNEL }],
  mrp: ["IFLA_BRIDGE_MRP", 4, bytes],
  cfm: ["IFLA_BRIDGE_CFM", 5, bytes],
  mst: ["IFLA_BRIDGE_MST", 6, { listOf: MST, number: 1 }],
} as const satisfies Table;

/** RTM_GETLINK, RTM_SETLINK, RTM_DELLINK of the family "bridge": struct ifinfomsg and some IFLA_* attributes. */
export const BRIDGE_VLAN = {
  header: {
    family: FAMILY,
    padding,
    type: u16,
    /** The number of the port, or of the bridge. */
    index: s32,
    flags: u32,
    change: u32,
  },
  attributes: {
    address: ["IFLA_ADDRESS", 1, mac],
    name: ["IFLA_IFNAME", 3, text],
    mtu: ["IFLA_MTU", 4, u32],
    /** The number of the link below. */
    link: ["IFLA_LINK", 5, s32],
    /** The number of the bridge. */
    master: ["IFLA_MASTER", 10, u32],
    /** The port's settings. */
    port: ["IFLA_PROTINFO", 12, BRIDGE_PORT],
    operState: ["IFLA_OPERSTATE", 16, OPER_STATE],
    spec: ["IFLA_AF_SPEC", 26, BRIDGE_AF_SPEC],
    extendedMask: ["IFLA_EXT_MASK", 29, u32],
  },
} as const satisfies MessageShape;

/** A port with its VLANs; what is `undefined` was not said. */
export interface BridgeVlans extends Message<typeof BRIDGE_VLAN> {}

/** VLANs of a port of a bridge, or of the bridge itself. */
export interface BridgeVlanSpec {
  /** The number of the port, or of the bridge. */
  index: number;
  /** The VLAN, 1 to 4094. */
  vid: number;
  /** The last VLAN of a range that starts with `vid`. */
  vidEnd?: number | undefined;
  /** Untagged frames that come in get it. */
  pvid?: boolean | undefined;
  /** Frames go out without its tag. */
  untagged?: boolean | undefined;
  /** The link is the bridge, and its own VLANs are meant. */
  self?: boolean | undefined;
}

// linux/rtnetlink.h
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTEXT_FILTER_BRVLAN_COMPRESSED = 4;

/** The requests about VLANs of bridges. */
export class BridgeVlanRequests {
  /** The bridges and ports with their VLANs, ranges in one; without them with `extendedMask: 0`. */
  list(
    { extendedMask = RTEXT_FILTER_BRVLAN_COMPRESSED }: BridgeVlans = {},
  ): Request<BridgeVlans[]> {
    return listing("list bridge VLANs", RTM_GETLINK, BRIDGE_VLAN, {
      family: "bridge",
      extendedMask,
    });
  }

  /** Lets a port carry a VLAN. */
  add(spec: BridgeVlanSpec): Request<void> {
    return change("add", RTM_SETLINK, spec);
  }

  /** Takes a VLAN from a port. */
  delete(spec: BridgeVlanSpec): Request<void> {
    return change("delete", RTM_DELLINK, spec);
  }
}

/** The requests about VLANs of bridges, ready to be sent or batched. */
export const bridgeVlan: BridgeVlanRequests = new BridgeVlanRequests();

function change(verb: string, type: number, spec: BridgeVlanSpec): Request<void> {
  const { index, vid, vidEnd, pvid, untagged, self } = spec;
  const flags = [...pvid ? ["pvid"] as const : [], ...untagged ? ["untagged"] as const : []];
  const vlans = vidEnd === undefined || vidEnd === vid
    ? [{ vid, flags }]
    : [{ vid, flags: [...flags, "rangeBegin"] }, { vid: vidEnd, flags: [...flags, "rangeEnd"] }];
  const last = vidEnd === undefined ? "" : `-${vidEnd}`;
  return changing(`${verb} VLAN ${vid}${last} of link number ${index}`, type, BRIDGE_VLAN, {
    family: "bridge",
    index,
    spec: { ...self ? { flags: ["self"] } : {}, vlans },
  });
}
