import { assert, assertEquals } from "@std/assert";
import { Netns, type Rtnl } from "../../mod.ts";
import { readFile } from "../../ffi/system.ts";
import { kernelTest } from "../support.ts";
import { stress } from "./stress.ts";

const LOAD = { namespaces: 200, jobs: 2000, atOnce: 24, seed: 20_000 };

kernelTest("200 namespaces, 2,000 jobs: each answered where it was asked, nothing left", {
  run: true,
}, async () => {
  const counts = await stress(LOAD);
  assertEquals(Object.values(counts).reduce((a, b) => a + b), LOAD.jobs);
  assertEquals(Object.keys(counts).length, 12);
});

kernelTest("the same in a worker of the user's own", { all: true }, async () => {
  const load = { ...LOAD, namespaces: 20, jobs: 100, seed: 7 };
  const worker = new Worker(new URL("./stress_worker.ts", import.meta.url), {
    ...{ type: "module", name: JSON.stringify(load) },
  });
  try {
    const outcome = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    });
    assert(typeof outcome === "object", String(outcome));
    assertEquals(
      Object.values(outcome as Record<string, number>).reduce((a, b) => a + b),
      load.jobs,
    );
  } finally {
    worker.terminate();
  }
});

kernelTest("a thousand namespaces with a connection each cost kilobytes each", {}, async () => {
  using opened = new DisposableStack();
  const connections: Rtnl[] = [];
  const open = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const netns = opened.use(await Netns.create());
      connections.push(opened.use(await netns.connect()));
    }
  };
  const ask = async () => {
    for (const rtnl of connections) assertEquals((await rtnl.links.get({ index: 1 })).name, "lo");
  };
  await open(10);
  await ask();
  const before = residentKilobytes();
  await open(1000);
  await ask();
  const each = (residentKilobytes() - before) / 1000;
  assert(each < 100, `${each} KiB each`);
});

/** What of this process is in memory (proc_pid_status(5)). */
function residentKilobytes(): number {
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFile("/proc/self/status")!)![1]);
}
