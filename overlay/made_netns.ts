/**
 * Named namespaces that attachments made: they go with their last attachment, unless a program is inside.
 *
 * @module
 */

import { InputError, NotFoundError } from "../ffi/errors.ts";
import { findHeld } from "../netns/held.ts";
import { listNamed } from "../netns/named.ts";
import { Netns } from "../netns/netns.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { findAttachments } from "./attachments.ts";
import { findLink } from "./links.ts";
import { DEFAULT_OWNER } from "./tag.ts";

/** A namespace that an attach made. */
export interface MadeNetns {
  name: string;
  id: bigint;
}

/** Makes a named namespace that belongs to a host's attachments of an owner; false when there is one. */
export async function makeNetns(
  name: string,
  host: Netns,
  owner: string,
): Promise<Netns | undefined> {
  if (listNamed().some((named) => named.name === name && named.id !== undefined)) return undefined;
  const netns = await Netns.create(name);
  try {
    using rtnl = await netns.connect();
    // Written on its lo, which nobody can take away.
    await rtnl.links.addAltNames({ index: 1, altNames: [markOf(host, owner)] });
    return netns;
  } catch (error) {
    netns.close();
    Netns.remove(name);
    throw error;
  }
}

/** Those that have no attachment left and no program inside. The host's lock is held. */
export async function findMadeNetns(rtnl: Rtnl, host: Netns, owner: string): Promise<MadeNetns[]> {
  const named = listNamed().filter((it) => it.id !== undefined) as MadeNetns[];
  if (named.length === 0) return [];
  const attached = new Set((await findAttachments(rtnl)).map(({ netns }) => netns));
  const candidates: MadeNetns[] = [];
  for (const made of named.filter(({ id }) => !attached.has(id))) {
    if (await isMarked(made, host, owner)) candidates.push(made);
  }
  if (candidates.length === 0) return [];
  const inhabited = new Set(
    findHeld().filter(({ pids }) => pids.some((pid) => pid !== Deno.pid)).map(({ id }) => id),
  );
  return candidates.filter(({ id }) => !inhabited.has(id));
}

/** Takes its name away, and so the namespace. */
export function removeMadeNetns({ name }: MadeNetns): void {
  Netns.remove(name);
}

async function isMarked({ name, id }: MadeNetns, host: Netns, owner: string): Promise<boolean> {
  try {
    using netns = Netns.open({ name });
    if (netns.id !== id) return false;
    using rtnl = await netns.connect();
    return await findLink(rtnl, { altName: markOf(host, owner) }) !== undefined;
  } catch (error) {
    // It was deleted meanwhile.
    if (error instanceof NotFoundError || error instanceof InputError) return false;
    throw error;
  }
}

function markOf({ id }: Netns, owner: string): string {
  return `denolink${owner === DEFAULT_OWNER ? "" : `.${owner}`}-made-by-${id}`;
}
