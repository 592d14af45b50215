/**
 * Whether the host routes for its containers: switched on with the first that needs it, put back as it
 * was with the last. What it was is written on the links (tag.ts), so a crash loses nothing.
 *
 * @module
 */

import type { NetnsOptions } from "../netns/netns.ts";
import { readSysctl, setSysctl } from "../netns/sysctl.ts";

/** IPv4 or IPv6. */
export type Family = "inet" | "inet6";

const KEYS: Readonly<Record<Family, string>> = {
  inet: "net.ipv4.ip_forward",
  inet6: "net.ipv6.conf.all.forwarding",
};

/**
 * Those of the families whose forwarding is ours to switch off again: it is off now, or was when one of
 * the attachments that there are switched it on.
 */
export async function ownForwarding(
  families: readonly Family[],
  others: readonly { forwarding: readonly Family[] }[],
  host: NetnsOptions,
): Promise<Family[]> {
  const own: Family[] = [];
  for (const family of families) {
    const ours = others.some(({ forwarding }) => forwarding.includes(family));
    if (ours || await readSysctl(KEYS[family], host) === "0") own.push(family);
  }
  return own;
}

/** Switches forwarding on; says what has to be switched off if nothing comes of it. */
export async function startForwarding(
  families: readonly Family[],
  host: NetnsOptions,
): Promise<Family[]> {
  const started: Family[] = [];
  for (const family of families) {
    if (await readSysctl(KEYS[family], host) !== "0") continue;
    await setSysctl(KEYS[family], 1, host);
    started.push(family);
  }
  return started;
}

/** Switches forwarding off where no attachment that is left needs it. */
export async function stopForwarding(
  families: readonly Family[],
  left: readonly { forwarding: readonly Family[] }[],
  host: NetnsOptions,
): Promise<void> {
  for (const family of families) {
    const needed = left.some(({ forwarding }) => forwarding.includes(family));
    if (!needed) await setSysctl(KEYS[family], 0, host);
  }
}
