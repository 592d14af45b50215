/**
 * Prefixes, as `ip` writes and abbreviates them.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../rtnl/codec/ip.ts";
import type { Form } from "./words.ts";

/** An address and the bits of it that count. */
export interface Prefix {
  readonly family: "inet" | "inet6" | undefined;
  /** Absent for all addresses: `default`. */
  readonly address?: string;
  readonly length: number;
  /** Whether the length was said. */
  readonly said: boolean;
}

/** The bits of a whole address. */
export function bitsOf(address: string): number {
  return address.includes(":") ? 128 : 32;
}

/** The family of an address. */
export function familyOf(address: string): "inet" | "inet6" {
  return address.includes(":") ? "inet6" : "inet";
}

/** `10.0.0.0/24`, `10/8`, `fd00::1`, `default`; `undefined` for anything else. */
export function readPrefix(word: string): Prefix | undefined {
  if (["default", "any", "all"].includes(word)) return { family: undefined, length: 0, said: true };
  const [start = "", length] = word.split("/");
  const address = parseAddress(start) ? start : filledUp(start, length);
  if (address === undefined || word.split("/").length > 2) return undefined;
  const most = bitsOf(address);
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : NaN;
  if (!(bits <= most)) return undefined;
  const family = familyOf(address);
  return { family, address, length: bits, said: length !== undefined };
}

/** `10/8` is short for `10.0.0.0/8`. */
function filledUp(start: string, length: string | undefined): string | undefined {
  if (length === undefined || !/^\d+(\.\d+){0,2}$/.test(start)) return undefined;
  const address = [...start.split("."), "0", "0", "0"].slice(0, 4).join(".");
  return parseAddress(address) ? address : undefined;
}

/** A prefix as one word. */
export const prefix: Form<Prefix> = {
  name: "PREFIX",
  parse: (words) => readPrefix(words.take() ?? ""),
};

/** `10.0.0.0/24`; a whole address without its length; `default` without an address. */
export function prefixText(address: string | undefined, length: number = 0): string {
  if (address === undefined) return length === 0 ? "default" : `0/${length}`;
  return length === bitsOf(address) ? address : `${address}/${length}`;
}

/** Whether a prefix has another one inside, or is it. */
export function covers(outer: Prefix, address: string, length: number): boolean {
  if (outer.address === undefined) return true;
  if (outer.family !== familyOf(address) || length < outer.length) return false;
  const [a, b] = [parseAddress(outer.address)!, parseAddress(address)!];
  return a.every((byte, i) => {
    const bits = Math.min(8, Math.max(0, outer.length - 8 * i));
    return ((byte ^ b[i]!) & (0xff00 >> bits) & 0xff) === 0;
  });
}

/** The address with all bits behind the prefix set, or cleared. */
export function lastAddress(address: string, length: number, ones: boolean): string {
  const bytes = parseAddress(address)!.map((byte, i) => {
    const rest = 0xff >> Math.min(8, Math.max(0, length - 8 * i));
    return ones ? byte | rest : byte & ~rest;
  });
  return formatAddress(bytes);
}
