/**
 * Detaches that wait for each other: done together, answered one by one.
 */

import { assert, assertEquals } from "@std/assert";
import { LOCK_EX, LOCK_NB } from "../../ffi/constants.ts";
import { Descriptor } from "../../ffi/descriptor.ts";
import { tryLock } from "../../ffi/system.ts";
import { attach, detach, listAttachments, NetlinkError, Netns, NotFoundError } from "../../mod.ts";
import { type Kernel, kernelTest } from "../support.ts";
import { type Change, changesIn, spoil, watchChanges } from "./changes.ts";
import { assertState, stateOf } from "./state.ts";
import { elsewhere, runVictim } from "./victim.ts";

const AUTO = {
  bridge: { name: "br0", addresses: ["10.0.0.1/24", "fd00::1/64"] },
  addresses: ["auto"],
  gateways: ["auto"],
};
const RTM_DELLINK = 17;
const NFT_MSG_DELRULE = 0x0a08;

/** Has calls wait for the host's lock, as behind another process, until all of them do. */
async function together<T>({ netns, another }: Kernel, ask: () => Promise<T>[]) {
  using file = Descriptor.open(`/proc/thread-self/fd/${netns.fd}`);
  assertEquals(tryLock(file.fd, LOCK_EX | LOCK_NB), 0);
  const asked = Promise.allSettled(ask());
  // The thread that opens their connections goes by the order in which it is asked.
  await another();
  file.close();
  return (await asked).map((it) => it.status === "fulfilled" ? it.value : it.reason as Error);
}

/** A host with two containers, attached as "a" and "b". */
async function withTwo({ netns, another }: Kernel) {
  const host = { netns };
  const [a, b] = [await another(), await another()];
  await attach({ ...AUTO, netns: a, id: "a" }, host);
  await attach({ ...AUTO, netns: b, id: "b" }, host);
  return { host, a, b };
}

/** Where a change has messages of a type. */
function messagesOf(wanted: number, change: Change): number[] {
  if (typeof change === "string") return [];
  const view = new DataView(change.buffer, change.byteOffset, change.byteLength);
  return changesIn(change).filter((at) => view.getUint16(at + 4, true) === wanted);
}

/** Counts the deletions of links, of one or of a group. */
function countDeletions(): Disposable & { count: number } {
  const watch = watchChanges((change) => {
    counter.count += messagesOf(RTM_DELLINK, change).length;
  });
  const counter = { count: 0, [Symbol.dispose]: () => watch[Symbol.dispose]() };
  return counter;
}

/** Has the kernel refuse each message of a type. */
function refuse(type: number): Disposable {
  return watchChanges((change) => {
    for (const at of messagesOf(type, change)) spoil(change as Uint8Array<ArrayBuffer>, at);
  });
}

kernelTest(
  "50 detaches at once are one deletion; bridge, translation and namespaces that were made go too",
  { run: true },
  async (kernel) => {
    const host = { netns: kernel.netns };
    const before = await stateOf(kernel.netns);
    const prefix = `leaves-${crypto.randomUUID().slice(0, 8)}-`;
    const made = () => Netns.list().filter(({ name }) => name.startsWith(prefix)).length;
    const ids = Array.from({ length: 50 }, (_, i) => `c${i}`);
    for (const [i, id] of ids.entries()) {
      await attach({
        ...AUTO,
        id,
        ...i % 10 === 0
          ? { netns: { name: `${prefix}${i}` }, createNetns: true }
          : { netns: await kernel.another() },
        masquerade: true,
        publish: [{ protocol: "tcp", hostPort: 8000 + i, port: 80 }],
      }, host);
    }
    assertEquals(made(), 5);
    using deletions = countDeletions();
    const answers = await together(kernel, () => ids.map((id) => detach({ id }, host)));
    assertEquals(answers, ids.map(() => true));
    assertEquals(deletions.count, 2, "the containers' as a group, and the bridge");
    assertEquals(made(), 0);
    await assertState(kernel.netns, before);
  },
);

kernelTest(
  "who asks second for the same attachment is told that it is gone",
  {},
  async (kernel) => {
    const { host, a, b } = await withTwo(kernel);
    const answers = await together(kernel, () => [
      detach({ id: "a" }, host),
      detach({ netns: a }, host),
      detach({ id: "none" }, host),
      detach({ netns: b }, host),
      detach({ id: "b" }, host),
    ]);
    assertEquals(answers, [true, false, false, true, false]);
    assertEquals(await listAttachments(host), []);
  },
);

