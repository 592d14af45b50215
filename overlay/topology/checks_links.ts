/**
 * Whether namespaces and links can be meant: their names, their kinds, and what they lead to.
 *
 * @module
 */

import {
  type Check,
  type Lab,
  mayHave,
  problem,
  resolve,
  type SaidLink,
  type Space,
} from "./checks_model.ts";
import { ATTACHMENT_KEYS, LINK_NUMBERS, PORT_DATA, PORT_LINK_NUMBERS } from "./format.ts";
import { nearest } from "./nearest.ts";
import { formatPath, type Path, type Problem } from "./problem.ts";
import { check } from "./schema.ts";
import { parseEndpoint } from "./units.ts";

/** All about namespaces and links. */
export const LINK_CHECKS: readonly Check[] = [
  namespaceNames,
  namespacesTwice,
  linkNames,
  interfacesBeside,
  addressAndAddresses,
  linksThatAreNot,
  references,
  linksBelow,
  neededData,
  vlanLinksTwice,
  masters,
  portsOfTwo,
  portData,
  peers,
  loops,
  shaping,
  vlans,
  forwardingEntries,
];

const MASTER_KINDS = ["bridge", "bond", "vrf", "team", "batadv"];
const KINDS_WITH_LINK = ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"];
/** What the kernel does not make a link of a kind without. */
const NEEDED_DATA: Readonly<Record<string, readonly string[]>> = {
  vlan: ["id"],
  vrf: ["table"],
  hsr: ["port1", "port2"],
};

/** A link as a sentence names it. */
const nameOf = ({ name, space }: SaidLink, here: Space) =>
  space === here ? name : `${space.name}:${name}`;

const allLinks = ({ spaces }: Lab) => spaces.flatMap(({ links }) => links);

function* namespaceNames({ spaces, byName }: Lab): Iterable<Problem> {
  for (const space of spaces) {
    const first = byName.get(space.name)!;
    if (first === space) continue;
    yield problem(
      space.path,
      `${formatPath(first.path)} has this name already; each namespace and container has its own`,
    );
  }
}

function* namespacesTwice({ spaces }: Lab): Iterable<Problem> {
  const first = new Map<string, Space>();
  for (const space of spaces.slice(1)) {
    const { netns } = space.spec;
    const key = JSON.stringify(netns ?? { name: space.name });
    const other = first.get(key);
    if (other === undefined) first.set(key, space);
    else if (other.name !== space.name) {
      yield problem(
        [...space.path, ...netns === undefined ? [] : ["netns"]],
        `that is the namespace of ${formatPath(other.path)} already; take another one`,
      );
    }
  }
}

function* linkNames({ spaces }: Lab): Iterable<Problem> {
  for (const space of spaces) {
    for (const link of space.links) {
      const first = space.byName.get(link.name)!;
      if (first === link || first.as === "vxlan" && link.as === "vxlan") continue;
      yield problem(
        link.path,
        `${
          formatPath(first.path)
        } is the link ${link.name} of ${space.name} already; take another name`,
      );
    }
  }
}

function* interfacesBeside({ spaces }: Lab): Iterable<Problem> {
  for (const { spec, path } of spaces) {
    if (!("interfaces" in spec) || spec.interfaces === undefined) continue;
    const said = Object.entries(spec)
      .filter(([key, value]) => Object.hasOwn(ATTACHMENT_KEYS, key) && value !== undefined);
    for (const [key] of said) {
      yield problem([...path, key], "the interfaces say that of themselves; say it there");
    }
  }
}

function* addressAndAddresses({ spaces }: Lab): Iterable<Problem> {
  for (const { links } of spaces) {
    for (const { entry: { address, addresses }, path } of links) {
      if (address === undefined || addresses === undefined) continue;
      yield problem([...path, "address"], 'it stands for "addresses"; say all of them there');
    }
  }
}

