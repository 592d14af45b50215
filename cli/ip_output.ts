/**
 * Links, addresses and routes as `ip` prints them, with the keys of `ip -j`.
 *
 * @module
 */

import type { Address, Link, Route } from "../mod.ts";

/** What `ip -j` prints of an object. */
export type Row = Record<string, unknown>;

/** The names of links by their numbers. */
export type Names = ReadonlyMap<number, string>;

/** The order in which `ip` prints flags; IFF_RUNNING is told by NO-CARRIER alone. */
const FLAG_ORDER = [
  ["loopback", "LOOPBACK"],
  ["broadcast", "BROADCAST"],
  ["pointopoint", "POINTOPOINT"],
  ["multicast", "MULTICAST"],
  ["noarp", "NOARP"],
  ["allmulti", "ALLMULTI"],
  ["promisc", "PROMISC"],
  ["master", "MASTER"],
  ["slave", "SLAVE"],
  ["debug", "DEBUG"],
  ["dynamic", "DYNAMIC"],
  ["automedia", "AUTOMEDIA"],
  ["portsel", "PORTSEL"],
  ["notrailers", "NOTRAILERS"],
  ["up", "UP"],
  ["lowerUp", "LOWER_UP"],
  ["dormant", "DORMANT"],
  ["echo", "ECHO"],
] as const;

/** ARPHRD_* of linux/if_arp.h as `ip` names them; others are numbers. */
const LINK_TYPES: Readonly<Record<number, string>> = {
  1: "ether",
  768: "ipip",
  769: "tunnel6",
  772: "loopback",
  776: "sit",
  778: "gre",
  823: "gre6",
  65534: "none",
};

const FOREVER = 0xffffffff;

/** A link as `ip -j link` prints it. */
export function linkRow(link: Link, names: Names): Row {
  const { kind: _, ...row } = linkHead(link, names);
  return {
    ...row,
    linkmode: link.linkMode === 1 ? "DORMANT" : "DEFAULT",
    ...linkTail(link),
    ...(link.alias === undefined ? {} : { ifalias: link.alias }),
  };
}

/** A link with its addresses as `ip -j addr` prints it. */
export function addressRow(link: Link, addresses: readonly Address[], names: Names): Row {
  const { kind: _, ...row } = linkHead(link, names);
  return { ...row, ...linkTail(link), addr_info: addresses.map(addressInfo) };
}

function linkHead(link: Link, names: Names): Row {
  const flags = new Set<string>(link.flags);
  const noCarrier = flags.has("up") && !flags.has("running");
  return defined({
    ifindex: link.index,
    ...lowerLink(link, names),
    ifname: link.name,
    flags: [
      ...(noCarrier ? ["NO-CARRIER"] : []),
      ...FLAG_ORDER.filter(([flag]) => flags.has(flag)).map(([, name]) => name),
    ],
    mtu: link.mtu,
    qdisc: link.qdisc,
    master: link.master ? names.get(link.master) ?? `if${link.master}` : undefined,
    operstate: String(link.operState ?? "unknown").toUpperCase(),
  });
}

function lowerLink({ link, linkNetnsId }: Link, names: Names): Row {
  if (link === undefined) return {};
  if (linkNetnsId !== undefined) return { link_index: link };
  return { link: link === 0 ? null : names.get(link) ?? `if${link}` };
}

function linkTail(link: Link): Row {
  return defined({
    group: link.group === 0 ? "default" : String(link.group),
    txqlen: link.txQueueLength,
    link_type: LINK_TYPES[link.type ?? 0] ?? String(link.type),
    address: link.address,
    broadcast: link.broadcast,
    link_netnsid: link.linkNetnsId,
    altnames: link.altNames,
  });
}

