/**
 * A netlink socket: bytes to the kernel, bytes back.
 *
 * @module
 */

import {
  AF_NETLINK,
  MSG_DONTWAIT,
  MSG_TRUNC,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NETLINK_ROUTE,
  POLLIN,
  SO_RCVBUF,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check } from "./errors.ts";
import { errnoOf } from "./errno.ts";
import { answer, libc } from "./libc.ts";

const EAGAIN = errnoOf("EAGAIN");
const ENOBUFS = errnoOf("ENOBUFS");

/** The arguments of socket(2) for rtnetlink; another thread may make the call. */
export const ROUTE_SOCKET: readonly [number, number, number] = [
  AF_NETLINK,
  SOCK_RAW | SOCK_CLOEXEC,
  NETLINK_ROUTE,
];

// Room for the answers of a whole batch; the kernel caps it at net.core.rmem_max and doubles it.
const RECEIVE_BUFFER = 1 << 20;
// One buffer serves every socket of an isolate: what is received is decoded before anything else runs.
// Pages that are never touched are never allocated.
let receiveBuffer: ReceiveBuffer | undefined;

interface ReceiveBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  header: Uint8Array<ArrayBuffer>;
}

function newReceiveBuffer(size: number): ReceiveBuffer {
  const bytes = new Uint8Array(new ArrayBuffer(size));
  return { bytes, header: messageHeader(bytes) };
}

/** One rtnetlink socket, in the namespace where it was opened, whichever thread uses it. */
export class NetlinkSocket implements Disposable {
  #descriptor: Descriptor;

  /** Takes over an open, unbound netlink socket. */
  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
    const one = new Int32Array([1]);
    for (
      const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]
    ) {
      this.#setOption(SOL_NETLINK, option, one);
    }
    this.#setOption(SOL_SOCKET, SO_RCVBUF, new Int32Array([RECEIVE_BUFFER]));
    // struct sockaddr_nl: family, padding, port (0: the kernel picks one), groups
    const address = new Uint8Array(12);
    address[0] = AF_NETLINK;
    check(
      "bind a netlink socket",
      answer(libc().bind(this.fd, address, address.length)),
    );
  }

  /** A socket in the namespace of the calling thread. */
  static open(): NetlinkSocket {
    return new NetlinkSocket(
      new Descriptor(
        check("open a netlink socket", answer(libc().socket(...ROUTE_SOCKET))),
      ),
    );
  }

  /** The descriptor's number. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Sends on this thread: returns when the kernel has carried the request out. */
  sendSync(bytes: Uint8Array<ArrayBuffer>): number {
    return answer(libc().sendmsg(this.fd, messageHeader(bytes), 0));
  }

  /** Sends on a pool thread, so that the event loop doesn't wait for the rtnl lock. */
  async send(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    const header = messageHeader(bytes);
    inFlight.add(header).add(bytes);
    try {
      const sent = await libc().sendmsgAsync(this.fd, header, 0);
      // The pool thread's errno can't be read. What was not sent was not carried out: ask again here.
      return sent < 0 ? answer(libc().sendmsg(this.fd, header, 0)) : Number(sent);
    } finally {
      inFlight.delete(header);
      inFlight.delete(bytes);
    }
  }

  /**
   * What the kernel has queued: one datagram, valid until the next call on any socket.
   * `undefined` when nothing is queued, minus an errno when answers were lost (ENOBUFS).
   */
  receive(): Uint8Array<ArrayBuffer> | undefined | number {
    const { bytes, header } = receiveBuffer ??= newReceiveBuffer(256 * 1024);
    const length = answer(
      libc().recvmsg(this.fd, header, MSG_DONTWAIT | MSG_TRUNC),
    );
    if (length === -EAGAIN) return undefined;
    if (length <= bytes.length) {
      return length < 0 ? length : bytes.subarray(0, length);
    }
    // Cut off, so lost; asked again, it will fit.
    receiveBuffer = newReceiveBuffer(2 * length);
    return -ENOBUFS;
  }

  /** Waits on a pool thread until something is queued; false after `milliseconds`. */
  async wait(milliseconds: number): Promise<boolean> {
    const query = pollQuery(this.fd);
    inFlight.add(query);
    try {
      return await libc().pollAsync(query, 1n, milliseconds) > 0;
    } finally {
      inFlight.delete(query);
    }
  }

  /** Waits on this thread. */
  waitSync(milliseconds: number): boolean {
    return libc().poll(pollQuery(this.fd), 1n, milliseconds) > 0;
  }

  /** Closes it; again is no error. */
  close(): void {
    this.#descriptor.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #setOption(
    level: number,
    option: number,
    value: Int32Array<ArrayBuffer>,
  ): void {
    check(
      `set option ${option} of a netlink socket`,
      answer(
        libc().setsockopt(this.fd, level, option, value, value.byteLength),
      ),
    );
  }
}

// What a pool thread reads must not be collected while it does.
const inFlight = new Set<ArrayBufferView>();

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

/** struct pollfd: descriptor, events wanted, events seen. */
function pollQuery(fd: number): Uint8Array<ArrayBuffer> {
  const query = new DataView(new ArrayBuffer(8));
  query.setInt32(0, fd, true);
  query.setInt16(4, POLLIN, true);
  return new Uint8Array(query.buffer);
}
