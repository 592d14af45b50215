/**
 * A netlink socket: bytes to the kernel, bytes back.
 *
 * @module
 */

import {
  AF_NETLINK,
  MSG_DONTWAIT,
  MSG_TRUNC,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NETLINK_LISTEN_ALL_NSID,
  NETLINK_ROUTE,
  POLLIN,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check } from "./errors.ts";
import { errnoOf } from "./errno.ts";
import { answer, libc } from "./libc.ts";
import { endWaits, ready, readySync } from "./poll.ts";
import { bindSocket } from "./system.ts";

const EAGAIN = errnoOf("EAGAIN");
const EINVAL = errnoOf("EINVAL");
const ENOBUFS = errnoOf("ENOBUFS");

/** The arguments of socket(2). */
export type SocketArguments = readonly [domain: number, type: number, protocol: number];

/** Opens a socket in the namespace of the one with this descriptor. */
export type OpenBeside = (fd: number, socket: SocketArguments) => Promise<Descriptor>;

/** Those for rtnetlink; another thread may make the call. */
export const ROUTE_SOCKET: SocketArguments = netlinkSocket(NETLINK_ROUTE);

function netlinkSocket(protocol: number): SocketArguments {
  return [AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol];
}

// A send buffer of the default size (net.core.wmem_default) has room for so much.
const SEND_ROOM = 64 * 1024;
const ONE = Int32Array.of(1);
const OPTIONS = [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK];
// Room for the answers of a whole batch.
const RECEIVE_BUFFER = 1 << 20;
// net.core.rmem_max, unless somebody changed it.
const CAPPED_RECEIVE_BUFFER = 208 * 1024;
// One buffer serves every socket of an isolate: what is received is decoded before anything else runs.
// Pages that are never touched are never allocated.
let receiveBuffer: ReceiveBuffer | undefined;

interface ReceiveBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  header: Uint8Array<ArrayBuffer>;
  /** What comes beside the bytes: struct cmsghdr (u64 length, int level, int type) and its data. */
  control: DataView<ArrayBuffer>;
  controlLength: BigUint64Array<ArrayBuffer>;
}

const CONTROL_SIZE = 64n;
const CONTROL_HEADER = 16;

function newReceiveBuffer(size: number): ReceiveBuffer {
  const bytes = new Uint8Array(new ArrayBuffer(size));
  const header = messageHeader(bytes);
  const control = new Uint8Array(new ArrayBuffer(Number(CONTROL_SIZE)));
  const fields = new BigUint64Array(header.buffer);
  fields[4] = addressOf(control); // msg_control
  return {
    bytes,
    header,
    control: new DataView(control.buffer),
    controlLength: fields.subarray(5, 6), // msg_controllen
  };
}

/** One netlink socket, in the namespace where it was opened, whichever thread uses it. */
export class NetlinkSocket implements Disposable {
  /** Bytes of answers that it holds until they are received, as the kernel counts them. */
  readonly room: number;
  readonly #descriptor: Descriptor;
  readonly #openBeside: OpenBeside;
  readonly #protocol: number;
  #sendRoom = SEND_ROOM;
  #nsid: number | undefined;

  /**
   * Takes over an open, unbound netlink socket of this protocol (NETLINK_* of linux/netlink.h);
   * `openBeside` opens others in the same namespace.
   */
  constructor(
    descriptor: Descriptor,
    openBeside: OpenBeside = openHere,
    protocol: number = NETLINK_ROUTE,
  ) {
    this.#descriptor = descriptor;
    this.#openBeside = openBeside;
    this.#protocol = protocol;
    for (const option of OPTIONS) this.#setOption(SOL_NETLINK, option, ONE);
    this.room = this.#receiveBuffer(RECEIVE_BUFFER);
  }

  /** A socket in the namespace of the calling thread. */
  static open(protocol: number = NETLINK_ROUTE): NetlinkSocket {
    return new NetlinkSocket(
      new Descriptor(check("open a netlink socket", socket(...netlinkSocket(protocol)))),
      openHere,
      protocol,
    );
  }

