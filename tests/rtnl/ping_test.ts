import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  addAddress,
  addDefaultRouteViaGateway,
  createVethPair,
  InputError,
  NetlinkError,
  type Netns,
  NotFoundError,
  type PingOptions,
  type PingReply,
  type Rtnl,
  setLinkUp,
  setSysctl,
} from "../../mod.ts";
import { parseZoned } from "../../rtnl/codec/ip.ts";
import { checksum } from "../../rtnl/ping.ts";
import { invocation } from "../cli/denolink.ts";
import {
  eventually,
  type Kernel,
  kernelTest,
  openedSince,
  openInKernel,
  runIn,
} from "../support.ts";

/** An IPv6 link needs a moment after it is up; the kernel asks again for a neighbour after a second. */
const PATIENT: PingOptions = { timeout: 10_000 };

/** Two namespaces with a link between: a0 with 10.0.0.1 and fd00::1, b0 with 10.0.0.2 and fd00::2. */
async function pair({ netns, another }: Kernel): Promise<Netns> {
  const other = await another();
  await connectPair(netns, "a0", ["10.0.0.1/24", "fd00::1/64"], other, "b0", [
    "10.0.0.2/24",
    "fd00::2/64",
  ]);
  return other;
}

async function connectPair(
  a: Netns,
  nameA: string,
  addressesA: string[],
  b: Netns,
  nameB: string,
  addressesB: string[],
): Promise<void> {
  // So that link-local addresses are usable at once, too.
  for (const netns of [a, b]) await setSysctl("net.ipv6.conf.default.accept_dad", 0, { netns });
  await createVethPair(nameA, nameB, { netns: a, peerNetns: b });
  for (const cidr of addressesA) await addAddress(nameA, cidr, { netns: a });
  for (const cidr of addressesB) await addAddress(nameB, cidr, { netns: b });
  for (const [netns, name] of [[a, nameA], [b, nameB]] as const) {
    await setLinkUp("lo", { netns });
    await setLinkUp(name, { netns });
  }
}

function assertReply(reply: PingReply | undefined, expected: Partial<PingReply>): void {
  assert(reply !== undefined, "no reply");
  assertEquals({ ...reply, ...expected }, reply);
  assert(reply.milliseconds >= 0);
}

async function refused(rtnl: Rtnl, address: string, options: PingOptions): Promise<NetlinkError> {
  return await assertRejects(() => rtnl.ping(address, options), NetlinkError);
}

Deno.test("the checksum is that of RFC 1071", () => {
  // The example of RFC 1071, 3: its sum is ddf2.
  assertEquals(checksum(Uint8Array.fromHex("0001f203f4f5f6f7")), 0xddf2 ^ 0xffff);
  // An echo request as Windows sends it; captures show 0x4d5a.
  const text = new TextEncoder().encode("abcdefghijklmnopqrstuvwabcdefghi");
  const request = `0800${"0000"}00010001${text.toHex()}`;
  assertEquals(checksum(Uint8Array.fromHex(request)), 0x4d5a);
  // Its odd last byte counts as the first half of a word.
  assertEquals(checksum(Uint8Array.fromHex("080000000001000161")), 0x96fd);
  assertEquals(checksum(new Uint8Array(65535).fill(0xff)), 0x00ff);
  assertEquals(checksum(new Uint8Array()), 0xffff);
});

Deno.test("a zone stands behind an address", () => {
  assertEquals(parseZoned("fe80::1%eth0")?.zone, "eth0");
  assertEquals(parseZoned("fe80::1%a%b")?.zone, "a%b");
  assertEquals(parseZoned("10.0.0.1")?.zone, undefined);
  assertEquals(parseZoned("fe80::1%"), undefined);
  assertEquals(parseZoned("%eth0"), undefined);
  assertEquals(parseZoned("fe80:::1%eth0"), undefined);
});

