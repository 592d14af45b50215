import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { InputError, NotFoundError, RemoteError, runInNetns } from "../../mod.ts";
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

kernelTest(
  "files, sockets and programs of the module act in the namespace",
  { all: true },
  async ({ netns }) => {
    assertEquals(await runInNetns(netns, INSIDE, { export: "seen", args: [200] }), [
      `net:[${netns.id}]`,
    ]);
    assertEquals(await runInNetns(netns, INSIDE, { export: "all" }), {
      command: `net:[${netns.id}]`,
      caller: "127.0.0.1",
      devices: "    lo:",
    });
  },
);

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
