/**
 * The addresses of a bridge's containers, as its ports say them.
 *
 * @module
 */

import { NetlinkError } from "../ffi/errors.ts";
import { BRIDGE_VLAN, bridgeVlan } from "../rtnl/bridge_vlan.ts";
import { link, SKIP_STATS } from "../rtnl/link.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import type { Bridge } from "./bridges.ts";
import { onlyAttributes } from "./only.ts";
import { parseTag } from "./tag.ts";

/**
 * What the ports that this process has seen say, by their names, which are random: what is written on one
 * never changes. The bridge's own list of its ports takes a tenth of the time that their links take.
 */
const seen = new Map<string, readonly string[]>();
/** Beyond this many it is forgotten, and read anew. */
const MOST_SEEN = 10_000;

/** A bridge's own list says which ports there are; nothing else is read of it. */
const PORTS = onlyAttributes(BRIDGE_VLAN, ["name", "master"]);

/** The addresses of a bridge's containers, with their prefixes. */
export async function leasesOf(rtnl: Rtnl, { index }: Bridge): Promise<string[]> {
  const all = await rtnl.request({ ...bridgeVlan.list({ extendedMask: 0 }), shape: PORTS });
  const ports = all.filter(({ master }) => master === index).map(({ name }) => name!);
  if (seen.size > MOST_SEEN) seen.clear();
  await see(rtnl, ports.filter((name) => !seen.has(name)));
  return ports.flatMap((name) => seen.get(name) ?? []);
}

async function see(rtnl: Rtnl, names: readonly string[]): Promise<void> {
  const links = await rtnl.batch(names.map((name) => link.get({ name, extendedMask: SKIP_STATS })));
  for (const [i, name] of names.entries()) {
    const port = links[i]!;
    // One that is gone meanwhile has no address any more.
    if (port instanceof NetlinkError) continue;
    seen.set(name, parseTag(port.alias)?.addresses ?? []);
  }
}
