/** Applying and destroying a topology, killed and refused on the way. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  apply,
  attach,
  destroy,
  detach,
  listAttachments,
  Netns,
  plan,
  readSysctl,
  type Topology,
  TopologyStepError,
} from "../../../mod.ts";
import { kernelTest, runIn } from "../../support.ts";
import { type Change, changesIn, spoil, watchChanges } from "../changes.ts";
import { elsewhere, type Job, runVictim } from "../victim.ts";
import { assertKernelState, type KernelState, kernelState } from "./kernel_state.ts";
import { Lab } from "./lab.ts";

type Version = "new" | "old" | "nothing";

/** A lab, and how it looks in each version. */
class Scene implements Disposable {
  static #undisturbed: Promise<ReadonlyMap<Version, KernelState>> | undefined;
  readonly lab: Lab;
  readonly #looks: ReadonlyMap<Version, KernelState>;

  private constructor(lab: Lab, looks: ReadonlyMap<Version, KernelState> = new Map()) {
    this.lab = lab;
    this.#looks = looks;
  }

  /** Makes one. */
  static async make(): Promise<Scene> {
    const looks = await (Scene.#undisturbed ??= Scene.#look());
    return new Scene(await Lab.make("crash"), looks);
  }

  /** How each version looks, from nothing and undisturbed. */
  static async #look(): Promise<ReadonlyMap<Version, KernelState>> {
    using scene = new Scene(await Lab.make("crash"));
    const looks = new Map<Version, KernelState>();
    for (const version of ["nothing", "old", "new"] as const) {
      await scene.become("nothing");
      await scene.become(version);
      looks.set(version, await kernelState(scene.lab.host, scene.lab.prefix));
    }
    return looks;
  }

  async become(version: Version): Promise<void> {
    const host = { netns: this.lab.host };
    if (version === "nothing") await destroy({ name: "lab" }, host);
    else await apply(this.lab.topology(version), host);
  }

