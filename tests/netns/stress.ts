/**
 * Many namespaces, many jobs of all kinds at once, some of which fail, are cancelled, or lose their
 * namespace: each answer must come from the namespace that was asked, and nothing may be left over.
 * Run by tests in the main isolate and in a worker.
 */

import { assert, assertEquals } from "@std/assert";
import {
  addAddress,
  createVethPair,
  listLinks,
  Netns,
  NotFoundError,
  readSysctl,
  runInNetns,
  setSysctl,
  withNetns,
} from "../../mod.ts";
import { readFile } from "../../ffi/system.ts";
import { eventually, links, namesIn } from "../support.ts";

/** How much to do. */
export interface Load {
  namespaces: number;
  jobs: number;
  /** How many at the same time. */
  atOnce: number;
  seed: number;
}

/** What is held before and after. */
interface Held {
  descriptors: string[];
  /** By their names. */
  threads: string[];
  mounts: number;
  /** The namespaces of all threads. */
  inhabited: string[];
}

const READ_LINK = (path: string) =>
  `data:text/javascript,export default () => Deno.readLinkSync(${JSON.stringify(path)})`;
const WHERE = READ_LINK("/proc/thread-self/ns/net");
const THROWS = "data:text/javascript,export default () => { throw new RangeError('mine') }";
const NEVER = "data:text/javascript,export default () => new Promise(() => {})";

/** Runs the load twice, a small one to warm up, and compares what is held before and after the second. */
export async function stress(load: Load): Promise<Record<string, number>> {
  await run({ ...load, namespaces: 5, jobs: 60 });
  await settled();
  const before = held();
  const counts = await run(load);
  await eventually(() => {
    const after = held();
    assertEquals(after.inhabited, before.inhabited);
    assertEquals(after.mounts, before.mounts);
    const threads = `threads ${after.threads}, before ${before.threads}`;
    assertEquals(extra(after.descriptors, before.descriptors), [], threads);
    assert(after.threads.length <= before.threads.length, threads);
  }, 20_000);
  return counts;
}

async function run({ namespaces, jobs, atOnce, seed }: Load): Promise<Record<string, number>> {
  await using cleanup = new AsyncDisposableStack();
  const all: Place[] = [];
  for (let number = 0; number < namespaces; number++) {
    const netns = cleanup.use(await Netns.create());
    await createVethPair(`vh${number}`, `vp${number}`, { netns });
    await setSysctl("net.ipv4.ip_default_ttl", 1 + number % 255, { netns });
    all.push({ netns, number });
  }
  const ids = all.map(({ netns }) => netns.id);
  const random = generator(seed);
  const counts: Record<string, number> = {};
  const todo = Array.from({ length: jobs }, () => {
    const [name, job] = pick(JOBS, random);
    return { name, job, place: pick(all, random), chance: random() };
  });
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      await next.job(next.place, next.chance);
      counts[next.name] = (counts[next.name] ?? 0) + 1;
    }
  }));
  await cleanup.disposeAsync();
  await eventually(() => {
    const left = Netns.listHeld().filter(({ id }) => ids.includes(id));
    assertEquals(left, []);
  });
  return counts;
}

interface Place {
  netns: Netns;
  number: number;
}

type Job = (place: Place, chance: number) => Promise<void>;

