/**
 * What the kinds of filters look at (tc(8), linux/pkt_cls.h): one table for each.
 *
 * @module
 */

import { be16, be32, bytes, ip, mac, s16, s32, text, u16, u32, u8 } from "../codec/scalars.ts";
import type { Shape, Table } from "../codec/shape.ts";
import { ACTIONS, POLICE } from "./actions.ts";
import { handle } from "./rates.ts";

const HEADER_FLAGS = { flags: be32, names: { fragment: 1, firstFragment: 2 } } as const;

const CONNECTION_STATE = {
  flags: u16,
  names: { new: 1, established: 2, related: 4, tracked: 8, invalid: 0x10, reply: 0x20 },
} as const;

const FLAGS = {
  flags: u32,
  names: { skipHardware: 1, skipSoftware: 2, inHardware: 4, notInHardware: 8, verbose: 0x10 },
} as const;

/** struct tc_u32_sel: the words of the packet that are compared. */
const SELECTOR = {
  struct: {
    flags: { flags: u8, names: { terminal: 1, offset: 2, variableOffset: 4, eat: 8 } },
    offsetShift: u8,
    /** How many there are in `keys`. */
    keyCount: u8,
    padding: u8,
    offsetMask: be16,
    offset: u16,
    offsetOffset: s16,
    hashOffset: s16,
    hashMask: be32,
    keys: { arrayOf: { struct: { mask: be32, value: be32, offset: s32, offsetMask: s32 } } },
  },
} as const;

/** Any words of the packet (tc-u32(8)). */
export const U32 = {
  classId: ["TCA_U32_CLASSID", 1, handle],
  hash: ["TCA_U32_HASH", 2, u32],
  link: ["TCA_U32_LINK", 3, u32],
  divisor: ["TCA_U32_DIVISOR", 4, u32],
  selector: ["TCA_U32_SEL", 5, SELECTOR],
  police: ["TCA_U32_POLICE", 6, POLICE],
  actions: ["TCA_U32_ACT", 7, ACTIONS],
  inputDevice: ["TCA_U32_INDEV", 8, text],
  counters: ["TCA_U32_PCNT", 9, bytes],
  mark: ["TCA_U32_MARK", 10, { struct: { value: u32, mask: u32, success: u32 } }],
  flags: ["TCA_U32_FLAGS", 11, FLAGS],
} as const satisfies Table;

/** Every packet (tc-matchall(8)). */
export const MATCHALL = {
  classId: ["TCA_MATCHALL_CLASSID", 1, handle],
  actions: ["TCA_MATCHALL_ACT", 2, ACTIONS],
  flags: ["TCA_MATCHALL_FLAGS", 3, FLAGS],
  counters: ["TCA_MATCHALL_PCNT", 4, bytes],
} as const satisfies Table;

/** A program decides (tc-bpf(8)). */
export const CLS_BPF = {
  actions: ["TCA_BPF_ACT", 1, ACTIONS],
  police: ["TCA_BPF_POLICE", 2, POLICE],
  classId: ["TCA_BPF_CLASSID", 3, handle],
  /** Instructions of classic BPF. */
  length: ["TCA_BPF_OPS_LEN", 4, u16],
  instructions: ["TCA_BPF_OPS", 5, bytes],
  /** A loaded eBPF program. */
  fd: ["TCA_BPF_FD", 6, u32],
  name: ["TCA_BPF_NAME", 7, text],
  programFlags: ["TCA_BPF_FLAGS", 8, { flags: u32, names: { directAction: 1 } }],
  flags: ["TCA_BPF_FLAGS_GEN", 9, FLAGS],
  tag: ["TCA_BPF_TAG", 10, bytes],
  id: ["TCA_BPF_ID", 11, u32],
} as const satisfies Table;

