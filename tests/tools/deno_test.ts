import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deriveConfig } from "../../tools/config.ts";
import { deno, type Ended, runTest } from "./run.ts";

const TOOL = ["run", "-A", "tools/deno.ts"];

/** Evaluates code in a deno that the tool starts. */
async function evaluate(code: string, options: Parameters<typeof deno>[1] = {}): Promise<Ended> {
  return await deno([...TOOL, "eval", code, "--", "a b", "$c"], options);
}

Deno.test("a derived config differs by its links, and by what they need to be published", () => {
  const main = { name: "x", lock: false, publish: { exclude: ["tools"] } };
  assertEquals(JSON.parse(deriveConfig(JSON.stringify(main), ["./tools/std/cli"])), {
    ...main,
    links: ["./tools/std/cli"],
    publish: { exclude: ["tools", "!./tools/std/cli"] },
  });
});

runTest(
  "the command gets arguments, input and environment, and gives output and status",
  async () => {
    const code = `
    console.log(Deno.args.join("|"), Deno.env.get("DENOLINK_TEST"));
    console.error(await new Response(Deno.stdin.readable).text());
    Deno.exit(7);`;
    const ended = await evaluate(code, { env: { DENOLINK_TEST: "here" }, stdin: "input" });
    assertEquals([ended.code, ended.stdout], [7, "a b|$c here\n"]);
    assert(ended.stderr.endsWith("input\n"), ended.stderr);
  },
);

runTest("the command is the process itself, so a signal ends both", async () => {
  const ended = await evaluate('Deno.kill(Deno.pid, "SIGTERM"); await new Promise(() => {});');
  assertEquals([ended.code, ended.signal], [143, "SIGTERM"]);
});

runTest("the command knows the choice, and nested tools repeat it in silence", async () => {
  const code = `
    const nested = { args: ["run", "-A", "tools/config.ts"], stderr: "inherit" };
    const { stdout } = await new Deno.Command(Deno.execPath(), nested).output();
    const said = new TextDecoder().decode(stdout).trim();
    console.log(said === Deno.env.get("DENOLINK_STD"), Deno.env.get("DENOLINK_CONFIG"));`;
  const { stdout } = await deno(["run", "-A", "tools/config.ts"]);
  const ended = await evaluate(code, { env: { DENOLINK_STD: stdout.trim() } });
  assertMatch(ended.stdout, /^true \/.*deno.*\.json\n$/);
  assertEquals(ended.stderr, "");
});

runTest("packages that can't be had from anywhere are one sentence", async () => {
  const cache = await Deno.makeTempDir();
  const proxy = "http://127.0.0.1:1";
  const env = { DENOLINK_STD: "", DENO_DIR: cache, HTTPS_PROXY: proxy, HTTP_PROXY: proxy };
  try {
    const ended = await evaluate("1", { env });
    assertEquals([ended.code, ended.stdout], [1, ""]);
    assertMatch(ended.stderr, /^denolink: Cannot load the @std packages \(.*jsr: .*\)\n$/);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

runTest("a missing subcommand is bad usage", async () => {
  for (const args of [[], ["--version"]]) {
    const ended = await deno([...TOOL, ...args]);
    assertEquals([ended.code, ended.stdout], [2, ""]);
    assertStringIncludes(ended.stderr, "subcommand");
  }
});

runTest("doc finds the packages", async () => {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, 'export { stringify } from "@std/yaml";');
    const ended = await deno([...TOOL, "doc", file]);
    assertStringIncludes(ended.stdout, "stringify");
  } finally {
    await Deno.remove(file);
  }
});

runTest("a command that can't be started is one sentence", async () => {
  const code = `
    import { become } from "${new URL("../../tools/exec.ts", import.meta.url)}";
    become(["/nonexistent", "x"]);`;
  const ended = await deno(["eval", code]);
  assertEquals([ended.code, ended.stderr], [
    1,
    'denolink: Cannot start "/nonexistent": ENOENT\n',
  ]);
});
