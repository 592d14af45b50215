/**
 * A kernel that does what a real one won't do on demand.
 *
 * @module
 */

import { Buffer, input } from "../../rtnl/codec/buffer.ts";
import { untypedCodec } from "../../rtnl/codec/compile.ts";
import type { MessageShape } from "../../rtnl/codec/shape.ts";
import type { EventTransport, Transport } from "../../rtnl/connection.ts";
import { frames } from "../../rtnl/request.ts";

/** A request that arrived. */
export interface Asked {
  type: number;
  flags: number;
  sequence: number;
}

/** What is queued: a datagram, or minus an errno in place of one. */
export type Queued = Uint8Array<ArrayBuffer> | number;

/** What another socket of the same kernel hears. */
export class FakeEvents implements EventTransport {
  readonly room = 128 * 3328;
  /** The groups that were joined. */
  groups: readonly number[] = [];
  nsid: number | undefined;
  readonly #queue: Queued[] = [];
  #waiting: (() => void) | undefined;
  #awake = false;

  /** Tells of something. */
  tell(...queued: Queued[]): void {
    this.#queue.push(...queued);
    this.#waiting?.();
  }

  listen(groups: readonly number[]): void {
    this.groups = groups;
  }

  receive(): Uint8Array<ArrayBuffer> | undefined | number {
    return this.#queue.shift();
  }

  async wait(): Promise<boolean> {
    if (this.#queue.length === 0 && !this.#awake) {
      await new Promise<void>((resolve) => this.#waiting = resolve);
    }
    return this.#queue.length > 0;
  }

  wake(): void {
    this.#awake = true;
    this.#waiting?.();
  }

  send(): Promise<number> {
    return Promise.resolve(0);
  }

  sendSync(): number {
    return 0;
  }

  waitSync(): boolean {
    return this.#queue.length > 0;
  }

  close(): void {}

  [Symbol.dispose](): void {}
}

/** Answers each `sendmsg` with what the script queues for its requests. */
export class FakeKernel implements Transport {
  readonly room = 128 * 3328;
  /** All requests, in the groups in which they were sent. */
  readonly sent: Asked[][] = [];
  /** What a monitor hears. */
  readonly events: FakeEvents = new FakeEvents();
  readonly #queue: Queued[] = [];
  /** What comes only after a wait. */
  readonly #late: Queued[] = [];

  constructor(readonly script: (asked: Asked[], kernel: FakeKernel) => Queued[]) {}

  send(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return Promise.resolve(this.sendSync(bytes));
  }

  sendSync(bytes: Uint8Array<ArrayBuffer>): number {
    const asked = [...frames(input(bytes))]
      .map(({ type, flags, sequence }) => ({ type, flags, sequence }));
    this.sent.push(asked);
    this.#queue.push(...this.script(asked, this));
    return bytes.length;
  }

  receive(): Uint8Array<ArrayBuffer> | undefined | number {
    return this.#queue.shift();
  }

  /** Queues something that is there only after a wait. */
  later(queued: Queued): void {
    this.#late.push(queued);
  }

  wait(_milliseconds: number): Promise<boolean> {
    return Promise.resolve(this.waitSync());
  }

  waitSync(): boolean {
    this.#queue.push(...this.#late.splice(0));
    return this.#queue.length > 0;
  }

  openSocket(): Promise<never> {
    throw new Error("This kernel has no other sockets");
  }

  another(): Promise<EventTransport> {
    return Promise.resolve(this.events);
  }

  close(): void {}

  [Symbol.dispose](): void {}
}

/** A netlink message. */
export function message(
  type: number,
  sequence: number,
  flags: number,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16 + (payload.length + 3 & ~3));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 16 + payload.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(payload, 16);
  return bytes;
}

/** NLMSG_ERROR: an ACK, or minus an errno, with the echoed header and what is behind it. */
export function acknowledgement(
  sequence: number,
  errno = 0,
  attributes: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(20 + attributes.length);
  new DataView(payload.buffer).setInt32(0, -errno, true);
  payload.set(attributes, 20);
  // NLM_F_CAPPED, and NLM_F_ACK_TLVS where attributes follow
  return message(2, sequence, 0x100 | (attributes.length > 0 ? 0x200 : 0), payload);
}

/** NLMSG_DONE. */
export function done(sequence: number, flags = 0x2, errno = 0): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setInt32(0, -errno, true);
  return message(3, sequence, flags, payload);
}

/** An object's payload. */
export function body(shape: MessageShape, values: object): Uint8Array {
  const output = new Buffer();
  untypedCodec(shape).write(output, values);
  return output.finish();
}

/** Datagrams joined to one. */
export function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
