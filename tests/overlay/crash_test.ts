import { assert, assertEquals } from "@std/assert";
import {
  attach,
  type AttachSpec,
  type AttachStep,
  detach,
  type DetachTarget,
  listAttachments,
  Netns,
  setSysctl,
  sweep,
} from "../../mod.ts";
import { eventually, kernelTest } from "../support.ts";
import { assertState, type State, stateOf } from "./state.ts";
import { elsewhere, endOf, type Point, runVictim, startVictim } from "./victim.ts";

/** More than any of them needs: the search for the last call ends there. */
const MOST_CALLS = 80;

const ON_A_BRIDGE = {
  bridge: { name: "br0", addresses: ["10.0.0.1/24", "fd00::1/64"] },
  addresses: ["auto"],
  gateways: ["auto"],
};

const KINDS: Record<string, Omit<AttachSpec, "netns"> & { operatorForwards?: boolean }> = {
  "on a bridge of its own": { ...ON_A_BRIDGE },
  "routed, on a host that forwards anyway": {
    addresses: ["10.0.0.2/24", "fd00::2/64"],
    rate: { receive: 1e6 },
    operatorForwards: true,
  },
  "translated, in a namespace of its own": {
    ...ON_A_BRIDGE,
    createNetns: true,
    masquerade: true,
    publish: [{ protocol: "tcp", hostPort: 8080, port: 80 }],
    sysctls: { "net.ipv4.conf.eth0.rp_filter": 2 },
  },
};

/** A host, a container, and both as they shall be. */
class Scene implements Disposable {
  static #count = 0;
  readonly host: Netns;
  readonly spec: AttachSpec;
  /** The same for another process. */
  readonly specElsewhere: AttachSpec;
  readonly target: DetachTarget & { id: string };
  readonly #container: Netns | undefined;
  readonly #name: string | undefined;
  detached!: State;
  attached!: State;
  attachedInside!: State;

