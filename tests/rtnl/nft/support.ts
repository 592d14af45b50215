/**
 * What the tests of nf_tables share.
 *
 * @module
 */

import type { Netns } from "../../../netns/mod.ts";
import { Nft } from "../../../rtnl/mod.ts";
import { runIn } from "../../support.ts";

/** A connection in a namespace. */
export async function nftIn(netns: Netns): Promise<Nft> {
  using rtnl = await netns.connect();
  return await Nft.beside(rtnl);
}

/** The ruleset as nft lists it, line by line; without what counts or runs out. */
export async function listed(netns: Netns): Promise<string[]> {
  return (await runIn(netns, "nft", "-s", "list", "ruleset")).split("\n");
}
