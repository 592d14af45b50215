/**
 * Links: the network devices of a namespace (rtnetlink(7), linux/if_link.h).
 *
 * @module
 */

import { AF_SPEC } from "./af_spec.ts";
import {
  be16,
  bool,
  bytes,
  mac,
  padding,
  s32,
  text,
  u16,
  u32,
  u64,
  u8,
  uint,
} from "./codec/scalars.ts";
import type { Message, MessageShape, Table } from "./codec/shape.ts";
import { LINK_KINDS, PORT_KINDS } from "./kinds/mod.ts";
import { FAMILY, OPER_STATE } from "./names.ts";
import {
  changing,
  getting,
  listing,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  type Request,
} from "./request.ts";

const FLAGS = {
  flags: u32,
  names: {
    up: 0x1,
    broadcast: 0x2,
    debug: 0x4,
    loopback: 0x8,
    pointopoint: 0x10,
    notrailers: 0x20,
    running: 0x40,
    noarp: 0x80,
    promisc: 0x100,
    allmulti: 0x200,
    master: 0x400,
    slave: 0x800,
    multicast: 0x1000,
    portsel: 0x2000,
    automedia: 0x4000,
    dynamic: 0x8000,
    lowerUp: 0x10000,
    dormant: 0x20000,
    echo: 0x40000,
  },
} as const;

/** IFLA_LINKINFO: what kind of link it is, and what that kind adds. */
export const LINK_INFO = {
  kind: ["IFLA_INFO_KIND", 1, text],
  data: ["IFLA_INFO_DATA", 2, { by: "kind", of: LINK_KINDS }],
  /** Counters that the kind adds. */
  statistics: ["IFLA_INFO_XSTATS", 3, bytes],
  /** The kind of the master whose port it is. */
  slaveKind: ["IFLA_INFO_SLAVE_KIND", 4, text],
  slaveData: ["IFLA_INFO_SLAVE_DATA", 5, { by: "slaveKind", of: PORT_KINDS }],
} as const satisfies Table;

/** struct rtnl_link_stats64: packets and bytes since the link was made. */
export const LINK_STATS = {
  struct: {
    rxPackets: u64,
    txPackets: u64,
    rxBytes: u64,
    txBytes: u64,
    rxErrors: u64,
    txErrors: u64,
    rxDropped: u64,
    txDropped: u64,
    multicast: u64,
    collisions: u64,
    rxLengthErrors: u64,
    rxOverErrors: u64,
    rxCrcErrors: u64,
    rxFrameErrors: u64,
    rxFifoErrors: u64,
    rxMissedErrors: u64,
    txAbortedErrors: u64,
    txCarrierErrors: u64,
    txFifoErrors: u64,
    txHeartbeatErrors: u64,
    txWindowErrors: u64,
    rxCompressed: u64,
    txCompressed: u64,
    rxNohandler: u64,
    rxOtherhostDropped: u64,
  },
} as const;

/** struct rtnl_link_stats: the same in 32 bits, which overflow. */
const LINK_STATS_32 = {
  struct: {
    rxPackets: u32,
    txPackets: u32,
    rxBytes: u32,
    txBytes: u32,
    rxErrors: u32,
    txErrors: u32,
    rxDropped: u32,
    txDropped: u32,
    multicast: u32,
    collisions: u32,
    rxLengthErrors: u32,
    rxOverErrors: u32,
    rxCrcErrors: u32,
    rxFrameErrors: u32,
    rxFifoErrors: u32,
    rxMissedErrors: u32,
    txAbortedErrors: u32,
    txCarrierErrors: u32,
    txFifoErrors: u32,
    txHeartbeatErrors: u32,
    txWindowErrors: u32,
    rxCompressed: u32,
    txCompressed: u32,
    rxNohandler: u32,
  },
} as const;