/** An entry of `addr_info`. */
function addressInfo(address: Address): Row {
  const flags = new Set<string>(address.flags);
  const said = (flag: string) => flags.has(flag) ? { [flag]: true } : {};
  return defined({
    family: address.family,
    local: address.local ?? address.address,
    address: address.local !== undefined && address.local !== address.address
      ? address.address
      : undefined,
    prefixlen: address.prefixLength,
    metric: address.routePriority,
    broadcast: address.broadcast,
    scope: address.scope,
    ...(flags.has("permanent") ? {} : { dynamic: true }),
    ...(flags.has("secondary") && address.family === "inet" ? { secondary: true } : {}),
    ...said("tentative"),
    ...said("deprecated"),
    ...said("nodad"),
    ...said("dadfailed"),
    ...said("noprefixroute"),
    label: address.label,
    valid_life_time: address.cacheInfo?.valid ?? FOREVER,
    preferred_life_time: address.cacheInfo?.preferred ?? FOREVER,
  });
}

/** A route as `ip -j route` prints it. */
export function routeRow(route: Route, names: Names): Row {
  const prefix = route.family === "inet6" ? 128 : 32;
  const dst = route.dst === undefined
    ? "default"
    : route.dstLength === prefix
    ? route.dst
    : `${route.dst}/${route.dstLength}`;
  return defined({
    type: route.type === "unicast" ? undefined : route.type,
    dst,
    gateway: route.gateway,
    dev: route.oif === undefined ? undefined : names.get(route.oif) ?? `if${route.oif}`,
    table: route.table === "main" ? undefined : String(route.table),
    protocol: route.protocol === "boot" ? undefined : String(route.protocol),
    scope: route.scope === "global" ? undefined : route.scope,
    prefsrc: route.prefsrc,
    metric: route.priority,
    flags: route.flags?.filter((flag) => flag !== "notify") ?? [],
    pref: route.family === "inet6" ? route.preference ?? "medium" : undefined,
  });
}

/** A link in words: the two lines of `ip link`. */
export function linkText(row: Row): string {
  const lower = row.link_index !== undefined
    ? `@if${row.link_index}`
    : row.link
    ? `@${row.link}`
    : "";
  const netns = row.link_netnsid === undefined ? "" : ` link-netnsid ${row.link_netnsid}`;
  const first = words(
    `${row.ifindex}: ${row.ifname}${lower}: <${(row.flags as string[]).join(",")}>`,
    pair("mtu", row.mtu),
    pair("qdisc", row.qdisc),
    pair("master", row.master),
    pair("state", row.operstate),
    pair("mode", row.linkmode),
    pair("group", row.group),
    pair("qlen", row.txqlen),
  );
  const lines = [
    first,
    words(`    link/${row.link_type} ${row.address ?? ""}`, pair("brd", row.broadcast)) + netns,
    ...(row.altnames as string[] ?? []).map((name) => `    altname ${name}`),
    ...(row.ifalias === undefined ? [] : [`    alias ${row.ifalias}`]),
  ];
  return lines.join("\n");
}

/** A link with its addresses in words, as `ip addr` prints them. */
export function addressText(row: Row): string {
  const addresses = (row.addr_info as Row[]).map((info) => {
    const flags = Object.keys(info).filter((key) => info[key] === true);
    return [
      words(
        `    ${info.family} ${info.local}/${info.prefixlen}`,
        pair("peer", info.address),
        pair("metric", info.metric),
        pair("brd", info.broadcast),
        pair("scope", info.scope),
        ...flags,
        String(info.label ?? ""),
      ),
      `       valid_lft ${lifetime(info.valid_life_time)} preferred_lft ${
        lifetime(info.preferred_life_time)
      }`,
    ].join("\n");
  });
  return [linkText(row), ...addresses].join("\n");
}

/** A route in words, as `ip route` prints it. */
export function routeText(row: Row): string {
  return words(
    String(row.type ?? ""),
    String(row.dst),
    pair("via", row.gateway),
    pair("dev", row.dev),
    pair("table", row.table),
    pair("proto", row.protocol),
    pair("scope", row.scope),
    pair("src", row.prefsrc),
    pair("metric", row.metric),
    ...row.flags as string[],
    pair("pref", row.pref),
  );
}

function lifetime(seconds: unknown): string {
  return seconds === FOREVER ? "forever" : `${seconds}sec`;
}

function pair(word: string, value: unknown): string {
  return value === undefined ? "" : `${word} ${value}`;
}

function words(...parts: string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}

function defined(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
}
