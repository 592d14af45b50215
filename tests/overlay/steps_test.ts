import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  addAddress,
  addDefaultRouteViaDevice,
  addDefaultRouteViaGateway,
  addLinkToBridge,
  bridgeMemberCount,
  createBridge,
  createVethPair,
  deleteBridge,
  deleteLink,
  deleteRouteViaDevice,
  ExistsError,
  flushAddresses,
  InputError,
  listLinks,
  moveLinkIntoNetns,
  type NetlinkError,
  NotFoundError,
  replaceRouteViaDevice,
  setBridgeStp,
  setLinkUp,
} from "../../mod.ts";
import { type Kernel, kernelTest } from "../support.ts";

const RUN = { run: true };

async function names(links: Promise<{ ifname: string }[]>): Promise<string[]> {
  return (await links).map(({ ifname }) => ifname).sort();
}

/** Refused with a sentence that names what was asked for and why. */
async function refused(
  step: () => Promise<unknown>,
  // deno-lint-ignore no-explicit-any
  kind: new (...args: any[]) => Error,
  message: RegExp,
): Promise<void> {
  const error = await assertRejects(step, kind);
  assertMatch(error.message, message);
  assertMatch(error.message, /^Cannot [^\n]+$/);
}

/** A pair vh0, vp0 that is up, in the test's namespace. */
async function pair({ netns }: Kernel): Promise<{ netns: Kernel["netns"] }> {
  await createVethPair("vh0", "vp0", { netns });
  await setLinkUp("vh0", { netns });
  await setLinkUp("vp0", { netns });
  return { netns };
}

kernelTest(
  "createVethPair makes both ends, or names the one that is there",
  RUN,
  async (kernel) => {
    const { netns, ip } = kernel;
    await createVethPair("vh0", "vp0", { netns });
    const links = await ip("link", "show", "type", "veth");
    assertEquals(links.map(({ ifname, link }) => [ifname, link]).sort(), [["vh0", "vp0"], [
      "vp0",
      "vh0",
    ]]);
    await refused(() => createVethPair("vh0", "vp1", { netns }), ExistsError, /a link vh0 already/);
    await refused(() => createVethPair("vh1", "vp0", { netns }), ExistsError, /a link vp0 already/);
    await refused(() => createVethPair("", "vp1", { netns }), InputError, /at least one character/);
    await refused(() => createVethPair("vh1", "x".repeat(16), { netns }), InputError, /15 bytes/);
    assertEquals(await names(ip("link", "show", "type", "veth")), ["vh0", "vp0"]);
  },
);

kernelTest(
  "createVethPair gives birth to the peer in another namespace",
  RUN,
  async ({ netns, another, ip, ipIn }) => {
    const there = await another();
    await createVethPair("vh0", "eth0", { netns, peerNetns: there });
    assertEquals(await names(ip("link", "show")), ["lo", "vh0"]);
    assertEquals(await names(ipIn(there, "link", "show")), ["eth0", "lo"]);
    await refused(
      () => createVethPair("vh1", "eth0", { netns, peerNetns: there }),
      ExistsError,
      /a link eth0 already/,
    );
    assertEquals(await names(ip("link", "show")), ["lo", "vh0"]);
  },
);

kernelTest("moveLinkIntoNetns moves and renames in one go", RUN, async (kernel) => {
  const { netns, another, ip, ipIn } = kernel;
  const there = await another();
  await createVethPair("vh0", "vp0", { netns });
  await createVethPair("vh1", "vp1", { netns });
  await moveLinkIntoNetns("vp0", there, "eth0", { netns });
  assertEquals(await names(ip("link", "show")), ["lo", "vh0", "vh1", "vp1"]);
  assertEquals(await names(ipIn(there, "link", "show")), ["eth0", "lo"]);
  await refused(
    () => moveLinkIntoNetns("vp0", there, "eth1", { netns }),
    NotFoundError,
    /vp0.*ENODEV/,
  );
  await refused(
    () => moveLinkIntoNetns("vp1", there, "eth0", { netns }),
    ExistsError,
    /vp1.*as eth0/,
  );
  await refused(() => moveLinkIntoNetns("vp1", there, "a b", { netns }), InputError, /blanks/);
  assertEquals(await names(ip("link", "show")), ["lo", "vh0", "vh1", "vp1"]);
  assertEquals(await names(ipIn(there, "link", "show")), ["eth0", "lo"]);
});

