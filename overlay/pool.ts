/**
 * The next free address of a subnet.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import { formatAddress } from "../rtnl/codec/ip.ts";
import { type Cidr, parseCidr, parseHost } from "./input.ts";

/** Which addresses of a bridge's subnets are given to containers. */
export interface AddressPool {
  /**
   * The addresses to choose from: "10.0.0.100-10.0.0.199" or "10.0.0.128/25", of either family.
   * @default {all of the subnet, but its first and, of IPv4, its last address}
   */
  ranges?: readonly string[] | undefined;
  /**
   * Addresses to leave free, one by one or as ranges are written.
   * @default {[]}
   */
  exclude?: readonly string[] | undefined;
}

/** No address is left to choose from. */
export class PoolExhaustedError extends Error {
  /** The class's name. */
  override name = "PoolExhaustedError";
}

/** A pool, read. */
export interface Ranges {
  ranges: Interval[];
  exclude: Interval[];
}

/** From one address to another of the same family, both included. */
interface Interval {
  family: Cidr["family"];
  first: bigint;
  last: bigint;
  text: string;
}

/** Reads a pool; `InputError` for what is no range. */
export function readPool({ ranges = [], exclude = [] }: AddressPool = {}): Ranges {
  return { ranges: ranges.map(readInterval), exclude: exclude.map(readInterval) };
}

/**
 * The lowest address of a subnet that is in the pool and not taken; `undefined` when all are. Taken are
 * addresses in their canonical form.
 */
export function nextFree(
  subnet: Cidr,
  { ranges, exclude }: Ranges,
  taken: ReadonlySet<string>,
): string | undefined {
  const whole = hostsOf(subnet);
  const own = ranges.filter(({ family }) => family === subnet.family);
  const usable = (own.length === 0 ? [whole] : own)
    .map(({ first, last }) => ({
      first: first < whole.first ? whole.first : first,
      last: last > whole.last ? whole.last : last,
    }))
    .sort((a, b) => a.first < b.first ? -1 : 1);
  for (const { first, last } of usable) {
    for (let at = first; at <= last; at++) {
      const blocked = exclude.find((it) =>
        it.family === subnet.family && it.first <= at && at <= it.last
      );
      if (blocked !== undefined) {
        at = blocked.last;
        continue;
      }
      const text = format(at, subnet.family);
      if (!taken.has(text)) return text;
    }
  }
  return undefined;
}

/** The addresses that a host can have: not the network's own, and of IPv4 not the broadcast address. */
function hostsOf({ family, bytes, prefixLength, address }: Cidr): Interval {
  const hostBits = BigInt(bytes.length * 8 - prefixLength);
  const first = numberOf(bytes) >> hostBits << hostBits;
  const last = first + (1n << hostBits) - 1n;
  const text = `${address}/${prefixLength}`;
  // RFC 3021 and RFC 6164: of two addresses both are hosts.
  if (hostBits < 2n) return { family, first, last, text };
  return { family, first: first + 1n, last: family === "inet" ? last - 1n : last, text };
}

function readInterval(text: string): Interval {
  const [from = "", to, ...rest] = String(text).split("-").map((part) => part.trim());
  const refuse = (problem: string): never => {
    throw new InputError(
      `Cannot use address range ${
        JSON.stringify(text)
      }: ${problem}; write it as 10.0.0.100-10.0.0.199 or 10.0.0.128/25`,
    );
  };
  if (rest.length > 0) refuse('it has more than one "-"');
  if (to === undefined && from.includes("/")) {
    const { family, bytes, prefixLength } = parseCidr(from);
    const hostBits = BigInt(bytes.length * 8 - prefixLength);
    const first = numberOf(bytes) >> hostBits << hostBits;
    return { family, first, last: first + (1n << hostBits) - 1n, text };
  }
  const [low, high] = [from, to ?? from].map((part) => parseHost(part, "address"));
  if (low!.family !== high!.family) refuse("its ends are of two families");
  const [first, last] = [numberOf(low!.bytes), numberOf(high!.bytes)];
  if (first > last) refuse("it ends before it begins");
  return { family: low!.family, first, last, text };
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduce((number, byte) => number << 8n | BigInt(byte), 0n);
}

function format(number: bigint, family: Cidr["family"]): string {
  const bytes = new Uint8Array(family === "inet" ? 4 : 16);
  const view = new DataView(bytes.buffer);
  if (family === "inet") view.setUint32(0, Number(number));
  else {
    view.setBigUint64(0, number >> 64n);
    view.setBigUint64(8, number & 0xffff_ffff_ffff_ffffn);
  }
  return formatAddress(bytes);
}
