import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  addAddress,
  addLinkToBridge,
  createBridge,
  createVethPair,
  ExistsError,
  InputError,
  type Netns,
  type Rtnl,
  setLinkUp,
  withNetns,
} from "../../mod.ts";
import type { Bridge } from "../../overlay/bridges.ts";
import { ensureVxlan, readVxlan, removeVxlan, type VxlanSpec } from "../../overlay/vxlan.ts";
import { DEFAULT_OWNER, formatTag } from "../../overlay/tag.ts";
import { eventually, type Kernel, kernelTest, runIn } from "../support.ts";

const RUN = { run: true };
const ID = 42;

/** Hosts on one wire: the first has 192.0.2.1 and 2001:db8::1, and so on. */
async function lab(kernel: Kernel, hosts: number, mtu = 1500): Promise<Netns[]> {
  const wire = await kernel.another();
  await createBridge("wire", { netns: wire });
  await setLinkUp("wire", { netns: wire });
  const made: Netns[] = [];
  for (let i = 1; i <= hosts; i++) {
    const netns = await kernel.another();
    await createVethPair(`h${i}`, "eth0", { netns: wire, peerNetns: netns });
    for (const [name, end] of [[`h${i}`, wire], ["eth0", netns]] as const) {
      using rtnl = await end.connect();
      await rtnl.links.set({ name, mtu, up: true });
    }
    await addLinkToBridge(`h${i}`, "wire", { netns: wire });
    await addAddress("eth0", `192.0.2.${i}/24`, { netns });
    await addAddress("eth0", `2001:db8::${i}/64`, { netns });
    await createBridge("br0", { netns });
    await setLinkUp("br0", { netns });
    made.push(netns);
  }
  return made;
}

/** Where the hosts are. */
const UNDERLAYS = { IPv4: "192.0.2.", IPv6: "2001:db8::" };

function spec(
  own: number,
  others: number[],
  changes: Partial<VxlanSpec> & { underlay?: string } = {},
): VxlanSpec {
  const { underlay = UNDERLAYS.IPv4, ...rest } = changes;
  return {
    id: ID,
    local: `${underlay}${own}`,
    remotes: others.map((it) => `${underlay}${it}`),
    ...rest,
  };
}

async function getBridge(rtnl: Rtnl, name = "br0"): Promise<Bridge> {
  return await rtnl.links.get({ name }) as Bridge;
}

async function ensure(netns: Netns, spec: VxlanSpec, name = "br0"): Promise<void> {
  using rtnl = await netns.connect();
  await ensureVxlan(rtnl, await getBridge(rtnl, name), readVxlan(spec));
}

async function remove(netns: Netns, name = "br0"): Promise<void> {
  using rtnl = await netns.connect();
  await removeVxlan(rtnl, (await getBridge(rtnl, name)).index);
}

/** A container on a host's bridge, with 10.0.0.N and fd00::N, whose MTU is the bridge's as with `attach`. */
async function container(kernel: Kernel, host: Netns, n: number, mtu?: number): Promise<Netns> {
  const netns = await kernel.another();
  using rtnl = await host.connect();
  const bridge = await getBridge(rtnl);
  const size = mtu ?? bridge.mtu;
  await rtnl.links.add({
    name: `c${n}`,
    mtu: size,
    up: true,
    master: bridge.index,
    linkInfo: {
      kind: "veth",
      data: { peer: { name: "eth0", mtu: size, netnsFd: netns.fd } },
    },
  });
  await addAddress("eth0", `10.0.0.${n}/24`, { netns });
  await addAddress("eth0", `fd00::${n}/64`, { netns });
  await setLinkUp("eth0", { netns });
  return netns;
}

async function mtuOf(netns: Netns, name: string): Promise<number> {
  using rtnl = await netns.connect();
  return (await rtnl.links.get({ name })).mtu!;
}

/**
 * Whether a packet of that size and the answer to it get through. The kernel asks for a neighbour once a
 * second, and the first time a port may not forward yet.
 */
