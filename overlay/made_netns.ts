/**
 * Named namespaces that attachments made: they go with their last attachment, unless a program is inside.
 *
 * @module
 */

import { InputError, NotFoundError, PermissionError } from "../ffi/errors.ts";
import { findHeld } from "../netns/held.ts";
import { createNamed, findLeftBehind, listNamed, type NamedNetns } from "../netns/named.ts";
import { Netns } from "../netns/netns.ts";
import type { Found } from "./attachments.ts";
import { marksOf, setMark } from "./marks.ts";
import { DEFAULT_OWNER } from "./tag.ts";

/** Makes a named namespace that belongs to a host's attachments of an owner; false when there is one. */
export async function makeNetns(
  name: string,
  host: Netns,
  owner: string,
): Promise<Netns | undefined> {
  if (listNamed().some((named) => named.name === name && named.id !== undefined)) return undefined;
  const mark = markOf(host, owner);
  if (findLeftBehind(mark).includes(name)) Netns.remove(name);
  const netns = await Netns.create();
  try {
    using rtnl = await netns.connect();
    // Before it has a name: one that a crash leaves is known for what it is.
    await setMark(mark, rtnl);
    await createNamed(name, netns.fd, mark);
    return netns;
  } catch (error) {
    netns.close();
    throw error;
  }
}

/**
 * The names of those that have none of these attachments and no program inside, and those that a crash has
 * left without a namespace; with `ids` only of those that it has. The host's lock is held.
 */
export async function findMadeNetns(
  attachments: readonly Found[],
  host: Netns,
  owner: string,
  ids?: ReadonlySet<bigint>,
): Promise<string[]> {
  const mark = markOf(host, owner);
  const attached = new Set(attachments.map(({ netns }) => netns));
  const candidates: NamedNetns[] = [];
  for (const named of listNamed()) {
    const { id } = named;
    if (id === undefined || attached.has(id) || !(ids?.has(id) ?? true)) continue;
    if (await hasMark(named, mark)) candidates.push(named);
  }
  const left = ids === undefined ? findLeftBehind(mark) : [];
  if (candidates.length === 0) return left;
  const inhabited = new Set(
    findHeld().filter(({ pids }) => pids.some((pid) => pid !== Deno.pid)).map(({ id }) => id),
  );
  const empty = candidates.filter(({ id }) => !inhabited.has(id!)).map(({ name }) => name);
  return [...empty, ...left];
}

async function hasMark({ name, id }: NamedNetns, mark: string): Promise<boolean> {
  try {
    using netns = Netns.open({ name });
    if (netns.id !== id) return false;
    using rtnl = await netns.connect();
    return (await marksOf(rtnl)).has(mark);
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
