import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  attach,
  type AttachSpec,
  detach,
  ExistsError,
  InputError,
  listAttachments,
  listLinks,
  Netns,
  NotFoundError,
  PoolExhaustedError,
  readSysctl,
  runInNetns,
  setSysctl,
  sweep,
  withNetns,
} from "../../mod.ts";
import { eventually, type Kernel, kernelTest } from "../support.ts";
import { assertState, stateOf } from "./state.ts";
import type { Received } from "./transfer.ts";

const TRANSFER = new URL("transfer.ts", import.meta.url);
const BRIDGE = { name: "br0", addresses: ["10.0.0.1/24", "fd00::1/64"] };
const AUTO = { bridge: BRIDGE, addresses: ["auto"], gateways: ["auto"] };

const bare = (cidr: string) => cidr.replace(/\/.*/, "");

/** Whether an address answers; a neighbour that can't be found is no answer. */
async function answers(from: Netns, address: string): Promise<boolean> {
  return await withNetns(from, async (rtnl) => {
    // The first packet may wait for its neighbour.
    const reply = await rtnl.ping(address, { timeout: 500 });
    return reply !== undefined;
  });
}

/** The attributes of the one bridge port that an attachment has, as `ip` tells them. */
async function port({ ip }: Kernel, name: string): Promise<Record<string, unknown>> {
  const [link] = await ip("link", "show", "dev", name);
  return link.linkinfo.info_slave_data;
}

kernelTest("a container gets the MAC address that is asked for", { run: true }, async (kernel) => {
  const { netns, another, ipIn } = kernel;
  const container = await another();
  await attach({ ...AUTO, netns: container, mac: "02:00:5E:10:00:01" }, { netns });
  const [eth0] = await ipIn(container, "link", "show", "dev", "eth0");
  assertEquals(eth0.address, "02:00:5e:10:00:01");
  for (const mac of ["01:00:5e:10:00:01", "00:00:00:00:00:00", "02:00:5e", "02-00-5e-10-00-01"]) {
    await assertRejects(
      () => attach({ ...AUTO, netns: container, interface: "eth1", mac }, { netns }),
      InputError,
      "MAC address",
    );
  }
});

kernelTest(
  "a container may have several links, each with addresses and routes of its own",
  { run: true },
  async ({ netns, another, ipIn }) => {
    const host = { netns };
    const container = await another();
    await attach({ ...AUTO, netns: container, id: "web" }, host);
    await attach({
      netns: container,
      id: "web",
      interface: "eth1",
      bridge: { name: "br1", addresses: ["10.1.0.1/24", "fd01::1/64"] },
      addresses: ["10.1.0.7/24", "fd01::7/64"],
      routes: [
        { destination: "10.9.0.0/16", gateway: "10.1.0.1" },
        { destination: "10.8.0.0/16" },
        { destination: "fd09::/32", gateway: "fd01::1" },
      ],
    }, host);
    const routes = [
      ...await ipIn(container, "-4", "route", "show"),
      ...await ipIn(container, "-6", "route", "show"),
    ].map(({ dst, gateway, dev }) => [dst, gateway, dev].filter(Boolean).join(" "));
    for (
      const wanted of [
        ...["default 10.0.0.1 eth0", "10.9.0.0/16 10.1.0.1 eth1", "10.8.0.0/16 eth1"],
        ...["default fd00::1 eth0", "fd09::/32 fd01::1 eth1"],
      ]
    ) {
      assertEquals(routes.filter((route) => route === wanted).length, 1, wanted);
    }
    assertEquals((await listAttachments(host)).map((it) => it.bridge), ["br0", "br1"]);
    assert(await answers(container, "10.1.0.1"));

    assertEquals(await detach({ netns: container, interface: "eth1" }, host), true);
    assertEquals((await listAttachments(host)).map((it) => it.interface), ["eth0"]);
    const left = (await listLinks(host)).filter(({ kind }) => kind === "bridge");
    assertEquals(left.map(({ name }) => name), ["br0"]);
  },
);

