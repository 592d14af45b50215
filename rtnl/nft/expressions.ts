/**
 * Expressions: what rules are made of, one table for each kind (linux/netfilter/nf_tables.h).
 *
 * An expression loads something of the packet into a register, compares or changes a register, or does
 * something with the packet. Registers are numbers: 0 for the verdict, 1 to 4 of 16 bytes, 8 to 23 of 4
 * bytes in the same place. The rows stand in the order in which the kernel lists them.
 *
 * @module
 */

import { be16, be32, be64, bytes, sbe32, text, u8 } from "../codec/scalars.ts";
import type { Attributes, OneOfShape, Table } from "../codec/shape.ts";

/** Where a packet goes (enum nft_verdicts; NF_* of linux/netfilter.h). */
export const VERDICT = {
  code: ["NFTA_VERDICT_CODE", 1, {
    oneOf: sbe32,
    names: { drop: 0, accept: 1, continue: -1, break: -2, jump: -3, goto: -4, return: -5 },
  }],
  /** For "jump" and "goto". */
  chain: ["NFTA_VERDICT_CHAIN", 2, text],
  chainId: ["NFTA_VERDICT_CHAIN_ID", 3, be32],
} as const satisfies Table;

/** What is in a register, or goes there. */
export const NFT_DATA = {
  /** Up to 64 bytes; what is of the packet is in network byte order, the rest mostly in the host's. */
  value: ["NFTA_DATA_VALUE", 1, bytes],
  verdict: ["NFTA_DATA_VERDICT", 2, VERDICT],
} as const satisfies Table;

const META_KEY = {
  oneOf: be32,
  names: {
    len: 0,
    protocol: 1,
    priority: 2,
    mark: 3,
    iif: 4,
    oif: 5,
    iifname: 6,
    oifname: 7,
    iiftype: 8,
    oiftype: 9,
    skuid: 10,
    skgid: 11,
    nftrace: 12,
    rtclassid: 13,
    secmark: 14,
    nfproto: 15,
    l4proto: 16,
    bri_iifname: 17,
    bri_oifname: 18,
    pkttype: 19,
    cpu: 20,
    iifgroup: 21,
    oifgroup: 22,
    cgroup: 23,
    prandom: 24,
    secpath: 25,
    iifkind: 26,
    oifkind: 27,
    bri_iifpvid: 28,
    bri_iifvproto: 29,
    time_ns: 30,
    time_day: 31,
    time_hour: 32,
    sdif: 33,
    sdifname: 34,
  },
} as const satisfies OneOfShape;

const CT_KEY = {
  oneOf: be32,
  names: {
    state: 0,
    direction: 1,
    status: 2,
    mark: 3,
    secmark: 4,
    expiration: 5,
    helper: 6,
    l3protocol: 7,
    src: 8,
    dst: 9,
    protocol: 10,
    proto_src: 11,
    proto_dst: 12,
    labels: 13,
    pkts: 14,
    bytes: 15,
    avgpkt: 16,
    zone: 17,
    eventmask: 18,
    src_ip: 19,
    dst_ip: 20,
    src_ip6: 21,
    dst_ip6: 22,
    id: 23,
  },
} as const satisfies OneOfShape;

/** NF_NAT_RANGE_* of linux/netfilter/nf_nat.h. */
const NAT_FLAGS = {
  flags: be32,
  names: {
    mapIps: 0x1,
    protoSpecified: 0x2,
    protoRandom: 0x4,
    persistent: 0x8,
    protoRandomFully: 0x10,
    protoOffset: 0x20,
    netmap: 0x40,
  },
} as const;

/** NFPROTO_* of linux/netfilter.h, in 32 bits. */
const NFPROTO = {
  oneOf: be32,
  names: { unspec: 0, inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 },
} as const satisfies OneOfShape;

/** NFT_OBJECT_*: of what kind a stateful object is. */
export const OBJECT_TYPE = {
  oneOf: be32,
  names: {
    counter: 1,
    quota: 2,
    ct_helper: 3,
    limit: 4,
    connlimit: 5,
    tunnel: 6,
    ct_timeout: 7,
    secmark: 8,
    ct_expect: 9,
    synproxy: 10,
  },
} as const satisfies OneOfShape;

const INVERTED = { flags: be32, names: { invert: 0x1 } } as const;

/** Counts packets. */
export const COUNTER = {
  bytes: ["NFTA_COUNTER_BYTES", 1, be64],
  packets: ["NFTA_COUNTER_PACKETS", 2, be64],
} as const satisfies Table;

