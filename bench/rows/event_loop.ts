import { attach, detach } from "../../mod.ts";
import { ask, deleteVeths, makeBridge, makeContainers } from "../network.ts";
import { quantile } from "../measure.ts";
import { expect, row } from "../row.ts";
import { specOf } from "./attach.ts";

export default row({
  work: "event loop while so many detaches, done as one group, are in flight: p99 delay of a timer",
  unit: "ms",
  sizes: [100],
  quick: [20],
  rounds: 3,
  targets: [{ most: 5 }],
  async setUp(size) {
    await makeBridge();
    return await makeContainers(size);
  },
  async reset(names: string[]) {
    await deleteVeths();
    for (const [i, name] of names.entries()) await attach(specOf(i, name));
  },
  ways: {
    async denolink(names) {
      let detaching = true;
      const all = Promise.all(names.map((id) => detach({ id })))
        .finally(() => detaching = false);
      const delays: number[] = [];
      while (detaching) {
        const start = performance.now();
        await new Promise((resolve) => setTimeout(resolve, 1));
        delays.push(performance.now() - start - 1);
      }
      await all;
      return quantile(delays.sort((a, b) => a - b), 0.99) * 1e6;
    },
  },
  async check() {
    expect("links", (await ask("link", "show", "type", "veth")).length, 0);
  },
});
