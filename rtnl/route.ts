/**
 * Routes (rtnetlink(7), linux/rtnetlink.h).
 *
 * @module
 */

import {
  be16,
  be32,
  ip,
  labels,
  s32,
  show,
  tableByte,
  text,
  u16,
  u32,
  u64,
  u8,
  via,
} from "./codec/scalars.ts";
import {
  type Codec,
  type Message,
  type MessageShape,
  type Table,
  ValueError,
} from "./codec/shape.ts";
import { ENCAP_TYPE, ENCAPS } from "./encap.ts";
import {
  FAMILY,
  familyOf,
  NEXTHOP_FLAG_NAMES,
  ROUTE_PROTOCOL,
  SCOPE,
  TABLE_NAMES,
} from "./names.ts";
import {
  changing,
  getting,
  listing,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
} from "./request.ts";

/** RTNH_F_*, and RTM_F_* above them. */
const FLAG_NAMES = {
  ...NEXTHOP_FLAG_NAMES,
  notify: 0x100,
  cloned: 0x200,
  equalize: 0x400,
  prefix: 0x800,
  lookupTable: 0x1000,
  fibMatch: 0x2000,
  rtOffload: 0x4000,
  rtTrap: 0x8000,
  offloadFailed: 0x20000000,
} as const;

/** RTA_METRICS: what TCP and others assume of the path. */
export const ROUTE_METRICS = {
  lock: ["RTAX_LOCK", 1, u32],
  mtu: ["RTAX_MTU", 2, u32],
  window: ["RTAX_WINDOW", 3, u32],
  rtt: ["RTAX_RTT", 4, u32],
  rttVariance: ["RTAX_RTTVAR", 5, u32],
  slowStartThreshold: ["RTAX_SSTHRESH", 6, u32],
  congestionWindow: ["RTAX_CWND", 7, u32],
  advertisedMss: ["RTAX_ADVMSS", 8, u32],
  reordering: ["RTAX_REORDERING", 9, u32],
  hopLimit: ["RTAX_HOPLIMIT", 10, u32],
  initialCongestionWindow: ["RTAX_INITCWND", 11, u32],
  features: ["RTAX_FEATURES", 12, u32],
  minimumRto: ["RTAX_RTO_MIN", 13, u32],
  initialReceiveWindow: ["RTAX_INITRWND", 14, u32],
  quickAck: ["RTAX_QUICKACK", 15, u32],
  /** The algorithm that TCP uses against congestion. */
  congestionControl: ["RTAX_CC_ALGO", 16, text],
  fastOpenNoCookie: ["RTAX_FASTOPEN_NO_COOKIE", 17, u32],
} as const satisfies Table;

/** A weight from 1 to 256, in a byte that counts from 0. */
export const weight: Codec<number> = {
  size: 1,
  read: ({ bytes }, start) => bytes[start]! + 1,
  write(output, value) {
    if (!Number.isInteger(value) || value < 1 || value > 256) {
      throw new ValueError(`expected a weight from 1 to 256, got ${show(value)}`);
    }
    u8.write(output, value - 1);
  },
};

/** RTA_MULTIPATH: struct rtnexthop and the attributes of one way. */
export const ROUTE_NEXTHOP = {
  header: {
    /** Bytes; filled in. */
    length: u16,
    flags: { flags: u8, names: NEXTHOP_FLAG_NAMES },
    weight,
    /** The number of the link it goes out by. */
    oif: s32,
  },
  attributes: {
    gateway: ["RTA_GATEWAY", 5, ip],
    flow: ["RTA_FLOW", 11, u32],
    via: ["RTA_VIA", 18, via],
    newDst: ["RTA_NEWDST", 19, labels],
    encapType: ["RTA_ENCAP_TYPE", 21, ENCAP_TYPE],
    encap: ["RTA_ENCAP", 22, { either: "encapType", when: ENCAPS }],
  },
} as const satisfies MessageShape;

/** RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE: struct rtmsg and the RTA_* attributes. */
export const ROUTE = {
  header: {
    family: FAMILY,
    /** Bits of the destination's prefix; 0 for a default route. */
    dstLength: u8,
    srcLength: u8,
    tos: u8,
    table: { oneOf: tableByte, names: TABLE_NAMES },
    protocol: ROUTE_PROTOCOL,
    scope: SCOPE,
    type: {
      oneOf: u8,
      names: {
        unspec: 0,
        unicast: 1,
        local: 2,
        broadcast: 3,
        anycast: 4,
        multicast: 5,
        blackhole: 6,
        unreachable: 7,
        prohibit: 8,
        throw: 9,
        nat: 10,
      },
    },
    flags: { flags: u32, names: FLAG_NAMES },
  },
  attributes: {
    /** The destination's first address, of the family "mpls" its label; absent for a default route. */
    dst: ["RTA_DST", 1, { either: "family", when: { mpls: labels }, otherwise: ip }],
    src: ["RTA_SRC", 2, ip],
    /** The link it comes in by. */
    iif: ["RTA_IIF", 3, u32],
    /** The link it goes out by. */
    oif: ["RTA_OIF", 4, u32],
    gateway: ["RTA_GATEWAY", 5, ip],
    /** The metric: the lowest is taken. */
    priority: ["RTA_PRIORITY", 6, u32],
    /** The address that packets get as their source. */
    prefsrc: ["RTA_PREFSRC", 7, ip],
    metrics: ["RTA_METRICS", 8, ROUTE_METRICS],
    /** Several ways, shared by weight. */
    multipath: ["RTA_MULTIPATH", 9, { records: ROUTE_NEXTHOP }],
    flow: ["RTA_FLOW", 11, u32],
    cacheInfo: ["RTA_CACHEINFO", 12, {
      struct: {
        references: u32,
        lastUse: u32,
        expires: s32,
        error: u32,
        used: u32,
        id: u32,
        timestamp: u32,
        timestampAge: u32,
      },
    }],
    table: ["RTA_TABLE", 15, { oneOf: u32, names: TABLE_NAMES }],
    mark: ["RTA_MARK", 16, u32],
    multicastStats: ["RTA_MFC_STATS", 17, {
      struct: { packets: u64, bytes: u64, wrongInterface: u64 },
    }],
    /** A gateway of another family than the destination's. */
    via: ["RTA_VIA", 18, via],
    /** The labels in place of the one that came in, family "mpls". */
    newDst: ["RTA_NEWDST", 19, labels],
    /** Of routers that advertise themselves (RFC 4191). */
    preference: ["RTA_PREF", 20, { oneOf: u8, names: { medium: 0, high: 1, low: 3 } }],
    encapType: ["RTA_ENCAP_TYPE", 21, ENCAP_TYPE],
    encap: ["RTA_ENCAP", 22, { either: "encapType", when: ENCAPS }],
    /** Seconds. */
    expires: ["RTA_EXPIRES", 23, u32],
    /** The user whose packets they are, for `get`. */
    uid: ["RTA_UID", 25, u32],
    ttlPropagate: ["RTA_TTL_PROPAGATE", 26, u8],
    ipProtocol: ["RTA_IP_PROTO", 27, u8],
    sport: ["RTA_SPORT", 28, be16],
    dport: ["RTA_DPORT", 29, be16],
    /** The number of a nexthop object. */
    nexthopId: ["RTA_NH_ID", 30, u32],
    flowLabel: ["RTA_FLOWLABEL", 31, be32],
  },
} as const satisfies MessageShape;

/** A route, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface Route extends Message<typeof ROUTE> {}

// linux/rtnetlink.h
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

/** The requests about routes. */
export class RouteRequests {
  /** All routes, or those that the kernel finds to match: `family`, `table`, `oif`, `protocol`, `type`. */
  list(filter: Route = {}): Request<Route[]> {
    return listing("list routes", RTM_GETROUTE, ROUTE, filter);
  }

  /** The route that a packet to `dst` would take. */
  get(spec: Route): Request<Route> {
    const dst = spec.dst ?? "";
    return getting(`get route to ${dst}`, RTM_GETROUTE, ROUTE, {
      family: familyOf(dst),
      dstLength: bits(dst),
      ...spec,
    });
  }

  /** Adds a route. */
  add(spec: Route): Request<void> {
    return change("add", RTM_NEWROUTE, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Adds a route beside those to the same destination. */
  append(spec: Route): Request<void> {
    return change("append", RTM_NEWROUTE, spec, NLM_F_CREATE | NLM_F_APPEND);
  }

  /** Adds a route in place of the one to the same destination, if there is one. */
  replace(spec: Route): Request<void> {
    return change("replace", RTM_NEWROUTE, spec, NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** Takes a route away: the first that has all that is said here. */
  delete(spec: Route): Request<void> {
    // Unsaid is "any" here, so none of the defaults of a new route.
    const values: Route = { scope: "nowhere", table: "main", ...named(spec) };
    return changing(asked("delete", spec), RTM_DELROUTE, ROUTE, values);
  }
}

/** The requests about routes, ready to be sent or batched. */
export const route: RouteRequests = new RouteRequests();

function change(
  verb: string,
  type: number,
  spec: Route,
  flags: number,
): Request<void> {
  const direct = spec.gateway === undefined && spec.via === undefined &&
    spec.multipath === undefined && spec.nexthopId === undefined;
  const base = named(spec);
  const values: Route = {
    table: "main",
    protocol: "boot",
    type: "unicast",
    scope: base.family === "inet" ? scopeOf(spec.type ?? "unicast", direct) : "global",
    ...base,
  };
  return changing(asked(verb, spec), type, ROUTE, values, flags);
}

/** How far an IPv4 route of this type reaches, as `ip route` has it. */
function scopeOf(type: Route["type"], direct: boolean): Route["scope"] {
  if (type === "local" || type === "nat") return "host";
  if (type === "broadcast" || type === "multicast" || type === "anycast") return "link";
  return direct && type === "unicast" ? "link" : "global";
}

/** What the addresses say of themselves: the family, and a whole prefix unless one is given. */
function named(spec: Route): Route {
  const address = spec.dst ?? spec.gateway ?? spec.prefsrc ?? "";
  return {
    family: familyOf(address),
    dstLength: spec.dst === undefined ? 0 : bits(spec.dst),
    ...spec,
  };
}

function asked(verb: string, { dst, dstLength, gateway, oif }: Route): string {
  const where = dst === undefined ? "default" : `${dst}/${dstLength ?? bits(dst)}`;
  const via = gateway === undefined ? "" : ` via ${gateway}`;
  const by = oif === undefined ? "" : ` on link number ${oif}`;
  return `${verb} route ${where}${via}${by}`;
}

/** The bits of an address; what is none is refused when it is written. */
function bits(address: string): number {
  if (address.includes(":")) return 128;
  return address.includes(".") ? 32 : 0;
}
