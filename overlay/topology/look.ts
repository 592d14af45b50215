/**
 * What the kernel has of a topology.
 *
 * @module
 */

import { NetlinkError } from "../../ffi/errors.ts";
import { findHeld } from "../../netns/held.ts";
import { findNamed as findNetns, listNamed, type NamedNetns } from "../../netns/named.ts";
import { Netns } from "../../netns/netns.ts";
import { type Address, address } from "../../rtnl/address.ts";
import { bridgeVlan } from "../../rtnl/bridge_vlan.ts";
import { type Link, SKIP_STATS } from "../../rtnl/link.ts";
import { forwarding, type Neighbour, neighbour } from "../../rtnl/neighbour.ts";
import { type Route, route } from "../../rtnl/route.ts";
import type { Rtnl } from "../../rtnl/rtnl.ts";
import { type Rule, rule } from "../../rtnl/rule.ts";
import { type Qdisc, qdisc } from "../../rtnl/tc/mod.ts";
import { findAttachments } from "../attachments.ts";
import { absentIsUndefined } from "./absent.ts";
import type { ThingKind } from "./change.ts";
import { HOST } from "./format.ts";
import { recall } from "./memory.ts";
import { type Places, takeLinks } from "./place.ts";
import type { Dump, Inside, NetnsState, Place, State, Thing, View } from "./state.ts";
import { MUCH, parseTopologyTag } from "../tag.ts";
import type { LinkValue } from "./things/link.ts";
import { THING_TYPES } from "./things/mod.ts";
import { type Endpoint, parseEndpoint } from "./units.ts";

/** How many namespaces are looked at at once. */
const AT_ONCE = 32;

/** Looks at the namespaces that a topology names, and at all that it has made before: what there is of it. */
export async function look(places: Places, wanted: State): Promise<State> {
  await inParts(
    [...wanted],
    async ([name, { target }]) => void await places.open({ name, target }),
  );
  await findNamed(places, wanted);
  await findNameless(places, wanted);
  const views = new Map<string, Dump>();
  await inParts(places.all(), async (place) => {
    const view = await dumpOf(place, wanted);
    if (view !== undefined) views.set(place.name, view);
  });
  const peers = peersOf(views.values());
  const inside = new Map<bigint, Inside>(
    [...views.values()].map((view) => [view.place.netns.id, view]),
  );
  await lookInside(places, views.values(), inside);
  const state = new Map<string, NetnsState>();
  for (const seen of views.values()) {
    const view: View = {
      ...seen,
      peerOf: (link) => peers.get(`${seen.place.name}:${link}`),
      inside: (id) => inside.get(id),
      isThere: ({ netns, link }) =>
        views.get(netns)?.links.some(({ name }) => name === link) ?? false,
      idOf: (netns) => places.get(netns)?.netns.id,
    };
    const { place, memory } = view;
    const things = new Map<ThingKind, Thing[]>();
    for (const type of THING_TYPES) things.set(type.kind, await type.found(view));
    const target = memory.made ? undefined : wanted.get(place.name)?.target ?? targetOf(place);
    state.set(place.name, { target, things });
  }
  return state;
}

function targetOf({ name, netns }: Place): NetnsState["target"] {
  if (name === HOST) return HOST;
  return netns.name === undefined ? { path: `/proc/self/fd/${netns.fd}` } : { name: netns.name };
}

/** Looks into containers of somebody else's, in which an attachment's routes are not the topology's. */
async function lookInside(
  places: Places,
  views: Iterable<Dump>,
  inside: Map<bigint, Inside>,
): Promise<void> {
  const attached = new Set(
    [...views].flatMap(({ attachments }) => attachments.map((it) => it.netns)),
  );
  const foreign = places.all()
    .filter(({ netns, memory }) => attached.has(netns.id) && !memory?.made);
  await inParts(foreign, async ({ netns, rtnl }) => {
    const links = await Array.fromAsync(rtnl.links.list());
    inside.set(netns.id, { links, ...await readObjects(rtnl) });
  });
}

/** The named namespaces that an earlier version of the topology had to do with. */
async function findNamed(places: Places, wanted: State): Promise<void> {
  const known = new Set(places.all().map(({ netns }) => netns.id));
  const others = listNamed().filter(({ id }) => id !== undefined && !known.has(id));
  await inParts(others, async (named) => {
    using netns = openListed(named);
    if (netns !== undefined) await takeIn(places, wanted, netns);
  });
}

/** A named one that was there a moment ago; others make and remove theirs meanwhile. */
function openListed({ name, id }: NamedNetns): Netns | undefined {
  try {
    return Netns.open({ name });
  } catch (error) {
    if (findNetns(name) === id) throw error;
    return undefined;
  }
}

/** The same for those without a name, which the host remembers. */
async function findNameless(places: Places, wanted: State): Promise<void> {
  const host = places.get(HOST)!;
  takeLinks(host, [await host.rtnl.links.get({ index: 1, extendedMask: SKIP_STATS })]);
  const known = new Set(places.all().map(({ netns }) => netns.id));
  const others = [...host.memory?.nameless ?? []].filter((id) => !known.has(id));
  for (const netns of openByIds(others)) {
    using _netns = netns;
    await takeIn(places, wanted, netns);
  }
}

