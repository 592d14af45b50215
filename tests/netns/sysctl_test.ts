import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  InputError,
  listSysctls,
  NetlinkError,
  type Netns,
  NotFoundError,
  readSysctl,
  runInNetns,
  setSysctl,
  setSysctls,
} from "../../mod.ts";
import { createVethPair } from "../../overlay/links.ts";
import { sysctlPath } from "../../netns/sysctl.ts";
import { kernelTest, runIn, threadNamespaces } from "../support.ts";

const MODULE = new URL("../../mod.ts", import.meta.url).href;
const DOTTED = "net.ipv4.conf.eth0.100.forwarding";

kernelTest(
  "sysctl acts in the namespace, with dots in a link's name",
  {},
  async ({ netns, another }) => {
    await createVethPair("eth0.100", "vp0", { netns });
    assertEquals(await readSysctl(DOTTED, { netns }), "0");
    await setSysctl(DOTTED, 1, { netns });
    assertEquals(await readSysctl("net/ipv4/conf/eth0.100/forwarding", { netns }), "1");
    assertEquals(await readSysctl("net.ipv4.conf.eth0/100.forwarding", { netns }), "1");
    const other = await another();
    await setSysctl("net.ipv4.ip_forward", "1", { netns: other });
    assertEquals(await readSysctl("net.ipv4.ip_forward", { netns }), "0");
    assertEquals(await readSysctl("net.ipv4.ip_forward", { netns: other }), "1");
    await assertRejects(() => readSysctl(DOTTED, { netns: other }), NotFoundError, DOTTED);
    await assertRejects(() => setSysctl(DOTTED, "many", { netns }), NetlinkError, "EINVAL");
  },
);

Deno.test("sysctl keys are read as sysctl(8) reads them, and none leaves /proc/sys", () => {
  const paths: [string, string][] = [
    ["net.ipv4.ip_forward", "net/ipv4/ip_forward"],
    ["net/ipv4/ip_forward", "net/ipv4/ip_forward"],
    ["net.ipv6.conf.all.forwarding", "net/ipv6/conf/all/forwarding"],
    ["net.ipv4.conf.eth0.100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"],
    ["net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"],
    ["net.ipv6.neigh.eth0.1.retrans_time_ms", "net/ipv6/neigh/eth0.1/retrans_time_ms"],
    ["kernel.hostname", "kernel/hostname"],
  ];
  for (const [key, path] of paths) assertEquals(sysctlPath(key), path);
  const bad = ["", ".", "..", "net..ipv4", "net/../../etc/passwd", "/net/ipv4", "net/./x", "a b"];
  bad.push("a\0b", "net.ipv4.conf.//.x", "net.ipv4.conf.../x", "/etc/passwd", "net/ipv4/");
  for (const key of bad) assertThrows(() => sysctlPath(key), InputError, JSON.stringify(key));
});

kernelTest(
  "all settings are listed as other programs read them, and each can be read by its key",
  { run: true },
  async ({ netns }) => {
    await createVethPair("eth0.100", "vp0", { netns });
    await setSysctl(DOTTED, 1, { netns });
    const net = await listSysctls("net", { netns });
    // A setting without any line, which grep does not show, has no value to compare.
    const shown = Object.entries(net).filter(([, value]) => value !== "");
    const found = shown.map(([key, value]) => `/proc/sys/${sysctlPath(key)}:${value}`);
    const grep = await runIn(netns, "sh", "-c", "grep -rs '' /proc/sys/net || [ $? = 2 ]");
    const expected = grep.split("\n").filter((line) => !/(^|:)$/.test(line));
    assertEquals(found.toSorted(), expected.toSorted());
    assert(found.length > 200);

    assertEquals(Object.keys(net), Object.keys(net).toSorted());
    assertEquals(net["net.ipv4.conf.eth0/100.forwarding"], "1");
    assertEquals(net["net.ipv4.conf.vp0.forwarding"], "0");
    assert(!Object.keys(net).some((key) => /stable_secret|flush/.test(key)));
    for (const [key, value] of Object.entries(await listSysctls("net.ipv4.conf", { netns }))) {
      assertEquals(await readSysctl(key, { netns }), value, key);
      assertEquals(net[key], value, key);
    }
  },
);