/** What is said to be there already can't be in a namespace that is made here. */
function* linksThatAreNot({ spaces }: Lab): Iterable<Problem> {
  for (const space of spaces) {
    for (const { as, kind, name, path } of space.links) {
      if (as !== "link" || kind !== undefined || space.open) continue;
      if (mayHave({ ...space, byName: new Map() }, name)) continue;
      yield problem(
        path,
        `${space.name} is made here, without this link; say its kind or its peer`,
      );
    }
  }
}

/** Names of links, and where they stand. */
function* referencesIn(space: Space): Iterable<[text: string | undefined, path: Path]> {
  const { spec, path } = space;
  for (const { entry, kind, as, path } of space.links) {
    // A vxlan is its bridge's.
    if (as === "vxlan" || as === "attachment") continue;
    yield [entry.master, [...path, "master"]];
    yield [entry.link, [...path, "link"]];
    yield [entry.peer, [...path, "peer"]];
    for (const [i, port] of (entry.ports ?? []).entries()) yield [port, [...path, "ports", i]];
    const named = [
      ["data", LINK_NUMBERS[kind ?? ""] ?? []],
      ["portData", Object.values(PORT_LINK_NUMBERS).flat()],
    ] as const;
    for (const [data, keys] of named) {
      for (const key of keys) {
        const name = entry[data]?.[key];
        if (typeof name === "string") yield [name, [...path, data, key]];
      }
    }
  }
  for (const [i, { dev, nexthops = [] }] of (spec.routes ?? []).entries()) {
    yield [dev, [...path, "routes", i, "dev"]];
    for (const [j, { dev }] of nexthops.entries()) {
      yield [dev, [...path, "routes", i, "nexthops", j, "dev"]];
    }
  }
  for (const [i, { iif, oif }] of (spec.rules ?? []).entries()) {
    yield [iif, [...path, "rules", i, "iif"]];
    yield [oif, [...path, "rules", i, "oif"]];
  }
  for (const [i, { dev }] of (spec.neighbours ?? []).entries()) {
    yield [dev, [...path, "neighbours", i, "dev"]];
  }
  for (const [name, chain] of Object.entries(spec.firewall ?? {})) {
    for (const [i, rule] of (chain?.rules ?? []).entries()) {
      yield [rule.in, [...path, "firewall", name, "rules", i, "in"]];
      yield [rule.out, [...path, "firewall", name, "rules", i, "out"]];
    }
  }
  for (const [i, { out }] of (spec.nat?.masquerade ?? []).entries()) {
    yield [out, [...path, "nat", "masquerade", i, "out"]];
  }
  for (const [i, rule] of (spec.nat?.dnat ?? []).entries()) {
    yield [rule.in, [...path, "nat", "dnat", i, "in"]];
  }
}

function* references(lab: Lab): Iterable<Problem> {
  for (const space of lab.spaces) {
    for (const [text, path] of referencesIn(space)) {
      if (text !== undefined) yield* reference(lab, text, space, path);
    }
    for (const { entry: { bridge }, path, host } of space.attachments) {
      if (bridge !== undefined) yield* reference(lab, bridge, host, [...path, "bridge"]);
    }
  }
}

function* reference(lab: Lab, text: string, here: Space, path: Path): Iterable<Problem> {
  const { netns, link } = parseEndpoint(text, here.name);
  const there = netns === here.name ? here : lab.byName.get(netns);
  if (there === undefined) {
    const names = [...lab.byName.keys()];
    yield problem(path, `there is no namespace ${netns} here${choice(netns, names)}`);
  } else if (!mayHave(there, link)) {
    const names = [...there.byName.keys()];
    yield problem(path, `there is no link ${link} in ${there.name}${choice(link, names)}`);
  }
}

/** What there is instead. */
function choice(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  if (near !== undefined) return `; did you mean "${near}"?`;
  const some = names.length > 8 ? [...names.slice(0, 8), "..."] : names;
  return names.length === 0 ? ", which has none" : `; there are ${some.join(", ")}`;
}

