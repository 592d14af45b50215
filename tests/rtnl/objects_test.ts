/**
 * Each thing is made twice, by `ip` in one namespace and by us in another: `ip` must then see the same
 * in both, and we must understand all that the kernel says of it.
 */

import { assert, assertEquals } from "@std/assert";
import type { Netns, Rtnl } from "../../mod.ts";
import { kernelTest, runIn } from "../support.ts";
import { LINKS, OBJECTS, SETTING } from "./cases.ts";
import { carryOut, lackedByKernel, stable, unknownIn } from "./referee.ts";

for (const thing of [...LINKS, ...OBJECTS]) {
  const lacking = await lackedByKernel(thing);
  const name = `${thing.name}: what ip makes, we make, and understand`;
  if (lacking !== undefined) {
    Deno.test({ name: `${name} (ignored: this kernel: ${lacking})`, ignore: true, fn() {} });
    continue;
  }
  kernelTest(name, { run: true }, async (kernel) => {
    const other = await kernel.another();
    using theirs = await kernel.netns.connect();
    using ours = await other.connect();
    for (const rtnl of [theirs, ours]) await carryOut(rtnl, SETTING);
    if (thing.before !== undefined) {
      for (const netns of [kernel.netns, other]) await runIn(netns, ...thing.before.split(" "));
    }
    for (const words of thing.words) await runIn(kernel.netns, ...words.trim().split(/\s+/));
    await carryOut(ours, thing.requests);
    const shown = await Promise.all([kernel.netns, other].map((netns) => show(netns, thing.show)));
    assert(JSON.stringify(shown[0]).length > 10, `${thing.show} shows nothing`);
    assertEquals(shown[1], shown[0]);
    for (const rtnl of [theirs, ours]) {
      assertEquals(unknownIn(await everything(rtnl)), [], "attributes without a row");
    }
  });
}

async function show(netns: Netns, words: string): Promise<unknown> {
  const [program, ...rest] = words.split(" ");
  const output = await runIn(netns, program!, "-j", ...rest);
  // Classes are shown as text, also with -j.
  return /^\s*\[/.test(output) ? stable(JSON.parse(output)) : output;
}

/** All that the kernel has to say. */
async function everything(rtnl: Rtnl): Promise<unknown[]> {
  const links = await Array.fromAsync(rtnl.links.list({ extendedMask: 0 }));
  const all: unknown[] = [...links];
  const add = async (list: AsyncIterable<object>) => {
    for await (const value of list) all.push(value);
  };
  await add(rtnl.addresses.list());
  await add(rtnl.addressLabels.list());
  await add(rtnl.routes.list());
  await add(rtnl.nexthops.list());
  await add(rtnl.nexthopBuckets.list());
  await add(rtnl.rules.list());
  await add(rtnl.neighbours.list());
  await add(rtnl.neighbourTables.list());
  await add(rtnl.forwarding.list());
  await add(rtnl.bridgeVlans.list());
  await add(rtnl.multicastGroups.list());
  await add(rtnl.qdiscs.list());
  await add(rtnl.linkStatistics.list({ filter: ["link", "kind", "portKind"] }));
  await add(rtnl.netnsIds.list());
  for (const { index } of links) {
    await add(rtnl.trafficClasses.list({ index }));
    for (const parent of ["root", "1:", "ffff:fff2", "ffff:fff3"]) {
      await add(rtnl.filters.list({ index, parent }));
    }
  }
  return all;
}

kernelTest(
  "the settings of neighbours are read and changed as ip ntable has them",
  { run: true },
  async ({ netns, ip }) => {
    using rtnl = await netns.connect();
    await carryOut(rtnl, SETTING);
    await rtnl.neighbourTables.set({
      family: "inet",
      name: "arp_cache",
      parameters: { index: 10, baseReachableTime: 7000n, queueLength: 77, unicastProbes: 5 },
    });
    const tables = await Array.fromAsync(rtnl.neighbourTables.list({ family: "inet" }));
    const own = tables.find(({ parameters }) => parameters?.index === 10)?.parameters;
    const [shown] = (await ip("ntable", "show", "dev", "eth0", "name", "arp_cache")) as {
      base_reachable: number;
      queue: number;
      ucast_probes: number;
    }[];
    assertEquals([shown?.base_reachable, shown?.queue, shown?.ucast_probes], [7000, 77, 5]);
    assertEquals(
      [own?.baseReachableTime, own?.queueLength, own?.unicastProbes],
      [7000n, 77, 5],
    );
    assert(tables.some(({ name, config }) => name === "arp_cache" && config?.keyLength === 4));
  },
);

kernelTest("a link's counters are those that ip shows", { run: true }, async ({ netns, ip }) => {
  using rtnl = await netns.connect();
  await carryOut(rtnl, SETTING);
  await runIn(netns, "sh", "-c", "ping -c 2 -i 0.05 -w 2 127.0.0.1 >/dev/null 2>&1 || true");
  const lo = await rtnl.linkStatistics.get({ index: 1 });
  const [shown] = await ip("-s", "link", "show", "lo");
  assertEquals(Number(lo.link?.rxBytes), shown.stats64.rx.bytes);
  const all = await Array.fromAsync(rtnl.linkStatistics.list());
  assertEquals(all.map(({ index }) => index).sort(), [1, 10, 11]);
});

kernelTest("namespaces are counted, and found by their numbers", { run: true }, async (kernel) => {
  const other = await kernel.another();
  using rtnl = await kernel.netns.connect();
  assertEquals((await rtnl.netnsIds.get({ fd: other.fd })).nsid, -1);
  await rtnl.netnsIds.add({ fd: other.fd });
  const { nsid } = await rtnl.netnsIds.get({ fd: other.fd });
  assertEquals((await Array.fromAsync(rtnl.netnsIds.list())).map(({ nsid }) => nsid), [nsid]);
  // A link of there, asked for here by that number.
  const far = await rtnl.links.get({ name: "lo", targetNetnsId: nsid });
  assertEquals([far.name, far.targetNetnsId], ["lo", nsid]);
});
