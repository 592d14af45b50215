/**
 * Whether addresses can be meant, and how containers are attached.
 *
 * @module
 */

import type { AttachSpec } from "../attach_input.ts";
import { readSpec } from "../attach_input.ts";
import { type Cidr, contains, isLinkLocal, parseHost, subnetOf } from "../input.ts";
import type { Rate } from "../rate.ts";
import { readVxlan } from "../vxlan.ts";
import {
  type Check,
  type Lab,
  problem,
  refused,
  resolve,
  type SaidAddress,
  type SaidLink,
} from "./checks_model.ts";
import { ATTACHMENT_KEYS } from "./format.ts";
import { formatPath, type Path, type Problem } from "./problem.ts";
import { problemOf } from "./schema.ts";
import type { AttachmentEntry } from "./types.ts";
import { parsePublish, parseRate } from "./units.ts";

/** All about addresses and attachments. */
export const ADDRESS_CHECKS: readonly Check[] = [
  addressesTwice,
  overlaps,
  sharedAddresses,
  outsideOfBridge,
  autoWithoutSubnet,
  gatewaysOfAuto,
  smallMtus,
  publishedTwice,
  vxlans,
];

const isIpv6 = ({ cidr }: SaidAddress) => cidr.family === "inet6";
const bitsOf = ({ bytes }: Cidr) => bytes.length * 8;

/** The subnets that a bridge's own addresses are in. */
const subnetsOf = ({ addresses }: SaidLink) => addresses.map(({ cidr }) => subnetOf(cidr));

const attachmentsOf = ({ spaces }: Lab) => spaces.flatMap(({ attachments }) => attachments);

function* addressesTwice({ spaces }: Lab): Iterable<Problem> {
  for (const { links } of spaces) {
    for (const { addresses } of links) {
      const said = new Set<string>();
      for (const { cidr: { address, prefixLength }, path } of addresses) {
        const text = `${address}/${prefixLength}`;
        if (said.has(text)) yield problem(path, `${text} is there twice; leave one out`);
        said.add(text);
      }
    }
  }
}

/** Of two links with one subnet the kernel would not know which leads there. */
function* overlaps(lab: Lab): Iterable<Problem> {
  for (const { links } of lab.spaces) {
    const said = links.flatMap((link) =>
      link.addresses.map((address) => ({ ...address, link, table: tableOf(lab, link) }))
    ).filter(({ cidr }) => cidr.prefixLength < bitsOf(cidr) && !isLinkLocal(cidr));
    const order = new Map(said.map((it, i) => [it, i]));
    // A subnet comes behind the one that holds it.
    const sorted = said.toSorted((a, b) =>
      compareBytes(a.cidr, b.cidr) || a.cidr.prefixLength - b.cidr.prefixLength
    );
    const holding: typeof said = [];
    for (const it of sorted) {
      while (holding.length > 0 && !contains(holding.at(-1)!.cidr, it.cidr)) holding.pop();
      const other = holding.find(({ link, table }) => link !== it.link && table === it.table);
      holding.push(it);
      if (other === undefined) continue;
      const [first, second] = order.get(it)! < order.get(other)! ? [it, other] : [other, it];
      yield problem(
        second.path,
        `${second.text} overlaps ${first.text} of ${first.link.name}; take another subnet`,
      );
    }
  }
}

/** What tells the routes of one link from those of another: its VRF. */
function tableOf(lab: Lab, link: SaidLink): unknown {
  const master = lab.masters.get(link);
  if (link.kind === "vrf") return link;
  if (master?.kind === "vrf") return master;
  // One that the file does not speak of may be a VRF.
  return master === undefined ? link.entry.master : undefined;
}

/** Subnets by family and their first address. */
function compareBytes(a: Cidr, b: Cidr): number {
  if (a.bytes.length !== b.bytes.length) return a.bytes.length - b.bytes.length;
  const [first, second] = [a, b].map(firstOf);
  const at = first!.findIndex((byte, i) => byte !== second![i]);
  return at < 0 ? 0 : first![at]! - second![at]!;
}

function firstOf({ bytes, prefixLength }: Cidr): number[] {
  return [...bytes].map((byte, i) => {
    const bits = Math.min(Math.max(prefixLength - 8 * i, 0), 8);
    return byte & 0xff00 >> bits;
  });
}

