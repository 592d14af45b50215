import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  ExistsError,
  InputError,
  listLinks,
  Netns,
  type NetnsTarget,
  NotFoundError,
  readSysctl,
  withNetns,
} from "../../mod.ts";
import { createVethPair } from "../../overlay/links.ts";
import { identify, readLink } from "../../ffi/system.ts";
import { eventually, kernelTest, runIn, threadNamespaces } from "../support.ts";

const HOME = readLink("/proc/self/ns/net");

kernelTest(
  "a namespace is pinned by path, descriptor, pid and itself",
  { run: true },
  async ({ netns }) => {
    const child = new Deno.Command("nsenter", {
      args: [`--net=/proc/${Deno.pid}/fd/${netns.fd}`, "--", "sleep", "60"],
      stdin: "null",
    }).spawn();
    await eventually(() =>
      assertEquals(readLink(`/proc/${child.pid}/ns/net`), `net:[${netns.id}]`)
    );
    const targets: NetnsTarget[] = [
      netns,
      { fd: netns.fd },
      { path: `/proc/${child.pid}/ns/net` },
      { pid: child.pid },
    ];
    for (const target of targets) {
      using again = Netns.open(target);
      assert(again.equals(netns));
      assert(again.fd !== netns.fd);
    }
    child.kill("SIGKILL");
    await child.status;
    assertThrows(() => Netns.open({ pid: child.pid }), NotFoundError, "no such process");
  },
);

kernelTest("what is no network namespace is refused", {}, ({ netns }) => {
  const refusals: [NetnsTarget, new (...args: never[]) => Error, RegExp][] = [
    [{ pid: 0 }, InputError, /process id/],
    [{ pid: 1.5 }, InputError, /process id/],
    [{ pid: 0x7fffffff }, NotFoundError, /no such process/],
    [{ fd: -1 }, InputError, /descriptor/],
    [{ fd: 0x7ffffff }, Error, /EBADF/],
    [{ path: "proc/self/ns/net" }, InputError, /starts with "\/"/],
    [{ path: "/proc/self/ns/mnt" }, InputError, /no network namespace/],
    [{ path: "/proc/self/status" }, InputError, /no network namespace/],
    [{ path: "/proc" }, InputError, /no network namespace/],
    [{ path: "/no/such/file" }, NotFoundError, /no such file/],
    [{ name: "no-such-name" }, NotFoundError, /netns list/],
    ...["", ".", "..", "a/b", "a\nb", "x".repeat(256)].map((
      name,
    ): [NetnsTarget, new (...args: never[]) => Error, RegExp] => [{ name }, InputError, /name/]),
  ];
  for (const [target, kind, message] of refusals) {
    const error = assertThrows(() => Netns.open(target), kind as typeof Error);
    assertMatch(error.message, message);
    assertMatch(error.message, /^Cannot [^\n]+$/);
  }
  assert(netns.id > 0n);
});

kernelTest("a closed one can't be used, and closes twice", {}, async ({ another }) => {
  const netns = await another();
  netns.close();
  netns.close();
  assertThrows(() => netns.fd, InputError, "closed");
  await assertRejects(() => netns.connect(), InputError);
});

kernelTest("named ones are those of ip netns, both ways", { run: true }, async ({ netns }) => {
  const own = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  const theirs = `${own}-ip`;
  const listed = (name: string) => Netns.list().find((named) => named.name === name);
  const ip = async (...args: string[]) => await runIn(netns, "ip", "netns", ...args);
  try {
    using created = await Netns.create(own);
    assertEquals(listed(own)?.id, created.id);
    assertMatch(await ip("list"), new RegExp(`^${own}( |$)`, "m"));
    await assertRejects(() => Netns.create(own), ExistsError, own);
    using opened = Netns.open({ name: own });
    assert(opened.equals(created));

    // nsenter does not leave this mount namespace, so its ip sees the same directory.
    await ip("add", theirs);
    using foreign = Netns.open({ name: theirs });
    assertEquals(listed(theirs)?.id, foreign.id);
    assertEquals(Netns.remove(theirs), true);
    assert(!(await ip("list")).includes(theirs));
    await ip("delete", own);
    assertEquals(listed(own), undefined);
    assertEquals(Netns.remove(own), false);
  } finally {
    for (const name of [own, theirs]) Netns.remove(name);
  }
});

kernelTest("a half-made name is told apart, and can be removed", { write: true }, async () => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  (await Netns.create(`${name}-dir`)).close();
  try {
    // A crash between creating the file and the mount leaves this.
    await Deno.writeTextFile(`/run/netns/${name}`, "");
    assertEquals(Netns.list().find((named) => named.name === name), { name, id: undefined });
    assertThrows(() => Netns.open({ name }), InputError, "no network namespace");
    assertEquals(Netns.remove(name), true);
    assertEquals(identify(`/run/netns/${name}`), -2);
  } finally {
    for (const left of [name, `${name}-dir`]) Netns.remove(left);
  }
});

kernelTest("withNetns acts there, closes both, and passes errors on", {}, async ({ netns }) => {
  await createVethPair("vh0", "vp0", { netns });
  const names = await withNetns(
    netns,
    (rtnl) => Array.fromAsync(rtnl.links.list(), (it) => it.name),
  );
  assertEquals(names.toSorted(), ["lo", "vh0", "vp0"]);
  let kept: { close(): void } | undefined;
  const error = await assertRejects(
    () =>
      withNetns({ fd: netns.fd }, (rtnl) => {
        kept = rtnl;
        throw new Error("mine");
      }),
    Error,
  );
  assertEquals(error.message, "mine");
  kept!.close();
  assertEquals(new Set(threadNamespaces()), new Set([HOME]));
});

kernelTest("many namespaces at once, each answers for itself", {}, async ({ another }) => {
  const all = await Promise.all(Array.from({ length: 50 }, another));
  await Promise.all(all.map((netns, i) => createVethPair(`vh${i}`, `vp${i}`, { netns })));
  const names = await Promise.all(
    all.map(async (netns) => (await listLinks({ netns })).map(({ name }) => name).toSorted()),
  );
  assertEquals(names, all.map((_, i) => ["lo", `vh${i}`, `vp${i}`]));
  assertEquals(new Set(threadNamespaces()), new Set([HOME]));
});

kernelTest(
  "the visiting thread ends when idle, and the next job starts another",
  {},
  async ({ netns }) => {
    const connect = async () => (await netns.connect()).close();
    await connect();
    const busy = threadNamespaces().length;
    await eventually(() => assert(threadNamespaces().length < busy));
    // Jobs that come while it leaves are not lost.
    for (let i = 0; i < 40; i++) {
      await new Promise((resolve) => setTimeout(resolve, 990 + i % 20));
      await connect();
      if (i >= 4) break;
    }
    // A refused job leaves it usable.
    await assertRejects(() => readSysctl("net.no.such.key", { netns }), NotFoundError);
    await connect();
  },
);
