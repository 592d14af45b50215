/** Any two topologies: from the first, applying the second gives what applying it from nothing gives. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import {
  apply,
  checkTopology,
  destroy,
  exportTopology,
  Netns,
  plan,
  type Topology,
  TopologyError,
  TopologyStepError,
} from "../../../mod.ts";
import { kernelTest, runIn } from "../../support.ts";
import { watchChanges } from "../changes.ts";
import { sorted } from "../state.ts";
import { EXISTING, PAIR, topologyOf } from "./arbitrary.ts";
import { assertKernelState, kernelState } from "./kernel_state.ts";

const PREFIX = `property-${Deno.pid}-`;
const BESIDE = `${PREFIX}beside`;

/** Whether a topology can be meant. */
function isSound(topology: Topology): boolean {
  try {
    checkTopology(topology);
    return true;
  } catch (error) {
    if (error instanceof TopologyError) return false;
    throw error;
  }
}

/** How many system calls change something meanwhile. */
async function countChanges(fn: () => Promise<unknown>): Promise<number> {
  let count = 0;
  using _watched = watchChanges(() => void count++);
  await fn();
  return count;
}

/** What `apply` has done, or that the kernel does not take it. */
async function applied(topology: Topology, host: Netns): Promise<string[] | TopologyStepError> {
  try {
    const { changes } = await apply(topology, { netns: host });
    return changes.map(({ text }) => text).sort();
  } catch (error) {
    if (error instanceof TopologyStepError) return error;
    throw error;
  }
}

/** What is exported, its lists in one order: that of the kernel's depends on what was there before. */
async function exported(host: Netns): Promise<unknown> {
  const text = JSON.stringify(await exportTopology({ netns: host }));
  return JSON.parse(
    text,
    (key, value) =>
      ["routes", "rules", "neighbours"].includes(key) ? sorted(value as unknown[]) : value,
  );
}

async function planned(topology: Topology, host: Netns): Promise<string[]> {
  const { changes } = await plan(topology, { netns: host });
  return changes.map(({ text }) => text).sort();
}

kernelTest(
  "from any topology, applying another gives what it gives from nothing, at once and without a trace",
  { run: true, env: true },
  async ({ netns: host }) => {
    using _beside = await Netns.create(BESIDE);
    using _name = { [Symbol.dispose]: () => void Netns.remove(BESIDE) };
    await runIn(
      host,
      ..."ip link add e0 type veth peer name e1".replaceAll("e0", EXISTING).split(" "),
    );
    const options = { netns: host };
    const numRuns = Number(Deno.env.get("DENOLINK_RUNS") ?? 40);
    const seed = Number(Deno.env.get("DENOLINK_SEED") ?? Date.now() % 2 ** 31);
    const nothing = await kernelState(host, PREFIX);
    const seen = { applied: 0, refused: 0, unsound: 0, changes: 0, knockOn: 0 };

    const property = fc.asyncProperty(PAIR, async (pieces) => {
      const [a, b] = pieces.map((it) => topologyOf(it, PREFIX, BESIDE)) as [Topology, Topology];
      if (!isSound(a) || !isSound(b)) return void seen.unsound++;
      try {
        if (await applied(a, host) instanceof TopologyStepError) {
          seen.refused++;
          return await assertKernelState(host, PREFIX, nothing, "a is refused: put back");
        }
        assertEquals(await planned(a, host), [], "a is applied");
        const before = await kernelState(host, PREFIX);
        const expected = await planned(b, host);
        const done = await applied(b, host);
        if (done instanceof TopologyStepError) {
          seen.refused++;
          assertMatch(done.message, /; everything was put back$/);
          await assertKernelState(host, PREFIX, before, `b is refused, put back: ${done.message}`);
          await destroy(a, options);
          await assertKernelState(host, PREFIX, nothing, "a is destroyed");
          const again = await applied(b, host);
          assert(again instanceof TopologyStepError, `b from a is refused: ${done.message}`);
          return;
        }
        assertEquals(
          expected.filter((text) => !done.includes(text)),
          [],
          "all that is planned is done",
        );
        if (done.length > expected.length) seen.knockOn++;
        assertEquals(await planned(b, host), [], "b is applied");
        assertEquals(await countChanges(() => apply(b, options)), 0, "b is applied again");
        const [fromA, exportedFromA] = [await kernelState(host, PREFIX), await exported(host)];
        await destroy(b, options);
        await assertKernelState(host, PREFIX, nothing, "b is destroyed");

        const all = await planned(b, host);
        assertEquals(await applied(b, host), all, "b from nothing is done as planned");
        await assertKernelState(host, PREFIX, fromA, "b from a, and b from nothing");
        assertEquals(await exported(host), exportedFromA);
        seen.applied++;
        seen.changes += all.length + done.length;
      } finally {
        await destroy({ name: "lab" }, options);
        await assertKernelState(host, PREFIX, nothing, "in the end");
      }
    });
    // Smaller ones would take long to be found.
    await fc.assert(property, { numRuns, seed, endOnFailure: true });
    console.log(`seed ${seed}: ${JSON.stringify(seen)}`);
    assert(seen.applied > numRuns / 2, "most of them can be applied");
  },
);