/** Takes a namespace in that remembers the topology, under the name that it had there. */
async function takeIn(places: Places, wanted: State, netns: Netns): Promise<void> {
  using rtnl = await netns.connect();
  const lo = await rtnl.links.get({ index: 1, extendedMask: SKIP_STATS });
  const memory = recall(places.owner, lo);
  if (memory === undefined) return;
  const name = memory.as ?? netns.name ?? "";
  const isTaken = places.get(name) !== undefined || wanted.has(name);
  if (isTaken) places.clashes.add(name);
  await places.adopt(isTaken || name === "" ? `netns-${netns.id}` : name, Netns.open(netns));
}

/** Opens the namespaces with these numbers, as far as anything holds them; the caller closes them. */
export function openByIds(ids: readonly bigint[]): Netns[] {
  if (ids.length === 0) return [];
  return findHeld().filter(({ id }) => ids.includes(id)).flatMap(({ id, files }) => {
    for (const path of files) {
      const netns = absentIsUndefined(() => Netns.open({ path }));
      if (netns?.id === id) return [netns];
      netns?.close();
    }
    return [];
  });
}

/** What a namespace has; `undefined` when it has nothing of the topology. */
async function dumpOf(place: Place, wanted: State): Promise<Dump | undefined> {
  const links = await Array.fromAsync(place.rtnl.links.list());
  takeLinks(place, links);
  const { memory } = place;
  if (memory === undefined) return undefined;
  // In a namespace of somebody else's there may be very many others.
  const routes: Route = memory.made ? {} : { protocol: memory.protocol };
  const { topology } = place.owner;
  const attachments = (await findAttachments(place.rtnl))
    .filter(({ owner, digest }) => owner === topology && digest !== undefined);
  return {
    ...{ place, memory, links, attachments },
    ...await readObjects(place.rtnl, routes),
    ...await forwardingOf(place, links, wanted),
  };
}

/** All that a namespace has beside its links, or of the routes those that are asked for. */
export async function readObjects(rtnl: Rtnl, routesAsked: Route = {}) {
  const answers = await rtnl.batch([
    address.list(),
    route.list(routesAsked),
    qdisc.list(),
    rule.list(),
    neighbour.list(),
    neighbour.list({ flags: ["proxy"] }),
  ]);
  // A kernel without a family or a kind has none of it.
  const [addresses, routes, qdiscs, rules, neighbours, proxies] = answers.map((answer) =>
    answer instanceof NetlinkError ? [] : answer as unknown[]
  ) as [Address[], Route[], Qdisc[], Rule[], Neighbour[], Neighbour[]];
  return { addresses, routes, qdiscs, rules, neighbours: [...neighbours, ...proxies] };
}

/** Tables of bridges and vxlans, which are only of interest where something was, or is, said of them. */
async function forwardingOf(
  { rtnl, name, owner }: Place,
  links: readonly Link[],
  wanted: State,
): Promise<Forwarding> {
  const isOf = (says: readonly string[]) =>
    [MUCH, "vlans", "fdb"].some((key) => says.includes(key));
  const was = links.some(({ alias }) => {
    const tag = parseTopologyTag(alias);
    return tag?.topology === owner.topology && isOf(tag.says);
  });
  const shall = wanted.get(name)?.things.get("link")?.some(({ value }) =>
    isOf(Object.keys((value as LinkValue).says))
  );
  return was || shall ? await readForwarding(rtnl) : { vlans: [], fdb: [] };
}

type Forwarding = Pick<View, "vlans" | "fdb">;

/** The VLANs and forwarding tables of bridges and vxlans. */
export async function readForwarding(rtnl: Rtnl): Promise<Forwarding> {
  const [vlans, fdb] = await rtnl.batch([bridgeVlan.list(), forwarding.list()]);
  return {
    vlans: vlans instanceof NetlinkError ? [] : vlans,
    fdb: fdb instanceof NetlinkError ? [] : fdb,
  };
}

/** The marked links, wherever they are, by what they name as the other end of their pair. */
function peersOf(views: Iterable<Dump>): Map<string, Endpoint> {
  const peers = new Map<string, Endpoint>();
  for (const { place: { name: netns, owner }, links } of views) {
    for (const { alias, name } of links) {
      const tag = parseTopologyTag(alias);
      if (tag?.topology !== owner.topology || tag.peer === undefined) continue;
      const peer = parseEndpoint(tag.peer, netns);
      peers.set(`${peer.netns}:${peer.link}`, { netns, link: name! });
    }
  }
  return peers;
}

/** Does something for all, some at a time. */
export async function inParts<T>(all: readonly T[], fn: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += AT_ONCE) {
    // What was begun comes to its end, so that nothing goes on behind an error.
    const ends = await Promise.allSettled(all.slice(at, at + AT_ONCE).map(fn));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}