/** struct rtnl_link_ifmap: where old hardware is. */
const MAP = {
  struct: {
    memoryStart: u64,
    memoryEnd: u64,
    baseAddress: u64,
    irq: u16,
    dma: u8,
    port: u8,
    padding: u32,
  },
} as const;

/** IFLA_XDP: the programs that see each packet first. */
export const XDP = {
  /** A program to attach; -1 detaches. */
  fd: ["IFLA_XDP_FD", 1, s32],
  attached: ["IFLA_XDP_ATTACHED", 2, {
    oneOf: u8,
    names: { none: 0, driver: 1, generic: 2, hardware: 3, multiple: 4 },
  }],
  flags: ["IFLA_XDP_FLAGS", 3, {
    flags: u32,
    names: { updateIfNoExist: 1, generic: 2, driver: 4, hardware: 8, replace: 16 },
  }],
  programId: ["IFLA_XDP_PROG_ID", 4, u32],
  driverProgramId: ["IFLA_XDP_DRV_PROG_ID", 5, u32],
  genericProgramId: ["IFLA_XDP_SKB_PROG_ID", 6, u32],
  hardwareProgramId: ["IFLA_XDP_HW_PROG_ID", 7, u32],
  /** The program that is to be replaced. */
  expectedFd: ["IFLA_XDP_EXPECTED_FD", 8, s32],
} as const satisfies Table;

const VF_SETTING = { struct: { vf: u32, setting: u32 } } as const;
const VF_VLAN = { vf: u32, vlan: u32, qos: u32 } as const;

/** IFLA_VF_INFO: one virtual function of a network card. */
export const VIRTUAL_FUNCTION = {
  mac: ["IFLA_VF_MAC", 1, { struct: { vf: u32, mac: { arrayOf: u8, count: 32 } } }],
  vlan: ["IFLA_VF_VLAN", 2, { struct: VF_VLAN }],
  txRate: ["IFLA_VF_TX_RATE", 3, { struct: { vf: u32, rate: u32 } }],
  spoofCheck: ["IFLA_VF_SPOOFCHK", 4, VF_SETTING],
  linkState: ["IFLA_VF_LINK_STATE", 5, VF_SETTING],
  /** Mbit/s. */
  rate: ["IFLA_VF_RATE", 6, { struct: { vf: u32, least: u32, most: u32 } }],
  rssQuery: ["IFLA_VF_RSS_QUERY_EN", 7, VF_SETTING],
  stats: ["IFLA_VF_STATS", 8, {
    rxPackets: ["IFLA_VF_STATS_RX_PACKETS", 0, u64],
    txPackets: ["IFLA_VF_STATS_TX_PACKETS", 1, u64],
    rxBytes: ["IFLA_VF_STATS_RX_BYTES", 2, u64],
    txBytes: ["IFLA_VF_STATS_TX_BYTES", 3, u64],
    broadcast: ["IFLA_VF_STATS_BROADCAST", 4, u64],
    multicast: ["IFLA_VF_STATS_MULTICAST", 5, u64],
    rxDropped: ["IFLA_VF_STATS_RX_DROPPED", 7, u64],
    txDropped: ["IFLA_VF_STATS_TX_DROPPED", 8, u64],
  }],
  trust: ["IFLA_VF_TRUST", 9, VF_SETTING],
  nodeGuid: ["IFLA_VF_IB_NODE_GUID", 10, bytes],
  portGuid: ["IFLA_VF_IB_PORT_GUID", 11, bytes],
  vlans: ["IFLA_VF_VLAN_LIST", 12, {
    listOf: { struct: { ...VF_VLAN, protocol: be16, padding: u16 } },
    number: 1,
  }],
  broadcast: ["IFLA_VF_BROADCAST", 13, { arrayOf: u8, count: 32 }],
} as const satisfies Table;

