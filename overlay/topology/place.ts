/**
 * Namespaces at hand: opened when they are first needed, and closed all together.
 *
 * @module
 */

import { ExistsError, InputError, NetlinkError, NotFoundError } from "../../ffi/errors.ts";
import { errnoOf } from "../../ffi/errno.ts";
import { createNamed, findLeftBehind } from "../../netns/named.ts";
import { Netns } from "../../netns/netns.ts";
import { type Link, SKIP_STATS } from "../../rtnl/link.ts";
import type { Rtnl } from "../../rtnl/rtnl.ts";
import { deleteTogether, throwFirst } from "../attachments.ts";
import type { Host } from "../host.ts";
import { HOST } from "./format.ts";
import {
  forgetMark,
  forgetNameless,
  freeProtocol,
  markOfNames,
  type Memory,
  type Owner,
  recall,
  remember,
  rememberMark,
  rememberNameless,
  renaming,
} from "./memory.ts";
import type { Place, Site } from "./state.ts";

/** The namespaces that a topology has to do with. */
export class Places implements Disposable {
  readonly #opened = new DisposableStack();
  readonly #places = new Map<string, Place>();
  readonly owner: Owner;
  readonly host: Host;
  /** Names that other namespaces had in an earlier version of the topology. */
  readonly clashes = new Set<string>();

  /** Those of a topology, as seen from a host. */
  constructor(topology: string, host: Host) {
    this.host = host;
    this.owner = { topology, host: host.netns.id };
    this.#places.set(HOST, this.#placeOf(HOST, host.netns, host.rtnl, host.where));
  }

  /** The namespace of this name, if it is at hand. */
  get(name: string): Place | undefined {
    return this.#places.get(name);
  }

  /** All that are at hand. */
  all(): Place[] {
    return [...this.#places.values()];
  }

  /** Opens the namespace that a topology names; `undefined` when it is one that is still to be made. */
  async open({ name, target }: Pick<Site, "name" | "target">): Promise<Place | undefined> {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    try {
      const where = target === undefined || target === HOST ? { name } : target;
      return await this.adopt(name, Netns.open(where));
    } catch (error) {
      // A name that a crash has left without a namespace is a plain file.
      const isAbsent = error instanceof NotFoundError || error instanceof InputError;
      if (target === undefined && isAbsent) return undefined;
      throw error;
    }
  }

  /** Takes a namespace in, which is closed with all the others. */
  async adopt(name: string, netns: Netns): Promise<Place> {
    this.#opened.use(netns);
    const rtnl = this.#opened.use(await netns.connect());
    const place = this.#placeOf(name, netns, rtnl, { netns });
    this.#places.set(name, place);
    return place;
  }

  /** Makes a namespace; it is known for the topology's before it has a name, so that no crash hides it. */
  async make(name: string): Promise<Place> {
    const place = await this.adopt(name, await Netns.create());
    try {
      await this.remember(place, true);
      // As in every new namespace, it can't talk to itself before.
      await place.rtnl.links.set({ index: 1, up: true });
      await createNamed(name, place.netns.fd, markOfNames(this.owner));
    } catch (error) {
      this.leave(name);
      if (!(error instanceof ExistsError)) throw error;
      throw new ExistsError(error.operation, error.errno, {
        remedy:
          `there is a network namespace ${name} already, and no topology ${this.owner.topology} made it; delete it, take another name, or say netns: {name: ${name}} to use it as it is`,
        cause: error,
      });
    }
    return place;
  }

  /** Has a namespace remember the topology, and its name there. */
  async remember(place: Place, made: boolean): Promise<void> {
    if (place.memory !== undefined) return await this.#rename(place, place.memory);
    const lo = await place.rtnl.links.get({ index: 1, extendedMask: SKIP_STATS });
    const protocol = freeProtocol(lo);
    if (protocol === undefined) {
      throw new NetlinkError(`remember topology ${this.owner.topology}`, errnoOf("ENOSPC"), {
        remedy: `network namespace ${place.name} has 64 topologies already; take one of them down`,
      });
    }
    const as = nameIn(place, made);
    const { request, memory } = remember(this.owner, lo, { protocol, made, as });
    await place.rtnl.request(request);
    place.memory = memory;
  }

  async #rename(place: Place, { made, as }: Memory): Promise<void> {
    const name = nameIn(place, made);
    const requests = name === as ? [] : renaming(this.owner, as, name);
    if (requests.length === 0) return;
    throwFirst(await place.rtnl.batch(requests));
    place.memory = { ...place.memory!, as: name };
  }

