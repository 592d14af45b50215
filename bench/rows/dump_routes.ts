import { route, Rtnl } from "../../mod.ts";
import { ask, insertRoutes, makePair } from "../network.ts";
import { program, run, temporary } from "../programs.ts";
import { record } from "../record.ts";
import { expect, row, timed } from "../row.ts";

const dump = (rtnl: Rtnl) => rtnl.request(route.list({ family: "inet" }));

export default row({
  work: "dump routes into typed objects",
  unit: "ms",
  sizes: [1000, 10_000, 100_000],
  quick: [1000],
  targets: [
    { most: 2, times: "floor" },
    { most: 1, times: "ip" },
    { most: 1, times: "pyroute2" },
    { most: 1, times: "go" },
    { most: 1, times: "rust" },
  ],
  async setUp(size, undo) {
    const rtnl = undo.use(Rtnl.open());
    const oif = await makePair(rtnl);
    await insertRoutes(rtnl, size, oif);
    expect("routes", (await ask("-4", "route")).length, size);
    const output = temporary();
    return { size, rtnl, oif, output, file: await record(() => dump(rtnl)) };
  },
  ways: {
    denolink: ({ size, rtnl, oif }) =>
      timed(async () => {
        // Each is looked at, here and in the others: decoding may be put off, but not left out.
        const own = (await dump(rtnl)).filter((it) => it.oif === oif && it.dst !== undefined);
        expect("routes", own.length, size);
      }),
    floor: ({ size, file }) => program("floor", size, "replay", file),
    async ip({ size, output }) {
      const cost = await timed(() => run(["sh", "-c", `exec ip -4 -j route > ${output}`]));
      expect("routes", JSON.parse(await Deno.readTextFile(output)).length, size);
      return cost;
    },
  },
  libraries: ({ size }) => [size, "dump-routes"],
});
