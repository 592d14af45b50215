/**
 * A topology as the checks look at it: its namespaces, their links, and what leads where.
 *
 * @module
 */

import { type Cidr, parseCidr } from "../input.ts";
import { HOST } from "./format.ts";
import type { Path, Problem } from "./problem.ts";
import { problemOf } from "./schema.ts";
import type {
  AttachmentEntry,
  BridgeEntry,
  ContainerSpec,
  HostSpec,
  LinkEntry,
  NamespaceSpec,
  Topology,
} from "./types.ts";
import { parseEndpoint } from "./units.ts";

/** A topology whose structure is sound. */
export interface Lab {
  topology: Topology;
  /** The host's first. */
  spaces: Space[];
  /** By their names; of two that have the same the first. */
  byName: ReadonlyMap<string, Space>;
  /** Whose port a link is, where the file speaks of both: the link says so, or the bridge does. */
  masters: Map<SaidLink, SaidLink>;
}

/** A namespace. */
export interface Space {
  name: string;
  path: Path;
  spec: HostSpec & Pick<NamespaceSpec, "netns">;
  /** Whether it is there already, and so may have more than the file says. */
  open: boolean;
  /** The namespace that a container is attached to. */
  host?: Space;
  /** All that the file says of its links. */
  links: SaidLink[];
  /** By their names; of two that have the same the first. */
  byName: Map<string, SaidLink>;
  attachments: Attachment[];
}

/** A link that the file speaks of. */
export interface SaidLink {
  name: string;
  space: Space;
  path: Path;
  as: "link" | "bridge" | "attachment" | "peer" | "vxlan";
  /** What is known of its kind. */
  kind: string | undefined;
  entry: LinkEntry & BridgeEntry;
  addresses: SaidAddress[];
}

/** An address, and where it stands. */
export interface SaidAddress {
  text: string;
  path: Path;
  cidr: Cidr;
}

/** How a container is attached by one of its links. */
export interface Attachment {
  /** The link in the container. */
  link: SaidLink;
  entry: AttachmentEntry;
  path: Path;
  /** Where the bridge is. */
  host: Space;
  /** The bridge, where the file speaks of it. */
  bridge: SaidLink | undefined;
  /** Whether it has the next free addresses of the bridge's subnets. */
  auto: boolean;
}

/** One thing to check. */
export type Check = (lab: Lab) => Iterable<Problem>;

/** A problem in its place. */
export const problem = (path: Path, message: string): Problem => ({ path, message });

/** What an `InputError` says, as a problem. */
export function* refused(path: Path, read: () => unknown): Iterable<Problem> {
  const message = problemOf(read);
  if (message !== undefined) yield { path, message };
}

/** The links that the kernel gives to namespaces by itself (ip-link(8), net.core.fb_tunnels_only_for_init_net). */
const BORN_WITH = new Set(
  "lo tunl0 gre0 gretap0 erspan0 sit0 ip_vti0 ip6_vti0 ip6tnl0 ip6gre0".split(" "),
);

/** Whether a namespace may have a link: the file says so, or it is there without a word of the file. */
export function mayHave(space: Space, link: string): boolean {
  return space.open || space.byName.has(link) || BORN_WITH.has(link);
}

/** Looks at a topology. */
export function readLab(topology: Topology): Lab {
  const spaces: Space[] = [];
  addSpace(spaces, HOST, topology, [], undefined);
  for (const [name, spec] of Object.entries(topology.namespaces ?? {})) {
    addSpace(spaces, name, spec, ["namespaces", name], undefined);
  }
  const byName = new Map(spaces.toReversed().map((space) => [space.name, space]));
  const lab: Lab = { topology, spaces, byName, masters: new Map() };
  for (const space of spaces) addOtherEnds(lab, space);
  for (const space of spaces) {
    addMasters(lab, space);
    for (const attachment of space.attachments) {
      attachment.bridge = attachment.host.byName.get(attachment.entry.bridge ?? "");
    }
  }
  return lab;
}

