/**
 * Links. Whose one is, and what was said of it, is written on it (overlay/tag.ts): what was not said is the
 * kernel's choice, and a link of which something is not said any more is made anew.
 *
 * A link without a kind is there already: what is said of it is changed, and what it was before is
 * remembered and put back.
 *
 * @module
 */

import { errnoOf } from "../../../ffi/errno.ts";
import { ExistsError } from "../../../ffi/errors.ts";
import { address } from "../../../rtnl/address.ts";
import { bridgeVlan, type BridgeVlanSpec } from "../../../rtnl/bridge_vlan.ts";
import { type Link, link, type LinkSpec } from "../../../rtnl/link.ts";
import { forwarding, type Neighbour } from "../../../rtnl/neighbour.ts";
import type { Shape } from "../../../rtnl/codec/shape.ts";
import { LINK_KINDS, PORT_KINDS } from "../../../rtnl/kinds/mod.ts";
import type { Request } from "../../../rtnl/request.ts";
import { toAttributes } from "../attributes.ts";
import { throwFirst } from "../../attachments.ts";
import { newBridgeAddress } from "../../bridges.ts";
import { formatTopologyTag, MUCH, parseTopologyTag, type TopologyTag } from "../../tag.ts";
import { isGone } from "../absent.ts";
import { decode, differ, isSame, said } from "../canonical.ts";
import { LINK_NUMBERS, PORT_LINK_NUMBERS } from "../format.ts";
import { forgetFormer, rememberFormer } from "../memory.ts";
import type { Place, Site, Thing, ThingType, View, Work } from "../state.ts";
import type { ForwardingEntry, LinkData, LinkEntry, VlanEntry } from "../types.ts";
import { type Endpoint, parseEndpoint } from "../units.ts";

/** A link, by what is said of it: "kind", "peer", "mtu", "data.id", ... */
export interface LinkValue {
  name: string;
  /** Without one, it is there already. */
  kind?: string | undefined;
  /** The other end of a pair. */
  peer?: Endpoint | undefined;
  /** The link below. */
  link?: Endpoint | undefined;
  /** Always said of a link that is made; one that is there already keeps what is not said. */
  up?: boolean | undefined;
  says: Readonly<Record<string, unknown>>;
  /** Of one that is there: it is not known what was said of it, and `says` is all that can be. */
  saysMuch?: boolean | undefined;
  /** Of one that is there: nothing is written on it yet. */
  unmarked?: boolean | undefined;
}

/** Links. */
export const LINKS: ThingType<LinkValue> = {
  kind: "link",
  wanted: (site) =>
    [...site.links].map(([name, { entry, path }]) => ({
      name,
      value: valueOf(name, entry, site),
      path,
    })).filter(({ value }) => value.kind !== undefined || isSaid(value)),
  found: (view) => [...foundLinks(view), ...foundSettings(view)],
  compare: (wanted, found) => [
    ...differ(headOf(wanted), headOf(found)),
    ...found.unmarked ? [{ key: "mark", before: undefined, after: "this topology" }] : [],
    // Put back as it was, it says what it can.
    ...wanted.saysMuch ? [] : differ(wanted.says, found.says)
      .filter(({ key }) => !found.saysMuch || key in wanted.says),
  ],
  on: ({ peer, link }) => [peer, link].flatMap((end) => end ?? []),
  without(value, gone, netns) {
    const { master, ...rest } = value.says;
    const lost = typeof master === "string" && gone({ netns, link: master });
    return lost ? { ...value, says: rest } : value;
  },
  canChange: ({ kind }, differences) =>
    kind === undefined || differences.every(({ key, after }) => isChangeable(kind, key, after)),
  change(work, wanted, found, differences) {
    if (wanted.kind === undefined) return () => setExisting(work, wanted, found);
    const index = work.index(wanted.name);
    const keys = differences.map(({ key }) => key);
    const isUnsaid = Object.keys(found.says).some((key) => !(key in wanted.says));
    return [
      ...settingsOf(work, wanted, keys, found),
      ...keys.includes("up") ? [link.set({ index, up: wanted.up })] : [],
      ...isUnsaid || found.unmarked ? [markOf(work, wanted)] : [],
    ];
  },
  add(work, value) {
    if (value.kind === undefined) return () => setExisting(work, value);
    const { peer, name } = value;
    const mark = markOf(work, value);
    if (!work.place.links.has(name)) return [link.add(creationOf(work, value)), mark];
    // The kernel has made both ends of a pair; which of them was said first has made it.
    if (peer !== undefined) return [mark];
    // Not asked of the kernel: what carries the mark is the topology's.
    return () => Promise.reject(new ExistsError(`add link ${name}`, errnoOf("EEXIST")));
  },
  remove(work, value) {
    if (value.kind === undefined) return () => restoreExisting(work, value);
    return [link.delete({ index: work.index(value.name) })];
  },
};

