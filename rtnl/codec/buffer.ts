/**
 * Bytes under construction, and bytes to read.
 *
 * @module
 */

import type { Input, Output } from "./shape.ts";

/** A growing buffer. */
export class Buffer implements Output {
  /** Everything reserved so far, and room behind it. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(512));
  /** A view of the same. */
  view: DataView<ArrayBuffer> = new DataView(this.bytes.buffer);
  /** Where the next byte goes. */
  length = 0;

  /** Makes room for `size` zero bytes, and says where they start. */
  reserve(size: number): number {
    const start = this.length;
    this.length += size;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(new ArrayBuffer(2 * this.length));
      larger.set(this.bytes.subarray(0, start));
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    return start;
  }

  /** Zero bytes up to a multiple of 4, where netlink wants the next thing. */
  align(): void {
    this.reserve(-this.length & 3);
  }

  /** What was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }
}

/** Bytes, ready to be read. */
export function input(bytes: Uint8Array): Input {
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  };
}
