/**
 * What a route or a nexthop wraps its packets in (linux/lwtunnel.h).
 *
 * @module
 */

import { formatAddress, parseAddress } from "./codec/ip.ts";
import {
  be16,
  be32,
  be64,
  bytes,
  ip,
  labels,
  show,
  text,
  u16,
  u32,
  u64,
  u8,
} from "./codec/scalars.ts";
import { type Codec, type OneOfShape, type Table, ValueError } from "./codec/shape.ts";

/** TUNNEL_* of the kernel's include/net/ip_tunnels.h. */
const TUNNEL_FLAGS = {
  flags: be16,
  names: { checksum: 1, key: 4, sequence: 8, dontFragment: 0x100, oam: 0x200, critical: 0x400 },
} as const;

const GENEVE_OPTION = {
  class: ["LWTUNNEL_IP_OPT_GENEVE_CLASS", 1, be16],
  type: ["LWTUNNEL_IP_OPT_GENEVE_TYPE", 2, u8],
  data: ["LWTUNNEL_IP_OPT_GENEVE_DATA", 3, bytes],
} as const satisfies Table;

const OPTIONS = {
  geneve: ["LWTUNNEL_IP_OPTS_GENEVE", 1, { repeated: GENEVE_OPTION }],
  vxlan: ["LWTUNNEL_IP_OPTS_VXLAN", 2, { gbp: ["LWTUNNEL_IP_OPT_VXLAN_GBP", 1, u32] }],
  erspan: ["LWTUNNEL_IP_OPTS_ERSPAN", 3, {
    version: ["LWTUNNEL_IP_OPT_ERSPAN_VER", 1, u8],
    index: ["LWTUNNEL_IP_OPT_ERSPAN_INDEX", 2, be32],
    direction: ["LWTUNNEL_IP_OPT_ERSPAN_DIR", 3, u8],
    hardwareId: ["LWTUNNEL_IP_OPT_ERSPAN_HWID", 4, u8],
  }],
} as const satisfies Table;

const PROGRAM = {
  fd: ["LWT_BPF_PROG_FD", 1, u32],
  name: ["LWT_BPF_PROG_NAME", 2, text],
} as const satisfies Table;

const SEG6_PROGRAM = {
  program: ["SEG6_LOCAL_BPF_PROG", 1, u32],
  name: ["SEG6_LOCAL_BPF_PROG_NAME", 2, text],
} as const satisfies Table;

const SEG6_COUNTERS = {
  packets: ["SEG6_LOCAL_CNT_PACKETS", 2, u64],
  bytes: ["SEG6_LOCAL_CNT_BYTES", 3, u64],
  errors: ["SEG6_LOCAL_CNT_ERRORS", 4, u64],
} as const satisfies Table;

const SEG6_FLAVORS = {
  operations: ["SEG6_LOCAL_FLV_OPERATION", 1, {
    flags: u32,
    names: { psp: 2, usp: 4, usd: 8, "next-csid": 16 },
  }],
  blockBits: ["SEG6_LOCAL_FLV_LCBLOCK_BITS", 2, u8],
  functionBits: ["SEG6_LOCAL_FLV_LCNODE_FN_BITS", 3, u8],
} as const satisfies Table;

/** A segment routing header (struct seg6_iptunnel_encap of linux/seg6_iptunnel.h). */
export interface Segments {
  /** How the packet gets it: into its own header, or into a new one around it. */
  mode: "inline" | "encap" | "l2encap" | "encap.red" | "l2encap.red";
  /** The segments' addresses, in the order in which they are visited. */
  segments: string[];
}

const MODES = ["inline", "encap", "l2encap", "encap.red", "l2encap.red"] as const;
const SRH_SIZE = 8;
const SRH_TYPE = 4;
const SEGMENTS: Codec<Segments> = {
  read({ bytes, view }, start, end) {
    const srh = start + 4;
    const count = srh + SRH_SIZE > end ? 0 : bytes[srh + 4]! + 1;
    const mode = count === 0 ? undefined : MODES[view.getInt32(start, true)];
    // Options behind the segments, flags and tags would not come out again.
    const plain = mode !== undefined && srh + SRH_SIZE + 16 * count === end &&
      view.getUint16(srh + 5, true) === 0 && bytes[srh + 7] === 0;
    if (!plain) return undefined;
    const segments = Array.from({ length: count }, (_, i) => {
      const at = srh + SRH_SIZE + 16 * i;
      return formatAddress(bytes.subarray(at, at + 16));
    });
    return { mode, segments: segments.reverse() };
  },
  write(output, { mode, segments }) {
    const parsed = segments.map((segment) => parseAddress(segment));
    const number = MODES.indexOf(mode);
    if (number < 0 || parsed.length === 0 || parsed.some((address) => address?.length !== 16)) {
      throw new ValueError(
        `expected a mode of ${MODES.join(", ")} and IPv6 addresses, got ${
          show({ mode, segments })
        }`,
      );
    }
    const start = output.reserve(4 + SRH_SIZE + 16 * parsed.length);
    const srh = start + 4;
    const last = parsed.length - 1;
    output.view.setInt32(start, number, true);
    output.bytes[srh + 1] = 2 * parsed.length;
    output.bytes.set([SRH_TYPE, last, last], srh + 2);
    parsed.reverse().forEach((address, i) => output.bytes.set(address!, srh + SRH_SIZE + 16 * i));
  },
};

