/**
 * A container leaves a network.
 *
 * @module
 */

import { Netns } from "../netns/netns.ts";
import { describeTarget, type NetnsTarget } from "../netns/target.ts";
import { type Attachment, deleteLinks, findAttachments, type OwnerOptions } from "./attachments.ts";
import { openHost } from "./host.ts";
import { checkLinkName } from "./input.ts";
import { withHostLock } from "./lock.ts";
import { findMadeNetns, removeMadeNetns } from "./made_netns.ts";
import { settle } from "./settle.ts";
import { checkId, checkOwner, DEFAULT_OWNER } from "./tag.ts";

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
 * Takes an attachment away: both ends with their addresses and routes, and what the host did for it and
 * nobody else needs: forwarding that was off before, translation of addresses, a bridge and a namespace
 * that were made for it. False when there was nothing to detach. `NotFoundError` when there is no such
 * namespace.
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
  { netns, owner = DEFAULT_OWNER }: OwnerOptions = {},
): Promise<boolean> {
  checkOwner(owner);
  const isMeant = matcher(target);
  using host = await openHost({ netns });
  const what = "id" in target ? target.id : describeTarget(target.netns);
  return await withHostLock(`detach ${what}`, host.netns, async () => {
    const all = await findAttachments(host.rtnl);
    // Under the lock no attach is under way, so what is half made was interrupted.
    const gone = all.filter((it) => it.owner === owner && (it.making || isMeant(it)));
    const left = all.filter((it) => !gone.includes(it));
    await deleteLinks(host.rtnl, gone);
    await settle(host, owner, { attachments: left });
    // One that finds nothing may be the repetition of one that was killed.
    const emptied = gone.length === 0 ? undefined : new Set(gone.map(({ netns }) => netns));
    (await findMadeNetns(left, host.netns, owner, emptied)).forEach(removeMadeNetns);
    return gone.some((it) => !it.making);
  });
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
