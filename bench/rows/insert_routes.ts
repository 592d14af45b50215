import { Rtnl } from "../../mod.ts";
import { ask, destinationOf, flushRoutes, insertRoutes, makePair } from "../network.ts";
import { batch, ip, program } from "../programs.ts";
import { record } from "../record.ts";
import { expect, row, timed } from "../row.ts";

export default row({
  work: "insert routes",
  unit: "µs",
  each: "route",
  sizes: [1000, 10_000, 100_000],
  quick: [1000],
  targets: [
    { most: 1.3, times: "floor" },
    { most: 1, times: "ip" },
    { most: 1, times: "pyroute2" },
    { most: 1, times: "go" },
    { most: 1, times: "rust" },
  ],
  async setUp(size, undo) {
    const rtnl = undo.use(Rtnl.open());
    const oif = await makePair(rtnl);
    return {
      ...{ size, rtnl, oif },
      file: await record(() => insertRoutes(rtnl, size, oif)),
      lines: batch(
        Array.from({ length: size }, (_, i) => `route add ${destinationOf(i)} dev v0`),
      ),
    };
  },
  reset: ({ rtnl }) => flushRoutes(rtnl),
  ways: {
    denolink: ({ size, rtnl, oif }) => timed(() => insertRoutes(rtnl, size, oif)),
    floor: ({ file }) => program("floor", undefined, "replay", file),
    ip: ({ lines }) => ip([lines]),
  },
  libraries: ({ size }) => [size, "insert-routes", size],
  async check({ size }) {
    expect("routes", (await ask("-4", "route")).length, size);
  },
});
