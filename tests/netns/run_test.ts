import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  createVethPair,
  InputError,
  Netns,
  NotFoundError,
  RemoteError,
  runInNetns,
  setLinkUp,
} from "../../mod.ts";
import { readLink } from "../../ffi/system.ts";
import { eventually, kernelTest, threadNamespaces } from "../support.ts";

const INSIDE = new URL("./inside.ts", import.meta.url);
const HOME = readLink("/proc/self/ns/net");
const READ = { read: true };

kernelTest(
  "a module's function gets its arguments and gives its value",
  READ,
  async ({ netns }) => {
    assertEquals(await runInNetns(netns, INSIDE, { args: [2, 3] }), 5);
    assertEquals(await runInNetns({ fd: netns.fd }, INSIDE.href, { args: [2, 3] }), 5);
  },
);

kernelTest("a data: module wants --allow-ffi alone", {}, async ({ netns }) => {
  const source = "export default (n) => ({ doubled: 2 * n, big: 7n, set: new Set([1]) })";
  const module = `data:text/javascript,${encodeURIComponent(source)}`;
  const value = await runInNetns(netns, module, { args: [21] });
  assertEquals(value, { doubled: 42, big: 7n, set: new Set([1]) });
});

const ALL = { all: true };

/** Runs a server of inside.ts until it is disposed; resolves when it listens. */
async function serving(
  netns: Netns,
  name: string,
  ...args: unknown[]
): Promise<AsyncDisposable> {
  const { port1: ready, port2 } = new MessageChannel();
  const listening = new Promise((resolve) => ready.onmessage = resolve);
  const controller = new AbortController();
  const ended = runInNetns(netns, INSIDE, {
    export: name,
    args: [...args, port2],
    transfer: [port2],
    signal: controller.signal,
  }).catch((error) => error);
  await Promise.race([listening, ended.then((error) => Promise.reject(error))]);
  ready.close();
  return {
    async [Symbol.asyncDispose]() {
      controller.abort("over");
      assertEquals(await ended, "over");
    },
  };
}

const inside = <T>(netns: Netns, name: string, ...args: unknown[]) =>
  runInNetns<T>(netns, INSIDE, { export: name, args });

kernelTest("asynchronous file reads act in the namespace", ALL, async ({ netns }) => {
  assertEquals(await inside(netns, "seen", 200), [`net:[${netns.id}]`]);
});

kernelTest("/proc/net and /sys show the namespace's devices", ALL, async ({ netns }) => {
  await createVethPair("va", "vb", { netns });
  const names = await inside<string[]>(netns, "devices");
  assertEquals(names.toSorted(), ["lo", "lo", "va", "va", "vb", "vb"]);
});

kernelTest("nonblocking FFI acts in the namespace", ALL, async ({ netns }) => {
  assertEquals(await inside(netns, "foreign", 50), [`net:[${netns.id}]`]);
});

kernelTest("Deno.Command acts in the namespace", ALL, async ({ netns }) => {
  assertEquals(await inside(netns, "program"), `net:[${netns.id}]`);
});

kernelTest("Deno.listen and Deno.connect act in the namespace", ALL, async (kernel) => {
  const { netns, another } = kernel;
  const other = await another();
  await setLinkUp("lo", { netns });
  await setLinkUp("lo", { netns: other });
  // The same address in both, each answered by its own server.
  await using _one = await serving(netns, "serve", "127.0.0.1", 7000);
  await using _two = await serving(other, "serve", "127.0.0.1", 7000);
  assertEquals(await inside(netns, "call", "127.0.0.1", 7000), `net:[${netns.id}] answers`);
  assertEquals(await inside(other, "call", "127.0.0.1", 7000), `net:[${other.id}] answers`);
  await assertRejects(
    async () => (await Deno.connect({ hostname: "127.0.0.1", port: 7000 })).close(),
    Error,
  );
});

