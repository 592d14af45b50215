import { fileURLToPath } from "node:url";
import { Rtnl } from "../../mod.ts";
import { ask, insertRoutes, makePair } from "../network.ts";
import { run } from "../programs.ts";
import { expect, row } from "../row.ts";

/** How often it is looked how much memory there is. */
const EVERY = 10_000;

/** How many bytes the process grows by while the routes stream through it; in a process of its own. */
async function grow(): Promise<number> {
  using rtnl = Rtnl.open();
  // What the first request loads and compiles is not the stream's.
  for await (const _link of rtnl.links.list());
  const before = Deno.memoryUsage().rss;
  let routes = 0, most = before;
  for await (const _route of rtnl.routes.list({ family: "inet" })) {
    if (++routes % EVERY === 0) most = Math.max(most, Deno.memoryUsage().rss);
  }
  expect("routes", routes, Number(Deno.args[0]));
  return most - before;
}

export default row({
  work: "dump routes as a stream: growth of resident memory",
  unit: "MiB",
  sizes: [100_000, 1_000_000],
  quick: [10_000],
  rounds: 2,
  targets: [{ most: 32 }],
  async setUp(size, undo) {
    const rtnl = undo.use(Rtnl.open());
    const oif = await makePair(rtnl);
    for (let from = 0; from < size; from += 100_000) {
      await insertRoutes(rtnl, Math.min(size, from + 100_000), oif, from);
    }
    return size;
  },
  ways: {
    async denolink(size) {
      const config = Deno.env.get("DENOLINK_CONFIG")!;
      const own = fileURLToPath(import.meta.url);
      return Number(
        await run([Deno.execPath(), "run", "-A", "--config", config, own, String(size)]),
      );
    },
  },
  async check(size) {
    if (size <= 100_000) expect("routes", (await ask("-4", "route")).length, size);
  },
});

if (import.meta.main) console.log(await grow());
