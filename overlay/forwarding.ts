/**
 * Whether the host routes for its containers: switched on with the first that needs it, put back as it
 * was with the last. That it was off before is written on `lo`, as a further name: `lo` outlasts all
 * links, processes and crashes.
 *
 * @module
 */

import { ExistsError, NotFoundError } from "../ffi/errors.ts";
import type { NetnsOptions } from "../netns/netns.ts";
import { setSysctl } from "../netns/sysctl.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { findLink } from "./links.ts";

/** IPv4 or IPv6. */
export type Family = "inet" | "inet6";

/** Both. */
export const FAMILIES: readonly Family[] = ["inet", "inet6"];

const KEYS: Readonly<Record<Family, string>> = {
  inet: "net.ipv4.ip_forward",
  inet6: "net.ipv6.conf.all.forwarding",
};

/** `lo` has this number in every namespace. */
const LO = 1;

/** Switches forwarding on where it was found off. */
export async function startForwarding(
  families: readonly Family[],
  rtnl: Rtnl,
  host: NetnsOptions,
): Promise<void> {
  for (const family of families) {
    // Written first: a crash in between leaves a mark without effect, never an effect without a mark.
    await mark(family, rtnl);
    await setSysctl(KEYS[family], 1, host);
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
    if (needed.includes(family) || !await isMarked(family, rtnl)) continue;
    await setSysctl(KEYS[family], 0, host);
    await unmark(family, rtnl);
    stopped.push(family);
  }
  return stopped;
}

/** Whether forwarding was off before the first attachment. */
export async function isMarked(family: Family, rtnl: Rtnl): Promise<boolean> {
  return await findLink(rtnl, { altName: markOf(family) }) !== undefined;
}

function markOf(family: Family): string {
  return `denolink-forwarding-${family}`;
}

async function mark(family: Family, rtnl: Rtnl): Promise<void> {
  try {
    await rtnl.links.addAltNames({ index: LO, altNames: [markOf(family)] });
  } catch (error) {
    // Another attach was first; its mark serves both.
    if (!(error instanceof ExistsError)) throw error;
  }
}

async function unmark(family: Family, rtnl: Rtnl): Promise<void> {
  try {
    await rtnl.links.deleteAltNames({ index: LO, altNames: [markOf(family)] });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}
