import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  Connection,
  ExistsError,
  InputError,
  InterruptedDumpError,
  link,
  NetlinkError,
  NotFoundError,
  type Request,
  route,
  rule,
} from "../../mod.ts";
import { LINK } from "../../rtnl/link.ts";
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
const MULTI = 0x2;
const INTERRUPTED = 0x10;
const ENOBUFS = 105;

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

Deno.test("reads and changes go in groups of their own, a dump ends its group", async () => {
  const kernel = new FakeKernel((asked) =>
    asked.map(({ sequence, type, flags }) =>
      flags & 0x300 && type === 18
        ? done(sequence)
        : type === 18
        ? entry(sequence, "x", 0)
        : acknowledgement(sequence)
    )
  );
  const requests = [
    link.set({ name: "a" }),
    link.set({ name: "b" }),
    link.get({ name: "c" }),
    link.list(),
    link.list(),
    link.set({ name: "d" }),
  ];
  await new Connection(kernel).batch(requests as [Request<unknown>]);
  assertEquals(kernel.sent.map((group) => group.length), [2, 2, 1, 1]);
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