  /** Has the host remember a namespace without a name, before anything is made in it. */
  async rememberNameless({ netns }: Place): Promise<void> {
    const host = this.#places.get(HOST)!;
    await this.remember(host, false);
    const nameless = host.memory!.nameless;
    if (nameless.has(netns.id)) return;
    await host.rtnl.request(rememberNameless(this.owner, netns.id));
    host.memory = { ...host.memory!, nameless: new Set([...nameless, netns.id]) };
  }

  /** Has the host forget those that have nothing any more, or are gone. */
  async forgetNameless(isNeeded: (id: bigint) => boolean): Promise<void> {
    const host = this.#places.get(HOST)!;
    const gone = [...host.memory?.nameless ?? []].filter((id) => !isNeeded(id));
    if (gone.length === 0) return;
    throwFirst(await host.rtnl.batch(gone.map((id) => forgetNameless(this.owner, id))));
    const nameless = new Set([...host.memory!.nameless].filter(isNeeded));
    host.memory = { ...host.memory!, nameless };
  }

  /** Has a host remember that attachments come and go, so that a crash can't leave what it does for them. */
  async unsettle(place: Place): Promise<void> {
    if (place.memory!.unsettled) return;
    await place.rtnl.request(rememberMark(this.owner, "unsettled"));
    place.memory = { ...place.memory!, unsettled: true };
  }

  /** Has it forget that. */
  async settled(place: Place): Promise<void> {
    await place.rtnl.request(forgetMark(this.owner, "unsettled"));
    place.memory = { ...place.memory!, unsettled: false };
  }

  /** Takes away the names that a crash has left without a namespace. */
  removeHalfNamed(): void {
    findLeftBehind(markOfNames(this.owner)).forEach(Netns.remove);
  }

  /** Lets go of a namespace that is gone. */
  leave(name: string): void {
    this.#places.delete(name);
  }

  /** The same as closing all. */
  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  #placeOf(name: string, netns: Netns, rtnl: Rtnl, where: Place["where"]): Place {
    return { name, owner: this.owner, netns, rtnl, where, memory: undefined, links: new Map() };
  }
}

/** What a namespace remembers as its name: nothing where it goes without saying. */
function nameIn({ name }: Place, made: boolean): string | undefined {
  return made || name === HOST ? undefined : name;
}

/** Looks at the links of a namespace anew. */
export async function refreshLinks(place: Place): Promise<void> {
  takeLinks(place, await Array.fromAsync(place.rtnl.links.list()));
}

/** Keeps the links that were seen, and what `lo` remembers. */
export function takeLinks(place: Place, links: readonly Link[]): void {
  place.links = new Map(links.map((link) => [link.name!, link]));
  const lo = links.find(({ index }) => index === 1);
  if (lo !== undefined) place.memory = recall(place.owner, lo);
}

/** The name of a link that was seen in a namespace, or its number where there was none. */
export function nameOf({ links }: Place, index: number | undefined): string {
  for (const [name, link] of links) if (link.index === index) return name;
  return String(index);
}

/** The number of a link; `NotFoundError` when there is none of that name. */
export function indexOf({ links, name: netns }: Place, name: string): number {
  const found = links.get(name);
  if (found !== undefined) return found.index!;
  throw new NotFoundError(`find link ${name} in ${netns}`, errnoOf("ENODEV"), {
    remedy: "there is no such link; say it among the links, or make it first",
  });
}

/** Deletes some of its links at once, unless they are gone already. */
export async function deleteLinksOf(place: Place, indexes: readonly number[]): Promise<void> {
  const groups = new Map([...place.links.values()].map(({ index, group }) => [index, group]));
  await deleteTogether(
    place.rtnl,
    indexes.map((index) => ({ index, group: groups.get(index) })),
  );
}
