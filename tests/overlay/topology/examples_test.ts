/** The examples do what they promise, and leave nothing. */

import { assert, assertEquals } from "@std/assert";
import { Netns, withNetns } from "../../../mod.ts";
import {
  apply,
  destroy,
  exportTopology,
  plan,
  type Topology,
} from "../../../overlay/topology/mod.ts";
import { parseTopology } from "../../../overlay/topology/yaml.ts";
import { eventually, kernelTest, runIn } from "../../support.ts";
import {
  call,
  counting,
  lookAtAll,
  measure,
  namesOf,
  ownOf,
  removingNames,
  serving,
  traceOf,
} from "./scene.ts";

const FOLDER = new URL("../../../examples/", import.meta.url);

/** An example while it is there. */
interface Example {
  topology: Topology;
  host: { netns: Netns };
  /** A namespace by its name in the topology. */
  lab(name: string): Netns;
}

/** What each promises, by traffic. */
const PROOFS: Readonly<Record<string, (example: Example) => Promise<void>>> = {
  "two_containers.yaml": async ({ lab }) => {
    for (const [web, client] of [["10.77.0.2", "10.77.0.3"], ["fd77::2", "fd77::3"]] as const) {
      await serving(lab("web"), [web, 80], async () => {
        assertEquals(await call(lab("client"), web, 80), client);
      });
    }
  },

  "hundred_containers.yaml": async ({ lab }) => {
    await serving(lab("n100"), ["10.80.0.101", 80], async () => {
      assertEquals(await call(lab("n001"), "10.80.0.101", 80), "10.80.0.2");
    });
    assertNear(await measure(lab("n001"), lab("n100"), "10.80.0.101"), 10e6);
  },

  "three_tier.yaml": async ({ lab }) => {
    const refused = "ConnectionRefused";
    const ways: [
      server: string,
      at: string,
      port: number,
      client: string,
      to: string,
      seen: string,
    ][] = [
      ["web", "10.78.1.10", 80, "host", "10.78.0.2", "10.78.0.1"],
      ["app", "10.78.2.10", 8080, "web", "10.78.2.10", "10.78.1.10"],
      ["db", "10.78.3.10", 5432, "app", "10.78.3.10", "10.78.2.10"],
      // What leaves by the uplink has the router's address.
      ["host", "10.78.0.1", 443, "app", "10.78.0.1", "10.78.0.2"],
      ["db", "10.78.3.10", 5432, "web", "10.78.3.10", refused],
      ["app", "10.78.2.10", 8080, "db", "10.78.2.10", refused],
      ["app", "10.78.2.10", 8081, "web", "10.78.2.10", refused],
      ["web", "10.78.1.10", 80, "app", "10.78.1.10", refused],
      ["host", "10.78.0.1", 443, "web", "10.78.0.1", refused],
    ];
    for (const [server, at, port, client, to, seen] of ways) {
      await serving(lab(server), [at, port], async () => {
        assertEquals(
          await call(lab(client), to, port),
          seen,
          `${client} to ${server}, port ${port}`,
        );
      });
    }
  },

  "two_hosts_vxlan.yaml": async ({ lab }) => {
    await serving(lab("bob"), ["10.79.0.12", 80], async () => {
      assertEquals(await call(lab("ann"), "10.79.0.12", 80), "10.79.0.11");
    });
    // As large as fits, and no host has to cut it into pieces.
    assertEquals(await reaches(lab("ann"), "10.79.0.12", 1450 - 28), true);
    for (const host of ["east", "west"]) assertEquals(await fragments(lab(host)), 0);
  },

  "wan.yaml": async ({ lab, topology, host }) => {
    const [cable, radio] = await Promise.all([
      measure(lab("oslo"), lab("lima"), "10.81.2.2"),
      measure(lab("lima"), lab("cairo"), "10.81.3.2"),
    ]);
    assertNear(cable, 20e6);
    assertNear(radio, 2e6);
    // Only what is changed changes; without its line a site is cut off.
    const cut = structuredClone(topology);
    Object.assign(cut.namespaces!.core!.links!.cairo!, { up: false });
    const { changes } = await apply(cut, host);
    assertEquals(changes.map(({ text }) => text), ["change link cairo in core"]);
    assertEquals(await reaches(lab("lima"), "10.81.3.2"), false);
    await apply(topology, host);
    await eventually(async () => assert(await reaches(lab("lima"), "10.81.3.2")));
  },
};

function assertNear(measured: number, wanted: number): void {
  const ratio = measured / wanted;
  assert(ratio > 0.8 && ratio < 1.2, `${measured} bits per second of ${wanted}`);
}

/** Whether an echo of so many bytes comes back. */
async function reaches(from: Netns, address: string, size = 56): Promise<boolean> {
  const reply = await withNetns(
    from,
    (rtnl) => rtnl.ping(address, { size, timeout: 1000 }).catch(() => undefined),
  );
  return reply !== undefined;
}

async function fragments(netns: Netns): Promise<number> {
  const [names, values] = (await runIn(netns, "cat", "/proc/net/snmp")).split("\n")
    .filter((line) => line.startsWith("Ip:")).map((line) => line.split(" "));
  return Number(values![names!.indexOf("FragCreates")]);
}

kernelTest(
  "each example comes up, does what it promises, is copied, and goes without a trace",
  { all: true },
  async (kernel, t) => {
    const files = (await Array.fromAsync(Deno.readDir(FOLDER), ({ name }) => name))
      .filter((name) => name.endsWith(".yaml")).sort();
    assertEquals(files, Object.keys(PROOFS).sort(), "each example has its proof here");
    for (const file of files) {
      await t.step(file, async () => {
        const text = await Deno.readTextFile(new URL(file, FOLDER));
        const { topology } = parseTopology(text, file);
        const names = namesOf(topology);
        const isOwn = (name: string) => names.includes(name);
        const netns = await kernel.another();
        const host = { netns };
        const assertAsBefore = await traceOf(netns, isOwn);
        using _names = removingNames(isOwn);

        const made = await apply(topology, host);
        assert(made.changes.length > 0);
        const again = await counting(() => apply(topology, host));
        assertEquals([again.answer.changes, again.changing], [[], []]);
        assert(again.reading > 0);
        assertEquals((await plan(topology, host)).changes, []);

        using opened = new DisposableStack();
        const lab = new Map(names.map((name) => [name, opened.use(Netns.open({ name }))]));
        await PROOFS[file]!({
          ...{ topology, host },
          lab: (name) => name === "host" ? netns : lab.get(name)!,
        });

        // Of many that are alike, the first and the last.
        const some = names.length > 20 ? [names[0]!, names.at(-1)!] : names;
        const look = await lookAtAll(netns, some);
        const copy = ownOf(await exportTopology({ ...host, name: "copy" }), isOwn);
        await destroy(topology, host);
        opened.dispose();
        await assertAsBefore("after destroy");
        await apply(copy, host);
        assertEquals(await lookAtAll(netns, some), look, "the copy");
        await destroy(copy, host);
        await assertAsBefore("after destroying the copy");
      });
    }
  },
);
