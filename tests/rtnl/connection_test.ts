import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  address,
  Connection,
  ExistsError,
  InputError,
  InterruptedDumpError,
  link,
  NetlinkError,
  NotFoundError,
  type Request,
  route,
  Rtnl,
  rule,
} from "../../mod.ts";
import { Buffer } from "../../rtnl/codec/buffer.ts";
import { LINK } from "../../rtnl/link.ts";
import { AF_NETLINK, SO_RCVBUF, SOCK_RAW, SOL_SOCKET } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink_socket.ts";
import { setSocketOption } from "../../ffi/system.ts";
import { kernelTest } from "../support.ts";
import {
  acknowledgement,
  body,
  done,
  FakeKernel,
  joined,
  message,
  type Queued,
} from "./fake_kernel.ts";

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const NLM_F_DUMP = 0x300;
const MULTI = 0x2;
const INTERRUPTED = 0x10;
const ENOBUFS = 105;
const EBUSY = 16;

const entry = (sequence: number, name: string, flags = MULTI) =>
  message(RTM_NEWLINK, sequence, flags, body(LINK, { index: 1, name }));

const names = (links: { name?: string | undefined }[]) => links.map(({ name }) => name);

Deno.test("an interrupted dump is read anew", () => {
  let attempt = 0;
  const kernel = new FakeKernel(([{ sequence } = { sequence: 0 }]) => [
    entry(sequence, `a${++attempt}`, attempt < 3 ? MULTI | INTERRUPTED : MULTI),
    done(sequence),
  ]);
  assertEquals(names(new Connection(kernel).requestSync(link.list())), ["a3"]);
  assertEquals(kernel.sent.length, 3);
});

Deno.test("a dump that is interrupted each time gives what it read with its error", async () => {
  const kernel = new FakeKernel(([{ sequence } = { sequence: 0 }]) => [
    entry(sequence, "a"),
    done(sequence, MULTI | INTERRUPTED),
  ]);
  const connection = new Connection(kernel);
  for (const ask of [() => connection.request(link.list()), () => batched(connection)]) {
    const error = await assertRejects(ask, InterruptedDumpError);
    assertEquals(names(error.partial as { name: string }[]), ["a"]);
    assertEquals(error.code, "EINTR");
  }
});

async function batched(connection: Connection): Promise<void> {
  const [result] = await connection.batch([link.list()]);
  throw result;
}

Deno.test("a dump whose answers were lost is read anew, a change says that its answer was", async () => {
  let lost = false;
  const kernel = new FakeKernel(([{ sequence } = { sequence: 0 }]) => {
    const first = !lost;
    lost = true;
    return first ? [entry(sequence, "a"), -ENOBUFS] : [entry(sequence, "b"), done(sequence)];
  });
  assertEquals(names(new Connection(kernel).requestSync(link.list())), ["b"]);

  const forgetful = new Connection(new FakeKernel(() => [-ENOBUFS]));
  const error = await assertRejects(() => forgetful.request(link.set({ name: "a" })), NetlinkError);
  assertEquals(error.code, "ENOBUFS");
  assert(error.message.includes("look whether it was carried out"));
});

Deno.test("answers come in any order, with strangers between, many in a datagram or late", async () => {
  const kernel = new FakeKernel((asked, kernel): Queued[] => {
    const [a, b, c] = asked.map(({ sequence }) => sequence) as [number, number, number];
    const stray = joined(
      message(1, a, 0, new Uint8Array(4)), // NLMSG_NOOP
      acknowledgement(a + 1000, 1),
      entry(b, "second", 0),
    );
    kernel.later(joined(entry(c, "third", 0)));
    return [stray, entry(a, "first", 0)];
  });
  const asked = ["x", "y", "z"].map((name) => link.get({ name }));
  const found = await new Connection(kernel).batch(asked as [Request<{ name?: string }>]);
  assertEquals(names(found as { name?: string }[]), ["first", "second", "third"]);
});

Deno.test("garbage in place of an answer is an error, not a crash", () => {
  const cut = (sequence: number) => message(RTM_NEWLINK, sequence, 0, new Uint8Array(3));
  const connection = new Connection(
    new FakeKernel(([{ sequence } = { sequence: 0 }]) => [cut(sequence)]),
  );
  const error = assertThrows(() => connection.requestSync(link.get({ name: "a" })), NetlinkError);
  assertEquals(error.code, "EBADMSG");

  const silent = new Connection(new FakeKernel(() => [new Uint8Array(7)]));
  assertEquals(
    assertThrows(() => silent.requestSync(link.get({ name: "a" })), NetlinkError).code,
    "ETIMEDOUT",
  );
});

