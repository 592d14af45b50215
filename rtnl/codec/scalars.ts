/**
 * The payloads that are not made of others.
 *
 * @module
 */

import { formatIpv4, formatIpv6, ipv4Number, parseAddress } from "./ip.ts";
import { type Codec, type NumberFormat, type Output, ValueError } from "./shape.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A whole number; its range follows from its format. */
function integer(method: `${"Int" | "Uint"}${8 | 16 | 32}`, little = true): Codec<number> {
  const bits = Number(/\d+/.exec(method));
  const size = bits / 8;
  const least = method.startsWith("U") ? 0 : -(2 ** (bits - 1));
  const most = least + 2 ** bits - 1;
  const { get, set } = accessors<number>(method);
  return {
    size,
    number: { method, size, little, range: [least, most] },
    read: ({ view }, start, end) =>
      end - start === size ? get.call(view, start, little) : undefined,
    write(output, value) {
      if (!Number.isInteger(value) || value < least || value > most) {
        throw new ValueError(
          `expected a whole number from ${least} to ${most}, got ${show(value)}`,
        );
      }
      const at = output.reserve(size);
      set.call(output.view, at, value, little);
    },
  };
}

interface Accessors<Value> {
  get(this: DataView, at: number, little: boolean): Value;
  set(this: DataView, at: number, value: Value, little: boolean): void;
}

/** A DataView's methods, found once: V8 compiled what looks them up by name again and again, 6 µs for each link. */
function accessors<Value>(method: NumberFormat["method"]): Accessors<Value> {
  const { [`get${method}`]: get, [`set${method}`]: set } = DataView
    .prototype as unknown as Record<string, unknown>;
  return { get, set } as Accessors<Value>;
}

/** Unsigned, 8 bits. */
export const u8: Codec<number> = integer("Uint8");
/** Unsigned, 16 bits, in the host's byte order (little on x86-64 and aarch64). */
export const u16: Codec<number> = integer("Uint16");
/** Unsigned, 16 bits, in network byte order. */
export const be16: Codec<number> = integer("Uint16", false);
/** Unsigned, 32 bits. */
export const u32: Codec<number> = integer("Uint32");
/** Unsigned, 32 bits, in network byte order. */
export const be32: Codec<number> = integer("Uint32", false);
/** Signed, 32 bits. */
export const s32: Codec<number> = integer("Int32");
/** Signed, 32 bits, in network byte order. */
export const sbe32: Codec<number> = integer("Int32", false);
/** Signed, 8 bits. */
export const s8: Codec<number> = integer("Int8");
/** Signed, 16 bits. */
export const s16: Codec<number> = integer("Int16");

/** Unsigned, 64 bits. */
export const u64: Codec<bigint> = long("0 to 2^64-1", "BigUint64");
/** Signed, 64 bits. */
export const s64: Codec<bigint> = long("-2^63 to 2^63-1", "BigInt64");
/** Unsigned, 64 bits, in network byte order. */
export const be64: Codec<bigint> = long("0 to 2^64-1", "BigUint64", false);

/** Unsigned, in 32 bits where it fits and in 64 where not (NLA_UINT). */
export const uint: Codec<bigint> = {
  read(input, start, end) {
    const small = u32.read(input, start, end);
    return small === undefined ? u64.read(input, start, end) : BigInt(small);
  },
  write(output, value) {
    if (typeof value === "bigint" && value >= 0n && value <= 0xffffffffn) {
      u32.write(output, Number(value));
    } else u64.write(output, value);
  },
};

function long(
  range: string,
  method: `Big${"Int" | "Uint"}64`,
  little = true,
): Codec<bigint> {
  const { get, set } = accessors<bigint>(method);
  return {
    size: 8,
    number: { method, size: 8, little },
    read: ({ view }, start, end) => end - start === 8 ? get.call(view, start, little) : undefined,
    write(output, value) {
      const at = output.reserve(8);
      if (typeof value === "bigint") set.call(output.view, at, value, little);
      // What does not fit is cut off, so it does not come back.
      if (typeof value !== "bigint" || get.call(output.view, at, little) !== value) {
        throw new ValueError(`expected a bigint from ${range}, got ${show(value)}`);
      }
    },
  };
}

