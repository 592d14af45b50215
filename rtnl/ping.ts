/**
 * ICMP echo: one request, one reply (icmp(7), RFC 792, RFC 4443).
 *
 * @module
 */

import {
  AF_INET,
  AF_INET6,
  IP_RECVERR,
  IP_RECVTTL,
  IP_TTL,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_HOPLIMIT,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  IPV6_UNICAST_HOPS,
  MSG_ERRQUEUE,
  POLLIN,
  POLLOUT,
  SO_BINDTOIFINDEX,
  SO_EE_ORIGIN_LOCAL,
  SO_TIMESTAMPNS,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
} from "../ffi/constants.ts";
import type { Descriptor } from "../ffi/descriptor.ts";
import { describeErrno, errnoOf } from "../ffi/errno.ts";
import { InputError, kernelError, type NetlinkError, PermissionError } from "../ffi/errors.ts";
import { endWaits, ready } from "../ffi/poll.ts";
import {
  attachFilter,
  bindSocket,
  connectSocket,
  type ControlMessage,
  type FilterInstruction,
  nanoseconds,
  readSome,
  realTime,
  type ReceivedMessage,
  receiveMessage,
  setSocketOption,
  writeSome,
} from "../ffi/system.ts";
import { unlessAborted } from "./abort.ts";
import { formatAddress, parseZoned } from "./codec/ip.ts";
import type { RequestOptions } from "./connection.ts";

/** How an address is pinged. */
export interface PingOptions extends RequestOptions {
  /**
   * How long to wait for the reply, in milliseconds: more than 0, `Infinity` for as long as it takes.
   * @default {1000}
   */
  timeout?: number | undefined;
  /**
   * Bytes of payload, 0 to 65507; what is too long for a link goes in fragments.
   * @default {56}
   */
  size?: number | undefined;
  /**
   * How many routers may forward the request, and one more: 1 to 255 (IPv6: the hop limit).
   * @default {the namespace's, 64 as a rule}
   */
  ttl?: number | undefined;
  /**
   * The name of the link to send on, and to hear the reply from.
   * @default {the one that the routes lead to}
   */
  interface?: string | undefined;
  /**
   * The address to send from, one of the namespace's.
   * @default {the one that the routes choose}
   */
  source?: string | undefined;
  /**
   * The request's sequence number, 0 to 65535.
   * @default {1}
   */
  sequence?: number | undefined;
}

/** An echo reply. */
export interface PingReply {
  /** Who answered, which is whom was asked: the address in its canonical form, with its zone. */
  address: string;
  /** The sequence number of the request. */
  sequence: number;
  /** What was left of the reply's TTL (IPv6: its hop limit), 1 to 255. */
  ttl: number;
  /** Bytes of payload. */
  size: number;
  /** The time from the request to the reply, in milliseconds, with a resolution of a microsecond. */
  milliseconds: number;
}

/** Whose network it is that is pinged in. */
export interface PingHost {
  /** Opens a socket in it (socket(2)). */
  openSocket(domain: number, type: number, protocol: number): Promise<Descriptor>;
  /** The number of a link, by its name or number. */
  linkIndex(link: string | number): Promise<number>;
}

/** A request, checked. */
interface Echo {
  operation: string;
  family: Family;
  address: string;
  target: Endpoint;
  source: Endpoint | undefined;
  /** The links that the options name; they must be the same. */
  links: string[];
  ttl: number | undefined;
  sequence: number;
  payload: Uint8Array<ArrayBuffer>;
  timeout: number;
}

/** An address that a socket can have, or its peer. */
interface Endpoint {
  bytes: Uint8Array<ArrayBuffer>;
  zone: string | undefined;
}

/** What differs between IPv4 and IPv6. */
interface Family {
  domain: number;
  protocol: number;
  /** The types of an echo request and of its reply. */
  request: number;
  reply: number;
  /** The options' level, and that of the control messages. */
  level: number;
  /** The options that set the TTL of what is sent and ask for that of what comes in, and what tells it. */
  ttl: number;
  receiveTtl: number;
  ttlControl: number;
  /** The option that asks for the ICMP errors that requests meet, and what tells them. */
  receiveErrors: number;
  /** What those mean, by their type and code. */
  errors: Readonly<Record<number, string | readonly string[]>>;
}