Deno.test("only the last change of a group asks for an ACK, and errors go where they belong", async () => {
  const kernel = new FakeKernel((asked) => [
    acknowledgement(asked[1]!.sequence, 17),
    acknowledgement(asked.at(-1)!.sequence),
  ]);
  const changes = ["a", "b", "c"].map((name) => link.set({ name, up: true }));
  const results = await new Connection(kernel).batch(changes);
  assertEquals(results.map((result) => result instanceof ExistsError), [false, true, false]);
  assertEquals(kernel.sent[0]!.map(({ flags }) => (flags & 4) !== 0), [false, false, true]);
});

Deno.test("reads and changes go in groups of their own", async () => {
  const kernel = new FakeKernel((asked) =>
    asked.flatMap(({ sequence, type, flags }) =>
      type !== RTM_GETLINK
        ? [acknowledgement(sequence)]
        : flags & NLM_F_DUMP
        ? [entry(sequence, "x"), done(sequence)]
        : [entry(sequence, "x", 0)]
    )
  );
  const set = link.set({ name: "a" });
  const requests = [set, set, link.get({ name: "c" }), link.list(), link.list(), set];
  const results = await new Connection(kernel).batch(requests as [Request<unknown>]);
  assertEquals(kernel.sent.map((group) => group.length), [2, 3, 1]);
  assertEquals(results.map(named), [undefined, undefined, "x", ["x"], ["x"], undefined]);
  // So many answers that the kernel makes at once would not fit.
  await new Connection(kernel).batch(Array.from({ length: 20 }, () => link.list()));
  assertEquals(kernel.sent.slice(3).map((group) => group.length), [8, 8, 4]);
});

Deno.test("what is iterated is built while what came before is under way", async () => {
  let built = 0;
  const before: number[] = [];
  const kernel = new FakeKernel((asked) => {
    before.push(built);
    return [acknowledgement(asked[0]!.sequence, 17), acknowledgement(asked.at(-1)!.sequence)];
  });
  function* changes() {
    for (; built < 300; built++) yield link.set({ index: built + 1, up: true });
  }
  const results = await new Connection(kernel).batch(changes());
  assertEquals(kernel.sent.map((group) => group.length), [128, 128, 44]);
  // Never more than a group ahead, so that what is iterated may be without end.
  assertEquals(before, [128, 256, 300]);
  assertEquals(
    results.flatMap((result, index) => result instanceof ExistsError ? [index] : []),
    [0, 128, 256],
  );
});

Deno.test("when building throws, what was sent is waited for, and nothing follows", async () => {
  const kernel = new FakeKernel((asked) => [acknowledgement(asked.at(-1)!.sequence)]);
  function* changes() {
    for (let index = 1;; index++) yield link.set({ index: index > 200 ? NaN : index, up: true });
  }
  using connection = new Connection(kernel);
  const error = await assertRejects(() => connection.batch(changes()), InputError);
  assertMatch(error.message, /^Cannot set link number NaN: index: expected a whole number/);
  assertEquals(kernel.sent.map((group) => group.length), [128]);
  assertEquals(await connection.batch([link.set({ index: 1, up: true })]), [undefined]);
});

/** The names in an answer. */
function named(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(named);
  return (answer as { name?: string } | undefined)?.name;
}

Deno.test("a list that the kernel refuses because it is at another is asked for again", async () => {
  // Each time only the first list is made, and its end comes behind the refusals.
  const kernel = new FakeKernel((asked, kernel) => {
    const [{ sequence } = { sequence: 0 }, ...others] = asked;
    kernel.later(done(sequence));
    return [
      entry(sequence, `from ${asked.length}`),
      ...others.map(({ sequence }) => acknowledgement(sequence, EBUSY)),
    ];
  });
  const results = await new Connection(kernel).batch(Array.from({ length: 8 }, () => link.list()));
  assertEquals(results.map(named), [8, 7, 6, 5, 4, 3, 2, 1].map((length) => [`from ${length}`]));

  const busy = new FakeKernel((asked) =>
    asked.map(({ sequence }) => acknowledgement(sequence, EBUSY))
  );
  const [one, two] = await new Connection(busy).batch([link.list(), link.list()]);
  assertInstanceOf(one, InterruptedDumpError);
  assertInstanceOf(two, InterruptedDumpError);
  // Together, and then each as often as is worth it.
  assertEquals(busy.sent.length, 1 + 2 * 7);
});