function addSpace(
  spaces: Space[],
  name: string,
  spec: HostSpec | NamespaceSpec | ContainerSpec,
  path: Path,
  host: Space | undefined,
): void {
  const open = name === HOST && path.length === 0 || "netns" in spec && spec.netns !== undefined;
  const space: Space = {
    ...{ name, path, spec, open, links: [], byName: new Map(), attachments: [] },
    ...host === undefined ? {} : { host },
  };
  spaces.push(space);
  for (const [link, said] of Object.entries(spec.bridges ?? {})) {
    addBridge(space, link, said, [...path, "bridges", link]);
  }
  for (const [link, entry] of Object.entries(spec.links ?? {})) {
    const kind = entry.kind ?? (entry.peer === undefined ? undefined : "veth");
    addLink(space, link, "link", [...path, "links", link], kind, entry);
  }
  if (host !== undefined) addAttachments(space, spec, host);
  for (const [own, inner] of Object.entries(spec.containers ?? {})) {
    addSpace(spaces, own, inner, [...path, "containers", own], space);
  }
}

function addLink(
  space: Space,
  name: string,
  as: SaidLink["as"],
  path: Path,
  kind: string | undefined,
  entry: LinkEntry & BridgeEntry,
): SaidLink {
  const link: SaidLink = { name, space, path, as, kind, entry, addresses: [] };
  link.addresses = addressesIn(entry, path);
  space.links.push(link);
  if (!space.byName.has(name)) space.byName.set(name, link);
  return link;
}

function addBridge(
  space: Space,
  name: string,
  said: string | readonly string[] | BridgeEntry,
  path: Path,
): void {
  if (typeof said === "string") {
    const bridge = addLink(space, name, "bridge", path, "bridge", {});
    bridge.addresses = [{ text: said, path, cidr: parseCidr(said) }];
  } else if (isList(said)) {
    const bridge = addLink(space, name, "bridge", path, "bridge", {});
    bridge.addresses = said.map((text, i) => ({ text, path: [...path, i], cidr: parseCidr(text) }));
  } else {
    addLink(space, name, "bridge", path, "bridge", said);
    if (said.vxlan === undefined) return;
    const vxlan = `vxlan${said.vxlan.id}`;
    addLink(space, vxlan, "vxlan", [...path, "vxlan"], "vxlan", { master: name });
  }
}

function addAttachments(space: Space, spec: ContainerSpec, host: Space): void {
  const { path } = space;
  const all: [string, AttachmentEntry, Path][] = spec.interfaces === undefined
    ? [["eth0", spec, path]]
    : Object.entries(spec.interfaces)
      .map(([name, entry]) => [name, entry, [...path, "interfaces", name]]);
  for (const [name, entry, own] of all) {
    const { address, addresses, mac, mtu } = entry;
    const link = addLink(space, name, "attachment", own, "veth", {
      ...{ address, addresses, mac, mtu },
    });
    const said = [...address === undefined ? [] : [address], ...addresses ?? []];
    const auto = said.length === 0 || said.includes("auto");
    space.attachments.push({ link, entry, path: own, host, bridge: undefined, auto });
  }
}

/** The ends of pairs that only the other ends name. */
function addOtherEnds(lab: Lab, space: Space): void {
  for (const { entry: { peer }, path } of [...space.links]) {
    if (peer === undefined) continue;
    const { netns, link } = parseEndpoint(peer, space.name);
    const there = lab.byName.get(netns);
    const said = there?.byName.get(link);
    if (said !== undefined) said.kind ??= "veth";
    else if (there !== undefined) addLink(there, link, "peer", [...path, "peer"], "veth", {});
  }
}

function addMasters({ masters, ...lab }: Lab, space: Space): void {
  for (const link of space.links) {
    for (const port of link.entry.ports ?? []) {
      const there = resolve(lab, port, space);
      if (there !== undefined) masters.set(there, link);
    }
  }
  for (const link of space.links) {
    const { master } = link.entry;
    const there = master === undefined ? undefined : resolve(lab, master, space);
    if (there !== undefined) masters.set(link, there);
  }
}

function addressesIn(
  { address, addresses = [] }: Pick<LinkEntry, "address" | "addresses">,
  path: Path,
): SaidAddress[] {
  const said: [string, Path][] = [
    ...address === undefined ? [] : [[address, [...path, "address"]] as [string, Path]],
    ...addresses.map((text, i): [string, Path] => [text, [...path, "addresses", i]]),
  ];
  return said.filter(([text]) => text !== "auto")
    .map(([text, path]) => ({ text, path, cidr: parseCidr(text) }));
}

function isList(value: object): value is readonly string[] {
  return Array.isArray(value);
}

/** The link that a name means, in its namespace; `undefined` where the file does not speak of it. */
export function resolve(lab: Pick<Lab, "byName">, text: string, here: Space): SaidLink | undefined {
  const { netns, link } = parseEndpoint(text, here.name);
  const space = netns === here.name ? here : lab.byName.get(netns);
  return space?.byName.get(link);
}
