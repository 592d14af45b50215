/** Topologies that are watched while somebody else changes what they have made. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  apply,
  destroy,
  type Drift,
  plan,
  type Topology,
  TopologyError,
  TopologyStepError,
  watch,
  type WatchOptions,
} from "../../../mod.ts";
import { kernelTest, runIn } from "../../support.ts";
import { removingNames, traceOf } from "./scene.ts";

/** Names of namespaces begin with it, so that no two tests have the same. */
const PREFIX = `watch-${Deno.pid}-`;
const isOwn = (name: string) => name.startsWith(PREFIX);

const topologyOf = (name: string): Topology => ({
  denolink: 1,
  name: "lab",
  bridges: { b0: "10.0.0.1/24" },
  links: { p0: { peer: `${PREFIX}${name}:eth0`, master: "b0" } },
  routes: [{ to: "198.51.100.0/24", via: "10.0.0.9" }],
  sysctls: { "net.ipv4.ip_forward": 1 },
  namespaces: {
    [`${PREFIX}${name}`]: {
      links: { eth0: { addresses: ["10.0.0.9/24", "fd00::9/64"] } },
      routes: [{ to: "default", via: "10.0.0.1" }],
    },
  },
});

/** Watches while `fn` runs; a watch that tells nothing ends after a while, and with it the test. */
async function watching(
  topology: Topology,
  options: WatchOptions,
  fn: (next: () => Promise<Drift>, stop: () => void) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(), 20_000);
  const drifts = watch(topology, { interval: 60_000, ...options, signal: stop.signal });
  try {
    await fn(async () => {
      const { done, value } = await drifts.next();
      assert(!done, "it has ended");
      return value;
    }, () => stop.abort());
    stop.abort();
    assertEquals(await drifts.next(), { done: true, value: undefined });
  } finally {
    clearTimeout(late);
    await drifts.return!();
  }
}

const textsOf = ({ changes }: Drift) => changes.map(({ text }) => text.replaceAll(PREFIX, ""));

kernelTest(
  "drift is told once, and when it has come back",
  { run: true },
  async (
    { netns },
  ) => {
    const topology = topologyOf("told");
    using _names = removingNames(isOwn);
    const assertAsBefore = await traceOf(netns, isOwn);
    const name = `${PREFIX}told`;
    await apply(topology, { netns });
    const ip = (...args: string[]) => runIn(netns, "ip", ...args);
    const inside = (...args: string[]) => ip("-n", name, ...args);
    await watching(topology, { netns }, async (next) => {
      await ip("link", "set", "p0", "down");
      assertEquals(await next(), {
        changes: (await plan(topology, { netns })).changes,
        repaired: false,
      });
      // What is not the topology's is nothing to tell of.
      await ip("address", "add", "10.7.0.1/24", "dev", "b0");
      await ip("link", "set", "p0", "up");
      assertEquals(textsOf(await next()), []);
      await ip("address", "delete", "10.0.0.1/24", "dev", "b0");
      assertEquals(textsOf(await next()), ["add address 10.0.0.1/24 dev b0 in host"]);
      await ip("rule", "add", "from", "10.7.0.0/24", "table", "77");
      await inside("route", "delete", "default");
      assertEquals(textsOf(await next()), [
        "add address 10.0.0.1/24 dev b0 in host",
        "add route default in told",
      ]);
      await ip("netns", "delete", name);
      // The kernel takes the namespace's links away in the background.
      let gone = textsOf(await next());
      while (!gone.includes("add link p0 in host")) gone = textsOf(await next());
      assert(gone.includes("add netns told"));
    });
    await destroy(topology, { netns });
    await ip("rule", "delete", "from", "10.7.0.0/24");
    await assertAsBefore();
  },
);

kernelTest("with repair drift is mended, or it is told why not", { run: true }, async (
  { netns },
) => {
  const topology = topologyOf("mended");
  using _names = removingNames(isOwn);
  const assertAsBefore = await traceOf(netns, isOwn);
  const name = `${PREFIX}mended`;
  await apply(topology, { netns });
  const ip = (...args: string[]) => runIn(netns, "ip", ...args);
  const mended = async (drift: Promise<Drift>, ...some: string[]) => {
    const texts = textsOf(await drift);
    for (const text of some) assert(texts.includes(text), texts.join(", "));
    assertEquals((await drift).repaired, true);
    assertEquals((await plan(topology, { netns })).changes, []);
  };
  await watching(topology, { netns, repair: true }, async (next) => {
    await ip("-n", name, "route", "delete", "default");
    await mended(next(), "add route default in mended");
    await ip("link", "delete", "p0");
    await mended(next(), "add link p0 in host", "add address 10.0.0.9/24 dev eth0 in mended");
    await ip("netns", "delete", name);
    await mended(next(), "add netns mended", "add link eth0 in mended");
  });
  // Somebody else's route is in the way: that is told once, however often it is tried.
  const tries = () => runIn(netns, "sleep", "0.2");
  await watching(topology, { netns, repair: true, interval: 20 }, async (next) => {
    await ip("route", "replace", "198.51.100.0/24", "via", "10.0.0.8");
    const failed = await next();
    assertEquals(textsOf(failed), ["add route 198.51.100.0/24 in host"]);
    assertInstanceOf(failed.repaired, TopologyStepError);
    assertStringIncludes(failed.repaired.message, "delete it");
    // What is told of may be the half of it, so it is looked at until all of it is.
    let more = failed;
    while (!textsOf(more).includes("change link eth0 in mended")) {
      const telling = next();
      let isTold = false;
      const told = telling.catch(() => {}).then(() => isTold = true);
      // A try that is under way puts it back, as it was when it began.
      while (!isTold) {
        await tries();
        await ip("-n", name, "link", "set", "eth0", "down");
        await Promise.race([told, tries()]);
      }
      more = await telling;
    }
    assertInstanceOf(more.repaired, TopologyStepError);
    const last = next();
    await tries();
    await ip("route", "delete", "198.51.100.0/24");
    await mended(last, "add route 198.51.100.0/24 in host");
  });
  // Of settings no event tells.
  await watching(topology, { netns, repair: true, interval: 50 }, async (next) => {
    await runIn(netns, "sysctl", "-qw", "net.ipv4.ip_forward=0");
    await mended(next(), "change sysctl net.ipv4.ip_forward in host");
  });
  await destroy(topology, { netns });
  await assertAsBefore();
});

kernelTest(
  "a watch ends by its signal, and does not begin with a bad topology",
  { run: true },
  async (
    { netns },
  ) => {
    const topology = topologyOf("ended");
    await assertRejects(
      () => watch({ ...topology, name: "no name" }, { netns }).next(),
      TopologyError,
      "name",
    );
    const signal = AbortSignal.abort();
    assertEquals(await watch(topology, { netns, signal }).next(), { done: true, value: undefined });
    await watching(topology, { netns }, async (next, stop) => {
      // All is still to be made.
      assert(textsOf(await next()).includes("add netns ended"));
      const nothing = assertRejects(next);
      stop();
      await nothing;
    });
  },
);