/** Extended matches (tc-ematch(8)), kept as bytes. */
export const BASIC = {
  classId: ["TCA_BASIC_CLASSID", 1, handle],
  matches: ["TCA_BASIC_EMATCHES", 2, bytes],
  actions: ["TCA_BASIC_ACT", 3, ACTIONS],
  police: ["TCA_BASIC_POLICE", 4, POLICE],
  counters: ["TCA_BASIC_PCNT", 5, bytes],
} as const satisfies Table;

/** The fields of headers (tc-flower(8)). */
export const FLOWER = {
  classId: ["TCA_FLOWER_CLASSID", 1, handle],
  inputDevice: ["TCA_FLOWER_INDEV", 2, text],
  actions: ["TCA_FLOWER_ACT", 3, ACTIONS],
  ethernetDestination: ["TCA_FLOWER_KEY_ETH_DST", 4, mac],
  ethernetDestinationMask: ["TCA_FLOWER_KEY_ETH_DST_MASK", 5, mac],
  ethernetSource: ["TCA_FLOWER_KEY_ETH_SRC", 6, mac],
  ethernetSourceMask: ["TCA_FLOWER_KEY_ETH_SRC_MASK", 7, mac],
  /** ETH_P_*: 2048 IPv4, 34525 IPv6. */
  etherType: ["TCA_FLOWER_KEY_ETH_TYPE", 8, be16],
  ipProtocol: ["TCA_FLOWER_KEY_IP_PROTO", 9, u8],
  source4: ["TCA_FLOWER_KEY_IPV4_SRC", 10, ip],
  source4Mask: ["TCA_FLOWER_KEY_IPV4_SRC_MASK", 11, ip],
  destination4: ["TCA_FLOWER_KEY_IPV4_DST", 12, ip],
  destination4Mask: ["TCA_FLOWER_KEY_IPV4_DST_MASK", 13, ip],
  source6: ["TCA_FLOWER_KEY_IPV6_SRC", 14, ip],
  source6Mask: ["TCA_FLOWER_KEY_IPV6_SRC_MASK", 15, ip],
  destination6: ["TCA_FLOWER_KEY_IPV6_DST", 16, ip],
  destination6Mask: ["TCA_FLOWER_KEY_IPV6_DST_MASK", 17, ip],
  tcpSource: ["TCA_FLOWER_KEY_TCP_SRC", 18, be16],
  tcpSourceMask: ["TCA_FLOWER_KEY_TCP_SRC_MASK", 35, be16],
  tcpDestination: ["TCA_FLOWER_KEY_TCP_DST", 19, be16],
  tcpDestinationMask: ["TCA_FLOWER_KEY_TCP_DST_MASK", 36, be16],
  udpSource: ["TCA_FLOWER_KEY_UDP_SRC", 20, be16],
  udpSourceMask: ["TCA_FLOWER_KEY_UDP_SRC_MASK", 37, be16],
  udpDestination: ["TCA_FLOWER_KEY_UDP_DST", 21, be16],
  udpDestinationMask: ["TCA_FLOWER_KEY_UDP_DST_MASK", 38, be16],
  sctpSource: ["TCA_FLOWER_KEY_SCTP_SRC", 41, be16],
  sctpSourceMask: ["TCA_FLOWER_KEY_SCTP_SRC_MASK", 39, be16],
  sctpDestination: ["TCA_FLOWER_KEY_SCTP_DST", 42, be16],
  sctpDestinationMask: ["TCA_FLOWER_KEY_SCTP_DST_MASK", 40, be16],
  flags: ["TCA_FLOWER_FLAGS", 22, FLAGS],
  vlanId: ["TCA_FLOWER_KEY_VLAN_ID", 23, u16],
  vlanPriority: ["TCA_FLOWER_KEY_VLAN_PRIO", 24, u8],
  vlanEtherType: ["TCA_FLOWER_KEY_VLAN_ETH_TYPE", 25, be16],
  innerVlanId: ["TCA_FLOWER_KEY_CVLAN_ID", 77, u16],
  innerVlanPriority: ["TCA_FLOWER_KEY_CVLAN_PRIO", 78, u8],
  innerVlanEtherType: ["TCA_FLOWER_KEY_CVLAN_ETH_TYPE", 79, be16],
  tunnelKey: ["TCA_FLOWER_KEY_ENC_KEY_ID", 26, be32],
  tunnelSource4: ["TCA_FLOWER_KEY_ENC_IPV4_SRC", 27, ip],
  tunnelSource4Mask: ["TCA_FLOWER_KEY_ENC_IPV4_SRC_MASK", 28, ip],
  tunnelDestination4: ["TCA_FLOWER_KEY_ENC_IPV4_DST", 29, ip],
  tunnelDestination4Mask: ["TCA_FLOWER_KEY_ENC_IPV4_DST_MASK", 30, ip],
  tunnelSource6: ["TCA_FLOWER_KEY_ENC_IPV6_SRC", 31, ip],
  tunnelSource6Mask: ["TCA_FLOWER_KEY_ENC_IPV6_SRC_MASK", 32, ip],
  tunnelDestination6: ["TCA_FLOWER_KEY_ENC_IPV6_DST", 33, ip],
  tunnelDestination6Mask: ["TCA_FLOWER_KEY_ENC_IPV6_DST_MASK", 34, ip],
  tunnelSourcePort: ["TCA_FLOWER_KEY_ENC_UDP_SRC_PORT", 43, be16],
  tunnelSourcePortMask: ["TCA_FLOWER_KEY_ENC_UDP_SRC_PORT_MASK", 44, be16],
  tunnelDestinationPort: ["TCA_FLOWER_KEY_ENC_UDP_DST_PORT", 45, be16],
  tunnelDestinationPortMask: ["TCA_FLOWER_KEY_ENC_UDP_DST_PORT_MASK", 46, be16],
  tunnelTos: ["TCA_FLOWER_KEY_ENC_IP_TOS", 80, u8],
  tunnelTosMask: ["TCA_FLOWER_KEY_ENC_IP_TOS_MASK", 81, u8],
  tunnelTtl: ["TCA_FLOWER_KEY_ENC_IP_TTL", 82, u8],
  tunnelTtlMask: ["TCA_FLOWER_KEY_ENC_IP_TTL_MASK", 83, u8],
  tunnelOptions: ["TCA_FLOWER_KEY_ENC_OPTS", 84, bytes],
  tunnelOptionsMask: ["TCA_FLOWER_KEY_ENC_OPTS_MASK", 85, bytes],
  headerFlags: ["TCA_FLOWER_KEY_FLAGS", 47, HEADER_FLAGS],
  headerFlagsMask: ["TCA_FLOWER_KEY_FLAGS_MASK", 48, HEADER_FLAGS],
  icmpCode: ["TCA_FLOWER_KEY_ICMPV4_CODE", 49, u8],
  icmpCodeMask: ["TCA_FLOWER_KEY_ICMPV4_CODE_MASK", 50, u8],
  icmpType: ["TCA_FLOWER_KEY_ICMPV4_TYPE", 51, u8],
  icmpTypeMask: ["TCA_FLOWER_KEY_ICMPV4_TYPE_MASK", 52, u8],
  icmp6Code: ["TCA_FLOWER_KEY_ICMPV6_CODE", 53, u8],
  icmp6CodeMask: ["TCA_FLOWER_KEY_ICMPV6_CODE_MASK", 54, u8],
  icmp6Type: ["TCA_FLOWER_KEY_ICMPV6_TYPE", 55, u8],
  icmp6TypeMask: ["TCA_FLOWER_KEY_ICMPV6_TYPE_MASK", 56, u8],
  arpSource: ["TCA_FLOWER_KEY_ARP_SIP", 57, ip],
  arpSourceMask: ["TCA_FLOWER_KEY_ARP_SIP_MASK", 58, ip],
  arpTarget: ["TCA_FLOWER_KEY_ARP_TIP", 59, ip],
  arpTargetMask: ["TCA_FLOWER_KEY_ARP_TIP_MASK", 60, ip],
  arpOperation: ["TCA_FLOWER_KEY_ARP_OP", 61, u8],
  arpOperationMask: ["TCA_FLOWER_KEY_ARP_OP_MASK", 62, u8],
  arpSourceMac: ["TCA_FLOWER_KEY_ARP_SHA", 63, mac],
  arpSourceMacMask: ["TCA_FLOWER_KEY_ARP_SHA_MASK", 64, mac],
  arpTargetMac: ["TCA_FLOWER_KEY_ARP_THA", 65, mac],
  arpTargetMacMask: ["TCA_FLOWER_KEY_ARP_THA_MASK", 66, mac],
  mplsTtl: ["TCA_FLOWER_KEY_MPLS_TTL", 67, u8],
  mplsBottom: ["TCA_FLOWER_KEY_MPLS_BOS", 68, u8],
  mplsTrafficClass: ["TCA_FLOWER_KEY_MPLS_TC", 69, u8],
  mplsLabel: ["TCA_FLOWER_KEY_MPLS_LABEL", 70, u32],
  tcpFlags: ["TCA_FLOWER_KEY_TCP_FLAGS", 71, be16],
  tcpFlagsMask: ["TCA_FLOWER_KEY_TCP_FLAGS_MASK", 72, be16],
  tos: ["TCA_FLOWER_KEY_IP_TOS", 73, u8],
  tosMask: ["TCA_FLOWER_KEY_IP_TOS_MASK", 74, u8],
  ttl: ["TCA_FLOWER_KEY_IP_TTL", 75, u8],
  ttlMask: ["TCA_FLOWER_KEY_IP_TTL_MASK", 76, u8],
  inHardwareCount: ["TCA_FLOWER_IN_HW_COUNT", 86, u32],
  sourcePortLeast: ["TCA_FLOWER_KEY_PORT_SRC_MIN", 87, be16],
  sourcePortMost: ["TCA_FLOWER_KEY_PORT_SRC_MAX", 88, be16],
  destinationPortLeast: ["TCA_FLOWER_KEY_PORT_DST_MIN", 89, be16],
  destinationPortMost: ["TCA_FLOWER_KEY_PORT_DST_MAX", 90, be16],
  connectionState: ["TCA_FLOWER_KEY_CT_STATE", 91, CONNECTION_STATE],
  connectionStateMask: ["TCA_FLOWER_KEY_CT_STATE_MASK", 92, CONNECTION_STATE],
  connectionZone: ["TCA_FLOWER_KEY_CT_ZONE", 93, u16],
  connectionZoneMask: ["TCA_FLOWER_KEY_CT_ZONE_MASK", 94, u16],
  connectionMark: ["TCA_FLOWER_KEY_CT_MARK", 95, u32],
  connectionMarkMask: ["TCA_FLOWER_KEY_CT_MARK_MASK", 96, u32],
  connectionLabels: ["TCA_FLOWER_KEY_CT_LABELS", 97, bytes],
  connectionLabelsMask: ["TCA_FLOWER_KEY_CT_LABELS_MASK", 98, bytes],
  hash: ["TCA_FLOWER_KEY_HASH", 100, u32],
  hashMask: ["TCA_FLOWER_KEY_HASH_MASK", 101, u32],
  vlanCount: ["TCA_FLOWER_KEY_NUM_OF_VLANS", 102, u8],
  pppoeSession: ["TCA_FLOWER_KEY_PPPOE_SID", 103, be16],
  pppProtocol: ["TCA_FLOWER_KEY_PPP_PROTO", 104, be16],
} as const satisfies Table;

/** The options of a filter, by kind. */
export const FILTER_KINDS = {
  basic: BASIC,
  bpf: CLS_BPF,
  flower: FLOWER,
  matchall: MATCHALL,
  u32: U32,
} as const satisfies Record<string, Shape>;
