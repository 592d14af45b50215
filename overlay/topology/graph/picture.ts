/**
 * What a picture of a topology shows, whoever draws it: namespaces, what is in them, and what is joined.
 *
 * @module
 */

import { parseHost } from "../../input.ts";
import { sitesOf } from "../expand.ts";
import type { Site } from "../state.ts";
import type { ContainerSpec, LinkEntry, Topology, VxlanEntry } from "../types.ts";
import { addressesOf, parseEndpoint } from "../units.ts";
import {
  attachmentBadges,
  kindOf,
  linkBadges,
  netnsBadges,
  netnsNote,
  routeTexts,
} from "./words.ts";

/** What a link's state can be. */
export type LinkState = "up" | "down" | "no carrier";

/** All that a picture shows. */
export interface Picture {
  /** The topology's name. */
  name: string;
  /** The namespaces that stand in no other. */
  boxes: Box[];
  /** The networks between bridges of several of them. */
  vxlans: Part[];
  /** What is joined. */
  nets: Net[];
}

/** A namespace. */
export interface Box {
  name: string;
  kind: "host" | "namespace" | "container";
  /** Where it is, if it is not made here. */
  note: string | undefined;
  badges: string[];
  routes: string[];
  /** Its links, and what joins them. */
  parts: Part[];
  /** The containers that stand in it. */
  boxes: Box[];
}

/** A link; or what is drawn as a bar because it joins many: a bridge, the host's routing, a vxlan. */
export interface Part {
  /** As in "r1:eth0". */
  id: string;
  name: string;
  shape: "link" | "bridge" | "routed" | "vxlan";
  /** The kind of a link, where it is worth a word: "vlan 10". */
  kind: string | undefined;
  addresses: string[];
  badges: string[];
  state: LinkState | undefined;
}

/** Parts that are joined. */
export interface Net {
  id: string;
  /** The ends of a veth pair; a master and its ports; a link and those above it; ... */
  kind: "veth" | "master" | "lower" | "routed" | "vxlan";
  /** The bridge, the link below, ...; of a veth pair the end that was named first. */
  owner: string;
  members: string[];
}

/** A picture that is being made. */
interface Draft {
  states: ReadonlyMap<string, LinkState>;
  boxes: Map<string, Box>;
  parts: Map<string, Part>;
  nets: Map<string, Net>;
}

/** The picture of a topology; the states are those of links by names such as "r1:eth0". */
export function pictureOf(
  topology: Topology,
  states: ReadonlyMap<string, LinkState> = new Map(),
): Picture {
  const sites = sitesOf(topology);
  const boxes = new Map(sites.map((site) => [site.name, boxOf(site)]));
  const draft: Draft = { states, boxes, parts: new Map(), nets: new Map() };
  for (const site of sites) {
    if (isContainer(site)) boxes.get(aroundOf(site))?.boxes.push(boxes.get(site.name)!);
    for (const [name, { entry, path }] of site.links) {
      // The vxlan of a bridge is drawn as what it does.
      if (path.at(-1) !== "vxlan") addLink(draft, site.name, name, entry);
    }
  }
  for (const { name, spec, links } of sites) {
    for (const [key, container] of Object.entries(spec.containers ?? {})) {
      addContainer(draft, name, key, container);
    }
    for (const [key, { entry, path }] of links) {
      if (path.at(-1) !== "vxlan") joinLink(draft, name, key, entry);
    }
  }
  hidePorts(draft);
  const vxlans = joinBridges(draft, sites);
  showStates(draft);
  const top = sites.filter((site) => !isContainer(site))
    .map(({ name }) => boxes.get(name)!)
    .filter((box) => box.kind !== "host" || !isEmpty(box));
  return { name: topology.name, boxes: top, vxlans, nets: [...draft.nets.values()] };
}

const isContainer = ({ path }: Site) => path.at(-2) === "containers";

/** The namespace that a container stands in. */
const aroundOf = ({ path }: Site) => String(path.at(-3) ?? "host");

