import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  attach,
  type AttachSpec,
  detach,
  ExistsError,
  listAttachments,
  listLinks,
  type Netns,
  NotFoundError,
  PoolExhaustedError,
  sweep,
} from "../../mod.ts";
import { eventually, kernelTest } from "../support.ts";
import { watchCalls } from "./changes.ts";
import { type Container, startContainer } from "./container.ts";
import { assertState, stateOf } from "./state.ts";
import { elsewhere, endOf, type Job, runVictim, startVictim } from "./victim.ts";

const BRIDGE = { name: "br0", addresses: ["10.0.0.1/24", "fd00::1/64"] };
const AUTO = { bridge: BRIDGE, addresses: ["auto"], gateways: ["auto"] };

kernelTest(
  "16 processes attach 128 containers to one bridge while others sweep: no address twice, no error",
  { run: true, env: true },
  async ({ netns, another, ipIn }) => {
    const host = { netns };
    const before = await stateOf(netns);
    const containers: Netns[] = [];
    for (let i = 0; i < 128; i++) containers.push(await another());
    const spec = (i: number): AttachSpec => ({
      ...AUTO,
      netns: elsewhere(containers[i]!),
      id: `c${i}`,
    });
    const own = (process: number) =>
      containers.keys().toArray().slice(8 * process, 8 * process + 8);

    const sweeper = startVictim({ host: elsewhere(netns), jobs: [{ sweep: true }], rounds: 1e6 });
    const rivals = Array.from({ length: 16 }, (_, process) => {
      const jobs: Job[] = own(process).map((i) => ({ attach: spec(i) }));
      // Some come and go meanwhile, so that addresses get free in between.
      jobs.splice(4, 0, ...own(process).slice(0, 3).map((i) => ({ detach: { id: `c${i}` } })));
      jobs.push(...own(process).slice(0, 3).map((i) => ({ attach: spec(i) })));
      return runVictim({ host: elsewhere(netns), jobs });
    });
    const ends = await Promise.allSettled(rivals);
    assertEquals(ends.filter(({ status }) => status === "rejected"), []);

    const attachments = await listAttachments(host);
    assertEquals(attachments.length, containers.length);
    const addresses = attachments.flatMap((it) => it.addresses);
    assertEquals(new Set(addresses).size, 2 * containers.length);
    assertEquals(new Set(attachments.map(({ bridge }) => bridge)), new Set(["br0"]));
    const bridges = (await listLinks(host)).filter(({ kind }) => kind === "bridge");
    assertEquals(bridges.length, 1);
    const seen = new Set<string>();
    for (const [i, container] of containers.entries()) {
      const [eth0] = await ipIn(container, "address", "show", "dev", "eth0");
      const found: string[] = eth0.addr_info
        .filter(({ scope }: { scope: string }) => scope === "global")
        .map((it: { local: string; prefixlen: number }) => `${it.local}/${it.prefixlen}`);
      assertEquals(found, attachments.find(({ id }) => id === `c${i}`)!.addresses);
      found.forEach((address) => seen.add(address));
    }
    assertEquals(seen, new Set(addresses));
    // None was left out: those that came free were given again.
    assert(attachments.every((it) => Number(it.addresses[0]!.match(/(\d+)\/24/)![1]) <= 129));

    const leaving = Array.from({ length: 4 }, (_, part) =>
      runVictim({
        host: elsewhere(netns),
        jobs: containers.keys().toArray().filter((i) => i % 4 === part)
          .map((i) => ({ detach: { id: `c${i}` } })),
      }));
    await Promise.all(leaving);
    sweeper.kill("SIGKILL");
    assertEquals((await endOf(sweeper)).killed, true, "it found nothing to sweep all the time");
    await assertState(netns, before);
    assertEquals(await sweep(host), []);
  },
);

