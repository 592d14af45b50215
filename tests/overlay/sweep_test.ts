/**
 * Bugs that container networking has had elsewhere, each as a test that fails where it is still made.
 * Others are in attach_test.ts (the MTU of the bridge, `lo`, addresses usable at once), crash_test.ts
 * (what failed steps leave, forwarding of the operator's) and race_test.ts (leases, a container that ends).
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  addAddress,
  attach,
  type AttachSpec,
  createBridge,
  createVethPair,
  deleteLink,
  detach,
  ExistsError,
  InputError,
  listAttachments,
  listLinks,
  Netns,
  readSysctl,
  runInNetns,
  setLinkUp,
  sweep,
  withNetns,
} from "../../mod.ts";
import { eventually, kernelTest } from "../support.ts";
import { type Container, startContainer } from "./container.ts";
import { assertState, stateOf } from "./state.ts";
import type { Received } from "./transfer.ts";
import { elsewhere, runVictim } from "./victim.ts";

const TRANSFER = new URL("transfer.ts", import.meta.url);
const BRIDGE = { name: "br0", addresses: ["10.0.0.1/24", "fd00::1/64"] };
const AUTO = { bridge: BRIDGE, addresses: ["auto"], gateways: ["auto"] };

/** The addresses of a link, the kernel's link-local one as "link-local". */
async function addressesOf(netns: Netns, name: string): Promise<string[]> {
  return await withNetns(netns, async (rtnl) => {
    const { index } = await rtnl.links.get({ name });
    const all = await Array.fromAsync(rtnl.addresses.list({ index }));
    return all.map((it) =>
      it.address!.startsWith("fe80:") ? "link-local" : `${it.address}/${it.prefixLength}`
    ).sort();
  });
}

/** Waits until the kernel has given a link its own IPv6 address. */
async function linkLocal(netns: Netns, name: string): Promise<void> {
  await eventually(async () => assert((await addressesOf(netns, name)).includes("link-local")));
}

kernelTest(
  "a bridge's stale gateway goes after a restart, and is not stacked; the operator's address, the link-local one and connections stay",
  { run: true, env: true, read: true, net: true },
  async ({ netns, another }) => {
    const [a, b] = [await another(), await another()];
    // The first program attaches, and is no more.
    await runVictim({
      host: elsewhere(netns),
      jobs: [{ attach: { ...AUTO, netns: elsewhere(a), id: "a" } }],
    });
    await addAddress("br0", "10.0.0.200/24", { netns });
    await linkLocal(netns, "br0");
    const deleted: string[] = [];
    const stop = new AbortController();
    using rtnl = await netns.connect();
    const { index: br0 } = await rtnl.links.get({ name: "br0" });
    const watching = (async () => {
      for await (const event of rtnl.monitor(["address"], { signal: stop.signal })) {
        if (event.event !== "deleted" || event.value.index !== br0) continue;
        deleted.push(event.value.address!);
      }
    })().catch((error) => {
      if (!stop.signal.aborted) throw error;
    });

    const received = runInNetns<Received>(netns, TRANSFER, {
      ...{ export: "receive", args: ["10.0.0.200"] },
    });
    const sending = runInNetns(a, TRANSFER, { export: "send", args: ["10.0.0.200", 0.5] });
    // A new program has other gateways, and then others again.
    for (
      const addresses of [["10.0.0.102/24"], ["10.0.0.103/24", "fd00::103/64"], ["10.0.0.254/24"]]
    ) {
      await attach({
        netns: b,
        bridge: { name: "br0", addresses },
        addresses: ["10.0.0.50/24"],
        gateways: ["auto"],
      }, { netns });
      assertEquals(
        await addressesOf(netns, "br0"),
        [...addresses, "10.0.0.200/24", "link-local"].sort(),
      );
      await detach({ netns: b }, { netns });
    }
    await sending;
    assert((await received).bytes > 0);
    await eventually(() => assert(deleted.includes("fd00::103"), deleted.join()));
    stop.abort();
    await watching;
    assertEquals(deleted.filter((it) => it === "10.0.0.200" || it.startsWith("fe80:")), []);
  },
);

