/**
 * A topology from what runs, whoever made it.
 *
 * @module
 */

import { Netns, type NetnsOptions } from "../../netns/netns.ts";
import { readSysctl } from "../../netns/sysctl.ts";
import type { Address } from "../../rtnl/address.ts";
import type { Link } from "../../rtnl/link.ts";
import type { Neighbour } from "../../rtnl/neighbour.ts";
import { Nft } from "../../rtnl/nft/mod.ts";
import type { Route } from "../../rtnl/route.ts";
import type { Rule } from "../../rtnl/rule.ts";
import type { Rtnl } from "../../rtnl/rtnl.ts";
import type { Qdisc } from "../../rtnl/tc/mod.ts";
import { findAttachments, type Found } from "../attachments.ts";
import { type Host, openHost } from "../host.ts";
import { isLinkLocal, parseCidr } from "../input.ts";
import { FAMILIES, FORWARDING_KEYS, wasOff } from "../forwarding.ts";
import { marksIn } from "../marks.ts";
import { bucketOf } from "../rate.ts";
import { checkOwner, parseTopologyTag } from "../tag.ts";
import { absentIsUndefined } from "./absent.ts";
import { said } from "./canonical.ts";
import { readTopologyTable } from "./firewall.ts";
import { HOST, LINK_NUMBERS } from "./format.ts";
import { inParts, readForwarding, readObjects } from "./look.ts";
import { formersOf, tablesOf } from "./memory.ts";
import { specFound } from "./things/attachment.ts";
import { fdbOf, vlansOf } from "./things/link.ts";
import * as neighbours from "./things/neighbour.ts";
import * as routes from "./things/route.ts";
import * as rules from "./things/rule.ts";
import type {
  BridgeEntry,
  ContainerSpec,
  HostSpec,
  LinkData,
  LinkEntry,
  NamespaceSpec,
  RouteEntry,
  RuleEntry,
  Topology,
  VlanEntry,
} from "./types.ts";

/** What to export. */
export interface ExportOptions extends NetnsOptions {
  /**
   * The topology's name.
   * @default {"exported"}
   */
  name?: string | undefined;
  /**
   * Whether only the namespace itself is read, and no other.
   * @default {false}
   */
  single?: boolean | undefined;
}

/** A namespace that is exported. */
interface Source {
  /** Its name in the topology. */
  name: string;
  netns: Netns;
  rtnl: Rtnl;
  links: Link[];
  objects: Awaited<ReturnType<typeof readObjects>>;
  forwarding: Awaited<ReturnType<typeof readForwarding>>;
  attachments: Found[];
  /** The numbers that it has for the others. */
  numbers: Map<number, Source>;
}

/**
 * What runs, as a topology: the host with all named namespaces and all that are attached, or one namespace
 * alone. Applied elsewhere, under a name of its own, it makes the same network.
 *
 * Hardware is left out, and what stands on it: addresses, routes and neighbours of links that a topology
 * can't make, and links whose other end is in a namespace that is not read; also rules with "not", which no
 * topology can say. Addresses that "auto" has chosen are written down as they are. Firewalls are those that
 * topologies made. Settings are forwarding, and those that topologies have changed.
 *
 * `PermissionError` without CAP_SYS_ADMIN, which it takes to enter namespaces.
 *
 * @example The names of what runs
 * ```ts
 * import { exportTopology } from "@denolink/denolink";
 *
 * const { bridges = {}, namespaces = {} } = await exportTopology({ name: "copy" });
 * console.log(Object.keys(bridges), Object.keys(namespaces));
 * ```
 */