kernelTest("deleteLink deletes, and of an absent link is false", RUN, async ({ netns, ip }) => {
  await createVethPair("vh0", "vp0", { netns });
  assertEquals(await deleteLink("vp0", { netns }), true);
  assertEquals(await names(ip("link", "show")), ["lo"]);
  assertEquals(await deleteLink("vp0", { netns }), false);
  await refused(() => deleteLink("lo", { netns }), Error, /delete link lo/);
});

kernelTest("listLinks says of each link what ip says", RUN, async (kernel) => {
  const { netns, ip } = kernel;
  await pair(kernel);
  await createBridge("br0", { netns });
  await addLinkToBridge("vh0", "br0", { netns });
  const ours = await listLinks({ netns });
  const theirs = await ip("link", "show");
  const index = new Map(theirs.map(({ ifname, ifindex }) => [ifname, ifindex]));
  assertEquals(
    ours.map(({ index, name, kind, mtu, master, address, flags }) => ({
      index,
      name,
      kind,
      mtu,
      master,
      address,
      up: flags?.includes("up"),
    })),
    theirs.map(({ ifindex, ifname, linkinfo, mtu, master, address, flags }) => ({
      index: ifindex,
      name: ifname,
      kind: linkinfo?.info_kind,
      mtu,
      master: master && index.get(master),
      address,
      up: flags.includes("UP"),
    })),
  );
});

kernelTest("setLinkUp raises, and names an absent link", RUN, async ({ netns, ip }) => {
  await setLinkUp("lo", { netns });
  assert((await ip("link", "show", "lo"))[0].flags.includes("UP"));
  await setLinkUp("lo", { netns });
  await refused(() => setLinkUp("vh9", { netns }), NotFoundError, /vh9.*ENODEV/);
});

for (
  const [cidr, other] of [["10.0.0.2/24", "10.0.0.3/24"], ["fd00::2/64", "fd00::3/64"]] as const
) {
  kernelTest(`addAddress and flushAddresses of ${cidr}`, RUN, async (kernel) => {
    const { ip } = kernel;
    const here = await pair(kernel);
    await addAddress("vh0", cidr, here);
    await addAddress("vh0", other, here);
    const addresses = async () =>
      (await ip("addr", "show", "dev", "vh0"))[0].addr_info
        .map(({ local, prefixlen, tentative }: Record<string, unknown>) => ({
          cidr: `${local}/${prefixlen}`,
          tentative,
        })).filter(({ cidr }: { cidr: string }) => !cidr.startsWith("fe80"))
        .sort((a: { cidr: string }, b: { cidr: string }) => a.cidr < b.cidr ? -1 : 1);
    assertEquals(await addresses(), [
      { cidr, tentative: undefined },
      { cidr: other, tentative: undefined },
    ]);
    await refused(() => addAddress("vh0", cidr, here), ExistsError, /add address .* to link vh0/);
    await refused(() => addAddress("vh9", cidr, here), NotFoundError, /vh9/);
    await refused(
      () => addAddress("vh0", "10.0.0.2", here),
      InputError,
      /prefix length is missing/,
    );

    const all = (await ip("addr", "show", "dev", "vh0"))[0].addr_info.length;
    assertEquals(await flushAddresses("vh0", here), all);
    assertEquals((await ip("addr", "show", "dev", "vh0"))[0].addr_info, []);
    assertEquals(await flushAddresses("vh0", here), 0);
    assertEquals(await flushAddresses("vh9", here), 0);
  });
}

