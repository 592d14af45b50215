import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import {
  addAddress,
  attach,
  type AttachSpec,
  type AttachStep,
  createBridge,
  createVethPair,
  detach,
  ExistsError,
  flushAddresses,
  InputError,
  listAttachments,
  listLinks,
  Netns,
  NotFoundError,
  readSysctl,
  runInNetns,
  setLinkUp,
  setSysctl,
} from "../../mod.ts";
import { readLink } from "../../ffi/system.ts";
import {
  eventually,
  type Kernel,
  kernelTest,
  openedSince,
  openInKernel,
  threadNamespaces,
} from "../support.ts";

const ADDRESSES = ["10.0.0.2/24", "fd00::2/64"];
const GATEWAYS = ["10.0.0.1", "fd00::1"];
const TALK = new URL("../../examples/talk.ts", import.meta.url);

/** A bridge with both gateways on the host side, and a container. */
async function lab(
  { netns, another }: Kernel,
): Promise<{ host: { netns: Netns }; container: Netns }> {
  const host = { netns };
  await createBridge("br0", host);
  await addAddress("br0", `${GATEWAYS[0]}/24`, host);
  await addAddress("br0", `${GATEWAYS[1]}/64`, host);
  await setLinkUp("br0", host);
  return { host, container: await another() };
}

const whole = (container: Netns): AttachSpec => ({
  netns: container,
  bridge: "br0",
  addresses: ADDRESSES,
  gateways: GATEWAYS,
});

/** All that an attach touches, as `ip` and /proc/sys tell it. */
async function state({ ipIn }: Kernel, host: Netns, container: Netns): Promise<unknown> {
  const of = async (netns: Netns) => ({
    links: (await ipIn(netns, "link", "show")).map(({ ifname, flags, altnames, ifalias }) => ({
      ifname,
      up: flags.includes("UP"),
      altnames,
      ifalias,
    })),
    addresses: (await ipIn(netns, "addr", "show")).map(({ ifname, addr_info }) => ({
      ifname,
      // Link-local ones come and go by themselves.
      addresses: addr_info.map(({ local }: { local: string }) => local)
        .filter((local: string) => !local.startsWith("fe80:")),
    })),
    routes: (await ipIn(netns, "route", "show", "table", "all"))
      .filter(({ dst }) => !dst.startsWith("fe80:") && !dst.startsWith("ff00:"))
      .map(({ dst, dev, gateway }) => ({ dst, dev, gateway })),
    forwarding: [
      await readSysctl("net.ipv4.ip_forward", { netns }),
      await readSysctl("net.ipv6.conf.all.forwarding", { netns }),
    ],
  });
  return { host: await of(host), container: await of(container) };
}

async function talk(server: Netns, client: Netns, address: string): Promise<string> {
  const served = runInNetns<string>(server, TALK, { export: "serve", args: [address] });
  const answer = await runInNetns<string>(client, TALK, { export: "call", args: [address, "hi"] });
  assertEquals(answer, "HI");
  return await served;
}

async function lowerLoopback(netns: Netns): Promise<void> {
  using rtnl = await netns.connect();
  await rtnl.links.set({ name: "lo", up: false });
  await flushAddresses("lo", { netns });
}

kernelTest(
  "attach gives the container its link, addresses and default routes on the bridge",
  { run: true },
  async (kernel) => {
    const { host, container } = await lab(kernel);
    const { ip, ipIn } = kernel;
    const attachment = await attach({ ...whole(container), mtu: 1400, id: "web" }, host);

    const [eth0] = await ipIn(container, "addr", "show", "dev", "eth0");
    assertEquals(eth0.linkinfo.info_kind, "veth");
    assertEquals(eth0.mtu, 1400);
    assert(eth0.flags.includes("UP"));
    const own = eth0.addr_info.filter(({ scope }: { scope: string }) => scope === "global");
    assertEquals(
      own.map(({ local, prefixlen }: Record<string, string>) => `${local}/${prefixlen}`),
      ADDRESSES,
    );
    assert(own.every((info: Record<string, unknown>) => !info.tentative), "usable at once");
    const [lo] = await ipIn(container, "link", "show", "dev", "lo");
    assert(lo.flags.includes("UP"));
    const routes = [
      ...await ipIn(container, "-4", "route", "show", "default"),
      ...await ipIn(container, "-6", "route", "show", "default"),
    ];
    assertEquals(routes.map(({ gateway, dev }) => [gateway, dev]), [
      [GATEWAYS[0], "eth0"],
      [GATEWAYS[1], "eth0"],
    ]);

    const [outer] = await ip("link", "show", "dev", attachment.hostInterface);
    assertEquals(outer.master, "br0");
    assertEquals(outer.mtu, 1400);
    assert(outer.flags.includes("UP"));
    assertEquals(attachment.netns, container.id);
    assertEquals(await listAttachments(host), [attachment]);
  },
);

