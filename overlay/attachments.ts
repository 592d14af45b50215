/**
 * What is attached: read from the links themselves, so that it is right after a restart too.
 *
 * @module
 */

import { findHeld } from "../netns/held.ts";
import { connect, type NetnsOptions } from "../netns/netns.ts";
import { NetlinkError, NotFoundError } from "../ffi/errors.ts";
import { LINK, link, type LinkSpec } from "../rtnl/link.ts";
import { netnsId } from "../rtnl/netns_id.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { absentIsFalse, findLink } from "./links.ts";
import { onlyAttributes } from "./only.ts";
import { checkOwner, makingAltName, parseTag, type Tag } from "./tag.ts";

/** A container's connection to the host. */
export interface Attachment extends Tag {
  /** The name of the host's end. */
  hostInterface: string;
  /** The name of the bridge it is on, if it is on one. */
  bridge: string | undefined;
  /** Largest packet in bytes. */
  mtu: number;
}

/** An attachment with its link's number, and whether it is finished. */
export interface Found extends Attachment {
  index: number;
  /** Its attach was interrupted, or is under way. */
  making: boolean;
  /** The number that the host's namespace has for the container's, -1 when that is gone. */
  nsid: number | undefined;
}

/** Whose attachments, and on which host. */
export interface OwnerOptions extends NetnsOptions {
  /**
   * What `attach` was given as `owner`.
   * @default {"denolink"}
   */
  owner?: string | undefined;
}

/**
 * What is attached to the host, oldest first: by this program or another one, before a restart or after;
 * of one owner, or of all.
 *
 * @example Who is there
 * ```ts
 * import { listAttachments } from "@denolink/denolink";
 *
 * for (const { id, addresses } of await listAttachments()) console.log(id, addresses);
 * ```
 */
export async function listAttachments(
  { owner, ...options }: OwnerOptions = {},
): Promise<Attachment[]> {
  if (owner !== undefined) checkOwner(owner);
  using rtnl = await connect(options);
  const found = await findAttachments(rtnl);
  return found.filter((it) => !it.making && (owner === undefined || it.owner === owner))
    .map(({ index: _, making: __, nsid: ___, ...attachment }) => attachment);
}

/** What is read of each link: of a thousand, reading all of it would be most of the work. */
const ESSENTIAL = onlyAttributes(LINK, [
  ...["name", "alias", "altNames", "master", "mtu", "linkNetnsId"],
]);

/** The attachments on the host that a connection leads to, of all owners; or those of a bridge. */
export async function findAttachments(host: Rtnl, filter: LinkSpec = {}): Promise<Found[]> {
  const found: Found[] = [];
  const bridges = new Map<number, string | undefined>();
  const request = { ...link.list({ linkInfo: { kind: "veth" }, ...filter }), shape: ESSENTIAL };
  for (
    const { alias, name, index, altNames, master, mtu, linkNetnsId: nsid } of await host.request(
      request,
    )
  ) {
    const tag = parseTag(alias);
    if (tag === undefined) continue;
    if (master && !bridges.has(master)) {
      bridges.set(master, (await findLink(host, { index: master }))?.name);
    }
    const bridge = master ? bridges.get(master) : undefined;
    const making = altNames?.includes(makingAltName(tag.owner)) ?? false;
    found.push({ ...tag, hostInterface: name!, index: index!, bridge, mtu: mtu!, making, nsid });
  }
  return found;
}

/**
 * Deletes the host's ends of attachments, and so both ends: the kernel takes some 20 ms for one link, and
 * as long for all links of a group, so many get a group of their own first.
 */
export async function deleteLinks(host: Rtnl, attachments: readonly Found[]): Promise<void> {
  const [first, second] = attachments;
  if (first === undefined) return;
  if (second === undefined) {
    const { index, interface: name, id, netns } = first;
    await absentIsFalse(() =>
      host.request({
        ...link.delete({ index }),
        operation: `detach ${name} of ${id ?? `network namespace number ${netns}`}`,
      })
    );
    return;
  }
  // 30 random bits: a group that nobody else has.
  const group = 1 + crypto.getRandomValues(new Uint32Array(1))[0]! % 0x3fffffff;
  const answers = await host.batch([
    // Those that are gone meanwhile need no group.
    ...attachments.map(({ index }) => link.set({ index, group })),
    { ...link.delete({ group }), operation: `detach ${attachments.length} containers` },
  ]);
  const deleted = answers.at(-1);
  if (deleted instanceof NetlinkError && !(deleted instanceof NotFoundError)) throw deleted;
}

/** Deletes the link of an attach that was interrupted; false when there is none. The host's lock is held. */
export async function deleteHalfMade(host: Rtnl, owner: string): Promise<boolean> {
  const left = await findLink(host, { altName: makingAltName(owner) });
  if (left === undefined) return false;
  return await absentIsFalse(() => host.links.delete({ index: left.index }));
}

/**
 * Deletes attachments of namespaces that are gone, and their leases with them; false when there are none.
 * The kernel does it too, but in the background, which may be a while after the container has ended.
 */
export async function deleteDead(host: Rtnl): Promise<boolean> {
  for (let attempts = 0; attempts < DYING_ATTEMPTS; attempts++) {
    if (await deleteDeadNow(host)) return true;
    // The last reference to a namespace may be a socket's, which the kernel drops late when it has much to do.
    const held = new Set(findHeld().map(({ id }) => id));
    if ((await findAttachments(host)).every(({ netns }) => held.has(netns))) return false;
    await new Promise((resolve) => setTimeout(resolve, DYING_MILLISECONDS));
  }
  return false;
}

/** How often to look whether a namespace that nobody holds is gone, and how long to wait in between. */
const DYING_ATTEMPTS = 50;
const DYING_MILLISECONDS = 20;

async function deleteDeadNow(host: Rtnl): Promise<boolean> {
  const found = (await findAttachments(host)).filter(({ nsid }) => nsid !== undefined);
  // The kernel knows none by a number whose last user is gone (get_net_ns_by_id).
  const answers = await host.batch(found.map(({ nsid }) => netnsId.get({ nsid })));
  // While the kernel is at it the number is gone already, and the link not yet: it says -1.
  const dead = found.filter(({ nsid }, i) => nsid === -1 || answers[i] instanceof NotFoundError);
  await deleteLinks(host, dead);
  return dead.length > 0;
}

/** Throws the first error of a batch. */
export function throwFirst(results: readonly unknown[]): void {
  const error = results.find((result) => result instanceof NetlinkError);
  if (error !== undefined) throw error;
}