kernelTest(
  "a route that can't be meant is refused, and nothing is left",
  { run: true },
  async (kernel) => {
    const { netns, another } = kernel;
    const container = await another();
    const before = await stateOf(netns);
    const refuse = (routes: AttachSpec["routes"], kind: typeof InputError | typeof Error) =>
      assertRejects(() => attach({ ...AUTO, netns: container, routes }, { netns }), kind);
    await refuse([{ destination: "10.9.0.0/16", gateway: "fd00::1" }], InputError);
    await refuse([{ destination: "10.9.0.0" }], InputError);
    const error = await refuse([{ destination: "10.9.0.0/16", gateway: "172.16.0.1" }], Error);
    assertMatch(error.message, /^Cannot attach eth0: add route .*10\.9\.0\.0\/16/);
    await assertState(netns, before);
    assertEquals((await listLinks({ netns: container })).map(({ name }) => name), ["lo"]);
  },
);

kernelTest(
  "a container receives and sends as fast as it may, measured by a TCP transfer",
  { run: true, read: true, net: true },
  async ({ netns, another }) => {
    const [limited, free] = [await another(), await another()];
    const rate = { receive: 40e6, send: 16e6 };
    const [own, other] = [
      await attach({ ...AUTO, netns: limited, rate }, { netns }),
      await attach({ ...AUTO, netns: free }, { netns }),
    ].map(({ addresses }) => bare(addresses[0]!)) as [string, string];
    const measure = async (to: Netns, address: string, from: Netns) => {
      const received = runInNetns<Received>(to, TRANSFER, { export: "receive", args: [address] });
      await runInNetns(from, TRANSFER, { export: "send", args: [address, 1.5] });
      const { bytes, seconds } = await received;
      assert(seconds > 1, `${bytes} bytes in ${seconds} seconds`);
      return 8 * bytes / seconds;
    };
    for (
      const [what, wanted, measured] of [
        ["receive", rate.receive, await measure(limited, own, free)],
        ["send", rate.send, await measure(free, other, limited)],
      ] as const
    ) {
      const ratio = measured / wanted;
      assert(ratio > 0.8 && ratio < 1.2, `${what}: ${measured} bits per second of ${wanted}`);
    }
    for (const send of [7999, 34e9 + 1, 1e6 + 0.5, NaN]) {
      await assertRejects(
        () => attach({ ...AUTO, netns: free, interface: "eth1", rate: { send } }, { netns }),
        InputError,
        "rate",
      );
    }
  },
);

kernelTest(
  "isolated containers reach the gateway and those that are not isolated, but not each other",
  { run: true },
  async (kernel) => {
    const { netns, another } = kernel;
    const [a, b, open] = [await another(), await another(), await another()];
    const attached = [];
    for (const [container, isolated] of [[a, true], [b, true], [open, false]] as const) {
      attached.push(await attach({ ...AUTO, netns: container, isolated }, { netns }));
    }
    const [ofA, ofB, ofOpen] = attached.map(({ addresses }) => addresses.map(bare));
    assertEquals((await port(kernel, attached[0]!.hostInterface)).isolated, true);
    assertEquals((await port(kernel, attached[2]!.hostInterface)).isolated, false);
    for (const family of [0, 1]) {
      assertEquals(await answers(a, bare(BRIDGE.addresses[family]!)), true);
      assertEquals(await answers(b, bare(BRIDGE.addresses[family]!)), true);
      assertEquals(await answers(a, ofOpen![family]!), true);
      assertEquals(await answers(open, ofB![family]!), true);
      const refused = await Promise.all([answers(a, ofB![family]!), answers(b, ofA![family]!)]);
      assertEquals(refused, [false, false]);
    }
  },
);

kernelTest("hairpin is the port's, and without a bridge refused", { run: true }, async (kernel) => {
  const { netns, another } = kernel;
  const { hostInterface } = await attach(
    { ...AUTO, netns: await another(), hairpin: true },
    { netns },
  );
  assertEquals((await port(kernel, hostInterface)).hairpin, true);
  assertEquals((await port(kernel, hostInterface)).isolated, false);
  const plain = await attach({ ...AUTO, netns: await another() }, { netns });
  assertEquals((await port(kernel, plain.hostInterface)).hairpin, false);
  for (const option of [{ hairpin: true }, { isolated: true }]) {
    await assertRejects(
      async () =>
        attach({ netns: await another(), addresses: ["10.0.0.9/24"], ...option }, { netns }),
      InputError,
      "bridge's port",
    );
  }
});

