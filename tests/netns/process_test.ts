import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  createVethPair,
  Descriptor,
  InputError,
  Netns,
  type NetnsProcess,
  NotFoundError,
  runInNetns,
} from "../../mod.ts";
import { O_DIRECTORY, O_RDONLY } from "../../ffi/constants.ts";
import { readDirectory, readFile, readLink } from "../../ffi/system.ts";
import { eventually, kernelTest } from "../support.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** What a shell prints in a namespace. */
async function shell(
  netns: Netns,
  script: string,
  options: Parameters<typeof Netns.spawn>[2] = {},
): Promise<string> {
  const child = await Netns.spawn(netns, "sh", {
    ...{ stdin: "null", stdout: "piped" },
    ...options,
    args: ["-c", script, ...options.args ?? []],
  });
  const { success, stdout } = await child.output();
  assert(success, script);
  return text(stdout);
}

/** The processes that this one has as children, by whichever of its threads. */
function children(): number[] {
  using tasks = Descriptor.open("/proc/self/task", O_RDONLY | O_DIRECTORY);
  return (readDirectory(tasks.fd) as string[])
    .flatMap((tid) => readFile(`/proc/self/task/${tid}/children`)?.trim().split(" ") ?? [])
    .filter((pid) => pid !== "").map(Number);
}

/** What a program of Deno's has as descriptors: some are inherited from whoever started this process. */
async function inherited(): Promise<number> {
  const { stdout } = await new Deno.Command("ls", { args: ["/proc/self/fd"] }).output();
  return text(stdout).trim().split("\n").length;
}

kernelTest("a program runs in the namespace, with --allow-ffi alone", {}, async ({ netns }) => {
  await createVethPair("va", "vb", { netns });
  const seen = await shell(netns, "readlink /proc/self/ns/net; echo $0 $1", {
    args: ["first word", "second"],
  });
  assertEquals(seen, `net:[${netns.id}]\nfirst word second\n`);
  assertMatch(await shell(netns, "cat /proc/net/dev"), /^ *va:/m);
  assertEquals(await shell(netns, "cd /sys/class/net; echo *"), "lo va vb\n");
});

kernelTest("it has the files of the namespace's name, nobody else has", {
  write: true,
  root: true,
}, async ({ netns }) => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  const [hosts, sys] = [readFile("/etc/hosts"), readLink("/proc/thread-self/ns/mnt")];
  using named = await Netns.create(name);
  await Deno.mkdir(`/etc/netns/${name}`, { recursive: true });
  try {
    await Deno.writeTextFile(`/etc/netns/${name}/resolv.conf`, "nameserver 10.9.8.7\n");
    await Deno.writeTextFile(`/etc/netns/${name}/hosts`, "10.9.8.7 seven\n");
    const both = "cat /etc/resolv.conf /etc/hosts";
    assertEquals(await shell(named, both), "nameserver 10.9.8.7\n10.9.8.7 seven\n");
    using again = Netns.open({ name });
    assertEquals(await shell(again, both), "nameserver 10.9.8.7\n10.9.8.7 seven\n");
    // The same namespace without its name, and this process, have the host's.
    using unnamed = Netns.open({ fd: named.fd });
    assertEquals(await shell(unnamed, "cat /etc/hosts"), hosts);
    assertEquals(await shell(netns, "cat /etc/hosts"), hosts);
    assertEquals(readFile("/etc/hosts"), hosts);
    assertEquals(readLink("/proc/thread-self/ns/mnt"), sys);
  } finally {
    Netns.remove(name);
    await Deno.remove(`/etc/netns/${name}`, { recursive: true });
    // Only where it was made for this test.
    await Deno.remove("/etc/netns").catch(() => {});
  }
});

kernelTest("names made inside are seen outside", { run: true }, async ({ netns }) => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  try {
    (await Netns.create(`${name}-first`)).close();
    await shell(netns, `ip netns add ${name}`);
    using made = Netns.open({ name });
    assert(made.id !== netns.id);
  } finally {
    for (const left of [name, `${name}-first`]) Netns.remove(left);
  }
});

kernelTest("standard streams are pipes, also for more than fits one", {}, async ({ netns }) => {
  const data = new Uint8Array(3 << 20).map((_, i) => i * 7 + (i >> 9));
  const child = await Netns.spawn(netns, "sh", {
    args: ["-c", "cat; echo done >&2"],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  });
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(data);
  await writer.close();
  const { stdout, stderr, ...status } = await output;
  assertEquals(stdout.length, data.length);
  assertEquals(stdout, data);
  assertEquals(text(stderr), "done\n");
  assertEquals(status, { success: true, code: 0, signal: null });

  // A reader that leaves ends a writer that doesn't: SIGPIPE has its default action.
  const endless = await Netns.spawn(netns, "yes", { stdout: "piped" });
  const reader = endless.stdout.getReader();
  assertEquals((await reader.read()).value!.subarray(0, 2), new TextEncoder().encode("y\n"));
  await reader.cancel();
  assertEquals((await endless.status).signal, "SIGPIPE");

  // And a program that leaves is told to whoever writes to it.
  const deaf = await Netns.spawn(netns, "true", { stdin: "piped" });
  await deaf.status;
  const refused = deaf.stdin.getWriter();
  await assertRejects(() => refused.write(data), Error, "EPIPE");
  assertThrows(() => deaf.stdout, InputError, 'not "piped"');
});