kernelTest(
  "two owners on one host leave each other's links, bridges, addresses and half-made links alone",
  { run: true, env: true },
  async ({ netns, another }) => {
    const before = await stateOf(netns);
    const [a, b, c] = [await another(), await another(), await another()];
    const alpha = { netns, owner: "alpha" };
    const beta = { netns, owner: "beta" };
    const spec = (owner: string, container: Netns, number: number): AttachSpec => ({
      owner,
      netns: container,
      id: "web",
      bridge: { name: `br${number}`, addresses: [`10.0.${number}.1/24`] },
      addresses: ["auto"],
      gateways: ["auto"],
      masquerade: true,
    });
    const ofAlpha = await attach(spec("alpha", a, 1), { netns });
    const error = await assertRejects(
      () => attach(spec("beta", b, 1), { netns }),
      ExistsError,
    );
    assertMatch(error.message, /there is a bridge br1 already, and it is alpha's/);
    const ofBeta = await attach(spec("beta", b, 2), { netns });
    assertEquals(await listAttachments(alpha), [ofAlpha]);
    assertEquals(await listAttachments(beta), [ofBeta]);
    assertEquals(await listAttachments({ netns }), [ofAlpha, ofBeta]);

    // The same id is two containers', and the same routed address nobody's but the first's.
    const routed = { addresses: ["192.0.2.7/32"] };
    const d = await another();
    await attach({ ...routed, netns: d, owner: "alpha" }, { netns });
    await assertRejects(
      () => attach({ ...routed, netns: c, owner: "beta" }, { netns }),
      ExistsError,
      "192.0.2.7",
    );
    assertEquals(await detach({ netns: a }, beta), false);
    assertEquals(await detach({ netns: d }, beta), false);
    assertEquals(await detach({ netns: d }, alpha), true);

    const { killed } = await runVictim({
      host: elsewhere(netns),
      jobs: [{ attach: { ...spec("alpha", c, 3), netns: elsewhere(c), id: "half" } }],
      point: { step: "translate addresses" },
    });
    assertEquals(killed, true);
    const halfMade = await stateOf(netns);
    assertEquals(await sweep(beta), []);
    assertEquals(await sweep({ netns }), []);
    await assertState(netns, halfMade, "another owner's sweep changes nothing");
    assertEquals(await detach({ id: "web" }, beta), true);
    assertEquals(await listAttachments({ netns }), [ofAlpha]);
    await attach(spec("beta", b, 2), { netns });
    assertEquals(await detach({ id: "half" }, beta), false);
    const names = (await listLinks({ netns })).map(({ name }) => name);
    for (const name of ["br1", "br2", "br3"]) assert(names.includes(name), name);

    assertEquals(await detach({ id: "web" }, alpha), true);
    assertEquals(await sweep(alpha), [], "a detach has taken the half-made one away as well");
    assertEquals((await listAttachments({ netns })).length, 1);
    assertEquals(await detach({ id: "web" }, beta), true);
    await assertState(netns, before);
  },
);

/** What is attached, and what of it is attached before. */
const KINDS: Record<string, { spec: Omit<AttachSpec, "netns">; earlier?: typeof AUTO }> = {
  "on a bridge, translated": {
    spec: {
      ...AUTO,
      masquerade: true,
      publish: [{ protocol: "tcp", hostPort: 8080, port: 80 }],
      routes: [{ destination: "198.51.100.0/24", gateway: "10.0.0.1" }],
      sysctls: { "net.ipv4.conf.eth0.rp_filter": 2 },
      rate: { receive: 1e6, send: 1e6 },
    },
  },
  "routed": { spec: { addresses: ["10.0.0.2/24", "fd00::2/64"] } },
  "in the place of an attachment": { spec: { ...AUTO, replace: true }, earlier: AUTO },
};
/** More than any of them needs: the search for the last call ends there. */
const MOST_CALLS = 60;

for (const [kind, { spec, earlier }] of Object.entries(KINDS)) {
  kernelTest(
    `a container (${kind}) that ends before any call of its attach is told, and nothing is left`,
    { run: true },
    async ({ netns }) => {
      const host = { netns };
      const before = await stateOf(netns);
      let refused = 0;
      let fatal = 1;
      for (let ended = true; ended; fatal++) {
        assert(fatal < MOST_CALLS, "it has more calls than were thought possible");
        const message = `${kind}, ended before call ${fatal}`;
        await using container = await startContainer();
        const target = { pid: container.pid };
        if (earlier !== undefined) await attach({ ...earlier, netns: target, id: "web" }, host);
        let calls = 0;
        const attaching = async () => {
          using _watched = watchCalls(() => {
            if (++calls === fatal) container.end();
          });
          await attach({ ...spec, netns: target, id: "web" }, host);
        };
        const [attached] = await Promise.allSettled([attaching()]);
        ended = calls >= fatal;
        if (attached.status === "rejected") {
          refused++;
          assert(attached.reason instanceof NotFoundError, `${message}: ${attached.reason}`);
          assertMatch(attached.reason.message, /ended, or left its namespace, while/, message);
        }
        if (attached.status === "rejected" && earlier === undefined) {
          await assertState(netns, before, message);
        } else {
          // It was there when it was looked for: as if it had ended a moment later.
          await container.kill();
          await eventually(async () => assertEquals(await listAttachments(host), [], message));
          assert((await sweep(host)).every((it) => it.kind !== "link"), message);
          await assertState(netns, before, message);
        }
        await assertRejects(() => attach({ ...spec, netns: target }, host), NotFoundError);
      }
      assert(refused > 8, `${refused} refusals`);
      assert(fatal > refused + 2, "some ended after it was looked for");
    },
  );
}

kernelTest(
  "a full pool is a PoolExhaustedError, and one detach or death frees an address at once",
  { run: true },
  async ({ netns, another }) => {
    const host = { netns };
    await using processes = new AsyncDisposableStack();
    const small = { ...AUTO, bridge: { name: "br0", addresses: ["10.0.0.1/29", "fd00::1/64"] } };
    const mortal: { container: Container; addresses: string[] }[] = [];
    for (let i = 0; i < 4; i++) {
      const container = processes.use(await startContainer());
      const { addresses } = await attach(
        { ...small, netns: { pid: container.pid }, id: `m${i}` },
        host,
      );
      mortal.push({ container, addresses });
    }
    const first = await another();
    const { addresses } = await attach({ ...small, netns: first }, host);
    assertEquals(addresses, ["10.0.0.6/29", "fd00::6/64"]);
    const late = await another();
    const attachLate = (spec: Partial<AttachSpec> = {}) =>
      attach({ ...small, netns: late, ...spec }, host);
    const full = () => assertRejects(() => attachLate(), PoolExhaustedError, "10.0.0.1/29");
    await full();
    assertEquals((await listAttachments(host)).length, 5);

    await detach({ netns: first }, host);
    assertEquals((await attachLate()).addresses, addresses);
    await detach({ netns: late }, host);
    await attach({ ...small, netns: first }, host);
    await full();

    // The kernel takes the links of what has ended away in the background: nobody has to wait for that.
    const [byPool, byAddress, byId] = mortal;
    await byPool!.container.kill();
    assertEquals((await attachLate()).addresses, byPool!.addresses);
    await byAddress!.container.kill();
    const taken = await attach({
      ...small,
      netns: await another(),
      addresses: byAddress!.addresses,
    }, host);
    assertEquals(taken.addresses, byAddress!.addresses);
    await byId!.container.kill();
    const again = await attach({ ...small, netns: await another(), id: "m2" }, host);
    assertEquals(again.addresses, byId!.addresses);
    assertEquals((await listAttachments(host)).length, 5);
  },
);
