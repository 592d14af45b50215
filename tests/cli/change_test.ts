import { assertEquals } from "@std/assert";
import type { Netns } from "../../mod.ts";
import { eventually, kernelTest, runIn } from "../support.ts";
import { here, path } from "./denolink.ts";

const NEEDS = { run: true, env: true };

/** Each block is run by `ip` in one namespace and by denolink in another, which then must look alike. */
const BLOCKS: Readonly<Record<string, string>> = {
  "links": `
link add va address 02:00:5e:00:53:01 mtu 1400 txqueuelen 55 group 9 type veth peer name vb address 02:00:5e:00:53:02 mtu 1300
link add br0 address 02:00:5e:00:53:03 type bridge
link set va up master br0 alias a-name
link set dev vb name vc
link set vc up promisc on arp off multicast off
link set group 9 mtu 1350
link set vc addrgenmode none
link property add vc altname another-name altname third-name
link property del vc altname third-name
link add vd type veth peer ve
link delete vd
link set va nomaster
`,
  "ports of a bridge": `
link add br0 address 02:00:5e:00:53:03 type bridge
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link set va master br0
link set va type bridge_slave cost 77 priority 9 hairpin on guard on root_block on fastleave off learning off flood off
link set va type bridge_slave mcast_flood off bcast_flood off neigh_suppress on isolated on locked on group_fwd_mask 8
`,
  "addresses": `
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link set va addrgenmode none
link set vb addrgenmode none
link set va up
link set vb up
address add 10.0.0.1/24 brd + dev va
address add 10.0.1.1/24 broadcast 10.0.1.9 dev va label va:x metric 7
address add 10.0.2.1 peer 10.0.2.2/32 dev va scope link
address add 10.0.3.1/8 dev va brd - noprefixroute
address add 127.0.0.5/8 dev lo
address add fd00::1/64 dev va nodad home mngtmpaddr
address add fd00::2/64 dev va nodad valid_lft 4000 preferred_lft 3000
address change fd00::1/64 dev va nodad
address replace 10.0.0.1/24 dev va metric 9
address add 10.0.4.1/24 dev vb
address add 10.0.5.1/24 dev vb
address delete 10.0.4.1/24 dev vb
address add 10.0.6.1/24 dev vb
address flush dev vb to 10.0.6.0/24
address delete 10.0.5.1 dev vb
`,
  "routes": `
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link set va addrgenmode none
link set vb addrgenmode none
link set va up
link set vb up
address add 10.0.0.1/24 dev va
address add 10.0.0.5/24 dev va
address add fd00::1/64 dev va nodad
route add default via 10.0.0.2 metric 5 src 10.0.0.5
route add 10.1.0.0/16 via 10.0.0.2 dev va mtu 1300 advmss lock 1200 rtt 20ms rttvar 8ms rto_min 2s hoplimit 7 initcwnd 5 window 9
route add 10.2.0.0/16 dev va scope link proto static
route add 10.3/16 via 10.9.9.9 dev va onlink
route add blackhole 10.4.0.0/16
route add unreachable 10.5.0.0/16 metric 4
route add prohibit 10.6.0.0/16 table 7
route add throw 10.7.0.0/16 table 7
route add local 10.8.0.1 dev va
route add broadcast 10.8.0.255 dev va
route add 10.9.0.0/16 nexthop via 10.0.0.2 weight 3 nexthop dev vb
route add 10.10.0.0/16 via inet6 fd00::9
route add 10.11.0.0/16 tos 0x10 dev va table 4711
route append 10.2.0.0/16 dev vb
route change 10.2.0.0/16 via 10.0.0.3 dev va
route replace 10.4.0.0/16 via 10.0.0.2
route add 10.12.0.0/16 dev va
route delete 10.12.0.0/16
route add 10.13.0.0/16 dev va proto bird
route flush proto bird
route add fd01::/64 via fd00::2 metric 77 pref high
route add fd02::/64 dev va expires 4000
-6 route add default via fd00::2
-6 route add unreachable fd03::/64
-6 route add fd04::/64 nexthop via fd00::2 weight 2 nexthop via fd00::3
`,
  "nexthops": `
link set lo up
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link set va addrgenmode none
link set vb addrgenmode none
link set va up
link set vb up
address add 10.0.0.1/24 dev va
nexthop add id 1 via 10.0.0.2 dev va
nexthop add id 2 dev vb proto static
nexthop add id 3 blackhole
nexthop add id 4 group 1/2,7
nexthop add id 5 via 10.0.0.9 dev va onlink
nexthop replace id 5 via 10.0.0.8 dev va
nexthop add id 6 dev va
nexthop delete id 6
-6 nexthop add id 7 dev va
nexthop add id 8 via 10.0.0.2 fdb
route add 10.1.0.0/16 nhid 1
route add 10.2.0.0/16 nhid 4
`,
  "rules": `
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link set va addrgenmode none
link set vb addrgenmode none
rule add from 10.0.0.0/8 table 100
rule add from 10.1.2.3 to 192.0.2.0/24 priority 77 lookup main suppress_prefixlength 0
rule add fwmark 0x10/0xff iif va table 4711 proto static
rule add not oif vb ipproto tcp dport 80-90 sport 1234 prohibit
rule add uidrange 0-0 goto 32766 priority 99
rule add tos 0x10 blackhole priority 98
-6 rule add from fd00::/64 table 100
rule add to 10.9.0.0/16 table 9
rule delete to 10.9.0.0/16 table 9
rule add to 10.9.0.0/16 table 9 priority 5
rule delete priority 5
`,
  "neighbours": `
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link set va addrgenmode none
link set vb addrgenmode none
link set va up
link set vb up
neighbour add 10.0.0.2 lladdr 02:00:5e:00:53:09 dev va
neighbour add 10.0.0.3 lladdr 02:00:5e:00:53:0a dev va nud noarp
neighbour add 10.0.0.4 lladdr 02:00:5e:00:53:0b dev va nud permanent extern_learn proto zebra
neighbour replace 10.0.0.2 lladdr 02:00:5e:00:53:0c dev va nud permanent
neighbour change 10.0.0.3 lladdr 02:00:5e:00:53:0d dev va nud permanent
neighbour add fd00::2 lladdr 02:00:5e:00:53:0e dev va router
neighbour add proxy 10.0.0.9 dev va
neighbour add 10.0.0.7 lladdr 02:00:5e:00:53:0f dev va
neighbour delete 10.0.0.7 dev va
`,
  "bridge": `
link add br0 address 02:00:5e:00:53:03 type bridge forward_delay 400 hello_time 300 max_age 1900 ageing_time 3000 stp_state 1 priority 77 group_fwd_mask 8 group_address 01:80:c2:00:00:04
link set br0 type bridge mcast_snooping 0 mcast_router 2 no_linklocal_learn 1
`,
  "vxlan": `
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link add vx0 address 02:00:5e:00:53:03 type vxlan id 42 dstport 4789 local 10.0.0.1 remote 10.0.0.2 dev va ttl 5 tos inherit srcport 4000 5000 nolearning ageing 77 maxaddress 9 df set
link add vx1 address 02:00:5e:00:53:04 type vxlan vni 43 dstport 4789 group 239.1.1.1 dev va proxy rsc l2miss l3miss noudpcsum
link add vx2 address 02:00:5e:00:53:05 type vxlan id 44 dstport 4789 remote fd00::2 local fd00::1 udp6zerocsumtx udp6zerocsumrx flowlabel 0x77 ttl inherit gbp
link add vx3 address 02:00:5e:00:53:06 type vxlan external dstport 4790
`,
  "macvlan": `
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link add link va name mv0 address 02:00:5e:00:53:03 type macvlan mode bridge bcqueuelen 77
link add link vb mv1 address 02:00:5e:00:53:04 type macvlan mode passthru nopromisc
link add mt0 link va address 02:00:5e:00:53:05 type macvtap mode vepa
`,
  "vlan": `
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link add link va name va.5 type vlan id 5 gvrp on reorder_hdr off ingress-qos-map 0:1 2:3 egress-qos-map 4:5
link add link va name va.6 type vlan protocol 802.1ad id 6
`,
  "bond": `
link add bo0 address 02:00:5e:00:53:01 type bond mode active-backup miimon 100 updelay 200 fail_over_mac active arp_validate none
link add bo1 address 02:00:5e:00:53:02 type bond mode 802.3ad lacp_rate fast xmit_hash_policy layer3+4 ad_select count
`,
  "ipvlan": `
link add va address 02:00:5e:00:53:01 type veth peer name vb address 02:00:5e:00:53:02
link add link va name iv0 type ipvlan mode l3 private
`,
  "vrf": `
link add vrf0 address 02:00:5e:00:53:01 type vrf table 77
`,
  "geneve": `
link add gv0 address 02:00:5e:00:53:01 type geneve id 7 remote 10.0.0.2 ttl 9 dstport 6082 udpcsum
`,
  "gre": `
link add gr0 type gre remote 10.0.0.2 local 10.0.0.1 ttl 9 key 7 seq
link add gt0 address 02:00:5e:00:53:01 type gretap remote 10.0.0.2 local 10.0.0.1 ikey 1.2.3.4 okey 5 nopmtudisc
`,
  "ipip": `
link add ti0 type ipip remote 10.0.0.2 local 10.0.0.1 ttl 9
`,
  "sit": `
link add si0 type sit remote 10.0.0.2 local 10.0.0.1 mode any
`,
  "vti": `
link add vt0 type vti remote 10.0.0.2 local 10.0.0.1 key 7
`,
  "xfrm": `
link add xf0 type xfrm if_id 7
`,
  "dummy": `
link add du0 address 02:00:5e:00:53:01 type dummy
`,
  "ifb": `
link add if0 address 02:00:5e:00:53:01 type ifb
`,
};