function* linksBelow({ spaces }: Lab): Iterable<Problem> {
  for (const { links } of spaces) {
    for (const { entry: { kind, link, peer }, as, path } of links) {
      const needs = KINDS_WITH_LINK.includes(kind ?? "");
      if (needs && link === undefined) {
        yield problem(path, `a link of kind ${kind} is on another one; say which as "link"`);
      }
      if (as !== "link" || needs || link === undefined) continue;
      if (kind === undefined && peer === undefined) continue;
      const inData = LINK_NUMBERS[kind ?? ""]?.includes("link");
      yield problem(
        [...path, "link"],
        inData
          ? `of kind ${kind}, that is one of its data; write data: { link: ${link} }`
          : `a link of kind ${kind ?? "veth"} is on no other one; leave it out`,
      );
    }
  }
}

function* neededData(lab: Lab): Iterable<Problem> {
  for (const { entry: { kind, data }, path } of allLinks(lab)) {
    for (const key of NEEDED_DATA[kind ?? ""] ?? []) {
      if (data?.[key] === undefined) {
        yield problem(path, `a link of kind ${kind} needs data.${key}`);
      }
    }
  }
}

function* vlanLinksTwice(lab: Lab): Iterable<Problem> {
  const first = new Map<string, SaidLink>();
  for (const link of allLinks(lab)) {
    const { entry: { kind, data, link: below }, space, path } = link;
    if (kind !== "vlan" || below === undefined || data?.id === undefined) continue;
    const { netns, link: on } = parseEndpoint(below, space.name);
    const key = JSON.stringify([netns, on, data.id, data.protocol ?? "802.1Q"]);
    const other = first.get(key);
    if (other === undefined) first.set(key, link);
    else {
      yield problem(
        [...path, "data", "id"],
        `${formatPath(other.path)} is VLAN ${data.id} of ${below} already; take another number`,
      );
    }
  }
}

function* masters(lab: Lab): Iterable<Problem> {
  for (const [port, master] of lab.masters) {
    const byPort = port.entry.master !== undefined;
    const path = byPort ? [...port.path, "master"] : portPath(port, master);
    if (port.as === "vxlan") continue;
    if (port.space !== master.space) {
      yield problem(path, "a port and its master are in one namespace; this is another one's");
    } else if (port.as === "attachment") {
      yield problem(path, `${port.name} is how ${port.space.name} is attached; it is no port here`);
    } else if (master.kind !== undefined && !MASTER_KINDS.includes(master.kind)) {
      yield problem(
        path,
        `${master.name} is of kind ${master.kind}; of these kinds are masters: ${
          MASTER_KINDS.join(", ")
        }`,
      );
    } else if (port !== master && port.kind === "bridge" && master.kind === "bridge") {
      yield problem(path, `${port.name} and ${master.name} are bridges; one is no port of another`);
    }
  }
  for (const { attachments } of lab.spaces) {
    for (const { bridge, path } of attachments) {
      if (bridge?.kind === undefined || bridge.kind === "bridge") continue;
      yield problem([...path, "bridge"], `${bridge.name} is of kind ${bridge.kind}, and no bridge`);
    }
  }
}

/** Where a bridge says that a link is its port. */
function portPath(port: SaidLink, { entry: { ports = [] }, path, space }: SaidLink): Path {
  const index = ports.findIndex((text) => {
    const { netns, link } = parseEndpoint(text, space.name);
    return netns === port.space.name && link === port.name;
  });
  return [...path, "ports", index];
}

function* portsOfTwo(lab: Lab): Iterable<Problem> {
  const first = new Map<SaidLink, SaidLink>();
  for (const bridge of allLinks(lab)) {
    for (const [i, text] of (bridge.entry.ports ?? []).entries()) {
      const port = resolve(lab, text, bridge.space);
      if (port === undefined) continue;
      const own = port.entry.master === undefined ? undefined : lab.masters.get(port);
      const other = own ?? first.get(port);
      first.set(port, bridge);
      if (other === undefined || other === bridge) continue;
      yield problem(
        [...bridge.path, "ports", i],
        `${text} is a port of ${other.name} already; leave one of them out`,
      );
    }
  }
}