async function reaches(
  from: Netns,
  address: string,
  size: number,
  attempts = 10,
): Promise<boolean> {
  const headers = address.includes(":") ? 40 + 8 : 20 + 8;
  return await withNetns(from, async (rtnl) => {
    for (let sequence = 1; sequence <= attempts; sequence++) {
      const options = { size: size - headers, timeout: 300, sequence };
      // "No such neighbour" is no answer either.
      const reply = await rtnl.ping(address, options).catch(() => undefined);
      if (reply !== undefined) return true;
    }
    return false;
  });
}

/** How many packets a host had to cut into pieces. */
async function fragments(netns: Netns): Promise<number> {
  const v4 = await runIn(netns, "cat", "/proc/net/snmp");
  const [names, values] = v4.split("\n").filter((line) => line.startsWith("Ip:"))
    .map((line) => line.split(" "));
  const v6 = await runIn(netns, "cat", "/proc/net/snmp6");
  return Number(values![names!.indexOf("FragCreates")]) +
    Number(/^Ip6FragCreates\s+(\d+)$/m.exec(v6)![1]);
}

/** The links of a host, without what changes by itself. */
async function links({ ipIn }: Kernel, netns: Netns): Promise<Record<string, unknown>[]> {
  return (await ipIn(netns, "link", "show")).map((
    { ifindex, ifname, master, mtu, ifalias, altnames, linkinfo, flags },
  ) => ({
    ...{ ifindex, ifname, master, mtu, ifalias, altnames, kind: linkinfo?.info_kind },
    up: flags.includes("UP"),
  }));
}

/** The remotes of a vxlan as `bridge` tells them, sorted. */
async function remotes(netns: Netns, name = `vx${ID}`): Promise<string[]> {
  const output = await runIn(netns, "bridge", "-j", "fdb", "show", "dev", name);
  return (JSON.parse(output) as { mac: string; dst?: string }[])
    .filter(({ mac, dst }) => mac === "00:00:00:00:00:00" && dst !== undefined)
    .map(({ dst }) => dst!).sort();
}

/** The same connection, which writes down what it is asked to change. */
function recording(rtnl: Rtnl, changes: string[]): Rtnl {
  const objects = ["links", "addresses", "routes", "forwarding"] as const;
  const bound = Object.fromEntries(objects.map((object) => [
    object,
    new Proxy(rtnl[object], {
      get: (target, verb) => (...values: unknown[]) => {
        if (verb !== "list" && verb !== "get") changes.push(`${object}.${String(verb)}`);
        return Reflect.get(target, verb)(...values);
      },
    }),
  ]));
  const write = (requests: readonly { form: string; operation: string }[]) =>
    changes.push(
      ...requests.filter(({ form }) => form === "ack").map(({ operation }) => operation),
    );
  return {
    ...bound,
    request: (request: Parameters<Rtnl["request"]>[0]) => {
      write([request]);
      return rtnl.request(request);
    },
    batch: (requests: Parameters<Rtnl["batch"]>[0]) => {
      const all = [...requests];
      write(all);
      return rtnl.batch(all);
    },
  } as unknown as Rtnl;
}

/** What an ensure asks the kernel to change. */
async function changesOf(netns: Netns, spec: VxlanSpec): Promise<string[]> {
  using rtnl = await netns.connect();
  const changes: string[] = [];
  await ensureVxlan(recording(rtnl, changes), await getBridge(rtnl), readVxlan(spec));
  return changes;
}

