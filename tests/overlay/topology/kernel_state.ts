/**
 * What namespaces look like, as `ip`, `bridge`, `tc`, `nft` and /proc/sys tell it, without what is another
 * each time: numbers, random names and addresses, what the kernel adds by itself and what counts on.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Netns } from "../../../netns/netns.ts";
import { eventually, runIn } from "../../support.ts";
import { isOfKernel, sorted } from "../state.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

/** A namespace's state, by what it is of: values that can be compared and printed. */
export type NetnsState = Record<string, Json>;

/** The states of several namespaces, by their names. */
export type KernelState = Record<string, NetnsState>;

/** Addresses that topologies give to links begin so; others are random. */
const SAID_MAC = "02:00:00:00:";

/** What of a kind counts on, or follows from a random address. */
const COUNTED =
  /^(root_id|bridge_id|.*_timer|root_port|root_path_cost|.*topology_change.*|hello_time|designated_.*|age.*_remaining|no|id|config_pending|topology_change_ack|state)$/;

/** The settings that are looked at, below /proc/sys. */
const SETTINGS = [
  ...["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/ip_default_ttl"],
  ...["net/ipv4/conf/*/proxy_arp", "net/ipv4/conf/*/rp_filter", "net/ipv4/conf/*/forwarding"],
];

/** What is shown by one program, each line of its input an array in its output. */
interface Look {
  command: string;
  shows: Record<string, { input: string; read: (json: Json[]) => unknown[] }>;
}

const all = (json: Json[]) => json;
const NEIGHBOURS = {
  neighbours: { input: "neigh show nud permanent", read: all },
  proxies: { input: "neigh show proxy", read: all },
};

const LOOKS: readonly Look[] = [
  {
    command: "ip -j -d -4 -b -",
    shows: {
      links: { input: "link show", read: (all) => all.map(linkOf) },
      addresses: { input: "address show", read: addressesOf },
      routes: { input: "route show table all", read: (all) => all.map(routeOf) },
      rules: { input: "rule show", read: all },
      ...NEIGHBOURS,
    },
  },
  {
    command: "ip -j -d -6 -b -",
    shows: {
      addresses: { input: "address show", read: addressesOf },
      routes: {
        input: "route show table all",
        // The kernel makes those of addresses some time after the address, and its own as it likes.
        read: (all) =>
          all.filter(({ dst, protocol }) => protocol !== "kernel" && !isOfKernel(dst)).map(routeOf),
      },
      rules: { input: "rule show", read: all },
      ...NEIGHBOURS,
    },
  },
  {
    command: "bridge -j -b -",
    shows: {
      vlans: { input: "vlan show", read: all },
      forwarding: {
        input: "fdb show",
        read: (all) =>
          all.filter(({ mac, dst }) => dst !== undefined || mac.startsWith(SAID_MAC))
            .map(({ mac, dst, ifname, vlan, master, flags }) => ({
              ...{ mac, dst, ifname, vlan, master, flags },
            })),
      },
    },
  },
  {
    command: "tc -j -b -",
    shows: {
      queueing: {
        input: "qdisc show",
        read: (all) => all.filter(({ kind }) => kind !== "noqueue"),
      },
    },
  },
];