kernelTest("without an MTU the bridge's is taken", { run: true }, async (kernel) => {
  const { netns, ip, ipIn, another } = kernel;
  await createBridge("br0", { netns });
  await ip("link", "set", "dev", "br0", "mtu", "9000");
  const container = await another();
  await attach({ netns: container, bridge: "br0", addresses: ["10.0.0.2/24"] }, { netns });
  assertEquals((await ipIn(container, "link", "show", "dev", "eth0"))[0].mtu, 9000);
});

kernelTest(
  "two attached containers talk over IPv4 and IPv6, and with the host",
  { net: true, read: true },
  async (kernel) => {
    const { host, container } = await lab(kernel);
    const other = await kernel.another();
    await attach(whole(container), host);
    await attach({ ...whole(other), addresses: ["10.0.0.3/24", "fd00::3/64"] }, host);
    assertEquals(await talk(container, other, "10.0.0.2"), "10.0.0.3");
    assertEquals(await talk(container, other, "fd00::2"), "fd00::3");
    assertEquals(await talk(container, kernel.netns, "10.0.0.2"), "10.0.0.1");
    assertEquals(await talk(kernel.netns, container, "fd00::1"), "fd00::2");
  },
);

kernelTest(
  "without a bridge the host routes to each address, and is the gateway of all",
  { net: true, read: true, run: true },
  async (kernel) => {
    const { netns, ip, ipIn } = kernel;
    const [a, b] = [await kernel.another(), await kernel.another()];
    const host = { netns };
    const before = await state(kernel, netns, a);
    await attach({ netns: a, addresses: ADDRESSES }, host);
    await attach(
      { netns: b, addresses: ["10.0.0.3/24", "fd00::3/64"], gateways: ["10.9.9.9"] },
      host,
    );

    const routes = [...await ip("-4", "route", "show"), ...await ip("-6", "route", "show")];
    for (const dst of ["10.0.0.2", "10.0.0.3", "fd00::2", "fd00::3"]) {
      assertEquals(routes.filter((route) => route.dst === dst).length, 1, dst);
    }
    assertEquals((await ipIn(b, "-4", "route", "show", "default"))[0].gateway, "10.9.9.9");
    assertEquals(await talk(a, b, "10.0.0.2"), "10.0.0.3");
    assertEquals(await talk(a, b, "fd00::2"), "fd00::3");
    assertEquals(await readSysctl("net.ipv4.ip_forward", host), "1");

    // The link that remembers the forwarding of before goes first; its memory does not.
    assertEquals(await detach({ netns: a }, host), true);
    assertEquals(await readSysctl("net.ipv4.ip_forward", host), "1");
    assertEquals(await detach({ netns: b }, host), true);
    await lowerLoopback(a);
    assertEquals(await state(kernel, netns, a), before);
  },
);

const ON_A_BRIDGE: AttachStep[] = [
  "pin the namespace",
  "create the pair",
  "configure the container",
  "switch forwarding on",
  "look whether the container lives",
  "commit",
];
const ROUTED: AttachStep[] = ON_A_BRIDGE.toSpliced(2, 0, "route on the host");