/**
 * Writes on a link what is about to be said of it beside what was, so that it is known what of it may have
 * been changed, whatever comes in between.
 */
export function announce(work: Work, wanted: LinkValue, found: LinkValue): Request<void>[] {
  const isNew = Object.keys(wanted.says).some((key) => !(key in found.says));
  if (wanted.kind === undefined || !isNew) return [];
  return [markOf(work, { ...wanted, says: { ...found.says, ...wanted.says } })];
}

function markOf({ place }: Work, value: LinkValue): Request<void> {
  return link.set({ name: value.name, alias: formatTopologyTag(tagOf(place, value)) });
}

/** What of a new link comes after its creation, when all links are there. */
export function configure(work: Work, value: LinkValue): Request<void>[] {
  return value.kind === undefined ? [] : settingsOf(work, value, Object.keys(value.says));
}

/** Raises a new link. */
export function raise(work: Work, { name, kind, up }: LinkValue): Request<void>[] {
  return kind === undefined || !up ? [] : [link.set({ index: work.index(name), up })];
}

/** Which links have to be there before a link can be made, or one that is there already be changed. */
export function below(
  { name, kind, peer, link: lower, says }: LinkValue,
  netns: string,
): Endpoint[] {
  const named = Object.entries(says).filter(([key]) =>
    key.startsWith("data.") && isLinkName(kind, key) || key === "master" && kind === undefined
  ).map(([, link]) => ({ netns, link: link as string }));
  // Of a pair in one namespace, one end makes the other.
  const maker = peer?.netns === netns && peer.link < name ? [peer] : [];
  return [...lower === undefined ? [] : [lower], ...named, ...maker];
}

/** Whether the value of a key is a link: a name to us, a number to the kernel. */
function isLinkName(kind: string | undefined, key: string): boolean {
  const [group, name = ""] = key.split(".");
  if (group === "portData") return Object.values(PORT_LINK_NUMBERS).some((it) => it.includes(name));
  return group === "data" && (LINK_NUMBERS[kind ?? ""]?.includes(name) ?? false);
}

/** Whether anything is said of a link that is there already. */
function isSaid({ up, says }: LinkValue): boolean {
  return up !== undefined || Object.keys(says).length > 0;
}

function headOf({ kind, peer, link, up }: LinkValue) {
  return said({ kind, peer: peer && textOf(peer), link: link && textOf(link), up });
}

function textOf({ netns, link }: Endpoint): string {
  return `${netns}:${link}`;
}

