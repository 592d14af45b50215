/**
 * What the host does for its attachments as long as there are some: it forwards, translates addresses, has
 * bridges. All of it follows from what is attached now, so that one look puts right what a removal, a
 * container's death or a crash has left.
 *
 * @module
 */

import { findEmptyBridges, removeBridge } from "./attach_bridge.ts";
import { findAttachments, type Found } from "./attachments.ts";
import { FAMILIES, stopForwarding, wasOff } from "./forwarding.ts";
import type { Host } from "./host.ts";
import { marksOf } from "./marks.ts";
import { hasTable, needsNat, tableOf, translateFor } from "./nat.ts";

/** Something that was taken away, or would be. */
export interface Swept {
  /** What it is. */
  kind: "link" | "bridge" | "netns" | "nat table" | "forwarding";
  /** Its name; of forwarding the family. */
  name: string;
}

/** How to settle. */
interface SettleOptions {
  /** Only say what would be taken away. */
  dryRun?: boolean;
  /** What is attached, or would be, for who has just looked. */
  attachments?: readonly Found[];
}

/** Takes away what no attachment needs any more, and says what; the host's lock is held. */
export async function settle(
  { rtnl, where }: Host,
  owner: string,
  { dryRun = false, attachments: left }: SettleOptions = {},
): Promise<Swept[]> {
  const swept: Swept[] = [];
  const marks = await marksOf(rtnl);
  const attachments = (left ?? await findAttachments(rtnl)).filter(({ making }) => !making);
  const needed = FAMILIES.filter((family) =>
    attachments.some(({ forwarding }) => forwarding.includes(family))
  );
  const unneeded = FAMILIES.filter((it) => !needed.includes(it) && wasOff(it, marks));
  swept.push(...unneeded.map((name): Swept => ({ kind: "forwarding", name })));
  if (!dryRun) await stopForwarding(unneeded, rtnl, where);

  const translated = attachments.filter((it) => it.owner === owner && needsNat(it));
  const hadTable = hasTable(owner, marks);
  if (translated.length === 0 && hadTable) {
    swept.push({ kind: "nat table", name: tableOf(owner) });
  }
  if (hadTable && !dryRun) await translateFor(translated, owner, rtnl);

  for (const bridge of await findEmptyBridges(rtnl, owner, attachments)) {
    swept.push({ kind: "bridge", name: bridge.name! });
    if (!dryRun) await removeBridge(rtnl, bridge);
  }
  return swept;
}
