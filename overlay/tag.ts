/**
 * What an attachment is, written on its link: the kernel is the database (ifalias, up to 255 bytes; further
 * names, which the kernel keeps one link's only).
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import { FAMILIES } from "./forwarding.ts";

/** The words that a tag consists of. */
export interface Tag {
  /** Whose it is: what `attach` was given as `owner`. */
  owner: string;
  /** The caller's name for the container, if it gave one. */
  id?: string | undefined;
  /** The number of the container's namespace. */
  netns: bigint;
  /** The link's name in there. */
  interface: string;
  /** The container's addresses, with their prefixes. */
  addresses: string[];
  /** The gateways of its default routes. */
  gateways: string[];
  /** The families for which the host routes for it. */
  forwarding: ("inet" | "inet6")[];
  /** Whether what leaves for other networks gets an address of the host's. */
  masquerade: boolean;
  /** The host's ports that lead to it. */
  publish: PublishedPort[];
  /** Of a topology's: a digest of what it says of this attachment. */
  digest?: string | undefined;
}

/** A port of the host that leads to one of a container. */
export interface PublishedPort {
  /** The transport protocol. */
  protocol: "tcp" | "udp";
  /** The host's port, 1 to 65535. */
  hostPort: number;
  /** The container's port, 1 to 65535. */
  port: number;
}

/** What is written on a link that a topology made. */
export interface TopologyTag {
  /** The topology's name. */
  topology: string;
  /** The keys of what it said of the link: "mtu", "data.id"; all others are the kernel's choice. */
  says: string[];
  /** Where the other end of a pair is: "r2:eth0". */
  peer?: string | undefined;
  /** Where the link below it is, if that is another namespace: "host:eth0". */
  link?: string | undefined;
}

/** What is written on a bridge that attachments made. */
export interface BridgeTag {
  /** Whose it is. */
  owner: string;
  /** The addresses that it was given, with their prefixes. */
  addresses: string[];
}

/** Whose links are those of a caller that doesn't say. */
export const DEFAULT_OWNER = "denolink";

/** A link whose alias starts otherwise is somebody else's. */
const PROGRAM = "denolink";
/** IFALIASZ of linux/if.h, without the NUL. */
const LONGEST = 255;

/** The further name of a link with an id, by which the kernel keeps it one link's only. */
export function idAltName({ owner, id, interface: name }: Tag): string | undefined {
  return id === undefined ? undefined : `${prefixOf(owner)}-${id}-${name}`;
}

/** The further name that keeps an address one container's of a bridge, or of all that are routed (0). */
export function addressAltName(bridge: number, address: string): string {
  return `denolink-lease-${bridge}-${address}`;
}

/** The further name that keeps a port of the host one container's. */
export function portAltName({ protocol, hostPort }: PublishedPort): string {
  return `denolink-port-${protocol}-${hostPort}`;
}

/** The further name of the one link that an owner is about to attach, until all of it is done. */
export function makingAltName(owner: string): string {
  return `${prefixOf(owner)}-making`;
}

function prefixOf(owner: string): string {
  // An owner has no dot, so that none can be taken for part of an id.
  return owner === DEFAULT_OWNER ? PROGRAM : `${PROGRAM}.${owner}`;
}

/** The text of a tag: `denolink id=web netns=4026532281 interface=eth0 addresses=10.0.0.2/24,fd00::2/64`. */
export function formatTag(tag: Tag): string {
  const text = format({
    owner: tag.owner === DEFAULT_OWNER ? undefined : tag.owner,
    id: tag.id,
    netns: String(tag.netns),
    interface: tag.interface,
    addresses: tag.addresses.join(","),
    gateways: tag.gateways.join(","),
    forwarding: tag.forwarding.join(","),
    masquerade: tag.masquerade ? "yes" : undefined,
    publish: tag.publish.map(formatPort).join(","),
    digest: tag.digest,
  });
  const length = new TextEncoder().encode(text).length;
  if (length > LONGEST) {
    throw new InputError(
      `Cannot attach ${tag.interface}: owner, id, addresses, gateways and ports take ${length} bytes on the link, and ${LONGEST} is the most; use a shorter id, or fewer addresses or ports`,
    );
  }
  return text;
}

