import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FILES, load } from "../../cli/commands.ts";
import { helpOf, nameOf, optionsOf } from "../../cli/command.ts";
import { createVethPair, Netns } from "../../mod.ts";
import { kernelTest, runIn } from "../support.ts";
import { CLI, denolink, here, invocation, json, path, succeed } from "./denolink.ts";

const NEEDS = { run: true, env: true };

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
    // Only the first -- is denolink's own, and only in front of the program.
    const words = await run(
      "exec",
      name,
      "sh",
      "-c",
      'echo "$@"',
      "sh",
      "-a",
      "--",
      "--json",
      "--",
    );
    assertEquals(words, { code: 0, stdout: "-a -- --json --\n", stderr: "" });
    const behind = await run("exec", "--", name, "echo", "--", "-n");
    assertEquals(behind.stdout, "-- -n\n");
    const mixed = await run("exec", "--json", name, "true");
    assertEquals({ code: mixed.code, stdout: mixed.stdout }, { code: 2, stdout: "" });
    assertMatch(mixed.stderr, /has no JSON/);
    const absent = await run("exec", name, "/usr/bin/no-such-program");
    assertEquals(absent.code, 1);
    assertMatch(
      absent.stderr,
      /^denolink: Cannot run \S+no-such-program in network namespace \S+: .*; there is no such program\n$/,
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
  // It can be written and not be read, even by root without CAP_DAC_OVERRIDE; root with it may try.
  const flush = "net.ipv4.route.flush";
  assertEquals(await succeed(kernel, "sysctl", `${flush}=1`), `${flush} = 1\n`);
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
    [["link", "add", "x", "type", "vxlan", "idd", "3"], 2, /no word "idd" here; did you mean "id"/],
    [["link", "add", "x", "type", "vxlan", "id", "many"], 2, /NUMBER behind "id", got "many"/],
    [["link", "add", "x", "type", "vxlan", "id"], 2, /Expected NUMBER behind "id"/],
    [["link", "add", "x"], 2, /type KIND/],
    [["link", "set", "lo", "mtu", "1400", "mtu", "1500"], 2, /"mtu" is given twice/],
    [["link", "set", "vh1", "up"], 1, /Cannot find link vh1: there is none; did you mean "vh0"/],
    [["address", "add", "10.0.0.1/33", "dev", "lo"], 2, /ADDRESS\/LENGTH/],
    [["address", "add", "10.0.0.1/24"], 2, /dev/],
    [["route", "add", "10.0.0.0/8", "vai", "10.0.0.1"], 2, /did you mean "via"/],
    [["route", "flush"], 2, /what to flush/],
    [["link", "set", "a\nb", "up"], 1, /Cannot find link a\\nb/],
    [["lnk", "list"], 2, /did you mean "link"/],
    [["link", "list", "nope"], 1, /there is none/],
    [["list", "--bridge", "b"], 2, /no option --bridge/],
    [["netns", "add", "a/b"], 1, /no "\/"/],
    [["sysctl", "net/../../etc/passwd"], 1, /leave \/proc\/sys/],
    [["sysctl", "net.ipv4.ip_forward=a\nb"], 1, /one line/],
  ];
  for (const [args, code, message] of refusals) {
    const outcome = await here("--netns", path(kernel.netns), ...args);
    const said = args.join(" ");
    assertMatch(outcome.stderr, message, said);
    assertMatch(outcome.stderr, /^denolink: [^\n]+\n$/, said);
    assertEquals({ code: outcome.code, stdout: outcome.stdout }, { code, stdout: "" }, said);
  }
  assertEquals(await state(), before);
});

