/**
 * Random topologies over few names and values, so that two of them have much in common, and much of the
 * same name that is something else.
 *
 * @module
 */

import fc from "fast-check";
import type {
  ContainerSpec,
  HostSpec,
  LinkEntry,
  NamespaceSpec,
  RouteEntry,
  Topology,
} from "../../../mod.ts";

/** Where things are: the host, and namespaces of which the last may be one that is there already. */
const PLACES = ["host", "a", "b", "c"] as const;
const LINKS = ["l0", "l1", "l2"];
/** A link of the host's that is there already. */
export const EXISTING = "e0";

const place = fc.nat(PLACES.length - 1);
const name = fc.nat(LINKS.length - 1);
const maybe = <T>(arbitrary: fc.Arbitrary<T>, freq = 2) =>
  fc.option(arbitrary, { nil: undefined, freq });
const one = <T>(...values: T[]) => fc.constantFrom(...values);

const LINK = fc.record({
  place,
  name,
  kind: one("veth", "veth", "bridge", "bridge", "macvlan", "vxlan", "existing"),
  other: fc.record({ place, name }),
  mtu: maybe(one(1300, 1400), 1),
  mac: maybe(one(1, 2), 1),
  up: maybe(one(false), 1),
  group: maybe(one(7, 8), 1),
  txQueueLength: maybe(one(500), 1),
  stp: maybe(fc.boolean(), 1),
  master: maybe(name, 1),
  addresses: fc.uniqueArray(one("v4.1", "v4.2", "v6.1"), { maxLength: 2 }),
  rate: maybe(one("10mbit", "20mbit"), 1),
});
type LinkPiece = typeof LINK extends fc.Arbitrary<infer T> ? T : never;

const ROUTE = fc.record({
  place,
  to: one("198.51.100.0/24", "198.51.101.0/24", "fd99::/64", "default"),
  link: name,
  how: one("via", "via", "dev", "blackhole"),
  gateway: one(8, 9),
  table: maybe(one(100), 1),
  priority: maybe(one(5, 6), 1),
});

const RULE = fc.record({
  place,
  from: maybe(one("10.0.0.0/8", "10.1.0.0/16", "fd99::/64")),
  priority: maybe(one(50, 60), 1),
  table: one(100, 101),
});

const NEIGHBOUR = fc.record({
  place,
  link: name,
  host: one(8, 9),
  mac: one(1, 2),
  v6: fc.boolean(),
});

const SYSCTL = fc.record({
  place,
  setting: one(
    { "net.ipv4.ip_default_ttl": 60 },
    { "net.ipv4.ip_default_ttl": 70 },
    { "net.ipv4.ip_forward": 1 },
    { "net.ipv4.conf.all.rp_filter": 2 },
  ),
});

const LINK_SYSCTL = fc.record({ place, link: name, value: one(1, 2) });

const FIREWALL = fc.record({
  place,
  policy: one("accept" as const, "drop" as const),
  from: one("10.0.0.0/8", "10.1.0.0/16"),
  masquerade: fc.boolean(),
});

const ATTACHMENT = fc.record({
  bridge: maybe(name, 6),
  host: one(50, 60),
  rate: maybe(one("10mbit", "20mbit"), 1),
  publish: maybe(one(["8080:80"], ["8081:80"]), 1),
  masquerade: maybe(one(true), 1),
  isolated: maybe(one(true), 1),
});

const CONTAINER = fc.record({
  name: one("k0", "k1", "c"),
  place: one(0, 0, 1),
  interfaces: fc.array(ATTACHMENT, { minLength: 1, maxLength: 2 }),
});

const PIECES = fc.record({
  links: fc.array(LINK, { minLength: 2, maxLength: 10 }),
  routes: fc.array(ROUTE, { maxLength: 3 }),
  rules: fc.array(RULE, { maxLength: 3 }),
  neighbours: fc.array(NEIGHBOUR, { maxLength: 3 }),
  sysctls: fc.array(SYSCTL, { maxLength: 3 }),
  linkSysctls: fc.array(LINK_SYSCTL, { maxLength: 2 }),
  firewalls: fc.array(FIREWALL, { maxLength: 2 }),
  containers: fc.array(CONTAINER, { maxLength: 3 }),
  isThere: fc.boolean(),
});
type Pieces = typeof PIECES extends fc.Arbitrary<infer T> ? T : never;

