/** A client, a router with tables of ours, and a server behind it: what the packets make of them. */

import { assertEquals } from "@std/assert";
import { type Netns, runInNetns, setSysctls } from "../../../netns/mod.ts";
import {
  addNftElements,
  deleteNftTable,
  type NftChainSpec,
  nftCounter,
  nftMatch,
  type NftRuleSpec,
  type NftSetSpec,
  type NftTableSpec,
  nftVerdict,
  replaceNftTable,
} from "../../../rtnl/mod.ts";
import { type Kernel, runIn } from "../../support.ts";
import { listed, nftIn, nftTest } from "./support.ts";

const INSIDE = new URL("./inside.ts", import.meta.url);
const ALL = { all: true };

/** The addresses of one family: the client's and the router's towards it, the server's and the router's. */
const FAMILIES = {
  ip: { client: "10.1.0.2", near: "10.1.0.1", server: "10.2.0.2", far: "10.2.0.1", bits: 24 },
  ip6: { client: "fd01::2", near: "fd01::1", server: "fd02::2", far: "fd02::1", bits: 64 },
} as const;
type Family = keyof typeof FAMILIES;

/** The three, linked; both ends send everything through the router. */
async function network(kernel: Kernel) {
  const [router, client, server] = [kernel.netns, await kernel.another(), await kernel.another()];
  using rtnl = await router.connect();
  await rtnl.links.set({ name: "lo", up: true });
  const sides = [["near", "client", client, "in0"], ["far", "server", server, "out0"]] as const;
  for (const [side, end, netns, name] of sides) {
    using there = await netns.connect();
    const peer = { name: "eth0", netnsFd: netns.fd };
    await rtnl.links.add({ name, linkInfo: { kind: "veth", data: { peer } } });
    for (const [here, link, key] of [[rtnl, name, side], [there, "eth0", end]] as const) {
      const { index } = await here.links.get({ name: link });
      for (const addresses of Object.values(FAMILIES)) {
        const prefixLength = addresses.bits;
        await here.addresses.add({
          index,
          address: addresses[key],
          prefixLength,
          flags: ["nodad"],
        });
      }
      await here.links.set({ name: link, up: true });
    }
    for (const addresses of Object.values(FAMILIES)) {
      await there.routes.add({ gateway: addresses[side] });
    }
  }
  await setSysctls(
    { "net.ipv4.conf.all.forwarding": 1, "net.ipv6.conf.all.forwarding": 1 },
    { netns: router },
  );
  return { router, client, server };
}

/** A server that tells its clients their addresses, until it is disposed. */
async function serving(netns: Netns, hostname: string, port: number): Promise<AsyncDisposable> {
  const { port1: ready, port2 } = new MessageChannel();
  const listening = new Promise((resolve) => ready.onmessage = resolve);
  const controller = new AbortController();
  const ended = runInNetns(netns, INSIDE, {
    export: "serve",
    args: [hostname, port, port2],
    transfer: [port2],
    signal: controller.signal,
  }).catch((error) => error);
  await Promise.race([listening, ended.then((error) => Promise.reject(error))]);
  ready.close();
  return {
    async [Symbol.asyncDispose]() {
      controller.abort("over");
      assertEquals(await ended, "over");
    },
  };
}

const call = (netns: Netns, hostname: string, port: number) =>
  runInNetns<string>(netns, INSIDE, { export: "call", args: [hostname, port] });

const chain = (
  name: "prerouting" | "output" | "postrouting",
  ...rules: NftRuleSpec[]
): NftChainSpec => ({
  name,
  type: "nat",
  hook: name,
  rules,
});

nftTest("masqueraded, a client has the router's address", ALL, async (kernel) => {
  const { router, client, server } = await network(kernel);
  using nft = await nftIn(router);
  await runIn(
    router,
    "nft",
    "table inet theirs { chain c { type filter hook forward priority 0; counter; }; }",
  );
  const before = await listed(router);
  for (const family of ["ip", "ip6"] as const) {
    const { client: own, server: hostname, near, far, bits } = FAMILIES[family];
    await using _server = await serving(server, hostname, 7000);
    assertEquals(await call(client, hostname, 7000), own);
    const out = nftMatch.outputInterface("in0", { not: true });
    const masquerade = [
      nftMatch.sourceAddress(`${near}/${bits}`),
      out,
      nftCounter(),
      nftVerdict.masquerade(),
    ];
    for (const table of [family, "inet"] as const) {
      await nft.transaction(replaceNftTable({
        family: table,
        name: "ours",
        chains: [chain("postrouting", { expressions: masquerade, comment: "out" })],
      }));
      assertEquals(await call(client, hostname, 7000), far);
      // To the client itself nothing is masqueraded; what was counted is the first packet.
      const [rule] = await Array.fromAsync(nft.rules.list({ family: table, table: "ours" }));
      const counted = rule?.expressions?.find(({ name }) => name === "counter");
      assertEquals(counted?.name === "counter" && counted.data?.packets, 1n);
      await nft.transaction(deleteNftTable(table, "ours"));
      assertEquals(await call(client, hostname, 7000), own);
    }
  }
  assertEquals(await listed(router), before);
});