kernelTest("fetch acts in the namespace", ALL, async ({ netns }) => {
  await setLinkUp("lo", { netns });
  await using _server = await serving(netns, "serveHttp", 8080);
  const answer = `net:[${netns.id}] answers /path`;
  assertEquals(await inside(netns, "get", "http://127.0.0.1:8080/path"), answer);
});

kernelTest("Deno.resolveDns asks the name server of the namespace", {
  all: true,
  root: true,
}, async () => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  using netns = await Netns.create(name);
  await Deno.mkdir(`/etc/netns/${name}`, { recursive: true });
  try {
    await Deno.writeTextFile(`/etc/netns/${name}/resolv.conf`, "nameserver 127.0.0.1\n");
    await setLinkUp("lo", { netns });
    await using _server = await serving(netns, "serveNames", "10.9.8.7");
    assertEquals(await inside(netns, "resolve", "seven.test"), ["10.9.8.7"]);
  } finally {
    Netns.remove(name);
    await Deno.remove(`/etc/netns/${name}`, { recursive: true });
    // Only where it was made for this test.
    await Deno.remove("/etc/netns").catch(() => {});
  }
});

kernelTest("a thread serves one call after the other, several at the same time", ALL, async (
  { netns, another },
) => {
  const [first, thread] = await inside<[number, string]>(netns, "count");
  assertEquals(first, 1);
  assertEquals(await inside(netns, "count"), [2, thread]);
  // Another namespace has a thread of its own, and so has a call that wants one.
  const other = await another();
  const [one, elsewhere] = await inside<[number, string]>(other, "count");
  assertEquals([one, elsewhere === thread], [1, false]);
  const [fresh] = await runInNetns<[number, string]>(netns, INSIDE, {
    ...{ export: "count", fresh: true },
  });
  assertEquals(fresh, 1);
  assertEquals(await inside(netns, "count"), [3, thread]);
  // Calls at the same time don't share one.
  const threads = await Promise.all(
    Array.from({ length: 4 }, () => inside<string>(netns, "busy", 300)),
  );
  assertEquals(new Set(threads).size, 4);
});

kernelTest("a thread waits as long as its Netns is open, else a second", ALL, async (
  { another },
) => {
  const path = (netns: Netns) => ({ path: `/proc/self/fd/${netns.fd}` });
  const netns = await another();
  using pin = Netns.open(netns);
  const inIt = () => threadNamespaces().filter((link) => link === `net:[${netns.id}]`).length;
  await inside(netns, "count");
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const [calls] = await inside<[number, string]>(netns, "count");
  assertEquals(calls, 2);
  netns.close();
  await eventually(() => assertEquals(inIt(), 0));
  // By anything but a Netns: for a second.
  const target = path(pin);
  await runInNetns(target, INSIDE, { export: "count" });
  assert(inIt() > 0);
  const [again] = await runInNetns<[number, string]>(target, INSIDE, { export: "count" });
  assertEquals(again, 2);
  await eventually(() => assertEquals(inIt(), 0));
});

kernelTest("what is called through a name goes with the name", ALL, async () => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  const { id } = await (async () => {
    using made = await Netns.create(name);
    return made;
  })();
  await runInNetns({ name }, INSIDE, { export: "count" });
  assert(Netns.remove(name));
  await eventually(() => assert(!Netns.listHeld().some((held) => held.id === id)));
});

kernelTest("arguments are handed over when asked for", READ, async ({ netns }) => {
  const numbers = new Float64Array([1, 2, 3.5]);
  const options = { export: "sum", args: [numbers] };
  assertEquals(await runInNetns<number>(netns, INSIDE, options), 6.5);
  assertEquals(numbers.length, 3);
  const handed = { ...options, transfer: [numbers.buffer] };
  assertEquals(await runInNetns<number>(netns, INSIDE, handed), 6.5);
  assertEquals(numbers.length, 0);
});

kernelTest("the small steps act in the thread's own namespace", READ, async ({ netns }) => {
  assertEquals(await runInNetns(netns, INSIDE, { export: "steps" }), ["lo", "br0"]);
});