kernelTest("addAddress asks for duplicates when told to", RUN, async (kernel) => {
  const here = await pair(kernel);
  await addAddress("vh0", "fd00::2/64", { ...here, duplicateDetection: true });
  const [{ addr_info }] = await kernel.ip("addr", "show", "dev", "vh0");
  const added = addr_info.find(({ local }: { local: string }) => local === "fd00::2");
  assert(added.tentative || !added.nodad);
});

kernelTest("addDefaultRouteViaDevice adds one for each family", RUN, async (kernel) => {
  const { ip } = kernel;
  const here = await pair(kernel);
  await addDefaultRouteViaDevice("vh0", "inet", here);
  await addDefaultRouteViaDevice("vh0", "inet6", here);
  const [v4] = await ip("-4", "route", "show", "default");
  assertEquals([v4.dev, v4.scope, v4.gateway], ["vh0", "link", undefined]);
  const [v6] = await ip("-6", "route", "show", "default");
  assertEquals([v6.dev, v6.gateway], ["vh0", undefined]);
  await refused(() => addDefaultRouteViaDevice("vh0", "inet", here), ExistsError, /default route/);
  await refused(() => addDefaultRouteViaDevice("vh9", "inet", here), NotFoundError, /vh9/);
  await refused(
    () => addDefaultRouteViaDevice("vh0", "ipv4" as "inet", here),
    InputError,
    /"inet6"/,
  );
});

kernelTest("addDefaultRouteViaGateway takes the family from the gateway", RUN, async (kernel) => {
  const { ip } = kernel;
  const here = await pair(kernel);
  await addAddress("vh0", "10.0.0.2/24", here);
  await addAddress("vh0", "fd00::2/64", here);
  await addDefaultRouteViaGateway("10.0.0.1", here);
  await addDefaultRouteViaGateway("fd00::1", here);
  const route = async (family: string) => {
    const [{ gateway, dev }] = await ip(family, "route", "show", "default");
    return [gateway, dev];
  };
  assertEquals(await route("-4"), ["10.0.0.1", "vh0"]);
  assertEquals(await route("-6"), ["fd00::1", "vh0"]);
  await refused(
    () => addDefaultRouteViaGateway("10.0.0.1", here),
    ExistsError,
    /gateway 10\.0\.0\.1/,
  );
  await refused(() => addDefaultRouteViaGateway("192.0.2.1", here), Error, /ENETUNREACH|EEXIST/);
  await refused(
    () => addDefaultRouteViaGateway("10.0.0.1/24", here),
    InputError,
    /no IPv4 or IPv6/,
  );
});

for (
  const [cidr, source, other] of [
    ["192.0.2.0/24", "10.0.0.2", "10.0.0.3"],
    ["2001:db8::/32", "fd00::2", "fd00::3"],
  ] as const
) {
  kernelTest(`replaceRouteViaDevice and deleteRouteViaDevice of ${cidr}`, RUN, async (kernel) => {
    const { ip } = kernel;
    const here = await pair(kernel);
    for (const address of [source, other]) await addAddress("vh0", `${address}/24`, here);
    const routes = async () =>
      (await ip(cidr.includes(":") ? "-6" : "-4", "route", "show", cidr))
        .map(({ dev, prefsrc }) => ({ dev, prefsrc }));
    await replaceRouteViaDevice(cidr, "vh0", here);
    assertEquals(await routes(), [{ dev: "vh0", prefsrc: undefined }]);
    await replaceRouteViaDevice(cidr, "vh0", { ...here, source });
    assertEquals(await routes(), [{ dev: "vh0", prefsrc: source }]);
    await replaceRouteViaDevice(cidr, "vh0", { ...here, source: other });
    assertEquals(await routes(), [{ dev: "vh0", prefsrc: other }]);
    const wrong = cidr.includes(":") ? "10.0.0.2" : "fd00::2";
    await refused(
      () => replaceRouteViaDevice(cidr, "vh0", { ...here, source: wrong }),
      InputError,
      /one is IPv4 and the other IPv6/,
    );
    await refused(() => replaceRouteViaDevice(cidr, "vh9", here), NotFoundError, /vh9/);

    assertEquals(await deleteRouteViaDevice(cidr, "vp0", here), false);
    assertEquals(await deleteRouteViaDevice(cidr, "vh9", here), false);
    assertEquals(await deleteRouteViaDevice(cidr, "vh0", here), true);
    assertEquals(await routes(), []);
    assertEquals(await deleteRouteViaDevice(cidr, "vh0", here), false);
  });
}