kernelTest(
  "a bridge keeps its MAC address while containers come and go, so that none loses its gateway",
  {},
  async ({ netns, another }) => {
    const host = { netns };
    const resident = await another();
    const addressOf = async () =>
      (await listLinks(host)).find(({ name }) => name === "br0")!.address!;
    await attach({ ...AUTO, netns: resident }, host);
    const address = await addressOf();
    assertEquals(parseInt(address.slice(0, 2), 16) & 3, 2, "locally administered, no group's");
    await withNetns(resident, async (rtnl) => {
      for (let i = 0; i < 10; i++) {
        const visitor = await another();
        await attach({ ...AUTO, netns: visitor }, host);
        assertEquals(await addressOf(), address);
        assert(await rtnl.ping("10.0.0.1", { timeout: 500 }), `visitor ${i} is there`);
        await detach({ netns: visitor }, host);
        assertEquals(await addressOf(), address);
        assert(await rtnl.ping("10.0.0.1", { timeout: 500 }), `visitor ${i} is gone`);
      }
    });
  },
);

kernelTest(
  "a gateway that a killed attach gave to a bridge goes with the next change, like any of ours",
  { run: true, env: true },
  async ({ netns, another }) => {
    const [a, b] = [await another(), await another()];
    await attach({ ...AUTO, netns: a }, { netns });
    await addAddress("br0", "10.0.0.200/24", { netns });
    const spec = (container: AttachSpec["netns"], gateway: string): AttachSpec => ({
      netns: container,
      bridge: { name: "br0", addresses: [gateway] },
      addresses: ["10.0.0.50/24"],
    });
    let kills = 0;
    for (let killed = true; killed; kills++) {
      assert(kills < 40, "the search for the last call ends");
      const end = await runVictim({
        host: elsewhere(netns),
        jobs: [{ attach: spec(elsewhere(b), `10.0.0.${100 + kills}/24`) }],
        point: { call: kills + 1 },
      });
      killed = end.killed;
      await attach({ ...spec(b, "10.0.0.1/24"), replace: true }, { netns });
      const left = (await addressesOf(netns, "br0")).filter((it) => it !== "link-local");
      assertEquals(left, ["10.0.0.1/24", "10.0.0.200/24"], `killed at call ${kills}`);
      await detach({ netns: b }, { netns });
    }
    assert(kills > 8, `${kills} kills`);
  },
);

kernelTest(
  "a sweep goes by what is written on a link, not by patterns of names, and a group has only what is ours",
  { run: true },
  async ({ netns, another, ip }) => {
    const host = { netns };
    const foreign: Record<string, string> = {
      veth0123456789a: "",
      vethabcdef01234: "denolinkd id=web netns=1 interface=eth0",
      veth1111111111f: "docker denolink id=web netns=1 interface=eth0",
      veth2222222222f: "denolink id=web",
      veth3333333333f: "denolink",
    };
    for (const [name, alias] of Object.entries(foreign)) {
      await createVethPair(name, "peer0", { netns, peerNetns: await another() });
      await ip("link", "set", "dev", name, "group", "25708");
      if (alias !== "") await ip("link", "set", "dev", name, "alias", alias);
    }
    await createBridge("denolink0", host);
    const before = await stateOf(netns);
    assertEquals(await listAttachments(host), []);
    assertEquals(await sweep(host), []);
    await assertState(netns, before);

    // Two of one id are deleted by a group.
    await attach({ ...AUTO, netns: await another(), id: "web" }, host);
    await attach({ ...AUTO, netns: await another(), id: "web", interface: "eth1" }, host);
    assertEquals(await detach({ id: "web" }, host), true);
    assertEquals(await detach({ id: "web" }, host), false);
    await assertState(netns, before);
  },
);

