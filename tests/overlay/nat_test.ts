import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import {
  attach,
  type AttachSpec,
  createVethPair,
  detach,
  ExistsError,
  type Netns,
  runInNetns,
  sweep,
} from "../../mod.ts";
import { type Kernel, kernelTest, runIn } from "../support.ts";

const TALK = new URL("../../examples/talk.ts", import.meta.url);
const PORT = 7777;
const WEB = [{ protocol: "tcp" as const, hostPort: 8080, port: PORT }];
const DNS = [{ protocol: "udp" as const, hostPort: 53, port: 53 }];

/** A host with containers, and the world: another network beside it, which knows no way to them. */
interface Lab {
  host: Netns;
  world: Netns;
  /** What `nft list ruleset` says of the host. */
  rules(): Promise<string>;
  attach(spec: Partial<AttachSpec> & { netns: Netns }): Promise<string[]>;
}

async function lab({ netns: host, another, ip }: Kernel): Promise<Lab> {
  const world = await another();
  await createVethPair("up0", "eth0", { netns: host, peerNetns: world });
  for (const line of ["192.0.2.1/24", "2001:db8::1/64"]) {
    await ip("address", "add", line, "dev", "up0", "nodad");
  }
  await ip("link", "set", "up0", "up");
  await ip("link", "set", "lo", "up");
  const inWorld = (...words: string[]) => runIn(world, "ip", ...words);
  for (const line of ["192.0.2.2/24", "2001:db8::2/64"]) {
    await inWorld("address", "add", line, "dev", "eth0", "nodad");
  }
  await inWorld("link", "set", "eth0", "up");
  return {
    host,
    world,
    rules: () => runIn(host, "nft", "list", "ruleset"),
    async attach(spec) {
      const { addresses } = await attach({
        bridge: { name: "br0", addresses: ["10.0.0.1/24", "fd00::1/64"] },
        addresses: ["auto"],
        gateways: ["auto"],
        ...spec,
      }, { netns: host });
      return addresses.map((address) => address.replace(/\/.*/, ""));
    },
  };
}

/** One conversation: whom the server saw. */
async function talk(
  server: Netns,
  at: string,
  client: Netns,
  asked: string,
  port?: number,
): Promise<string> {
  const served = runInNetns<string>(server, TALK, { export: "serve", args: [at] });
  const args = [asked, "hi", port ?? PORT];
  assertEquals(await runInNetns<string>(client, TALK, { export: "call", args }), "HI");
  return await served;
}

const NEEDS = { all: true };

kernelTest("what leaves a container for another network has the host's address", NEEDS, async (
  kernel,
) => {
  const { host, world, rules, attach } = await lab(kernel);
  const container = await kernel.another();
  const before = await rules();
  await attach({ netns: container, masquerade: true });
  assertEquals(await talk(world, "192.0.2.2", container, "192.0.2.2"), "192.0.2.1");
  assertEquals(await talk(world, "2001:db8::2", container, "2001:db8::2"), "2001:db8::1");
  assert((await rules()).includes("masquerade"));
  // A neighbour sees the container's own address.
  const neighbour = await kernel.another();
  const [four = "", six = ""] = await attach({ netns: neighbour });
  assertEquals(await talk(neighbour, four, container, four), "10.0.0.2");
  assertEquals(await talk(neighbour, six, container, six), "fd00::2");
  await detach({ netns: container }, { netns: host });
  assertEquals(await rules(), before);
});

kernelTest("a routed container is hidden too", NEEDS, async (kernel) => {
  const { world, host, rules } = await lab(kernel);
  const container = await kernel.another();
  const before = await rules();
  await attach({ netns: container, addresses: ["10.7.0.2/32"], masquerade: true }, { netns: host });
  assertEquals(await talk(world, "192.0.2.2", container, "192.0.2.2"), "192.0.2.1");
  await detach({ netns: container }, { netns: host });
  assertEquals(await rules(), before);
});

kernelTest(
  "a published port is reached from outside, from the host and from a neighbour",
  NEEDS,
  async (
    kernel,
  ) => {
    const { host, world, rules, attach } = await lab(kernel);
    const [container, neighbour] = [await kernel.another(), await kernel.another()];
    // Somebody else's rules stay, also those for the same hook.
    for (
      const line of [
        "table inet theirs",
        "chain inet theirs c { type nat hook prerouting priority -90; }",
      ]
    ) {
      await runIn(host, "nft", "add", line);
    }
    const before = await rules();
    const [four = "", six = ""] = await attach({ netns: container, publish: WEB });
    await attach({ netns: neighbour });
    assertEquals(await talk(container, four, world, "192.0.2.1", 8080), "192.0.2.2");
    assertEquals(await talk(container, six, world, "2001:db8::1", 8080), "2001:db8::2");
    assertEquals(await talk(container, four, host, "192.0.2.1", 8080), "192.0.2.1");
    assertEquals(await talk(container, six, host, "2001:db8::1", 8080), "2001:db8::1");
    // The neighbour hears from the host whom it asked, so the container sees the host.
    assertEquals(await talk(container, four, neighbour, "192.0.2.1", 8080), "10.0.0.1");
    assertEquals(await talk(container, six, neighbour, "2001:db8::1", 8080), "fd00::1");
    const listed = await rules();
    assertMatch(listed, /tcp \. 8080 : 10\.0\.0\.2 \. 7777/);
    assertMatch(listed, /comment "published ports, ip6"/);
    assert(listed.includes(before.trim()));

    // The port is one container's only, whoever attaches.
    await assertRejects(
      () => attach({ netns: neighbour, interface: "eth1", publish: WEB }),
      ExistsError,
      "tcp port 8080 of the host leads to",
    );
    await detach({ netns: container }, { netns: host });
    assertEquals(await rules(), before);
    await attach({ netns: neighbour, interface: "eth1", publish: WEB, gateways: [] });
    await detach({ netns: neighbour, interface: "eth1" }, { netns: host });
    assertEquals(await rules(), before);
  },
);