kernelTest("a list is of what is below its key, or of that alone", {}, async ({ netns }) => {
  await createVethPair("eth0.100", "vp0", { netns });
  await createVethPair("eth0", "vp1", { netns });
  const below = async (prefix?: string) => Object.keys(await listSysctls(prefix, { netns }));
  const dotted = await below("net.ipv4.conf.eth0.100");
  assert(dotted.includes("net.ipv4.conf.eth0/100.forwarding"));
  assert(dotted.every((key) => key.startsWith("net.ipv4.conf.eth0/100.")));
  assertEquals(await below("net/ipv4/conf/eth0.100"), dotted);
  assertEquals(await below("net.ipv4.conf.eth0/100"), dotted);
  const plain = await below("net.ipv4.conf.eth0");
  assertEquals(plain, dotted.map((key) => key.replace("eth0/100", "eth0")));
  assertEquals(await listSysctls("net.ipv4.conf.eth0.100.forwarding", { netns }), {
    "net.ipv4.conf.eth0/100.forwarding": "0",
  });
  assertEquals(await below("net.ipv4.ip_forward"), ["net.ipv4.ip_forward"]);
  const all = await below();
  assertEquals(await below(""), all);
  assert(all.includes("kernel.ostype") && dotted.every((key) => all.includes(key)));

  for (const key of ["net.no", "net.ipv4.conf.no.100", "net.ipv4.ip_forward.x", "none"]) {
    await assertRejects(() => listSysctls(key, { netns }), NotFoundError, key);
    await assertRejects(() => listSysctls(key), NotFoundError, key);
  }
  for (const key of ["..", "net/../..", "/etc", "net."]) {
    await assertRejects(() => listSysctls(key, { netns }), InputError, JSON.stringify(key));
  }
});

kernelTest(
  "without netns a list is of the calling thread's namespace",
  { read: true },
  async ({ netns }) => {
    const outside = await listSysctls("net.ipv4");
    for (const [key, value] of Object.entries(await listSysctls("net.ipv4.conf.lo"))) {
      assertEquals(await readSysctl(key), value, key);
      assertEquals(outside[key], value, key);
    }
    assertEquals(new Set(threadNamespaces()).size, 1);

    await createVethPair("eth0.100", "vp0", { netns });
    await setSysctl("net.ipv4.ip_default_ttl", 77, { netns });
    const source = `export { listSysctls } from ${JSON.stringify(MODULE)};`;
    const inside = await runInNetns<Record<string, string>>(
      netns,
      `data:text/javascript,${encodeURIComponent(source)}`,
      { export: "listSysctls", args: ["net"] },
    );
    assertEquals(inside, await listSysctls("net", { netns }));
    assertEquals(inside["net.ipv4.ip_default_ttl"], "77");
    assert("net.ipv4.conf.eth0/100.forwarding" in inside);
    assert(!("net.ipv4.conf.eth0/100.forwarding" in outside));
  },
);

const RANGE = "net.ipv4.ip_local_port_range";
const START = "net.ipv4.ip_unprivileged_port_start";
const ALL = "net.ipv4.conf.all.forwarding";
const LO = "net.ipv4.conf.lo.forwarding";
const TTL = "net.ipv4.ip_default_ttl";
const FLUSH = "net.ipv4.route.flush";

/** What other programs read. */
async function values(netns: Netns, ...keys: string[]): Promise<string[]> {
  const paths = keys.map((key) => `/proc/sys/${sysctlPath(key)}`);
  return (await runIn(netns, "cat", ...paths)).trimEnd().split("\n");
}