kernelTest("what can't be meant is refused before the kernel is asked", {}, async ({ netns }) => {
  using rtnl = await netns.connect();
  const refusals: [address: string, options: PingOptions, message: RegExp][] = [
    ["example.com", {}, /no IPv4 or IPv6 address; names are not looked up/],
    ["", {}, /no IPv4 or IPv6 address/],
    ["10.0.0.1/24", {}, /no IPv4 or IPv6 address/],
    ["fe80::1%", {}, /no IPv4 or IPv6 address/],
    ["fe80::1", {}, /fe80::1%eth0/],
    ["fd00::1%lo", {}, /only link-local addresses/],
    ["127.0.0.1%lo", {}, /only link-local addresses/],
    ["0.0.0.0", {}, /no host's address/],
    ["::", {}, /no host's address/],
    ["224.0.0.1", {}, /a group/],
    ["ff02::1%lo", {}, /a group/],
    ["255.255.255.255", {}, /broadcast/],
    ["::ffff:127.0.0.1", {}, /write 127\.0\.0\.1/],
    ["127.0.0.1", { source: "::1" }, /other family/],
    ["127.0.0.1", { source: "lo" }, /"lo" is no IPv4/],
    ["fd00::1", { source: "fe80::1" }, /fe80::1%eth0/],
    ["127.0.0.1", { interface: "" }, /no name/],
    ["127.0.0.1", { timeout: 0 }, /timeout/],
    ["127.0.0.1", { timeout: NaN }, /timeout/],
    ["127.0.0.1", { size: -1 }, /size is a whole number from 0 to 65507/],
    ["127.0.0.1", { size: 65508 }, /size/],
    ["127.0.0.1", { size: 1.5 }, /size/],
    ["127.0.0.1", { ttl: 0 }, /TTL is a whole number from 1 to 255/],
    ["127.0.0.1", { ttl: 256 }, /TTL/],
    ["127.0.0.1", { sequence: -1 }, /sequence number/],
    ["127.0.0.1", { sequence: 65536 }, /sequence number/],
  ];
  const before = openInKernel();
  for (const [address, options, message] of refusals) {
    const error = await assertRejects(() => rtnl.ping(address, options), InputError);
    assertMatch(error.message, message, address);
    assertMatch(error.message, /^Cannot ping /);
  }
  assertEquals(openedSince(before), []);
});

kernelTest("a host answers over IPv4, IPv6 and its link-local address", {}, async (kernel) => {
  const other = await pair(kernel);
  using rtnl = await kernel.netns.connect();
  assertReply(await rtnl.ping("10.0.0.2", PATIENT), {
    ...{ address: "10.0.0.2", sequence: 1, size: 56, ttl: 64 },
  });
  assertReply(await rtnl.ping("fd00:0::02", { ...PATIENT, sequence: 65535, size: 1 }), {
    ...{ address: "fd00::2", sequence: 65535, size: 1, ttl: 64 },
  });
  using there = await other.connect();
  const { index } = await there.links.get({ name: "b0" });
  const addresses = await Array.fromAsync(there.addresses.list({ index, family: "inet6" }));
  const { address } = addresses.find(({ scope }) => scope === "link")!;
  const { index: own } = await rtnl.links.get({ name: "a0" });
  for (const zone of ["a0", `${own}`]) {
    const reply = await rtnl.ping(`${address}%${zone}`, PATIENT);
    assertReply(reply, { address: `${address}%${zone}` });
  }
  assertReply(await rtnl.ping(address!, { ...PATIENT, interface: "a0" }), { address: address! });
  await rtnl.links.addAltNames({ name: "a0", altNames: ["a-longer-name-of-a0"] });
  assertReply(await rtnl.ping(`${address}%a-longer-name-of-a0`, PATIENT), {});
});

kernelTest("a namespace answers itself", {}, async ({ netns }) => {
  await setLinkUp("lo", { netns });
  using rtnl = await netns.connect();
  for (const address of ["127.0.0.1", "127.9.9.9", "::1"]) {
    assertReply(await rtnl.ping(address, PATIENT), { address, ttl: 64 });
    assertReply(await rtnl.ping(address, { ...PATIENT, ttl: 3 }), { address });
  }
});

kernelTest("payloads of any size come back, in fragments where they must", {}, async (kernel) => {
  await pair(kernel);
  using rtnl = await kernel.netns.connect();
  for (const address of ["10.0.0.2", "fd00::2"]) {
    for (const size of [0, 1, 1452, 1453, 1473, 9001, 65507]) {
      assertReply(await rtnl.ping(address, { ...PATIENT, size }), { size });
    }
  }
});

kernelTest("the link and the source are those that were said", {}, async (kernel) => {
  const other = await pair(kernel);
  const { netns } = kernel;
  await connectPair(netns, "a1", ["10.1.0.1/24"], other, "b1", ["10.1.0.2/24"]);
  await addAddress("a0", "10.0.0.7/24", { netns });
  using rtnl = await netns.connect();
  using there = await other.connect();
  // The other side answers to one source only.
  await there.routes.add({ dst: "10.0.0.1", type: "blackhole" });
  assertEquals(await rtnl.ping("10.0.0.2", { timeout: 100 }), undefined);
  assertReply(await rtnl.ping("10.0.0.2", { ...PATIENT, source: "10.0.0.7" }), {});
  assertReply(await rtnl.ping("10.1.0.2", { ...PATIENT, interface: "a1" }), {});
  assertEquals(await rtnl.ping("10.1.0.2", { timeout: 100, interface: "lo" }), undefined);

  const absent = await refused(rtnl, "10.0.0.2", { source: "10.0.0.99" });
  assertEquals(absent.code, "EADDRNOTAVAIL");
  assertMatch(absent.message, /from 10\.0\.0\.99.*no link of the namespace has/);
  const noLink = await refused(rtnl, "10.0.0.2", { interface: "a9" });
  assert(noLink instanceof NotFoundError);
  assert(await refused(rtnl, "fe80::1%999", {}) instanceof NotFoundError);
  await assertRejects(
    () => rtnl.ping("fe80::1%a0", { interface: "a1" }),
    InputError,
    "different links",
  );
});

kernelTest("nobody at the address: nothing in time, unreachable later", {}, async (kernel) => {
  await pair(kernel);
  using rtnl = await kernel.netns.connect();
  assertReply(await rtnl.ping("fd00::2", PATIENT), {});
  const addresses = ["10.0.0.9", "fd00::9"];
  for (const address of addresses) {
    assertEquals(await rtnl.ping(address, { timeout: 50 }), undefined);
  }
  const said = [/10\.0\.0\.1 says host unreachable/, /fd00::1 says address unreachable/];
  await Promise.all(addresses.map(async (address, index) => {
    const error = await refused(rtnl, address, { timeout: Infinity });
    assertEquals(error.code, "EHOSTUNREACH");
    assertMatch(error.kernelMessage!, said[index]!);
  }));
});

kernelTest("what the routes refuse is an error at once", {}, async (kernel) => {
  await pair(kernel);
  using rtnl = await kernel.netns.connect();
  const prefixes = { inet: ["10.9", ".0.0", ".0.7", 16], inet6: ["fd9", "::", "::7", 16] } as const;
  const refusals = [
    ["unreachable", "EHOSTUNREACH"],
    ["blackhole", "EINVAL"],
    ["prohibit", "EACCES"],
  ] as const;
  for (const [head, net, host, dstLength] of Object.values(prefixes)) {
    assertEquals((await refused(rtnl, `${head}0${host}`, {})).code, "ENETUNREACH");
    for (const [index, [type, code]] of refusals.entries()) {
      await rtnl.routes.add({ dst: `${head}${index + 1}${net}`, dstLength, type });
      const error = await refused(rtnl, `${head}${index + 1}${host}`, {});
      assertEquals(error.code, code);
      assertMatch(error.message, new RegExp(`${type}|prohibits`));
      assert(!error.message.includes("CAP_"));
    }
  }
  const broadcast = await refused(rtnl, "10.0.0.255", {});
  assertMatch(broadcast.message, /broadcast address/);
});

kernelTest("a router says what became of a request", {}, async (kernel) => {
  const { netns, another } = kernel;
  const router = await another();
  const far = await another();
  await connectPair(netns, "a0", ["10.0.0.1/24", "fd00::1/64"], router, "r0", [
    "10.0.0.2/24",
    "fd00::2/64",
  ]);
  await connectPair(router, "r1", ["10.1.0.1/24", "fd01::1/64"], far, "b0", [
    "10.1.0.2/24",
    "fd01::2/64",
  ]);
  await setSysctl("net.ipv4.ip_forward", 1, { netns: router });
  await setSysctl("net.ipv6.conf.all.forwarding", 1, { netns: router });
  for (const gateway of ["10.0.0.2", "fd00::2"]) {
    await addDefaultRouteViaGateway(gateway, { netns });
    await addDefaultRouteViaGateway(gateway.replace("0.0.2", "1.0.1").replace("00::2", "01::1"), {
      netns: far,
    });
  }
  using rtnl = await netns.connect();
  assertReply(await rtnl.ping("10.1.0.2", PATIENT), { ttl: 63 });
  assertReply(await rtnl.ping("fd01::2", PATIENT), { ttl: 63 });

  const short = { ...PATIENT, ttl: 1 };
  const expired = await refused(rtnl, "10.1.0.2", short);
  assertEquals(expired.code, "EHOSTUNREACH");
  assertEquals(expired.kernelMessage, "10.0.0.2 says time to live exceeded in transit");
  const expired6 = await refused(rtnl, "fd01::2", short);
  assertEquals(expired6.kernelMessage, "fd00::2 says hop limit exceeded in transit");

  const noRoute = await refused(rtnl, "10.2.0.2", PATIENT);
  assertEquals(noRoute.code, "ENETUNREACH");
  assertEquals(noRoute.kernelMessage, "10.0.0.2 says network unreachable");
  const noRoute6 = await refused(rtnl, "fd02::2", PATIENT);
  assertEquals(noRoute6.kernelMessage, "fd00::2 says no route to destination");

  // Of those to the same host each hears of its own errors only.
  const many = Array.from({ length: 40 }, (_, index) => index % 2 + 1);
  for (const address of ["10.1.0.2", "fd01::2"]) {
    const outcomes = await Promise.allSettled(
      many.map((ttl) =>
        rtnl.ping(address, ttl === 1 ? { ttl, timeout: 500 } : { ...PATIENT, ttl })
      ),
    );
    // About some the router keeps silent (net.ipv4.icmp_ratelimit), so only the others count.
    outcomes.forEach((outcome, index) => {
      if (many[index] === 2) assert(outcome.status === "fulfilled" && outcome.value !== undefined);
      else assert(outcome.status === "rejected" || outcome.value === undefined);
    });
  }

  using there = await router.connect();
  using behind = await far.connect();
  await there.links.set({ name: "r1", mtu: 1400 });
  await behind.links.set({ name: "b0", mtu: 1400 });
  const tooBig = await refused(rtnl, "10.1.0.2", { ...PATIENT, size: 1450 });
  assertEquals(tooBig.code, "EMSGSIZE");
  assertMatch(tooBig.message, /10\.0\.0\.2 says fragmentation needed \(MTU 1400\); ping again/);
  assertReply(await rtnl.ping("10.1.0.2", { ...PATIENT, size: 1450 }), {});
  const tooBig6 = await refused(rtnl, "fd01::2", { ...PATIENT, size: 1450 });
  assertMatch(tooBig6.message, /fd00::2 says packet too big \(MTU 1400\); ping again/);
  assertReply(await rtnl.ping("fd01::2", { ...PATIENT, size: 1450 }), {});
});

kernelTest("many at the same time have each its own reply", {}, async (kernel) => {
  await pair(kernel);
  await setLinkUp("lo", kernel);
  using rtnl = await kernel.netns.connect();
  assertReply(await rtnl.ping("fd00::2", PATIENT), {});
  const hosts = ["10.0.0.2", "fd00::2", "127.0.0.1", "::1"];
  const asked = Array.from({ length: 400 }, (_, index) => ({
    address: hosts[index % hosts.length]!,
    // Many of them differ by nothing else than what they are sent with.
    sequence: index % 7,
    size: index % 3 === 0 ? 0 : index,
  }));
  const replies = await Promise.all(
    asked.map(({ address, sequence, size }) => rtnl.ping(address, { ...PATIENT, sequence, size })),
  );
  replies.forEach((reply, index) => assertReply(reply, asked[index]!));
});

kernelTest("an abort ends it at once, and leaves nothing open", {}, async (kernel) => {
  await pair(kernel);
  using rtnl = await kernel.netns.connect();
  const reason = new Error("enough");
  const before = openInKernel();
  const aborted = AbortSignal.abort(reason);
  const pinging = { signal: aborted, timeout: Infinity };
  assertEquals(await rtnl.ping("10.0.0.9", pinging).catch((error) => error), reason);

  const controller = new AbortController();
  const waiting = ["10.0.0.9", "fd00::9"].map((address) =>
    rtnl.ping(address, { signal: controller.signal, timeout: Infinity }).catch((error) => error)
  );
  await eventually(() => assertEquals(openedSince(before).length, 2));
  controller.abort(reason);
  assertEquals(await Promise.all(waiting), [reason, reason]);
  await eventually(() => assertEquals(openedSince(before), []));

  // Before there is a socket.
  const other = new AbortController();
  const started = rtnl.ping("10.0.0.2", { signal: other.signal });
  other.abort(reason);
  assertEquals(await started.catch((error) => error), reason);
  await eventually(() => assertEquals(openedSince(before), []));

  // The connection may be closed while it waits.
  const own = await kernel.netns.connect();
  const last = own.ping("10.0.0.2", PATIENT);
  own.close();
  await last.then(
    (reply) => assertReply(reply, {}),
    (error) => assert(error instanceof InputError),
  );
});

kernelTest(
  "without CAP_NET_RAW it takes a group in ping_group_range",
  { run: true, env: true },
  async (kernel) => {
    await pair(kernel);
    const { netns } = kernel;
    await setLinkUp("lo", { netns });
    const command = (...args: string[]) => [
      ..."setpriv --bounding-set -net_raw --inh-caps -net_raw".split(" "),
      Deno.execPath(),
      ...invocation(["ping", "--count", "1", "--timeout", "10", "--json", ...args]),
    ];
    const error = await assertRejects(() => runIn(netns, ...command("10.0.0.2")), Error);
    assertMatch(
      error.message,
      /denolink: Cannot ping 10\.0\.0\.2: [^\n]*EPERM[^\n]*CAP_NET_RAW[^\n]*net\.ipv4\.ping_group_range[^\n]*\n$/,
    );
    assertEquals(error.message.includes("CAP_NET_ADMIN"), false);

    await setSysctl("net.ipv4.ping_group_range", "0 0", { netns });
    for (const address of ["10.0.0.2", "fd00::2", "127.0.0.1", "::1"]) {
      const [reply] = (await runIn(netns, ...command(address, "--size", "3000"))).split("\n");
      const { event, size, ttl } = JSON.parse(reply!);
      assertEquals([event, size, ttl], ["reply", 3000, 64], address);
    }
    const { stdout, ...refusal } = await new Deno.Command("nsenter", {
      args: [`--net=/proc/${Deno.pid}/fd/${netns.fd}`, "--", ...command("10.0.0.9")],
      stdin: "null",
    }).output();
    assertEquals(refusal.code, 1);
    const [said] = new TextDecoder().decode(stdout).split("\n");
    assertEquals(JSON.parse(said!).code, "EHOSTUNREACH");
  },
);
