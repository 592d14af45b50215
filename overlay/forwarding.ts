/**
 * Whether the host routes for its containers: switched on with the first that needs it, put back as it
 * was with the last. That it was off before is written in the kernel, as a further name of the bridge (or,
 * without one, of the container's host end), so that a crash loses nothing and nobody has to search.
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

const KEYS: Readonly<Record<Family, string>> = {
  inet: "net.ipv4.ip_forward",
  inet6: "net.ipv6.conf.all.forwarding",
};

/** Switches forwarding on where it was found off; `bearer` is the number of the link that remembers it. */
export async function startForwarding(
  families: readonly Family[],
  bearer: number,
  rtnl: Rtnl,
  host: NetnsOptions,
): Promise<void> {
  for (const family of families) {
    // Written first: a crash in between leaves a mark without effect, never an effect without a mark.
    await markForwarding(family, bearer, rtnl);
    await setSysctl(KEYS[family], 1, host);
  }
}

/** Switches forwarding off again; the mark goes last, and with its link it has gone already. */
export async function stopForwarding(
  family: Family,
  rtnl: Rtnl,
  host: NetnsOptions,
): Promise<void> {
  await setSysctl(KEYS[family], 0, host);
  await unmarkForwarding(family, rtnl);
}

/** The number of the link that remembers that forwarding was off; `undefined` when it was not, or is. */
export async function forwardingBearer(family: Family, rtnl: Rtnl): Promise<number | undefined> {
  return (await findLink(rtnl, { altName: mark(family) }))?.index;
}

/** Lets another link remember it. */
export async function moveForwardingMark(
  family: Family,
  bearer: number,
  rtnl: Rtnl,
): Promise<void> {
  await unmarkForwarding(family, rtnl);
  await markForwarding(family, bearer, rtnl);
}

function mark(family: Family): string {
  return `denolink-forwarding-${family}`;
}

async function markForwarding(family: Family, index: number, rtnl: Rtnl): Promise<void> {
  try {
    await rtnl.links.addAltNames({ index, altNames: [mark(family)] });
  } catch (error) {
    // Another attach was first; its mark serves both.
    if (!(error instanceof ExistsError)) throw error;
  }
}

async function unmarkForwarding(family: Family, rtnl: Rtnl): Promise<void> {
  try {
    const index = await forwardingBearer(family, rtnl);
    if (index !== undefined) await rtnl.links.deleteAltNames({ index, altNames: [mark(family)] });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}
