/** Networks that others have made, as topologies, and their copies. */

import { assertEquals } from "@std/assert";
import {
  apply,
  attach,
  checkTopology,
  destroy,
  exportTopology,
  Netns,
  plan,
} from "../../../mod.ts";
import { formatTopology, parseTopology } from "../../../overlay/topology/yaml.ts";
import { eventually, kernelTest, runIn } from "../../support.ts";
import { startContainer } from "../container.ts";
import { lookAt, lookAtAll, ownOf, removingNames, traceOf } from "./scene.ts";

/** Names of namespaces begin with it, so that no two tests have the same. */
const PREFIX = `export-${Deno.pid}-`;
const isOwn = (name: string) => name.startsWith(PREFIX);
const R = `${PREFIX}r`;
const S = `${PREFIX}s`;
const WEB = `${PREFIX}web`;
const ROUTED = `${PREFIX}routed`;
const APP = `${PREFIX}app`;

/** All that `ip` and `tc` can make on a small kernel. */
const BY_HAND = `
sysctl -qw net.ipv4.ip_forward=1
ip link set lo up
ip address add 10.255.0.1/32 dev lo
ip link add br0 type bridge stp_state 1 forward_delay 400 ageing_time 1000
ip link set br0 mtu 1400 up
ip address add 10.0.0.1/24 dev br0
ip address add fd00::1/64 dev br0 nodad

ip link add p0 type veth peer name eth0 netns ${R}
ip link set p0 master br0 mtu 1400 up
ip -n ${R} link set lo up
ip -n ${R} link set eth0 mtu 1400 group 7 up
ip -n ${R} address add 10.0.0.50/24 dev eth0
ip -n ${R} address add fd00::50/64 dev eth0 nodad
ip -n ${R} route add default via 10.0.0.1
ip -n ${R} -6 route add default via fd00::1 metric 50
ip -n ${R} link add west type veth peer name east netns ${S}
ip -n ${R} link set west up
ip -n ${R} address add 192.0.3.1/24 dev west
ip -n ${S} address add 192.0.3.2/24 dev east
ip -n ${S} link set lo up
ip -n ${S} link add mv link east type macvlan mode private

ip link add w0 type veth peer name w1
ip link set w0 up
ip link set w1 mtu 1300 up
ip address add 192.0.2.1/24 dev w0
ip address add 192.0.2.2/32 dev w0
ip address add 2001:db8::1/64 dev w0 nodad
ip link add inside link w0 netns ${S} type macvlan mode bridge
ip -n ${S} link set inside up
ip -n ${S} address add 192.0.2.3/24 dev inside
ip link add br1 type bridge
ip link add vx type vxlan id 7 local 192.0.2.1 dstport 4789 dev w0 learning
ip link set vx master br1 up
ip link set br1 up
bridge fdb append 00:00:00:00:00:00 dev vx dst 192.0.2.8
bridge fdb append 02:00:00:00:00:07 dev vx dst 192.0.2.7

ip route add 198.51.100.0/24 via 192.0.2.9
ip route add 198.51.101.0/24 dev w0 src 192.0.2.2 mtu 1200 metric 7
ip route add 198.51.102.0/24 nexthop via 192.0.2.8 dev w0 weight 2 nexthop via 10.0.0.9 dev br0
ip route add blackhole 198.51.103.0/24 table 100
ip route add unreachable 198.51.104.0/24
ip route add 198.51.105.0/24 via 198.18.0.1 dev w0 onlink
ip route add 198.51.106.0/24 via inet6 2001:db8::9 dev w0
ip -6 route add 2001:db8:1::/64 via 2001:db8::9
ip -6 route add 2001:db8:2::/64 nexthop via 2001:db8::8 dev w0 nexthop via fd00::9 dev br0 weight 3
ip -6 route add prohibit 2001:db8:3::/64 metric 9
ip rule add from 10.0.0.0/24 to 10.1.0.0/24 table 100 priority 50
ip rule add fwmark 7/15 iif w0 goto 32766 priority 60
ip -6 rule add ipproto tcp dport 80-90 table 100 priority 70
ip neighbour add 10.0.0.9 lladdr 02:00:00:00:00:09 dev br0
ip -6 neighbour add fd00::9 lladdr 02:00:00:00:00:09 dev br0
ip neighbour add proxy 10.0.0.200 dev br0
tc qdisc add dev w0 root tbf rate 8mbit burst 20000 limit 30000
tc qdisc add dev w1 root handle 7: pfifo limit 10
`;

kernelTest("what ip, tc and attach have made is copied", { run: true }, async (
  { netns, another },
) => {
  using named = removingNames(isOwn);
  for (const name of [R, S, WEB, ROUTED]) {
    (await Netns.create(name)).close();
  }
  await using process = await startContainer();
  await runIn(netns, "sh", "-ec", BY_HAND);
  const host = { netns };
  const both = { netns: { name: WEB }, id: WEB };
  await attach({
    ...{ ...both, bridge: "br0", addresses: ["auto"], gateways: ["auto"] },
    ...{ rate: { receive: 40e6, send: 16e6 }, masquerade: true },
    publish: [{ protocol: "udp", hostPort: 53, port: 5353 }],
  }, host);
  await attach({
    ...{ ...both, interface: "eth1", bridge: "br1", addresses: ["10.5.0.2/24"], isolated: true },
  }, host);
  await attach({ netns: { name: ROUTED }, addresses: ["10.9.0.1/32", "fd09::1/128"] }, host);
  await attach({
    ...{ netns: { pid: process.pid }, id: APP, bridge: "br0" },
    ...{ addresses: ["10.0.0.77/24"], mtu: 1280 },
  }, host);

  // What a topology can't say, it does not say.
  const NOT = "rule add not from 10.2.0.0/16 blackhole priority 80".split(" ");
  await runIn(netns, "ip", ...NOT);
  const topology = ownOf(await exportTopology({ netns, name: "copy" }), isOwn);
  assertEquals(checkTopology(topology), topology);
  assertEquals(parseTopology(formatTopology(topology), "copy.yaml").topology, topology);
  assertEquals(topology.containers?.[APP], {
    ...{ bridge: "br0", address: "10.0.0.77/24", gateways: [], mtu: 1280 },
  });
  const { namespaces: _, containers: __, ...alone } = topology;
  const { links: { p0: ___, ...links } = {}, ...rest } = alone;
  assertEquals(await exportTopology({ netns, name: "copy", single: true }), { ...rest, links });

  await runIn(netns, "ip", ...NOT.with(1, "delete"));
  using app = Netns.open({ pid: process.pid });
  const names = [R, S, WEB, ROUTED];
  const look = { ...await lookAtAll(netns, names), [APP]: await lookAt(app) };
  const elsewhere = await another();
  await runIn(elsewhere, "ip", "link", "set", "lo", "up");
  named[Symbol.dispose]();
  const assertAsBefore = await traceOf(elsewhere, isOwn);
  await apply(topology, { netns: elsewhere });
  await eventually(async () => assertEquals(await lookAtAll(elsewhere, [...names, APP]), look));
  assertEquals((await plan(topology, { netns: elsewhere })).changes, []);
  // A copy of the copy is the same, but for what it is called.
  const again = ownOf(await exportTopology({ netns: elsewhere, name: "copy" }), isOwn);
  assertEquals(again, topology);
  await destroy(topology, { netns: elsewhere });
  await assertAsBefore();
});
