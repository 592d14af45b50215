/**
 * What is attached: read from the links themselves, so that it is right after a restart too.
 *
 * @module
 */

import { connect, Netns, type NetnsOptions } from "../netns/netns.ts";
import type { NetnsTarget } from "../netns/target.ts";
import { link } from "../rtnl/link.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { type Family, forwardingBearer, moveForwardingMark, stopForwarding } from "./forwarding.ts";
import { checkLinkName } from "./input.ts";
import { absentIsFalse, findLink } from "./links.ts";
import { checkId, parseTag, type Tag } from "./tag.ts";

/** A container's connection to the host. */
export interface Attachment extends Tag {
  /** The name of the host's end. */
  hostInterface: string;
  /** The name of the bridge it is on, if it is on one. */
  bridge: string | undefined;
  /** Largest packet in bytes. */
  mtu: number;
}

/** Which attachment: the one of a namespace, or all with an id. */
export type DetachTarget =
  | {
    /** The container's namespace. */
    netns: NetnsTarget;
    /**
     * The link's name in the container.
     * @default {"eth0"}
     */
    interface?: string | undefined;
  }
  | { /** What `attach` was given as `id`. */ id: string };

/**
 * What is attached to the host, oldest first: by this program or another one, before a restart or after.
 *
 * @example Who is there
 * ```ts
 * import { listAttachments } from "@denolink/denolink";
 *
 * for (const { id, addresses } of await listAttachments()) console.log(id, addresses);
 * ```
 */
export async function listAttachments(options?: NetnsOptions): Promise<Attachment[]> {
  using rtnl = await connect(options);
  return await attachmentsOf(rtnl);
}

/** The attachments on the host that a connection leads to. */
export async function attachmentsOf(host: Rtnl): Promise<Attachment[]> {
  const found: Attachment[] = [];
  const bridges = new Map<number, string | undefined>();
  for await (
    const { alias, name, master, mtu } of host.links.list({ linkInfo: { kind: "veth" } })
  ) {
    const tag = parseTag(alias);
    if (tag === undefined) continue;
    if (master && !bridges.has(master)) {
      bridges.set(master, (await findLink(host, { index: master }))?.name);
    }
    const bridge = master ? bridges.get(master) : undefined;
    found.push({ ...tag, hostInterface: name!, bridge, mtu: mtu! });
  }
  return found;
}

/**
 * Takes an attachment away: both ends with their addresses and routes, and the host's forwarding if
 * nobody else needs it and it was off before. False when there was nothing to detach. `NotFoundError`
 * when there is no such namespace.
 *
 * @example By id
 * ```ts
 * import { detach } from "@denolink/denolink";
 *
 * console.log(await detach({ id: "web" }));
 * ```
 */
export async function detach(
  target: DetachTarget,
  { netns }: NetnsOptions = {},
): Promise<boolean> {
  const isMeant = matcher(target);
  using here = netns && Netns.open(netns);
  using host = await connect({ netns: here });
  const attachments = await attachmentsOf(host);
  const meant = attachments.filter(isMeant);
  await removeAttachments(meant, attachments, host, { netns: here });
  return meant.length > 0;
}

/** Deletes the links of some of all attachments, and stops forwarding where none that stays needs it. */
export async function removeAttachments(
  removed: Attachment[],
  all: Attachment[],
  rtnl: Rtnl,
  host: NetnsOptions,
): Promise<void> {
  const names = new Set(removed.map(({ hostInterface }) => hostInterface));
  const staying = all.filter(({ hostInterface }) => !names.has(hostInterface));
  const wasOff = new Set(removed.flatMap(({ forwardingWasOff }) => forwardingWasOff));
  for (const family of wasOff) {
    // The mark would go with its link, so it goes to another one before.
    const bearer = await forwardingBearer(family, rtnl);
    if (names.has(bearer?.name ?? "")) await passMarkOn(family, staying, rtnl);
  }
  for (const { hostInterface, interface: name, id, netns } of removed) {
    await absentIsFalse(() =>
      rtnl.request({
        ...link.delete({ name: hostInterface }),
        operation: `detach ${name} of ${id ?? `network namespace number ${netns}`}`,
      })
    );
  }
  if (wasOff.size === 0) return;
  // Only what is left now counts: others may have been detached meanwhile.
  const left = await attachmentsOf(rtnl);
  for (const family of wasOff) {
    if (!left.some(({ forwarding }) => forwarding.includes(family))) {
      await stopForwarding(family, rtnl, host);
    } else if (await forwardingBearer(family, rtnl) === undefined) {
      await passMarkOn(family, left, rtnl);
    }
  }
}

/** Lets the first link that needs forwarding remember that it was off. */
async function passMarkOn(family: Family, heirs: Attachment[], rtnl: Rtnl): Promise<void> {
  const heir = heirs.find(({ forwarding }) => forwarding.includes(family));
  const found = heir && await findLink(rtnl, { name: heir.hostInterface });
  if (found?.index !== undefined) await moveForwardingMark(family, found.index, rtnl);
}

function matcher(target: DetachTarget): (attachment: Attachment) => boolean {
  if ("id" in target) {
    const id = checkId(target.id);
    return (attachment) => attachment.id === id;
  }
  const name = checkLinkName(target.interface ?? "eth0");
  using container = Netns.open(target.netns);
  const { id } = container;
  return (attachment) => attachment.netns === id && attachment.interface === name;
}
