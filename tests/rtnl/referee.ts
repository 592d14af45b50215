/**
 * What the tests that have `ip` as a referee share: what this kernel lacks, and what stays the same.
 *
 * @module
 */

import { InputError, NetlinkError, Netns, type Rtnl } from "../../mod.ts";
import { type Case, SETTING } from "./cases.ts";

/** What keeps this kernel from it, by its own answer; undefined where nothing does. */
export async function lackedByKernel({ requests }: Case): Promise<string | undefined> {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  try {
    using netns = await Netns.create();
    using rtnl = await netns.connect();
    await carryOut(rtnl, SETTING);
    await carryOut(rtnl, requests);
  } catch (error) {
    if (error instanceof InputError) throw error;
    // EOPNOTSUPP, ENODEV, EPROTONOSUPPORT: the kernel has no such kind; ENOENT: no such qdisc.
    const lacks = error instanceof NetlinkError &&
      ["EOPNOTSUPP", "ENODEV", "EPROTONOSUPPORT", "EAFNOSUPPORT"].includes(error.code);
    const unknown = error instanceof NetlinkError && error.code === "ENOENT" &&
      /qdisc kind is unknown|classifier not found|TC action module/i.test(error.message);
    if (lacks || unknown) return error.code;
  }
  return undefined;
}

/** Sends requests one after the other. */
export async function carryOut(rtnl: Rtnl, requests: Case["requests"]): Promise<void> {
  for (const request of requests) await rtnl.request(request);
}

// What differs from one moment, or from one link, to the next.
const MOMENTARY = [
  ...["used", "expires", "updated", "probes", "hello_timer", "gc_timer", "timer"],
  "tentative", // until duplicate address detection is through
];
const RANDOM = ["permaddr", "link_netnsid", "stats64", "stats"];

/** What `ip` shows, without what is different each time. */
export function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((entry) => !isNoise(entry)).map(stable);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !MOMENTARY.includes(key) && !RANDOM.includes(key));
  return Object.fromEntries(entries.map(([key, value]) => [key, stable(value)]));
}

/** IPv6 joins groups when it feels like it. */
function isNoise(entry: { dst?: unknown; grp?: unknown; mac?: unknown } | null): boolean {
  const { dst, grp, mac } = entry ?? {};
  return [dst, grp].some((address) => String(address).startsWith("ff02:")) ||
    /^(33:33|01:00:5e):/.test(String(mac));
}

/**
 * The attributes without a row in a value, each with its path; the empty ones, by which the kernel pads
 * 64-bit values, say nothing.
 */
export function unknownIn(value: unknown, path = ""): string[] {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "unknown"
      ? (inner as { type: number; bytes: Uint8Array }[])
        .filter(({ bytes }) => bytes.length > 0)
        .map(({ type, bytes }) => `${path} ${type}: ${bytes.toHex()}`)
      : unknownIn(inner, `${path}.${key}`)
  );
}