for (const [kind, steps] of Object.entries({ "on a bridge": ON_A_BRIDGE, routed: ROUTED })) {
  kernelTest(
    `an attach (${kind}) interrupted after any step leaves nothing behind`,
    { run: true },
    async (kernel) => {
      const { host, container } = await lab(kernel);
      const spec = { ...whole(container), id: "web" };
      if (kind === "routed") Object.assign(spec, { bridge: undefined, gateways: undefined });
      const before = await state(kernel, kernel.netns, container);
      const opened = openInKernel();
      for (const fault of steps) {
        const onStep = (step: AttachStep) => {
          if (step === fault) throw new Error(`fault after: ${step}`);
        };
        const error = await assertRejects(() => attach({ ...spec, onStep }, host), Error);
        assertEquals(error.message, `fault after: ${fault}`);
        assertEquals(await state(kernel, kernel.netns, container), before, fault);
        await eventually(() => assertEquals(openedSince(opened), [], fault));
      }
      // The same attach then works: nothing stands in its way, and no step was left out above.
      const seen: AttachStep[] = [];
      await attach({ ...spec, onStep: (step) => void seen.push(step) }, host);
      assertEquals(seen, steps);
    },
  );
}

kernelTest(
  "a fault does not stop the forwarding that another container needs",
  {},
  async (kernel) => {
    const { host, container } = await lab(kernel);
    const other = await kernel.another();
    await attach(whole(container), host);
    const onStep = (step: AttachStep) => {
      if (step === "switch forwarding on") throw new Error("fault");
    };
    await assertRejects(() =>
      attach({ ...whole(other), addresses: ["10.0.0.3/24", "fd00::3/64"], onStep }, host)
    );
    assertEquals(await readSysctl("net.ipv4.ip_forward", host), "1");
    await detach({ netns: container }, host);
    assertEquals(await readSysctl("net.ipv4.ip_forward", host), "0");
  },
);

kernelTest("many attached and detached at once, on a bridge and routed", {}, async (kernel) => {
  const { host } = await lab(kernel);
  for (const bridge of ["br0", undefined]) {
    const containers = await Promise.all(Array.from({ length: 20 }, kernel.another));
    await Promise.all(containers.map((netns, i) =>
      attach({
        netns,
        bridge,
        addresses: [`10.0.0.${i + 2}/24`, `fd00::${i + 2}/64`],
        gateways: GATEWAYS,
        id: `c${i}`,
      }, host)
    ));
    assertEquals((await listAttachments(host)).length, 20);
    assertEquals(await readSysctl("net.ipv4.ip_forward", host), "1");
    const detached = await Promise.all(containers.map((_, i) => detach({ id: `c${i}` }, host)));
    assert(detached.every((done) => done));
    assertEquals(await readSysctl("net.ipv4.ip_forward", host), "0");
    assertEquals(await readSysctl("net.ipv6.conf.all.forwarding", host), "0");
    const left = (await listLinks(host)).map(({ name, altNames }) => [name, altNames]);
    assertEquals(left, [["lo", undefined], ["br0", undefined]]);
  }
});

kernelTest("forwarding that the operator had switched on stays on", {}, async (kernel) => {
  const { host, container } = await lab(kernel);
  await setSysctl("net.ipv4.ip_forward", 1, host);
  await attach(whole(container), host);
  assertEquals(await readSysctl("net.ipv6.conf.all.forwarding", host), "1");
  await detach({ netns: container }, host);
  assertEquals(await readSysctl("net.ipv4.ip_forward", host), "1");
  assertEquals(await readSysctl("net.ipv6.conf.all.forwarding", host), "0");
});

kernelTest(
  "a gateway's address counts from when it is there, not only when it is tried",
  {},
  async (kernel) => {
    const host = { netns: kernel.netns };
    await createBridge("br0", host);
    await setLinkUp("br0", host);
    // Nobody has looked for duplicates yet, so the kernel has no route to it.
    await addAddress("br0", "fd00::1/64", { ...host, duplicateDetection: true });
    await attach({
      netns: await kernel.another(),
      bridge: "br0",
      addresses: ["fd00::2/64"],
      gateways: ["fd00::1"],
    }, host);
    assertEquals(await readSysctl("net.ipv6.conf.all.forwarding", host), "1");
  },
);