/** Goes on for so many packets or bytes a time, or beyond them. */
export const LIMIT = {
  rate: ["NFTA_LIMIT_RATE", 1, be64],
  /** Seconds. */
  unit: ["NFTA_LIMIT_UNIT", 2, be64],
  burst: ["NFTA_LIMIT_BURST", 3, be32],
  type: ["NFTA_LIMIT_TYPE", 4, { oneOf: be32, names: { pkts: 0, pkt_bytes: 1 } }],
  /** `invert`: goes on beyond the rate. */
  flags: ["NFTA_LIMIT_FLAGS", 5, INVERTED],
} as const satisfies Table;

/** Goes on for so many bytes in all, or beyond them. */
export const QUOTA = {
  bytes: ["NFTA_QUOTA_BYTES", 1, be64],
  consumed: ["NFTA_QUOTA_CONSUMED", 4, be64],
  flags: ["NFTA_QUOTA_FLAGS", 2, { flags: be32, names: { invert: 0x1, depleted: 0x2 } }],
} as const satisfies Table;

/** Goes on for so many connections at once, or beyond them. */
export const CONNLIMIT = {
  count: ["NFTA_CONNLIMIT_COUNT", 1, be32],
  flags: ["NFTA_CONNLIMIT_FLAGS", 2, INVERTED],
} as const satisfies Table;

/** When a rule last saw a packet. */
export const LAST = {
  msecs: ["NFTA_LAST_MSECS", 2, be64],
  set: ["NFTA_LAST_SET", 1, be32],
} as const satisfies Table;

/** The kinds that keep something, which may stand on set elements too. */
const STATEFUL = {
  counter: COUNTER,
  limit: LIMIT,
  quota: QUOTA,
  connlimit: CONNLIMIT,
  last: LAST,
} as const;

/** An expression that keeps something, on an element of a set. */
export const STATEFUL_EXPRESSION = {
  name: ["NFTA_EXPR_NAME", 1, text],
  data: ["NFTA_EXPR_DATA", 2, { by: "name", of: STATEFUL }],
} as const satisfies Table;

/** Loads or sets what the kernel knows of a packet beside its bytes. */
const META = {
  key: ["NFTA_META_KEY", 2, META_KEY],
  dreg: ["NFTA_META_DREG", 1, be32],
  sreg: ["NFTA_META_SREG", 3, be32],
} as const satisfies Table;

/** Loads or sets bytes of a packet. */
const PAYLOAD = {
  dreg: ["NFTA_PAYLOAD_DREG", 1, be32],
  sreg: ["NFTA_PAYLOAD_SREG", 5, be32],
  base: ["NFTA_PAYLOAD_BASE", 2, {
    oneOf: be32,
    names: { ll_header: 0, network_header: 1, transport_header: 2, inner_header: 3 },
  }],
  offset: ["NFTA_PAYLOAD_OFFSET", 3, be32],
  len: ["NFTA_PAYLOAD_LEN", 4, be32],
  csumType: ["NFTA_PAYLOAD_CSUM_TYPE", 6, {
    oneOf: be32,
    names: { none: 0, inet: 1, sctp: 2 },
  }],
  csumOffset: ["NFTA_PAYLOAD_CSUM_OFFSET", 7, be32],
  csumFlags: ["NFTA_PAYLOAD_CSUM_FLAGS", 8, { flags: be32, names: { l4csum_pseudohdr: 0x1 } }],
} as const satisfies Table;

/** Loads an option or an extension header, or changes a TCP option. */
const EXTHDR = {
  dreg: ["NFTA_EXTHDR_DREG", 1, be32],
  sreg: ["NFTA_EXTHDR_SREG", 7, be32],
  type: ["NFTA_EXTHDR_TYPE", 2, u8],
  offset: ["NFTA_EXTHDR_OFFSET", 3, be32],
  len: ["NFTA_EXTHDR_LEN", 4, be32],
  flags: ["NFTA_EXTHDR_FLAGS", 5, { flags: be32, names: { present: 0x1 } }],
  op: ["NFTA_EXTHDR_OP", 6, {
    oneOf: be32,
    names: { ipv6: 0, tcpopt: 1, ipv4: 2, sctp: 3, dccp: 4 },
  }],
} as const satisfies Table;