/** What an entry says, in the kernel's own form. */
function valueOf(name: string, entry: LinkEntry, site: Site): LinkValue {
  const here = site.name;
  const kind = entry.kind ?? (entry.peer === undefined ? undefined : "veth");
  const { mac, mtu, master, group, txQueueLength, data = {}, portData = {}, vlans, fdb } = entry;
  const portKind = site.links.get(master ?? "")?.entry.kind ?? "bridge";
  return {
    name,
    kind,
    peer: entry.peer === undefined ? undefined : parseEndpoint(entry.peer, here),
    link: entry.link === undefined ? undefined : parseEndpoint(entry.link, here),
    up: entry.up ?? (kind === undefined ? undefined : true),
    says: said({
      ...{ mtu, master, group, txQueueLength },
      mac: mac?.toLowerCase(),
      ...attributes("data", kind, data),
      ...attributes("portData", portKind, portData),
      vlans: vlans && sorted(vlans.map(vlanOf), ({ id }) => String(id).padStart(4, "0")),
      fdb: fdb &&
        sorted(fdb.map(entryOf), ({ mac, dst = "", vlan = 0 }) => `${mac} ${dst} ${vlan}`),
    }),
  };
}

/** Where a kind's attributes, and those of a master's port, stand in a request. */
const ATTRIBUTES = {
  data: { by: "kind", field: "data", shapes: LINK_KINDS as Record<string, Shape> },
  portData: { by: "slaveKind", field: "slaveData", shapes: PORT_KINDS as Record<string, Shape> },
} as const;

/** Attributes of a kind, as the kernel would say them, but for the names of links. */
function attributes(prefix: "data" | "portData", kind: string | undefined, values: LinkData) {
  const { by, field, shapes } = ATTRIBUTES[prefix];
  const all = Object.entries(values);
  const isNamed = ([key]: [string, unknown]) => isLinkName(kind, `${prefix}.${key}`);
  const plain = Object.fromEntries(all.filter((it) => !isNamed(it)));
  if (all.length === 0) return {};
  const shape = shapes[kind ?? ""];
  const written = shape === undefined ? plain : toAttributes(shape, plain);
  const request = link.add({ linkInfo: { [by]: kind, [field]: written } } as LinkSpec);
  const { linkInfo } = decode<{ linkInfo?: Record<string, object | undefined> }>(request);
  const canonical = Object.entries(linkInfo?.[field] ?? {});
  const entries = [...canonical, ...all.filter(isNamed)];
  return Object.fromEntries(entries.map(([key, value]) => [`${prefix}.${key}`, value]));
}

function sorted<T>(values: readonly T[], key: (value: T) => string): T[] {
  return values.toSorted((a, b) => key(a) < key(b) ? -1 : 1);
}

function vlanOf({ id, pvid, untagged }: VlanEntry): VlanEntry {
  return said({ id, pvid: pvid || undefined, untagged: untagged || undefined });
}

function entryOf({ mac, dst, vlan }: ForwardingEntry): ForwardingEntry {
  return said({ mac: mac.toLowerCase(), dst, vlan });
}

/** The links that carry the topology's mark, and the other ends of pairs that do not carry it yet. */
function foundLinks(view: View): Thing<LinkValue>[] {
  const here = view.place.name;
  const topology = view.place.owner.topology;
  return view.links.flatMap((it) => {
    const tag = parseTopologyTag(it.alias);
    const own = tag?.topology === topology ? tag : undefined;
    const half = own ?? halfMade(view, it);
    if (half === undefined) return [];
    const unmarked = own === undefined || undefined;
    const value = { ...readLink(view, it, half, here), unmarked };
    const lost = half.peer !== undefined && value.peer === undefined ||
      half.link !== undefined && value.link === undefined;
    return [{ name: it.name!, value, lost }];
  });
}

/** A crash may have come between the making of a pair and the mark on its other end. */
function halfMade(view: View, { name, kind, alias }: Link): TopologyTag | undefined {
  if (kind !== "veth" || alias !== undefined) return undefined;
  const peer = view.peerOf(name!);
  return peer === undefined
    ? undefined
    : { topology: view.place.owner.topology, says: [], peer: textOf(peer) };
}