kernelTest("several settings are written in order, and put back", { run: true }, async (kernel) => {
  const { netns } = kernel;
  const before = await values(netns, RANGE, START, TTL);
  // The kernel refuses to have the privileged ports reach into the local range.
  await assertRejects(
    () => setSysctls({ [START]: 50000, [RANGE]: "50000 60000" }, { netns }),
    NetlinkError,
    `set sysctl ${START} to 50000`,
  );
  assertEquals(await values(netns, RANGE, START, TTL), before);
  const wanted = { [RANGE]: "50000 60000", [START]: 50000, [FLUSH]: 1, [TTL]: 77 };
  const previous = await setSysctls(wanted, { netns });
  assertEquals(await values(netns, RANGE, START, TTL), ["50000\t60000", "50000", "77"]);
  assertEquals(previous, { [RANGE]: before[0]!, [START]: before[1]!, [TTL]: before[2]! });
  const wantedNow = await setSysctls(previous, { netns });
  assertEquals(await values(netns, RANGE, START, TTL), before);
  assertEquals(wantedNow, { [RANGE]: "50000\t60000", [START]: "50000", [TTL]: "77" });
  assertEquals(await setSysctls({}, { netns }), {});
});

kernelTest("settings that change each other are put back", { run: true }, async ({ netns }) => {
  await setSysctl(LO, 1, { netns });
  const previous = await setSysctls({ [ALL]: 1, [LO]: 0 }, { netns });
  assertEquals(await values(netns, ALL, LO), ["1", "0"]);
  await setSysctls(previous, { netns });
  assertEquals(await values(netns, ALL, LO), ["0", "1"]);
  // Whichever comes first: each has its value in the end.
  await setSysctls({ [LO]: 0, [ALL]: 1 }, { netns });
  assertEquals(await values(netns, ALL, LO), ["1", "0"]);
  await setSysctls({ [ALL]: 0, [LO]: 1 }, { netns });

  await assertRejects(
    () => setSysctls({ [ALL]: 1, [LO]: 0, [TTL]: 0 }, { netns }),
    NetlinkError,
    TTL,
  );
  assertEquals(await values(netns, ALL, LO), ["0", "1"]);
});

kernelTest("when one is refused, none is set", { run: true }, async ({ netns, another }) => {
  const keys = [RANGE, START, TTL, ALL];
  const before = await values(netns, ...keys);
  const good = { [RANGE]: "50000 60000", [START]: 50000, [ALL]: 1 };
  const refusals: [Record<string, string | number>, string, RegExp][] = [
    [{ [TTL]: 0 }, "EINVAL", /set sysctl net\.ipv4\.ip_default_ttl to 0: /],
    [{ [LO]: "1 0" }, "EINVAL", /lo\.forwarding to 1 0: .*only the first 2 of 4 bytes/],
    [{ "net.no": 1 }, "ENOENT", /set sysctl net\.no to 1: .*no such setting here/],
    [{ "net.ipv4": 1 }, "EISDIR", /set sysctl net\.ipv4 to 1: .*has several settings/],
    [{ "net.ipv4.tcp_available_congestion_control": "x" }, "EACCES", /to x: .*can only be read/],
  ];
  for (const [bad, code, message] of refusals) {
    const error = await assertRejects(
      () => setSysctls({ ...good, ...bad }, { netns }),
      NetlinkError,
    );
    assertEquals(error.code, code);
    assertMatch(error.message, message);
    assert(!error.message.includes("put back"), error.message);
    assertEquals(await values(netns, ...keys), before);
  }
  const lasting = await assertRejects(
    () => setSysctls({ [TTL]: 77, [FLUSH]: 1, [LO]: "x" }, { netns }),
    NetlinkError,
    `set sysctl ${LO} to x`,
  );
  assertMatch(lasting.message, /; could not be put back: net\.ipv4\.route\.flush$/);
  assertEquals(await values(netns, ...keys), before);
  // The other namespaces were never touched.
  assertEquals(await values(await another(), ...keys), before);
});