/** IFLA_PORT_SELF, IFLA_VF_PORT: the profile of a switch's port (IEEE 802.1Qbg). */
export const PORT_PROFILE = {
  vf: ["IFLA_PORT_VF", 1, u32],
  profile: ["IFLA_PORT_PROFILE", 2, text],
  vsiType: ["IFLA_PORT_VSI_TYPE", 3, bytes],
  instanceUuid: ["IFLA_PORT_INSTANCE_UUID", 4, bytes],
  hostUuid: ["IFLA_PORT_HOST_UUID", 5, bytes],
  request: ["IFLA_PORT_REQUEST", 6, u8],
  response: ["IFLA_PORT_RESPONSE", 7, u16],
} as const satisfies Table;

/** IFLA_DEVLINK_PORT: the port of a devlink device that it is (linux/devlink.h); empty for most links. */
export const DEVLINK_PORT = {
  bus: ["DEVLINK_ATTR_BUS_NAME", 1, text],
  device: ["DEVLINK_ATTR_DEV_NAME", 2, text],
  port: ["DEVLINK_ATTR_PORT_INDEX", 3, u32],
} as const satisfies Table;

/** IFLA_DPLL_PIN: the pin of a clock that it has (linux/dpll.h); empty for most links. */
export const DPLL_PIN = {
  id: ["DPLL_A_PIN_ID", 1, u32],
} as const satisfies Table;

/** RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK: struct ifinfomsg and the IFLA_* attributes. */
export const LINK = {
  header: {
    family: FAMILY,
    headerPadding: padding,
    /** ARPHRD_*: 1 Ethernet, 772 loopback. */
    type: u16,
    /** The number by which the kernel knows the link, from 1. */
    index: s32,
    flags: FLAGS,
    /** The flags that a request changes. */
    change: FLAGS,
  },
  attributes: {
    /** The link-layer address. */
    address: ["IFLA_ADDRESS", 1, mac],
    broadcast: ["IFLA_BROADCAST", 2, mac],
    /** 1 to 15 bytes, without `/` and blanks. */
    name: ["IFLA_IFNAME", 3, text],
    /** Largest packet in bytes, link-layer header not counted. */
    mtu: ["IFLA_MTU", 4, u32],
    /** The index of the link below, for a veth the peer's index in `linkNetnsId`. */
    link: ["IFLA_LINK", 5, s32],
    qdisc: ["IFLA_QDISC", 6, text],
    /** The counters in 32 bits; `stats` has them whole. */
    stats32: ["IFLA_STATS", 7, LINK_STATS_32],
    /** The index of the bridge, bond or VRF it belongs to; 0 takes it out. */
    master: ["IFLA_MASTER", 10, u32],
    txQueueLength: ["IFLA_TXQLEN", 13, u32],
    map: ["IFLA_MAP", 14, MAP],
    operState: ["IFLA_OPERSTATE", 16, OPER_STATE],
    linkMode: ["IFLA_LINKMODE", 17, { oneOf: u8, names: { default: 0, dormant: 1, testing: 2 } }],
    linkInfo: ["IFLA_LINKINFO", 18, LINK_INFO],
    /** A process whose namespace the link shall be in. */
    netnsPid: ["IFLA_NET_NS_PID", 19, u32],
    /** A text of up to 255 bytes that the kernel keeps for the user; not taken at creation. */
    alias: ["IFLA_IFALIAS", 20, text],
    vfCount: ["IFLA_NUM_VF", 21, u32],
    virtualFunctions: ["IFLA_VFINFO_LIST", 22, { listOf: VIRTUAL_FUNCTION, number: 1 }],
    stats: ["IFLA_STATS64", 23, LINK_STATS],
    vfPorts: ["IFLA_VF_PORTS", 24, { listOf: PORT_PROFILE, number: 1 }],
    portProfile: ["IFLA_PORT_SELF", 25, PORT_PROFILE],
    /** What IPv4, IPv6 and other families add. */
    afSpec: ["IFLA_AF_SPEC", 26, AF_SPEC],
    /** A number for acting on many links at once; 0 is the default group. */
    group: ["IFLA_GROUP", 27, u32],
    /** A descriptor of the namespace the link shall be in. */
    netnsFd: ["IFLA_NET_NS_FD", 28, u32],
    extendedMask: ["IFLA_EXT_MASK", 29, u32],
    promiscuity: ["IFLA_PROMISCUITY", 30, u32],
    txQueues: ["IFLA_NUM_TX_QUEUES", 31, u32],
    rxQueues: ["IFLA_NUM_RX_QUEUES", 32, u32],
    carrier: ["IFLA_CARRIER", 33, bool],
    physicalPortId: ["IFLA_PHYS_PORT_ID", 34, bytes],
    carrierChanges: ["IFLA_CARRIER_CHANGES", 35, u32],
    physicalSwitchId: ["IFLA_PHYS_SWITCH_ID", 36, bytes],
    /** The number of the namespace in which `link` is, as this namespace counts them. */
    linkNetnsId: ["IFLA_LINK_NETNSID", 37, s32],
    physicalPortName: ["IFLA_PHYS_PORT_NAME", 38, text],
    protoDown: ["IFLA_PROTO_DOWN", 39, bool],
    gsoMaxSegments: ["IFLA_GSO_MAX_SEGS", 40, u32],
    gsoMaxSize: ["IFLA_GSO_MAX_SIZE", 41, u32],
    xdp: ["IFLA_XDP", 43, XDP],
    /** Why the kernel told of the link. */
    event: ["IFLA_EVENT", 44, {
      oneOf: u32,
      names: {
        none: 0,
        reboot: 1,
        features: 2,
        bondingFailover: 3,
        notifyPeers: 4,
        igmpResend: 5,
        bondingOptions: 6,
      },
    }],
    newNetnsId: ["IFLA_NEW_NETNSID", 45, s32],
    /** The namespace to answer for, as this namespace counts them. */
    targetNetnsId: ["IFLA_TARGET_NETNSID", 46, s32],
    carrierUpCount: ["IFLA_CARRIER_UP_COUNT", 47, u32],
    carrierDownCount: ["IFLA_CARRIER_DOWN_COUNT", 48, u32],
    newIndex: ["IFLA_NEW_IFINDEX", 49, s32],
    minMtu: ["IFLA_MIN_MTU", 50, u32],
    maxMtu: ["IFLA_MAX_MTU", 51, u32],
    /** Further names, of up to 127 bytes each. */
    altNames: ["IFLA_PROP_LIST", 52, { listOf: text, number: 53 }],
    altName: ["IFLA_ALT_IFNAME", 53, text],
    permanentAddress: ["IFLA_PERM_ADDRESS", 54, mac],
    protoDownReason: ["IFLA_PROTO_DOWN_REASON", 55, {
      mask: ["IFLA_PROTO_DOWN_REASON_MASK", 1, u32],
      value: ["IFLA_PROTO_DOWN_REASON_VALUE", 2, u32],
    }],
    parentDevice: ["IFLA_PARENT_DEV_NAME", 56, text],
    parentBus: ["IFLA_PARENT_DEV_BUS_NAME", 57, text],
    groMaxSize: ["IFLA_GRO_MAX_SIZE", 58, u32],
    tsoMaxSize: ["IFLA_TSO_MAX_SIZE", 59, u32],
    tsoMaxSegments: ["IFLA_TSO_MAX_SEGS", 60, u32],
    allMulticast: ["IFLA_ALLMULTI", 61, u32],
    devlinkPort: ["IFLA_DEVLINK_PORT", 62, DEVLINK_PORT],
    gsoIpv4MaxSize: ["IFLA_GSO_IPV4_MAX_SIZE", 63, u32],
    groIpv4MaxSize: ["IFLA_GRO_IPV4_MAX_SIZE", 64, u32],
    dpllPin: ["IFLA_DPLL_PIN", 65, DPLL_PIN],
    maxPacingOffloadHorizon: ["IFLA_MAX_PACING_OFFLOAD_HORIZON", 66, uint],
    /** The link can't change its namespace. */
    netnsImmutable: ["IFLA_NETNS_IMMUTABLE", 67, bool],
    headroom: ["IFLA_HEADROOM", 68, u16],
    tailroom: ["IFLA_TAILROOM", 69, u16],
  },
  also: { kind: ["linkInfo", "kind"] },
} as const satisfies MessageShape;