Deno.test("a vxlan's spec is checked before the kernel is asked", () => {
  const good: VxlanSpec = { id: 42, local: "192.0.2.1", remotes: ["192.0.2.2"] };
  assertEquals(readVxlan(good), { ...good, family: "inet", remotes: ["192.0.2.2"], port: 4789 });
  assertEquals(
    readVxlan({ id: 0, local: "2001:DB8:0::1", remotes: ["2001:db8::0:2"], port: 8472 }),
    { id: 0, family: "inet6", local: "2001:db8::1", remotes: ["2001:db8::2"], port: 8472 },
  );
  assertEquals(readVxlan({ ...good, id: 16777215, port: undefined, remotes: [] }).remotes, []);
  const bad: [Partial<Record<keyof VxlanSpec, unknown>>, RegExp][] = [
    [{ id: -1 }, /an id is a whole number from 0 to 16777215/],
    [{ id: 16777216 }, /^Cannot use vxlan 16777216: an id/],
    [{ id: 1.5 }, /an id/],
    [{ id: "42" }, /^Cannot use vxlan "42": an id/],
    [{ port: 0 }, /a port is a whole number from 1 to 65535, got 0;/],
    [{ port: 65536 }, /a port/],
    [{ port: null }, /a port/],
    [{ remotes: "192.0.2.2" }, /as an array/],
    [{ local: "host" }, /local address "host"/],
    [{ local: "192.0.2.1/24" }, /local address/],
    [{ remotes: ["192.0.2.999"] }, /remote address "192.0.2.999"/],
    [{ remotes: ["2001:db8::2"] }, /are not of one family; take two/],
    [{ remotes: ["192.0.2.2", "192.0.2.2"] }, /192.0.2.2 is given twice; give it once/],
    [{ remotes: ["192.0.2.1"] }, /this host's own; leave it out/],
    [{ remotes: ["239.1.1.1"] }, /239.1.1.1 is no single host's; take/],
    [{ remotes: ["255.255.255.255"] }, /no single host's/],
    [{ remotes: ["0.0.0.0"] }, /no single host's/],
    [{ local: "ff02::1" }, /local address ff02::1 is no single host's/],
    [{ local: "::" }, /no single host's/],
    [{ local: "fe80::1" }, /link-local/],
    [{ local: "127.0.0.1" }, /every host's own/],
    [{ local: "::1" }, /every host's own/],
    [{ local: "2001:db8::1", remotes: ["2001:db8:0::1"] }, /this host's own/],
  ];
  for (const [part, message] of bad) {
    const error = assertThrows(() => readVxlan({ ...good, ...part } as VxlanSpec), InputError);
    assertMatch(error.message, message);
  }
});

for (const [family, underlay] of Object.entries(UNDERLAYS)) {
  const largest = family === "IPv4" ? 1450 : 1430;

  kernelTest(
    `containers of three hosts reach each other over ${family} with packets of their full size`,
    RUN,
    async (kernel) => {
      const hosts = await lab(kernel, 3);
      const others = (own: number) => [1, 2, 3].filter((it) => it !== own);
      await Promise.all(
        hosts.map((host, i) => ensure(host, spec(i + 1, others(i + 1), { underlay }))),
      );

      const [vxlan] = await kernel.ipIn(hosts[0]!, "link", "show", "dev", `vx${ID}`);
      assertEquals(vxlan.master, "br0");
      assertEquals(vxlan.mtu, largest);
      assertEquals(vxlan.ifalias, `denolink vxlan=${ID} master=br0`);
      assert(vxlan.flags.includes("UP"));
      const { id, port, learning, local, local6 } = vxlan.linkinfo.info_data;
      assertEquals([id, port, learning, local ?? local6], [ID, 4789, true, `${underlay}1`]);
      assertEquals(await remotes(hosts[0]!), [`${underlay}2`, `${underlay}3`]);
      for (const host of hosts) assertEquals(await mtuOf(host, "br0"), largest);

      const made = await Promise.all(hosts.map((host, i) => container(kernel, host, i + 2)));
      for (const [i, from] of made.entries()) {
        for (const to of [2, 3, 4].filter((n) => n !== i + 2)) {
          for (const address of [`10.0.0.${to}`, `fd00::${to}`]) {
            assert(await reaches(from, address, largest), `${i + 2} to ${address}`);
          }
        }
      }
      for (const netns of [...hosts, ...made]) assertEquals(await fragments(netns), 0);
    },
  );
}

kernelTest("remotes are changed by their difference", RUN, async (kernel) => {
  const [a, b, c] = await lab(kernel, 3) as [Netns, Netns, Netns];
  await ensure(a, spec(1, [2, 3]));
  await ensure(b, spec(2, [1, 3]));
  await ensure(c, spec(3, [1, 2]));
  const [inA, inB, inC] = [
    await container(kernel, a, 2),
    await container(kernel, b, 3),
    await container(kernel, c, 4),
  ];
  assert(await reaches(inA, "10.0.0.3", 100));
  assert(await reaches(inA, "10.0.0.4", 100));
  // Entries of an administrator's: a host's own, and one by another port.
  await runIn(a, "bridge", "fdb", "add", "02:00:00:00:00:09", "dev", "vx42", "dst", "192.0.2.3");
  const other = ["00:00:00:00:00:00", "dev", "vx42", "dst", "192.0.2.9", "port", "99"];
  await runIn(a, "bridge", "fdb", "append", ...other);

  // The third leaves: forgotten are the way to it and what was learned from it, and nothing else.
  await ensure(c, spec(3, []));
  assertEquals(await remotes(c), []);
  const changes = await changesOf(a, spec(1, [2]));
  assert(changes.every((it) => it.startsWith("delete forwarding entry")), changes.join());
  await ensure(b, spec(2, [1]));
  assertEquals(await remotes(a), ["192.0.2.2", "192.0.2.9"]);
  assertEquals(await remotes(b), ["192.0.2.1"]);
  const table = await runIn(a, "bridge", "fdb", "show", "dev", "vx42");
  assertEquals(
    table.split("\n").filter((line) => line.includes("192.0.2.3")).map((line) =>
      line.split(" ")[0]
    ),
    ["02:00:00:00:00:09"],
  );
  assertEquals(await reaches(inA, "10.0.0.4", 100, 3), false);
  assertEquals(await reaches(inC, "10.0.0.3", 100, 3), false);
  assert(await reaches(inA, "10.0.0.3", 100));
  assert(await reaches(inB, "10.0.0.2", 100));

  // And comes back.
  const back = await changesOf(a, spec(1, [3, 2]));
  assertEquals(back.length, 1);
  assertMatch(back[0]!, /^append forwarding entry 00:00:00:00:00:00 /);
  await ensure(c, spec(3, [1, 2]));
  assert(await reaches(inA, "10.0.0.4", 100));
});

kernelTest("the same again asks the kernel to change nothing", RUN, async (kernel) => {
  const [a] = await lab(kernel, 1) as [Netns];
  for (const underlay of Object.values(UNDERLAYS)) {
    const wanted = spec(1, [2, 3], { underlay });
    assert((await changesOf(a, wanted)).length > 0);
    await container(kernel, a, underlay.length);
    const before = await links(kernel, a);
    assertEquals(await changesOf(a, wanted), []);
    assertEquals(
      await changesOf(a, { ...wanted, remotes: wanted.remotes.toReversed(), port: 4789 }),
      [],
    );
    assertEquals(await links(kernel, a), before);
  }
});

kernelTest("with another id, address or port it is made anew", RUN, async (kernel) => {
  const [a] = await lab(kernel, 1) as [Netns];
  await addAddress("eth0", "192.0.2.11/24", { netns: a });
  const vxlans = async () =>
    (await kernel.ipIn(a, "link", "show", "type", "vxlan")).map(({ ifname, linkinfo }) => {
      const { id, local, local6, port } = linkinfo.info_data;
      return [ifname, id, local ?? local6, port];
    });
  const changes: [Partial<VxlanSpec> & { underlay?: string }, unknown[]][] = [
    [{}, ["vx42", 42, "192.0.2.1", 4789]],
    [{ id: 43 }, ["vx43", 43, "192.0.2.1", 4789]],
    [{ id: 43, port: 8472 }, ["vx43", 43, "192.0.2.1", 8472]],
    [{ id: 43, port: 8472, local: "192.0.2.11" }, ["vx43", 43, "192.0.2.11", 8472]],
    [{ underlay: UNDERLAYS.IPv6 }, ["vx42", 42, "2001:db8::1", 4789]],
    [{ id: 0 }, ["vx0", 0, "192.0.2.1", 4789]],
    [{ id: 16777215 }, ["vx16777215", 16777215, "192.0.2.1", 4789]],
  ];
  for (const [change, expected] of changes) {
    await ensure(a, spec(1, [2], change));
    assertEquals(await vxlans(), [expected]);
    assertEquals(await remotes(a, expected[0] as string), [
      `${change.underlay ?? UNDERLAYS.IPv4}2`,
    ]);
    assertEquals(await changesOf(a, spec(1, [2], change)), []);
  }
});

kernelTest("what is half done is done by the same call", RUN, async (kernel) => {
  const [a] = await lab(kernel, 1) as [Netns];
  const wanted = spec(1, [2, 3]);
  const check = async () => {
    await ensure(a, wanted);
    const [vxlan] = await kernel.ipIn(a, "link", "show", "dev", "vx42");
    assertEquals([vxlan.master, vxlan.mtu, vxlan.flags.includes("UP")], ["br0", 1450, true]);
    assertEquals(await remotes(a), ["192.0.2.2", "192.0.2.3"]);
    assertEquals(await mtuOf(a, "br0"), 1450);
    assertEquals(await changesOf(a, wanted), []);
  };
  await check();
  const states = [
    "ip link set vx42 down",
    "ip link set vx42 mtu 1400",
    "ip link set vx42 nomaster",
    "ip link set br0 mtu 9000",
    "ip link delete br0 && ip link add br0 up type bridge",
    "bridge fdb delete 00:00:00:00:00:00 dev vx42 dst 192.0.2.3",
    "bridge fdb delete 00:00:00:00:00:00 dev vx42 dst 192.0.2.2 && " +
    "bridge fdb delete 00:00:00:00:00:00 dev vx42 dst 192.0.2.3",
    "ip link delete vx42",
  ];
  for (const state of states) {
    await runIn(a, "sh", "-c", state);
    await check();
  }
});

kernelTest("links of others are left alone", RUN, async (kernel) => {
  const [a] = await lab(kernel, 1) as [Netns];
  await createBridge("br1", { netns: a });
  const state = () => links(kernel, a);
  const tag = "alias 'denolink vxlan=42 master=br1'";
  const add = "ip link add vx42 type vxlan id 42 dstport 4789 local 192.0.2.1";
  const cases: [string, string, RegExp][] = [
    ["ip link add vx42 type bridge", "vx42", /there is a link vx42 already/],
    ["ip link add vx42 type vxlan id 7 dstport 9", "vx42", /there is a link vx42 already/],
    [`${add} && ip link set vx42 master br0`, "vx42", /link vx42 has this id on port 4789/],
    [`${add} && ip link set vx42 master br1 ${tag}`, "vx42", /take another id or port/],
    [`${add} && ip link set vx42 ${tag}`, "vx42", /link vx42 has this id on port 4789/],
    [`${add.replace("vx42", "mine")}`, "mine", /link mine has this id on port 4789/],
    [
      "ip link add veth1 type veth peer name veth2 && ip link property add dev veth1 altname vx42",
      "veth1",
      /there is a link vx42 already/,
    ],
  ];
  for (const [command, name, message] of cases) {
    await runIn(a, "sh", "-c", command);
    const before = await state();
    const error = await assertRejects(() => ensure(a, spec(1, [2])), ExistsError);
    assertMatch(error.message, /^Cannot make vxlan 42 a port of bridge br0: /);
    assertMatch(error.message, message);
    await remove(a);
    assertEquals(await state(), before);
    await runIn(a, "ip", "link", "delete", name);
  }

  // Nor is one's own deleted for an id that another has.
  await ensure(a, spec(1, [2]));
  await ensure(a, spec(1, [2], { id: 43 }), "br1");
  const before = await state();
  await assertRejects(() => ensure(a, spec(1, [2], { id: 43 })), ExistsError);
  assertEquals(await state(), before);

  await remove(a);
  await remove(a);
  const left = (await state()).map(({ ifname }) => ifname);
  assert(!left.includes("vx42") && left.includes("vx43") && left.includes("br0"));
});

kernelTest("what can't work is refused, and nothing is made", RUN, async (kernel) => {
  const [a] = await lab(kernel, 1) as [Netns];
  const before = await links(kernel, a);
  const foreign = await assertRejects(
    () => ensure(a, spec(1, [2], { local: "192.0.2.77" })),
    InputError,
  );
  assertMatch(foreign.message, /local address 192.0.2.77 is not this host's; take one/);
  await addAddress("br0", "198.51.100.1/24", { netns: a });
  const loop = await assertRejects(
    () => ensure(a, spec(1, [2], { underlay: "198.51.100." })),
    InputError,
  );
  assertMatch(loop.message, /the route to 198.51.100.2 leads through that bridge itself;/);
  assertEquals(await links(kernel, a), before);
});

kernelTest("the MTU is what the ways to the remotes leave", RUN, async (kernel) => {
  const [a, b] = await lab(kernel, 2, 9000) as [Netns, Netns];
  const both = async () => [await mtuOf(a, "vx42"), await mtuOf(a, "br0")];
  await ensure(a, spec(1, [2]));
  assertEquals(await both(), [8950, 8950]);
  await ensure(b, spec(2, [1]));
  const [inA] = [await container(kernel, a, 2), await container(kernel, b, 3)];
  assert(await reaches(inA, "10.0.0.3", 8950));

  // One that no route leads to, and one with a narrower way.
  await runIn(a, "ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.2", "mtu", "1400");
  await ensure(a, spec(1, [], { remotes: ["192.0.2.2", "198.51.100.9"] }));
  assertEquals(await both(), [8950, 8950]);
  await ensure(a, spec(1, [], { remotes: ["192.0.2.2", "203.0.113.9"] }));
  assertEquals(await both(), [1350, 1350]);
  await ensure(a, spec(1, []));
  assertEquals((await both())[0], 8950);

  // The link narrows, and the bridge's MTU was set.
  await runIn(a, "ip", "link", "set", "br0", "mtu", "9000");
  await runIn(a, "ip", "link", "set", "eth0", "mtu", "1500");
  await ensure(a, spec(1, [2]));
  assertEquals(await both(), [1450, 1450]);
  assertEquals(await changesOf(a, spec(1, [2])), []);

  // What was set lower stays.
  await runIn(a, "ip", "link", "set", "br0", "mtu", "1300");
  assertEquals(await changesOf(a, spec(1, [2])), []);
  assertEquals(await both(), [1450, 1300]);

  // The link is down: nothing is known, and nothing is changed.
  await runIn(a, "ip", "link", "set", "eth0", "down");
  assertEquals(await changesOf(a, spec(1, [2])), []);
});

kernelTest("attachments that were there before get its MTU on both ends", RUN, async (kernel) => {
  const [a, b] = await lab(kernel, 2) as [Netns, Netns];
  await ensure(b, spec(2, [1]));
  const far = await container(kernel, b, 9);
  const attached = [
    await container(kernel, a, 2),
    await container(kernel, a, 3),
  ];
  const untagged = await container(kernel, a, 5);
  attached.push(await container(kernel, a, 4, 1400));
  for (const [i, { id }] of attached.entries()) {
    using rtnl = await a.connect();
    const alias = formatTag({
      ...{ owner: DEFAULT_OWNER, netns: id, interface: "eth0", addresses: [], gateways: [] },
      ...{ forwarding: [], masquerade: false, publish: [] },
    });
    await rtnl.links.set({ name: `c${i + 2}`, alias });
  }
  // By whatever name it is known there by now.
  await runIn(attached[1]!, "ip", "link", "set", "eth0", "name", "lan0");
  await ensure(a, spec(1, [2]));
  const mtus = async (n: number, netns: Netns, name = "eth0") => [
    await mtuOf(a, `c${n}`),
    await mtuOf(netns, name),
  ];
  assertEquals(await mtus(2, attached[0]!), [1450, 1450]);
  assertEquals(await mtus(3, attached[1]!, "lan0"), [1450, 1450]);
  assertEquals(await mtus(4, attached[2]!), [1400, 1400]);
  assertEquals(await mtus(5, untagged), [1500, 1500]);
  assertEquals(await changesOf(a, spec(1, [2])), []);
  assert(await reaches(attached[0]!, "10.0.0.9", 1450));
  assert(await reaches(far, "10.0.0.3", 1450));
  assert(await reaches(attached[0]!, "10.0.0.3", 1450));
});

kernelTest("an attachment whose namespace can't be opened stays as it is", RUN, async (kernel) => {
  const [a] = await lab(kernel, 1) as [Netns];
  const hidden = await container(kernel, a, 2);
  await runIn(a, "ip", "link", "set", "c2", "alias", "denolink netns=1 interface=eth0");
  await ensure(a, spec(1, [2]));
  assertEquals([await mtuOf(a, "c2"), await mtuOf(hidden, "eth0")], [1500, 1500]);
  await eventually(async () => assertEquals(await mtuOf(a, "br0"), 1450));
});
