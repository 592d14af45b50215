/**
 * Whether the host routes for its containers: switched on with the first that needs it, put back as it
 * was with the last. That it was off before is a mark (marks.ts).
 *
 * @module
 */

import type { NetnsOptions } from "../netns/netns.ts";
import { setSysctl } from "../netns/sysctl.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { isMarked, removeMark, setMark } from "./marks.ts";

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

/** Switches forwarding off where it was off before the first attachment, and no attachment needs it. */
export async function stopForwarding(
  needed: readonly Family[],
  rtnl: Rtnl,
  host: NetnsOptions,
): Promise<Family[]> {
  const stopped: Family[] = [];
  for (const family of FAMILIES) {
    if (needed.includes(family) || !await wasOff(family, rtnl)) continue;
    await setSysctl(FORWARDING_KEYS[family], 0, host);
    await removeMark(forwardingMark(family), rtnl);
    stopped.push(family);
  }
  return stopped;
}

/** Whether forwarding was off before the first attachment. */
export async function wasOff(family: Family, rtnl: Rtnl): Promise<boolean> {
  return await isMarked(forwardingMark(family), rtnl);
}

/** What says that it was off before the first attachment. */
export function forwardingMark(family: Family): string {
  return `denolink-forwarding-${family}`;
}