kernelTest(
  "a bridge of that name that is somebody else's is refused, unless it is adopted; then it stays",
  { run: true },
  async ({ netns, another }) => {
    const host = { netns };
    await createBridge("br0", host);
    await addAddress("br0", "10.0.0.200/24", host);
    await setLinkUp("br0", host);
    await createVethPair("br1", "peer0", host);
    const before = await stateOf(netns);
    const netnsOfContainer = await another();
    const spec = { ...AUTO, netns: netnsOfContainer };
    const error = await assertRejects(() => attach(spec, host), ExistsError);
    assertMatch(error.message, /bridge br0 already, and it is somebody else's.*adopt/);
    for (const adopt of [false, true]) {
      const refused = await assertRejects(() =>
        attach({ ...spec, bridge: { ...BRIDGE, name: "br1", adopt } }, host)
      );
      assert(refused instanceof InputError || refused instanceof ExistsError, String(refused));
      assertMatch(refused.message, /br1 is a link of kind veth, no bridge/);
    }
    await assertState(netns, before);

    const adopting = { ...spec, bridge: { name: "br0", adopt: true } };
    assertEquals((await attach(adopting, host)).addresses, ["10.0.0.1/24"]);
    assertEquals(await detach({ netns: netnsOfContainer }, host), true);
    assertEquals(await sweep(host), []);
    await assertState(netns, before);
  },
);

kernelTest(
  "a bridge of ours that somebody else uses is not empty, and not deleted",
  { run: true },
  async ({ netns, another, ip }) => {
    const host = { netns };
    const container = await another();
    await attach({ ...AUTO, netns: container }, host);
    await createVethPair("foreign0", "peer0", host);
    await ip("link", "set", "dev", "foreign0", "master", "br0");
    assertEquals(await detach({ netns: container }, host), true);
    assertEquals(await sweep(host), []);
    const [foreign] = await ip("link", "show", "dev", "foreign0");
    assertEquals(foreign.master, "br0");

    await deleteLink("foreign0", host);
    assertEquals(await sweep({ ...host, dryRun: true }), [{ kind: "bridge", name: "br0" }]);
    assertEquals(await sweep(host), [{ kind: "bridge", name: "br0" }]);
    assertEquals((await listLinks(host)).map(({ name }) => name), ["lo"]);
  },
);

kernelTest(
  "what is gone already is deleted well: links, bridges and tables that the operator took away",
  { run: true },
  async ({ netns, another, ip }) => {
    const host = { netns };
    const before = await stateOf(netns);
    const container = await another();
    const spec = { ...AUTO, netns: container, id: "web", masquerade: true };
    const { hostInterface } = await attach(spec, host);
    await ip("link", "delete", "dev", hostInterface);
    assertEquals(await detach({ id: "web" }, host), false);
    await assertState(netns, before, "the link");

    await attach(spec, host);
    await ip("link", "delete", "dev", "br0");
    assertEquals((await listAttachments(host)).map((it) => it.bridge), [undefined]);
    assertEquals(await detach({ id: "web" }, host), true);
    await assertState(netns, before, "the bridge");

    await attach(spec, host);
    await using nft = await Netns.spawn(netns, "nft", { args: ["flush", "ruleset"] });
    assert((await nft.status).success);
    assertEquals(await detach({ id: "web" }, host), true);
    await assertState(netns, before, "the table");
    assertEquals(await sweep(host), []);
  },
);

kernelTest(
  "a container that ended before its detach leaves no lease, and a sweep takes the rest away",
  { run: true },
  async ({ netns, another }) => {
    const host = { netns };
    const before = await stateOf(netns);
    const name = `dead-${crypto.randomUUID().slice(0, 8)}`;
    await using container = await startContainer();
    const target = { pid: container.pid };
    await attach({ ...AUTO, netns: target, masquerade: true }, host);
    await attach({ addresses: ["192.0.2.7/32"], netns: { name }, createNetns: true }, host);
    const announced = async () =>
      (await sweep({ ...host, dryRun: true })).map(({ kind, name }) => `${kind} ${name}`).sort();
    assertEquals(await announced(), []);

    await container.kill();
    await eventually(async () => assertEquals((await listAttachments(host)).length, 1));
    assertEquals(await announced(), ["bridge br0", "forwarding inet6", "nat table denolink"]);
    // Half of it is found by the next attach, which wants the same.
    const next = await another();
    const { addresses } = await attach({ ...AUTO, netns: next }, host);
    assertEquals(addresses, ["10.0.0.2/24", "fd00::2/64"]);
    assertEquals(await announced(), ["nat table denolink"]);
    await detach({ netns: next }, host);
    assertEquals(await announced(), []);

    // The namespace outlives its link: nobody is inside.
    await deleteLink("eth0", { netns: { name } });
    const all = ["forwarding inet", `netns ${name}`];
    await eventually(async () => assertEquals(await announced(), all));
    const changed = await stateOf(netns);
    assertEquals(await announced(), all, "a dry run changes nothing");
    await assertState(netns, changed);
    assertEquals((await sweep(host)).length, 2);
    assertEquals(await sweep(host), []);
    assertEquals(Netns.list().filter((it) => it.name === name), []);
    await assertState(netns, before);
  },
);

kernelTest(
  "a program that starts anew sees what lives, and gives no address twice",
  { run: true, env: true },
  async ({ netns, another }) => {
    const containers = [await another(), await another(), await another()];
    const job = (i: number) => ({
      attach: { ...AUTO, netns: elsewhere(containers[i]!), id: `c${i}` },
    });
    await runVictim({ host: elsewhere(netns), jobs: [job(0)] });
    const { said } = await runVictim({ host: elsewhere(netns), jobs: [job(1), { list: true }] });
    assertEquals(JSON.parse(said.split("\n")[1]!), [
      "c0 10.0.0.2/24,fd00::2/64",
      "c1 10.0.0.3/24,fd00::3/64",
    ]);
    const third = await attach({ ...AUTO, netns: containers[2]! }, { netns });
    assertEquals(third.addresses, ["10.0.0.4/24", "fd00::4/64"]);
    assertEquals(await detach({ id: "c0" }, { netns }), true);
    assertEquals((await listAttachments({ netns })).map(({ id }) => id), ["c1", undefined]);
  },
);

kernelTest("a bridge that is made has its MTU, and so have its containers", {}, async (kernel) => {
  const { netns, another } = kernel;
  for (const mtu of [1400, 9000]) {
    const container = await another();
    await attach({ ...AUTO, netns: container, bridge: { ...BRIDGE, mtu } }, { netns });
    const of = async (place: Netns, name: string) =>
      (await listLinks({ netns: place })).find((it) => it.name === name)?.mtu;
    assertEquals(await of(netns, "br0"), mtu);
    assertEquals(await of(container, "eth0"), mtu);
    await detach({ netns: container }, { netns });
  }
});

kernelTest(
  "dots in a link's name are not slashes of its settings, and no key leaves /proc/sys",
  {},
  async ({ netns, another }) => {
    const container = await another();
    const spec: AttachSpec = { ...AUTO, netns: container, interface: "eth0.100" };
    const key = "net.ipv4.conf.eth0/100.rp_filter";
    await assertRejects(
      () => attach({ ...spec, sysctls: { "net/ipv4/../../../etc/hostname": "x" } }, { netns }),
      InputError,
    );
    assertEquals(await listAttachments({ netns }), []);
    await attach({ ...spec, sysctls: { "net/ipv4/conf/eth0.100/rp_filter": 2 } }, { netns });
    assertEquals(await readSysctl(key, { netns: container }), "2");
  },
);

kernelTest(
  "a thousand containers are seen by a new program, and when they are killed a sweep takes the rest",
  { run: true, env: true },
  async ({ netns }) => {
    const host = { netns };
    const before = await stateOf(netns);
    await using cleanup = new AsyncDisposableStack();
    const containers: Container[] = [];
    // A machine bears only so many that start at once.
    while (containers.length < 1000) {
      const some = await Promise.all(Array.from({ length: 20 }, startContainer));
      some.forEach((container) => containers.push(cleanup.use(container)));
    }
    const bridge = { name: "br0", addresses: ["10.0.0.1/16", "fd00::1/64"] };
    for (const [i, { pid }] of containers.entries()) {
      const publish = [{ protocol: "tcp" as const, hostPort: 10_000 + i, port: 80 }];
      await attach({ ...AUTO, bridge, netns: { pid }, id: `c${i}`, publish }, host);
    }
    const { said } = await runVictim({ host: elsewhere(netns), jobs: [{ list: true }] });
    const seen: string[] = JSON.parse(said.split("\n")[1]!);
    const wanted = containers.map((_, i) => {
      const number = i + 2;
      return `c${i} 10.0.${number >> 8}.${number & 255}/16,fd00::${number.toString(16)}/64`;
    });
    assertEquals(seen, wanted.sort());

    await Promise.all(containers.slice(1).map((container) => container.kill()));
    await eventually(async () => assertEquals((await listAttachments(host)).length, 1), 60_000);
    assertEquals(await sweep(host), [], "one needs all of it");
    await containers[0]!.kill();
    await eventually(async () => assertEquals(await listAttachments(host), []));
    const swept = (await sweep(host)).map(({ kind }) => kind);
    assertEquals(swept.toSorted(), ["bridge", "forwarding", "forwarding", "nat table"]);
    assertEquals(await sweep(host), []);
    await assertState(netns, before);
  },
);