  /** It is this version, and nothing beside it. */
  async assertIs(version: Version, message: string): Promise<void> {
    const { host, prefix } = this.lab;
    await assertKernelState(host, prefix, this.#looks.get(version)!, message);
    if (version === "nothing") return;
    const { changes } = await plan(this.lab.topology(version), { netns: host });
    assertEquals(changes.map(({ text }) => text), [], message);
  }

  /** What another process does to become it. */
  job(version: Version): Job {
    return version === "nothing" ? { destroy: "lab" } : { apply: this.lab.topology(version) };
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

const WAYS: readonly { from: Version; to: Version }[] = [
  { from: "nothing", to: "new" },
  { from: "old", to: "new" },
  { from: "new", to: "nothing" },
];

/** Some numbers from 1 to `all`, evenly spread; all of them with DENOLINK_EVERY_POINT=1. */
function spread(all: number, some: number): number[] {
  const count = Deno.env.has("DENOLINK_EVERY_POINT") ? all : Math.min(all, some);
  return Array.from({ length: count }, (_, i) => 1 + Math.floor((i + 0.5) * all / count));
}

for (const { from, to } of WAYS) {
  kernelTest(
    `from ${from} to ${to}, killed before any change: once more makes it so, and back leaves nothing`,
    { run: true, env: true },
    async () => {
      const lanes = await Promise.allSettled([to, from].map(async (after) => {
        using scene = await Scene.make();
        const task = { host: elsewhere(scene.lab.host), jobs: [scene.job(to)] };
        await scene.become(from);
        const { said } = await runVictim(task);
        await scene.assertIs(to, "undisturbed");
        const all = Number(/done (\d+)/.exec(said)![1]);
        assert(all > 30, `${all} changes`);
        const points = spread(all, 5);
        for (const change of points) {
          const message =
            `${from} to ${to}, killed before change ${change} of ${all}, then ${after}`;
          await scene.become("nothing");
          await scene.become(from);
          const { killed } = await runVictim({ ...task, point: { change } });
          assert(killed, message);
          await scene.become(after);
          await scene.assertIs(after, message);
        }
        await scene.become("nothing");
        await scene.assertIs("nothing", "in the end");
        return `${points.length} of ${all} points`;
      }));
      for (const lane of lanes) if (lane.status === "rejected") throw lane.reason;
    },
  );
}

/** Counts what is asked of the kernel, one by one, and has it refuse the Nth of them. */
class Refusal implements Disposable {
  asked = 0;
  readonly #refused: number;
  readonly #watched: Disposable;

  constructor(refused = Infinity) {
    this.#refused = refused;
    this.#watched = watchChanges((change) => this.#meets(change));
  }

  #meets(change: Change): boolean {
    if (change === "no name") return false;
    const first = this.asked + 1;
    const changes = typeof change === "string" ? [0] : changesIn(change);
    this.asked += changes.length;
    if (this.#refused < first || this.#refused > this.asked) return false;
    if (typeof change !== "string") spoil(change, changes[this.#refused - first]!);
    return true;
  }

  [Symbol.dispose](): void {
    this.#watched[Symbol.dispose]();
  }
}

for (const { from, to } of [...WAYS, { from: "new", to: "old" } as const]) {
  kernelTest(
    `from ${from} to ${to}, of which the kernel refuses any part: everything is put back`,
    { run: true, env: true },
    async () => {
      using scene = await Scene.make();
      await scene.become(from);
      using undisturbed = new Refusal();
      await scene.become(to);
      const all = undisturbed.asked;
      undisturbed[Symbol.dispose]();
      await scene.become("nothing");
      await scene.become(from);
      for (const refused of spread(all, 6)) {
        const message = `${from} to ${to}, ${refused} of ${all} refused`;
        const error = await assertRejects(
          async () => {
            using _refusal = new Refusal(refused);
            await scene.become(to);
          },
          TopologyStepError,
          undefined,
          message,
        );
        assertMatch(error.message, /; everything was put back$/, message);
        await scene.assertIs(from, `${message}: ${error.message}`);
      }
    },
  );
}

kernelTest(
  "a link is made and marked in one system call, however many there are",
  {},
  async ({ netns: host }) => {
    const name = `many-${Deno.pid}`;
    using _name = { [Symbol.dispose]: () => void Netns.remove(name) };
    // The other end of a pair is only marked, so that of the others each second request is the mark.
    const bridges = Object.fromEntries(
      Array.from({ length: 150 }, (_, i) => [`b${i}`, { kind: "bridge", up: false }]),
    );
    const topology: Topology = {
      denolink: 1,
      name: "lab",
      links: { port: { peer: `${name}:up` } },
      namespaces: { [name]: { links: { up: { peer: "host:port" }, ...bridges } } },
    };
    const ends: boolean[] = [];
    {
      using _watched = watchChanges((change) => {
        if (typeof change === "string") return;
        const messages = messagesOf(change);
        ends.push(
          ...messages.flatMap(({ creates }, i) => creates ? [i + 1 < messages.length] : []),
        );
      });
      await apply(topology, { netns: host });
    }
    assertEquals(ends, Array.from({ length: 151 }, () => true));
    await destroy(topology, { netns: host });
  },
);

/** The messages of a datagram: whether each makes a link (RTM_NEWLINK with NLM_F_CREATE). */
function messagesOf(datagram: Uint8Array<ArrayBuffer>): { creates: boolean }[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  return changesIn(datagram).map((at) => ({
    creates: view.getUint16(at + 4, true) === 16 && (view.getUint16(at + 6, true) & 0x400) !== 0,
  }));
}

/** What stands in the way of the new version, or can't be in it, and where it is met. */
const OBSTACLES: readonly {
  change: RegExp;
  message: RegExp;
  /** Made by somebody else; "$" is the lab's prefix. */
  host?: string;
  beside?: string;
  netns?: string;
  attached?: boolean;
  /** Said otherwise. */
  said?: (topology: Writable) => void;
}[] = [
  { host: "ip link add br1 type bridge", change: /^add link br1 in host$/, message: /EEXIST/ },
  {
    host: "ip link add vx type vxlan id 7 dstport 4789 local 192.0.2.7",
    change: /^add link vxlan7 in host$/,
    message: /EEXIST/,
  },
  { beside: "ip link add x0 type bridge", change: /^add link x0 in /, message: /EEXIST/ },
  { netns: "$r2", change: /^add netns .*r2$/, message: /and no topology lab made it/ },
  {
    host: "ip address add 192.0.2.9/24 dev up0",
    change: /^add address 192.0.2.9\/24 dev up0 in host$/,
    message: /EEXIST/,
  },
  {
    said: ({ routes }) => routes[0].via = "203.0.113.99",
    change: /route 198.51.100.0\/24 in host$/,
    message: /ENETUNREACH/,
  },
  {
    // With its last address a link loses such neighbours.
    host: "ip address add 192.0.9.9/24 dev up0; ip neigh add proxy 10.60.0.200 dev up0",
    said: ({ neighbours }) => neighbours[2].dev = "up0",
    change: /^add neighbour proxy 10.60.0.200 dev up0 in host$/,
    message: /EEXIST/,
  },
  {
    said: ({ sysctls }) => sysctls["net.ipv4.ip_default_ttl"] = 0,
    change: /^change sysctl net.ipv4.ip_default_ttl in host$/,
    message: /EINVAL/,
  },
  {
    said: ({ sysctls }) => sysctls["net.ipv4.no_such"] = 0,
    change: /^add sysctl net.ipv4.no_such in host$/,
    message: /ENOENT/,
  },
  {
    attached: true,
    change: /attachment .*web:eth0 in host$/,
    message: /tcp port 8080 of the host leads to other/,
  },
];

// deno-lint-ignore no-explicit-any
type Writable = any;

kernelTest(
  "what somebody else has made is in the way: the change that meets it is named, all is put back",
  { run: true, env: true },
  async ({ another }) => {
    for (const { change, message, host, beside, netns, attached, said } of OBSTACLES) {
      using lab = await Lab.make("obstacle");
      const options = { netns: lab.host };
      await apply(lab.topology("old"), options);
      if (host !== undefined) await runIn(lab.host, "sh", "-c", host);
      if (beside !== undefined) {
        using there = Netns.open({ name: `${lab.prefix}beside` });
        await runIn(there, ...beside.split(" "));
      }
      if (netns !== undefined) {
        (await Netns.create(netns.replace("$", lab.prefix))).close();
      }
      using other = attached ? await another() : undefined;
      if (other !== undefined) {
        const publish = [{ protocol: "tcp" as const, hostPort: 8080, port: 80 }];
        const bridge = { name: "br9", addresses: ["10.9.0.1/24"] };
        const spec = { owner: "other", id: "other", addresses: ["auto"], publish };
        await attach({ ...spec, netns: other, bridge }, options);
      }
      const before = await kernelState(lab.host, lab.prefix);
      const topology: Topology = lab.topology("new");
      said?.(topology);
      const error = await assertRejects(
        () => apply(topology, options),
        TopologyStepError,
        "",
        String(change),
      );
      assertMatch(error.change.text, change, error.message);
      assertMatch(error.message, message);
      assertMatch(error.message, /; everything was put back$/);
      assert(error.change.path !== undefined, error.change.text);
      await assertKernelState(lab.host, lab.prefix, before, error.message);
      await destroy({ name: "lab" }, options);
    }
  },
);

kernelTest(
  "topologies and attachments of several owners come and go side by side: none disturbs another",
  { run: true, env: true },
  async ({ netns: host, another }) => {
    const prefix = `beside-${Deno.pid}-`;
    const options = { netns: host };
    const container = await another();
    const nothing = await kernelState(host, prefix);
    /** Of each the same settings, and names, addresses and ports of its own. */
    const topology = (i: number): Topology => ({
      denolink: 1,
      name: `t${i}`,
      bridges: { [`br${i}`]: `10.${i}.0.1/24` },
      links: {
        lo: { up: true },
        [`p${i}`]: { peer: `${prefix}r${i}:p`, address: `10.${i}.1.1/24` },
      },
      sysctls: { "net.ipv4.ip_forward": 1, "net.ipv4.ip_default_ttl": 70 },
      routes: [{ to: `198.51.${i}.0/24`, via: `10.${i}.1.2` }],
      rules: [{ from: `10.${i}.0.0/16`, priority: 100 + i, table: 100 }],
      firewall: { forward: { rules: [{ from: `10.${i}.0.0/16`, verdict: "accept" }] } },
      containers: {
        [`${prefix}c${i}`]: { bridge: `br${i}`, publish: [`${8000 + i}:80`], masquerade: true },
      },
      namespaces: {
        [`${prefix}r${i}`]: { links: { p: { peer: `host:p${i}`, address: `10.${i}.1.2/24` } } },
      },
    });
    const steps = {
      attach: () =>
        attach({
          ...{ netns: container, id: "other", owner: "other", masquerade: true },
          bridge: { name: "br9", addresses: ["10.9.0.1/24"] },
          addresses: ["auto"],
          gateways: ["auto"],
        }, options),
      detach: () => detach({ id: "other" }, { ...options, owner: "other" }),
      up1: () => apply(topology(1), options),
      up2: () => apply(topology(2), options),
      down1: () => destroy(topology(1), options),
      down2: () => destroy(topology(2), options),
    };
    const all = ["attach", "up1", "up2"] as const;
    const away = { attach: "detach", up1: "down1", up2: "down2" } as const;
    const orders = [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]].map((order) =>
      order.map((i) => all[i]!)
    );
    for (const [i, order] of orders.entries()) {
      const there = new Set<typeof all[number]>();
      const check = async (message: string) => {
        for (const [name, number] of [["up1", 1], ["up2", 2]] as const) {
          const { changes } = await plan(topology(number), options);
          assertEquals(changes.length === 0, there.has(name), `${message}: ${name}`);
        }
        const attached = await listAttachments({ ...options, owner: "other" });
        assertEquals(attached.length, there.has("attach") ? 1 : 0, message);
        const forwards = await readSysctl("net.ipv4.ip_forward", options);
        assertEquals(forwards, there.size > 0 ? "1" : "0", message);
      };
      for (const name of order) {
        await steps[name]();
        there.add(name);
        await check(`${order}: ${name}`);
      }
      for (const name of i % 2 === 0 ? order : order.toReversed()) {
        await steps[away[name]]();
        there.delete(name);
        await check(`${order}: ${away[name]}`);
      }
      await assertKernelState(host, prefix, nothing, `${order}: in the end`);
    }
  },
);

kernelTest(
  "4 processes apply the same topology and others to one host at once: all are there in the end",
  { run: true, env: true },
  async ({ netns: host }) => {
    const prefix = `rivals-${Deno.pid}-`;
    const options = { netns: host };
    const nothing = await kernelState(host, prefix);
    const topology = (name: string, mtu: number): Topology => ({
      denolink: 1,
      name,
      bridges: { [`br-${name}`]: { address: `10.${name.length}.0.1/24`, mtu } },
      containers: { [`${prefix}c-${name}`]: { bridge: `br-${name}` } },
      namespaces: { [`${prefix}n-${name}`]: { links: { b: { kind: "bridge", mtu } } } },
    });
    const [a, b] = [topology("a", 1400), topology("bb", 1400)];
    const ends = await Promise.all([
      [{ apply: a }, { apply: a }],
      [{ apply: topology("a", 1300) }, { apply: a }],
      [{ apply: b }, { destroy: "bb" }, { apply: b }],
      [{ apply: b }, { apply: a }],
    ].map((jobs) => runVictim({ host: elsewhere(host), jobs, rounds: 3 })));
    assertEquals(ends.map(({ killed }) => killed), [false, false, false, false]);
    await apply(a, options);
    for (const it of [a, b]) {
      await apply(it, options);
      assertEquals((await plan(it, options)).changes, []);
    }
    await destroy(a, options);
    assertEquals((await plan(b, options)).changes, []);
    await destroy(b, options);
    await assertKernelState(host, prefix, nothing, "in the end");
  },
);
