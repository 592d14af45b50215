/**
 * Named namespaces that attachments made: they go with their last attachment, unless a program is inside.
 *
 * @module
 */

import { InputError, NotFoundError, PermissionError } from "../ffi/errors.ts";
import { findHeld } from "../netns/held.ts";
import { createNamed, listNamed } from "../netns/named.ts";
import { Netns } from "../netns/netns.ts";
import type { Found } from "./attachments.ts";
import { isMarked, setMark } from "./marks.ts";
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
  const netns = await Netns.create();
  try {
    using rtnl = await netns.connect();
    // Before it has a name: one that a crash leaves is known for what it is.
    await setMark(markOf(host, owner), rtnl);
    await createNamed(name, netns.fd);
    return netns;
  } catch (error) {
    netns.close();
    throw error;
  }
}

/**
 * Those that have none of these attachments and no program inside; with `ids` only those that it has. The
 * host's lock is held.
 */
export async function findMadeNetns(
  attachments: readonly Found[],
  host: Netns,
  owner: string,
  ids?: ReadonlySet<bigint>,
): Promise<MadeNetns[]> {
  const attached = new Set(attachments.map(({ netns }) => netns));
  const named = (listNamed().filter((it) => it.id !== undefined) as MadeNetns[])
    .filter(({ id }) => !attached.has(id) && (ids?.has(id) ?? true));
  const candidates: MadeNetns[] = [];
  for (const made of named) {
    if (await wasMadeBy(made, host, owner)) candidates.push(made);
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

async function wasMadeBy({ name, id }: MadeNetns, host: Netns, owner: string): Promise<boolean> {
  try {
    using netns = Netns.open({ name });
    if (netns.id !== id) return false;
    using rtnl = await netns.connect();
    return await isMarked(markOf(host, owner), rtnl);
  } catch (error) {
    // It was deleted meanwhile; or who may not enter it did not make it.
    const kinds = [NotFoundError, InputError, PermissionError];
    if (kinds.some((kind) => error instanceof kind)) return false;
    throw error;
  }
}

function markOf({ id }: Netns, owner: string): string {
  return `denolink${owner === DEFAULT_OWNER ? "" : `.${owner}`}-made-by-${id}`;
}