function readLink(view: View, it: Link, tag: TopologyTag, here: string): LinkValue {
  const { links } = view;
  const end = (text: string | undefined) => {
    const end = text === undefined ? undefined : parseEndpoint(text, here);
    return end !== undefined && view.isThere(end) ? end : undefined;
  };
  const lower = it.kind === "veth" || it.linkNetnsId !== undefined || !it.link
    ? undefined
    : links.find(({ index }) => index === it.link)?.name;
  const saysMuch = tag.says.includes(MUCH) || undefined;
  const keys = saysMuch ? keysOf(it) : tag.says;
  return {
    name: it.name!,
    kind: it.kind,
    peer: end(tag.peer),
    link: end(tag.link) ?? (lower === undefined ? undefined : { netns: here, link: lower }),
    up: it.flags?.includes("up") ?? false,
    says: said(Object.fromEntries(keys.map((key) => [key, readSetting(view, it, key)]))),
    saysMuch,
  };
}

/** All that can be said of a link. */
function keysOf({ linkInfo }: Link): string[] {
  const info = linkInfo as Record<string, object | undefined> | undefined;
  return [
    ...["mac", "mtu", "master", "group", "txQueueLength", "vlans", "fdb"],
    ...Object.keys(info?.data ?? {}).map((key) => `data.${key}`),
    ...Object.keys(info?.slaveData ?? {}).map((key) => `portData.${key}`),
  ];
}

/** The value that a link has of what was said of it. */
function readSetting(view: View, it: Link, key: string): unknown {
  const { links } = view;
  const linkName = (number: unknown) => links.find(({ index }) => index === number)?.name;
  const [group, name] = key.split(".", 2) as [string, string | undefined];
  const info = it.linkInfo as Record<string, Record<string, unknown> | undefined> | undefined;
  const reader: Record<string, () => unknown> = {
    mac: () => it.address,
    master: () => it.master ? linkName(it.master) : undefined,
    vlans: () => vlansOf(view, it.index!),
    fdb: () => fdbOf(view, it),
    data: () => isLinkName(it.kind, key) ? linkName(info?.data?.[name!]) : info?.data?.[name!],
    portData: () => info?.slaveData?.[name!],
  };
  return reader[group]?.() ?? (it as Record<string, unknown>)[group];
}

/** The VLANs of a link, ranges one by one. */
export function vlansOf({ vlans }: Pick<View, "vlans">, index: number): VlanEntry[] {
  const found = vlans.filter((it) => it.index === index).flatMap(({ spec }) => spec?.vlans ?? []);
  const all: VlanEntry[] = [];
  let first = 0;
  for (const { vid = 0, flags = [] } of found) {
    const one = { pvid: flags.includes("pvid"), untagged: flags.includes("untagged") };
    if (flags.includes("rangeBegin")) first = vid;
    else if (flags.includes("rangeEnd")) {
      for (let id = first; id <= vid; id++) all.push(vlanOf({ id, ...one }));
    } else all.push(vlanOf({ id: vid, ...one }));
  }
  return sorted(all, ({ id }) => String(id).padStart(4, "0"));
}

/** The entries of a link that somebody made: not those for its own addresses, nor what it has learnt. */
export function fdbOf(
  { fdb, links }: Pick<View, "fdb" | "links">,
  { index }: Link,
): ForwardingEntry[] {
  const own = new Set(links.map(({ address }) => address));
  const isMade = ({ index: at, state, address, flags, dst, master }: Neighbour) =>
    at === index && (state?.includes("permanent") || state?.includes("noarp")) &&
    !flags?.includes("externLearn") &&
    (dst !== undefined || master !== undefined && !own.has(address));
  return sorted(
    fdb.filter(isMade).map(({ address, dst, vlan }) => entryOf({ mac: address!, dst, vlan })),
    ({ mac, dst = "", vlan = 0 }) => `${mac} ${dst} ${vlan}`,
  );
}

/** What is written on a link. */
function tagOf({ owner, name: here }: Place, { says, peer, link }: LinkValue): TopologyTag {
  return {
    topology: owner.topology,
    says: Object.keys(says).sort(),
    peer: peer && textOf(peer),
    link: link === undefined || link.netns === here ? undefined : textOf(link),
  };
}

