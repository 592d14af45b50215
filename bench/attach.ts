/**
 * What an attach costs, beside what it would cost to create a pair on the host and move one end into the
 * container, as most programs do: `deno task bench`, which runs it in a private namespace.
 *
 * @module
 */

import {
  addAddress,
  attach,
  createBridge,
  createVethPair,
  moveLinkIntoNetns,
  Netns,
  setLinkUp,
} from "../mod.ts";

const ROUNDS = Number(Deno.args[0] ?? 50);
const GATEWAYS = ["10.0.0.1", "fd00::1"];

await createBridge("br0");
await addAddress("br0", "10.0.0.1/24");
await addAddress("br0", "fd00::1/64");
await setLinkUp("br0");

const ways: Record<string, (netns: Netns, round: number) => Promise<unknown>> = {
  "attach: pair, bridge port, v4 and v6 address, default routes": (netns) =>
    attach({
      netns,
      bridge: "br0",
      addresses: ["10.0.0.2/24", "fd00::2/64"],
      gateways: GATEWAYS,
    }),
  "attach: pair, bridge port, v4 address": (netns) =>
    attach({ netns, bridge: "br0", addresses: ["10.0.0.2/24"] }),
  "create the pair, then move and rename, and nothing else": async (netns, round) => {
    await createVethPair(`host${round}`, `peer${round}`);
    await moveLinkIntoNetns(`peer${round}`, netns, "eth0");
  },
};

const times: Record<string, number[]> = {};
// The first rounds warm the compiler and the visiting thread; they don't count.
for (let round = -5; round < ROUNDS; round++) {
  for (const [what, way] of Object.entries(ways)) {
    const netns = await Netns.create();
    const start = performance.now();
    await way(netns, round + 5);
    if (round >= 0) (times[what] ??= []).push(performance.now() - start);
    netns.close();
    // The namespace goes in the background, under the lock that the next request wants.
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

console.log(`${ROUNDS} rounds in turn; milliseconds\n`);
console.log("  median      5 %     95 %");
for (const [what, list] of Object.entries(times)) {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor((sorted.length - 1) * part)]!;
  const columns = [0.5, 0.05, 0.95].map((part) => at(part).toFixed(3).padStart(8)).join(" ");
  console.log(`${columns}  ${what}`);
}
const median = (what: string) => times[what]!.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
const [full, , moved] = Object.keys(ways).map(median) as [number, number, number];
console.log(`\nmove and rename takes ${(moved / full).toFixed(1)} times as long as a whole attach`);
