/**
 * A container leaves a network.
 *
 * @module
 */

import { Netns } from "../netns/netns.ts";
import { describeTarget, type NetnsTarget } from "../netns/target.ts";
import {
  type Attachment,
  deleteLinks,
  findAttachments,
  type Found,
  type OwnerOptions,
} from "./attachments.ts";
import { type Host, openHost } from "./host.ts";
import { checkLinkName } from "./input.ts";
import { shareHostLock } from "./lock.ts";
import { findMadeNetns } from "./made_netns.ts";
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
 * Several at once take little longer than one: those that wait for each other are done together.
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
  const asked: Asked = { host, owner, isMeant };
  const answer = await shareHostLock(`detach ${what}`, host.netns, asked, detachAll);
  if (typeof answer !== "boolean") throw answer.error;
  return answer;
}

/** What one caller wants gone. */
interface Asked {
  host: Host;
  owner: string;
  isMeant(attachment: Attachment): boolean;
}

/**
 * Detaches for all who wait: 200 take 0.1 s, and one by one 7.7 s. Answers each whether he was the first to
 * ask for something that was there, or why it failed.
 */
async function detachAll(asked: readonly Asked[]): Promise<(boolean | { error: unknown })[]> {
  const { host } = asked[0]!;
  let left = await findAttachments(host.rtnl);
  const gone = asked.map(({ owner, isMeant }) => {
    // Under the lock no attach is under way, so what is half made was interrupted.
    const isGone = (it: Found) => it.owner === owner && (it.making || isMeant(it));
    const { own = [], others = [] } = Object.groupBy(left, (it) => isGone(it) ? "own" : "others");
    left = others;
    return own;
  });
  await deleteLinks(host.rtnl, gone.flat());
  const failures = new Map<string, { error: unknown }>();
  for (const owner of new Set(asked.map(({ owner }) => owner))) {
    try {
      await tidy(host, owner, left, gone.filter((_, i) => asked[i]!.owner === owner));
    } catch (error) {
      failures.set(owner, { error });
    }
  }
  return asked.map(({ owner }, i) => failures.get(owner) ?? gone[i]!.some(({ making }) => !making));
}

/** Takes away what an owner needed only for what is gone, by caller. */
async function tidy(
  host: Host,
  owner: string,
  left: readonly Found[],
  gone: readonly Found[][],
): Promise<void> {
  await settle(host, owner, { attachments: left });
  // One that finds nothing may be the repetition of one that was killed.
  const emptied = gone.some((own) => own.length === 0)
    ? undefined
    : new Set(gone.flat().map(({ netns }) => netns));
  (await findMadeNetns(left, host.netns, owner, emptied)).forEach(Netns.remove);
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