const JOBS: readonly (readonly [string, Job])[] = [
  ["lists links", async ({ netns, number }) => {
    const names = (await listLinks({ netns })).map(({ name }) => name);
    assertEquals(names.toSorted(), ["lo", `vh${number}`, `vp${number}`].toSorted());
  }],
  ["reads a setting", async ({ netns, number }) => {
    const ttl = await readSysctl("net.ipv4.ip_default_ttl", { netns });
    assertEquals(ttl, `${1 + number % 255}`);
  }],
  ["is refused", async ({ netns }) => {
    await refused(readSysctl("net.ipv4.conf.absent.forwarding", { netns }), "NotFoundError");
    await refused(addAddress("absent", "10.0.0.1/24", { netns }), "NotFoundError");
  }],
  ["throws with a connection", async ({ netns }) => {
    const throwing = withNetns(netns, () => {
      throw new RangeError("mine");
    });
    await refused(throwing, "RangeError");
  }],
  ["is cancelled with a connection", async ({ netns }, chance) => {
    const signal = AbortSignal.timeout(1 + 20 * chance);
    await refused(withNetns(netns, () => new Promise(() => {}), { signal }), "TimeoutError");
  }],
  ["opens a socket", async ({ netns, number }) => {
    await withNetns(netns, async (rtnl) => {
      using socket = await rtnl.openSocket(17, 3, 0x300);
      assert(socket.fd > 2);
      const { index } = await rtnl.links.get({ name: `vh${number}` });
      assert(index! > 0);
    });
  }],
  ["runs a module", async ({ netns }) => {
    assertEquals(await runInNetns(netns, WHERE), `net:[${netns.id}]`);
  }],
  ["runs a module that throws", async ({ netns }) => {
    await refused(runInNetns(netns, THROWS), "RangeError");
  }],
  ["cancels a module", async ({ netns }, chance) => {
    const signal = AbortSignal.timeout(1 + 100 * chance);
    await refused(runInNetns(netns, NEVER, { signal }), "TimeoutError");
  }],
  ["runs a program", async ({ netns }) => {
    const child = await Netns.spawn(netns, "readlink", {
      args: ["/proc/self/ns/net"],
      ...{ stdin: "null", stdout: "piped" },
    });
    const { stdout } = await child.output();
    assertEquals(new TextDecoder().decode(stdout), `net:[${netns.id}]\n`);
  }],
  ["kills a program", async ({ netns }) => {
    const child = await Netns.spawn(netns, "sleep", { args: ["60"], stdin: "null" });
    child.kill("SIGKILL");
    assertEquals((await child.status).signal, "SIGKILL");
  }],
  ["loses its namespace", async ({ netns }, chance) => {
    // A namespace that only this process holds, known by its number.
    const child = await Netns.spawn(netns, "unshare", {
      args: ["--net", "sh", "-c", "echo; exec sleep 60"],
      ...{ stdin: "null", stdout: "piped", detached: true },
    });
    const reader = child.stdout.getReader();
    await reader.read();
    const asking = Promise.allSettled([
      listLinks({ netns: { pid: child.pid } }),
      runInNetns<string>({ pid: child.pid }, WHERE),
    ]);
    if (chance > 0.5) await new Promise((resolve) => setTimeout(resolve, 20 * chance));
    child.kill("SIGKILL");
    const [names, where] = await asking;
    await child.status;
    await reader.cancel();
    // The right answer, or none.
    if (names.status === "fulfilled") assertEquals(names.value.map(({ name }) => name), ["lo"]);
    else assert(names.reason instanceof NotFoundError, String(names.reason));
    if (where.status === "fulfilled") assert(where.value !== `net:[${netns.id}]`);
    else assert(where.reason instanceof NotFoundError, String(where.reason));
  }],
];

async function refused(work: Promise<unknown>, name: string): Promise<void> {
  const error = await work.then(() => new Error("it was not refused"), (error) => error);
  assertEquals(error.name, name, error.message);
}

function held(): Held {
  return {
    descriptors: links("/proc/self/fd").map((link) => link.replace(/^(pipe|socket):.*/, "$1")),
    threads: threadNames(),
    mounts: readFile("/proc/thread-self/mountinfo")!.split("\n").length,
    inhabited: [...new Set(links("/proc/self/task", "/ns/net"))],
  };
}

/** Of every thread that is there still when it is looked at. */
function threadNames(): string[] {
  return namesIn("/proc/self/task")
    .flatMap((thread) => readFile(`/proc/self/task/${thread}/comm`)?.trim() ?? []);
}

/** Idle threads of ours end after a second; Deno's own helpers after ten, or never. */
async function settled(): Promise<void> {
  await eventually(() => assertEquals(held().inhabited.length, 1), 5000);
  await new Promise((resolve) => setTimeout(resolve, 2000));
}

/** What is in the one and not in the other, each as often as it is there. */
function extra(some: string[], others: string[]): string[] {
  const rest = [...others];
  return some.filter((entry) => {
    const at = rest.indexOf(entry);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

function pick<T>(entries: readonly T[], random: () => number): T {
  return entries[Math.floor(random() * entries.length)]!;
}

/** The same numbers for the same seed: mulberry32. */
function generator(seed: number): () => number {
  return () => {
    seed = seed + 0x6D2B79F5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
}