export async function exportTopology(
  { name = "exported", single = false, netns }: ExportOptions = {},
): Promise<Topology> {
  checkOwner(name);
  using host = await openHost({ netns });
  using opened = new DisposableStack();
  const sources = [await sourceOf(HOST, host.netns, host.rtnl)];
  if (!single) {
    const others = namedOthers(host, sources[0]!, opened);
    await inParts(others, async ({ name, netns }) => {
      const rtnl = opened.use(await netns.connect());
      sources.push(await sourceOf(name, netns, rtnl));
    });
  }
  sources.sort((a, b) => a.name === HOST ? -1 : b.name === HOST ? 1 : a.name < b.name ? -1 : 1);
  for (const source of sources) source.numbers = await numbersOf(source, sources);
  const containers = new Set<Source>();
  const specs = new Map<Source, HostSpec>();
  for (const source of sources) specs.set(source, await specOf(source, sources));
  for (const source of sources) {
    const own = containersOf(source, sources, specs);
    own.forEach(([container]) => containers.add(container));
    if (own.length === 0) continue;
    Object.assign(specs.get(source)!, {
      containers: Object.fromEntries(own.map(([{ name }, spec]) => [name, spec])),
    });
  }
  const namespaces = sources.filter((it) => it.name !== HOST && !containers.has(it));
  return {
    denolink: 1,
    name,
    ...specs.get(sources[0]!),
    ...namespaces.length === 0 ? {} : {
      namespaces: Object.fromEntries(
        namespaces.map((it) => [it.name, specs.get(it) as NamespaceSpec]),
      ),
    },
  };
}

/** The namespaces that have a name, and those that are attached to the host without one. */
function namedOthers(
  host: Host,
  { attachments }: Source,
  opened: DisposableStack,
): { name: string; netns: Netns }[] {
  const open = (target: { name: string } | { pid: number }) => {
    const netns = absentIsUndefined(() => Netns.open(target));
    return netns && opened.use(netns);
  };
  const named = Netns.list().filter(({ id }) => id !== undefined && id !== host.netns.id);
  const seen = new Set(named.map(({ id }) => id));
  const nameless = attachments.filter(({ netns }) => !seen.has(netns));
  const held = nameless.length === 0 ? [] : Netns.listHeld();
  return [
    ...named.map(({ name }) => ({ name, netns: open({ name }) })),
    ...nameless.map(({ netns: id, id: container }) => {
      const pid = held.find((it) => it.id === id)?.pids[0];
      return {
        name: container ?? `netns-${id}`,
        netns: pid === undefined ? undefined : open({ pid }),
      };
    }),
  ].flatMap(({ name, netns }) => netns === undefined ? [] : { name, netns });
}

async function sourceOf(name: string, netns: Netns, rtnl: Rtnl): Promise<Source> {
  const links = await Array.fromAsync(rtnl.links.list());
  const isForwarding = ({ kind }: Link) => kind === "bridge" || kind === "vxlan";
  return {
    ...{ name, netns, rtnl, links },
    objects: await readObjects(rtnl),
    forwarding: links.some(isForwarding) ? await readForwarding(rtnl) : { vlans: [], fdb: [] },
    attachments: (await findAttachments(rtnl)).filter(({ making }) => !making),
    numbers: new Map(),
  };
}

/** The numbers that its links name; nearly always the host's, which comes first, is the only one. */
async function numbersOf(
  { rtnl, links }: Source,
  sources: readonly Source[],
): Promise<Map<number, Source>> {
  const named = new Set(links.flatMap(({ linkNetnsId }) => linkNetnsId ?? []));
  const numbers = new Map<number, Source>();
  for (const other of sources) {
    if (named.size === 0) break;
    const { nsid = -1 } = await rtnl.netnsIds.get({ fd: other.netns.fd });
    if (named.delete(nsid)) numbers.set(nsid, other);
  }
  return numbers;
}

/** What a namespace has, but for its containers. */
async function specOf(source: Source, sources: readonly Source[]): Promise<HostSpec> {
  const { links: all, objects } = source;
  const links = all.filter((it) => canMake(it, source, sources));
  const kept = new Map(links.map(({ index, name }) => [index!, name!]));
  const lo = all.find(({ index }) => index === 1)!;
  const withLo = new Map([...kept, [lo.index!, lo.name!]]);
  const entries = links.map((it) => [it.name!, entryOf(it, source, kept)] as const);
  const loEntry = addressesOn(1, source);
  const isBridge = ([name]: readonly [string, LinkEntry]) =>
    links.find((it) => it.name === name)!.kind === "bridge";
  return notEmpty({
    bridges: Object.fromEntries(
      entries.filter(isBridge).map(([name, entry]) => [name, bridgeOf(entry)]),
    ),
    links: Object.fromEntries([
      ...Object.keys(loEntry).length > 0 ? [[lo.name!, loEntry]] : [],
      ...entries.filter((it) => !isBridge(it)),
    ]),
    routes: objects.routes.filter((it) => isRoute(it, withLo)).map((it) => {
      const { family: _, ...route } = routes.valueOf(it, (index) => withLo.get(index)!);
      return {
        ...route,
        ...it.family === "inet6" && route.priority === 1024 ? { priority: undefined } : {},
      };
    }).map(said) as RouteEntry[],
    rules: objects.rules.filter(isRule).map(ruleOf),
    neighbours: objects.neighbours.filter((it) => isNeighbour(it, kept))
      .map((it) => neighbours.valueOf(it, kept.get(it.index!)!)),
    sysctls: await sysctlsOf(source, lo),
    ...await tableOf(source, lo),
  });
}