kernelTest("a container's settings are put back when its attach fails", {}, async (kernel) => {
  const { netns, another } = kernel;
  const container = { netns: await another() };
  const ttl = "net.ipv4.ip_default_ttl";
  await setSysctl(ttl, 77, container);
  const spec: AttachSpec = {
    ...AUTO,
    ...container,
    sysctls: { [ttl]: 42, "net.ipv4.conf.eth0.rp_filter": 2 },
  };
  const error = await assertRejects(() =>
    attach({
      ...spec,
      onStep: async (step) => {
        if (step !== "set sysctls") return;
        assertEquals(await readSysctl(ttl, container), "42");
        throw new Error("fault");
      },
    }, { netns })
  );
  assertEquals((error as Error).message, "fault");
  assertEquals(await readSysctl(ttl, container), "77");

  // The second key is refused: the first is put back too.
  await assertRejects(
    () => attach({ ...spec, sysctls: { [ttl]: 42, "net.ipv4.no_such_key": 1 } }, { netns }),
    NotFoundError,
  );
  assertEquals(await readSysctl(ttl, container), "77");
  assertEquals(await listAttachments({ netns }), []);

  await attach(spec, { netns });
  assertEquals(await readSysctl(ttl, container), "42");
  assertEquals(await readSysctl("net.ipv4.conf.eth0.rp_filter", container), "2");
});

kernelTest(
  "an attach that replaces another leaves nothing of that: links, routes, bridge, forwarding, translation",
  { run: true },
  async ({ netns, another }) => {
    const host = { netns };
    const [old, container] = [await another(), await another()];
    const plain: AttachSpec = {
      netns: container,
      id: "web",
      bridge: { name: "br1", addresses: ["10.1.0.1/24"] },
      addresses: ["10.1.0.2/24"],
    };
    await attach(plain, host);
    const wanted = await stateOf(netns);
    await detach({ id: "web" }, host);
    const before = await stateOf(netns);

    const rich: AttachSpec = { ...AUTO, netns: old, id: "web", masquerade: true };
    await attach(rich, host);
    await assertRejects(() => attach(plain, host), ExistsError, "replace it");
    const replacement = await attach({ ...plain, replace: true }, host);
    assertEquals(await listAttachments(host), [replacement]);
    await assertState(netns, wanted, "as if there had been no other");

    // By namespace and interface, without an id; and a first time, where there is nothing to replace.
    await attach({ ...plain, id: undefined, addresses: ["10.1.0.3/24"], replace: true }, host);
    assertEquals((await listAttachments(host)).map((it) => it.addresses), [["10.1.0.3/24"]]);
    await detach({ netns: container }, host);
    await attach({ ...rich, replace: true }, host);

    // What it took the place of is gone, and what that needed too.
    const onStep = (step: string) => {
      if (step === "create the pair") throw new Error("fault");
    };
    await assertRejects(() => attach({ ...plain, replace: true, onStep }, host), Error, "fault");
    await assertState(netns, before, "nothing is left");
  },
);

kernelTest(
  "a namespace that an attach makes goes with its last attachment",
  { run: true },
  async ({ netns, another }) => {
    const host = { netns };
    const name = `made-${crypto.randomUUID().slice(0, 8)}`;
    const named = () => Netns.list().filter((it) => it.name === name).length;
    const spec: AttachSpec = { ...AUTO, netns: { name }, createNetns: true };
    await assertRejects(() => attach({ ...spec, createNetns: false }, host), NotFoundError);
    await assertRejects(
      async () => attach({ ...spec, netns: await another() }, host),
      InputError,
      "{ name }",
    );
    const onStep = (step: string) => {
      if (step === "create the pair") throw new Error("fault");
    };
    await assertRejects(() => attach({ ...spec, onStep }, host), Error, "fault");
    assertEquals(named(), 0);

    await attach(spec, host);
    await attach({ ...spec, interface: "eth1", gateways: [] }, host);
    assertEquals(named(), 1);
    assertEquals(await detach({ netns: { name } }, host), true);
    assertEquals(await sweep(host), []);
    assertEquals(named(), 1);
    assertEquals(await detach({ netns: { name }, interface: "eth1" }, host), true);
    assertEquals(named(), 0);
    await assertRejects(() => detach({ netns: { name } }, host), NotFoundError);
  },
);