function boxOf(site: Site): Box {
  const { name, spec } = site;
  const kind = isContainer(site) ? "container" : site.path.length === 0 ? "host" : "namespace";
  return {
    ...{ name, kind, note: netnsNote(site), badges: netnsBadges(spec), routes: routeTexts(spec) },
    parts: [],
    boxes: [],
  };
}

const isEmpty = ({ parts, boxes, badges, routes }: Box) =>
  [parts, boxes, badges, routes].every((list) => list.length === 0);

function addLink(draft: Draft, netns: string, name: string, entry: LinkEntry): void {
  const part = partOf(draft, netns, name);
  if (part === undefined) return;
  if (entry.kind === "bridge") part.shape = "bridge";
  part.kind = kindOf(entry);
  part.addresses = addressesOf(entry);
  part.badges = linkBadges(entry);
  if (entry.up === false) part.state ??= "down";
}

/** A container's links to where it stands. */
function addContainer(draft: Draft, host: string, name: string, container: ContainerSpec): void {
  for (const [link, entry] of Object.entries(container.interfaces ?? { eth0: container })) {
    const part = partOf(draft, name, link);
    if (part === undefined) continue;
    const { bridge } = entry;
    const addresses = addressesOf(entry);
    part.addresses = addresses.length === 0 && bridge !== undefined ? ["auto"] : addresses;
    part.badges = attachmentBadges(entry);
    const owner = partOf(draft, host, bridge ?? "");
    if (owner === undefined) continue;
    owner.shape = bridge === undefined ? "routed" : "bridge";
    if (bridge === undefined) owner.name = "routed";
    join(draft, bridge === undefined ? "routed" : "master", owner, part);
  }
}

/** Joins a link with its peer, with the one below and with its master. */
function joinLink(draft: Draft, netns: string, name: string, entry: LinkEntry): void {
  const { kind, peer, link, master } = entry;
  const part = partOf(draft, netns, name);
  const find = (text: string) => {
    const end = parseEndpoint(text, netns);
    return partOf(draft, end.netns, end.link);
  };
  if (peer !== undefined) join(draft, "veth", part, find(peer));
  if (link !== undefined && kind !== "veth") join(draft, "lower", find(link), part);
  if (master !== undefined) join(draft, "master", partOf(draft, netns, master), part);
}

/** A link of a namespace, also one that nothing more is said of; none where there is no namespace. */
function partOf({ states, boxes, parts }: Draft, netns: string, name: string): Part | undefined {
  const id = `${netns}:${name}`;
  const known = parts.get(id);
  const box = boxes.get(netns);
  if (known !== undefined || box === undefined) return known;
  const part: Part = { ...plainPart(id, name, "link"), state: states.get(id) };
  parts.set(id, part);
  box.parts.push(part);
  return part;
}

function plainPart(id: string, name: string, shape: Part["shape"]): Part {
  return { id, name, shape, kind: undefined, addresses: [], badges: [], state: undefined };
}

function join(
  { nets }: Draft,
  kind: Net["kind"],
  owner: Part | undefined,
  member: Part | undefined,
): void {
  if (owner === undefined || member === undefined || owner === member) return;
  // Either end of a veth pair may name the other.
  const ends = kind === "veth" ? [owner.id, member.id].sort() : [owner.id];
  const id = [kind, ...ends].join(" ");
  const net = nets.get(id);
  if (net === undefined) nets.set(id, { id, kind, owner: owner.id, members: [member.id] });
  else if (kind !== "veth" && !net.members.includes(member.id)) net.members.push(member.id);
}

/**
 * Lets veth pairs lead to the bridge itself where its port is no more than the pair's other end, as
 * `ip link` prints it then: "eth0@veth1".
 */
