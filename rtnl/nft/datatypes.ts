/**
 * The types that keys and values of sets have in nft(8), and their values as bytes.
 *
 * @module
 */

import { parseAddress } from "../codec/ip.ts";
import { mac, show } from "../codec/scalars.ts";
import { ValueError } from "../codec/shape.ts";
import { Buffer } from "../codec/buffer.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One value, or all from the first to the last. */
export interface Interval {
  readonly first: Bytes;
  readonly last: Bytes;
  /** The bits that all of them begin with, where they were said so. */
  readonly prefix?: number;
}

/** A type. */
export interface DataType {
  /** nft's number for it, by which it shows the values. */
  readonly number: number;
  /** Bytes. */
  readonly size: number;
  /** 1: in the host's byte order, 2: in that of the network, as user data has it. */
  readonly byteOrder: 1 | 2;
  /** One value as bytes; throws a {@linkcode ValueError} for what it can't be. */
  readonly parse: (value: string | number) => Bytes;
  /** Its values may be said as prefixes: "10.0.0.0/8". */
  readonly prefixes?: true;
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  comp: 108,
  sctp: 132,
  udplite: 136,
};

/** IFNAMSIZ of linux/if.h. */
const IFNAMSIZ = 16;

function address(bytes: 4 | 16): DataType["parse"] {
  return (value) => {
    const parsed = typeof value === "string" ? parseAddress(value) : undefined;
    if (parsed?.length !== bytes) {
      throw new ValueError(
        `expected an ${bytes === 4 ? "IPv4" : "IPv6"} address, got ${show(value)}`,
      );
    }
    return parsed;
  };
}

function number(size: 1 | 2 | 4, little: boolean, names: Readonly<Record<string, number>> = {}) {
  const most = 2 ** (8 * size) - 1;
  return (value: string | number): Bytes => {
    const text = String(value);
    const said = Object.hasOwn(names, text)
      ? names[text]
      : /^(0x[0-9a-f]+|\d+)$/i.test(text)
      ? Number(text)
      : NaN;
    if (said === undefined || !(said <= most)) {
      const or = Object.keys(names).length > 0 ? ` or one of ${Object.keys(names).join(", ")}` : "";
      throw new ValueError(`expected a whole number from 0 to ${most}${or}, got ${show(value)}`);
    }
    const bytes = Array.from({ length: size }, (_, i) => Math.floor(said / 2 ** (8 * i)) & 0xff);
    return Uint8Array.from(little ? bytes : bytes.reverse());
  };
}

/** A link's name as the kernel compares it: with zeros up to its greatest length. */
function linkName(value: string | number): Bytes {
  const name = new TextEncoder().encode(String(value));
  if (name.length === 0 || name.length >= IFNAMSIZ || /[\s\0/]|\*$/.test(String(value))) {
    throw new ValueError(`expected a link's name of 1 to 15 bytes, got ${show(value)}`);
  }
  const bytes = new Uint8Array(IFNAMSIZ);
  bytes.set(name);
  return bytes;
}

/** The name of a type, as in `set s { type ipv4_addr; }`. */
export type NftDataType =
  | "ipv4_addr"
  | "ipv6_addr"
  | "ether_addr"
  | "inet_proto"
  | "inet_service"
  | "mark"
  | "ifname";

const DATA_TYPES: Readonly<Record<NftDataType, DataType>> = {
  ipv4_addr: { number: 7, size: 4, byteOrder: 2, parse: address(4), prefixes: true },
  ipv6_addr: { number: 8, size: 16, byteOrder: 2, parse: address(16), prefixes: true },
  ether_addr: {
    number: 9,
    size: 6,
    byteOrder: 2,
    parse(value) {
      const output = new Buffer();
      mac.write(output, value as string);
      if (output.length !== 6) throw new ValueError(`expected 6 bytes, got ${show(value)}`);
      return output.finish();
    },
  },
  inet_proto: { number: 12, size: 1, byteOrder: 2, parse: number(1, false, PROTOCOLS) },
  inet_service: { number: 13, size: 2, byteOrder: 2, parse: number(2, false) },
  mark: { number: 19, size: 4, byteOrder: 1, parse: number(4, true) },
  ifname: { number: 41, size: IFNAMSIZ, byteOrder: 1, parse: linkName },
};

/** The type of this name. */
export function dataType(name: NftDataType): DataType {
  if (!Object.hasOwn(DATA_TYPES, name)) {
    throw new ValueError(
      `expected one of ${Object.keys(DATA_TYPES).join(", ")}, got ${show(name)}`,
    );
  }
  return DATA_TYPES[name];
}

/** What is said of one type: "10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", 80, "1000-2000". */
export function parseInterval(name: NftDataType, value: string | number): Interval {
  const type = dataType(name);
  const text = String(value);
  if (type.prefixes && text.includes("/")) return parsePrefix(type, text);
  const [least, most, ...rest] = text.split("-");
  // A link's name may have a "-" in it.
  if (name === "ifname" || most === undefined) {
    const one = type.parse(value);
    return { first: one, last: one };
  }
  const [first, last] = [type.parse(least!), type.parse(most)];
  if (rest.length > 0 || type.byteOrder !== 2 || compare(first, last) > 0) {
    throw new ValueError(`expected a range from the least to the greatest, got ${show(value)}`);
  }
  return { first, last };
}

function parsePrefix(type: DataType, text: string): Interval {
  const [, address = "", length = ""] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const prefix = Number(length);
  if (length === "" || prefix > 8 * type.size) {
    throw new ValueError(
      `expected an address with a prefix of 0 to ${8 * type.size} bits, got ${show(text)}`,
    );
  }
  const mask = prefixMask(type.size, prefix);
  const parsed = type.parse(address);
  const first = parsed.map((byte, i) => byte & mask[i]!);
  const last = parsed.map((byte, i) => byte | ~mask[i]! & 0xff);
  return { first, last, prefix };
}

/** So many bytes, of whose bits the first are set. */
export function prefixMask(size: number, prefix: number): Bytes {
  return Uint8Array.from(
    { length: size },
    (_, i) => 0xff00 >> Math.min(8, Math.max(0, prefix - 8 * i)) & 0xff,
  );
}

/** Whether it is one value only. */
export function isSingle({ first, last }: Interval): boolean {
  return compare(first, last) === 0;
}

/** Less than 0 where the first comes before the second. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

/** The value behind this one; `undefined` behind the last. */
export function successor(bytes: Uint8Array): Bytes | undefined {
  const next = Uint8Array.from(bytes);
  for (let at = next.length - 1; at >= 0; at--) {
    // Beyond 255 it is 0, and the byte before counts on.
    next[at]!++;
    if (next[at] !== 0) return next;
  }
  return undefined;
}

/** Which family an address, a prefix or a range is of. */
export function familyOfAddress(value: string): "ip" | "ip6" {
  return value.includes(":") ? "ip6" : "ip";
}

/** Each part with zeros up to a multiple of 4 bytes, as registers and keys have them. */
export function concatenated(parts: readonly Uint8Array[]): Bytes {
  const padded = (part: Uint8Array) => (part.length + 3) & ~3;
  const bytes = new Uint8Array(parts.reduce((size, part) => size + padded(part), 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += padded(part);
  }
  return bytes;
}