kernelTest("keys and values are looked at before any is written", {}, async ({ netns }) => {
  const bad: [string, unknown][] = [
    ...["1\n0", "1\n", "a\0b", 1.5, NaN, Infinity, 1e21, undefined, true].map((
      value,
    ): [string, unknown] => [TTL, value]),
    ...["", "..", "net/../../etc/passwd", "/etc/passwd", "a b", "net.ipv4\n"].map((
      key,
    ): [string, unknown] => [key, 1]),
  ];
  for (const [key, value] of bad) {
    const settings = { [ALL]: 1, [key]: value } as Record<string, string>;
    const error = await assertRejects(() => setSysctls(settings, { netns }), InputError);
    assertMatch(error.message, /^Cannot [^\n]+: [^\n]+$/);
    await assertRejects(() => setSysctl(key, value as string, { netns }), InputError);
  }
  assertEquals(await readSysctl(ALL, { netns }), "0");
});

kernelTest("a key that is no setting says what it is", {}, async ({ netns }) => {
  for (const options of [{ netns }, {}]) {
    const directory = /^Cannot (read|set) [^\n]*EISDIR[^\n]*several settings[^\n]*listSysctls/;
    const refusals: [() => Promise<unknown>, RegExp][] = [
      [() => readSysctl("net.ipv4.conf", options), directory],
      [() => setSysctl("net.ipv4.conf", 1, options), directory],
      [() => readSysctl("net.no", options), /^Cannot read [^\n]*ENOENT[^\n]*no such setting here/],
      [() => readSysctl(`${TTL}.x`, options), /^Cannot read [^\n]*no such setting here/],
      [() => readSysctl(FLUSH, options), /^Cannot read [^\n]*EACCES[^\n]*can only be written/],
    ];
    for (const [call, message] of refusals) {
      assertMatch((await assertRejects(call, NetlinkError)).message, message);
    }
  }
});

