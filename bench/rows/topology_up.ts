import { apply, attach, destroy, Netns } from "../../mod.ts";
import { checkAttached, cleanUp, makeBridge, makeContainers, topologyOf } from "../network.ts";
import { row, timed } from "../row.ts";
import { specOf } from "./attach.ts";

/** The same namespaces and attachments by the functions for one. */
async function oneByOne(count: number): Promise<void> {
  const names = await makeContainers(count);
  for (const [i, name] of names.entries()) await attach(specOf(i, name));
}

export default row({
  work: "up of a topology of attachments, in times of the same by attach",
  unit: "×",
  sizes: [100, 1000],
  quick: [10],
  rounds: 3,
  targets: [{ most: 1.3 }],
  setUp: (size) => Promise.resolve({ size, topology: topologyOf(size) }),
  ways: {
    // One after the other in the same round, so that a noise hits both.
    async denolink({ size, topology }) {
      await cleanUp();
      await makeBridge();
      const attached = await timed(() => oneByOne(size));
      await cleanUp();
      const applied = await timed(() => apply(topology));
      await checkAttached(Netns.list().map(({ name }) => name).toSorted(byNumber));
      await destroy(topology);
      return applied / attached;
    },
  },
});

/** c2 before c10. */
function byNumber(a: string, b: string): number {
  return Number(a.slice(1)) - Number(b.slice(1));
}