/** What of a kind can be changed without making the link anew. */
const CHANGEABLE: Readonly<Record<string, (key: string) => boolean>> = {
  bridge: () => true,
  vxlan: (key) => ["learning", "ageing", "ttl", "tos"].includes(key),
};

function isChangeable(kind: string, key: string, after: unknown): boolean {
  if (["up", "master", "group", "mark"].includes(key)) return true;
  if (after === undefined) return false;
  if (["mtu", "mac", "txQueueLength", "vlans", "fdb"].includes(key)) return true;
  if (key.startsWith("portData.")) return true;
  return key.startsWith("data.") && (CHANGEABLE[kind]?.(key.slice(5)) ?? false);
}

/** How a link is made: with all that the kernel takes at creation, and down. */
function creationOf(work: Work, value: LinkValue): LinkSpec {
  const { name, kind, peer, link: lower, says } = value;
  const data = numbered(work, value, "data");
  const some = Object.keys(data).length > 0 ? data : undefined;
  const own = {
    name,
    mtu: kind === "bridge" ? anotherThan(says.mtu) : says.mtu,
    address: says.mac ?? (kind === "bridge" ? newBridgeAddress() : undefined),
  };
  const other = peer === undefined ? undefined : work.saysOf(peer);
  return said({
    ...own,
    group: says.group,
    txQueueLength: says.txQueueLength,
    ...lower === undefined ? {} : work.lower(lower),
    linkInfo: said({
      kind,
      data: peer === undefined ? some : {
        peer: said({
          name: peer.link,
          mtu: other?.mtu,
          address: other?.mac,
          group: other?.group,
          txQueueLength: other?.txQueueLength,
          netnsFd: peer.netns === work.place.name ? undefined : work.other(peer.netns).netns.fd,
        }),
      },
    }),
  }) as LinkSpec;
}

/** A bridge only keeps an MTU that it was changed to, and otherwise has its ports' least (br_change_mtu). */
function anotherThan(mtu: unknown): number | undefined {
  return mtu === 1500 ? 1499 : undefined;
}

/** What is said under a prefix, with the numbers of links for their names. */
function numbered(
  work: Work,
  { kind, says }: LinkValue,
  prefix: "data" | "portData",
  keys: readonly string[] = Object.keys(says),
): LinkData {
  return Object.fromEntries(
    keys.filter((key) => key.startsWith(`${prefix}.`)).map((key) => [
      key.slice(prefix.length + 1),
      isLinkName(kind, key) ? work.index(says[key] as string) : says[key],
    ]),
  );
}

/** The requests for those settings that can be made when all links are there. */
function settingsOf(
  work: Work,
  value: LinkValue,
  keys: readonly string[],
  found?: LinkValue,
): Request<void>[] {
  const { name, kind, says } = value;
  const index = work.index(name);
  const data = found === undefined ? {} : numbered(work, value, "data", keys);
  const slaveData = numbered(work, value, "portData", keys);
  const isSet = Object.keys(slaveData).length > 0;
  const slaveKind = work.place.links.get(String(says.master))?.kind ?? "bridge";
  const own = said({
    master: keys.includes("master") ? indexOrNone(work, says.master) : undefined,
    // Of a bridge it would not last from its creation on.
    mtu: keys.includes("mtu") && (found !== undefined || kind === "bridge") ? says.mtu : undefined,
    ...found === undefined ? {} : said({
      address: keys.includes("mac") ? says.mac : undefined,
      group: keys.includes("group") ? says.group ?? 0 : undefined,
      txQueueLength: keys.includes("txQueueLength") ? says.txQueueLength : undefined,
    }),
  });
  return [
    ...Object.keys(own).length > 0 ? [link.set({ index, ...own } as LinkSpec)] : [],
    ...Object.keys(data).length > 0
      ? [link.setKind({ index, linkInfo: { kind, data } } as LinkSpec)]
      : [],
    ...isSet ? [link.setKind({ index, linkInfo: { slaveKind, slaveData } } as LinkSpec)] : [],
    ...keys.includes("vlans")
      ? vlanRequests(
        index,
        kind === "bridge",
        says.vlans as VlanEntry[],
        found?.says.vlans as VlanEntry[],
      )
      : [],
    ...keys.includes("fdb")
      ? fdbRequests(
        index,
        says,
        says.fdb as ForwardingEntry[],
        found?.says.fdb as ForwardingEntry[],
      )
      : [],
  ];
}

