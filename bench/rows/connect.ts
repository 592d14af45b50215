import { Netns } from "../../mod.ts";
import { makeContainers } from "../network.ts";
import { row, timed } from "../row.ts";

export default row({
  work: "open a connection in a namespace, thread warm",
  unit: "µs",
  each: "connection",
  sizes: [100],
  quick: [10],
  targets: [{ most: 200 }],
  setUp: makeContainers,
  ways: {
    // Nothing is kept of a namespace, so each is as good as new.
    denolink: (names) =>
      timed(async () => {
        for (const name of names) {
          using netns = Netns.open({ name });
          using _rtnl = await netns.connect();
        }
      }),
  },
});