function hidePorts(draft: Draft): void {
  const { nets, parts } = draft;
  const pairs = [...nets.values()].filter(({ kind }) => kind === "veth");
  const joined = new Map<string, Net[]>();
  for (const net of nets.values()) {
    for (const id of [net.owner, ...net.members]) joined.set(id, [...joined.get(id) ?? [], net]);
  }
  const bridgeOf = (id: string): Net | undefined => {
    const { shape, addresses } = parts.get(id)!;
    const all = joined.get(id)!;
    const net = all.find(({ kind }) => kind !== "veth");
    const isPort = net?.kind === "master" && parts.get(net.owner)?.shape === "bridge";
    const isPlain = shape === "link" && addresses.length === 0 && all.length === 2;
    return isPort && isPlain ? net : undefined;
  };
  for (const pair of pairs) {
    const [one, two] = [pair.owner, pair.members[0]!];
    const [first, second] = [bridgeOf(one), bridgeOf(two)];
    // Between two bridges both ends are alike, and both are shown.
    if ((first === undefined) === (second === undefined)) continue;
    const [port, other, net] = first === undefined ? [two, one, second!] : [one, two, first];
    if (net.owner === other || net.members.includes(other)) continue;
    net.members = net.members.map((id) => id === port ? other : id);
    nets.delete(pair.id);
    hidePort(draft, parts.get(port)!, parts.get(other)!);
  }
}

function hidePort({ boxes, parts }: Draft, port: Part, other: Part): void {
  const isWorse = other.state === "up" && port.state !== undefined && port.state !== "up";
  other.name += `@${port.name}`;
  other.badges.push(...port.badges, ...isWorse ? [`${port.name} ${port.state}`] : []);
  parts.delete(port.id);
  const box = boxes.get(port.id.slice(0, port.id.lastIndexOf(":")))!;
  box.parts.splice(box.parts.indexOf(port), 1);
}

/** The state of what has no line's end to show it by. */
function showStates({ parts, nets }: Draft): void {
  const shown = new Set([...nets.values()].flatMap(({ owner, members }) => [owner, ...members]));
  for (const { id, shape, state, badges } of parts.values()) {
    const isShown = shape === "link" && shown.has(id);
    if (!isShown && state !== undefined && state !== "up") badges.push(state);
  }
}

/** A bridge's end of a vxlan. */
interface VxlanEnd {
  part: Part;
  id: number;
  local: string;
  remotes: string[];
}

/** Joins bridges that reach each other by vxlan; what leads out of the topology is written on them. */
function joinBridges(draft: Draft, sites: readonly Site[]): Part[] {
  const ends = sites.flatMap(({ name, spec }) =>
    Object.entries(spec.bridges ?? {}).flatMap(([bridge, entry]): VxlanEnd[] => {
      const part = draft.parts.get(`${name}:${bridge}`);
      const vxlan = typeof entry === "object" && "vxlan" in entry ? entry.vxlan : undefined;
      return part === undefined || vxlan === undefined ? [] : [readVxlan(part, vxlan)];
    })
  );
  const groups = meshesOf(ends);
  for (const end of ends) {
    const reached = new Set(groups.filter((group) => group.includes(end)).flat());
    if (reached.size <= end.remotes.length) end.part.badges.push(`vxlan ${end.id}`);
  }
  return groups.map((group, i) => {
    const vxlan = plainPart(`:vxlan ${i}`, `vxlan ${group[0]!.id}`, "vxlan");
    for (const { part } of group) join(draft, "vxlan", vxlan, part);
    return vxlan;
  });
}

function readVxlan(part: Part, { id, local, remotes }: VxlanEntry): VxlanEnd {
  const read = (text: string) => parseHost(text, "address").address;
  return { part, id, local: read(local), remotes: remotes.map(read) };
}

/** All that reach all others are one network; of other sets each two that do. */
function meshesOf(ends: readonly VxlanEnd[]): VxlanEnd[][] {
  const reach = (a: VxlanEnd, b: VxlanEnd) =>
    a !== b && a.id === b.id && a.remotes.includes(b.local) && b.remotes.includes(a.local);
  const left = new Set(ends);
  const meshes: VxlanEnd[][] = [];
  for (const end of ends) {
    if (!left.delete(end)) continue;
    const set = [end];
    for (const one of set) {
      for (const other of left) {
        if (reach(one, other) && left.delete(other)) set.push(other);
      }
    }
    const pairs = set.flatMap((a, i) => set.slice(i + 1).map((b) => [a, b]))
      .filter(([a, b]) => reach(a!, b!));
    const isMesh = pairs.length === set.length * (set.length - 1) / 2;
    meshes.push(...isMesh && set.length > 1 ? [set] : pairs);
  }
  return meshes;
}