/** Goes on when a register compares so. */
const CMP = {
  sreg: ["NFTA_CMP_SREG", 1, be32],
  op: ["NFTA_CMP_OP", 2, {
    oneOf: be32,
    names: { eq: 0, neq: 1, lt: 2, lte: 3, gt: 4, gte: 5 },
  }],
  data: ["NFTA_CMP_DATA", 3, NFT_DATA],
} as const satisfies Table;

/** Goes on when a register is between two values, or is not. */
const RANGE = {
  sreg: ["NFTA_RANGE_SREG", 1, be32],
  op: ["NFTA_RANGE_OP", 2, { oneOf: be32, names: { eq: 0, neq: 1 } }],
  fromData: ["NFTA_RANGE_FROM_DATA", 3, NFT_DATA],
  toData: ["NFTA_RANGE_TO_DATA", 4, NFT_DATA],
} as const satisfies Table;

/** Masks, flips or shifts a register. */
const BITWISE = {
  sreg: ["NFTA_BITWISE_SREG", 1, be32],
  dreg: ["NFTA_BITWISE_DREG", 2, be32],
  len: ["NFTA_BITWISE_LEN", 3, be32],
  op: ["NFTA_BITWISE_OP", 6, {
    oneOf: be32,
    names: { mask_xor: 0, lshift: 1, rshift: 2 },
  }],
  mask: ["NFTA_BITWISE_MASK", 4, NFT_DATA],
  xor: ["NFTA_BITWISE_XOR", 5, NFT_DATA],
  data: ["NFTA_BITWISE_DATA", 7, NFT_DATA],
} as const satisfies Table;

/** Swaps the bytes of a register. */
const BYTEORDER = {
  sreg: ["NFTA_BYTEORDER_SREG", 1, be32],
  dreg: ["NFTA_BYTEORDER_DREG", 2, be32],
  op: ["NFTA_BYTEORDER_OP", 3, { oneOf: be32, names: { ntoh: 0, hton: 1 } }],
  len: ["NFTA_BYTEORDER_LEN", 4, be32],
  size: ["NFTA_BYTEORDER_SIZE", 5, be32],
} as const satisfies Table;

/** Loads a value, or gives a verdict. */
const IMMEDIATE = {
  dreg: ["NFTA_IMMEDIATE_DREG", 1, be32],
  data: ["NFTA_IMMEDIATE_DATA", 2, NFT_DATA],
} as const satisfies Table;

/** Goes on when a set has what is in a register; of a map it loads the value. */
const LOOKUP = {
  set: ["NFTA_LOOKUP_SET", 1, text],
  sreg: ["NFTA_LOOKUP_SREG", 2, be32],
  dreg: ["NFTA_LOOKUP_DREG", 3, be32],
  setId: ["NFTA_LOOKUP_SET_ID", 4, be32],
  flags: ["NFTA_LOOKUP_FLAGS", 5, INVERTED],
} as const satisfies Table;

/** Adds to a set, or takes from it, what is in a register. */
const DYNSET = {
  sregKey: ["NFTA_DYNSET_SREG_KEY", 4, be32],
  sregData: ["NFTA_DYNSET_SREG_DATA", 5, be32],
  op: ["NFTA_DYNSET_OP", 3, { oneOf: be32, names: { add: 0, update: 1, delete: 2 } }],
  setName: ["NFTA_DYNSET_SET_NAME", 1, text],
  setId: ["NFTA_DYNSET_SET_ID", 2, be32],
  /** Milliseconds. */
  timeout: ["NFTA_DYNSET_TIMEOUT", 6, be64],
  expr: ["NFTA_DYNSET_EXPR", 7, STATEFUL_EXPRESSION],
  expressions: ["NFTA_DYNSET_EXPRESSIONS", 10, { listOf: STATEFUL_EXPRESSION, number: 1 }],
  flags: ["NFTA_DYNSET_FLAGS", 9, { flags: be32, names: { invert: 0x1, expr: 0x2 } }],
} as const satisfies Table;

/** Loads or sets what connection tracking knows. */
const CT = {
  dreg: ["NFTA_CT_DREG", 1, be32],
  sreg: ["NFTA_CT_SREG", 4, be32],
  key: ["NFTA_CT_KEY", 2, CT_KEY],
  direction: ["NFTA_CT_DIRECTION", 3, { oneOf: u8, names: { original: 0, reply: 1 } }],
} as const satisfies Table;

