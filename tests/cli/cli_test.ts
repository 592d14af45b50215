import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../cli/commands.ts";
import { helpOf, nameOf, optionsOf } from "../../cli/usage.ts";
import { createVethPair, Netns, setLinkUp } from "../../mod.ts";
import { type Kernel, kernelTest, runIn } from "../support.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command as its users do; `permissions` in place of all. */
async function denolink(args: string[], permissions: string[] = ["-A"]): Promise<Outcome> {
  const config = Deno.env.get("DENOLINK_CONFIG") ?? "deno.json";
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--config", config, ...permissions, CLI, ...args],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const path = (netns: Netns) => `/proc/${Deno.pid}/fd/${netns.fd}`;
const NEEDS = { run: true, env: true };

/** Runs it, with the host side in the test's namespace, and expects success. */
async function succeed({ netns }: Kernel, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await denolink(["--netns", path(netns), ...args]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, args.join(" "));
  return stdout;
}

kernelTest("attach, list and detach, as text and as JSON", NEEDS, async (kernel) => {
  const { ip, ipIn, another } = kernel;
  const container = path(await another());
  await ip("link", "add", "br0", "type", "bridge");
  await ip("address", "add", "10.0.0.1/24", "dev", "br0");
  await ip("link", "set", "br0", "up");
  const attached = await succeed(
    kernel,
    "attach",
    container,
    ..."--bridge br0 --address 10.0.0.2/24 --address fd00::2/64 --gateway 10.0.0.1".split(" "),
    ..."--interface net0 --mtu 1400 --id web --json".split(" "),
  );
  const row = JSON.parse(attached);
  assertEquals(row.id, "web");
  assertEquals(row.interface, "net0");
  assertEquals(row.addresses, ["10.0.0.2/24", "fd00::2/64"]);
  assertEquals(row.bridge, "br0");
  assertEquals(row.mtu, 1400);
  assertEquals((await ip("link", "show", "master", "br0"))[0].ifname, row.hostInterface);
  assertEquals(JSON.parse(await succeed(kernel, "list", "--json")), [row]);
  assertMatch(await succeed(kernel, "list"), /^web {2}net0 {2}10\.0\.0\.2\/24 fd00::2\/64 .*\n$/);

  assertEquals(await succeed(kernel, "detach", container, "--interface", "net0"), "detached\n");
  assertEquals(await succeed(kernel, "detach", "--id", "web"), "nothing was attached\n");
  assertEquals((await ipIn(kernel.netns, "link", "show", "master", "br0")).length, 0);
});

kernelTest("link, address and route list print the rows of ip -j", NEEDS, async (kernel) => {
  const { netns, ip, another } = kernel;
  await createVethPair("eth0.100", "vp0", { netns });
  await createVethPair("up0", "peer0", { netns, peerNetns: await another() });
  await ip("link", "add", "br0", "type", "bridge");
  await ip("link", "set", "up0", "master", "br0", "alias", "a word or two");
  await ip("link", "property", "add", "dev", "vp0", "altname", "another-name");
  await ip("link", "set", "vp0", "group", "7");
  for (const name of ["lo", "eth0.100", "vp0", "br0"]) await setLinkUp(name, { netns });
  await ip("address", "add", "10.1.0.1/24", "broadcast", "10.1.0.255", "dev", "vp0");
  await ip("address", "add", "10.1.0.9/24", "dev", "vp0");
  await ip("address", "add", "fd01::1/64", "dev", "vp0", "nodad");
  await ip(
    "address",
    "add",
    "fd01::7/64",
    "dev",
    "vp0",
    "valid_lft",
    "900",
    "preferred_lft",
    "800",
  );
  await ip("route", "add", "default", "via", "10.1.0.254", "metric", "5", "src", "10.1.0.9");
  await ip("route", "add", "192.0.2.0/24", "dev", "eth0.100", "scope", "link", "proto", "static");
  await ip("route", "add", "blackhole", "198.51.100.0/24");
  await ip("-6", "route", "add", "2001:db8::/32", "via", "fd01::2");

  const plain = async (...args: string[]) =>
    JSON.parse(await runIn(netns, "ip", "-j", ...args) || "[]");
  const ours = async (...args: string[]) => JSON.parse(await succeed(kernel, ...args, "--json"));
  assertEquals(await ours("link", "list"), await plain("link", "show"));
  assertEquals(withoutAge(await ours("address", "list")), withoutAge(await plain("addr", "show")));
  assertEquals(await ours("route", "list"), await plain("route", "show"));
  assertEquals(
    await ours("r", "ls", "--family", "inet6"),
    await plain("-6", "route", "show"),
  );
  assertEquals(
    (await ours("route", "--table", "local")).length,
    (await plain("route", "show", "table", "local")).length,
  );

  // And in words, spaces aside.
  const words = (text: string) => text.trim().split(/\s+/);
  const inWords = async (...args: string[]) => words(await runIn(netns, "ip", ...args));
  assertEquals(words(await succeed(kernel, "link")), await inWords("link", "show"));
  assertEquals(words(await succeed(kernel, "route")), await inWords("route", "show"));
});

/** Lifetimes run while the two are asked. */
// deno-lint-ignore no-explicit-any
function withoutAge(rows: any[]): unknown {
  return rows.map(({ addr_info, ...row }) => ({
    ...row,
    addr_info: addr_info.map((info: Record<string, unknown>) => ({
      ...info,
      valid_life_time: info.valid_life_time === 0xffffffff,
      preferred_life_time: info.preferred_life_time === 0xffffffff,
    })),
  }));
}

kernelTest("netns add, list, exec and delete", NEEDS, async () => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  const run = async (...args: string[]) => await denolink(["netns", ...args]);
  try {
    assertEquals((await run("add", name)).code, 0);
    const again = await run("add", name);
    assertEquals(again.code, 1);
    assertStringIncludes(again.stderr, "EEXIST");
    const listed = JSON.parse((await run("list", "--json")).stdout);
    using netns = Netns.open({ name });
    assertEquals(
      listed.find((row: { name: string }) => row.name === name),
      { name, inode: Number(netns.id) },
    );
    const inside = await run("exec", name, "--", "readlink", "/proc/self/ns/net");
    assertEquals(inside, { code: 0, stdout: `net:[${netns.id}]\n`, stderr: "" });
    assertEquals((await run("exec", name, "sh", "-c", "exit 7")).code, 7);
    assertEquals((await run("exec", name, "sh", "-c", "kill -9 $$")).code, 137);
    const absent = await run("exec", name, "no-such-program");
    assertEquals(absent.code, 1);
    assertMatch(
      absent.stderr,
      /^denolink: Cannot run no-such-program: there is no such program\n$/,
    );
    assertEquals((await run("delete", name)).code, 0);
    assertStringIncludes((await run("delete", name)).stdout, "there is no");
  } finally {
    Netns.remove(name);
  }
});

