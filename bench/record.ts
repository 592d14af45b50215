/**
 * Writes down what denolink sends, so that the floor can send the same bytes.
 *
 * What differs from one time to the next is marked: the descriptor of a namespace, and the number of the
 * link in a container, which the floor learns from the kernel as denolink did.
 *
 * @module
 */

import { SIOCGSKNS } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { identifyDescriptor, ioctl } from "../ffi/system.ts";
import { NetlinkSocket } from "../ffi/netlink_socket.ts";
import { Netns } from "../mod.ts";
import { temporary } from "./programs.ts";

/** The kinds of records, as in floor.c. */
const OPEN = 0, NETNS = 1, INDEX = 2, SEND = 3, CLOSE = 4, START = 5;
const RECORD_HEADER = 20;

interface Entry {
  kind: number;
  socket?: number;
  /** A namespace, counted from 1; 0 is the host's. */
  netns?: number;
  /** Where in the bytes that are sent next. */
  at?: number;
  bytes?: Uint8Array;
}

/** The bytes that denolink sends while it does a work; resolves to the file that the floor replays. */
export async function record(work: () => Promise<unknown>): Promise<string> {
  const log = new Log();
  const { send, sendSync, close } = NetlinkSocket.prototype;
  NetlinkSocket.prototype.send = function (bytes) {
    log.sent(this, bytes);
    return send.call(this, bytes);
  };
  NetlinkSocket.prototype.sendSync = function (bytes) {
    log.sent(this, bytes);
    return sendSync.call(this, bytes);
  };
  NetlinkSocket.prototype.close = function () {
    log.closed(this);
    close.call(this);
  };
  try {
    await work();
  } finally {
    Object.assign(NetlinkSocket.prototype, { send, sendSync, close });
  }
  const file = temporary();
  Deno.writeFileSync(file, log.finish());
  return file;
}

class Log {
  readonly #entries: Entry[] = [];
  readonly #sockets = new Map<NetlinkSocket, { socket: number; netns: number }>();
  readonly #names = Netns.list();
  #opened = 0;

  sent(socket: NetlinkSocket, bytes: Uint8Array): void {
    let known = this.#sockets.get(socket);
    if (known === undefined) {
      known = { socket: this.#opened++, netns: this.#netnsOf(socket) };
      this.#sockets.set(socket, known);
      this.#entries.push({ kind: OPEN, ...known });
    }
    for (const { at, fd } of places(bytes)) {
      if (fd !== undefined) this.#entries.push({ kind: NETNS, netns: this.#numberOf(fd), at });
      else if (known.netns !== 0) this.#entries.push({ kind: INDEX, socket: known.socket, at });
    }
    this.#entries.push({ kind: SEND, ...known, bytes: bytes.slice() });
  }

  closed(socket: NetlinkSocket): void {
    const known = this.#sockets.get(socket);
    if (known === undefined) return;
    this.#sockets.delete(socket);
    this.#entries.push({ kind: CLOSE, ...known });
  }

  /** A socket that stays open was open before. */
  finish(): Uint8Array {
    const open = new Set([...this.#sockets.values()].map(({ socket }) => socket));
    const before = this.#entries.filter(({ kind, socket }) => kind === OPEN && open.has(socket!));
    const rest = this.#entries.filter((entry) => !before.includes(entry));
    return concat([...before, { kind: START }, ...rest].map((entry) => this.#encode(entry)));
  }

  #encode({ kind, socket = 0, netns = 0, at = 0, bytes }: Entry): Uint8Array {
    const path = netns === 0 ? "" : `/run/netns/${this.#names[netns - 1]!.name}\0`;
    const payload = bytes ?? new TextEncoder().encode(path);
    const encoded = new Uint8Array(RECORD_HEADER + (payload.length + 3 & ~3));
    new Uint32Array(encoded.buffer).set([kind, socket, netns, at, payload.length]);
    encoded.set(payload, RECORD_HEADER);
    return encoded;
  }

  #netnsOf({ fd }: NetlinkSocket): number {
    using netns = new Descriptor(ioctl(fd, SIOCGSKNS));
    return this.#numberOf(netns.fd);
  }

  #numberOf(fd: number): number {
    const identity = identifyDescriptor(fd);
    if (typeof identity === "number") throw new Error(`Cannot identify descriptor ${fd}`);
    return 1 + this.#names.findIndex(({ id }) => id === identity.inode);
  }
}

// linux/rtnetlink.h, linux/if_link.h, linux/veth.h
const RTM_NEWLINK = 16, RTM_SETLINK = 19, RTM_NEWADDR = 20, RTM_NEWROUTE = 24;
const IFLA_LINKINFO = 18, IFLA_INFO_DATA = 2, VETH_INFO_PEER = 1, IFLA_NET_NS_FD = 28;
const RTA_OIF = 4;
const NETLINK_HEADER = 16, IFINFOMSG = 16, RTMSG = 12, LOOPBACK = 1;

/** Where the messages of a datagram have a namespace's descriptor, or the number of a link that was made. */
function* places(bytes: Uint8Array): Generator<{ at: number; fd?: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start < bytes.length;) {
    const end = start + view.getUint32(start, true);
    const type = view.getUint16(start + 4, true);
    const body = start + NETLINK_HEADER;
    if (type === RTM_NEWLINK || type === RTM_SETLINK || type === RTM_NEWADDR) {
      if (view.getUint32(body + 4, true) > LOOPBACK) yield { at: body + 4 };
    }
    if (type === RTM_NEWROUTE) {
      const oif = find(view, body + RTMSG, end, RTA_OIF);
      if (oif !== undefined) yield { at: oif.at };
    }
    if (type === RTM_NEWLINK) {
      const info = find(view, body + IFINFOMSG, end, IFLA_LINKINFO);
      const data = info && find(view, info.at, info.end, IFLA_INFO_DATA);
      const peer = data && find(view, data.at, data.end, VETH_INFO_PEER);
      const netns = peer && find(view, peer.at + IFINFOMSG, peer.end, IFLA_NET_NS_FD);
      if (netns) yield { at: netns.at, fd: view.getUint32(netns.at, true) };
    }
    start = end + 3 & ~3;
  }
}

/** Where the value of an attribute stands. */
function find(
  view: DataView,
  start: number,
  end: number,
  wanted: number,
): { at: number; end: number } | undefined {
  for (let at = start; at + 4 <= end;) {
    const length = view.getUint16(at, true);
    if ((view.getUint16(at + 2, true) & 0x3fff) === wanted) return { at: at + 4, end: at + length };
    at += length + 3 & ~3;
  }
  return undefined;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