/** Loads what the routing tables say of a packet's addresses. */
const FIB = {
  dreg: ["NFTA_FIB_DREG", 1, be32],
  result: ["NFTA_FIB_RESULT", 2, { oneOf: be32, names: { oif: 1, oifname: 2, addrtype: 3 } }],
  flags: ["NFTA_FIB_FLAGS", 3, {
    flags: be32,
    names: { saddr: 0x1, daddr: 0x2, mark: 0x4, iif: 0x8, oif: 0x10, present: 0x20 },
  }],
} as const satisfies Table;

/** Loads something of a packet's route. */
const RT = {
  key: ["NFTA_RT_KEY", 2, {
    oneOf: be32,
    names: { classid: 0, nexthop4: 1, nexthop6: 2, tcpmss: 3, xfrm: 4 },
  }],
  dreg: ["NFTA_RT_DREG", 1, be32],
} as const satisfies Table;

/** Loads something of the socket that a packet is for. */
const SOCKET = {
  key: ["NFTA_SOCKET_KEY", 1, {
    oneOf: be32,
    names: { transparent: 0, mark: 1, wildcard: 2, cgroupv2: 3 },
  }],
  dreg: ["NFTA_SOCKET_DREG", 2, be32],
  level: ["NFTA_SOCKET_LEVEL", 3, be32],
} as const satisfies Table;

/** Loads a hash of a register. */
const HASH = {
  sreg: ["NFTA_HASH_SREG", 1, be32],
  dreg: ["NFTA_HASH_DREG", 2, be32],
  len: ["NFTA_HASH_LEN", 3, be32],
  modulus: ["NFTA_HASH_MODULUS", 4, be32],
  seed: ["NFTA_HASH_SEED", 5, be32],
  offset: ["NFTA_HASH_OFFSET", 6, be32],
  type: ["NFTA_HASH_TYPE", 7, { oneOf: be32, names: { jenkins: 0, sym: 1 } }],
} as const satisfies Table;

/** Loads a number that counts up, or a random one. */
const NUMGEN = {
  dreg: ["NFTA_NG_DREG", 1, be32],
  modulus: ["NFTA_NG_MODULUS", 2, be32],
  type: ["NFTA_NG_TYPE", 3, { oneOf: be32, names: { incremental: 0, random: 1 } }],
  offset: ["NFTA_NG_OFFSET", 4, be32],
} as const satisfies Table;

/** Translates an address, a port or both. */
const NAT = {
  type: ["NFTA_NAT_TYPE", 1, { oneOf: be32, names: { snat: 0, dnat: 1 } }],
  family: ["NFTA_NAT_FAMILY", 2, NFPROTO],
  regAddrMin: ["NFTA_NAT_REG_ADDR_MIN", 3, be32],
  regAddrMax: ["NFTA_NAT_REG_ADDR_MAX", 4, be32],
  regProtoMin: ["NFTA_NAT_REG_PROTO_MIN", 5, be32],
  regProtoMax: ["NFTA_NAT_REG_PROTO_MAX", 6, be32],
  flags: ["NFTA_NAT_FLAGS", 7, NAT_FLAGS],
} as const satisfies Table;

/** Translates the source to the address of the link that a packet leaves by. */
const MASQ = {
  flags: ["NFTA_MASQ_FLAGS", 1, NAT_FLAGS],
  regProtoMin: ["NFTA_MASQ_REG_PROTO_MIN", 2, be32],
  regProtoMax: ["NFTA_MASQ_REG_PROTO_MAX", 3, be32],
} as const satisfies Table;

/** Translates the destination to this host. */
const REDIR = {
  regProtoMin: ["NFTA_REDIR_REG_PROTO_MIN", 1, be32],
  regProtoMax: ["NFTA_REDIR_REG_PROTO_MAX", 2, be32],
  flags: ["NFTA_REDIR_FLAGS", 3, NAT_FLAGS],
} as const satisfies Table;

/** Hands a packet to a local socket, untranslated. */
const TPROXY = {
  family: ["NFTA_TPROXY_FAMILY", 1, NFPROTO],
  regAddr: ["NFTA_TPROXY_REG_ADDR", 2, be32],
  regPort: ["NFTA_TPROXY_REG_PORT", 3, be32],
} as const satisfies Table;

