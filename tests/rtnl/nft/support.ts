/**
 * What the tests of nf_tables share.
 *
 * @module
 */

import type { Netns } from "../../../netns/mod.ts";
import { Nft } from "../../../rtnl/mod.ts";
import { type Kernel, kernelTest, type Needs, runIn } from "../../support.ts";

const hasNft = Deno.permissions.querySync({ name: "run" }).state === "granted" &&
  await new Deno.Command("nft", { args: ["--version"], stdout: "null" }).output()
    .then(() => true, () => false);

/** A test that has nft as its referee; ignored, with the reason in its name, where there is none. */
export function nftTest(
  name: string,
  needs: Needs,
  fn: (kernel: Kernel) => Promise<void>,
): void {
  if (hasNft) kernelTest(name, { ...needs, run: true }, fn);
  else {
    Deno.test({
      name: `${name} (ignored: needs --allow-run and the package nftables)`,
      ignore: true,
      fn() {},
    });
  }
}

/** A connection in a namespace. */
export async function nftIn(netns: Netns): Promise<Nft> {
  using rtnl = await netns.connect();
  return await Nft.beside(rtnl);
}

/** The ruleset as nft lists it, line by line; without what counts or runs out. */
export async function listed(netns: Netns): Promise<string[]> {
  return (await runIn(netns, "nft", "-s", "list", "ruleset")).split("\n");
}
