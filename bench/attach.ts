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
  deleteLink,
  moveLinkIntoNetns,
  Netns,
  setLinkUp,
} from "../mod.ts";

const ROUNDS = Number(Deno.args[0] ?? 10);
/** Containers of one round, attached one after the other. */
const EACH = 10;
const GATEWAYS = ["10.0.0.1", "fd00::1"];

await createBridge("br0");
await addAddress("br0", "10.0.0.1/24");
await addAddress("br0", "fd00::1/64");
await setLinkUp("br0");

const WAYS: Record<string, (netns: Netns, name: string) => Promise<unknown>> = {
  "attach: pair, bridge port, v4 and v6 address, default routes": (netns) =>
    attach({
      netns,
      bridge: "br0",
      addresses: ["10.0.0.2/24", "fd00::2/64"],
      gateways: GATEWAYS,
    }),
  "attach: pair, bridge port, v4 address": (netns) =>
    attach({ netns, bridge: "br0", addresses: ["10.0.0.2/24"] }),
  "create the pair, then move and rename, and nothing else": async (netns, name) => {
    await createVethPair(`h${name}`, `p${name}`);
    await moveLinkIntoNetns(`p${name}`, netns, "eth0");
  },
};

const times: Record<string, number[]> = {};
// The first two rounds warm the compiler; they don't count.
for (let round = -2; round < ROUNDS; round++) {
  for (const [what, way] of Object.entries(WAYS)) {
    const namespaces: Netns[] = [];
    for (let i = 0; i < EACH; i++) namespaces.push(await Netns.create());
    for (const [i, netns] of namespaces.entries()) {
      const start = performance.now();
      await way(netns, `${round + 2}-${i}`);
      if (round >= 0) (times[what] ??= []).push(performance.now() - start);
    }
    // What was made goes now: in the background it would hold the lock that the next round wants.
    for (const netns of namespaces) {
      await deleteLink("eth0", { netns });
      netns.close();
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const at = (what: string, part: number) => {
  const sorted = times[what]!.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)]!;
};
console.log(`${ROUNDS} rounds of ${EACH}, in turn; milliseconds\n`);
console.log("  median      5 %     95 %");
for (const what of Object.keys(WAYS)) {
  const columns = [0.5, 0.05, 0.95].map((part) => at(what, part).toFixed(3).padStart(8));
  console.log(`${columns.join(" ")}  ${what}`);
}
const [full, , moved] = Object.keys(WAYS).map((what) => at(what, 0.5)) as [number, number, number];
console.log(`\nmove and rename takes ${(moved / full).toFixed(1)} times as long as a whole attach`);
