/**
 * A thousand containers, from the first attach to the last sweep, beside the same by `ip -batch`:
 * `deno task bench:thousand`, which runs it in private namespaces. A container is a process in a network
 * namespace of its own, so that it can be killed.
 *
 * @module
 */

import { attach, detach, listAttachments, listLinks, Netns, sweep } from "../mod.ts";
import { findHeld } from "../netns/held.ts";

const COUNT = Number(Deno.args[0] ?? 1000);
const BRIDGE = { name: "br0", addresses: ["10.0.0.1/16", "fd00::1/64"] };
/** How long the kernel may take to take away what killed processes leave. */
const PATIENCE_MILLISECONDS = 60_000;

interface Container {
  process: Deno.ChildProcess;
  name: string;
}

/** One way to do it; a program that asks what is attached is a new one each time. */
interface Way {
  attach(containers: Container[]): Promise<void>;
  list(): Promise<number>;
  detach(containers: Container[]): Promise<void>;
  /** When all containers are gone. */
  sweep(): Promise<void>;
}

const denolink: Way = {
  async attach(containers) {
    for (const { process: { pid }, name } of containers) {
      await attach({
        netns: { pid },
        bridge: BRIDGE,
        addresses: ["auto"],
        gateways: ["auto"],
        id: name,
      });
    }
  },
  async list() {
    const config = Deno.env.get("DENOLINK_CONFIG") ?? "deno.json";
    const args = ["run", "-A", "--no-check", "--config", config, import.meta.filename!, "list"];
    return Number(await run(Deno.execPath(), args));
  },
  async detach(containers) {
    for (const { name } of containers) await detach({ id: name });
  },
  async sweep() {
    await sweep();
  },
};

const ip: Way = {
  async attach(containers) {
    await batch([], [
      "link add br0 type bridge",
      ...BRIDGE.addresses.map((it) => `address add ${it} dev br0 nodad`),
      "link set br0 up",
      ...containers.map(({ name }) =>
        `link add ${name} up master br0 type veth peer name eth0 netns ${name}`
      ),
    ]);
    for (const [i, { name }] of containers.entries()) {
      await batch(["-n", name], [
        `address add 10.0.${(i + 2) >> 8}.${(i + 2) & 255}/16 dev eth0`,
        `address add fd00::${(i + 2).toString(16)}/64 dev eth0 nodad`,
        "link set lo up",
        "link set eth0 up",
        "route add default via 10.0.0.1",
        "route add default via fd00::1",
      ]);
    }
  },
  async list() {
    return JSON.parse(await run("ip", ["-j", "link", "show", "type", "veth"])).length;
  },
  async detach(containers) {
    await batch([], containers.map(({ name }) => `link delete ${name}`));
  },
  async sweep() {
    await batch([], ["link delete br0"]);
  },
};

if (Deno.args[0] === "list") console.log((await listAttachments()).length);
else await compare();

async function compare(): Promise<void> {
  const PHASES = ["attach", "list", "detach", "attach again", "kill", "sweep"];
  const times: number[][] = [];
  for (const way of [denolink, ip]) times.push(await measure(way));
  console.log(`${COUNT} containers on a bridge, with IPv4 and IPv6; seconds\n`);
  console.log("denolink        ip   ratio");
  for (const [i, phase] of PHASES.entries()) {
    const [own, other] = times.map((of) => of[i]! / 1000) as [number, number];
    const columns = [own, other].map((it) => it.toFixed(2).padStart(8));
    console.log(`${columns.join("  ")}  ${(own / other).toFixed(2).padStart(6)}  ${phase}`);
  }
}

/** The milliseconds of each phase. */
async function measure(way: Way): Promise<number[]> {
  const containers = await start();
  try {
    const times: number[] = [];
    const phase = async (work: () => Promise<void>) => {
      const begin = performance.now();
      await work();
      times.push(performance.now() - begin);
    };
    await phase(() => way.attach(containers));
    await phase(async () => expect(await way.list(), COUNT));
    await phase(() => way.detach(containers));
    await way.sweep().catch(() => {});
    expect((await listLinks()).length, 1);
    await phase(() => way.attach(containers));
    await phase(async () => {
      await kill(containers);
      for (const end = performance.now() + PATIENCE_MILLISECONDS; performance.now() < end;) {
        if ((await listLinks()).every(({ kind }) => kind !== "veth")) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error("The kernel has not taken the links away");
    });
    await phase(() => way.sweep());
    expect((await listLinks()).length, 1);
    return times;
  } finally {
    await kill(containers);
  }
}

/** Processes in namespaces of their own, with names for `ip -n`. */
async function start(): Promise<Container[]> {
  const containers: Container[] = [];
  for (let i = 0; i < COUNT; i++) {
    const process = new Deno.Command("unshare", {
      args: ["--net", "sleep", "600"],
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    }).spawn();
    containers.push({ process, name: `c${i}` });
  }
  const pids = new Set(containers.map(({ process }) => process.pid));
  const isReady = () =>
    findHeld().filter((it) => it.pids.length === 1 && pids.has(it.pids[0]!)).length === COUNT;
  for (let left = 600; !isReady(); left--) {
    if (left === 0) throw new Error("The containers have not started");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const { process, name } of containers) {
    await run("ip", ["netns", "attach", name, String(process.pid)]);
  }
  return containers;
}

async function kill(containers: Container[]): Promise<void> {
  for (const { process, name } of containers) {
    Netns.remove(name);
    try {
      process.kill("SIGKILL");
    } catch {
      // It was killed before.
    }
  }
  await Promise.all(containers.map(({ process }) => process.status));
}

async function batch(options: string[], lines: string[]): Promise<void> {
  await run("ip", [...options, "-batch", "-"], lines.join("\n") + "\n");
}

async function run(command: string, args: string[], stdin = ""): Promise<string> {
  const child = new Deno.Command(command, {
    ...{ args, stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

function expect(seen: number, wanted: number): void {
  if (seen !== wanted) throw new Error(`${wanted} were expected, and there are ${seen}`);
}