Deno.test("requests have bytes of their own", () => {
  const buffers = Array.from({ length: 100 }, () => new Buffer());
  for (let round = 1; round <= 3; round++) {
    for (const [i, buffer] of buffers.entries()) {
      const at = buffer.reserve(i * 4);
      assert(buffer.bytes.subarray(at, at + i * 4).every((byte) => byte === 0));
      buffer.bytes.fill(i, at, at + i * 4);
      if (i % 3 === round - 1) assertEquals(buffer.finish().length, buffer.length);
    }
  }
  const made = [new Buffer(), new Buffer()].map((buffer) => {
    buffer.view.setUint32(buffer.reserve(8), 0xffffffff);
    return buffer.finish();
  });
  assertEquals(made.map((bytes) => bytes.toHex()), ["ffffffff00000000", "ffffffff00000000"]);
  for (const [i, buffer] of buffers.entries()) {
    const bytes = buffer.finish();
    assertEquals(bytes.length, i * 12);
    assert(bytes.every((byte) => byte === i));
  }
});

Deno.test("an object of a connection stays the same, and what it refuses is a rejection", async () => {
  const rtnl = new Rtnl(new Connection(new FakeKernel(() => [])));
  assert(rtnl.links === rtnl.links);
  const { get, list } = rtnl.links;
  await assertRejects(() => get({ index: -1.5 }), InputError);
  const entries = list({ index: -1.5 });
  await assertRejects(() => entries.next(), InputError);
  assertEquals(await entries.next(), { done: true, value: undefined });
});

Deno.test("stopOnError sends nothing behind the first error", async () => {
  const kernel = new FakeKernel((
    [{ sequence } = { sequence: 0 }],
  ) => [acknowledgement(sequence, 19)]);
  const changes = ["a", "b", "c"].map((name) => link.set({ name }));
  const results = await new Connection(kernel).batch(changes, { stopOnError: true });
  assertEquals(results.length, 1);
  assertInstanceOf(results[0], NotFoundError);
  assertEquals(kernel.sent.length, 1);
});

kernelTest(
  "thousands of requests, most of them refused, each get their own answer",
  {},
  async ({ netns }) => {
    using rtnl = await netns.connect();
    await rtnl.links.set({ name: "lo", up: true });
    const dst = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    const add = Array.from({ length: 5000 }, (_, i) => route.add({ dst: dst(i), oif: 1 }));
    assert((await rtnl.batch(add)).every((result) => result === undefined));
    const again = await rtnl.batch(add);
    assert(again.every((result) => result instanceof ExistsError));
    assertEquals(
      (again[4321] as unknown as NetlinkError).operation,
      `add route ${dst(4321)}/32 on link number 1`,
    );
    const listed = await Array.fromAsync(rtnl.routes.list({ table: "main", family: "inet" }));
    assertEquals(listed.length, 5000);
  },
);

kernelTest(
  "short lists and long ones at once are what they are one by one, however little room there is",
  {},
  async ({ netns }) => {
    using rtnl = await netns.connect();
    await rtnl.links.set({ name: "lo", up: true });
    const dst = (i: number) => `10.0.${i >> 8}.${i & 255}`;
    await rtnl.batch(Array.from({ length: 3000 }, (_, i) => route.add({ dst: dst(i), oif: 1 })));
    const lists = [link, rule, route, address, route, rule].map((object) => object.list());
    const lengths = (answers: unknown[]) => answers.map((it) => Array.isArray(it) ? it.length : it);
    const single: unknown[] = [];
    for (const list of lists) single.push(await rtnl.request<unknown[]>(list));
    assertEquals(lengths(single), [1, 7, 3004, 2, 3004, 7]);
    assertEquals(lengths(await rtnl.batch(lists)), lengths(single));

    const socket = new NetlinkSocket(await rtnl.openSocket(AF_NETLINK, SOCK_RAW, 0));
    using narrow = new Connection(socket);
    assertEquals(setSocketOption(socket.fd, SOL_SOCKET, SO_RCVBUF, 1), 0);
    assertEquals(lengths(await narrow.batch(lists)), lengths(single));
  },
);