function* portData(lab: Lab): Iterable<Problem> {
  for (const link of allLinks(lab)) {
    const { entry: { portData, master }, kind, path } = link;
    if (portData === undefined) continue;
    const of = lab.masters.get(link);
    const own = [...path, "portData"];
    if (of === undefined && master === undefined && kind !== undefined) {
      yield problem(own, "it is no port; say its master");
    }
    if (of?.kind === undefined) continue;
    const form = PORT_DATA[of.kind];
    if (form === undefined) {
      yield problem(own, `a port of a master of kind ${of.kind} has no data; leave it out`);
    } else {
      for (const { path, message } of check(form, portData)) {
        yield problem([...own, ...path], message);
      }
    }
  }
}

function* peers(lab: Lab): Iterable<Problem> {
  const first = new Map<SaidLink, SaidLink>();
  const named = new Set<SaidLink>();
  for (const link of allLinks(lab)) {
    const { entry: { peer, kind }, space, path } = link;
    const other = peer === undefined ? undefined : resolve(lab, peer, space);
    if (other === undefined) continue;
    named.add(other);
    const message = peerProblem(lab, link, other, kind) ?? takenPeer(first.get(other), link);
    if (message === undefined) first.set(other, link);
    else yield problem([...path, "peer"], message);
  }
  for (const link of allLinks(lab)) {
    const { entry: { peer, kind }, path } = link;
    if (kind !== "veth" || peer !== undefined || named.has(link)) continue;
    yield problem(path, "a veth is one end of a pair; name the other one as its peer");
  }
}

function peerProblem(
  lab: Lab,
  link: SaidLink,
  other: SaidLink,
  kind: string | undefined,
): string | undefined {
  const there = nameOf(other, link.space);
  if (kind !== undefined && kind !== "veth") {
    return `a link of kind ${kind} has no peer; leave it out`;
  }
  if (other === link) return "a link is not its own peer; name another one";
  if (other.as === "attachment") {
    return `${there} is how a container is attached; take another name`;
  }
  if (other.kind !== "veth") return `${there} is of kind ${other.kind}, and no other end of a pair`;
  if (other.entry.peer === undefined) return undefined;
  return resolve(lab, other.entry.peer, other.space) === link
    ? undefined
    : `the peer of ${there} is ${other.entry.peer}; let each name the other`;
}

function takenPeer(taken: SaidLink | undefined, { space }: SaidLink): string | undefined {
  if (taken === undefined) return undefined;
  return `that is the other end of ${nameOf(taken, space)} already; take another name`;
}

/** Links that are above themselves: a port is below its master, and a VLAN above its link. */
function* loops(lab: Lab): Iterable<Problem> {
  const below = new Map<SaidLink, SaidLink[]>(allLinks(lab).map((link) => [link, []]));
  for (const link of below.keys()) {
    const lower = link.entry.link === undefined
      ? undefined
      : resolve(lab, link.entry.link, link.space);
    if (lower !== undefined) below.get(link)!.push(lower);
  }
  for (const [port, master] of lab.masters) below.get(master)!.push(port);
  dropEnds(below);
  while (below.size > 0) {
    const cycle = cycleIn(below);
    for (const link of cycle) below.delete(link);
    dropEnds(below);
    const start = cycle.find(({ entry: { link, master } }) => (link ?? master) !== undefined) ??
      cycle[0]!;
    const at = cycle.indexOf(start);
    const names = [...cycle.slice(at), ...cycle.slice(0, at), start]
      .map((link) => nameOf(link, start.space));
    const key = start.entry.link === undefined ? "master" : "link";
    const path = start.entry[key] === undefined ? start.path : [...start.path, key];
    yield problem(path, `it is above itself: ${names.join(", ")}`);
  }
}