/** An MPLS label stack (linux/mpls_iptunnel.h). */
export const MPLS = {
  /** The labels, outermost first: "100/200". */
  dst: ["MPLS_IPTUNNEL_DST", 1, labels],
  ttl: ["MPLS_IPTUNNEL_TTL", 2, u8],
} as const satisfies Table;

/** An IPv4 tunnel's keys. */
export const IP = {
  id: ["LWTUNNEL_IP_ID", 1, be64],
  dst: ["LWTUNNEL_IP_DST", 2, ip],
  src: ["LWTUNNEL_IP_SRC", 3, ip],
  ttl: ["LWTUNNEL_IP_TTL", 4, u8],
  tos: ["LWTUNNEL_IP_TOS", 5, u8],
  flags: ["LWTUNNEL_IP_FLAGS", 6, TUNNEL_FLAGS],
  options: ["LWTUNNEL_IP_OPTS", 8, OPTIONS],
} as const satisfies Table;

/** An IPv6 tunnel's keys. */
export const IP6 = {
  id: ["LWTUNNEL_IP6_ID", 1, be64],
  dst: ["LWTUNNEL_IP6_DST", 2, ip],
  src: ["LWTUNNEL_IP6_SRC", 3, ip],
  hopLimit: ["LWTUNNEL_IP6_HOPLIMIT", 4, u8],
  trafficClass: ["LWTUNNEL_IP6_TC", 5, u8],
  flags: ["LWTUNNEL_IP6_FLAGS", 6, TUNNEL_FLAGS],
  options: ["LWTUNNEL_IP6_OPTS", 8, OPTIONS],
} as const satisfies Table;

/** IPv6 segment routing (RFC 8754). */
export const SEG6 = {
  srh: ["SEG6_IPTUNNEL_SRH", 1, SEGMENTS],
} as const satisfies Table;

/** What happens to packets for one segment here (RFC 8986). */
export const SEG6_LOCAL = {
  action: ["SEG6_LOCAL_ACTION", 1, {
    oneOf: u32,
    names: {
      End: 1,
      "End.X": 2,
      "End.T": 3,
      "End.DX2": 4,
      "End.DX6": 5,
      "End.DX4": 6,
      "End.DT6": 7,
      "End.DT4": 8,
      "End.B6": 9,
      "End.B6.Encaps": 10,
      "End.BM": 11,
      "End.S": 12,
      "End.AS": 13,
      "End.AM": 14,
      "End.BPF": 15,
      "End.DT46": 16,
    },
  }],
  /** struct ipv6_sr_hdr, for "End.B6" and "End.B6.Encaps". */
  srh: ["SEG6_LOCAL_SRH", 2, bytes],
  table: ["SEG6_LOCAL_TABLE", 3, u32],
  nexthop4: ["SEG6_LOCAL_NH4", 4, ip],
  nexthop6: ["SEG6_LOCAL_NH6", 5, ip],
  iif: ["SEG6_LOCAL_IIF", 6, u32],
  oif: ["SEG6_LOCAL_OIF", 7, u32],
  bpf: ["SEG6_LOCAL_BPF", 8, SEG6_PROGRAM],
  vrfTable: ["SEG6_LOCAL_VRFTABLE", 9, u32],
  counters: ["SEG6_LOCAL_COUNTERS", 10, SEG6_COUNTERS],
  flavors: ["SEG6_LOCAL_FLAVORS", 11, SEG6_FLAVORS],
} as const satisfies Table;

/** Programs that see the packets. */
export const BPF = {
  in: ["LWT_BPF_IN", 1, PROGRAM],
  out: ["LWT_BPF_OUT", 2, PROGRAM],
  xmit: ["LWT_BPF_XMIT", 3, PROGRAM],
  /** Bytes in front that `xmit` may fill, 0 to 256. */
  headroom: ["LWT_BPF_XMIT_HEADROOM", 4, u32],
} as const satisfies Table;

/** The IPsec policies of one xfrm interface. */
export const XFRM_ENCAP = {
  interfaceId: ["LWT_XFRM_IF_ID", 1, u32],
  link: ["LWT_XFRM_LINK", 2, u32],
} as const satisfies Table;

/** The kinds of encapsulation that are typed, by the name that `encapType` has for them. */
export const ENCAPS = {
  mpls: MPLS,
  ip: IP,
  ip6: IP6,
  seg6: SEG6,
  bpf: BPF,
  seg6local: SEG6_LOCAL,
  xfrm: XFRM_ENCAP,
} as const;

/** LWTUNNEL_ENCAP_*: what kind of encapsulation. */
export const ENCAP_TYPE = {
  oneOf: u16,
  names: {
    none: 0,
    mpls: 1,
    ip: 2,
    ila: 3,
    ip6: 4,
    seg6: 5,
    bpf: 6,
    seg6local: 7,
    rpl: 8,
    ioam6: 9,
    xfrm: 10,
  },
} as const satisfies OneOfShape;