/** A table that publishes the server's port 7000 of both families as the router's 8080. */
function published(family: "inet" | Family): NftTableSpec {
  const families = family === "inet" ? ["ip", "ip6"] as const : [family] as const;
  const rules = families.map((family): NftRuleSpec => ({
    expressions: [
      nftMatch.family(family),
      nftMatch.destinationIsLocal(),
      nftMatch.protocol("tcp"),
      nftMatch.destinationPort(8080),
      nftVerdict.dnat({ address: FAMILIES[family].server, port: 7000 }),
    ],
    comment: "web",
  }));
  return {
    family,
    name: "ours",
    chains: [chain("prerouting", ...rules), chain("output", ...rules)],
  };
}

/** The same by maps. */
function mapped(): { table: NftTableSpec; maps: Record<Family, NftSetSpec> } {
  const map = (family: Family): NftSetSpec => ({
    name: `published-${family}`,
    type: ["inet_proto", "inet_service"],
    data: [family === "ip" ? "ipv4_addr" : "ipv6_addr", "inet_service"],
  });
  const maps = { ip: map("ip"), ip6: map("ip6") };
  const rules = (["ip", "ip6"] as const).map((family): NftRuleSpec => ({
    expressions: [
      nftMatch.family(family),
      nftMatch.destinationIsLocal(),
      nftVerdict.dnat({
        map: `@${maps[family].name}`,
        by: ["protocol", "destinationPort"],
        port: true,
        family,
      }),
    ],
  }));
  const chains = [chain("prerouting", ...rules), chain("output", ...rules)];
  return { table: { family: "inet", name: "ours", sets: [maps.ip, maps.ip6], chains }, maps };
}

/** A published port is reached from outside and from the router, others are not. */
async function assertPublished(
  { router, client }: Record<"router" | "client", Netns>,
  family: Family,
): Promise<void> {
  const { client: own, near, far } = FAMILIES[family];
  assertEquals(await call(client, near, 8080), own);
  assertEquals(await call(client, far, 8080), own);
  assertEquals(await call(router, near, 8080), near);
  assertEquals(await call(client, near, 8081), "ConnectionRefused");
  assertEquals(await call(router, near, 8081), "ConnectionRefused");
}

nftTest("a published port leads to the server", ALL, async (kernel) => {
  const { router, client, server } = await network(kernel);
  using nft = await nftIn(router);
  const { table, maps } = mapped();
  for (const family of ["ip", "ip6"] as const) {
    const { server: hostname, near } = FAMILIES[family];
    await using _server = await serving(server, hostname, 7000);
    assertEquals(await call(client, near, 8080), "ConnectionRefused");
    for (const spec of [published(family), published("inet")]) {
      await nft.transaction(replaceNftTable(spec));
      await assertPublished({ router, client }, family);
      await nft.transaction(deleteNftTable(spec.family, spec.name));
    }
    assertEquals(await call(client, near, 8080), "ConnectionRefused");
    await nft.transaction(replaceNftTable(table));
    assertEquals(await call(client, near, 8080), "ConnectionRefused");
    const web = { key: ["tcp", 8080], value: [hostname, 7000], comment: "web" };
    await nft.transaction(addNftElements(table, maps[family], [web]));
    await assertPublished({ router, client }, family);
    await nft.transaction(deleteNftTable("inet", "ours"));
  }
});

nftTest("what is not let through is refused", ALL, async (kernel) => {
  const { router, client, server } = await network(kernel);
  using nft = await nftIn(router);
  await nft.transaction(replaceNftTable({
    family: "inet",
    name: "ours",
    sets: [{ name: "open", type: ["ipv4_addr", "inet_service"], elements: [["10.2.0.2", 7000]] }],
    chains: [{
      name: "forward",
      hook: "forward",
      policy: "drop",
      rules: [
        {
          expressions: [nftMatch.connectionState(["established", "related"]), nftVerdict.accept()],
        },
        {
          expressions: [
            nftMatch.inputInterface("in*"),
            nftMatch.protocol("tcp"),
            nftMatch.inSet(["destinationAddress", "destinationPort"], "@open", { family: "ip" }),
            nftCounter(),
            nftVerdict.accept(),
          ],
        },
        { expressions: [nftMatch.family("ip6"), nftMatch.protocol("tcp"), nftVerdict.reject()] },
        { expressions: [nftMatch.protocol("tcp"), nftCounter(), nftVerdict.reject("tcp reset")] },
      ],
    }],
  }));
  await using _open = await serving(server, "10.2.0.2", 7000);
  await using _other = await serving(server, "10.2.0.2", 7001);
  await using _six = await serving(server, "fd02::2", 7000);
  assertEquals(await call(client, "10.2.0.2", 7000), "10.1.0.2");
  assertEquals(await call(client, "10.2.0.2", 7001), "ConnectionRefused");
  assertEquals(await call(client, "fd02::2", 7000), "ConnectionRefused");
  const rules = await Array.fromAsync(nft.rules.list({ table: "ours" }));
  const counted = rules.flatMap(({ expressions = [] }) => expressions)
    .flatMap((expression) => expression.name === "counter" ? [expression.data?.packets] : []);
  assertEquals(counted, [1n, 1n]);
});