kernelTest("filters are the kernel's, and lists are ip's", { run: true }, async ({ netns, ip }) => {
  using rtnl = await netns.connect();
  await ip("link", "add", "br0", "type", "bridge");
  for (const i of [0, 1, 2]) {
    await ip("link", "add", `vh${i}`, "type", "veth", "peer", "name", `vp${i}`);
  }
  await ip("link", "set", "vh1", "master", "br0");
  await ip("link", "set", "vh0", "up");
  await ip("addr", "add", "10.0.0.1/24", "dev", "vh0");
  await ip("addr", "add", "fd00::1/64", "dev", "vh1");
  const list = async (filter: Parameters<typeof rtnl.links.list>[0]) =>
    (await Array.fromAsync(rtnl.links.list(filter))).map(({ name }) => name).toSorted();
  assertEquals(await list({ linkInfo: { kind: "bridge" } }), ["br0"]);
  const br0 = await rtnl.links.get({ name: "br0" });
  assertEquals(await list({ master: br0.index }), ["vh1"]);
  assertEquals((await list({})).length, (await ip("link", "show")).length);
  const vh0 = await rtnl.links.get({ name: "vh0" });
  const addresses = await Array.fromAsync(
    rtnl.addresses.list({ index: vh0.index, family: "inet" }),
  );
  assertEquals(addresses.map(({ address }) => address), ["10.0.0.1"]);
  const routes = await Array.fromAsync(rtnl.routes.list({ table: "local", family: "inet" }));
  assertEquals(routes.length, (await ip("route", "show", "table", "local")).length);
});

kernelTest("many requests at once on one connection", {}, async ({ netns }) => {
  using rtnl = await netns.connect();
  const links = Array.from({ length: 40 }, (_, i) => i);
  await Promise.all(links.map((i) =>
    rtnl.links.add({
      name: `vh${i}`,
      linkInfo: { kind: "veth", data: { peer: { name: `vp${i}` } } },
    })
  ));
  const [one, all] = await Promise.all([
    rtnl.links.get({ name: "vp7" }),
    Array.fromAsync(rtnl.links.list()),
    ...links.map((i) => rtnl.links.set({ name: `vh${i}`, up: true })),
  ]);
  assertEquals(one.name, "vp7");
  assertEquals(all.length, 81);
});

kernelTest("a connection closes once, after what is under way", {}, async ({ netns }) => {
  const rtnl = await netns.connect();
  const change = rtnl.links.set({ name: "lo", up: true });
  rtnl.close();
  rtnl.close();
  await change;
  await assertRejects(() => rtnl.links.get({ name: "lo" }), InputError, "closed");
  await assertRejects(() => rtnl.links.set({ name: "lo", up: false }), InputError, "closed");
});

kernelTest("the kernel's objections become paths through the request", {}, async ({ netns }) => {
  using rtnl = await netns.connect();
  const refused = async (request: Request<unknown>) =>
    await assertRejects(() => rtnl.request(request), NetlinkError);
  const long = "a-name-of-sixteen";
  const name = await refused(link.add({ name: long, linkInfo: { kind: "bridge" } }));
  assertEquals([name.code, name.attribute, name.policy?.maxLength], ["ERANGE", "name", 15]);
  const peer = await refused(link.add({
    name: "vh0",
    linkInfo: { kind: "veth", data: { peer: { name: long } } },
  }));
  assertEquals(peer.attribute, "linkInfo.data.peer.name");
  assert(peer.message.includes("linkInfo.data.peer.name"));
  const label = await refused(rule.add({ family: "mpls", table: 7 }));
  assertEquals([label.code, label.kernelMessage], ["EAFNOSUPPORT", "Rule family not supported"]);
  const gateway = await refused(route.add({ gateway: "10.0.0.1", oif: 1 }));
  assertEquals(gateway.code, "ENETUNREACH");
});

kernelTest("a route that is prohibited is no missing privilege", {}, async ({ netns }) => {
  using rtnl = await netns.connect();
  await rtnl.links.set({ name: "lo", up: true });
  await rtnl.routes.add({ dst: "10.1.0.0", dstLength: 16, type: "prohibit" });
  const error = await assertRejects(() => rtnl.routes.get({ dst: "10.1.0.1" }), NetlinkError);
  assertEquals([error.code, error.name], ["EACCES", "NetlinkError"]);
  assert(error.message.endsWith("a rule or a route prohibits it"), error.message);
});