/** What calls come to in a process of its own: their JSON, or their error. */
async function inProcess(
  command: readonly string[],
  calls: readonly string[],
  env: Record<string, string> = {},
): Promise<string[]> {
  const code = `
    import * as it from ${JSON.stringify(MODULE)};
    const { listSysctls, readSysctl, setSysctl, setSysctls } = it;
    const here = { netns: { path: "/proc/thread-self/ns/net" } };
    const calls = [${calls.map((call) => `() => ${call}`).join(",")}];
    for (const call of calls) {
      const said = (error) => error.name + " " + error.code + ": " + error.message;
      console.log(await call().then((value) => JSON.stringify(value) ?? "done", said));
    }`;
  const [program, ...args] = [...command, Deno.execPath(), "eval", "--no-config", code];
  const { success, stdout, stderr } = await new Deno.Command(program!, {
    args,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

kernelTest("no key leads out of /proc/sys through a link", { run: true }, async () => {
  const script = `mount -t tmpfs tmpfs /proc/sys/dev && cd /proc/sys/dev && mkdir real &&
    echo 7 > real/value && echo 1 > plain && ln -s /etc/hostname file && ln -s /etc directory &&
    ln -s ../kernel near && exec "$@"`;
  const options = ["undefined", "here"];
  const refused = options.flatMap((where) => [
    `readSysctl("dev.file", ${where})`,
    `readSysctl("dev.directory.hostname", ${where})`,
    `readSysctl("dev.near.ostype", ${where})`,
    `setSysctl("dev.file", "x", ${where})`,
    `setSysctls({ "dev.plain": 2, "dev.file": 3 }, ${where})`,
    `listSysctls("dev.file", ${where})`,
    `listSysctls("dev.directory", ${where})`,
  ]);
  const lists = options.map((where) => `listSysctls("dev", ${where})`);
  const outcomes = await inProcess(
    ["unshare", "-m", "sh", "-ec", script, "sh"],
    [...refused, ...lists],
  );
  for (const [i, call] of refused.entries()) {
    assertMatch(
      outcomes[i]!,
      /^NetlinkError ELOOP: Cannot [^\n]+; the key leads out of \/proc\/sys through a link/,
      call,
    );
  }
  // Links are left out, and the first of several was not written.
  const expected = JSON.stringify({ "dev.plain": "1", "dev.real.value": "7" });
  assertEquals(outcomes.slice(refused.length), [expected, expected]);
});

kernelTest("where /proc/sys is read-only, that is said", { run: true }, async () => {
  const script =
    `mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"`;
  const outcomes = await inProcess(["unshare", "-m", "sh", "-ec", script, "sh"], [
    `setSysctl("${TTL}", 64)`,
    `setSysctls({ "${TTL}": 65 }, here)`,
    `readSysctl("net.ipv4.ip_forward").then(() => {})`,
  ]);
  for (const said of outcomes.slice(0, 2)) {
    assertMatch(said, /^NetlinkError EROFS: Cannot set [^\n]+mounted read-only/);
  }
  assertEquals(outcomes[2], "done");
});

/** The command in front of those of a user who isn't the host's root, where there is one who can run deno. */
const stranger = await (async () => {
  if (Deno.permissions.querySync({ name: "run" }).state !== "granted") return undefined;
  const test = '[ ! -w /proc/sys/kernel/threads-max ] && [ -r "$1" ] && "$2" --version';
  const [mod, deno] = [new URL(MODULE).pathname, Deno.execPath()];
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  for (const as of [[], nobody]) {
    const [program, ...args] = [...as, "unshare", "-Urn", "sh", "-c", test, "sh", mod, deno];
    const tried = await new Deno.Command(program!, { args, stdout: "null", stderr: "null" })
      .output().catch(() => undefined);
    if (tried?.success) return as;
  }
})();

const privilege = "a missing privilege is named: the host's root, or CAP_NET_ADMIN";
if (stranger === undefined) {
  Deno.test({
    name: `${privilege} (ignored: needs a user who isn't the host's root)`,
    ignore: true,
    fn: () => {},
  });
} else {
  kernelTest(privilege, { run: true, write: true }, async () => {
    const cache = await Deno.makeTempDir();
    await Deno.chmod(cache, 0o777);
    const run = (more: string[], calls: string[]) =>
      inProcess([...stranger, ...more], calls, { DENO_DIR: cache, HOME: cache });
    try {
      const host = /^PermissionError EACCES: Cannot set [^\n]*the host's root \(CAP_SYS_ADMIN/;
      const calls = [
        `setSysctl("kernel.threads-max", 100000)`,
        `setSysctls({ "net.ipv4.ip_default_ttl": 77, "kernel.threads-max": 100000 }, here)`,
        `readSysctl("net.ipv4.ip_default_ttl")`,
        `setSysctls({ "net.ipv4.ip_default_ttl": 77 }).then(() => {})`,
        `setSysctl("net.ipv4.tcp_available_congestion_control", "x")`,
      ];
      const rooted = await run(["unshare", "-Urn"], calls);
      assertMatch(rooted[0]!, host);
      assertMatch(rooted[1]!, host);
      assertEquals(rooted.slice(2, 4), [`"64"`, "done"]);
      assertMatch(rooted[4]!, /^PermissionError EACCES: [^\n]*can only be read here/);

      // Its own network, but no capability over it; and one that somebody else owns.
      const net = [`setSysctl("net.ipv4.ip_default_ttl", 64)`];
      const wanted = /^PermissionError EACCES: Cannot set [^\n]*CAP_NET_ADMIN/;
      const foreign = await run(["unshare", "-Ur"], net);
      assertMatch(foreign[0]!, wanted);
      assertMatch(foreign[0]!, /in a user namespace only/);
      const list = `listSysctls("net.ipv4.conf.lo").then((found) => Object.keys(found).length > 9)`;
      const plain = await run(["unshare", "-U"], [...net, calls[0]!, list]);
      assertMatch(plain[0]!, wanted);
      assertMatch(plain[1]!, host);
      assertEquals(plain[2], "true");
    } finally {
      await Deno.remove(cache, { recursive: true });
    }
  });
}
