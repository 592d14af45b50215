import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  ExistsError,
  InputError,
  listLinks,
  NetlinkError,
  Netns,
  type NetnsTarget,
  NotFoundError,
  processStartTime,
  readSysctl,
  type Rtnl,
  setLinkUp,
  withNetns,
} from "../../mod.ts";
import { createVethPair } from "../../overlay/links.ts";
import { AF_NETLINK, MS_BIND, O_TMPFILE, POLLIN, SOCK_RAW } from "../../ffi/constants.ts";
import { libc } from "../../ffi/libc.ts";
import { ready } from "../../ffi/poll.ts";
import {
  bindSocket,
  identify,
  mount,
  readFile,
  readLink,
  readSome,
  writeSome,
} from "../../ffi/system.ts";
import { eventually, kernelTest, runIn, threadNamespaces } from "../support.ts";

const HOME = readLink("/proc/self/ns/net");
/** Of <sys/socket.h>. */
const MSG_OOB = 1;
const MSGHDR_BYTES = 56;

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

kernelTest(
  "a name is given on a file system that has no files without a name",
  {},
  async () => {
    const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
    const symbols = libc();
    const { open } = symbols;
    let refused = 0;
    // Such as overlayfs has been. Netlink refuses urgent data with the same error.
    const socket = symbols.socket(AF_NETLINK, SOCK_RAW, 0);
    const refuse = () => Number(symbols.sendmsg(socket, new Uint8Array(MSGHDR_BYTES), MSG_OOB));
    Object.assign(symbols, {
      open: (path: Uint8Array<ArrayBuffer>, flags: number, mode: number) => {
        const isUnnamed = (flags & O_TMPFILE) === O_TMPFILE;
        if (!isUnnamed) return open(path, flags, mode);
        refused++;
        return refuse();
      },
    });
    try {
      using made = await Netns.create(name);
      assertEquals(Netns.list().find((named) => named.name === name), { name, id: made.id });
      await assertRejects(() => Netns.create(name), ExistsError);
      assertEquals(refused, 2);
    } finally {
      Object.assign(symbols, { open });
      symbols.close(socket);
      Netns.remove(name);
    }
    assertEquals(identify(`/run/netns/${name}`), -2);
  },
);

kernelTest(
  "a half-made name is taken over by whoever makes it again",
  { write: true },
  async () => {
    const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
    (await Netns.create(`${name}-dir`)).close();
    try {
      await Deno.writeTextFile(`/run/netns/${name}`, "");
      using made = await Netns.create(name);
      assertEquals(Netns.list().find((named) => named.name === name), { name, id: made.id });
      await assertRejects(() => Netns.create(name), ExistsError);
      // One that is being made at this moment is left to its maker.
      assertEquals(Netns.remove(name), true);
      await Deno.writeTextFile(`/run/netns/${name}`, "");
      const racing = Netns.create(name);
      await new Promise((resolve) => setTimeout(resolve, 200));
      using theirs = await Netns.create();
      assertEquals(mount(`/proc/self/fd/${theirs.fd}`, `/run/netns/${name}`, "none", MS_BIND), 0);
      await assertRejects(() => racing, ExistsError);
      using opened = Netns.open({ name });
      assert(opened.equals(theirs));
    } finally {
      for (const left of [name, `${name}-dir`]) Netns.remove(left);
    }
  },
);

/** A shell in a mount namespace of its own, one command after the other. */
async function elsewhere(propagation: "unchanged" | "private") {
  const child = new Deno.Command("unshare", {
    args: ["--mount", "--propagation", propagation, "sh"],
    ...{ stdin: "piped", stdout: "piped" },
  }).spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const run = async (command: string) => {
    await writer.write(new TextEncoder().encode(`${command}; echo "status $?"\n`));
    let said = "";
    while (!/^status \d+\n$/m.test(said)) said += (await reader.read()).value;
    return said;
  };
  await run("true");
  return {
    run,
    async [Symbol.asyncDispose]() {
      await writer.close();
      await child.status;
      await reader.cancel();
    },
  };
}

kernelTest("names are shared between mount namespaces, as those of ip are", {
  run: true,
}, async () => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  const named = () => Netns.list().find((other) => other.name === name);
  try {
    (await Netns.create(`${name}-first`)).close();
    await using there = await elsewhere("unchanged");
    (await Netns.create(name)).close();
    assertMatch(await there.run("ip netns list"), new RegExp(`^${name}$`, "m"));
    assertMatch(await there.run(`ip netns delete ${name}`), /^status 0$/m);
    assertEquals(named(), undefined);
    assertMatch(await there.run(`ip netns add ${name}`), /^status 0$/m);
    using opened = Netns.open({ name });
    assertEquals(named(), { name, id: opened.id });
    assertEquals(Netns.remove(name), true);
    assert(!new RegExp(`^${name}$`, "m").test(await there.run("ip netns list")));
  } finally {
    for (const left of [name, `${name}-first`]) Netns.remove(left);
  }
});