kernelTest(
  "each owner has a table of its own, which goes with its last user, or is swept",
  NEEDS,
  async (
    kernel,
  ) => {
    const { host, rules, attach } = await lab(kernel);
    const before = await rules();
    const [one, two, three] = [
      await kernel.another(),
      await kernel.another(),
      await kernel.another(),
    ];
    await attach({ netns: one, masquerade: true });
    const alone = await rules();
    const other = { owner: "lab", bridge: { name: "br1", addresses: ["10.1.0.1/24"] } };
    await attach({ netns: two, masquerade: true, ...other });
    await attach({ netns: three, publish: DNS, ...other });
    const all = await rules();
    assertEquals([...all.matchAll(/^table inet (\S+)/gm)].map(([, name]) => name), [
      "denolink",
      "denolink-lab",
    ]);
    // The first owner's table is untouched.
    assert(all.includes(alone.trim()));
    await detach({ netns: three }, { netns: host, owner: "lab" });
    assert(!(await rules()).includes("53"));
    // The container's link goes without a detach: what translated for it is left until a sweep.
    await runIn(two, "ip", "link", "delete", "eth0");
    const swept = await sweep({ netns: host, owner: "lab", dryRun: true });
    assertEquals(swept.map(({ kind }) => kind).toSorted(), ["bridge", "nat table"]);
    assertEquals(await sweep({ netns: host, owner: "lab" }), swept);
    assertEquals(await rules(), alone);
    await detach({ netns: one }, { netns: host });
    assertEquals(await rules(), before);
    assertEquals(await sweep({ netns: host }), []);
  },
);

kernelTest("a port of a container that is gone leads to nobody who gets its address", NEEDS, async (
  kernel,
) => {
  const { host, rules, attach } = await lab(kernel);
  const before = await rules();
  const [gone, next] = [await kernel.another(), await kernel.another()];
  const addresses = await attach({ netns: gone, publish: WEB });
  const resident = await kernel.another();
  await attach({ netns: resident, publish: DNS });
  // As when its namespace ends: nobody detaches it.
  await runIn(gone, "ip", "link", "delete", "eth0");
  assertMatch(await rules(), /tcp \. 8080 : /);
  assertEquals(await attach({ netns: next }), addresses);
  assert(!(await rules()).includes("8080"));
  assertMatch(await rules(), /udp \. 53 : /);
  // One that takes the place of another has its port at once.
  await attach({ netns: resident, addresses: ["10.0.0.99/24"], replace: true, publish: DNS });
  assertMatch(await rules(), /udp \. 53 : 10\.0\.0\.99 \./);
  for (const netns of [next, resident]) await detach({ netns }, { netns: host });
  assertEquals(await rules(), before);
});

kernelTest("a table that somebody changed is as it was with the next change", NEEDS, async (
  kernel,
) => {
  const { host, rules, attach } = await lab(kernel);
  const before = await rules();
  const [one, two] = [await kernel.another(), await kernel.another()];
  await attach({ netns: one, masquerade: true, publish: WEB });
  const content = async () => (await rules()).split("\n").toSorted();
  const wanted = await content();
  for (
    const script of [
      "delete table inet denolink",
      "flush table inet denolink",
      "flush chain inet denolink postrouting; delete chain inet denolink postrouting",
      "flush map inet denolink published4",
      "add element inet denolink published4 { tcp . 8081 : 10.0.0.9 . 80 }",
      "flush map inet denolink published4; add element inet denolink published4 { tcp . 8080 : 10.0.0.9 . 80 }",
      "flush table inet denolink; delete map inet denolink published6",
      'add rule inet denolink output counter comment "mine"',
    ]
  ) {
    await runIn(host, "nft", script);
    assertNotEquals(await content(), wanted, script);
    await attach({ netns: two });
    await detach({ netns: two }, { netns: host });
    assertEquals(await content(), wanted, script);
  }
  await runIn(host, "nft", "delete table inet denolink");
  await detach({ netns: one }, { netns: host });
  assertEquals(await rules(), before);
});
