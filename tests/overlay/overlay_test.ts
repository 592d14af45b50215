import { assertEquals } from "@std/assert";
import {
  attach,
  type BridgeSpec,
  createVethPair,
  detach,
  type Netns,
  withNetns,
} from "../../mod.ts";
import { kernelTest, runIn } from "../support.ts";

kernelTest("containers of two hosts are on one network, with packets as large as they take", {
  run: true,
}, async (kernel) => {
  const { netns: one, another, ipIn } = kernel;
  const [two, a, b] = [await another(), await another(), await another()];
  await createVethPair("up0", "up0", { netns: one, peerNetns: two });
  const hosts: [Netns, string, string, Netns, string][] = [
    [one, "192.0.2.1", "192.0.2.2", a, "10.0.0.2/24"],
    [two, "192.0.2.2", "192.0.2.1", b, "10.0.0.3/24"],
  ];
  for (const [host, local, remote, container, address] of hosts) {
    await runIn(host, "ip", "address", "add", `${local}/24`, "dev", "up0");
    await runIn(host, "ip", "link", "set", "up0", "up");
    const bridge: BridgeSpec = { name: "br0", vxlan: { id: 42, local, remotes: [remote] } };
    const { mtu } = await attach({ netns: container, bridge, addresses: [address] }, {
      netns: host,
    });
    assertEquals(mtu, 1450);
  }
  await withNetns(a, async (rtnl) => {
    // 1422 bytes of payload, 8 of ICMP and 20 of IP are 1450.
    for (const size of [56, 1422]) {
      let reply;
      for (let left = 10; left > 0 && reply === undefined; left--) {
        reply = await rtnl.ping("10.0.0.3", { size });
      }
      assertEquals(reply?.size, size);
    }
  });
  for (const [host, , , container] of hosts) {
    await detach({ netns: container }, { netns: host });
    const links = (await ipIn(host, "link", "show")).map(({ ifname }) => ifname);
    assertEquals(links.toSorted(), ["lo", "up0"]);
  }
});

kernelTest("a bridge has the MTU that its spec says, and a foreign vxlan keeps it", {
  run: true,
}, async (kernel) => {
  const { netns: host, another, ip } = kernel;
  const [a, b] = [await another(), await another()];
  const bridge = { name: "br0", mtu: 1400 };
  const spec = { bridge, addresses: ["10.0.0.2/24"] };
  assertEquals((await attach({ netns: a, ...spec }, { netns: host })).mtu, 1400);
  const addresses = ["10.0.0.3/24"];
  assertEquals((await attach({ netns: b, ...spec, addresses }, { netns: host })).mtu, 1400);
  assertEquals((await ip("link", "show", "br0"))[0].mtu, 1400);
  await runIn(host, "ip", ..."link add vx9 type vxlan id 9 dstport 4789".split(" "));
  await runIn(host, "ip", ..."link set vx9 master br0".split(" "));
  for (const netns of [a, b]) await detach({ netns }, { netns: host });
  assertEquals((await ip("link", "show", "master", "br0")).length, 1);
  await runIn(host, "ip", "link", "delete", "vx9");
  assertEquals(await detach({ netns: a }, { netns: host }), false);
  assertEquals((await ip("link", "show", "type", "bridge")).length, 0);
});