/** Links that hear each other's frames, or are routed by one host: an address is one's only. */
function* sharedAddresses(lab: Lab): Iterable<Problem> {
  for (const domain of domainsOf(lab)) {
    const first = new Map<string, SaidLink>();
    for (const link of domain) {
      for (const { cidr: { address }, path } of link.addresses) {
        const other = first.get(address);
        if (other === undefined) first.set(address, link);
        else if (other !== link) {
          yield problem(
            path,
            `${
              formatPath(other.path)
            } has ${address} already, in the same network; take another one`,
          );
        }
      }
    }
  }
}

function domainsOf(lab: Lab): Iterable<ReadonlySet<SaidLink>> {
  const domains = new Map<SaidLink | string, Set<SaidLink>>();
  const join = (key: SaidLink | string, ...links: SaidLink[]) => {
    const domain = domains.getOrInsertComputed(key, () => new Set());
    for (const link of links) domain.add(link);
  };
  const bridgeOf = (port: SaidLink) => {
    const master = lab.masters.get(port);
    return master?.kind === "bridge" ? master : undefined;
  };
  for (const link of lab.spaces.flatMap(({ links }) => links)) {
    if (link.kind === "bridge") join(link, link);
    const { entry: { peer: said }, space, path } = link;
    const peer = said === undefined ? undefined : resolve(lab, said, space);
    if (peer === undefined) continue;
    const [here, there] = [bridgeOf(link), bridgeOf(peer)];
    if (here !== undefined) join(here, peer);
    if (there !== undefined) join(there, link);
    const pair = [path, peer.path].map(formatPath).sort().join(" ");
    if (here === undefined && there === undefined) join(pair, link, peer);
  }
  for (const { link, bridge, host, entry } of attachmentsOf(lab)) {
    join(bridge ?? `${host.name} ${entry.bridge ?? ""}`, link);
  }
  // Each VLAN is a network of its own.
  return [...domains].filter(([bridge]) => typeof bridge === "string" || !heedsVlans(bridge))
    .map(([, domain]) => domain);
}

function heedsVlans({ entry: { vlanFiltering, data } }: SaidLink): boolean {
  return vlanFiltering ?? data?.vlanFiltering === true;
}

function* outsideOfBridge(lab: Lab): Iterable<Problem> {
  for (const { link, bridge } of attachmentsOf(lab)) {
    if (bridge?.kind !== "bridge") continue;
    for (const { cidr, path } of link.addresses) {
      const own = bridge.addresses.filter((it) => it.cidr.family === cidr.family);
      if (own.length === 0 || isLinkLocal(cidr)) continue;
      if (own.some((it) => contains(it.cidr, cidr))) continue;
      yield problem(path, outside(cidr.address, bridge));
    }
  }
}

function outside(address: string, bridge: SaidLink): string {
  return `${address} is in no subnet of bridge ${bridge.name}; take one of ${
    subnetsOf(bridge).join(", ")
  }`;
}

function* autoWithoutSubnet(lab: Lab): Iterable<Problem> {
  for (const { auto, bridge, entry, path } of attachmentsOf(lab)) {
    if (bridge?.kind !== "bridge" || bridge.addresses.length > 0) continue;
    if (auto) {
      yield problem(
        entry.addresses === undefined ? path : [...path, "addresses"],
        `auto takes the next free address of a bridge's subnet, and ${bridge.name} has none; give it an address`,
      );
    }
    const at = entry.gateways?.indexOf("auto") ?? -1;
    if (at < 0) continue;
    yield problem(
      [...path, "gateways", at],
      `auto is the bridge's own address, and ${bridge.name} has none; give it one`,
    );
  }
}

/** The other gateways are looked at together with the addresses. */
function* gatewaysOfAuto(lab: Lab): Iterable<Problem> {
  for (const { auto, bridge, entry: { gateways = [] }, path } of attachmentsOf(lab)) {
    if (!auto || bridge?.kind !== "bridge" || bridge.addresses.length === 0) continue;
    for (const [i, text] of gateways.entries()) {
      if (text === "auto") continue;
      const gateway = parseHost(text, "gateway");
      if (isLinkLocal(gateway) || bridge.addresses.some(({ cidr }) => contains(cidr, gateway))) {
        continue;
      }
      yield problem([...path, "gateways", i], outside(gateway.address, bridge));
    }
  }
}

