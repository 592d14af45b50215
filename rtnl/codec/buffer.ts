/**
 * Bytes under construction, and bytes to read.
 *
 * @module
 */

import type { Input, Output } from "./shape.ts";

const BLOCK = 16 * 1024;

/** A growing buffer. */
export class Buffer implements Output {
  /** Everything reserved so far, and room behind it. */
  bytes!: Uint8Array<ArrayBuffer>;
  /** A view of the same. */
  view!: DataView<ArrayBuffer>;
  /** Where the next byte goes. */
  length = 0;
  /** Where what was not taken yet begins. */
  #start = 0;

  /** An empty one, with room for so many bytes before it has to grow. */
  constructor(room = 512) {
    this.#use(new ArrayBuffer(room));
  }

  /** Makes room for `size` zero bytes, and says where they start. */
  reserve(size: number): number {
    const start = this.length;
    this.length += size;
    if (this.length > this.bytes.length) this.#grow(start);
    return start;
  }

  #grow(used: number): void {
    const { bytes } = this;
    this.#use(new ArrayBuffer(2 * this.length));
    this.bytes.set(bytes.subarray(0, used));
  }

  #use(memory: ArrayBuffer): void {
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
  }

  /** Zero bytes up to a multiple of 4, where netlink wants the next thing. */
  align(): void {
    this.reserve(-this.length & 3);
  }

  /** What was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(this.#start, this.length);
  }

  /** What was written; what comes next goes behind it, as memory for each costs as much as building it. */
  take(): Uint8Array<ArrayBuffer> {
    const { bytes, length } = this;
    const taken = new Uint8Array(bytes.buffer, this.#start, length - this.#start);
    this.#start = this.length = length + 7 & ~7;
    if (this.length > BLOCK) {
      this.#use(new ArrayBuffer(2 * BLOCK));
      this.#start = this.length = 0;
    }
    return taken;
  }

  /** Forgets what was not taken. */
  clear(): void {
    this.bytes.fill(0, this.#start, this.length);
    this.length = this.#start;
  }
}

/** Bytes, ready to be read. */
export function input(bytes: Uint8Array): Input {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}