/** What a link's message says; what is `undefined` was not said. */
export interface LinkMessage extends Message<typeof LINK> {}

/** A link, as the kernel lists it. */
export interface Link extends LinkMessage {
  /** What kind it is ("veth", "bridge", ...), from `linkInfo`; `undefined` for hardware and `lo`. */
  kind?: string | undefined;
}

/** What a request says of a link. */
export interface LinkSpec extends LinkMessage {
  /** Whether it shall be up: the flag and its change bit in one word. */
  up?: boolean | undefined;
}

// linux/rtnetlink.h
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTM_NEWLINKPROP = 108;
const RTM_DELLINKPROP = 109;
/** For `extendedMask`: leaves the statistics out (linux/rtnetlink.h, RTEXT_FILTER_SKIP_STATS). */
export const SKIP_STATS = 8;

/** The requests about links. */
export class LinkRequests {
  /** All links, or those that the kernel finds to match: `master`, `linkInfo.kind`. */
  list(filter: LinkSpec = {}): Request<Link[]> {
    return listing("list links", RTM_GETLINK, LINK, { extendedMask: SKIP_STATS, ...filter });
  }

  /** One link, by `name`, `altName` or `index`. */
  get(spec: LinkSpec): Request<Link> {
    return getting(`get ${describe(spec)}`, RTM_GETLINK, LINK, spec);
  }

  /** Creates a link. */
  add(spec: LinkSpec): Request<void> {
    return change("add", RTM_NEWLINK, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Changes a link, by `index` or `name`; with both, it gets the name. */
  set(spec: LinkSpec): Request<void> {
    return change("set", RTM_SETLINK, spec);
  }

  /** Changes what is particular to its kind, such as a bridge's STP. */
  setKind(spec: LinkSpec): Request<void> {
    return change("set", RTM_NEWLINK, spec);
  }

  /** Gives a link the further names `altNames`; each is one link's only. */
  addAltNames(spec: LinkSpec): Request<void> {
    return change(
      "add altname to",
      RTM_NEWLINKPROP,
      spec,
      NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND,
    );
  }

  /** Takes the names `altNames` away from a link. */
  deleteAltNames(spec: LinkSpec): Request<void> {
    return change("delete altname of", RTM_DELLINKPROP, spec);
  }

  /** Deletes a link by `index` or `name`, or all links of a `group`. */
  delete(spec: LinkSpec): Request<void> {
    return change("delete", RTM_DELLINK, spec);
  }
}

/** The requests about links, ready to be sent or batched. */
export const link: LinkRequests = new LinkRequests();

function change(
  verb: string,
  type: number,
  spec: LinkSpec,
  flags = 0,
): Request<void> {
  return changing(`${verb} ${describe(spec)}`, type, LINK, withFlags(spec), flags);
}

/** `up` as the kernel wants it said: a flag, and that it is meant. */
function withFlags({ up, ...spec }: LinkSpec): LinkMessage {
  if (up === undefined) return spec;
  const others = (spec.flags ?? []).filter((flag) => flag !== "up");
  return {
    ...spec,
    flags: up ? [...others, "up"] : others,
    change: [...spec.change ?? [], "up"],
  };
}

function describe({ name, altName, index, group, linkInfo }: LinkSpec): string {
  const subject = name ?? altName ??
    (index === undefined ? undefined : `number ${index}`);
  const kind = linkInfo?.kind === undefined ? "" : ` type ${linkInfo.kind}`;
  return subject === undefined && group !== undefined
    ? `links of group ${group}`
    : `link ${subject ?? "(unnamed)"}${kind}`;
}
