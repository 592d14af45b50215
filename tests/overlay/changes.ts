/**
 * What a process changes in the kernel, seen where it calls the kernel: counted, or refused.
 *
 * @module
 */

import { libc } from "../../ffi/libc.ts";
import { NetlinkSocket } from "../../ffi/netlink_socket.ts";

/** Size of struct nlmsghdr (linux/netlink.h): u32 length, u16 type, ... */
const HEADER = 16;
/** Messages of nf_tables have that of their subsystem above it; of theirs only batches change something. */
const FIRST_OF_NETFILTER = 0x100;
/** What NFNL_MSG_BATCH_BEGIN and RTM_NEWLINK share. */
const BATCH_BEGIN = 16;
/** No protocol has such a message: the kernel refuses it. */
const NO_TYPE = 0x0fff;

/** Where the messages of a datagram that change something stand in it; of a batch, where its first does. */
export function changesIn(datagram: Uint8Array<ArrayBuffer>): number[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const messages: { at: number; type: number }[] = [];
  for (let at = 0; at + HEADER <= datagram.length;) {
    messages.push({ at, type: view.getUint16(at + 4, true) });
    at += view.getUint32(at, true) + 3 & ~3;
  }
  const [first, second] = messages;
  if (first?.type === BATCH_BEGIN && (second?.type ?? 0) >= FIRST_OF_NETFILTER) return [second!.at];
  // Of rtnetlink's messages the third of each four reads (linux/rtnetlink.h).
  return messages.filter(({ type }) => type < FIRST_OF_NETFILTER && (type & 3) !== 2)
    .map(({ at }) => at);
}

/**
 * Calls a function with each datagram of this thread before it is sent, until it is disposed of; what it
 * throws is not sent.
 */
export function watchSent(before: (bytes: Uint8Array<ArrayBuffer>) => void): Disposable {
  const { send, sendSync } = NetlinkSocket.prototype;
  NetlinkSocket.prototype.send = function (bytes) {
    before(bytes);
    return send.call(this, bytes);
  };
  NetlinkSocket.prototype.sendSync = function (bytes) {
    before(bytes);
    return sendSync.call(this, bytes);
  };
  return {
    [Symbol.dispose]: () => void Object.assign(NetlinkSocket.prototype, { send, sendSync }),
  };
}

/** What is about to be changed: what a datagram asks for, a name that is given or taken away, a setting. */
export type Change = Uint8Array<ArrayBuffer> | "name" | "no name" | "setting";

/**
 * Calls a function before each system call that changes something, until it is disposed of. Where it returns
 * true the kernel is made to refuse to give a name or a setting; of a datagram see `spoil`.
 */
export function watchChanges(before: (change: Change) => boolean | void): Disposable {
  const watch = watchSent((bytes) => {
    if (changesIn(bytes).length > 0) before(bytes);
  });
  const symbols = libc();
  const { linkat, mkdir, unlink, mount, umount2, write } = symbols;
  const patched: Partial<typeof symbols> = {
    linkat: (from, file, to, path, flags) =>
      linkat(from, file, to, before("name") ? NOWHERE : path, flags),
    mount: (source, target, ...rest) => mount(source, before("name") ? NOWHERE : target, ...rest),
    // A setting is a line; what else is written wakes a thread.
    write: (fd, bytes, size) =>
      write((bytes as Uint8Array).at(-1) === NEWLINE && before("setting") ? -1 : fd, bytes, size),
    mkdir: (path, mode) => (before("no name"), mkdir(path, mode)),
    unlink: (path) => (before("no name"), unlink(path)),
    umount2: (target, flags) => (before("no name"), umount2(target, flags)),
  };
  Object.assign(symbols, patched);
  return {
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      Object.assign(symbols, { linkat, mkdir, unlink, mount, umount2, write });
    },
  };
}

/** Calls a function before each request to the kernel, and before each other call that changes something. */
export function watchCalls(before: () => void): Disposable {
  const sent = watchSent(before);
  const changed = watchChanges((change) => {
    if (typeof change === "string") before();
  });
  return {
    [Symbol.dispose]() {
      changed[Symbol.dispose]();
      sent[Symbol.dispose]();
    },
  };
}

const NEWLINE = 10;
const NOWHERE = new TextEncoder().encode("/proc/nowhere/at/all\0");

/** Has the kernel refuse a message. */
export function spoil(datagram: Uint8Array<ArrayBuffer>, at: number): void {
  new DataView(datagram.buffer, datagram.byteOffset).setUint16(at + 4, NO_TYPE, true);
}
