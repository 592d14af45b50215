/**
 * All messages by their numbers, and the reading of bytes that nobody asked for: a capture, an event.
 *
 * @module
 */

import { describeErrno } from "../ffi/errno.ts";
import { InputError } from "../ffi/errors.ts";
import { ADDRESS } from "./address.ts";
import { ADDRESS_LABEL } from "./address_label.ts";
import { BRIDGE_VLAN } from "./bridge_vlan.ts";
import { input } from "./codec/buffer.ts";
import { untypedCodec } from "./codec/compile.ts";
import type { Input, MessageShape } from "./codec/shape.ts";
import { readExtendedAck } from "./extended_ack.ts";
import { LINK } from "./link.ts";
import { LINK_STATISTICS } from "./link_stats.ts";
import { MULTICAST_GROUP_CHANGE, MULTICAST_GROUPS } from "./multicast_group.ts";
import { NEIGHBOUR } from "./neighbour.ts";
import { NEIGHBOUR_TABLE } from "./neighbour_table.ts";
import { NETCONF } from "./netconf.ts";
import { NETNS_ID } from "./netns_id.ts";
import { NEXTHOP } from "./nexthop.ts";
import { type Frame, frames } from "./request.ts";
import { ROUTE } from "./route.ts";
import { RULE } from "./rule.ts";
import { FILTER, QDISC } from "./tc/mod.ts";

/** The types of linux/rtnetlink.h: the number of each, and what stands behind the netlink header. */
export const MESSAGES: Readonly<Record<string, readonly [number: number, shape: MessageShape]>> = {
  RTM_NEWLINK: [16, LINK],
  RTM_DELLINK: [17, LINK],
  RTM_GETLINK: [18, LINK],
  RTM_SETLINK: [19, LINK],
  RTM_NEWADDR: [20, ADDRESS],
  RTM_DELADDR: [21, ADDRESS],
  RTM_GETADDR: [22, ADDRESS],
  RTM_NEWROUTE: [24, ROUTE],
  RTM_DELROUTE: [25, ROUTE],
  RTM_GETROUTE: [26, ROUTE],
  RTM_NEWNEIGH: [28, NEIGHBOUR],
  RTM_DELNEIGH: [29, NEIGHBOUR],
  RTM_GETNEIGH: [30, NEIGHBOUR],
  RTM_NEWRULE: [32, RULE],
  RTM_DELRULE: [33, RULE],
  RTM_GETRULE: [34, RULE],
  RTM_NEWQDISC: [36, QDISC],
  RTM_DELQDISC: [37, QDISC],
  RTM_GETQDISC: [38, QDISC],
  RTM_NEWTCLASS: [40, QDISC],
  RTM_DELTCLASS: [41, QDISC],
  RTM_GETTCLASS: [42, QDISC],
  RTM_NEWTFILTER: [44, FILTER],
  RTM_DELTFILTER: [45, FILTER],
  RTM_GETTFILTER: [46, FILTER],
  RTM_NEWNEIGHTBL: [64, NEIGHBOUR_TABLE],
  RTM_GETNEIGHTBL: [66, NEIGHBOUR_TABLE],
  RTM_SETNEIGHTBL: [67, NEIGHBOUR_TABLE],
  RTM_NEWADDRLABEL: [72, ADDRESS_LABEL],
  RTM_DELADDRLABEL: [73, ADDRESS_LABEL],
  RTM_GETADDRLABEL: [74, ADDRESS_LABEL],
  RTM_NEWNETCONF: [80, NETCONF],
  RTM_DELNETCONF: [81, NETCONF],
  RTM_GETNETCONF: [82, NETCONF],
  RTM_NEWMDB: [84, MULTICAST_GROUPS],
  RTM_DELMDB: [85, MULTICAST_GROUPS],
  RTM_GETMDB: [86, MULTICAST_GROUPS],
  RTM_NEWNSID: [88, NETNS_ID],
  RTM_DELNSID: [89, NETNS_ID],
  RTM_GETNSID: [90, NETNS_ID],
  RTM_NEWSTATS: [92, LINK_STATISTICS],
  RTM_GETSTATS: [94, LINK_STATISTICS],
  RTM_NEWNEXTHOP: [104, NEXTHOP],
  RTM_DELNEXTHOP: [105, NEXTHOP],
  RTM_GETNEXTHOP: [106, NEXTHOP],
  RTM_NEWLINKPROP: [108, LINK],
  RTM_DELLINKPROP: [109, LINK],
  RTM_NEWNEXTHOPBUCKET: [116, NEXTHOP],
  RTM_GETNEXTHOPBUCKET: [118, NEXTHOP],
};

// linux/netlink.h
const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK_TLVS = 0x200;
const AF_BRIDGE = 7;

const BY_NUMBER = new Map(
  Object.entries(MESSAGES).map(([name, [number, shape]]) => [number, { name, shape }]),
);

/** A message of a capture. */
export interface DecodedMessage {
  /** "RTM_NEWLINK", "NLMSG_ERROR", ..., or the number where none has a name. */
  type: string | number;
  /** NLM_F_* of linux/netlink.h. */
  flags: string[];
  /** By which an answer is matched to its request. */
  sequence: number;
  /** The port id of the socket; 0 is the kernel's. */
  port: number;
  /** What it says, where its type is known. */
  message?: object;
  /** What stands behind the header, where it is not. */
  bytes?: Uint8Array;
}