kernelTest(
  "errors come back with their name, message, stack and fields",
  READ,
  async ({ netns }) => {
    const error = await assertRejects(
      () => runInNetns(netns, INSIDE, { export: "fail" }),
      RemoteError,
    );
    assertEquals([error.name, error.message], ["RangeError", "no such luck"]);
    assertEquals({ ...error }, { ...error, code: "LUCK", errno: 7 } as typeof error);
    assertMatch(error.stack!, /inside\.ts/);

    const refusals: [string | URL, string, RegExp][] = [
      [INSIDE, "absent", /exports no function absent/],
      [INSIDE, "uncloneable", /could not be cloned/],
      [INSIDE, "crash", /out of the blue/],
      [new URL("./absent.ts", import.meta.url), "default", /Module not found/],
      ["data:text/javascript,throw new Error('at once')", "default", /at once/],
    ];
    for (const [module, name, message] of refusals) {
      const error = await assertRejects(() => runInNetns(netns, module, { export: name }), Error);
      assertMatch(error.message, message);
    }
    await assertRejects(() => runInNetns(netns, "./inside.ts"), InputError, "import.meta.resolve");
    await assertRejects(() => runInNetns({ name: "no-such" }, INSIDE), NotFoundError);
  },
);

kernelTest("a signal ends it", READ, async ({ netns }) => {
  const signal = AbortSignal.timeout(100);
  const error = await assertRejects(
    () => runInNetns(netns, INSIDE, { export: "never", signal }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  const aborted = AbortSignal.abort();
  await assertRejects(() => runInNetns(netns, INSIDE, { signal: aborted }), DOMException);
});

kernelTest(
  "many at once, each in its own namespace, and no thread stays behind",
  { all: true },
  async ({ another }) => {
    const all = await Promise.all(Array.from({ length: 8 }, another));
    const seen = await Promise.all(
      all.map((netns) => runInNetns<string[]>(netns, INSIDE, { export: "seen", args: [20] })),
    );
    assertEquals(seen, all.map(({ id }) => [`net:[${id}]`]));
    for (const netns of all) netns.close();
    await eventually(() => assertEquals(new Set(threadNamespaces()), new Set([HOME])));
  },
);

kernelTest("with a cold cache asynchronous work acts in the namespace, 20 of 20 times", {
  all: true,
}, async () => {
  const script = `
    import { Netns, runInNetns } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    using netns = await Netns.create();
    const seen = await runInNetns(netns, ${
    JSON.stringify(INSIDE.href)
  }, { export: "seen", args: [100] });
    console.log(JSON.stringify([seen, "net:[" + netns.id + "]"]));
  `;
  const config = Deno.env.get("DENOLINK_CONFIG") ?? "deno.json";
  const cold = async () => {
    const cache = await Deno.makeTempDir();
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--config",
        config,
        `data:text/javascript,${encodeURIComponent(script)}`,
      ],
      env: { DENO_DIR: cache, NO_COLOR: "1" },
      stdin: "null",
    }).output();
    await Deno.remove(cache, { recursive: true });
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert(stdout.length > 0, text(stderr));
    const [seen, wanted] = JSON.parse(text(stdout));
    assertEquals(seen, [wanted]);
  };
  for (let left = 20; left > 0; left -= 4) await Promise.all([cold(), cold(), cold(), cold()]);
});

kernelTest("the threads of the library don't keep the process alive", { all: true }, async () => {
  const script = `
    import { Netns, runInNetns } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    const netns = await Netns.create();
    (await netns.connect()).close();
    await runInNetns(netns, "data:text/javascript,export default () => 1");
    const start = performance.now();
    addEventListener("unload", () => console.log(performance.now() - start));
  `;
  const config = Deno.env.get("DENOLINK_CONFIG") ?? "deno.json";
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--config",
      config,
      `data:text/javascript,${encodeURIComponent(script)}`,
    ],
    stdin: "null",
  }).output();
  assertEquals(code, 0);
  // The idle thread lives for a second; the process did not wait for it.
  assert(Number(new TextDecoder().decode(stdout)) < 500);
});
