import { Netns } from "../../mod.ts";
import { ask, deleteVeths, makeBridge, makeContainers, untilNoVeths } from "../network.ts";
import { batch, ip } from "../programs.ts";
import { expect, row, timed } from "../row.ts";
import { linesFor } from "./attach.ts";
import { atOnce } from "./attach_batched.ts";

/** Takes the names away, which are all that holds the namespaces; the kernel does the rest in its own time. */
export async function kill(names: readonly string[]): Promise<void> {
  for (const name of names) Netns.remove(name);
  await untilNoVeths();
}

export default row({
  work: "kill containers, until the kernel has deleted their links",
  unit: "ms",
  sizes: [1000],
  quick: [20],
  rounds: 3,
  targets: [],
  async setUp(size) {
    await makeBridge();
    const names = Array.from({ length: size }, (_, i) => `c${i}`);
    return {
      names,
      adds: [batch(names.map((name) => `netns add ${name}`)), ...linesFor(names)],
      deletes: [batch(names.map((name) => `netns delete ${name}`))],
    };
  },
  async reset() {
    // Only after a run that failed there is something.
    await deleteVeths();
    for (const { name } of Netns.list()) Netns.remove(name);
  },
  ways: {
    // Each kills what it has made itself; to make it does not count.
    async denolink({ names }) {
      await atOnce(await makeContainers(names.length));
      return await timed(() => kill(names));
    },
    async ip({ names, adds, deletes }) {
      await ip(adds);
      expect("links", (await ask("link", "show", "type", "veth")).length, names.length);
      return await timed(async () => {
        await ip(deletes);
        await untilNoVeths();
      });
    },
  },
  async check() {
    expect("links", (await ask("link", "show", "type", "veth")).length, 0);
    expect("names", (await ask("netns", "list")).length, 0);
  },
});