kernelTest("a name that is mounted in another mount namespace alone is taken", {
  run: true,
}, async () => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  (await Netns.create(`${name}-first`)).close();
  try {
    {
      await using there = await elsewhere("private");
      assertMatch(await there.run(`ip netns add ${name}`), /^status 0$/m);
      assertEquals(Netns.list().find((other) => other.name === name), { name, id: undefined });
      await assertRejects(() => Netns.create(name), ExistsError);
      const held = Netns.listHeld().find(({ mounts }) => mounts.includes(`/run/netns/${name}`));
      assertEquals(held?.names, []);
    }
    // With that mount namespace the namespace went; what is left is a half-made name.
    using made = await Netns.create(name);
    assertEquals(Netns.list().find((other) => other.name === name), { name, id: made.id });
  } finally {
    for (const left of [name, `${name}-first`]) Netns.remove(left);
  }
});

kernelTest("a process that was replaced by another with its number is not taken for it", {}, async (
  { netns },
) => {
  await using child = await Netns.spawn(netns, "sleep", { args: ["60"] });
  const startTime = processStartTime(child.pid);
  const [uptime] = readFile("/proc/uptime")!.split(" ");
  // Clock ticks are hundredths of a second on all architectures.
  assert(Math.abs(startTime / 100 - Number(uptime)) < 60);
  using opened = Netns.open({ pid: child.pid, startTime });
  assert(opened.equals(netns));
  assertThrows(
    () => Netns.open({ pid: child.pid, startTime: startTime - 1 }),
    NotFoundError,
    "another one now",
  );
  child.kill("SIGKILL");
  await child.status;
  assertThrows(() => Netns.open({ pid: child.pid, startTime }), NotFoundError, "no such process");
  assertThrows(() => processStartTime(child.pid), NotFoundError, "no such process");
});

kernelTest("namespaces have numbers in others", {}, async ({ netns, another }) => {
  const [one, two] = [await another(), await another()];
  assertEquals(await one.nsid({ netns }), undefined);
  assertEquals(await one.setNsid(7, { netns }), 7);
  assertEquals(await one.setNsid(7, { netns }), 7);
  assertEquals(await one.setNsid("auto", { netns }), 7);
  await assertRejects(() => one.setNsid(8, { netns }), ExistsError);
  await assertRejects(() => two.setNsid(7, { netns }), ExistsError);
  const allocated = await two.setNsid("auto", { netns });
  assert(allocated !== 7);
  assertEquals(await two.nsid({ netns }), allocated);
  // Each namespace counts for itself.
  assertEquals(await one.nsid({ netns: two }), undefined);
  for (const nsid of [-1, 1.5, NaN, 2 ** 31]) {
    await assertRejects(() => one.setNsid(nsid, { netns }), InputError, "whole number");
  }

  // By its number, as the calling thread's namespace counts.
  const here = await one.setNsid("auto");
  using opened = Netns.open({ nsid: here });
  assert(opened.equals(one));
  assertThrows(() => Netns.open({ nsid: 0x7ffffff }), NotFoundError, "netns list-id");
  assertThrows(() => Netns.open({ nsid: -1 }), InputError, "an nsid");
});

kernelTest("all that is held is listed, with who holds it", {}, async ({ netns, another }) => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  const held = (id: bigint) => Netns.listHeld().find((other) => other.id === id);
  const ids = Netns.listHeld().map(({ id }) => id);
  assertEquals(ids, ids.toSorted((a, b) => a < b ? -1 : 1));
  assertEquals(held(netns.id), {
    ...{ id: netns.id, names: [], pids: [], holders: [Deno.pid], mounts: [] },
  });
  assert(held(Netns.current().id)!.pids.includes(Deno.pid));
  await using child = await Netns.spawn(netns, "sleep", { args: ["60"] });
  const inside = [child.pid, Deno.pid].toSorted((a, b) => a - b);
  // This process has the thread inside that started the program.
  assertEquals(held(netns.id)!.pids, inside);
  try {
    const named = await Netns.create(name);
    named.close();
    const mounts = [`/run/netns/${name}`];
    assertEquals(held(named.id), { id: named.id, names: [name], pids: [], holders: [], mounts });
  } finally {
    Netns.remove(name);
  }
  const other = await another();
  other.close();
  assertEquals(held(other.id), undefined);
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

kernelTest("withNetns lets go at once when a signal says so", {}, async ({ netns }) => {
  const controller = new AbortController();
  let kept: Rtnl | undefined;
  const waiting = withNetns(netns, (rtnl) => {
    kept = rtnl;
    controller.abort(new RangeError("enough"));
    return new Promise(() => {});
  }, { signal: controller.signal });
  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => kept!.links.get({ index: 1 }), Error, "closed");
  const { signal } = controller;
  await assertRejects(() => withNetns(netns, () => 1, { signal }), RangeError);
  // While it waits for its turn.
  const later = new AbortController();
  const queued = withNetns(netns, () => 1, { signal: later.signal });
  later.abort(new RangeError("no more"));
  await assertRejects(() => queued, RangeError, "no more");
});

