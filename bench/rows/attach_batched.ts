import { attach } from "../../mod.ts";
import { checkAttached, deleteVeths, makeBridge, makeContainers } from "../network.ts";
import { ip, program } from "../programs.ts";
import { record } from "../record.ts";
import { row, timed } from "../row.ts";
import { linesFor, specOf } from "./attach.ts";

/** All attaches are under way at the same time. */
export const atOnce = (names: readonly string[]) =>
  Promise.all(names.map((name, i) => attach(specOf(i, name))));

export default row({
  work: "attach, all at once (others: one after the other, born in place)",
  unit: "µs",
  each: "attach",
  sizes: [10, 100, 1000],
  quick: [10],
  rounds: 3,
  targets: [{ most: 1.05, times: "floor" }, { most: 1.5, timesSize: 10 }],
  async setUp(size) {
    await makeBridge();
    const names = await makeContainers(size);
    return { names, file: await record(() => atOnce(names)), lines: linesFor(names) };
  },
  reset: deleteVeths,
  ways: {
    denolink: ({ names }) => timed(() => atOnce(names)),
    floor: ({ file }) => program("floor", undefined, "replay", file),
    ip: ({ lines }) => ip(lines),
  },
  libraries: ({ names }) => [names.length, "attach-born", names.length],
  check: ({ names }) => checkAttached(names),
});