/** Two topologies, of which the second has some parts of the first. */
export const PAIR = fc.tuple(PIECES, PIECES, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }))
  .map(([a, b, kept]) => {
    const keys = Object.keys(a) as (keyof Pieces)[];
    const mixed = Object.fromEntries(keys.map((key, i) => [key, (kept[i] ? a : b)[key]]));
    return [a, mixed as Pieces] as const;
  });

/** What is made of pieces; what refers to nothing is left out. */
export function topologyOf(pieces: Pieces, prefix: string, isThere: string): Topology {
  const specs = PLACES.map((): Writable<NamespaceSpec> => ({}));
  const full = (at: number, link: string) =>
    at === 0 ? `host:${link}` : `${prefix}${PLACES[at]}:${link}`;
  const links = PLACES.map(() => new Map<string, Writable<LinkEntry>>());
  for (const piece of pieces.links) addLink(piece, links, full);
  for (const piece of pieces.links) addMaster(piece, links);
  const address = (at: number, dev: number) =>
    links[at]!.get(LINKS[dev]!)?.addresses?.find((it) => !it.includes(":"));
  for (const { place, to, link, how, gateway, table, priority } of pieces.routes) {
    const entry = links[place]!.get(LINKS[link]!);
    const isUp = entry !== undefined && entry.up !== false;
    const route: RouteEntry = { to, table, priority };
    const isSame = (it: RouteEntry) =>
      [it.to, it.table, it.priority].join() === [to, table, priority].join();
    if (specs[place]!.routes?.some(isSame)) continue;
    if (how === "blackhole") add(specs[place]!, "routes", { ...route, type: "blackhole" });
    else if (how === "dev" && isUp) add(specs[place]!, "routes", { ...route, dev: LINKS[link]! });
    else if (how === "via" && isUp && !to.includes(":") && address(place, link) !== undefined) {
      const via = subnet(place, link, gateway);
      add(specs[place]!, "routes", { ...route, via });
    }
  }
  for (const { place, ...rule } of pieces.rules) add(specs[place]!, "rules", rule);
  for (const { place, link, host, mac, v6 } of pieces.neighbours) {
    if (!links[place]!.has(LINKS[link]!)) continue;
    const to = v6 ? `fd${place}${link}::${host}` : subnet(place, link, host);
    add(specs[place]!, "neighbours", { to, dev: LINKS[link]!, mac: macOf(9, 9, mac) });
  }
  for (const { place, setting } of pieces.sysctls) {
    specs[place]!.sysctls = { ...specs[place]!.sysctls, ...setting };
  }
  for (const { place, link, value } of pieces.linkSysctls) {
    if (!links[place]!.has(LINKS[link]!)) continue;
    const key = `net.ipv4.conf.${LINKS[link]}.rp_filter`;
    specs[place]!.sysctls = { ...specs[place]!.sysctls, [key]: value };
  }
  for (const { place, policy, from, masquerade } of pieces.firewalls) {
    specs[place]!.firewall = { forward: { policy, rules: [{ from, verdict: "accept" }] } };
    if (masquerade) specs[place]!.nat = { masquerade: [{ from }] };
  }
  for (const [at, all] of links.entries()) {
    if (all.size > 0) specs[at]!.links = Object.fromEntries(all);
  }
  const all = containersOf(pieces, links, prefix);
  for (const [at, containers] of all.entries()) {
    if (Object.keys(containers).length > 0) specs[at]!.containers = containers;
  }
  const [host, ...others] = specs;
  const namespaces = others.map((spec, i) => [`${prefix}${PLACES[i + 1]}`, spec] as const).filter((
    [name, spec],
  ) => Object.keys(spec).length > 0 && !all.some((containers) => name in containers));
  return clean({
    denolink: 1,
    name: "lab",
    ...host as HostSpec,
    namespaces: Object.fromEntries(
      namespaces.map(([name, spec]) => {
        const isLast = name === `${prefix}${PLACES.at(-1)}`;
        return [name, isLast && pieces.isThere ? { ...spec, netns: { name: isThere } } : spec];
      }),
    ),
  });
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function add<K extends "routes" | "rules" | "neighbours">(
  spec: Writable<HostSpec>,
  key: K,
  entry: NonNullable<HostSpec[K]>[number],
): void {
  spec[key] = [...spec[key] ?? [], entry] as HostSpec[K];
}

function addLink(
  piece: LinkPiece,
  links: Map<string, Writable<LinkEntry>>[],
  full: (at: number, link: string) => string,
): void {
  const { place, name, kind, other, mtu, mac, up, group, txQueueLength, stp, rate } = piece;
  const link = LINKS[name]!;
  const addresses = piece.addresses.map((it) => {
    const [family, host] = it.split(".");
    return family === "v4" ? `${subnet(place, name, host!)}/24` : `fd${place}${name}::${host}/64`;
  });
  const common = {
    ...{ mtu, up, addresses: addresses.length === 0 ? undefined : addresses },
    mac: mac === undefined ? undefined : macOf(place, name, mac),
  };
  const here = links[place]!;
  if (kind === "existing") {
    if (place === 0) here.set(EXISTING, { ...common, rate });
    return;
  }
  if (here.has(link)) return;
  const made = { ...common, group, txQueueLength, rate };
  const lower = LINKS[other.name]!;
  if (kind === "veth") {
    const there = links[other.place]!;
    if (there.has(lower) || other.place === place && lower === link) return;
    here.set(link, { ...made, peer: full(other.place, lower) });
    there.set(lower, { peer: full(place, link), up });
  } else if (kind === "bridge") {
    const data = stp === undefined ? undefined : { stpState: stp ? 1 : 0 };
    here.set(link, { ...made, kind, data });
  } else if (kind === "macvlan") {
    const below = links[other.place]!.get(lower);
    // On one of the host's, or of its own namespace, that carries nothing else.
    if (below === undefined || below.kind === "macvlan" || ![0, place].includes(other.place)) {
      return;
    }
    here.set(link, { ...made, kind, link: full(other.place, lower), data: { mode: "bridge" } });
  } else if (kind === "vxlan") {
    const data = { id: 10 + name, local: "192.0.2.1", port: 4789 };
    here.set(link, { ...made, kind, data, fdb: [{ mac: "00:00:00:00:00:00", dst: "192.0.2.2" }] });
  }
}

/** Pairs, vxlans and what is there already may belong to a bridge. */
function addMaster(
  { place, name, kind, master }: LinkPiece,
  links: Map<string, LinkEntry>[],
): void {
  const here = links[place]!;
  const link = kind === "existing" ? EXISTING : LINKS[name]!;
  const entry: Writable<LinkEntry> | undefined = here.get(link);
  const bridge = LINKS[master ?? -1];
  if (entry === undefined || bridge === undefined || here.get(bridge)?.kind !== "bridge") return;
  const carries = [...here.values()].some((it) => it.link?.endsWith(`:${link}`));
  if (!carries && entry.kind !== "bridge" && entry.kind !== "macvlan") entry.master = bridge;
}

function containersOf(
  { containers }: Pieces,
  links: readonly Map<string, LinkEntry>[],
  prefix: string,
): Record<string, ContainerSpec>[] {
  const all = PLACES.map((): Record<string, ContainerSpec> => ({}));
  for (const [i, { name, place, interfaces }] of containers.entries()) {
    if (all.some((known) => `${prefix}${name}` in known)) continue;
    const entries = interfaces.flatMap(({ bridge, host, isolated, ...rest }, j) => {
      const last = host + 2 * i + j;
      if (bridge === undefined) return j > 0 ? [] : { ...rest, address: `10.99.0.${last}/32` };
      const entry = links[place]!.get(LINKS[bridge]!);
      const isIpv4 = entry?.addresses?.some((it) => !it.includes(":"));
      if (entry?.kind !== "bridge" || !isIpv4) return [];
      const address = `${subnet(place, bridge, last)}/24`;
      return { ...rest, isolated, bridge: LINKS[bridge]!, address };
    });
    if (entries.length === 0) continue;
    all[place]![`${prefix}${name}`] = entries.length === 1
      ? entries[0]!
      : { interfaces: Object.fromEntries(entries.map((it, j) => [`eth${j}`, it])) };
  }
  return all;
}

function subnet(place: number, link: number, host: number | string): string {
  return `10.${10 + place}.${link}.${host}`;
}

function macOf(place: number, name: number, last: number): string {
  return `02:00:00:00:${place}${name}:0${last}`;
}

/** Without what is not said. */
function clean<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}