kernelTest("visits are made in the order in which they were asked for", {}, async ({ another }) => {
  const all = await Promise.all(Array.from({ length: 20 }, another));
  const order: number[] = [];
  await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    (await all[i % 20]!.connect()).close();
    order.push(i);
  }));
  assertEquals(order, order.map((_, i) => i));
});

kernelTest("visits at once each have what was asked for, beside some that are refused", {}, async (
  { another },
) => {
  const [one, two] = [await another(), await another()];
  await createVethPair("va", "vb", { netns: one, peerNetns: two });
  const refused = () => readSysctl("net.no.such.key", { netns: two });
  const [a, no, made, b, nor] = await Promise.allSettled(
    [one.connect(), refused(), Netns.create(), two.connect(), refused()] as const,
  );
  assert(no.status === "rejected" && nor.status === "rejected");
  assert(a.status === "fulfilled" && b.status === "fulfilled" && made.status === "fulfilled");
  using here = a.value;
  using there = b.value;
  using fresh = made.value;
  assertEquals(new Set(threadNamespaces()), new Set([HOME]));
  assertEquals(await Array.fromAsync(here.links.list(), ({ name }) => name), ["lo", "va"]);
  assertEquals(await Array.fromAsync(there.links.list(), ({ name }) => name), ["lo", "vb"]);
  assertEquals((await listLinks({ netns: fresh })).map(({ name }) => name), ["lo"]);
});

kernelTest("sockets of other families are opened in the namespace", {}, async (
  { netns, another },
) => {
  const other = await another();
  await createVethPair("va", "vb", { netns, peerNetns: other });
  await setLinkUp("va", { netns });
  await setLinkUp("vb", { netns: other });
  // struct sockaddr_ll (packet(7)): family, protocol, link, ...; broadcast of an unused protocol
  const [AF_PACKET, SOCK_RAW, ETH_P_ALL] = [17, 3, 0x300];
  await withNetns(netns, async (here) => {
    using sender = await here.openSocket(AF_PACKET, SOCK_RAW, ETH_P_ALL);
    await withNetns(other, async (there) => {
      using receiver = await there.openSocket(AF_PACKET, SOCK_RAW, ETH_P_ALL);
      const address = new DataView(new ArrayBuffer(20));
      address.setUint16(0, AF_PACKET, true);
      address.setUint16(2, ETH_P_ALL, true);
      address.setInt32(4, (await here.links.get({ name: "va" })).index!, true);
      assertEquals(bindSocket(sender.fd, new Uint8Array(address.buffer)), 0);
      const frame = new Uint8Array(60).fill(0xff, 0, 12);
      frame.set([0x88, 0xb5, ...new TextEncoder().encode("denolink")], 12);
      assertEquals(writeSome(sender.fd, frame), frame.length);
      for (let seen = false; !seen;) {
        assert(await ready(receiver.fd, POLLIN, 3000) > 0);
        const bytes = readSome(receiver.fd, 2000);
        seen = typeof bytes === "object" && bytes.toHex() === frame.toHex();
      }
    });
  });
  const error = await assertRejects(
    () => withNetns(netns, (rtnl) => rtnl.openSocket(4711, 1, 0)),
    NetlinkError,
  );
  assertEquals(error.code, "EAFNOSUPPORT");
});

kernelTest("a visiting thread that can't get home is replaced", { run: true }, async () => {
  // Root of a user namespace may make network namespaces, but not go back to one that is the host's.
  const script = `
    import { createVethPair, listLinks, Netns } from ${
    JSON.stringify(import.meta.resolve("../../mod.ts"))
  };
    const home = Deno.readLinkSync("/proc/self/ns/net");
    const seen = [];
    for (let i = 0; i < 3; i++) {
      using netns = await Netns.create();
      await createVethPair("va" + i, "vb" + i, { netns });
      seen.push((await listLinks({ netns })).map(({ name }) => name).sort());
    }
    // A thread may end while the list is being read.
    const netnsOf = (thread) => {
      try {
        return Deno.readLinkSync("/proc/self/task/" + thread + "/ns/net");
      } catch {
        return home;
      }
    };
    const threads = () => [...Deno.readDirSync("/proc/self/task")].map(({ name }) => netnsOf(name));
    for (let i = 0; i < 100 && threads().some((netns) => netns !== home); i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.log(JSON.stringify([seen, threads().filter((netns) => netns !== home)]));
  `;
  const { stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      "--user",
      "--map-root-user",
      ...[Deno.execPath(), "run", "-A", "--no-check", "--no-config"],
      `data:text/javascript,${encodeURIComponent(script)}`,
    ],
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(text(stderr), "");
  const wanted = [0, 1, 2].map((i) => ["lo", `va${i}`, `vb${i}`]);
  assertEquals(JSON.parse(text(stdout)), [wanted, []]);
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