const SHOW = [
  "-d link show",
  "-d address show",
  "-d route show table all",
  "-d -6 route show table all",
  "-d rule show",
  "-d -6 rule show",
  "neighbour show nud all",
  "neighbour show proxy",
  "-d nexthop show",
];

const phrases = (text: string) => text.trim().split("\n").map((line) => line.split(" "));

kernelTest(
  "the same words, by ip and by denolink, make the same",
  NEEDS,
  async ({ another }, t) => {
    for (const [name, block] of Object.entries(BLOCKS)) {
      const theirs = await another();
      const refusal = await byIp(theirs, block);
      const lacks = /Unknown device type|Operation not supported/.test(refusal);
      await t.step({
        name: lacks ? `${name} (ignored: ${refusal.trim()})` : name,
        ignore: lacks,
        async fn() {
          assertEquals(refusal, "");
          const ours = await another();
          for (const words of phrases(block)) {
            const { code, stdout, stderr } = await here("--netns", path(ours), ...words);
            const nothing = { code: 0, stdout: "", stderr: "" };
            assertEquals({ code, stdout, stderr }, nothing, words.join(" "));
          }
          for (const words of SHOW) {
            // The kernel says some time later that a link has a carrier.
            await eventually(async () =>
              assertEquals(await state(ours, words), await state(theirs, words), words)
            );
          }
        },
      });
    }
  },
);

/** What `ip` refused, if it did. */
async function byIp(netns: Netns, block: string): Promise<string> {
  for (const words of phrases(block)) {
    try {
      await runIn(netns, "ip", ...words);
    } catch (error) {
      return (error as Error).message;
    }
  }
  return "";
}

/** What `ip` says of a namespace, but for what is random, what runs, and what IPv6 does by itself. */
async function state(netns: Netns, words: string): Promise<unknown> {
  const text = await runIn(netns, "ip", "-j", ...words.split(" "));
  const shown = JSON.parse(
    text.trim() || "[]",
    (key, value) => {
      if (key === "tentative") return undefined;
      return /_life_time$|^expires$|_timer$/.test(key) && value !== 0xffffffff
        ? typeof value
        : value;
    },
  );
  const own = shown.filter(({ dst = "" }: { dst?: string }) => !/^(fe80|ff0)/.test(dst));
  // Neighbours are listed in the order of a hash.
  return words.startsWith("neighbour")
    ? own.sort((a: { dst: string }, b: { dst: string }) => a.dst < b.dst ? -1 : 1)
    : own;
}