function notEmpty(spec: HostSpec): HostSpec {
  return Object.fromEntries(
    Object.entries(spec).filter(([, value]) =>
      value !== undefined && (Array.isArray(value) ? value : Object.keys(value)).length > 0
    ),
  );
}

/** Whether a topology can make a link: it has a kind, and what belongs to it is read too. */
function canMake(it: Link, source: Source, sources: readonly Source[]): boolean {
  if (it.kind === undefined) return false;
  // An attachment makes both of its ends.
  if (source.attachments.some(({ index }) => index === it.index)) return false;
  if (isAttached(it, source, sources)) return false;
  return it.kind !== "veth" || peerOf(it, source) !== undefined;
}

/** Whether a link is a container's end of an attachment to a namespace that is read. */
function isAttached({ name }: Link, { netns }: Source, sources: readonly Source[]): boolean {
  return sources.some(({ attachments }) =>
    attachments.some((it) => it.netns === netns.id && it.interface === name)
  );
}

function otherOf({ linkNetnsId }: Link, source: Source): Source | undefined {
  return linkNetnsId === undefined ? source : source.numbers.get(linkNetnsId);
}

function peerOf(it: Link, source: Source): string | undefined {
  const other = otherOf(it, source);
  const link = other?.links.find(({ index }) => index === it.link);
  return link === undefined ? undefined : endOf(other!, link, source);
}

function endOf({ name }: Source, link: Link, here: Source): string {
  return name === here.name ? link.name! : `${name}:${link.name}`;
}

/** What is essential of kinds whose attributes are many; of others all are written down. */
const ESSENTIAL: Readonly<Record<string, readonly string[]>> = {
  bond: ["mode", "miimon", "primary"],
  bridge: ["stpState", "vlanFiltering", "vlanProtocol", "forwardDelay", "ageingTime", "priority"],
  ipvlan: ["mode", "flags"],
  macvlan: ["mode"],
  vlan: ["id", "protocol"],
  vrf: ["table"],
  vxlan: ["id", "port", "local", "local6", "group", "group6", "link", "ttl", "learning"],
};

/** What these have when nothing is said of them. */
const DEFAULTS: Readonly<Record<string, LinkData>> = {
  bridge: {
    ...{ stpState: 0, vlanFiltering: false, vlanProtocol: "802.1Q" },
    ...{ forwardDelay: 1500, ageingTime: 30000, priority: 32768 },
  },
  bond: { miimon: 0 },
  ipvlan: { flags: [] },
  vlan: { protocol: "802.1Q" },
  vxlan: { ttl: 0, learning: true, link: 0 },
};

const PLAIN_QUEUE_LENGTH = 1000;
const ETHERNET_MTU = 1500;

function entryOf(
  it: Link,
  source: Source,
  kept: ReadonlyMap<number, string>,
): LinkEntry {
  const says = parseTopologyTag(it.alias)?.says ?? [];
  const lower = it.kind === "veth" || !it.link ? undefined : otherOf(it, source);
  const below = lower?.links.find(({ index }) => index === it.link);
  const vlans = vlansOf(source.forwarding, it.index!);
  const fdb = it.kind === "vxlan" ? fdbOf({ ...source.forwarding, links: source.links }, it) : [];
  return said({
    kind: it.kind === "veth" ? undefined : it.kind,
    peer: it.kind === "veth" ? peerOf(it, source) : undefined,
    link: below === undefined ? undefined : endOf(lower!, below, source),
    master: kept.get(it.master ?? 0),
    mac: says.includes("mac") ? it.address : undefined,
    mtu: it.mtu === ETHERNET_MTU && !says.includes("mtu") ? undefined : it.mtu,
    up: it.flags?.includes("up") ? undefined : false,
    group: it.group || undefined,
    txQueueLength: says.includes("txQueueLength") || it.txQueueLength !== PLAIN_QUEUE_LENGTH &&
        it.kind === "dummy"
      ? it.txQueueLength
      : undefined,
    data: dataOf(it, source, says),
    vlans: isPlain(vlans) ? undefined : vlans,
    fdb: fdb.length === 0 ? undefined : fdb,
    ...addressesOn(it.index!, source),
    ...qdiscOf(source.objects.qdiscs, it.index!),
  }) as LinkEntry;
}