/** A header's byte for a number that stands whole in an attribute of the same name: 0 when it doesn't fit. */
export const lowByte: Codec<number> = lowByteOr(0);
/** The same for a table's number: RT_TABLE_COMPAT when it doesn't fit. */
export const tableByte: Codec<number> = lowByteOr(252);

function lowByteOr(instead: number): Codec<number> {
  return {
    ...u8,
    write: (output, value) => u8.write(output, value > 0xff ? instead : value),
  };
}

/** A byte that is 0 or 1. */
export const bool: Codec<boolean> = {
  size: 1,
  read({ bytes }, start, end) {
    const byte = bytes[start];
    return end - start === 1 && (byte === 0 || byte === 1) ? byte === 1 : undefined;
  },
  write(output, value) {
    if (typeof value !== "boolean") {
      throw new ValueError(`expected a boolean, got ${show(value)}`);
    }
    u8.write(output, value ? 1 : 0);
  },
};

/** An attribute that says true by being there, with no payload; false is not sent. */
export const presence: Codec<boolean> = {
  read: (_input, start, end) => start === end ? true : undefined,
  write(_output, value) {
    if (typeof value !== "boolean") {
      throw new ValueError(`expected a boolean, got ${show(value)}`);
    }
  },
  omits: (value) => value === false,
};

/** The same on the way out; the kernel answers with a byte. */
export const flag: Codec<boolean> = {
  ...presence,
  read: (input, start, end) => start === end ? true : bool.read(input, start, end),
};

/** Short text of ASCII without NUL; a TextDecoder takes twice as long for it. */
function ascii(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start > 64) return undefined;
  const codes: number[] = [];
  for (let at = start; at < end; at++) {
    const code = bytes[at]!;
    if (code === 0 || code > 0x7f) return undefined;
    codes.push(code);
  }
  return String.fromCharCode.apply(null, codes);
}

/** Text, with the NUL that ends it; some programs leave that out. */
export const text: Codec<string> = {
  read({ bytes }, start, end) {
    const stop = end > start && bytes[end - 1] === 0 ? end - 1 : end;
    if (end === start) return undefined;
    const short = ascii(bytes, start, stop);
    if (short !== undefined) return short;
    const value = decoder.decode(bytes.subarray(start, stop));
    // What would not come out again as it came is better kept as bytes.
    return /[\0\ufffd]/.test(value) ? undefined : value;
  },
  write(output, value) {
    if (typeof value !== "string" || value.includes("\0")) {
      throw new ValueError(`expected a text without NUL, got ${show(value)}`);
    }
    appendText(output, value);
  },
};

/** With its NUL; ASCII without an encoder: a request with two texts is built in 0.4 µs instead of 2. */
function appendText(output: Output, value: string): void {
  const at = output.reserve(value.length + 1);
  const { bytes } = output;
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code > 0x7f) {
      const encoded = encoder.encode(value);
      output.reserve(encoded.length - value.length);
      output.bytes.set(encoded, at);
      return;
    }
    bytes[at + index] = code;
  }
}