  /** Another socket of the same protocol in the same namespace. */
  async another(): Promise<NetlinkSocket> {
    const descriptor = await this.openSocket(...netlinkSocket(this.#protocol));
    return new NetlinkSocket(descriptor, this.#openBeside, this.#protocol);
  }

  /** A socket of another family in the same namespace (socket(2)), close-on-exec. */
  openSocket(domain: number, type: number, protocol: number): Promise<Descriptor> {
    return this.#openBeside(this.fd, [domain, type | SOCK_CLOEXEC, protocol]);
  }

  /**
   * Joins multicast groups (RTNLGRP_* of linux/rtnetlink.h). With `all`, what happens in the namespaces
   * that have a number in this one is heard as well. `receiveBuffer`: bytes; the kernel doubles it.
   */
  listen(
    groups: readonly number[],
    { all, receiveBuffer }: { all: boolean; receiveBuffer: number },
  ): void {
    // Unbound, it would not hear what the kernel does unasked. A request has bound it already (EINVAL).
    // struct sockaddr_nl: family, padding, port (0: the kernel picks one), groups
    const address = new Uint8Array(12);
    address[0] = AF_NETLINK;
    const bound = bindSocket(this.fd, address);
    if (bound !== -EINVAL) check("bind a netlink socket", bound);
    this.#receiveBuffer(receiveBuffer);
    if (all) {
      check(
        "hear of other network namespaces",
        this.#trySetOption(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, ONE),
        { capability: "CAP_NET_BROADCAST" },
      );
    }
    for (const group of groups) {
      this.#setOption(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, Int32Array.of(group));
    }
  }

  /** The number of the namespace that the last datagram came from; `undefined` for the socket's own. */
  get nsid(): number | undefined {
    return this.#nsid;
  }

  /** Ends a `wait` at once. */
  wake(): void {
    endWaits(this.fd);
  }

  /** The descriptor's number. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Sends on this thread: returns when the kernel has carried the request out. */
  sendSync(bytes: Uint8Array<ArrayBuffer>): number {
    this.#makeRoom(bytes.length);
    // A message without an address goes to the kernel.
    return answer(libc().write(this.fd, bytes, BigInt(bytes.length)));
  }

  /** Sends on a pool thread, so that the event loop doesn't wait for the rtnl lock. */
  async send(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    this.#makeRoom(bytes.length);
    const header = messageHeader(bytes);
    inFlight.push(header, bytes);
    try {
      const sent = await libc().sendmsgAsync(this.fd, header, 0);
      // The pool thread's errno can't be read. What was not sent was not carried out: ask again here.
      return sent < 0 ? this.sendSync(bytes) : Number(sent);
    } finally {
      inFlight.splice(inFlight.indexOf(header), 2);
    }
  }

  /**
   * What the kernel has queued: one datagram, valid until the next call on any socket.
   * `undefined` when nothing is queued, minus an errno when answers were lost (ENOBUFS).
   */
  receive(): Uint8Array<ArrayBuffer> | undefined | number {
    const { bytes, header, control, controlLength } = receiveBuffer ??= newReceiveBuffer(
      256 * 1024,
    );
    controlLength[0] = CONTROL_SIZE;
    const length = answer(
      libc().recvmsg(this.fd, header, MSG_DONTWAIT | MSG_TRUNC),
    );
    if (length === -EAGAIN) return undefined;
    this.#nsid = controlLength[0] === 0n ? undefined : nsidIn(control);
    if (length <= bytes.length) {
      return length < 0 ? length : bytes.subarray(0, length);
    }
    // Cut off, so lost; asked again, it will fit.
    receiveBuffer = newReceiveBuffer(2 * length);
    return -ENOBUFS;
  }

  /** Waits until something is queued; false after `milliseconds`, or when it is woken. */
  async wait(milliseconds: number): Promise<boolean> {
    return await ready(this.fd, POLLIN, milliseconds) > 0;
  }

  /** Waits on this thread. */
  waitSync(milliseconds: number): boolean {
    return readySync(this.fd, POLLIN, milliseconds);
  }

  /** Closes it; again is no error. */
  close(): void {
    if (!this.#descriptor.closed) endWaits(this.fd);
    this.#descriptor.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Room for a message of so many bytes, which is sent whole or not at all (EMSGSIZE). */
  #makeRoom(bytes: number): void {
    if (bytes <= this.#sendRoom) return;
    this.#sendRoom = bytes;
    this.#setSize(SO_SNDBUF, SO_SNDBUFFORCE, bytes);
  }

  /** Sets the size of its receive buffer, and says what it is at least. */
  #receiveBuffer(bytes: number): number {
    const forced = this.#setSize(SO_RCVBUF, SO_RCVBUFFORCE, bytes);
    return 2 * (forced ? bytes : Math.min(bytes, CAPPED_RECEIVE_BUFFER));
  }

  /**
   * Sets the size of a buffer, which the kernel doubles. False when it may be less: beyond net.core.wmem_max
   * and rmem_max only with CAP_NET_ADMIN over the host.
   */
  #setSize(option: number, forcing: number, bytes: number): boolean {
    const size = Int32Array.of(bytes);
    if (this.#trySetOption(SOL_SOCKET, forcing, size) === 0) return true;
    this.#setOption(SOL_SOCKET, option, size);
    return false;
  }

  #setOption(
    level: number,
    option: number,
    value: Int32Array<ArrayBuffer>,
  ): void {
    check(
      `set option ${option} of a netlink socket`,
      this.#trySetOption(level, option, value),
    );
  }

  #trySetOption(level: number, option: number, value: Int32Array<ArrayBuffer>): number {
    return answer(libc().setsockopt(this.fd, level, option, value, value.byteLength));
  }
}

// What a pool thread reads must not be collected while it does.
const inFlight: ArrayBufferView[] = [];

/** struct msghdr with one struct iovec behind it, for 64-bit systems. */
function messageHeader(
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const header = new BigUint64Array(new ArrayBuffer(9 * 8));
  const own = new Uint8Array(header.buffer);
  header[2] = addressOf(own) + 56n; // msg_iov
  header[3] = 1n; // msg_iovlen
  header[7] = addressOf(bytes); // iov_base
  header[8] = BigInt(bytes.length); // iov_len
  return own;
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return libc().address(bytes, bytes, 0n);
}

/** The kernel's note of where a datagram comes from; none for the socket's own namespace. */
function nsidIn(control: DataView): number | undefined {
  const level = control.getInt32(8, true);
  const type = control.getInt32(12, true);
  return level === SOL_NETLINK && type === NETLINK_LISTEN_ALL_NSID
    ? control.getInt32(CONTROL_HEADER, true)
    : undefined;
}

// deno-lint-ignore require-await -- a refusal is a rejection
async function openHere(_fd: number, socketArguments: SocketArguments): Promise<Descriptor> {
  const opened = socket(...socketArguments);
  return new Descriptor(check("open a socket", opened, { capability: "CAP_NET_RAW" }));
}

function socket(...[domain, type, protocol]: SocketArguments): number {
  return answer(libc().socket(domain, type, protocol));
}
