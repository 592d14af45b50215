/**
 * What a host and a container look like, as `ip`, `nft` and /proc/sys tell it, without what differs from
 * one attach to the next: names of links and numbers.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Netns } from "../../netns/netns.ts";
import { eventually, runIn } from "../support.ts";

/** One namespace's state; values that can be compared and printed. */
export interface State {
  links: unknown[];
  addresses: unknown[];
  routes: unknown[];
  rules: string;
  forwarding: string[];
}

// deno-lint-ignore no-explicit-any
type Json = any;

const COMMANDS = [
  "ip -j -d link show",
  "ip -j address show",
  "ip -j -4 route show table all",
  "ip -j -6 route show table all",
  "nft list ruleset",
  "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding",
];

/** Looks at a namespace. */
export async function stateOf(netns: Netns): Promise<State> {
  const text = (await runIn(netns, "sh", "-c", COMMANDS.join("; echo ---; ")))
    .replaceAll(/\bveth[0-9a-f]{11}\b/g, "VETH")
    .replaceAll(/\bnetns=\d+\b/g, "netns=NUMBER")
    .replaceAll(/\bdenolink-lease-[1-9]\d*-/g, "denolink-lease-BRIDGE-");
  const [links, addresses, routes4, routes6, rules = "", forwarding = ""] = text.split("---\n");
  const parse = (json = ""): Json[] => json.trim() === "" ? [] : JSON.parse(json);
  return {
    links: sorted(
      parse(links).map((link) => ({
        name: link.ifname,
        kind: link.linkinfo?.info_kind,
        up: link.flags.includes("UP"),
        mtu: link.mtu,
        master: link.master,
        group: link.group,
        alias: link.ifalias,
        altNames: link.altnames?.toSorted(),
      })),
    ),
    addresses: sorted(
      parse(addresses).flatMap(({ ifname, addr_info }) =>
        addr_info.map((info: Json) => `${ifname} ${info.local}/${info.prefixlen}`)
      ).filter((line) => !isOfKernel(line.split(" ")[1]!)),
    ),
    routes: sorted(
      [...parse(routes4), ...parse(routes6)]
        // The kernel makes those of IPv6 addresses some time after the address.
        .filter(({ type, dst }) => type === "unicast" || type === undefined || !dst.includes(":"))
        .filter(({ dst }) => !isOfKernel(dst))
        .map(({ type, dst, dev, gateway, table, scope, metric }) => ({
          type,
          dst,
          dev,
          gateway,
          table,
          scope,
          metric,
        })),
    ),
    // The digest of a table's contents, which has the names.
    rules: rules.replaceAll(/comment "[^"]*"/g, "").replaceAll(/\s+/g, " "),
    forwarding: forwarding.trim().split("\n"),
  };
}

/** Waits until a namespace is as it should be: links and routes go in the background. */
export async function assertState(netns: Netns, wanted: State, message?: string): Promise<void> {
  await eventually(async () => assertEquals(await stateOf(netns), wanted, message));
}

/** Link-local addresses come and go by themselves, but the one that a routed container's gateway has. */
export function isOfKernel(address: string): boolean {
  return /^(fe80|ff00):/.test(address) && !/^fe80::1(\/|$)/.test(address);
}

export function sorted<T>(values: T[]): T[] {
  return values.map((value) => [JSON.stringify(value), value] as const)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([, value]) => value);
}
