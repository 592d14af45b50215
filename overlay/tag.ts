/**
 * What an attachment is, written on its link: the kernel is the database (ifalias, up to 255 bytes).
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";

/** The words that a tag consists of. */
export interface Tag {
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
  /** Those of them that the host did not forward before its first attachment. */
  forwardingWasOff: ("inet" | "inet6")[];
}

/** Who writes here: a link whose alias starts otherwise is somebody else's. */
const OWNER = "denolink";
/** IFALIASZ of linux/if.h, without the NUL. */
const LONGEST = 255;

/** The further name of a link with an id, by which the kernel keeps it one link's only. */
export function idAltName({ id, interface: name }: Tag): string | undefined {
  return id === undefined ? undefined : `denolink-${id}-${name}`;
}

/** The text of a tag: `denolink id=web netns=4026532281 interface=eth0 addresses=10.0.0.2/24,fd00::2/64`. */
export function formatTag(tag: Tag): string {
  const words = {
    id: tag.id,
    netns: String(tag.netns),
    interface: tag.interface,
    addresses: tag.addresses.join(","),
    gateways: tag.gateways.join(","),
    forwarding: tag.forwarding.join(","),
    "was-off": tag.forwardingWasOff.join(","),
  };
  const text = Object.entries(words)
    .filter(([, value]) => value !== undefined && value !== "")
    .reduce((text, [key, value]) => `${text} ${key}=${value}`, OWNER);
  const length = new TextEncoder().encode(text).length;
  if (length > LONGEST) {
    throw new InputError(
      `Cannot attach ${tag.interface}: id, addresses and gateways take ${length} bytes on the link, and ${LONGEST} is the most; use a shorter id or fewer addresses`,
    );
  }
  return text;
}

/** Reads a link's alias; `undefined` when it is not ours. */
export function parseTag(alias: string | undefined): Tag | undefined {
  const [owner, ...words] = (alias ?? "").split(" ");
  if (owner !== OWNER) return undefined;
  const values = new Map(words.map((word) => word.split("=", 2) as [string, string]));
  const netns = values.get("netns");
  const link = values.get("interface");
  if (netns === undefined || !/^\d+$/.test(netns) || link === undefined) return undefined;
  const list = (key: string) => values.get(key)?.split(",") ?? [];
  const families = (key: string) =>
    list(key).filter((family) => family === "inet" || family === "inet6");
  return {
    id: values.get("id"),
    netns: BigInt(netns),
    interface: link,
    addresses: list("addresses"),
    gateways: list("gateways"),
    forwarding: families("forwarding"),
    forwardingWasOff: families("was-off"),
  };
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