const INET: Family = {
  domain: AF_INET,
  protocol: IPPROTO_ICMP,
  request: 8,
  reply: 0,
  level: IPPROTO_IP,
  ttl: IP_TTL,
  receiveTtl: IP_RECVTTL,
  ttlControl: IP_TTL,
  receiveErrors: IP_RECVERR,
  // RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1
  errors: {
    3: [
      "network unreachable",
      "host unreachable",
      "protocol unreachable",
      "port unreachable",
      "fragmentation needed",
      "source route failed",
      "network unknown",
      "host unknown",
      "source host isolated",
      "network administratively prohibited",
      "host administratively prohibited",
      "network unreachable for type of service",
      "host unreachable for type of service",
      "communication administratively prohibited",
      "host precedence violation",
      "precedence cutoff in effect",
    ],
    11: ["time to live exceeded in transit", "fragment reassembly time exceeded"],
    12: "parameter problem",
  },
};

const INET6: Family = {
  domain: AF_INET6,
  protocol: IPPROTO_ICMPV6,
  request: 128,
  reply: 129,
  level: IPPROTO_IPV6,
  ttl: IPV6_UNICAST_HOPS,
  receiveTtl: IPV6_RECVHOPLIMIT,
  ttlControl: IPV6_HOPLIMIT,
  receiveErrors: IPV6_RECVERR,
  // RFC 4443, 3
  errors: {
    1: [
      "no route to destination",
      "communication administratively prohibited",
      "beyond scope of source address",
      "address unreachable",
      "port unreachable",
      "source address failed ingress/egress policy",
      "reject route to destination",
    ],
    2: "packet too big",
    3: ["hop limit exceeded in transit", "fragment reassembly time exceeded"],
    4: "parameter problem",
  },
};

const MOST_PAYLOAD = 65507;
// An echo message: u8 type, u8 code, u16 checksum, u16 identifier, u16 sequence number, payload
const ECHO_HEADER = 8;
const CHECKSUM_OFFSET = 2;
const IDENTIFIER_OFFSET = 4;
const SEQUENCE_OFFSET = 6;
const MOST_IP_HEADER = 60;

const EAGAIN = errnoOf("EAGAIN");
const EMSGSIZE = errnoOf("EMSGSIZE");

// Each request of an isolate has its own; two isolates begin at different ones.
let identifiers = crypto.getRandomValues(new Uint16Array(1))[0]!;

/** Sends one echo request; see {@linkcode Rtnl.ping}. */
export async function ping(
  host: PingHost,
  address: string,
  options: PingOptions = {},
): Promise<PingReply | undefined> {
  const { signal } = options;
  const echo = echoOf(address, options);
  signal?.throwIfAborted();
  return await unlessAborted(exchange(host, echo, signal), signal);
}

/** What is asked for, or an `InputError`. */
function echoOf(address: string, options: PingOptions): Echo {
  const { timeout = 1000, size = 56, ttl, interface: link, source, sequence = 1 } = options;
  const operation = `ping ${address}`;
  const refuse = (problem: string): never => {
    throw new InputError(`Cannot ${operation}: ${problem}`);
  };
  const checkNumber = (what: string, value: number, least: number, most: number) => {
    if (Number.isInteger(value) && value >= least && value <= most) return;
    refuse(`the ${what} is a whole number from ${least} to ${most}, got ${value}`);
  };
  const endpoint = (text: string): Endpoint => {
    const parsed = parseZoned(text);
    if (parsed === undefined) {
      return refuse(`${JSON.stringify(text)} is no IPv4 or IPv6 address; names are not looked up`);
    }
    const problem = problemOf(parsed, link !== undefined);
    return problem === undefined ? parsed : refuse(`${text} ${problem}`);
  };
  const target = endpoint(address);
  const from = source === undefined ? undefined : endpoint(source);
  if (from !== undefined && from.bytes.length !== target.bytes.length) {
    refuse(`the source ${source} is of the other family`);
  }
  if (link === "") refuse("the interface has no name");
  if (!(timeout > 0)) refuse(`the timeout is more than 0 milliseconds, got ${timeout}`);
  checkNumber("size", size, 0, MOST_PAYLOAD);
  checkNumber("sequence number", sequence, 0, 0xffff);
  if (ttl !== undefined) checkNumber("TTL", ttl, 1, 255);
  return {
    operation,
    family: target.bytes.length === 4 ? INET : INET6,
    address: formatAddress(target.bytes) + (target.zone === undefined ? "" : `%${target.zone}`),
    target,
    source: from,
    links: [link, target.zone, from?.zone].filter((name) => name !== undefined),
    ttl,
    sequence,
    // Random, so that nobody else's request is like it.
    payload: crypto.getRandomValues(new Uint8Array(new ArrayBuffer(size))),
    timeout,
  };
}