function* smallMtus(lab: Lab): Iterable<Problem> {
  const auto = new Map(
    attachmentsOf(lab).map(({ link, auto, bridge }) => [
      link,
      auto && bridge !== undefined ? bridge.addresses : [],
    ]),
  );
  for (const link of lab.spaces.flatMap(({ links }) => links)) {
    const { entry: { mtu }, addresses, path } = link;
    const own = [...addresses, ...auto.get(link) ?? []].find(isIpv6);
    if (mtu === undefined || mtu >= 1280 || own === undefined) continue;
    yield problem([...path, "mtu"], `IPv6 needs 1280 at least, and it has ${own.text}; raise it`);
  }
}

function* publishedTwice({ spaces, ...lab }: Lab): Iterable<Problem> {
  const first = new Map<string, Path>();
  for (const { host, path, entry: { publish = [] } } of attachmentsOf({ spaces, ...lab })) {
    for (const [i, said] of publish.entries()) {
      const { protocol, hostPort } = parsePublish(said);
      const key = JSON.stringify([host.path, protocol, hostPort]);
      const other = first.get(key);
      if (other === undefined) first.set(key, path);
      else {
        yield problem(
          [...path, "publish", i],
          `${protocol} port ${hostPort} leads to ${formatPath(other)} already; take another one`,
        );
      }
    }
  }
}

function* vxlans({ spaces }: Lab): Iterable<Problem> {
  for (const { links } of spaces) {
    const first = new Map<number, SaidLink>();
    for (const link of links) {
      const { entry: { vxlan }, path } = link;
      if (vxlan === undefined) continue;
      yield* refused([...path, "vxlan"], () => readVxlan(vxlan));
      const other = first.get(vxlan.id);
      if (other === undefined) first.set(vxlan.id, link);
      else {
        yield problem(
          [...path, "vxlan", "id"],
          `bridge ${other.name} has this number already; take another one`,
        );
      }
    }
  }
}

/** What may be to blame when an attachment can't be meant, but for its addresses. */
const BLAMED = [
  "pool",
  "gateways",
  "mac",
  "mtu",
  "rate",
  "publish",
  "hairpin",
  "isolated",
] as const;

/** What `attach` would refuse of those attachments in which nothing else is wrong. */
export function* refusedAttachments(lab: Lab, found: readonly Problem[]): Iterable<Problem> {
  const bad = new Set(found.flatMap(({ path }) => [
    formatPath(path),
    ...path.flatMap((step, i) =>
      Object.hasOwn(ATTACHMENT_KEYS, step) ? [formatPath(path.slice(0, i))] : []
    ),
  ]));
  for (const { path, link, entry } of attachmentsOf(lab)) {
    if (bad.has(formatPath(path))) continue;
    const message = refusal(entry, link.name);
    if (message === undefined) continue;
    const blamed = BLAMED.find((key) =>
      entry[key] !== undefined && refusal({ ...entry, [key]: undefined }, link.name) === undefined
    );
    yield problem(blamed === undefined ? path : [...path, blamed], message);
  }
}

function refusal(entry: AttachmentEntry, name: string): string | undefined {
  const { address, addresses, publish = [], rate } = entry;
  // A container has more keys than those of its attachment.
  const { bridge, pool, mac, mtu, masquerade, hairpin, isolated } = entry;
  const spec: AttachSpec = {
    ...{ bridge, pool, mac, mtu, masquerade, hairpin, isolated },
    netns: { name: "any" },
    interface: name,
    addresses: [...addresses ?? (address === undefined ? ["auto"] : [address])],
    gateways: entry.gateways === undefined ? undefined : [...entry.gateways],
    publish: publish.map(parsePublish),
    rate: rateOf(rate),
  };
  return problemOf(() => readSpec(spec));
}

function rateOf(rate: AttachmentEntry["rate"]): Rate {
  const { receive, send } = typeof rate === "object" ? rate : { receive: rate, send: rate };
  const read = (own: typeof send) => own === undefined ? undefined : parseRate(own);
  return { receive: read(receive), send: read(send) };
}
