import { assertEquals } from "@std/assert";
import { createVethPair } from "../../mod.ts";
import { kernelTest, runIn } from "../support.ts";
import { json, lines, others, succeed } from "./denolink.ts";

const NEEDS = { run: true, env: true };

/** What there is to be listed, in the words of `ip`. */
const SETUP = `
link add br0 type bridge
link add va type veth peer name vb
link add vx0 mtu 1400 type vxlan id 42 dstport 4789 local 10.1.0.1 dev va ttl 5
link set up0 master br0 alias some-words
link property add dev vb altname another-name altname still-another
link set vb group 7
link set lo up
link set va up
link set vb up
link set br0 up promisc on
link set vx0 addrgenmode none
address add 10.1.0.1/24 broadcast 10.1.0.255 dev vb
address add 10.1.0.9/24 dev vb label vb:more metric 7
address add 10.2.0.1 peer 10.2.0.2/32 dev vb
address add 169.254.0.1/16 dev va scope link noprefixroute
address add fd01::1/64 dev vb nodad
address add fd01::7/64 dev vb valid_lft 900 preferred_lft 800
address add fd01::8/64 dev vb nodad home mngtmpaddr
route add default via 10.1.0.254 metric 5 src 10.1.0.9
route add 192.0.2.0/24 dev va scope link proto static
route add 192.0.2.0/24 dev va tos 0x10
route add blackhole 198.51.100.0/24
route add unreachable 198.51.101.0/24 metric 9
route add 198.51.102.1 via 10.1.0.3 mtu lock 1300 advmss 1200 rtt 20ms rto_min 2s quickack 1 hoplimit 9
route add 198.51.103.0/24 via 10.8.0.1 dev va onlink proto bird
route add 198.51.104.0/24 nexthop via 10.1.0.4 weight 3 nexthop via 10.2.0.2 dev vb
route add 198.51.105.0/24 via inet6 fd01::9
route add 10.10.0.0/16 dev va table 100
route add 10.11.0.0/16 dev va table 4711
-6 route add 2001:db8::/32 via fd01::2
nexthop add id 7 via 10.1.0.3 dev vb
nexthop add id 8 via 10.1.0.4 dev vb proto static onlink
nexthop add id 9 dev va
nexthop add id 10 blackhole
nexthop add id 11 group 7,3/8
nexthop add id 12 via fd01::3 dev vb
nexthop add id 13 via 10.1.0.9 fdb
route add 198.51.106.0/24 nhid 7
route add 198.51.107.0/24 nhid 11
rule add from 10.0.0.0/8 table 100
rule add from 10.1.2.3 to 192.0.2.0/24 priority 77 lookup main suppress_prefixlength 0
rule add fwmark 0x10/0xff iif va table 4711 proto static
rule add not oif vb ipproto tcp dport 80-90 sport 1234 prohibit priority 40000
rule add uidrange 0-0 goto 32766 priority 99
rule add tos 0x10 blackhole priority 98
-6 rule add from fd01::/64 table 100
neighbour add 10.1.0.3 lladdr 02:00:5e:00:53:01 dev vb
neighbour add 10.1.0.4 lladdr 02:00:5e:00:53:02 dev vb nud stale
neighbour add 10.1.0.5 lladdr 02:00:5e:00:53:03 dev va nud noarp
neighbour add fd01::3 lladdr 02:00:5e:00:53:04 dev vb nud reachable router
neighbour add 10.1.0.6 lladdr 02:00:5e:00:53:05 dev va extern_learn proto zebra
neighbour add proxy 10.1.0.7 dev vb
-6 route add 2001:db9::/32 dev vb pref high expires 900
-6 route add unreachable 2001:dba::/32
`;

/** What is asked of both. */
const QUESTIONS = `
link show
link
link show va
link show another-name
link show up
link show master br0
link show type veth
link show type bridge_slave
link show group 7
-d link show
-s link show lo
-s -d link show va
-d link show type bridge
address show
address show vb
address show dev vb scope global
address show vb to 10.1.0.0/24
address show label vb:*
address show dynamic
-4 address show vb
-d address show vb
route show
route show table main
route show table local
route show table 100
route show table all
route show dev va
route show proto static
route show scope link
route show type blackhole
route show 192.0.2.0/24
route show root 198.51.0.0/16
route show match 192.0.2.7
route show exact 198.51.100/24
route show via 10.1.0.254
route show metric 9
-d route show
-6 route show
-6 route show table local
-6 route show table all
-d -6 route show
rule show
rule
-6 rule show
-d rule show
rule show table 100
rule show from 10.1.2.3
neighbour show
n
neighbour show dev vb
-4 neighbour show nud noarp
neighbour show to 10.1.0.0/24
neighbour show proxy
-6 neighbour show
nexthop show
nexthop
-d nexthop show
nexthop show dev vb
nexthop show groups
nexthop get id 8
route get 10.1.0.77
route get 10.1.0.1
route get 192.0.2.1 oif va
route get 198.51.102.1
route get 127.0.0.1
route get fd01::5
`;

/** What ip 6.1 has no JSON for. */
const IN_WORDS_ONLY = `
neighbour get 10.1.0.3 dev vb
`;

const phrases = (text: string) => text.trim().split("\n").map((line) => line.split(" "));

kernelTest("what ip lists, denolink lists from the same words", NEEDS, async (kernel, t) => {
  const { netns, another } = kernel;
  await createVethPair("up0", "peer0", { netns, peerNetns: await another() });
  for (const words of phrases(SETUP)) await runIn(netns, "ip", ...words);
  for (const words of phrases(QUESTIONS)) {
    await t.step(words.join(" "), async () => {
      await assertSame(
        async () => settled(await json(kernel, ...words)),
        async () => settled(await others(kernel, "ip", "-j", ...words)),
      );
      await assertSame(
        async () => aged(lines(await succeed(kernel, ...words))),
        async () => aged(lines(await runIn(netns, "ip", ...words))),
      );
    });
  }
  for (const words of phrases(IN_WORDS_ONLY)) {
    const theirs = await runIn(netns, "ip", ...words);
    assertEquals(lines(await succeed(kernel, ...words)), lines(theirs));
  }
});

/** Counters may go on while the two are asked: what counts is an answer between two of `ip` that are alike. */
async function assertSame<T>(own: () => Promise<T>, theirs: () => Promise<T>): Promise<void> {
  let before = await theirs();
  for (let tries = 0; tries < 20; tries++) {
    const said = await own();
    const after = await theirs();
    if (JSON.stringify(before) === JSON.stringify(after)) return assertEquals(said, after);
    before = after;
  }
  throw new Error("What ip says never stays the same");
}

/** Times run while the two are asked; ip prints {} and the like for what it leaves out. */
function settled(value: unknown): unknown {
  const isEmpty = (value: object) =>
    Object.values(value).every((entry) => Array.isArray(entry) && entry.length === 0);
  return JSON.parse(
    JSON.stringify(
      value,
      (key, value) =>
        Array.isArray(value)
          ? value.filter((entry) => typeof entry !== "object" || !isEmpty(entry))
          : /_life_time$|^expires$|_timer$/.test(key)
          ? value === 0xffffffff || typeof value
          : value,
    ),
  );
}

function aged(lines: string[]): string[] {
  return lines.map((line) => line.replaceAll(/\b\d+sec\b|(?<=_timer )[\d.]+/g, "TIME"));
}