/** Why no host can be asked, or answer, at an address. */
function problemOf({ bytes, zone }: Endpoint, onLink: boolean): string | undefined {
  if (bytes.every((byte) => byte === 0)) return "is no host's address";
  const ipv6 = bytes.length === 16;
  if (ipv6 ? bytes[0] === 0xff : bytes[0]! >= 224 && bytes[0]! < 240) {
    return "is the address of a group, whose members would all answer; name one of them";
  }
  if (bytes.every((byte) => byte === 255)) return "is a broadcast address; name one host";
  const text = formatAddress(bytes);
  if (ipv6 && text.startsWith("::ffff:") && text.includes(".")) {
    return `is an IPv4 address; write ${text.slice("::ffff:".length)}`;
  }
  if (!isLinkLocal(bytes)) {
    return zone === undefined ? undefined : "has a zone, which only link-local addresses have";
  }
  return zone !== undefined || onLink
    ? undefined
    : `is on any link; name it, as in ${text}%eth0, or by the interface`;
}

/** fe80::/10 (RFC 4291, 2.5.6). */
function isLinkLocal(bytes: Uint8Array): boolean {
  return bytes.length === 16 && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

async function exchange(
  host: PingHost,
  echo: Echo,
  signal: AbortSignal | undefined,
): Promise<PingReply | undefined> {
  const index = await linkOf(host, echo);
  using opened = new DisposableStack();
  const { socket, raw } = await openEchoSocket(host, echo);
  const { fd } = opened.use(socket);
  if (signal?.aborted) return undefined;
  const identifier = identifiers = (identifiers + 1) & 0xffff;
  const own: Own = { ...echo, fd, raw, identifier };
  prepare(own, index);
  const wake = () => endWaits(fd);
  signal?.addEventListener("abort", wake);
  opened.defer(() => signal?.removeEventListener("abort", wake));
  return await converse(own, signal);
}

/** A request with its socket. */
interface Own extends Echo {
  fd: number;
  /** Whether the socket is a raw one; the kernel gives the others their identifier. */
  raw: boolean;
  identifier: number;
}

/** The number of the link that the options name, if any. */
async function linkOf(host: PingHost, { operation, links }: Echo): Promise<number | undefined> {
  let found: number | undefined;
  for (const link of links) {
    const index = await host.linkIndex(/^[1-9]\d*$/.test(link) ? Number(link) : link);
    if (found !== undefined && index !== found) {
      throw new InputError(
        `Cannot ${operation}: ${links.join(" and ")} are different links; name one`,
      );
    }
    found = index;
  }
  return found;
}

/** A raw socket, or where that is not allowed one of those that a group may have (icmp(7)). */
async function openEchoSocket(
  { openSocket }: PingHost,
  { operation, family: { domain, protocol } }: Echo,
): Promise<{ socket: Descriptor; raw: boolean }> {
  const open = (type: number) => openSocket(domain, type | SOCK_NONBLOCK, protocol);
  try {
    return { socket: await open(SOCK_RAW), raw: true };
  } catch (error) {
    if (!(error instanceof PermissionError)) throw error;
    try {
      return { socket: await open(SOCK_DGRAM), raw: false };
    } catch (other) {
      // EPERM is not the sockets' own refusal: the namespace can't be entered, or the like.
      if (!(other instanceof PermissionError) || other.code !== "EACCES") throw other;
      throw new PermissionError(operation, error.errno, {
        remedy:
          "it needs CAP_NET_RAW, or a group of the process in the sysctl net.ipv4.ping_group_range of the namespace: run it under sudo, or set that",
        cause: error,
      });
    }
  }
}

/** Says to a socket what to send and what to hear of. */
function prepare(own: Own, index: number | undefined): void {
  const { operation, fd, family, ttl, raw, source, target } = own;
  const set = (level: number, option: number, value: number) =>
    checkCall(operation, setSocketOption(fd, level, option, value));
  set(family.level, family.receiveErrors, 1);
  set(family.level, family.receiveTtl, 1);
  set(SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (ttl !== undefined) set(family.level, family.ttl, ttl);
  if (index !== undefined) set(SOL_SOCKET, SO_BINDTOIFINDEX, index);
  // A raw socket hears the replies to all others, too, which might leave no room for its own.
  if (raw) checkCall(operation, attachFilter(fd, replyFilter(own)));
  if (source !== undefined) {
    checkCall(
      `${operation} from ${formatAddress(source.bytes)}`,
      bindSocket(fd, socketAddress(source, index)),
    );
  }
  checkCall(operation, connectSocket(fd, socketAddress(target, index)));
  // What was heard before the filter; a full buffer would leave no room either.
  while (typeof readSome(fd, 1) === "object");
}

/** struct sockaddr_in (ip(7)) or struct sockaddr_in6 (ipv6(7)). */
function socketAddress({ bytes }: Endpoint, index = 0): Uint8Array<ArrayBuffer> {
  const ipv6 = bytes.length === 16;
  const address = new DataView(new ArrayBuffer(ipv6 ? 28 : 16));
  address.setUint16(0, ipv6 ? AF_INET6 : AF_INET, true);
  const memory = new Uint8Array(address.buffer);
  memory.set(bytes, ipv6 ? 8 : 4);
  if (isLinkLocal(bytes)) address.setUint32(24, index, true);
  return memory;
}

/** Lets the reply in, by its type, identifier and sequence number. */
function replyFilter({ family, identifier, sequence }: Own): FilterInstruction[] {
  // linux/bpf_common.h: X is where the ICMP message starts, behind the header where IPv4 has one
  return [
    [family === INET ? BPF_LDX_MSH : BPF_LDX_IMM, 0, 0, 0],
    [BPF_LD_H_IND, 0, 0, 0],
    [BPF_JEQ_K, 0, 3, family.reply << 8],
    [BPF_LD_W_IND, 0, 0, IDENTIFIER_OFFSET],
    [BPF_JEQ_K, 0, 1, (identifier << 16 | sequence) >>> 0],
    [BPF_RET_K, 0, 0, 0xffffffff],
    [BPF_RET_K, 0, 0, 0],
  ];
}

const BPF_LDX_IMM = 0x01;
const BPF_LDX_MSH = 0xb1;
const BPF_LD_H_IND = 0x48;
const BPF_LD_W_IND = 0x40;
const BPF_JEQ_K = 0x15;
const BPF_RET_K = 0x06;

/** Sends the request, and waits for the reply; `undefined` when none comes in time. */
async function converse(
  own: Own,
  signal: AbortSignal | undefined,
): Promise<PingReply | undefined> {
  const { fd, family, identifier, sequence, payload, timeout } = own;
  const request = echoMessage(family.request, identifier, sequence, payload);
  // That of ICMPv6 the kernel computes, and that of the sockets that are not raw.
  if (family === INET) new DataView(request.buffer).setUint16(CHECKSUM_OFFSET, checksum(request));
  const start = performance.now();
  const sentAt = realTime();
  const wait = async (events: number) => {
    const rest = start + timeout - performance.now();
    if (rest <= 0 || signal?.aborted) return false;
    await ready(fd, events, rest);
    return true;
  };
  const sent = await persist(own, () => writeSome(fd, request), () => wait(POLLOUT));
  if (sent === undefined) return undefined;
  const most = MOST_IP_HEADER + request.length;
  for (;;) {
    const received = await persist(own, () => receiveMessage(fd, most), () => wait(POLLIN));
    if (received === undefined) return undefined;
    const reply = replyIn(own, received, sentAt, start);
    if (reply !== undefined) return reply;
  }
}

/** Calls until the socket has something to give or to take; `undefined` when `wait` says that it is over. */
async function persist<Result>(
  own: Own,
  call: () => Result | number,
  wait: () => Promise<boolean>,
): Promise<Result | undefined> {
  for (;;) {
    const others = takeErrors(own);
    const result = call();
    if (typeof result !== "number" || result >= 0) return result as Result;
    if (result === -EAGAIN) {
      if (!await wait()) return undefined;
    } else if (!takeErrors(own) && !others) checkCall(own.operation, result);
  }
}

/** An echo message (RFC 792, RFC 4443), its checksum left out. */
function echoMessage(
  type: number,
  identifier: number,
  sequence: number,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(ECHO_HEADER + payload.length));
  view.setUint8(0, type);
  view.setUint16(IDENTIFIER_OFFSET, identifier);
  view.setUint16(SEQUENCE_OFFSET, sequence);
  const message = new Uint8Array(view.buffer);
  message.set(payload, ECHO_HEADER);
  return message;
}

/** The Internet checksum (RFC 1071) of bytes whose checksum field is 0. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes[at]! << 8 | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** The reply that a packet is; `undefined` when it is something else. */
function replyIn(
  own: Own,
  { bytes, control }: ReceivedMessage,
  sentAt: bigint,
  start: number,
): PingReply | undefined {
  const { raw, family, address, sequence, payload } = own;
  // A raw socket of IPv4 gives the packet with its header (raw(7)).
  const message = bytes.subarray(raw && family === INET ? 4 * (bytes[0]! & 0xf) : 0);
  if (!isOwn(own, family.reply, message)) return undefined;
  if (message.length !== ECHO_HEADER + payload.length) return undefined;
  if (!payload.every((byte, index) => byte === message[ECHO_HEADER + index])) return undefined;
  const ttl = find(control, family.level, family.ttlControl)!.getInt32(0, true);
  const receivedAt = nanoseconds(find(control, SOL_SOCKET, SO_TIMESTAMPNS)!);
  // The kernel's clock knows nothing of how busy this thread is, but it may be set meanwhile.
  const elapsed = performance.now() - start;
  const measured = Number(receivedAt - sentAt) / 1e6;
  const milliseconds = measured >= 0 && measured <= elapsed ? measured : elapsed;
  return {
    ...{ address, sequence, ttl, size: payload.length },
    milliseconds: Math.round(1000 * milliseconds) / 1000,
  };
}

/** Whether a message is of this type, and the request or its reply. */
function isOwn({ raw, identifier, sequence }: Own, type: number, message: Uint8Array): boolean {
  if (message.length < ECHO_HEADER) return false;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  return view.getUint16(0) === type << 8 && view.getUint16(SEQUENCE_OFFSET) === sequence &&
    (!raw || view.getUint16(IDENTIFIER_OFFSET) === identifier);
}

function find(
  control: readonly ControlMessage[],
  level: number,
  type: number,
): DataView<ArrayBuffer> | undefined {
  return control.find((one) => one.level === level && one.type === type)?.data;
}

// struct sock_extended_err (linux/errqueue.h), and behind it the struct sockaddr of who says so
const ERROR_ORIGIN = 4;
const ERROR_TYPE = 5;
const ERROR_CODE = 6;
const ERROR_INFO = 8;
const OFFENDER = 16;

/**
 * Takes what is in a socket's queue of errors: throws the one that the request met, and says whether
 * there were others. A raw socket gets those of all requests to its peer.
 */
function takeErrors(own: Own): boolean {
  const { operation, fd, family } = own;
  for (let any = false;; any = true) {
    const received = receiveMessage(fd, ECHO_HEADER, MSG_ERRQUEUE);
    if (typeof received === "number") return any;
    const { bytes, control } = received;
    const error = find(control, family.level, family.receiveErrors);
    if (error === undefined) continue;
    const errno = error.getUint32(0, true);
    const local = error.getUint8(ERROR_ORIGIN) === SO_EE_ORIGIN_LOCAL;
    if (local) checkCall(operation, -errno);
    if (isOwn(own, family.request, bytes)) throw icmpError(own, errno, error);
  }
}

/** What a router or the host itself says of a request (RFC 792, RFC 4443). */
function icmpError({ operation, family }: Own, errno: number, error: DataView): NetlinkError {
  const [type, code] = [error.getUint8(ERROR_TYPE), error.getUint8(ERROR_CODE)];
  const meanings = family.errors[type] ?? [];
  const meaning = typeof meanings === "string" ? meanings : meanings[code];
  const what = meaning ?? `ICMP type ${type} code ${code}`;
  const mtu = errno === EMSGSIZE ? ` (MTU ${error.getUint32(ERROR_INFO, true)})` : "";
  const start = error.byteOffset + OFFENDER + (family === INET ? 4 : 8);
  const offender = new Uint8Array(error.buffer, start, family === INET ? 4 : 16);
  return kernelError(operation, errno, {
    kernelMessage: `${formatAddress(offender)} says ${what}${mtu}`,
    remedy: errno === EMSGSIZE ? "ping again: the next goes in fragments" : undefined,
  });
}

/** What a refused call means here, where it is not what it means elsewhere. */
const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: "it is a broadcast address, or a route or a rule prohibits it",
  EADDRNOTAVAIL: "no link of the namespace has the source address",
  EHOSTUNREACH: "an unreachable route or rule leads there",
  EINVAL: "a blackhole route or rule leads there, or the source address does not",
  ENETUNREACH: "no route leads there",
  EPERM: "a packet filter of the namespace drops it",
};

function checkCall(operation: string, answer: number): void {
  if (answer >= 0) return;
  throw kernelError(operation, -answer, { remedy: REFUSALS[describeErrno(-answer)[0]] });
}
