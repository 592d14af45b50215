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
  group: number | undefined;
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
    .map(({ index: _, group: __, making: ___, nsid: ____, ...attachment }) => attachment);
}

/** What is read of each link: of a thousand, reading all of it would be most of the work. */
const ESSENTIAL = onlyAttributes(LINK, [
  ...["name", "alias", "altNames", "master", "mtu", "group", "linkNetnsId"],
]);

/** The attachments on the host that a connection leads to, of all owners; or those of a bridge. */
export async function findAttachments(host: Rtnl, filter: LinkSpec = {}): Promise<Found[]> {
  const found: Found[] = [];
  const bridges = new Map<number, string | undefined>();
  const request = { ...link.list({ linkInfo: { kind: "veth" }, ...filter }), shape: ESSENTIAL };
  for (
    const { alias, name, index, group, altNames, master, mtu, linkNetnsId: nsid } of await host
      .request(request)
  ) {
    const tag = parseTag(alias);
    if (tag === undefined) continue;
    if (master && !bridges.has(master)) {
      bridges.set(master, (await findLink(host, { index: master }))?.name);
    }
    const bridge = master ? bridges.get(master) : undefined;
    const making = altNames?.includes(makingAltName(tag.owner)) ?? false;
    const attachment: Attachment = { ...tag, hostInterface: name!, bridge, mtu: mtu! };
    found.push({ ...attachment, index: index!, group, making, nsid });
  }
  return found;
}

/** Deletes the host's ends of attachments, and so both ends. */
export async function deleteLinks(host: Rtnl, attachments: readonly Found[]): Promise<void> {
  const [first, second] = attachments;
  if (first === undefined) return;
  const { interface: name, id, netns } = first;
  const what = second === undefined
    ? `${name} of ${id ?? `network namespace number ${netns}`}`
    : `${attachments.length} containers`;
  await deleteTogether(host, attachments, `detach ${what}`);
}

/**
 * Deletes links, unless they are gone already; throws the first refusal. The kernel takes some 20 ms for
 * one link, and as long for all of a group, so several become one in the same system call, that no crash
 * leaves them in it. What is refused gets the group back that it had.
 */
export async function deleteTogether(
  rtnl: Rtnl,
  links: readonly { index: number; group: number | undefined }[],
  operation?: string,
): Promise<void> {
  const [first, second] = links;
  if (first === undefined) return;
  const deleting = (spec: LinkSpec) => ({
    ...link.delete(spec),
    ...operation === undefined ? {} : { operation },
  });
  // 30 random bits: a group that nobody else has.
  const group = 1 + crypto.getRandomValues(new Uint32Array(1))[0]! % 0x3fffffff;
  const answers = await rtnl.batch(
    second === undefined
      ? [deleting({ index: first.index })]
      : [...links.map(({ index }) => link.set({ index, group })), deleting({ group })],
  );
  const refused = answers.filter((answer) => !(answer instanceof NotFoundError));
  if (refused.some((answer) => answer instanceof NetlinkError)) {
    await rtnl.batch(links.map(({ index, group }) => link.set({ index, group })));
  }
  throwFirst(refused);
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
  for (const end = performance.now() + DYING_MILLISECONDS; performance.now() < end;) {
    const found = await findAttachments(host);
    if (await deleteDeadOf(found, host)) return true;
    // The last reference to a namespace may be a socket's, which the kernel drops late when it has much to do.
    const held = new Set(findHeld().map(({ id }) => id));
    if (found.every(({ netns }) => held.has(netns))) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MILLISECONDS));
  }
  return false;
}

/** How long a namespace that nobody holds may take to be gone, when a thousand others go with it. */
const DYING_MILLISECONDS = 5000;
const LOOK_AGAIN_MILLISECONDS = 20;

async function deleteDeadOf(attachments: readonly Found[], host: Rtnl): Promise<boolean> {
  const found = attachments.filter(({ nsid }) => nsid !== undefined);
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