/** Writes to the kernel's log, or to a group of netlink. */
const LOG = {
  prefix: ["NFTA_LOG_PREFIX", 2, text],
  group: ["NFTA_LOG_GROUP", 1, be16],
  snaplen: ["NFTA_LOG_SNAPLEN", 3, be32],
  qthreshold: ["NFTA_LOG_QTHRESHOLD", 4, be16],
  level: ["NFTA_LOG_LEVEL", 5, {
    oneOf: be32,
    names: {
      emerg: 0,
      alert: 1,
      crit: 2,
      err: 3,
      warning: 4,
      notice: 5,
      info: 6,
      debug: 7,
      audit: 8,
    },
  }],
  /** NF_LOG_* of linux/netfilter/nf_log.h. */
  flags: ["NFTA_LOG_FLAGS", 6, {
    flags: be32,
    names: { tcpseq: 0x1, tcpopt: 0x2, ipopt: 0x4, uid: 0x8, nflog: 0x10, macdecode: 0x20 },
  }],
} as const satisfies Table;

/** Drops a packet and tells its sender. */
const REJECT = {
  type: ["NFTA_REJECT_TYPE", 1, {
    oneOf: be32,
    names: { icmp_unreach: 0, tcp_rst: 1, icmpx_unreach: 2 },
  }],
  /** Of ICMP or ICMPv6; for "icmpx_unreach" 0 no route, 1 port, 2 host unreachable, 3 prohibited. */
  icmpCode: ["NFTA_REJECT_ICMP_CODE", 2, u8],
} as const satisfies Table;

/** Hands a packet to a program. */
const QUEUE = {
  num: ["NFTA_QUEUE_NUM", 1, be16],
  total: ["NFTA_QUEUE_TOTAL", 2, be16],
  flags: ["NFTA_QUEUE_FLAGS", 3, { flags: be16, names: { bypass: 0x1, cpu_fanout: 0x2 } }],
  sregQnum: ["NFTA_QUEUE_SREG_QNUM", 4, be32],
} as const satisfies Table;

/** Uses a stateful object, by its name or by what a map has for a register. */
const OBJREF = {
  immName: ["NFTA_OBJREF_IMM_NAME", 2, text],
  immType: ["NFTA_OBJREF_IMM_TYPE", 1, OBJECT_TYPE],
  setSreg: ["NFTA_OBJREF_SET_SREG", 3, be32],
  setName: ["NFTA_OBJREF_SET_NAME", 4, text],
  setId: ["NFTA_OBJREF_SET_ID", 5, be32],
} as const satisfies Table;

/** Hands a connection to a flow table. */
const FLOW_OFFLOAD = {
  tableName: ["NFTA_FLOW_TABLE_NAME", 1, text],
} as const satisfies Table;

/** A match of iptables (linux/netfilter/nf_tables_compat.h). */
const MATCH = {
  name: ["NFTA_MATCH_NAME", 1, text],
  rev: ["NFTA_MATCH_REV", 2, be32],
  info: ["NFTA_MATCH_INFO", 3, bytes],
} as const satisfies Table;

/** A target of iptables. */
const TARGET = {
  name: ["NFTA_TARGET_NAME", 1, text],
  rev: ["NFTA_TARGET_REV", 2, be32],
  info: ["NFTA_TARGET_INFO", 3, bytes],
} as const satisfies Table;

/** The kinds that are typed, by name; of others the bytes are kept. */
export const EXPRESSIONS = {
  ...STATEFUL,
  meta: META,
  payload: PAYLOAD,
  exthdr: EXTHDR,
  cmp: CMP,
  range: RANGE,
  bitwise: BITWISE,
  byteorder: BYTEORDER,
  immediate: IMMEDIATE,
  lookup: LOOKUP,
  dynset: DYNSET,
  ct: CT,
  fib: FIB,
  rt: RT,
  socket: SOCKET,
  hash: HASH,
  numgen: NUMGEN,
  nat: NAT,
  masq: MASQ,
  redir: REDIR,
  tproxy: TPROXY,
  log: LOG,
  reject: REJECT,
  queue: QUEUE,
  objref: OBJREF,
  flow_offload: FLOW_OFFLOAD,
  match: MATCH,
  target: TARGET,
} as const;

/** One expression. */
export const NFT_EXPRESSION = {
  name: ["NFTA_EXPR_NAME", 1, text],
  data: ["NFTA_EXPR_DATA", 2, { by: "name", of: EXPRESSIONS }],
} as const satisfies Table;

/** One expression of a rule: its kind, and what that kind has. */
export type NftExpression = Attributes<typeof NFT_EXPRESSION>;

/** What is in a register: bytes, or a verdict. */
export type NftData = Attributes<typeof NFT_DATA>;
