import { Netns, runInNetns } from "../../mod.ts";
import { makeContainers } from "../network.ts";
import { row, timed } from "../row.ts";
import { MODULE } from "./run_first.ts";

export default row({
  work: "runInNetns, later calls",
  unit: "ms",
  each: "call",
  sizes: [1000],
  quick: [100],
  targets: [{ most: 1 }],
  async setUp(size, undo) {
    await makeContainers(1);
    const netns = undo.use(Netns.open({ name: "c0" }));
    await runInNetns(netns, MODULE, { args: [1] });
    return { size, netns };
  },
  ways: {
    denolink: ({ size, netns }) =>
      timed(async () => {
        for (let i = 0; i < size; i++) await runInNetns(netns, MODULE, { args: [i] });
      }),
  },
});
