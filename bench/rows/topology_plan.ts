import { apply, plan } from "../../mod.ts";
import { topologyOf } from "../network.ts";
import { expect, row, timed } from "../row.ts";

export default row({
  work: "plan of a topology of attachments, all of them there",
  unit: "ms",
  sizes: [100, 1000],
  quick: [10],
  rounds: 3,
  targets: [{ most: 500 }],
  async setUp(size) {
    const topology = topologyOf(size);
    await apply(topology);
    return topology;
  },
  ways: {
    denolink: (topology) =>
      timed(async () => expect("changes", (await plan(topology)).changes.length, 0)),
  },
});