function isPlain(vlans: readonly VlanEntry[]): boolean {
  return vlans.length === 0 || vlans.length === 1 && vlans[0]!.id === 1;
}

function dataOf(
  { kind = "", linkInfo }: Link,
  { links }: Source,
  says: readonly string[],
): LinkData | undefined {
  const data = (linkInfo as { data?: unknown } | undefined)?.data;
  if (kind === "veth" || typeof data !== "object" || data === null || data instanceof Uint8Array) {
    return undefined;
  }
  const keys = ESSENTIAL[kind];
  const isPlain = (key: string, value: unknown) =>
    JSON.stringify(DEFAULTS[kind]?.[key]) === JSON.stringify(value);
  const chosen = Object.entries(data).filter(([key, value]) =>
    says.includes(`data.${key}`) || (keys?.includes(key) ?? true) && !isPlain(key, value)
  ).map(([key, value]) => [
    key,
    LINK_NUMBERS[kind]?.includes(key) ? links.find(({ index }) => index === value)?.name : value,
  ]);
  return chosen.length === 0 ? undefined : Object.fromEntries(chosen);
}

/** The addresses that somebody gave to a link: not link-local ones of the kernel's, nor those of `lo`. */
function addressesOn(index: number, { objects }: Source): Pick<LinkEntry, "address" | "addresses"> {
  const isGiven = ({ flags, scope, index: on }: Address) =>
    on === index && flags?.includes("permanent") && scope !== "host";
  const own = objects.addresses.filter(isGiven)
    .map((it) => `${it.local ?? it.address}/${it.prefixLength}`)
    .filter((text) => !isLinkLocal(parseCidr(text)));
  if (own.length === 0) return {};
  return own.length === 1 ? { address: own[0]! } : { addresses: own };
}

function bridgeOf({ kind: _, data = {}, ...entry }: LinkEntry): BridgeEntry | string {
  const { stpState, vlanFiltering, ...rest } = data;
  const whole = said({
    ...entry,
    stp: stpState === undefined ? undefined : stpState !== 0,
    vlanFiltering,
    data: Object.keys(rest).length === 0 ? undefined : rest,
  }) as BridgeEntry;
  const only = Object.keys(whole).length === 1 ? whole.address : undefined;
  return only ?? whole;
}

/** A link's own queueing discipline; rates are in bits per second. */
function qdiscOf(
  qdiscs: readonly Qdisc[],
  index: number,
): Pick<LinkEntry, "rate" | "qdisc"> {
  const own = qdiscs.find((it) => it.index === index && it.parent === "root");
  // The kernel's own choice has no number.
  if (own === undefined || !/^[0-9a-f]+:$/.test(own.handle ?? "") || own.handle === "0:") return {};
  const { kind, options } = own;
  if (own.kind === "tbf") {
    const { rate, limit } = own.options?.parameters ?? {};
    const bits = (rate?.rate ?? 0) * 8;
    if (bucketOf(bits).options.parameters.limit === limit) return { rate: bits };
  }
  return { qdisc: said({ kind: kind!, options: options as LinkData | undefined }) };
}

function isRoute(it: Route, kept: ReadonlyMap<number, string>): boolean {
  const { protocol, type = "unicast", table, oif, multipath, flags } = it;
  if (["kernel", "ra", "redirect"].includes(String(protocol)) || table === "local") return false;
  if (flags?.includes("cloned")) return false;
  if (!["unicast", "blackhole", "unreachable", "prohibit", "throw"].includes(String(type))) {
    return false;
  }
  if (type !== "unicast") return true;
  return multipath?.every((hop) => kept.has(hop.oif ?? 0)) ?? kept.has(oif ?? 0);
}

/** A rule; its family is that of its addresses where it has some. */
function ruleOf(it: Rule): RuleEntry {
  const { family, ...rule } = rules.valueOf(it);
  const isSaid = rule.from !== undefined || rule.to !== undefined || family === "inet";
  return isSaid ? rule : { family, ...rule };
}

