/** The library in other people's programs: their tests, and their programs without root. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { kernelTest } from "../support.ts";
import { runTest } from "../tools/run.ts";

const MOD = JSON.stringify(import.meta.resolve("../../mod.ts"));

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A file that is gone afterwards, which an ordinary user can read. */
async function script(source: string): Promise<{ path: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o755);
  await Deno.writeTextFile(`${folder}/script.ts`, source);
  return {
    path: `${folder}/script.ts`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

kernelTest("a user's first test leaks nothing that sanitizers see", { all: true }, async () => {
  await using test = await script(`
    import * as denolink from ${MOD};
    const { attach, createBridge, detach, Netns, readSysctl, runInNetns, withNetns } = denolink;
    const sanitize = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
    Deno.test("all of it", sanitize, async () => {
      using netns = await Netns.create();
      using host = await Netns.create();
      await createBridge("br0", { netns: host });
      await attach({ netns, bridge: "br0", addresses: ["10.0.0.2/24"] }, { netns: host });
      await withNetns(netns, async (rtnl) => {
        await rtnl.ping("10.0.0.2");
        using monitor = rtnl.monitor(["link"]);
        const first = monitor[Symbol.asyncIterator]().next();
        // It listens by now; if not, the next change is heard.
        for (let mtu = 1400, heard = false; !heard; mtu++) {
          await rtnl.links.set({ name: "eth0", mtu });
          const pause = new Promise((resolve) => setTimeout(resolve, 20));
          heard = await Promise.race([first.then(() => true), pause.then(() => false)]);
          await pause;
        }
      });
      await readSysctl("net.ipv4.ip_forward", { netns });
      const module = "data:text/javascript,export default () => Deno.readLinkSync('/proc/self')";
      for (let i = 0; i < 3; i++) await runInNetns(netns, module);
      await runInNetns(netns, module, { fresh: true });
      const child = await Netns.spawn(netns, "cat", { stdin: "piped", stdout: "piped" });
      await child.stdin.close();
      await child.output();
      await detach({ netns }, { netns: host });
    });
  `);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--no-config", test.path],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assert(success, text(stdout) + text(stderr));
  assertMatch(text(stdout), /1 passed/);
});

const ROOTLESS = `
  import { createVethPair, listLinks, Netns, restartRootless, runInNetns } from ${MOD};
  await restartRootless();
  using netns = await Netns.create("blue");
  await createVethPair("va", "vb", { peerNetns: netns });
  const names = async (options) => (await listLinks(options)).map(({ name }) => name);
  const module = "data:text/javascript,export default (a, b) => a + b";
  console.log(JSON.stringify([
    Deno.pid, Deno.args, await names(), await names({ netns }),
    Netns.list().map(({ name }) => name), await runInNetns(netns, module, { args: [1, 2] }),
  ]));
  Deno.exit(7);
`;

/** Somebody who is not root. */
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

async function asNobody(
  args: string[],
): Promise<{ pid: number; code: number; stdout: string; stderr: string }> {
  const [name = "", ...rest] = [...NOBODY, Deno.execPath(), ...args];
  const home = await Deno.makeTempDir();
  await Deno.chmod(home, 0o777);
  const child = new Deno.Command(name, {
    args: rest,
    env: { NO_COLOR: "1", DENO_DIR: home },
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const { code, stdout, stderr } = await child.output();
  await Deno.remove(home, { recursive: true });
  return { pid: child.pid, code, stdout: text(stdout), stderr: text(stderr) };
}

kernelTest("a program starts itself again as root of its own namespaces", {
  all: true,
  root: true,
}, async () => {
  await using program = await script(ROOTLESS);
  const run = ["run", "--no-check", "--no-config", "--allow-ffi", program.path, "one", "two words"];
  const { pid, code, stdout, stderr } = await asNobody(run);
  assertEquals({ code, stderr }, { code: 7, stderr: "" });
  const wanted = [pid, ["one", "two words"], ["lo", "va"], ["lo", "vb"], ["blue"], 3];
  assertEquals(JSON.parse(stdout), wanted);
});

runTest("what forbids it is named, and so is a missing unshare", async () => {
  await using program = await script(
    `import { restartRootless } from ${MOD};
     await restartRootless().catch((error) => console.log(error.name, error.message));`,
  );
  const run = ["run", "--no-check", "--no-config", "--allow-ffi", program.path];
  // A user namespace that allows no more of them, whose root then drops what it can.
  const limit = "echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv " +
    '--bounding-set=-all --inh-caps=-all "$@"';
  const { stdout } = await new Deno.Command("unshare", {
    args: ["--user", "--map-root-user", "sh", "-c", limit, "sh", Deno.execPath(), ...run],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assertMatch(
    text(stdout),
    /^PermissionError Cannot start this program again .*max_user_namespaces is 0; as root, run "sysctl -w/,
  );

  const missing = await new Deno.Command("/usr/bin/setpriv", {
    args: ["--bounding-set=-all", "--inh-caps=-all", Deno.execPath(), ...run],
    env: { NO_COLOR: "1", PATH: "/nonexistent" },
    stdin: "null",
  }).output();
  assertMatch(text(missing.stdout), /^UnsupportedError .*no "unshare" here; install util-linux/);
}, { userNamespaces: true });
