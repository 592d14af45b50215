/**
 * One form for values that are the same.
 *
 * @module
 */

import { input } from "../../rtnl/codec/buffer.ts";
import { untypedCodec } from "../../rtnl/codec/compile.ts";
import type { Request } from "../../rtnl/request.ts";
import type { Difference } from "./change.ts";

/** What a request says, as the kernel would say it: addresses, flags and defaults in their one form. */
export function decode<M>({ body, shape }: Request<unknown>): M {
  return untypedCodec(shape).read(input(body), 0, body.length) as M;
}

/** A text that is the same for the same value, whatever the order of its keys. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_, it) => {
    if (typeof it === "bigint") return String(it);
    if (it instanceof Uint8Array) return it.toHex();
    if (typeof it !== "object" || it === null || Array.isArray(it)) return it;
    return Object.fromEntries(
      Object.entries(it).filter(([, value]) => value !== undefined).sort(([a], [b]) =>
        a < b ? -1 : 1
      ),
    );
  }) ?? "";
}

/** Whether two values are the same. */
export function isSame(a: unknown, b: unknown): boolean {
  return a === b || textOf(a) === textOf(b);
}

/** The keys whose values differ. */
export function differ(wanted: object, found: object): Difference[] {
  const [after, before] = [wanted, found] as Record<string, unknown>[];
  const keys = [...new Set([...Object.keys(after!), ...Object.keys(before!)])];
  return keys.filter((key) => !isSame(after![key], before![key]))
    .map((key) => ({ key, before: before![key], after: after![key] }));
}

/** A short text that is another one when anything of a value is: 64 bits of its FNV-1a hash. */
export function digestOf(value: unknown): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(textOf(value))) {
    hash = (hash ^ BigInt(byte)) * 0x100000001b3n & 0xffff_ffff_ffff_ffffn;
  }
  return hash.toString(16).padStart(16, "0");
}

/** Without the keys that have no value. */
export function said<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, it]) => it !== undefined)) as T;
}