kernelTest("createBridge and deleteBridge tell a bridge from other links", RUN, async (kernel) => {
  const { ip } = kernel;
  const here = await pair(kernel);
  assertEquals(await createBridge("br0", here), true);
  assertEquals((await ip("link", "show", "type", "bridge")).map(({ ifname }) => ifname), ["br0"]);
  assertEquals(await createBridge("br0", here), false);
  await refused(
    () => createBridge("vh0", here),
    ExistsError,
    /vh0 is a link of kind veth, no bridge/,
  );
  await refused(
    () => deleteBridge("vh0", here),
    InputError,
    /vh0 is a link of kind veth, no bridge/,
  );
  await refused(() => deleteBridge("lo", here), InputError, /lo is a device, no bridge/);
  assertEquals(await deleteBridge("br0", here), true);
  assertEquals(await deleteBridge("br0", here), false);
  assertEquals(await names(ip("link", "show")), ["lo", "vh0", "vp0"]);
});

kernelTest("addLinkToBridge and bridgeMemberCount", RUN, async (kernel) => {
  const { ip } = kernel;
  const here = await pair(kernel);
  await createBridge("br0", here);
  await createBridge("br1", here);
  assertEquals(await bridgeMemberCount("br0", here), 0);
  await addLinkToBridge("vh0", "br0", here);
  await addLinkToBridge("vp0", "br0", here);
  assertEquals(await names(ip("link", "show", "master", "br0")), ["vh0", "vp0"]);
  assertEquals(await bridgeMemberCount("br0", here), 2);
  assertEquals(await bridgeMemberCount("br1", here), 0);
  assertEquals(await bridgeMemberCount("br9", here), 0);
  assertEquals(await bridgeMemberCount("vh0", here), 0);
  await refused(() => addLinkToBridge("vh9", "br0", here), NotFoundError, /vh9/);
  await refused(() => addLinkToBridge("vh0", "br9", here), NotFoundError, /br9/);
  await refused(() => addLinkToBridge("vh0", "vp0", here), InputError, /vp0 is .* no bridge/);
  const closed = await kernel.another();
  closed.close();
  await refused(() => bridgeMemberCount("br0", { netns: closed }), Error, /closed/);
});

kernelTest("setBridgeStp switches it on and off", RUN, async (kernel) => {
  const { ip } = kernel;
  const here = await pair(kernel);
  await createBridge("br0", here);
  const stp = async () => (await ip("link", "show", "br0"))[0].linkinfo.info_data.stp_state;
  await setBridgeStp("br0", true, here);
  assertEquals(await stp(), 1);
  await setBridgeStp("br0", false, here);
  assertEquals(await stp(), 0);
  await refused(() => setBridgeStp("br9", true, here), NotFoundError, /br9/);
  await refused(() => setBridgeStp("vh0", true, here), InputError, /no bridge/);
});

kernelTest(
  "an error carries what was asked and what the kernel answered",
  {},
  async ({ netns }) => {
    const error = await assertRejects(
      () => setLinkUp("vh9", { netns }),
      NotFoundError,
    ) as NetlinkError;
    assertEquals([error.name, error.code, error.errno], ["NotFoundError", "ENODEV", 19]);
    assertEquals(error.operation, "get link vh9");
  },
);