kernelTest("sysctl reads and writes in the namespace", NEEDS, async (kernel) => {
  const { netns, another } = kernel;
  await createVethPair("eth0.100", "vp0", { netns });
  const key = "net.ipv4.conf.eth0.100.forwarding";
  assertEquals(await succeed(kernel, "sysctl", key), `${key} = 0\n`);
  assertEquals(await succeed(kernel, "sysctl", `${key}=1`), `${key} = 1\n`);
  assertEquals(JSON.parse(await succeed(kernel, "sysctl", "--json", key)), { [key]: "1" });
  const other = await denolink(["sysctl", "--netns", path(await another()), key]);
  assertEquals(other.code, 1);
  assertStringIncludes(other.stderr, "ENOENT");
});

kernelTest("bad input is one sentence, and the kernel is as it was", NEEDS, async (kernel) => {
  const { ip, another } = kernel;
  const container = path(await another());
  await ip("link", "add", "br0", "type", "bridge");
  await ip("link", "add", "vh0", "type", "veth", "peer", "name", "vp0");
  const state = async () => [await ip("addr", "show"), await ip("route", "show", "table", "all")];
  const before = await state();
  const attach = ["attach", container, "--bridge", "br0"];
  const address = ["--address", "10.0.0.2/24"];
  const refusals: [args: string[], code: 1 | 2, message: RegExp][] = [
    [["attach", "pid:2147483647", ...address], 1, /no such process/],
    [["attach", "pid:x", ...address], 2, /whole number/],
    [["attach", "no-such-name", ...address], 1, /netns list/],
    [["attach", "/no/such/path", ...address], 1, /no such file/],
    [["attach", "/proc/self/ns/mnt", ...address], 1, /no network namespace/],
    [[...attach, ...address, "--interface", "a/b"], 1, /no "\/"/],
    [[...attach, ...address, "--interface", "sixteen-bytes-12"], 1, /at most 15 bytes/],
    [[...attach, ...address, "--interface", "a b"], 1, /blanks/],
    [[...attach, ...address, "--interface", "a\tb"], 1, /control characters/],
    [[...attach, ...address, "--interface="], 2, /needs a value/],
    [[...attach, "--address", "10.0.0.2"], 1, /prefix length is missing/],
    [[...attach, "--address", "10.0.0.2/fd00::"], 1, /0 to 32/],
    [[...attach, "--address", "10.0.0.0/24"], 1, /network itself/],
    [[...attach, "--address", "10.0.0.255/24"], 1, /broadcast/],
    [[...attach, ...address, "--gateway", "fd00::1"], 1, /family/],
    [[...attach, ...address, "--gateway", "10.1.0.1"], 1, /in no subnet/],
    [["attach", container, ...address, "--bridge", "br9"], 1, /bridge br9.*ENODEV/],
    [["attach", container, ...address, "--bridge", "vh0"], 1, /no bridge/],
    [[...attach, ...address, "--interface", "lo"], 1, /has a link lo already/],
    [[...attach, ...address, "--mtu", "many"], 2, /whole number/],
    [[...attach, ...address, "--mtu", "1", "--mtu", "2"], 2, /given 2 times/],
    [attach, 2, /needs --address CIDR/],
    [["attach"], 2, /needs TARGET/],
    [["detach"], 2, /TARGET or --id/],
    [["atach"], 2, /did you mean "attach"/],
    [["link", "lst0"], 2, /no command "link lst0"/],
    [["link", "list", "--jsn"], 2, /did you mean --json/],
    [["link", "list", "nope"], 1, /there is none/],
    [["netns", "add", "a/b"], 1, /no "\/"/],
    [["sysctl", "net/../../etc/passwd"], 1, /leave \/proc\/sys/],
    [["sysctl", "net.ipv4.ip_forward=a\nb"], 1, /one line/],
  ];
  for (const [args, code, message] of refusals) {
    const outcome = await denolink(["--netns", path(kernel.netns), ...args]);
    const said = args.join(" ");
    assertMatch(outcome.stderr, message, said);
    assertMatch(outcome.stderr, /^denolink: [^\n]+\n$/, said);
    assertEquals({ code: outcome.code, stdout: outcome.stdout }, { code, stdout: "" }, said);
  }
  assertEquals(await state(), before);
});

