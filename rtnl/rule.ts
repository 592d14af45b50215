/**
 * Rules: which routing table a packet is looked up in (ip-rule(8), linux/fib_rules.h).
 *
 * @module
 */

import { parseAddress } from "./codec/ip.ts";
import {
  be32,
  be64,
  bool,
  ip,
  padding,
  s32,
  tableByte,
  text,
  u16,
  u32,
  u8,
} from "./codec/scalars.ts";
import type { Message, MessageShape } from "./codec/shape.ts";
import { FAMILY, familyOf, ROUTE_PROTOCOL, TABLE_NAMES } from "./names.ts";
import { changing, listing, NLM_F_CREATE, NLM_F_EXCL, type Request } from "./request.ts";

const PORTS = { struct: { start: u16, end: u16 } } as const;

/** RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE: struct fib_rule_hdr and the FRA_* attributes. */
export const RULE = {
  header: {
    family: FAMILY,
    /** Bits of the destination's prefix. */
    dstLength: u8,
    srcLength: u8,
    tos: u8,
    table: { oneOf: tableByte, names: TABLE_NAMES },
    padding1: padding,
    padding2: padding,
    action: {
      oneOf: u8,
      names: { table: 1, goto: 2, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 },
    },
    flags: {
      flags: u32,
      names: { permanent: 1, invert: 2, unresolved: 4, iifDetached: 8, oifDetached: 0x10 },
    },
  },
  attributes: {
    dst: ["FRA_DST", 1, ip],
    src: ["FRA_SRC", 2, ip],
    /** The name of the link a packet came in by. */
    iif: ["FRA_IIFNAME", 3, text],
    /** The priority of the rule to go on with. */
    goto: ["FRA_GOTO", 4, u32],
    /** Rules are tried in ascending order. */
    priority: ["FRA_PRIORITY", 6, u32],
    fwmark: ["FRA_FWMARK", 10, u32],
    flow: ["FRA_FLOW", 11, u32],
    tunnelId: ["FRA_TUN_ID", 12, be64],
    /** A route by a link of this group does not count; -1 is none. */
    suppressGroup: ["FRA_SUPPRESS_IFGROUP", 13, s32],
    /** A route with so short a prefix does not count; -1 is none. */
    suppressPrefixLength: ["FRA_SUPPRESS_PREFIXLEN", 14, s32],
    table: ["FRA_TABLE", 15, { oneOf: u32, names: TABLE_NAMES }],
    fwmask: ["FRA_FWMASK", 16, u32],
    /** The name of the link that a socket is bound to. */
    oif: ["FRA_OIFNAME", 17, text],
    /** The table is that of the packet's VRF. */
    l3mdev: ["FRA_L3MDEV", 19, bool],
    uidRange: ["FRA_UID_RANGE", 20, { struct: { start: u32, end: u32 } }],
    protocol: ["FRA_PROTOCOL", 21, ROUTE_PROTOCOL],
    /** IPPROTO_*: 6 TCP, 17 UDP. */
    ipProtocol: ["FRA_IP_PROTO", 22, u8],
    sport: ["FRA_SPORT_RANGE", 23, PORTS],
    dport: ["FRA_DPORT_RANGE", 24, PORTS],
    dscp: ["FRA_DSCP", 25, u8],
    flowLabel: ["FRA_FLOWLABEL", 26, be32],
    flowLabelMask: ["FRA_FLOWLABEL_MASK", 27, be32],
    sportMask: ["FRA_SPORT_MASK", 28, u16],
    dportMask: ["FRA_DPORT_MASK", 29, u16],
    dscpMask: ["FRA_DSCP_MASK", 30, u8],
  },
} as const satisfies MessageShape;

/** A rule, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface Rule extends Message<typeof RULE> {}

// linux/rtnetlink.h
const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

/** The requests about rules. */
export class RuleRequests {
  /** All rules, or those of a `family`. */
  list({ family }: Rule = {}): Request<Rule[]> {
    return listing("list rules", RTM_GETRULE, RULE, { family });
  }

  /** Adds a rule; it leads to `table`, "main" unless said. */
  add(spec: Rule): Request<void> {
    const leads = spec.action === undefined || spec.action === "table";
    const table = leads && !spec.l3mdev ? { table: "main" } as const : {};
    const values: Rule = { action: "table", ...table, ...described(spec) };
    return change("add", RTM_NEWRULE, values, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Takes a rule away: the first that has all that is said here. */
  delete(spec: Rule): Request<void> {
    return change("delete", RTM_DELRULE, described(spec));
  }
}

/** The requests about rules, ready to be sent or batched. */
export const rule: RuleRequests = new RuleRequests();

function described(spec: Rule): Rule {
  const bits = (address: string | undefined) => (parseAddress(address ?? "")?.length ?? 0) * 8;
  return {
    family: familyOf(spec.src ?? spec.dst ?? ""),
    srcLength: bits(spec.src),
    dstLength: bits(spec.dst),
    ...spec,
  };
}

function change(verb: string, type: number, values: Rule, flags = 0): Request<void> {
  const { priority, src, srcLength, dst, dstLength } = values;
  const said = [
    priority === undefined ? "" : ` priority ${priority}`,
    src === undefined ? "" : ` from ${src}/${srcLength}`,
    dst === undefined ? "" : ` to ${dst}/${dstLength}`,
  ];
  return changing(`${verb} rule${said.join("")}`, type, RULE, values, flags);
}