kernelTest("it ends as it likes, or by a signal", {}, async ({ netns }) => {
  const spawn = (command: string, ...args: string[]) => Netns.spawn(netns, command, { args });
  const exits = await spawn("sh", "-c", "exit 7");
  assertEquals(await exits.status, { success: false, code: 7, signal: null });
  exits.kill();

  const sleeps = await spawn("sleep", "60");
  sleeps.kill("SIGINT");
  assertEquals(await sleeps.status, { success: false, code: 130, signal: "SIGINT" });
  assertThrows(() => sleeps.kill("SIGNOT" as Deno.Signal), InputError, "SIGNOT");

  const controller = new AbortController();
  const aborted = await Netns.spawn(netns, "sleep", { args: ["60"], signal: controller.signal });
  controller.abort();
  assertEquals((await aborted.status).signal, "SIGTERM");
  await assertRejects(
    () => Netns.spawn(netns, "sleep", { args: ["60"], signal: AbortSignal.abort() }),
    DOMException,
  );

  let disposed: NetnsProcess;
  {
    await using child = disposed = await spawn("sleep", "60");
    assert(children().includes(child.pid));
  }
  assertEquals((await disposed.status).signal, "SIGTERM");
  assert(!children().includes(disposed.pid));
});

kernelTest("its environment and directory are as said", { env: true }, async ({ netns }) => {
  Deno.env.set("DENOLINK_TEST_LATE", "set late");
  try {
    const late = 'echo "$DENOLINK_TEST_LATE|$EXTRA|${PATH:+path}"; pwd';
    assertEquals(
      await shell(netns, late, { env: { EXTRA: "a=b c" }, cwd: "/proc" }),
      "set late|a=b c|path\n/proc\n",
    );
    assertEquals(
      await shell(netns, late, { env: { DENOLINK_TEST_LATE: "other" } }),
      `other||path\n${Deno.cwd()}\n`,
    );
    const clear = await Netns.spawn(netns, "env", {
      ...{ clearEnv: true, env: { ONLY: "this" }, stdout: "piped" },
    });
    assertEquals(text((await clear.output()).stdout), "ONLY=this\n");
  } finally {
    Deno.env.delete("DENOLINK_TEST_LATE");
  }
});

kernelTest("it has no descriptor that it was not given, and no signal ignored", {
  run: true,
}, async ({ netns }) => {
  const script = "grep -E '^Sig(Blk|Ign)' /proc/self/status; exec ls /proc/self/fd";
  const [blocked, ignored, ...descriptors] = (await shell(netns, script)).trim().split("\n");
  assertMatch(blocked!, /^SigBlk:\t0+$/);
  // Bit 12 is SIGPIPE, which Deno ignores.
  assertEquals(Number(`0x${ignored!.split("\t")[1]}`) & 0x1000, 0);
  assertEquals(descriptors.length, await inherited());
  const session = "echo $$; cut -d' ' -f6 /proc/$$/stat";
  const [pid, leader] = (await shell(netns, session, { detached: true })).trim().split("\n");
  assertEquals(leader, pid);
  const [child, ours] = (await shell(netns, session)).trim().split("\n");
  assert(child !== ours);
});

kernelTest("what can't be started is refused", { run: true }, async ({ netns }) => {
  const refusals: [string, Parameters<typeof Netns.spawn>[2], RegExp][] = [
    ["/usr/bin/no-such-program", {}, /ENOENT.*there is no such program$/],
    ["true", { cwd: "/no/such" }, /ENOENT.*no directory \/no\/such$/],
    ["/etc", {}, /EACCES/],
    ["", {}, /at least one character/],
    ["a\0b", {}, /contains a NUL/],
    ["true", { args: ["a\0b"] }, /contains a NUL/],
    ["true", { cwd: "relative" }, /starts with no/],
    ["true", { env: { "A=B": "c" } }, /has no "="/],
  ];
  const before = children();
  for (const [command, options, message] of refusals) {
    const error = await assertRejects(() => Netns.spawn(netns, command, options), Error);
    assertMatch(error.message, message);
    assertMatch(error.message, /^Cannot run [^\n]+$/);
  }
  await assertRejects(() => Netns.spawn({ name: "no-such" }, "true"), NotFoundError);
  assertEquals(children(), before);
});

kernelTest("its namespace lives as long as it does", { run: true }, async ({ another }) => {
  const netns = await another();
  const { id } = netns;
  const child = await Netns.spawn(netns, "sleep", { args: ["60"] });
  netns.close();
  const found = () => Netns.listHeld().find((held) => held.id === id);
  await eventually(() => assertEquals(found()?.pids, [child.pid]));
  using reopened = Netns.open({ pid: child.pid });
  assertEquals(reopened.id, id);
  reopened.close();
  child.kill("SIGKILL");
  await child.status;
  await eventually(() => assertEquals(found(), undefined));
});

kernelTest("a hundred programs at once, each in its own namespace", {}, async ({ another }) => {
  const all = await Promise.all(Array.from({ length: 10 }, another));
  const seen = await Promise.all(
    Array.from(
      { length: 100 },
      (_, i) => shell(all[i % 10]!, `readlink /proc/self/ns/net; echo ${i}`),
    ),
  );
  assertEquals(seen, seen.map((_, i) => `net:[${all[i % 10]!.id}]\n${i}\n`));
});

kernelTest("the threads of programs serve modules too", { read: true }, async ({ netns }) => {
  await shell(netns, "true");
  const module = "data:text/javascript,export default () => Deno.readDirSync('/sys/class/net')" +
    ".map(({ name }) => name).toArray()";
  assertEquals(await runInNetns(netns, module), ["lo"]);
});