/** Bytes as they are. */
export const bytes: Codec<Uint8Array> = {
  read: (input, start, end) => input.bytes.slice(start, end),
  write(output, value) {
    if (!(value instanceof Uint8Array)) {
      throw new ValueError(`expected a Uint8Array, got ${show(value)}`);
    }
    append(output, value);
  },
};

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** A link-layer address, "02:00:5e:00:53:01"; as many bytes as the link type has. */
export const mac: Codec<string> = {
  read({ bytes }, start, end) {
    if (end === start) return undefined;
    let value = HEX[bytes[start]!]!;
    for (let at = start + 1; at < end; at++) value += `:${HEX[bytes[at]!]}`;
    return value;
  },
  write(output, value) {
    if (
      typeof value !== "string" || !/^[0-9a-f]{2}(:[0-9a-f]{2})*$/i.test(value)
    ) {
      throw new ValueError(
        `expected a link-layer address such as 02:00:5e:00:53:01, got ${show(value)}`,
      );
    }
    append(
      output,
      Uint8Array.from(value.split(":"), (byte) => parseInt(byte, 16)),
    );
  },
};

/** An IPv4 or IPv6 address, told apart by its length. */
export const ip: Codec<string> = {
  read({ bytes }, start, end) {
    if (end - start === 4) return formatIpv4(bytes, start);
    return end - start === 16 ? formatIpv6(bytes, start) : undefined;
  },
  write(output, value) {
    const isText = typeof value === "string";
    const ipv4 = isText ? ipv4Number(value) : undefined;
    if (ipv4 !== undefined) {
      const at = output.reserve(4);
      output.view.setUint32(at, ipv4);
      return;
    }
    const parsed = isText ? parseAddress(value) : undefined;
    if (parsed === undefined) {
      throw new ValueError(
        `expected an IPv4 or IPv6 address, got ${show(value)}`,
      );
    }
    append(output, parsed);
  },
};

/** struct rtvia (linux/rtnetlink.h): an address with its family before it. */
export const via: Codec<string> = {
  read(input, start, end) {
    const family = end - start < 2 ? 0 : input.view.getUint16(start, true);
    const size = family === AF_INET ? 4 : family === AF_INET6 ? 16 : -1;
    return end - start - 2 === size ? ip.read(input, start + 2, end) : undefined;
  },
  write(output, value) {
    const at = output.reserve(2);
    ip.write(output, value);
    output.view.setUint16(at, output.length - at === 6 ? AF_INET : AF_INET6, true);
  },
};

const AF_INET = 2;
const AF_INET6 = 10;

/** A stack of MPLS labels (RFC 3032), outermost first, "100/200"; only the last has the bottom-of-stack bit. */
export const labels: Codec<string> = {
  read({ view }, start, end) {
    const stack: number[] = [];
    for (let at = start; at + 4 <= end; at += 4) {
      const entry = view.getUint32(at);
      // A traffic class or a time to live would not come out again.
      if ((entry & 0xfff) !== (at + 4 === end ? BOTTOM_OF_STACK : 0)) return undefined;
      stack.push(entry >>> 12);
    }
    return stack.length > 0 && (end - start) % 4 === 0 ? stack.join("/") : undefined;
  },
  write(output, value) {
    if (typeof value !== "string" || !/^\d+(\/\d+)*$/.test(value)) {
      throw new ValueError(`expected MPLS labels such as 100/200, got ${show(value)}`);
    }
    const stack = value.split("/").map(Number);
    for (const [index, label] of stack.entries()) {
      if (label > 0xfffff) {
        throw new ValueError(`expected MPLS labels from 0 to 1048575, got ${show(value)}`);
      }
      const at = output.reserve(4);
      const last = index === stack.length - 1;
      output.view.setUint32(at, label * 4096 + (last ? BOTTOM_OF_STACK : 0));
    }
  },
};

const BOTTOM_OF_STACK = 0x100;

/** A byte of a struct that carries nothing. */
export const padding: Codec<undefined> = {
  size: 1,
  read: () => undefined,
  write: (output) => void output.reserve(1),
};

function append(output: Output, payload: Uint8Array): void {
  const at = output.reserve(payload.length);
  output.bytes.set(payload, at);
}

/** A value as an error message shows it. */
export function show(value: unknown): string {
  return typeof value === "bigint" ? `${value}n` : JSON.stringify(value) ?? String(value);
}