kernelTest("a missing privilege is one sentence that names it", NEEDS, async (kernel) => {
  const noFfi = await denolink(["link", "list"], []);
  assertEquals(noFfi.code, 1);
  assertMatch(noFfi.stderr, /^denolink: Cannot load libc: [^\n]*--allow-ffi[^\n]*\n$/);

  const ffi = await denolink(["--netns", path(kernel.netns), "link", "list"], ["--allow-ffi"]);
  assertEquals({ code: ffi.code, stderr: ffi.stderr }, { code: 0, stderr: "" });

  // In a user namespace without a mapping a process has no capability over the network it is in.
  const config = Deno.env.get("DENOLINK_CONFIG") ?? "deno.json";
  const command = [Deno.execPath(), "run", "--config", config, "-A", CLI];
  const denied = async (...args: string[]) =>
    await runIn(kernel.netns, "unshare", "-U", ...command, ...args)
      .then(() => "", (error: Error) => error.message);
  assertMatch(
    await denied("netns", "add", "x"),
    /denolink: Cannot create network namespace x[^\n]*CAP_NET_ADMIN[^\n]*\n$/,
  );
  const here = "/proc/self/ns/net";
  assertMatch(
    await denied("attach", here, "--address", "10.0.0.2/24"),
    /denolink: Cannot add link veth[^\n]*EPERM[^\n]*CAP_NET_ADMIN[^\n]*\n$/,
  );
});

Deno.test("each command's help names its options and has an example", () => {
  for (const command of COMMANDS) {
    const help = helpOf(command);
    for (const option of Object.keys(optionsOf(command))) {
      assertStringIncludes(help, `--${option}`, nameOf(command));
    }
    assert(command.example.startsWith(nameOf(command)), command.example);
    assertStringIncludes(help, `denolink ${command.example}`);
  }
});

kernelTest("help and version go to standard output", NEEDS, async () => {
  for (const args of [["--help"], ["help"], ["-h"], ["--version"]]) {
    const { code, stderr, stdout } = await denolink(args);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assert(stdout.length > 4);
  }
  for (const command of COMMANDS) {
    const { code, stdout } = await denolink([...nameOf(command).split(" "), "--help"]);
    assertEquals(code, 0);
    assertEquals(stdout.trimEnd(), helpOf(command));
  }
});