function indexOrNone(work: Work, master: unknown): number {
  return master === undefined ? 0 : work.index(master as string);
}

/** The one that the kernel gives to new bridges and ports (bridge(8)). */
const DEFAULT_VLAN: VlanEntry = { id: 1, pvid: true, untagged: true };

/** From the VLANs that a port has to those that it shall have. */
function vlanRequests(
  index: number,
  self: boolean,
  wanted: readonly VlanEntry[],
  has: readonly VlanEntry[] = [DEFAULT_VLAN],
): Request<void>[] {
  const spec = ({ id, pvid, untagged }: VlanEntry): BridgeVlanSpec => ({
    ...{ index, vid: id, pvid, untagged, self },
  });
  const lacks = (all: readonly VlanEntry[]) => (vlan: VlanEntry) =>
    !all.some((it) => isSame(it, vlan));
  const ids = new Set(wanted.map(({ id }) => id));
  return [
    ...has.filter(({ id }) => !ids.has(id)).map((vlan) => bridgeVlan.delete(spec(vlan))),
    ...wanted.filter(lacks(has)).map((vlan) => bridgeVlan.add(spec(vlan))),
  ];
}

/** From the entries that a link has to those that it shall have. */
function fdbRequests(
  index: number,
  { master }: LinkValue["says"],
  wanted: readonly ForwardingEntry[],
  has: readonly ForwardingEntry[] = [],
): Request<void>[] {
  const spec = ({ mac, dst, vlan }: ForwardingEntry): Neighbour =>
    said({
      ...{ index, address: mac, dst, vlan },
      flags: dst === undefined && master !== undefined ? ["master"] as const : ["self"] as const,
    });
  const lacks = (all: readonly ForwardingEntry[]) => (entry: ForwardingEntry) =>
    !all.some((it) => isSame(it, entry));
  return [
    ...has.filter(lacks(wanted)).map((entry) => forwarding.delete(spec(entry))),
    ...wanted.filter(lacks(has)).map((entry) =>
      entry.dst === undefined ? forwarding.add(spec(entry)) : forwarding.append(spec(entry))
    ),
  ];
}

/** What is remembered of links that are there already begins so: "link eth1 mtu". */
const LINK = "link ";

/** What can be said of a link that is there already. */
const SETTABLE = ["up", "mtu", "mac", "master"] as const;
type Settable = typeof SETTABLE[number];

/** The links that are there already, and of which something was said. */
function foundSettings({ memory, links }: View): Thing<LinkValue>[] {
  const keys = new Map<string, Settable[]>();
  for (const what of memory.former.keys()) {
    if (!what.startsWith(LINK)) continue;
    const [name = "", key = ""] = what.slice(LINK.length).split(" ");
    keys.set(name, [...keys.get(name) ?? [], key as Settable]);
  }
  return [...keys].flatMap(([name, keys]) => {
    const it = links.find((link) => link.name === name);
    if (it === undefined) return [];
    const now = settingsNow(it, links);
    // What is remembered is said, and be it that there is none.
    const says = Object.fromEntries(
      keys.filter((key) => key !== "up").map((key) => [key, now[key] ?? null]),
    );
    const up = keys.includes("up") ? now.up : undefined;
    return [{ name, value: { name, up, says } }];
  });
}

function settingsNow(it: Link, links: Iterable<Link>) {
  const master = it.master ? [...links].find(({ index }) => index === it.master)?.name : undefined;
  return { up: it.flags?.includes("up") ?? false, mtu: it.mtu!, mac: it.address!, master };
}