  private constructor(host: Netns, container: Netns | undefined, spec: Omit<AttachSpec, "netns">) {
    const number = ++Scene.#count;
    this.host = host;
    this.#container = container;
    this.#name = container === undefined ? `crash-${Deno.pid}-${number}` : undefined;
    this.target = { id: "web" };
    this.spec = { ...spec, ...this.target, netns: container ?? { name: this.#name! } };
    this.specElsewhere = {
      ...this.spec,
      netns: container === undefined ? { name: this.#name! } : elsewhere(container),
    };
  }

  /** Makes one, and attaches once undisturbed, to see what it should be like. */
  static async make(kind: string): Promise<Scene> {
    const { operatorForwards = false, ...spec } = KINDS[kind]!;
    const host = await Netns.create();
    const scene = new Scene(host, spec.createNetns ? undefined : await Netns.create(), spec);
    if (operatorForwards) {
      await setSysctl("net.ipv4.ip_forward", 1, { netns: host });
      await setSysctl("net.ipv6.conf.all.forwarding", 1, { netns: host });
    }
    scene.detached = await stateOf(host);
    await attach(scene.spec, { netns: host });
    await eventually(async () => {
      scene.attached = await stateOf(host);
      assert(scene.attached.routes.length > 2, "the kernel has made its routes");
    });
    using container = scene.open();
    scene.attachedInside = await stateOf(container);
    assertEquals(await detach(scene.target, { netns: host }), true);
    await scene.assertDetached("undisturbed");
    return scene;
  }

  /** The container's namespace; to be closed. */
  open(): Netns {
    return Netns.open(this.spec.netns);
  }

  async assertAttached(message: string): Promise<void> {
    await assertState(this.host, this.attached, message);
    using container = this.open();
    await assertState(container, this.attachedInside, message);
    const listed = await listAttachments({ netns: this.host });
    assertEquals(listed.map(({ id, netns }) => [id, netns]), [["web", container.id]], message);
  }

  /** Nothing is left on the host; of the container not even the name, if it was made for this. */
  async assertDetached(message: string): Promise<void> {
    await assertState(this.host, this.detached, message);
    assertEquals(Netns.list().filter(({ name }) => name === this.#name), [], message);
    assertEquals(await listAttachments({ netns: this.host }), [], message);
  }

  [Symbol.dispose](): void {
    this.host.close();
    this.#container?.close();
    if (this.#name !== undefined) Netns.remove(this.#name);
  }
}

/** What is done after a kill; after each of them nothing may be left. */
const REMEDIES: Record<string, (scene: Scene, message: string) => Promise<void>> = {
  "attach again": async (scene, message) => {
    const host = { netns: scene.host };
    // What a killed detach had not begun is still attached.
    const here = await listAttachments(host);
    if (here.length === 0) await attach(scene.spec, host);
    await scene.assertAttached(message);
    assertEquals(await detach(scene.target, host), true, message);
    await scene.assertDetached(message);
  },
  "detach": async (scene, message) => {
    await detach(scene.target, { netns: scene.host });
    await scene.assertDetached(message);
    assertEquals(await sweep({ netns: scene.host }), [], message);
  },
  "sweep": async (scene, message) => {
    const host = { netns: scene.host };
    const whole = (await listAttachments(host)).length > 0;
    const would = await sweep({ ...host, dryRun: true });
    assertEquals(await sweep(host), would, `${message}: what was announced`);
    assertEquals(await sweep(host), [], `${message}: the second sweep`);
    if (whole) {
      assertEquals(would, [], message);
      await scene.assertAttached(message);
      await detach(scene.target, host);
    }
    await scene.assertDetached(message);
  },
};

/** Has a process killed at each point in turn, until it gets to its end, with each remedy on a host of its own. */
async function atEveryPoint(
  kind: string,
  action: "attach" | "detach",
  points: (steps: AttachStep[]) => Iterable<Point>,
  remedies = Object.keys(REMEDIES),
): Promise<number> {
  const lanes = await Promise.allSettled(
    remedies.map(async (name) => {
      using scene = await Scene.make(kind);
      const { host, spec, specElsewhere, target } = scene;
      const steps: AttachStep[] = [];
      await attach({ ...spec, onStep: (step) => void steps.push(step) }, { netns: host });
      await detach(target, { netns: host });
      let kills = 0;
      for (const point of points(steps)) {
        if (action === "detach") await attach(spec, { netns: host });
        const { killed } = await runVictim({
          host: elsewhere(host),
          jobs: [action === "attach" ? { attach: specElsewhere } : { detach: target }],
          point,
        });
        const message = `${kind}: ${action} killed at ${JSON.stringify(point)}, then ${name}`;
        if (!killed) {
          assert(point && "call" in point, `${message}: it was not`);
          return kills;
        }
        kills++;
        await REMEDIES[name]!(scene, message);
      }
      return kills;
    }),
  );
  return Math.min(...lanes.map((lane) => {
    if (lane.status === "rejected") throw lane.reason;
    return lane.value;
  }));
}

/** Before each request, and each change of a name or a setting. */
function* calls(): Iterable<Point> {
  for (let call = 1; call <= MOST_CALLS; call++) yield { call };
  throw new Error("It has more calls than were thought possible");
}

for (const kind of Object.keys(KINDS)) {
  kernelTest(
    `an attach (${kind}) killed before any call leaves nothing that attach, detach or sweep can't put right`,
    { run: true, env: true },
    async () => {
      const kills = await atEveryPoint(kind, "attach", calls);
      assert(kills >= 8, `${kills} kills`);
    },
  );

  kernelTest(
    `an attach (${kind}) killed after any step leaves nothing that a sweep can't put right`,
    { run: true, env: true },
    async () => {
      const kills = await atEveryPoint(
        kind,
        "attach",
        (steps) => steps.map((step) => ({ step })),
        ["sweep"],
      );
      assert(kills >= 6, `${kills} kills`);
    },
  );

  kernelTest(
    `a detach (${kind}) killed before any call leaves nothing that attach, detach or sweep can't put right`,
    { run: true, env: true },
    async () => {
      const kills = await atEveryPoint(kind, "detach", calls);
      assert(kills >= 4, `${kills} kills`);
    },
  );
}

kernelTest(
  "attaches and detaches killed at any moment leave nothing that a sweep can't put right",
  { run: true, env: true },
  async ({ netns: host, another }) => {
    const before = await stateOf(host);
    const containers = [await another(), await another()];
    const spec = (netns: AttachSpec["netns"], i: number): AttachSpec => ({
      ...ON_A_BRIDGE,
      netns,
      id: `c${i}`,
      masquerade: true,
    });
    let interrupted = 0;
    for (let round = 0; round < 15; round++) {
      const victim = startVictim({
        host: elsewhere(host),
        jobs: [
          ...containers.map((netns, i) => ({ attach: spec(elsewhere(netns), i) })),
          ...containers.map((_, i) => ({ detach: { id: `c${i}` } })),
        ],
        rounds: 1000,
      });
      const reader = victim.stdout.getReader();
      await reader.read();
      reader.releaseLock();
      await new Promise((resolve) => setTimeout(resolve, 80 * Math.random()));
      victim.kill("SIGKILL");
      assertEquals((await endOf(victim)).killed, true);

      const would = await sweep({ netns: host, dryRun: true });
      if (would.length > 0) interrupted++;
      assertEquals(await sweep({ netns: host }), would);
      assertEquals(await sweep({ netns: host }), []);
      const left = (await listAttachments({ netns: host })).map(({ id }) => id);
      for (const [i, netns] of containers.entries()) {
        if (!left.includes(`c${i}`)) await attach(spec(netns, i), { netns: host });
      }
      assertEquals((await listAttachments({ netns: host })).length, containers.length);
      for (const i of containers.keys()) {
        assertEquals(await detach({ id: `c${i}` }, { netns: host }), true);
      }
      await assertState(host, before, `round ${round}`);
    }
    assert(interrupted > 0, "some kill came at a moment that matters");
  },
);