kernelTest("a host that is not the gateway does not forward", {}, async ({ netns, another }) => {
  const host = { netns };
  await createBridge("br0", host);
  await attach(
    {
      netns: await another(),
      bridge: "br0",
      addresses: ["10.0.0.2/24"],
      gateways: ["10.0.0.1"],
    },
    host,
  );
  assertEquals(await readSysctl("net.ipv4.ip_forward", host), "0");
});

kernelTest(
  "detach by namespace or by id takes all away, and again is false",
  { run: true },
  async (kernel) => {
    const { host, container } = await lab(kernel);
    const before = await state(kernel, kernel.netns, container);
    const spec = { ...whole(container), id: "web" };
    await attach(spec, host);
    await attach(
      { ...spec, addresses: ["10.0.0.7/24"], gateways: [], interface: "eth1" },
      host,
    );
    assertEquals(await detach({ netns: container, interface: "eth1" }, host), true);
    assertEquals((await listAttachments(host)).map((it) => it.interface), ["eth0"]);
    assertEquals(await detach({ id: "web" }, host), true);
    assertEquals(await detach({ id: "web" }, host), false);
    assertEquals(await detach({ netns: container }, host), false);
    await lowerLoopback(container);
    assertEquals(await state(kernel, kernel.netns, container), before);
  },
);

kernelTest("other programs' links are not ours", {}, async ({ netns, another }) => {
  const host = { netns };
  const container = await another();
  await createVethPair("veth0123456789a", "eth0", { netns, peerNetns: container });
  assertEquals(await listAttachments(host), []);
  assertEquals(await detach({ netns: container }, host), false);
  assertEquals((await listLinks(host)).length, 2);
});

kernelTest("when the namespace dies the kernel takes both ends away", {}, async (kernel) => {
  const { host } = await lab(kernel);
  const container = await Netns.create();
  await attach(whole(container), host);
  container.close();
  await eventually(async () => assertEquals(await listAttachments(host), []));
});

/** Addresses that nobody has. */
const FREE = { addresses: ["10.0.0.9/24", "fd00::9/64"] };

kernelTest("bad input is refused, and the kernel is as it was", { run: true }, async (kernel) => {
  const { host, container } = await lab(kernel);
  await createVethPair("vh0", "vp0", host);
  await attach({ ...whole(container), interface: "eth9", id: "taken" }, host);
  const other = await kernel.another();
  const before = await state(kernel, kernel.netns, container);
  type Refusal = [what: Partial<AttachSpec>, error: unknown, message: RegExp];
  const refusals: Refusal[] = [
    [{ addresses: [] }, InputError, /needs an address/],
    [{ addresses: ["10.0.0.2"] }, InputError, /prefix length is missing.* 10\.0\.0\.2\/24/],
    [{ addresses: ["10.0.0.2/33"] }, InputError, /0 to 32/],
    [{ addresses: ["fd00::2/129"] }, InputError, /0 to 128/],
    [{ addresses: ["10.0.0/24"] }, InputError, /no IPv4 or IPv6 address/],
    [{ addresses: ["10.0.0.0/24"] }, InputError, /address of the network itself/],
    [{ addresses: ["10.0.0.255/24"] }, InputError, /broadcast address/],
    [{ addresses: ["224.0.0.1/24"] }, InputError, /multicast/],
    [{ addresses: ["0.0.0.0/0"] }, InputError, /no host/],
    [{ addresses: ["10.0.0.2/24", "10.0.0.2/24"] }, InputError, /given twice/],
    [{ gateways: ["10.1.0.1"] }, InputError, /in no subnet of 10\.0\.0\.2\/24/],
    [{ gateways: ["10.0.0.2"] }, InputError, /own address/],
    [{ gateways: ["10.0.0.1", "10.0.0.9"] }, InputError, /given twice/],
    [{ addresses: ["10.0.0.2/24"], gateways: ["fd00::1"] }, InputError, /family/],
    [{ gateways: ["gateway"] }, InputError, /no IPv4 or IPv6 address/],
    [{ interface: "" }, InputError, /at least one character/],
    [{ interface: "a-name-of-16-byt" }, InputError, /at most 15 bytes/],
    [{ interface: "a/b" }, InputError, /no "\/"/],
    [{ interface: "a b" }, InputError, /blanks or control/],
    [{ interface: "a\nb" }, InputError, /blanks or control/],
    [{ mtu: 67 }, InputError, /MTU 67/],
    [{ mtu: 1279 }, InputError, /1280/],
    [{ mtu: 1500.5 }, InputError, /whole number/],
    [{ id: "" }, InputError, /1 to 64 bytes/],
    [{ id: "a b" }, InputError, /without blanks/],
    [{ id: "x".repeat(65) }, InputError, /1 to 64 bytes/],
    [{ bridge: "br9" }, NotFoundError, /br9.*ENODEV/],
    [{ bridge: "vh0" }, InputError, /vh0 is a link of kind veth, no bridge/],
    [{ interface: "eth9", ...FREE }, ExistsError, /has a link eth9 already/],
    [{ netns: other, interface: "eth9", id: "taken", ...FREE }, ExistsError, /id is attached/],
    [{ netns: other }, ExistsError, /address 10\.0\.0\.2 is that of taken/],
    [{ netns: { pid: 0x7fffffff } }, NotFoundError, /no such process/],
    [{ netns: { name: "no-such-name" } }, NotFoundError, /no-such-name.*netns list/],
    [{ netns: { path: "/proc/self/ns/mnt" } }, InputError, /no network namespace/],
    [{ netns: { path: "/etc/hostname" } }, InputError, /no network namespace/],
  ];
  for (const [what, kind, message] of refusals) {
    const error = await attach({ ...whole(container), ...what }, host)
      .then(() => undefined, (error: unknown) => error);
    assertInstanceOf(error, kind as typeof Error, String(message));
    assertMatch(error.message, message);
    assertMatch(error.message, /^Cannot [^\n]+$/);
    assertEquals(await state(kernel, kernel.netns, container), before, String(message));
  }
});

