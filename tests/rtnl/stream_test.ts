import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Connection,
  InputError,
  InterruptedDumpError,
  link,
  NetlinkError,
  type Route,
  route,
  Rtnl,
} from "../../mod.ts";
import { LINK } from "../../rtnl/link.ts";
import { kernelTest } from "../support.ts";
import { acknowledgement, body, done, FakeKernel, message, type Queued } from "./fake_kernel.ts";

const MULTI = 0x2;
const INTERRUPTED = 0x10;
const entry = (sequence: number, index: number, flags = MULTI) =>
  message(16, sequence, flags, body(LINK, { index, name: `l${index}` }));

/** A kernel that lists so many links, each in a datagram of its own. */
function listing(count: number, flagsOf: (index: number, dump: number) => number = () => MULTI) {
  let dumps = 0;
  return new FakeKernel(([asked]): Queued[] => {
    const { sequence, flags } = asked!;
    if ((flags & 0x300) !== 0x300) return [acknowledgement(sequence)];
    dumps++;
    const entries = Array.from(
      { length: count },
      (_, i) => entry(sequence, i + 1, flagsOf(i + 1, dumps)),
    );
    return [...entries, done(sequence)];
  });
}

Deno.test("a short list that was interrupted is read anew before any of it is handed out", async () => {
  const kernel = listing(5, (index, dump) => index === 4 && dump < 3 ? MULTI | INTERRUPTED : MULTI);
  const rtnl = new Rtnl(new Connection(kernel));
  const found = await Array.fromAsync(rtnl.links.list(), ({ index }) => index);
  assertEquals(found, [1, 2, 3, 4, 5]);
  assertEquals(kernel.sent.length, 3);
});

Deno.test("a long list is handed out as it comes, and says so when it was interrupted", async () => {
  const kernel = listing(3000, (index) => index === 2500 ? MULTI | INTERRUPTED : MULTI);
  const connection = new Connection(kernel);
  let read = 0;
  const error = await assertRejects(async () => {
    for await (const _ of connection.stream(link.list())) read++;
  }, InterruptedDumpError);
  assertEquals([read, error.code, kernel.sent.length], [3000, "EINTR", 1]);
});

Deno.test("a list that is left early gives way to the next, and to changes", async () => {
  const rtnl = new Rtnl(new Connection(listing(3000)));
  for await (const { index } of rtnl.links.list()) {
    if (index === 1500) break;
  }
  await rtnl.links.set({ index: 1, mtu: 1400 });
  let read = 0;
  for await (const _ of rtnl.links.list()) read++;
  assertEquals(read, 3000);
});

Deno.test("lists inside lists, and changes inside them, lose nothing", async () => {
  const rtnl = new Rtnl(new Connection(listing(2000)));
  let outer = 0;
  let inner = 0;
  for await (const { index } of rtnl.links.list()) {
    outer++;
    if (index! % 500 !== 0) continue;
    await rtnl.links.set({ index, mtu: 1400 });
    for await (const _ of rtnl.links.list()) inner++;
    assertEquals((await rtnl.request(link.list())).length, 2000);
  }
  assertEquals([outer, inner], [2000, 8000]);
});

Deno.test("a refused list, a closed connection and a signal end the iteration", async () => {
  const refusing = new Connection(
    new FakeKernel(([asked]) => [acknowledgement(asked!.sequence, 1)]),
  );
  await assertRejects(() => Array.fromAsync(refusing.stream(link.list())), NetlinkError, "EPERM");

  const connection = new Connection(listing(3000));
  await assertRejects(
    async () => {
      for await (const { index } of connection.stream(link.list())) {
        if (index === 1200) connection.close();
      }
    },
    InputError,
    "closed",
  );

  const controller = new AbortController();
  const rtnl = new Rtnl(new Connection(listing(3000)));
  let read = 0;
  await assertRejects(
    async () => {
      for await (const _ of rtnl.links.list({}, { signal: controller.signal })) {
        if (++read === 1200) controller.abort(new Error("enough"));
      }
    },
    Error,
    "enough",
  );
  assert(read < 3000);
});

kernelTest("a large table is never held whole", {}, async ({ netns }) => {
  using rtnl = await netns.connect();
  await rtnl.links.set({ name: "lo", up: true });
  const { index } = await rtnl.links.get({ name: "lo" });
  const count = 300_000;
  const spec = (i: number): Route => ({
    dst: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    oif: index,
  });
  for (let start = 0; start < count; start += 10_000) {
    await rtnl.batch(Array.from({ length: 10_000 }, (_, i) => route.add(spec(start + i))));
  }
  const before = Deno.memoryUsage().heapUsed;
  let most = 0;
  let seen = 0;
  for await (const _ of rtnl.routes.list({ family: "inet", table: "main" })) {
    if (++seen % 5000 === 0) most = Math.max(most, Deno.memoryUsage().heapUsed - before);
  }
  assertEquals(seen, count);
  // Garbage counted, which was up to 33 MB; held whole, the routes alone are 70 MB (Deno 2.9.6).
  assert(most < 50e6, `${most} bytes more are in use in the middle of the list`);
});

kernelTest("filters are the kernel's: what does not match is not sent", {}, async ({ netns }) => {
  using rtnl = await netns.connect();
  await rtnl.links.set({ name: "lo", up: true });
  const { index } = await rtnl.links.get({ name: "lo" });
  await rtnl.links.add({ name: "br0", linkInfo: { kind: "bridge" } });
  const bridge = await rtnl.links.get({ name: "br0" });
  await rtnl.links.add({
    name: "a",
    master: bridge.index,
    linkInfo: { kind: "veth", data: { peer: { name: "b" } } },
  });
  const b = await rtnl.links.get({ name: "b" });
  await rtnl.routes.add({ dst: "10.1.0.0", dstLength: 16, oif: index, table: 1000 });
  await rtnl.routes.add({ dst: "10.2.0.0", dstLength: 16, oif: index, protocol: "static" });
  await rtnl.neighbours.add({ index: b.index, dst: "10.0.0.9", address: "02:00:00:00:00:09" });
  await rtnl.nexthops.add({ id: 1, oif: index });
  const read = async (list: AsyncIterable<object>) =>
    (await Array.fromAsync(list) as { name?: string; dst?: string; id?: number }[])
      .map(({ name, dst, id }) => name ?? dst ?? id);
  assertEquals(await read(rtnl.links.list({ linkInfo: { kind: "bridge" } })), ["br0"]);
  assertEquals(await read(rtnl.links.list({ master: bridge.index })), ["a"]);
  assertEquals(await read(rtnl.routes.list({ family: "inet", table: 1000 })), ["10.1.0.0"]);
  assertEquals(await read(rtnl.routes.list({ family: "inet", protocol: "static" })), ["10.2.0.0"]);
  assertEquals(await read(rtnl.routes.list({ family: "inet", oif: b.index })), []);
  assertEquals(await read(rtnl.neighbours.list({ index: b.index, family: "inet" })), ["10.0.0.9"]);
  assertEquals(await read(rtnl.neighbours.list({ index, family: "inet" })), []);
  assertEquals(await read(rtnl.nexthops.list({ oif: index })), [1]);
  assertEquals(await read(rtnl.nexthops.list({ groups: true })), []);
  assertEquals(await read(rtnl.forwarding.list({ master: bridge.index, index: b.index })), []);
});
