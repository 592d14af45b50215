import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type ChangeEvent,
  Connection,
  InputError,
  type Link,
  link,
  type LinkSpec,
  type Monitor,
  type MonitoredObject,
  type MonitorEvent,
  netnsId,
  type OverflowEvent,
  type Route,
  route,
  Rtnl,
} from "../../mod.ts";
import { LINK } from "../../rtnl/link.ts";
import { eventually, kernelTest } from "../support.ts";
import { body, done, FakeKernel, joined, message } from "./fake_kernel.ts";

const PAIR: LinkSpec = {
  name: "a",
  linkInfo: { kind: "veth", data: { peer: { name: "b" } } },
};

/** Reads events until one satisfies; gives all of them. */
async function until<Objects extends MonitoredObject>(
  monitor: Monitor<Objects>,
  last: (event: MonitorEvent<Objects>) => boolean,
): Promise<MonitorEvent<Objects>[]> {
  const events: MonitorEvent<Objects>[] = [];
  const iterator = monitor[Symbol.asyncIterator]();
  for (;;) {
    const { value } = await iterator.next();
    if (value === undefined) throw new Error(`the monitor ended after ${events.length} events`);
    events.push(value);
    if (last(value)) return events;
  }
}

function changes<Object extends MonitoredObject>(
  events: MonitorEvent<Object>[],
): Exclude<MonitorEvent<Object>, OverflowEvent>[] {
  return events.filter((event) => event.event !== "overflow") as Exclude<
    MonitorEvent<Object>,
    OverflowEvent
  >[];
}

kernelTest(
  "events tell what is new, changed and gone, with the old value",
  {},
  async ({ netns }) => {
    using rtnl = await netns.connect();
    using monitor = rtnl.monitor(["link"]);
    await monitor.started;
    await rtnl.links.add(PAIR);
    await rtnl.links.set({ name: "a", mtu: 1400 });
    await rtnl.links.set({ name: "lo", up: true });
    await rtnl.links.delete({ name: "a" });
    const events = changes(
      await until(monitor, ({ event }) => event === "deleted") as MonitorEvent<"link">[],
    );
    const of = (name: string) => events.filter(({ value }) => value.name === name);
    assertEquals(of("a")[0]?.event, "new");
    assertEquals(of("a")[0]?.old, undefined);
    const changed = of("a").find(({ event, value }) => event === "changed" && value.mtu === 1400);
    assertEquals([changed?.old?.mtu, changed?.value.kind], [1500, "veth"]);
    // What was there before the monitor is no news.
    assertEquals(of("lo")[0]?.event, "changed");
    assertEquals(of("lo")[0]?.old?.flags?.includes("up"), false);
    assertEquals(events.at(-1)?.old?.mtu, events.at(-1)?.value.name === "a" ? 1400 : 1500);
  },
);

kernelTest(
  "what the kernel takes away without a word is told all the same",
  {},
  async ({ netns }) => {
    using rtnl = await netns.connect();
    await rtnl.links.add({ ...PAIR, up: true });
    await rtnl.links.set({ name: "b", up: true });
    const { index } = await rtnl.links.get({ name: "b" });
    await rtnl.addresses.add({ index, local: "10.0.0.1", prefixLength: 24 });
    await rtnl.routes.add({ dst: "10.9.0.0", dstLength: 16, gateway: "10.0.0.2" });
    await rtnl.nexthops.add({ id: 7, oif: index, gateway: "10.0.0.3" });
    using monitor = rtnl.monitor(["route", "nexthop"]);
    await monitor.started;
    await rtnl.links.delete({ name: "a" });
    const events = changes(
      await until(monitor, (event) => event.event === "deleted" && event.object === "nexthop"),
    );
    const gone = events.find(({ object, value }) =>
      object === "route" && (value as Route).dst === "10.9.0.0"
    );
    assertEquals([gone?.event, gone?.missed], ["deleted", true]);
  },
);

kernelTest(
  "after an overflow the missed changes follow, and the view is the kernel's",
  {},
  async ({ netns }) => {
    using rtnl = await netns.connect();
    await rtnl.links.set({ name: "lo", up: true });
    const { index } = await rtnl.links.get({ name: "lo" });
    using monitor = rtnl.monitor(["route"], { receiveBuffer: 4096 });
    await monitor.started;
    const spec = (i: number) => ({ dst: `10.${i >> 8}.${i & 255}.1`, oif: index });
    const view = new Map<string, Route>();
    let overflows = 0;
    let missed = 0;
    const reading = (async () => {
      for await (const event of monitor) {
        if (event.event === "overflow") {
          overflows++;
          continue;
        }
        if (event.missed) missed++;
        const key = `${event.value.family} ${event.value.table} ${event.value.dst}`;
        assertEquals(event.old, view.get(key));
        if (event.event === "deleted") view.delete(key);
        else view.set(key, event.value);
      }
    })();
    for await (const there of rtnl.routes.list()) {
      view.set(`${there.family} ${there.table} ${there.dst}`, there);
    }
    const numbers = Array.from({ length: 4000 }, (_, i) => i);
    await rtnl.batch(numbers.map((i) => route.add(spec(i))));
    await rtnl.batch(numbers.filter((i) => i % 3 === 0).map((i) => route.delete(spec(i))));
    await rtnl.batch(
      numbers.filter((i) => i % 3 === 1).map((i) =>
        route.replace({ ...spec(i), metrics: { mtu: 1300 } })
      ),
    );
    await eventually(async () => {
      const kernel = await Array.fromAsync(rtnl.routes.list());
      const tuple = ({ family, table, dst, metrics }: Route) =>
        `${family} ${table} ${dst} ${metrics?.mtu}`;
      assertEquals([...view.values()].map(tuple).sort(), kernel.map(tuple).sort());
    });
    assert(overflows > 0, "nothing was lost");
    assert(missed > 0, "nothing was found by comparing");
    monitor.close();
    await reading;
  },
);