/** Not those that every namespace has, nor what a topology can't say: "not". */
function isRule({ priority = 0, protocol, flags }: Rule): boolean {
  const isInverted = flags?.includes("invert") ?? false;
  return protocol !== "kernel" && ![0, 32766, 32767].includes(priority) && !isInverted;
}

function isNeighbour(
  { state, dst, index, flags }: Neighbour,
  kept: ReadonlyMap<number, string>,
): boolean {
  return dst !== undefined && kept.has(index ?? 0) &&
    (state?.includes("permanent") === true || flags?.includes("proxy") === true);
}

/** Forwarding, which most networks need, and what topologies have changed. */
async function sysctlsOf({ netns }: Source, lo: Link): Promise<Record<string, string>> {
  // What attachments have switched on, they will switch on again.
  const marks = marksIn(lo);
  const keys = FAMILIES.filter((it) => !wasOff(it, marks)).map((it) => FORWARDING_KEYS[it]);
  const changed = formersOf(lo).flatMap((what) => what.startsWith("sysctl ") ? what.slice(7) : []);
  const sysctls: Record<string, string> = {};
  for (const key of new Set([...keys, ...changed])) {
    const value = await readSysctl(key, { netns });
    if (changed.includes(key) || value !== "0") sysctls[key] = value;
  }
  return sysctls;
}

/** The firewall and the translation of addresses that a topology made. */
async function tableOf({ rtnl }: Source, lo: Link): Promise<Pick<HostSpec, "firewall" | "nat">> {
  const [topology] = tablesOf(lo);
  if (topology === undefined) return {};
  using nft = await Nft.beside(rtnl);
  const { firewall, nat } = await readTopologyTable(nft, topology) ?? {};
  return { firewall, nat };
}

/** The containers that are attached to a namespace, with all that they have. */
function containersOf(
  source: Source,
  sources: readonly Source[],
  specs: ReadonlyMap<Source, HostSpec>,
): [Source, ContainerSpec][] {
  const by = new Map<Source, Found[]>();
  for (const attachment of source.attachments) {
    const container = sources.find(({ netns }) => netns.id === attachment.netns);
    if (container !== undefined) by.set(container, [...by.get(container) ?? [], attachment]);
  }
  return [...by].map(([container, attachments]) => {
    const entries = attachments.map((it, i) =>
      [it.interface, attachmentOf(it, source, container, i === 0)] as const
    );
    const [[name, only] = ["", {}]] = entries;
    const single = entries.length === 1 && name === "eth0";
    const gateways = new Set(attachments.flatMap((it) => it.gateways));
    const spec = specs.get(container)!;
    // The default routes are the attachment's.
    const routes = spec.routes?.filter(({ to, via }) =>
      to !== "default" || !gateways.has(via ?? "")
    );
    return [container, {
      ...single ? only : { interfaces: Object.fromEntries(entries) },
      ...notEmpty({ ...spec, routes }),
    }];
  });
}

function attachmentOf(found: Found, source: Source, container: Source, isFirst: boolean) {
  const host = source.links.find(({ index }) => index === found.index);
  const dump = (it: Source) => ({ ...it.objects, links: it.links });
  const spec = specFound(dump(source), found, host, dump(container));
  const { bridge, addresses, gateways = [], rate, publish, masquerade, hairpin, isolated, mtu } =
    spec;
  const own = addressesOn(source.links.find(({ name }) => name === bridge)?.index ?? 0, source);
  const bridges = [own.address, ...own.addresses ?? []].map((text) => text?.split("/")[0]);
  const isAuto = isFirst
    ? gateways.length > 0 && gateways.every((it) => bridges.includes(it))
    : gateways.length === 0;
  return said({
    bridge: bridge as string | undefined,
    ...addresses.length === 1 ? { address: addresses[0] } : { addresses },
    gateways: bridge === undefined || isAuto ? undefined : gateways,
    mtu: mtu === host?.mtu && mtu === ETHERNET_MTU ? undefined : mtu,
    rate: rate === undefined ? undefined : rate.receive === rate.send ? rate.receive : rate,
    publish: publish?.length ? publish : undefined,
    ...{ masquerade, hairpin, isolated },
  });
}
