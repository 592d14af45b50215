import { type Monitor, Rtnl } from "../../mod.ts";
import { flushRoutes, insertRoutes, makePair } from "../network.ts";
import { type Program, program, watching } from "../programs.ts";
import { record } from "../record.ts";
import { row } from "../row.ts";

/** Room for a burst, because another process makes the changes as fast as the kernel can. */
const RECEIVE_BUFFER = 64 << 20;

/** From the first event to the last. */
const watch = (peer: Program) => ({ size, change }: { size: number; change(): Promise<unknown> }) =>
  watching(peer, size, ["monitor", size, RECEIVE_BUFFER], change);

export default row({
  work: "monitor route changes, none lost",
  unit: "µs",
  each: "change",
  sizes: [1000, 10_000, 100_000],
  quick: [1000],
  targets: [{ most: 1.5, times: "floor" }],
  // It makes the changes.
  needs: ["floor"],
  async setUp(size, undo) {
    const rtnl = undo.use(Rtnl.open());
    const oif = await makePair(rtnl);
    const file = await record(() => insertRoutes(rtnl, size, oif));
    return { size, rtnl, change: () => program("floor", undefined, "replay", file) };
  },
  reset: ({ rtnl }) => flushRoutes(rtnl),
  ways: {
    async denolink({ size, rtnl, change }) {
      using monitor = rtnl.monitor(["route"], { receiveBuffer: RECEIVE_BUFFER });
      await monitor.started;
      const [cost] = await Promise.all([last(monitor, size), change()]);
      return cost;
    },
    floor: watch("floor"),
    pyroute2: watch("pyroute2"),
    go: watch("go"),
    rust: watch("rust"),
  },
});

async function last(monitor: Monitor<"route">, size: number): Promise<number> {
  let start = 0, seen = 0;
  for await (const event of monitor) {
    start ||= performance.now();
    if (event.event === "overflow") throw new Error(`events were lost after ${seen}`);
    if (event.event !== "new" || event.value.family !== "inet") continue;
    if (++seen === size) break;
  }
  return (performance.now() - start) * 1e6;
}
