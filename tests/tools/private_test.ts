import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { explain } from "../../netns/rootless.ts";
import { deno, run, runTest } from "./run.ts";

const TOOL = ["run", "-A", "tools/private.ts"];
const REFUSAL = "unshare: unshare failed: Operation not permitted";

Deno.test("what forbids namespaces is named, with the remedy", () => {
  const causes: [string, string, string][] = [
    ["user.max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"],
    ["user.max_net_namespaces", "0", "sysctl -w user.max_net_namespaces=10000"],
    ["kernel.unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"],
    [
      "kernel.apparmor_restrict_unprivileged_userns",
      "1",
      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ],
  ];
  for (const [name, value, remedy] of causes) {
    const sentence = explain(REFUSAL, false, (key) => key === name ? value : undefined);
    assertStringIncludes(sentence, `${name} is ${value}`);
    assertStringIncludes(sentence, remedy);
  }
});

Deno.test("where no setting forbids them a container does", () => {
  const sentence = explain(REFUSAL, false, () => "1".repeat(5));
  assertStringIncludes(sentence, "container");
  assertStringIncludes(sentence, REFUSAL);
});

Deno.test("root is not told of what binds only others", () => {
  const setting = (key: string) => key.includes("apparmor") ? "1" : undefined;
  assertStringIncludes(explain(REFUSAL, true, setting), "container");
});

runTest("inside there is one link, an empty writable /run, and root", async () => {
  const code = `
    const links = (await Deno.readTextFile("/proc/net/dev")).trim().split("\\n").length - 2;
    console.log(links, [...Deno.readDirSync("/run")].length, Deno.uid());
    await Deno.mkdir("/run/netns");
    Deno.exit(3);`;
  const before = await Deno.readLink("/proc/self/ns/net");
  const ended = await deno([...TOOL, "eval", code]);
  assertEquals([ended.code, ended.stdout], [3, "1 0 0\n"], ended.stderr);
  assertEquals(await Deno.readLink("/proc/self/ns/net"), before);
}, { userNamespaces: true });

runTest("killing the tool kills the command", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...TOOL, "eval", "console.log(Deno.pid); setInterval(() => {}, 1000);"],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const pid = Number(new TextDecoder().decode((await reader.read()).value));
  assertEquals(pid, child.pid);
  child.kill("SIGINT");
  const { signal } = await child.status;
  assertEquals(signal, "SIGINT");
  await reader.cancel();
}, { userNamespaces: true });

runTest("a system that forbids user namespaces is one sentence", async () => {
  const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
  const forbidding = ["unshare", "-Ur", "sh", "-c", script, "sh"];
  const { stdout } = await deno(["run", "-A", "tools/config.ts"]);
  const env = { DENOLINK_STD: stdout.trim() };
  const ended = await run([...forbidding, Deno.execPath(), ...TOOL, "eval", "1"], { env });
  assertEquals([ended.code, ended.stdout], [1, ""]);
  assertMatch(ended.stderr, /^denolink: Cannot make .*max_user_namespaces is 0; .*sysctl.*\n$/);
}, { userNamespaces: true });

runTest("a system without unshare is one sentence", async () => {
  const ended = await deno([...TOOL, "eval", "1"], { env: { PATH: "/nonexistent" } });
  assertEquals(ended.code, 1);
  assertMatch(ended.stderr.trimEnd().split("\n").at(-1) ?? "", /no "unshare".*install util-linux$/);
});

runTest("the host's own /run is never hidden", async () => {
  const outside = await Deno.readLink("/proc/self/ns/mnt");
  const mounts = await Deno.readTextFile("/proc/self/mounts");
  const ended = await deno([...TOOL, `--outside=${outside}`, "true"]);
  assertEquals(await Deno.readTextFile("/proc/self/mounts"), mounts);
  assertEquals([ended.code, ended.stderr], [
    1,
    "denolink: Cannot hide /run: this is the host's own\n",
  ]);
});
