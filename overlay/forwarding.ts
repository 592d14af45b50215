/**
 * Whether the host routes for its containers: switched on with the first that needs it, put back as it
 * was with the last. That it was off before is written on each attachment's link (tag.ts), and as a
 * further name of the bridge (or, without one, of a host end), so that an attach need not search for it.
 *
 * @module
 */

import { ExistsError, NotFoundError } from "../ffi/errors.ts";
import type { NetnsOptions } from "../netns/netns.ts";
import { setSysctl } from "../netns/sysctl.ts";
import type { Link } from "../rtnl/link.ts";
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

/** The link that remembers that forwarding was off; `undefined` when it was not, or is. */
export function forwardingBearer(family: Family, rtnl: Rtnl): Promise<Link | undefined> {
  return findLink(rtnl, { altName: forwardingMark(family) });
}

/** Lets another link remember it. */
export async function moveForwardingMark(
  family: Family,
  bearer: number,
  rtnl: Rtnl,
): Promise<void> {
  try {
    await unmarkForwarding(family, rtnl);
    await markForwarding(family, bearer, rtnl);
  } catch (error) {
    // It is being detached too: whoever looks last puts things right.
    if (!(error instanceof NotFoundError)) throw error;
  }
}

/** The further name of the link that remembers. */
export function forwardingMark(family: Family): string {
  return `denolink-forwarding-${family}`;
}

async function markForwarding(family: Family, index: number, rtnl: Rtnl): Promise<void> {
  try {
    await rtnl.links.addAltNames({ index, altNames: [forwardingMark(family)] });
  } catch (error) {
    // Another attach was first; its mark serves both.
    if (!(error instanceof ExistsError)) throw error;
  }
}

async function unmarkForwarding(family: Family, rtnl: Rtnl): Promise<void> {
  try {
    const bearer = await forwardingBearer(family, rtnl);
    if (bearer === undefined) return;
    await rtnl.links.deleteAltNames({ index: bearer.index, altNames: [forwardingMark(family)] });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}