kernelTest("a signal reaches the program where no terminal sends it", NEEDS, async ({ netns }) => {
  for (const [signal, code] of [["SIGINT", 42], ["SIGTERM", 43]] as const) {
    const script =
      "trap 'exit 42' INT; trap 'exit 43' TERM; echo ready; while :; do sleep 0.1; done";
    const child = new Deno.Command(Deno.execPath(), {
      args: invocation(["netns", "exec", path(netns), "sh", "-c", script]),
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "ready\n");
    child.kill(signal);
    assertEquals((await child.status).code, code);
    await reader.cancel();
  }
});

kernelTest("netns exec leaves nothing of denolink but its process", NEEDS, async ({ netns }) => {
  const script = "cd /; echo $$ $PWD; ls -l /proc/self/fd; echo /sys/class/net/*";
  const child = new Deno.Command(Deno.execPath(), {
    args: invocation(["netns", "exec", path(netns), "sh", "-c", script]),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const { stdout } = await child.output();
  const [numbers, ...rest] = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals(numbers, `${child.pid} /`);
  assertEquals(rest.pop(), "/sys/class/net/lo");
  // 0, 1, 2, what this process was started with, and the directory that ls lists.
  const without = await new Deno.Command("ls", { args: ["-l", "/proc/self/fd"], stdin: "null" })
    .output();
  const count = (lines: string[]) => lines.filter((line) => line.includes(" -> ")).length;
  assertEquals(count(rest), count(new TextDecoder().decode(without.stdout).split("\n")));
});

kernelTest("netns list, pids, identify, set and list-id are ip's", NEEDS, async (kernel) => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  const { netns } = kernel;
  const ip = (...args: string[]) => runIn(netns, "ip", "netns", ...args);
  try {
    using named = await Netns.create(name);
    assertEquals(await succeed(kernel, "netns", "set", name, "auto", "--json"), '{"id":0}\n');
    assertEquals(await succeed(kernel, "netns", "set", name, "auto", "--json"), '{"id":0}\n');
    const theirs = (await ip("list")).split("\n").find((line) => line.startsWith(name));
    assertEquals(theirs, `${name} (id: 0)`);
    const ours = (await succeed(kernel, "netns", "list")).split("\n");
    assert(ours.includes(theirs!));
    assertMatch(await ip("list-id"), new RegExp(`^nsid 0 .*netns name: ${name}`, "m"));
    assertEquals(await succeed(kernel, "netns", "list-id"), `nsid 0 (netns name: ${name})\n`);

    await using sleep = await Netns.spawn(named, "sleep", { args: ["60"] });
    assertEquals(await ip("pids", name), `${sleep.pid}\n`);
    assertEquals((await here("netns", "pids", name)).stdout, `${sleep.pid}\n`);
    assertEquals((await here("netns", "identify", `${sleep.pid}`)).stdout, `${name}\n`);
    assertEquals(await ip("identify", `${sleep.pid}`), `${name}\n`);
    const all = JSON.parse((await here("netns", "list", "--all", "--json")).stdout);
    const [row] = all.filter((row: { names: string[] }) => row.names.includes(name));
    assertEquals(row.inode, Number(named.id));
    assert(row.pids.includes(sleep.pid));
    assert(row.holders.includes(Deno.pid));
    assertEquals(row.mounts, [`/run/netns/${name}`]);
  } finally {
    Netns.remove(name);
  }
});

kernelTest("a full disk is one sentence, a closed pipe none", NEEDS, async ({ netns }) => {
  const shell = async (redirection: string) => {
    const command = [Deno.execPath(), ...invocation(["--netns", path(netns), "link"])];
    const quoted = command.map((word) => `'${word}'`).join(" ");
    const { code, stderr } = await new Deno.Command("bash", {
      args: ["-c", `set -o pipefail; ${quoted} ${redirection}`],
      stdin: "null",
      env: { NO_COLOR: "1" },
    }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
  assertEquals(await shell("> /dev/full"), {
    code: 1,
    stderr: "denolink: Cannot write to standard output: No space left on device\n",
  });
  assertEquals(await shell("| true"), { code: 0, stderr: "" });
});

kernelTest("options stand anywhere, and a noun has help", NEEDS, async (kernel) => {
  const expected = await json(kernel, "link", "list", "lo");
  const orders = ["link --json list lo", "link list --json lo", "link list lo -j", "l -json sh lo"];
  for (const order of orders) {
    assertEquals(JSON.parse(await succeed(kernel, ...order.split(" "))), expected, order);
  }
  for (const words of [["link", "--help"], ["help", "link"], ["l", "-h"]]) {
    const { code, stdout } = await here(...words);
    assertEquals(code, 0);
    for (const verb of ["list", "add", "set", "delete"]) {
      assertStringIncludes(stdout, `link ${verb} `);
    }
    assert(!stdout.includes("route list"));
  }
  const kind = await here("link", "add", "x", "type", "vxlan", "--help");
  assertMatch(kind.stdout, /^ {2}id\|vni NUMBER$/m);
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
    /denolink: Cannot create network namespace x[^\n]*CAP_SYS_ADMIN[^\n]*\n$/,
  );
  const here = "/proc/self/ns/net";
  assertMatch(
    await denied("attach", here, "--address", "10.0.0.2/24"),
    /denolink: Cannot add link veth[^\n]*EPERM[^\n]*CAP_NET_ADMIN[^\n]*\n$/,
  );
});

Deno.test("the files of commands are listed with the words that they begin with", async () => {
  for (const { nouns, inFull, load } of FILES) {
    const commands = await load();
    const first = new Set(commands.flatMap(({ words }) => words[0]!));
    assertEquals([...first], [...nouns]);
    for (const command of commands) assertEquals(command.inFull, inFull, nameOf(command));
  }
});

Deno.test("each command's help names its options and has an example", async () => {
  for (const command of await load()) {
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
  for (const command of await load()) {
    const { code, stdout } = await denolink([...nameOf(command).split(" "), "--help"]);
    assertEquals(code, 0);
    assertEquals(stdout.trimEnd(), helpOf(command));
  }
});