/** Takes out what leads to no cycle. */
function dropEnds(below: Map<SaidLink, SaidLink[]>): void {
  const above = new Map<SaidLink, SaidLink[]>();
  const left = new Map<SaidLink, number>();
  for (const [link, lower] of below) {
    const own = lower.filter((it) => below.has(it));
    left.set(link, own.length);
    for (const it of own) above.getOrInsertComputed(it, () => []).push(link);
  }
  const ends = [...left].filter(([, count]) => count === 0).map(([link]) => link);
  for (const end of ends) {
    below.delete(end);
    for (const link of above.get(end) ?? []) {
      const count = left.get(link)! - 1;
      left.set(link, count);
      if (count === 0) ends.push(link);
    }
  }
}

/** A cycle, when each link has another one below it; what comes first in the file is first. */
function cycleIn(below: ReadonlyMap<SaidLink, readonly SaidLink[]>): SaidLink[] {
  const way: SaidLink[] = [];
  let [link] = below.keys();
  while (!way.includes(link!)) {
    way.push(link!);
    link = below.get(link!)!.find((it) => below.has(it));
  }
  const cycle = way.slice(way.indexOf(link!));
  const order = [...below.keys()];
  const first = cycle.toSorted((a, b) => order.indexOf(a) - order.indexOf(b))[0]!;
  return [...cycle.slice(cycle.indexOf(first)), ...cycle.slice(0, cycle.indexOf(first))];
}

function* shaping(lab: Lab): Iterable<Problem> {
  for (const { entry, path } of allLinks(lab)) {
    const said = (["rate", "delay", "jitter", "loss"] as const)
      .filter((key) => entry[key] !== undefined);
    if (entry.qdisc !== undefined && said.length > 0) {
      yield problem(
        [...path, "qdisc"],
        `it stands in place of ${said.join(", ")}; leave that out`,
      );
    }
    if (entry.jitter !== undefined && entry.delay === undefined) {
      yield problem([...path, "jitter"], "it varies the delay, and there is none; say a delay");
    }
  }
}

function* vlans(lab: Lab): Iterable<Problem> {
  for (const link of allLinks(lab)) {
    const { entry: { vlans = [] }, path } = link;
    if (vlans.length > 0 && !isOnBridge(lab, link)) {
      yield problem(
        [...path, "vlans"],
        "VLANs are a bridge's or its port's; for a VLAN on a link make a link of kind vlan",
      );
    }
    const ids = vlans.map(({ id }) => id);
    const pvids = vlans.flatMap(({ pvid, id }) => pvid ? [id] : []);
    for (const [i, { id, pvid }] of vlans.entries()) {
      const own = [...path, "vlans", i];
      if (ids.indexOf(id) !== i) yield problem([...own, "id"], `VLAN ${id} is there twice`);
      else if (pvid && pvids[0] !== id) {
        yield problem([...own, "pvid"], `untagged frames are of VLAN ${pvids[0]} already`);
      }
    }
  }
}

/** Whether a link is a bridge or its port, or may be. */
function isOnBridge(lab: Lab, link: SaidLink): boolean {
  const master = lab.masters.get(link);
  if (link.kind === "bridge" || master?.kind === "bridge") return true;
  // Of what is there already not all is known.
  if (master !== undefined) return master.kind === undefined;
  return link.entry.master !== undefined || link.kind === undefined;
}

function* forwardingEntries(lab: Lab): Iterable<Problem> {
  for (const link of allLinks(lab)) {
    const { entry: { fdb = [] }, path, kind } = link;
    if (fdb.length > 0 && kind !== "vxlan" && !isOnBridge(lab, link)) {
      yield problem([...path, "fdb"], "a forwarding table has a bridge's port or a vxlan");
    }
    if (kind === "vxlan" || kind === undefined) continue;
    for (const [i, { dst }] of fdb.entries()) {
      if (dst === undefined) continue;
      yield problem([...path, "fdb", i, "dst"], `only a vxlan sends to other hosts; leave it out`);
    }
  }
}