/**
 * Reads netlink messages, one behind the other, as a capture holds them.
 *
 * What no table describes is under `unknown`, number and bytes; what is cut off is left out.
 *
 * @example A link in a capture
 * ```ts
 * import { decodeMessages } from "@denolink/denolink";
 *
 * const hex = "20000000110005000100000000000000000000000200000000000000ffffffff";
 * for (const { type, message } of decodeMessages(Uint8Array.fromHex(hex))) {
 *   console.log(type, message); // RTM_DELLINK { family: "unspec", index: 2, ... }
 * }
 * ```
 */
export function decodeMessages(bytes: Uint8Array): DecodedMessage[] {
  const all = input(bytes);
  return [...frames(all)].map((frame) => {
    const name = nameOf(frame.type);
    return {
      type: name ?? frame.type,
      flags: flagNames(frame, name),
      sequence: frame.sequence,
      port: frame.port,
      ...read(all, frame),
    };
  });
}

/**
 * Reads what stands behind a netlink header of this type, "RTM_NEWROUTE" or its number.
 *
 * {@linkcode InputError} for a type that there is not; `undefined` when the bytes are none of it.
 */
export function decodeBody(type: string | number, bytes: Uint8Array): object | undefined {
  const number = typeof type === "number" ? type : MESSAGES[type]?.[0];
  if (number === undefined || !BY_NUMBER.has(number)) {
    throw new InputError(`Cannot decode a message of type ${type}: there is none in rtnetlink`);
  }
  const { message } = read(input(bytes), { type: number, flags: 0, start: 0, end: bytes.length });
  return message;
}

/** What a message says, or its bytes. */
function read(bytes: Input, frame: Place): Pick<DecodedMessage, "message" | "bytes"> {
  const { type, start, end } = frame;
  const message = type === NLMSG_ERROR || type === NLMSG_DONE
    ? decodeEnd(bytes, frame)
    : untypedCodecOf(bytes, frame)?.read(bytes, start, end);
  return message === undefined
    ? { bytes: bytes.bytes.slice(start, end) }
    : { message: message as object };
}

/** Where a body stands, and of which type it is. */
type Place = Pick<Frame, "type" | "flags" | "start" | "end">;

function untypedCodecOf(
  { bytes }: Input,
  { type, flags, start, end }: Place,
) {
  const shape = BY_NUMBER.get(type)?.shape;
  if (shape === undefined) return undefined;
  const bridge = end > start && bytes[start] === AF_BRIDGE;
  // These two have a form of their own for a bridge, and for a request.
  if (shape === LINK && bridge) return untypedCodec(BRIDGE_VLAN);
  const change = shape === MULTICAST_GROUPS && type !== MESSAGES.RTM_GETMDB![0] &&
    (flags & NLM_F_REQUEST) !== 0;
  return untypedCodec(change ? MULTICAST_GROUP_CHANGE : shape);
}

/** NLMSG_ERROR and NLMSG_DONE: an errno, the header that was asked, and what the kernel says to it. */
function decodeEnd(
  bytes: Input,
  { type, flags, start, end }: Place,
): object | undefined {
  if (end - start < 4) return type === NLMSG_DONE ? {} : undefined;
  const errno = -bytes.view.getInt32(start, true);
  const asked = type === NLMSG_ERROR && end - start >= 20
    ? bytes.view.getUint16(start + 8, true)
    : undefined;
  const said = flags & NLM_F_ACK_TLVS
    ? readExtendedAck(bytes, flags, start, end, type === NLMSG_ERROR)
    : {};
  return {
    errno: errno === 0 ? 0 : describeErrno(errno)[0],
    ...asked === undefined ? {} : { request: nameOf(asked) ?? asked },
    ...said,
  };
}

function nameOf(type: number): string | undefined {
  if (type === NLMSG_NOOP) return "NLMSG_NOOP";
  if (type === NLMSG_ERROR) return "NLMSG_ERROR";
  if (type === NLMSG_DONE) return "NLMSG_DONE";
  return BY_NUMBER.get(type)?.name;
}

const FLAGS = {
  NLM_F_REQUEST: 0x1,
  NLM_F_MULTI: 0x2,
  NLM_F_ACK: 0x4,
  NLM_F_ECHO: 0x8,
  NLM_F_DUMP_INTR: 0x10,
  NLM_F_DUMP_FILTERED: 0x20,
};
// What the higher bits mean depends on the type.
const FLAGS_OF_GET = { NLM_F_ROOT: 0x100, NLM_F_MATCH: 0x200, NLM_F_ATOMIC: 0x400 };
const FLAGS_OF_NEW = {
  NLM_F_REPLACE: 0x100,
  NLM_F_EXCL: 0x200,
  NLM_F_CREATE: 0x400,
  NLM_F_APPEND: 0x800,
};

const FLAGS_OF_DELETE = { NLM_F_NONREC: 0x100, NLM_F_BULK: 0x200 };
const FLAGS_OF_ACK = { NLM_F_CAPPED: 0x100, NLM_F_ACK_TLVS: 0x200 };

function flagNames({ flags }: Frame, name = ""): string[] {
  const higher = name.startsWith("NLMSG")
    ? FLAGS_OF_ACK
    : name.includes("GET")
    ? FLAGS_OF_GET
    : name.includes("DEL")
    ? FLAGS_OF_DELETE
    : FLAGS_OF_NEW;
  const known = Object.entries({ ...FLAGS, ...higher });
  const rest = known.reduce((rest, [, bit]) => rest & ~bit, flags);
  return [
    ...known.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name),
    ...rest === 0 ? [] : [`0x${rest.toString(16)}`],
  ];
}
