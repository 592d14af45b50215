/**
 * What readers and writers of payloads share.
 *
 * @module
 */

import { show } from "./scalars.ts";
import { type Codec, type Output, ValueError } from "./shape.ts";

// deno-lint-ignore no-explicit-any
export type AnyCodec = Codec<any>;

/** Size of struct nlattr (linux/netlink.h): u16 length, u16 type. */
export const NLA_HEADER = 4;
/** Without the flags that say what the payload is. */
export const NLA_TYPE_MASK = 0x3fff;

/** Up to the next attribute. */
export function align(size: number): number {
  return (size + 3) & ~3;
}

/** Ends the attribute that starts there: its length, its type, and zeros up to the next one. */
export function close(output: Output, start: number, type: number): void {
  const length = output.length - start;
  if (length > 0xffff) throw new ValueError(`${length} bytes are more than an attribute holds`);
  output.view.setUint16(start, length, true);
  output.view.setUint16(start + 2, type, true);
  output.reserve(-output.length & 3);
}

/** Writes an attribute with the payload of a value. */
export function append(output: Output, value: unknown, codec: AnyCodec, type: number): void {
  const start = output.reserve(NLA_HEADER);
  codec.write(output, value);
  close(output, start, type);
}

/** Writes the entries of a list; where one does not fit, its index goes into the path. */
export function each(values: unknown[], write: (value: unknown, index: number) => void): void {
  if (!Array.isArray(values)) throw new ValueError(`expected a list, got ${show(values)}`);
  for (const [index, value] of values.entries()) {
    try {
      write(value, index);
    } catch (error) {
      if (error instanceof ValueError) error.path.unshift(String(index));
      throw error;
    }
  }
}

/** Throws for what has no keys. */
export function expectObject(value: unknown): void {
  if (typeof value === "object" && value !== null) return;
  throw new ValueError(`expected an object, got ${show(value)}`);
}