kernelTest(
  "an attach among detaches sees what those before it did, and those behind it see the attach",
  {},
  async (kernel) => {
    const { host, a } = await withTwo(kernel);
    using deletions = countDeletions();
    const leave = async (id: string) => await detach({ id }, host);
    const join = async () => (await attach({ ...AUTO, netns: a, id: "a" }, host)).addresses.join();
    const answers = await together<string | boolean>(kernel, () => [
      leave("a"),
      leave("b"),
      join(),
      leave("b"),
      leave("a"),
    ]);
    assertEquals(answers, [true, true, "10.0.0.2/24,fd00::2/64", false, true]);
    assertEquals(await listAttachments(host), []);
    assertEquals(deletions.count, 4, "links and bridge, before the attach and after it");
  },
);

kernelTest(
  "owners that leave at once keep to what is their own, half made or whole",
  { run: true, env: true },
  async (kernel) => {
    const { netns } = kernel;
    const [alpha, beta, gamma] = ["alpha", "beta", "gamma"].map((owner) => ({ netns, owner }));
    const spec = (owner: string, number: number) => ({
      owner,
      id: "web",
      bridge: { name: `br${number}`, addresses: [`10.0.${number}.1/24`] },
      addresses: ["auto"],
      gateways: ["auto"],
      masquerade: true,
    });
    const before = await stateOf(netns);
    await attach({ ...spec("gamma", 3), netns: await kernel.another() }, { netns });
    const ofGamma = await stateOf(netns);
    await attach({ ...spec("alpha", 1), netns: await kernel.another() }, { netns });
    await attach({ ...spec("beta", 2), netns: await kernel.another() }, { netns });
    const { killed } = await runVictim({
      host: elsewhere(netns),
      jobs: [{
        attach: { ...spec("alpha", 4), netns: elsewhere(await kernel.another()), id: "half" },
      }],
      point: { step: "translate addresses" },
    });
    assert(killed);
    using deletions = countDeletions();
    const answers = await together(kernel, () => [
      detach({ id: "half" }, beta),
      detach({ id: "web" }, beta),
      detach({ id: "half" }, gamma),
      detach({ id: "half" }, alpha),
      detach({ id: "web" }, alpha),
    ]);
    assertEquals(answers, [false, true, false, false, true]);
    assertEquals(deletions.count, 4, "a group, and three bridges");
    await assertState(netns, ofGamma);
    assertEquals(await detach({ id: "web" }, gamma), true);
    await assertState(netns, before);
  },
);

kernelTest("who names a namespace that is gone is refused alone", {}, async (kernel) => {
  const { host } = await withTwo(kernel);
  const [a, absent, b] = await together(kernel, () => [
    detach({ id: "a" }, host),
    detach({ netns: { name: "no-such-namespace" } }, host),
    detach({ id: "b" }, host),
  ]);
  assertEquals([a, b], [true, true]);
  assert(absent instanceof NotFoundError, `${absent}`);
});

kernelTest(
  "a refusal is that of all who asked; an owner's own trouble is only his; the next detach mends it",
  { run: true },
  async (kernel) => {
    const { netns } = kernel;
    const before = await stateOf(netns);
    const [alpha, beta] = ["alpha", "beta"].map((owner) => ({ netns, owner }));
    for (const [i, owner] of ["alpha", "alpha", "beta"].entries()) {
      await attach({
        ...{ netns: await kernel.another(), owner, id: "abc"[i]! },
        ...{ addresses: [`10.1.0.${i}/32`], masquerade: owner === "alpha" },
      }, { netns });
    }
    const leave = () => [
      detach({ id: "a" }, alpha),
      detach({ id: "c" }, beta),
    ];
    {
      using _ = refuse(RTM_DELLINK);
      const answers = await together(kernel, leave);
      assert(answers.every((it) => it instanceof NetlinkError), answers.join());
      assertEquals((await listAttachments({ netns })).length, 3);
    }
    {
      // The one that is left needs the table, but not the rule of the one that goes.
      using _ = refuse(NFT_MSG_DELRULE);
      const [ofAlpha, ofBeta] = await together(kernel, leave);
      assert(ofAlpha instanceof NetlinkError, `${ofAlpha}`);
      assertEquals(ofBeta, true);
    }
    assertEquals(await detach({ id: "b" }, alpha), true);
    await assertState(netns, before);
  },
);