/** Changes a link that is there already; what is not said any more gets its former value. */
async function setExisting(work: Work, wanted: LinkValue, found?: LinkValue): Promise<void> {
  const { place } = work;
  const index = work.index(wanted.name);
  const now = settingsNow(place.links.get(wanted.name)!, place.links.values());
  const saying = new Map<string, unknown>(Object.entries(said({ ...wanted.says, up: wanted.up })));
  const turn: Turn = { remember: [], set: [], forget: [] };
  for (const key of SETTABLE) {
    const what = `${LINK}${wanted.name} ${key}`;
    const former = place.memory?.former.get(what);
    if (!saying.has(key)) {
      if (former === undefined || found === undefined) continue;
      turn.set.push(...restoreRequests(work, wanted.name, key, former));
      turn.forget.push(forgetFormer(place.owner, what, former));
      continue;
    }
    if (former === undefined) {
      const before = place.memory?.formerOfOthers.get(what) ??
        (key === "up" && await isNewLoopback(place, wanted.name) ? NEW : String(now[key] ?? ""));
      turn.remember.push(rememberFormer(place.owner, what, before)!);
    }
    if (!isSame(saying.get(key), now[key])) {
      turn.set.push(setRequest(work, index, key, String(saying.get(key) ?? "")));
    }
  }
  await take(turn, place);
}

/** Gives a link that was there before what it had. */
async function restoreExisting(work: Work, { name }: LinkValue): Promise<void> {
  const { place } = work;
  const turn: Turn = { remember: [], set: [], forget: [] };
  for (const key of SETTABLE) {
    const what = `${LINK}${name} ${key}`;
    const former = place.memory?.former.get(what);
    if (former === undefined) continue;
    turn.set.push(...restoreRequests(work, name, key, former));
    turn.forget.push(forgetFormer(place.owner, what, former));
  }
  await take(turn, place);
}

/** What is done to a link that is there already, so that whatever comes in between nothing is forgotten. */
type Turn = Record<"remember" | "set" | "forget", Request<void>[]>;

async function take({ remember, set, forget }: Turn, { rtnl }: Place): Promise<void> {
  throwFirst(await rtnl.batch(remember));
  // Of a lo that has never been up, somebody may have taken the address away.
  throwFirst((await rtnl.batch(set)).filter((it) => !isGone(it)));
  throwFirst(await rtnl.batch(forget));
}

/** Back to a former value, where the link, and the bridge that it belonged to, are there still. */
function restoreRequests(work: Work, name: string, key: Settable, former: string) {
  const { links, memory } = work.place;
  // The last topology that says something of it puts it back.
  if (!links.has(name) || memory?.formerOfOthers.has(`${LINK}${name} ${key}`)) return [];
  const index = work.index(name);
  if (former === NEW) {
    return [
      link.set({ index, up: false }),
      address.delete({ index, address: "127.0.0.1", prefixLength: 8 }),
    ];
  }
  const isGone = key === "master" && !links.has(former);
  return [setRequest(work, index, key, isGone ? "" : former)];
}

/** What is remembered of a `lo` that has never been up: the first time, it gets 127.0.0.1, and keeps it. */
const NEW = "new";

async function isNewLoopback({ links, rtnl }: Place, name: string): Promise<boolean> {
  const { index, flags } = links.get(name)!;
  if (index !== 1 || flags?.includes("up")) return false;
  return (await rtnl.request(address.list({ family: "inet", index }))).length === 0;
}

function setRequest(work: Work, index: number, key: Settable, value: string): Request<void> {
  const spec: Record<Settable, () => LinkSpec> = {
    up: () => ({ up: value === "true" }),
    mtu: () => ({ mtu: Number(value) }),
    mac: () => ({ address: value }),
    master: () => ({ master: value === "" ? 0 : work.index(value) }),
  };
  return link.set({ index, ...spec[key]() });
}