/** Reads a link's alias; `undefined` when it is no attachment's. */
export function parseTag(alias: string | undefined): Tag | undefined {
  const values = parse(alias);
  const netns = values?.get("netns");
  const link = values?.get("interface");
  if (netns === undefined || !/^\d+$/.test(netns) || link === undefined) return undefined;
  const list = (key: string) => values?.get(key)?.split(",") ?? [];
  return {
    owner: values?.get("owner") ?? DEFAULT_OWNER,
    id: values?.get("id"),
    netns: BigInt(netns),
    interface: link,
    addresses: list("addresses"),
    gateways: list("gateways"),
    forwarding: FAMILIES.filter((family) => list("forwarding").includes(family)),
    masquerade: values?.has("masquerade") ?? false,
    publish: list("publish").flatMap((text) => parsePort(text) ?? []),
    digest: values?.get("digest"),
  };
}

/** The text on a bridge: `denolink bridge=yes addresses=10.0.0.1/24`. */
export function formatBridgeTag({ owner, addresses }: BridgeTag): string {
  return format({
    owner: owner === DEFAULT_OWNER ? undefined : owner,
    bridge: "yes",
    addresses: addresses.join(","),
  });
}

/** Reads a bridge's alias; `undefined` when no attachment made it. */
export function parseBridgeTag(alias: string | undefined): BridgeTag | undefined {
  const values = parse(alias);
  if (!values?.has("bridge")) return undefined;
  return {
    owner: values.get("owner") ?? DEFAULT_OWNER,
    addresses: values.get("addresses")?.split(",") ?? [],
  };
}

/** What is written on a link of which more is said than fits. */
export const MUCH = "*";

/** The text on a link of a topology: `denolink topology=lab says=mtu peer=r2:eth0`. */
export function formatTopologyTag({ topology, says, peer, link }: TopologyTag): string {
  const where = { peer, link };
  const text = format({ topology, says: says.join(","), ...where });
  const isShort = new TextEncoder().encode(text).length <= LONGEST;
  return isShort ? text : format({ topology, says: MUCH, ...where });
}

/** Reads a link's alias; `undefined` when no topology made it. */
export function parseTopologyTag(alias: string | undefined): TopologyTag | undefined {
  const values = parse(alias);
  const topology = values?.get("topology");
  if (topology === undefined) return undefined;
  const says = values?.get("says")?.split(",") ?? [];
  return { topology, says, peer: values?.get("peer"), link: values?.get("link") };
}

function format(words: Record<string, string | undefined>): string {
  return Object.entries(words)
    .filter(([, value]) => value !== undefined && value !== "")
    .reduce((text, [key, value]) => `${text} ${key}=${value}`, PROGRAM);
}

function parse(alias: string | undefined): Map<string, string> | undefined {
  const [program, ...words] = (alias ?? "").split(" ");
  if (program !== PROGRAM) return undefined;
  return new Map(words.map((word) => word.split("=", 2) as [string, string]));
}

function formatPort({ protocol, hostPort, port }: PublishedPort): string {
  return `${protocol}/${hostPort}/${port}`;
}

function parsePort(text: string): PublishedPort | undefined {
  const [, protocol, hostPort, port] = /^(tcp|udp)\/(\d+)\/(\d+)$/.exec(text) ?? [];
  if (protocol !== "tcp" && protocol !== "udp") return undefined;
  return { protocol, hostPort: Number(hostPort), port: Number(port) };
}

/** A caller's name for a container: 1 to 64 bytes without blanks. */
export function checkId(id: string): string {
  if (typeof id === "string" && /^[^\s\p{Cc}]+$/u.test(id)) {
    if (new TextEncoder().encode(id).length <= 64) return id;
  }
  throw new InputError(
    `Cannot use id ${
      JSON.stringify(id)
    }: an id has 1 to 64 bytes, without blanks or control characters`,
  );
}

/** Who attaches: 1 to 15 lower-case letters, digits and hyphens. */
export function checkOwner(owner: string): string {
  if (typeof owner === "string" && /^[a-z0-9-]{1,15}$/.test(owner)) return owner;
  throw new InputError(
    `Cannot use owner ${
      JSON.stringify(owner)
    }: an owner has 1 to 15 letters from a to z, digits and hyphens`,
  );
}