kernelTest(
  "a process that ends while it is attached is told, and nothing is left",
  { run: true },
  async (kernel) => {
    const { host, container } = await lab(kernel);
    const child = new Deno.Command("nsenter", {
      args: [`--net=/proc/${Deno.pid}/fd/${container.fd}`, "--", "sleep", "60"],
      stdin: "null",
    }).spawn();
    const inside = () => readLink(`/proc/${child.pid}/ns/net`) === `net:[${container.id}]`;
    await eventually(() => assert(inside()));
    const before = await state(kernel, kernel.netns, container);
    const onStep = async (step: AttachStep) => {
      if (step !== "create the pair") return;
      child.kill("SIGKILL");
      await child.status;
    };
    const error = await assertRejects(
      () => attach({ ...whole(container), netns: { pid: child.pid }, onStep }, host),
      NotFoundError,
    );
    assertMatch(error.message, /ended, or left its namespace, while it was attached/);
    assertEquals(await state(kernel, kernel.netns, container), before);
  },
);

kernelTest(
  "500 rounds of attach and detach leave descriptors, threads and links as they were",
  {},
  async (kernel) => {
    const { host, container } = await lab(kernel);
    const round = async () => {
      await attach({ ...whole(container), id: "web" }, host);
      assertEquals(await detach({ id: "web" }, host), true);
    };
    const count = async () => ({
      hostLinks: (await listLinks(host)).map(({ name }) => name),
      containerLinks: (await listLinks({ netns: container })).map(({ name }) => name),
      attachments: await listAttachments(host),
    });
    for (let warm = 0; warm < 3; warm++) await round();
    const before = await count();
    const [threads, opened] = [threadNamespaces().length, openInKernel()];
    for (let i = 0; i < 500; i++) await round();
    assertEquals(await count(), before);
    await eventually(() => assertEquals(openedSince(opened), []));
    // Deno starts and ends threads of its own pool; a leak would be hundreds.
    const now = threadNamespaces();
    assert(now.length <= threads + 4, `${threads} threads before, ${now.length} after`);
    const home = readLink("/proc/self/ns/net");
    assertEquals(now.filter((netns) => netns !== home), []);
  },
);
