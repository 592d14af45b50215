/**
 * Whether the host routes for its containers: switched on with the first that needs it, put back as it
 * was with the last. That it was off before is a mark (marks.ts).
 *
 * @module
 */

import type { NetnsOptions } from "../netns/netns.ts";
import { setSysctl } from "../netns/sysctl.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { removeMark, setMark } from "./marks.ts";

/** IPv4 or IPv6. */
export type Family = "inet" | "inet6";

/** Both. */
export const FAMILIES: readonly Family[] = ["inet", "inet6"];

/** The settings that switch it on. */
export const FORWARDING_KEYS: Readonly<Record<Family, string>> = {
  inet: "net.ipv4.ip_forward",
  inet6: "net.ipv6.conf.all.forwarding",
};

/** Switches forwarding on where it was found off. */
export async function startForwarding(
  families: readonly Family[],
  rtnl: Rtnl,
  host: NetnsOptions,
): Promise<void> {
  for (const family of families) {
    // Written first: a crash in between leaves a mark without effect, never an effect without a mark.
    await setMark(forwardingMark(family), rtnl);
    await setSysctl(FORWARDING_KEYS[family], 1, host);
  }
}

/** Switches forwarding off again where it was off before. */
export async function stopForwarding(
  families: readonly Family[],
  rtnl: Rtnl,
  host: NetnsOptions,
): Promise<void> {
  for (const family of families) {
    await setSysctl(FORWARDING_KEYS[family], 0, host);
    await removeMark(forwardingMark(family), rtnl);
  }
}

/** Whether forwarding was off before the first attachment, by the marks of a host. */
export function wasOff(family: Family, marks: ReadonlySet<string>): boolean {
  return marks.has(forwardingMark(family));
}

/** What says that it was off before the first attachment. */
export function forwardingMark(family: Family): string {
  return `denolink-forwarding-${family}`;
}