/** Looks at a namespace; `settings` are paths below /proc/sys beside the usual ones. */
export async function netnsState(
  netns: Netns,
  settings: readonly string[] = [],
): Promise<NetnsState> {
  const paths = [...SETTINGS, ...settings].map((path) => `/proc/sys/${path}`);
  const commands = [
    ...LOOKS.map(({ command, shows }) => {
      const input = Object.values(shows).map(({ input }) => `${input}\\n`).join("");
      return `printf '${input}' | ${command}`;
    }),
    "nft -j list ruleset",
    `grep -s . ${paths.join(" ")}`,
  ];
  const text = (await runIn(netns, "sh", "-c", `${commands.join("; echo ---; ")}; true`))
    .replaceAll(/\bveth[0-9a-f]{11}\b/g, "VETH")
    .replaceAll(/\bnetns=\d+\b/g, "netns=NUMBER")
    .replaceAll(/\bdigest=[0-9a-f]+\b/g, "digest=DIGEST")
    .replaceAll(/\bdenolink-lease-[1-9]\d*-/g, "denolink-lease-BRIDGE-")
    .replaceAll(/"handle": ?\d+/g, '"handle":0')
    .replaceAll(/made by denolink [0-9a-f]+/g, "made by denolink")
    .replaceAll(
      /\b(?!00:00:00:00:00:00)([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g,
      (mac) => mac.startsWith(SAID_MAC) ? mac : "MAC",
    );
  const parts = text.split("---\n");
  const looks = LOOKS.flatMap(({ shows }, i) => {
    const lines = parts[i]!.split("\n");
    return Object.entries(shows).map(([name, { read }], j) => ({
      name,
      seen: read(JSON.parse(lines[j] || "[]")),
    }));
  });
  const { nftables } = JSON.parse(parts.at(-2)!);
  return {
    ...Object.fromEntries(
      Object.entries(Object.groupBy(looks, ({ name }) => name))
        .map(([name, both]) => [name, sorted(both!.flatMap(({ seen }) => seen))]),
    ),
    nft: tablesOf(nftables.slice(1)),
    settings: parts.at(-1)!.trim().split("\n").filter((line) => !line.includes("VETH")).sort(),
  };
}

/** Looks at a host, and at all namespaces whose names begin with a prefix, in whose place "$" is seen. */
export async function kernelState(host: Netns, prefix: string): Promise<KernelState> {
  const named = Netns.list().filter(({ name }) => name.startsWith(prefix));
  const states = await Promise.all([
    netnsState(host),
    ...named.map(async ({ name, id }) => {
      if (id === undefined) return { nothing: "is mounted there" };
      using netns = Netns.open({ name });
      return await netnsState(netns);
    }),
  ]);
  const all = Object.fromEntries(
    ["host", ...named.map(({ name }) => name)].map((name, i) => [name, states[i]!]),
  );
  return JSON.parse(JSON.stringify(all).replaceAll(prefix, "$"));
}

/** Waits until all is as it should be: links and routes go in the background. */
export async function assertKernelState(
  host: Netns,
  prefix: string,
  wanted: KernelState,
  message: string,
): Promise<void> {
  await eventually(async () => assertEquals(await kernelState(host, prefix), wanted, message));
}

/** What `nft` lists, by table, and of those of attachments by what it is: its order is that of making. */
function tablesOf(entries: Json[]): unknown {
  const tables = Object.groupBy(entries, (entry) => {
    const [kind, it] = Object.entries<Json>(entry)[0]!;
    return `${it.family} ${kind === "table" ? it.name : it.table}`;
  });
  return Object.fromEntries(
    Object.entries(tables).map((
      [name, own],
    ) => [name, name.startsWith("inet denolink-") ? sorted(own!.map(withSortedElements)) : own]),
  );
}

function withSortedElements(entry: Json): Json {
  const elem = entry.map?.elem;
  return elem === undefined ? entry : { map: { ...entry.map, elem: sorted(elem) } };
}

function addressesOf(links: Json[]): unknown[] {
  return links.flatMap(({ ifname, addr_info }) =>
    addr_info.map((it: Json) => ({
      ...{ ifname, local: it.local, prefix: it.prefixlen, peer: it.address },
      ...{ scope: it.scope, protocol: it.protocol, noprefixroute: it.noprefixroute },
    }))
  ).filter(({ local }) => !isOfKernel(local));
}

function linkOf(it: Json): unknown {
  const { ifname, mtu, master, group, txqlen, address, link, ifalias, altnames, flags } = it;
  const { info_kind, info_data, info_slave_kind, info_slave_data } = it.linkinfo ?? {};
  return {
    ...{ ifname, mtu, master, group, txqlen, address, link, ifalias, info_kind, info_slave_kind },
    altnames: altnames?.map((name: string) => name.replace(/@\d+:/, "@HOST:")).sort(),
    up: flags.includes("UP"),
    data: lasting(info_data),
    port: lasting(info_slave_data),
  };
}

function lasting(data: Json = {}): unknown {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !COUNTED.test(key)));
}

function routeOf(it: Json): unknown {
  const { type, dst, dev, gateway, via, table, scope, metric, protocol, prefsrc, nexthops } = it;
  return {
    ...{ type, dst, dev, gateway, via, table, scope, metric, protocol, prefsrc },
    nexthops: nexthops?.map(({ gateway, via, dev, weight }: Json) => ({
      ...{ gateway, via, dev, weight },
    })),
  };
}
