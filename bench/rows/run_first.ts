import { Netns, runInNetns } from "../../mod.ts";
import { makeContainers } from "../network.ts";
import { row, timed } from "../row.ts";

/** A module that says what it was given. */
export const MODULE = "data:text/javascript,export default (it) => it";

export default row({
  work: "runInNetns, the first call into a namespace",
  unit: "ms",
  each: "call",
  sizes: [10],
  quick: [3],
  targets: [{ most: 50 }],
  setUp: makeContainers,
  ways: {
    async denolink(names) {
      let cost = 0;
      for (const name of names) {
        // With it goes its thread.
        using netns = Netns.open({ name });
        cost += await timed(() => runInNetns(netns, MODULE, { args: [1] }));
      }
      return cost;
    },
  },
});
