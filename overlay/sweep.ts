/**
 * Taking away what is left of containers that are gone.
 *
 * @module
 */

import { Netns } from "../netns/netns.ts";
import { deleteLinks, findAttachments, type OwnerOptions } from "./attachments.ts";
import { openHost } from "./host.ts";
import { withHostLock } from "./lock.ts";
import { findMadeNetns } from "./made_netns.ts";
import { settle, type Swept } from "./settle.ts";
import { checkOwner, DEFAULT_OWNER } from "./tag.ts";

/** What is swept, and whose. */
export interface SweepOptions extends OwnerOptions {
  /**
   * Only say what would be taken away.
   * @default {false}
   */
  dryRun?: boolean | undefined;
}

/**
 * Takes away what an owner's containers that are gone have left, and says what: links of attaches that were
 * interrupted, bridges and named namespaces that attachments made and that nobody uses, its translation of
 * addresses, forwarding that was off before. The kernel itself takes away a link whose namespace is gone.
 *
 * What is attached, and what others have, stays. It may run beside attaches, of any process.
 *
 * @example See first
 * ```ts
 * import { sweep } from "@denolink/denolink";
 *
 * for (const { kind, name } of await sweep({ dryRun: true })) console.log(kind, name);
 * await sweep();
 * ```
 */
export async function sweep(
  { netns, owner = DEFAULT_OWNER, dryRun = false }: SweepOptions = {},
): Promise<Swept[]> {
  checkOwner(owner);
  using host = await openHost({ netns });
  return await withHostLock("sweep", host.netns, async () => {
    // Under the lock no attach is under way, so what is half made was interrupted.
    const all = await findAttachments(host.rtnl);
    const halfMade = all.filter((it) => it.making && it.owner === owner);
    const attachments = all.filter((it) => !halfMade.includes(it));
    if (!dryRun) await deleteLinks(host.rtnl, halfMade);
    const made = await findMadeNetns(attachments, host.netns, owner);
    if (!dryRun) made.forEach(Netns.remove);
    return [
      ...halfMade.map(({ hostInterface }): Swept => ({ kind: "link", name: hostInterface })),
      ...made.map((name): Swept => ({ kind: "netns", name })),
      ...await settle(host, owner, { dryRun, attachments }),
    ];
  });
}