kernelTest("events of other namespaces have their number", {}, async (kernel) => {
  const other = await kernel.another();
  using rtnl = await kernel.netns.connect();
  using there = await other.connect();
  await rtnl.netnsIds.add({ fd: other.fd, nsid: 5 });
  using monitor = rtnl.monitor(["link"], { allNamespaces: true });
  await monitor.started;
  await there.links.add({ ...PAIR, name: "elsewhere" });
  await rtnl.links.add({ ...PAIR, name: "here" });
  const events = changes(
    await until(
      monitor,
      (event) => event.event !== "overflow" && event.value.name === "here",
    ),
  );
  const numberOf = (name: string) =>
    events.filter(({ value }) => value.name === name).map(({ nsid }) => nsid);
  assertEquals(new Set(numberOf("elsewhere")), new Set([5]));
  assertEquals(new Set(numberOf("here")), new Set([undefined]));
  assertEquals((await rtnl.request(netnsId.get({ fd: other.fd }))).nsid, 5);
});

kernelTest("close wakes a reader at once, and so does a signal", {}, async ({ netns }) => {
  using rtnl = await netns.connect();
  const closed = rtnl.monitor(["link"]);
  const reading = closed[Symbol.asyncIterator]().next();
  await closed.started;
  setTimeout(() => closed.close(), 20);
  assertEquals((await reading).done, true);
  closed.close();

  const controller = new AbortController();
  const aborted = rtnl.monitor(["link"], { signal: controller.signal });
  await aborted.started;
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await assertRejects(() => Array.fromAsync(aborted), Error, "enough");

  const unread = rtnl.monitor(["link"]);
  unread.close();
  await unread.started;
  // Never iterated, closed while it starts: nothing may stay open, which the test's frame checks.
});

Deno.test("only what the kernel tells of can be monitored", () => {
  const rtnl = new Rtnl(new Connection(new FakeKernel(() => [])));
  assertThrows(() => rtnl.monitor(["liink" as "link"]), InputError, "name some of link, address");
  assertThrows(() => rtnl.monitor([]), InputError, "Cannot monitor nothing");
});

Deno.test("a port that leaves its bridge is no link that ends", async () => {
  const lo = body(LINK, { index: 1, name: "lo" });
  const kernel = new FakeKernel(([asked]) => [
    joined(message(16, asked!.sequence, 2, lo), done(asked!.sequence)),
  ]);
  using monitor = new Rtnl(new Connection(kernel)).monitor(["link"]);
  await monitor.started;
  assertEquals(kernel.events.groups, [1]);
  kernel.events.tell(
    message(17, 0, 0, body(LINK, { family: "bridge", index: 1, name: "lo" })),
    message(16, 0, 0, body(LINK, { index: 1, name: "lo", mtu: 9 })),
  );
  const [event] = await until(monitor, () => true) as ChangeEvent<"link">[];
  assertEquals([event?.event, event?.old, event?.value], [
    "changed",
    { ...decoded(), name: "lo" },
    { ...decoded(), name: "lo", mtu: 9 },
  ]);
});

Deno.test("what overflow hid is told by comparing, oldest first, and only what is different", async () => {
  const known = ["lo", "gone", "same", "fresh"];
  let names = ["lo", "gone", "same"];
  const kernel = new FakeKernel(([asked]) => [
    joined(
      ...names.map((name) =>
        message(
          16,
          asked!.sequence,
          2,
          body(LINK, { index: known.indexOf(name), name }),
        )
      ),
      done(asked!.sequence),
    ),
  ]);
  using monitor = new Rtnl(new Connection(kernel)).monitor(["link"]);
  await monitor.started;
  names = ["lo", "same", "fresh"];
  // What waits behind the loss is outdated, and not told twice.
  kernel.events.tell(-105, message(16, 0, 0, body(LINK, { index: 99, name: "late" })));
  const events = await until(monitor, (event) => event.event === "new");
  assertEquals(
    events.map((event) =>
      event.event === "overflow" ? "overflow" : [event.event, event.value.name, event.missed]
    ),
    ["overflow", ["deleted", "gone", true], ["new", "fresh", true]],
  );
});

function decoded(): Link {
  return { family: "unspec", type: 0, index: 1, flags: [], change: [] };
}

kernelTest("a request can be given up; what was sent is carried out", {}, async ({ netns }) => {
  using rtnl = await netns.connect();
  const reason = new Error("no patience");
  await assertRejects(
    () => rtnl.links.add(PAIR, { signal: AbortSignal.abort(reason) }),
    Error,
    "no patience",
  );
  assertEquals((await Array.fromAsync(rtnl.links.list())).map(({ name }) => name), ["lo"]);
  const controller = new AbortController();
  const adding = rtnl.links.add(PAIR, { signal: controller.signal });
  controller.abort(reason);
  await assertRejects(() => adding, Error, "no patience");
  await eventually(async () => assertEquals((await rtnl.links.get({ name: "a" })).name, "a"));
  await assertRejects(
    () => rtnl.batch([link.delete({ name: "a" })], { signal: AbortSignal.abort(reason) }),
    Error,
    "no patience",
  );
  await rtnl.links.get({ name: "b" });
});
