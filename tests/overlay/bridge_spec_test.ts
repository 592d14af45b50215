import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  addLinkToBridge,
  attach,
  bridgeMemberCount,
  type BridgeSpec,
  createBridge,
  createVethPair,
  detach,
  InputError,
  NetlinkError,
  type Netns,
  runInNetns,
} from "../../mod.ts";
import { type Kernel, kernelTest, runIn } from "../support.ts";
import { spoil, watchSent } from "./changes.ts";
import { assertState, stateOf } from "./state.ts";

const TALK = new URL("../../examples/talk.ts", import.meta.url);
const BRIDGE: BridgeSpec = { name: "br0", addresses: ["10.0.0.1/24", "fd00::1/64"] };
const AUTO = { bridge: BRIDGE, addresses: ["auto"], gateways: ["auto"] };

/** One of br0's settings, as `ip` tells it. */
async function setting({ ip }: Kernel, name: string): Promise<number> {
  const [{ linkinfo }] = await ip("link", "show", "br0");
  return linkinfo.info_data[name];
}

kernelTest("STP is a bridge's from its birth, and is changed where it differs", {
  run: true,
}, async (kernel) => {
  const { netns, another, ip } = kernel;
  const next = async (stp?: boolean) => {
    await attach({ ...AUTO, bridge: { ...BRIDGE, stp }, netns: await another() }, { netns });
    return await setting(kernel, "stp_state");
  };
  assertEquals(await next(true), 1);
  // Where a spec says nothing it stays, also the operator's.
  assertEquals(await next(), 1);
  assertEquals(await next(false), 0);
  await ip("link", "set", "br0", "type", "bridge", "stp_state", "1");
  assertEquals(await next(), 1);
});

kernelTest("VLAN filtering is a bridge's, or refused by a kernel without it and nothing is left", {
  run: true,
}, async (kernel) => {
  const { netns, another } = kernel;
  const probe = await another();
  const words = ["ip", "link", "add", "br9", "type", "bridge", "vlan_filtering", "1"];
  const known = await runIn(probe, ...words).then(() => true, () => false);
  const before = await stateOf(netns);
  const bridge = { ...BRIDGE, vlanFiltering: true };
  const attaching = attach({ ...AUTO, bridge, netns: await another() }, { netns });
  if (known) {
    await attaching;
    assertEquals(await setting(kernel, "vlan_filtering"), 1);
  } else {
    assertEquals((await assertRejects(() => attaching, NetlinkError)).code, "EOPNOTSUPP");
    await assertState(netns, before);
  }
});

kernelTest("an address that auto leaves free is reserved for whoever asks for it", {
  run: true,
}, async ({ netns, another }) => {
  const bridge = { ...BRIDGE, addresses: ["10.0.0.1/29"] };
  const pool = { exclude: ["10.0.0.2", "10.0.0.4"] };
  const give = async (addresses: string[]) =>
    (await attach({ ...AUTO, bridge, pool, addresses, netns: await another() }, { netns }))
      .addresses;
  assertEquals(await give(["auto"]), ["10.0.0.3/29"]);
  assertEquals(await give(["auto"]), ["10.0.0.5/29"]);
  assertEquals(
    (await attach({
      ...AUTO,
      ...{ bridge, addresses: ["10.0.0.4/29"], netns: await another() },
    }, { netns })).addresses,
    ["10.0.0.4/29"],
  );
  assertEquals(await give(["auto"]), ["10.0.0.6/29"]);
  await assertRejects(() => give(["10.0.0.2/29"]), InputError, "pool");
});

kernelTest("a container reaches itself by its published port where its port is a hairpin", {
  all: true,
}, async ({ netns, another, ip }) => {
  await ip("address", "add", "192.0.2.1/32", "dev", "lo");
  await ip("link", "set", "lo", "up");
  const publish = [{ protocol: "tcp" as const, hostPort: 8080, port: 7777 }];
  for (const hairpin of [false, true]) {
    const container = await another();
    const spec = { ...AUTO, netns: container, hairpin, publish };
    const { addresses: [own = ""] } = await attach(spec, { netns });
    const over = new AbortController();
    const served = runInNetns<string>(container, TALK, {
      ...{ export: "serve", args: [own.replace(/\/.*/, "")], signal: over.signal },
    }).catch(() => undefined);
    const answer = await runInNetns<string>(container, TALK, {
      ...{ export: "call", args: ["192.0.2.1", "hi", 8080] },
      signal: AbortSignal.timeout(hairpin ? 8000 : 1500),
    }).catch(() => undefined);
    assertEquals(answer, hairpin ? "HI" : undefined);
    // Who was answered has an answer under way from the server, too.
    if (!hairpin) over.abort();
    assertEquals(await served, hairpin ? "10.0.0.1" : undefined);
    await detach({ netns: container }, { netns });
  }
});

kernelTest("a published UDP port carries datagrams from outside", { run: true }, async (
  { netns: host, another, ip },
) => {
  const [world, container] = [await another(), await another()];
  await createVethPair("up0", "eth0", { netns: host, peerNetns: world });
  await ip("address", "add", "192.0.2.1/24", "dev", "up0");
  await ip("link", "set", "up0", "up");
  await runIn(world, "ip", "address", "add", "192.0.2.2/24", "dev", "eth0");
  await runIn(world, "ip", "link", "set", "eth0", "up");
  await attach({
    ...{ ...AUTO, netns: container },
    publish: [{ protocol: "udp", hostPort: 5353, port: 53 }],
  }, { netns: host });
  const server = `const socket = dgram.createSocket("udp4");
socket.on("message", (message, { address, port }) =>
  socket.send(address + " " + message, port, address, () => Deno.exit()));
socket.bind(53, "0.0.0.0");`;
  // Again and again, because the server may not listen yet.
  const client = `const socket = dgram.createSocket("udp4");
socket.on("message", (message, { address, port }) => {
  console.log(address, port, String(message));
  Deno.exit();
});
for (let i = 0; i < 50; i++) {
  socket.send("hi", 5353, "192.0.2.1");
  await new Promise((resolve) => setTimeout(resolve, 200));
}`;
  const run = (netns: Netns, script: string) =>
    runIn(netns, Deno.execPath(), "eval", `import dgram from "node:dgram";\n${script}`);
  const serving = run(container, server);
  assertEquals((await run(world, client)).trim(), "192.0.2.1 5353 192.0.2.2 hi");
  await serving;
  await detach({ netns: container }, { netns: host });
});

kernelTest("members that can't be counted are an error, never 0", {}, async ({ netns }) => {
  await createBridge("br0", { netns });
  await createVethPair("vh0", "vp0", { netns });
  await addLinkToBridge("vh0", "br0", { netns });
  const NLM_F_DUMP = 0x300;
  let refused = 0;
  {
    using _ = watchSent((bytes) => {
      // The flags of struct nlmsghdr (netlink(7)).
      const flags = new DataView(bytes.buffer, bytes.byteOffset).getUint16(6, true);
      if ((flags & NLM_F_DUMP) !== NLM_F_DUMP) return;
      refused++;
      spoil(bytes, 0);
    });
    await assertRejects(() => bridgeMemberCount("br0", { netns }), NetlinkError);
    assert(refused > 0);
  }
  assertEquals(await bridgeMemberCount("br0", { netns }), 1);
});