kernelTest(
  "a namespace that an attach makes stays while a program is inside, and one that was there before for ever",
  { run: true },
  async ({ netns }) => {
    const host = { netns };
    const names = ["made", "found"].map((it) => `${it}-${crypto.randomUUID().slice(0, 8)}`);
    const [made, found] = names as [string, string];
    const left = () => Netns.list().map(({ name }) => name).filter((it) => names.includes(it));
    using cleanup = new DisposableStack();
    cleanup.defer(() => names.forEach((name) => Netns.remove(name)));

    (await Netns.create(found)).close();
    await attach({ ...AUTO, netns: { name: found }, createNetns: true }, host);
    await attach({ ...AUTO, netns: { name: made }, createNetns: true }, host);
    const program = await Netns.spawn({ name: made }, "sleep", { args: ["60"], stdin: "null" });
    cleanup.defer(() => program.kill("SIGKILL"));
    assertEquals(await detach({ netns: { name: found } }, host), true);
    assertEquals(await detach({ netns: { name: made } }, host), true);
    assertEquals(await sweep(host), []);
    assertEquals(left(), [found, made]);

    program.kill("SIGKILL");
    await program.status;
    await eventually(async () => {
      assertEquals(await sweep({ ...host, dryRun: true }), [{ kind: "netns", name: made }]);
    });
    assertEquals(await sweep(host), [{ kind: "netns", name: made }]);
    assertEquals(left(), [found]);
  },
);

kernelTest("auto is the next free address of each family that is not given", {}, async (kernel) => {
  const { netns, another } = kernel;
  const give = async (spec: Partial<AttachSpec> = {}) => {
    const { addresses, gateways } = await attach(
      { ...AUTO, netns: await another(), ...spec },
      { netns },
    );
    return [...addresses, ...gateways].join(" ");
  };
  assertEquals(await give(), "10.0.0.2/24 fd00::2/64 10.0.0.1 fd00::1");
  assertEquals(await give({ addresses: ["10.0.0.4/24"] }), "10.0.0.4/24 10.0.0.1");
  assertEquals(await give(), "10.0.0.3/24 fd00::3/64 10.0.0.1 fd00::1");
  assertEquals(
    await give({ addresses: ["auto", "fd00::5/64"], gateways: [] }),
    "fd00::5/64 10.0.0.5/24",
  );
  // The fourth of the one and the sixth of the other are free.
  assertEquals(await give(), "10.0.0.6/24 fd00::4/64 10.0.0.1 fd00::1");
  assertEquals(
    await give({
      pool: { ranges: ["10.0.0.128/25"], exclude: ["10.0.0.128-10.0.0.140", "fd00::6"] },
    }),
    "10.0.0.141/24 fd00::7/64 10.0.0.1 fd00::1",
  );
  const outside = { pool: { ranges: ["10.7.0.0/24"] } };
  await assertRejects(() => give(outside), PoolExhaustedError, "10.0.0.1/24 on bridge br0");
  await assertRejects(() => give({ addresses: ["10.0.0.50/24"], ...outside }), InputError, "pool");
  await assertRejects(() => give({ bridge: undefined, gateways: [] }), InputError, "no bridge");
});

kernelTest("auto wants a bridge with a subnet", {}, async ({ netns, another }) => {
  const host = { netns };
  const error = await assertRejects(
    async () =>
      await attach({ netns: await another(), bridge: { name: "br0" }, addresses: ["auto"] }, host),
    InputError,
  );
  assertMatch(error.message, /bridge br0 has no subnet/);
  assertEquals((await listLinks(host)).map(({ name }) => name), ["lo"]);
});
