/**
 * Makes a network what a topology says, and takes it away.
 *
 * @module
 */

import type { Netns, NetnsOptions } from "../../netns/netns.ts";
import { SKIP_STATS } from "../../rtnl/link.ts";
import { deleteHalfMade, throwFirst } from "../attachments.ts";
import { openHost } from "../host.ts";
import { withHostLock } from "../lock.ts";
import { settle } from "../settle.ts";
import { checkOwner } from "../tag.ts";
import { textOf } from "./canonical.ts";
import type { Change, Plan, ThingKind } from "./change.ts";
import { differenceOf, type Step, withoutNamespaces } from "./difference.ts";
import { sitesOf } from "./expand.ts";
import { look, openByIds } from "./look.ts";
import { forget } from "./memory.ts";
import { perform, trying } from "./perform.ts";
import { HOST } from "./format.ts";
import { Places } from "./place.ts";
import { checkTopology } from "./read.ts";
import type { State, Thing } from "./state.ts";
import { TopologyStepError } from "./problem.ts";
import type { AttachmentValue } from "./things/attachment.ts";
import { THING_TYPES } from "./things/mod.ts";
import type { Topology } from "./types.ts";

/** How to apply a topology. */
export interface ApplyOptions extends NetnsOptions {
  /** Called after each change, with how many are done and how many there are. */
  onChange?: ((change: Change, done: number, all: number) => void) | undefined;
}

/** How often what is left is looked at again: deleting one thing may take others along. */
const MOST_ROUNDS = 5;

/**
 * What a topology and the kernel differ in; nothing is changed. Its changes are those that `apply` would
 * make, in order.
 *
 * `TopologyError` for a topology that can't be meant, `NotFoundError` when a namespace that it doesn't make
 * is not there, `PermissionError` without CAP_SYS_ADMIN, which it takes to enter namespaces.
 *
 * @example What would be done
 * ```ts
 * import { plan } from "@denolink/denolink";
 *
 * const { changes } = await plan({
 *   denolink: 1,
 *   name: "lab",
 *   bridges: { br0: "10.10.0.1/24" },
 *   containers: { web: { bridge: "br0" }, db: { bridge: "br0" } },
 * });
 * for (const { text } of changes) console.log(text);
 * ```
 */
export async function plan(topology: Topology, options: NetnsOptions = {}): Promise<Plan> {
  const wanted = stateOf(checkTopology(topology));
  using host = await openHost(options);
  using places = new Places(topology.name, host);
  const found = await look(places, wanted);
  if (places.clashes.size === 0) {
    return { topology: topology.name, changes: differenceOf(wanted, found).map(changeOf) };
  }
  using former = new Places(topology.name, host);
  const before = await lookBack(former);
  const between = withoutNamespaces(before, places.clashes);
  const steps = [...differenceOf(between, before), ...differenceOf(wanted, between)];
  return { topology: topology.name, changes: steps.map(changeOf) };
}

/**
 * Makes the network what a topology says: what an earlier version of it made and this one doesn't say is
 * taken away, what is right already is not touched. Says what was done.
 *
 * When a step fails, everything is put back as it was, and `TopologyStepError` says which step it was; its
 * `cause` is the error, such as a `PermissionError`. Killed in between, the same call does the rest.
 *
 * `TopologyError` for a topology that can't be meant, before the kernel is asked.
 *
 * @example Two containers on a bridge
 * ```ts
 * import { apply, runInNetns } from "@denolink/denolink";
 *
 * const { changes } = await apply({
 *   denolink: 1,
 *   name: "lab",
 *   bridges: { br0: "10.10.0.1/24" },
 *   containers: { web: { bridge: "br0" }, db: { bridge: "br0" } },
 * });
 * console.log(`${changes.length} changes`);
 * ```
 */
export async function apply(topology: Topology, options: ApplyOptions = {}): Promise<Plan> {
  return await reach(topology.name, stateOf(checkTopology(topology)), options);
}

/**
 * Takes away what a topology made, of whatever version, and only that: what was changed has its former
 * value again. Says what was done. It goes by the name alone.
 *
 * @example Without a trace
 * ```ts
 * import { destroy } from "@denolink/denolink";
 *
 * await destroy({ name: "lab" });
 * ```
 */
export async function destroy(
  { name }: Pick<Topology, "name">,
  options: ApplyOptions = {},
): Promise<Plan> {
  return await reach(checkOwner(name), new Map(), options);
}

/** What a topology says, as things in namespaces. */
export function stateOf(topology: Topology): State {
  const sites = sitesOf(topology);
  return new Map(
    sites.map((site) => [site.name, {
      target: site.target,
      path: site.path,
      things: new Map(THING_TYPES.map((type) => [type.kind, type.wanted(site, sites)])),
    }]),
  );
}

async function reach(topology: string, wanted: State, options: ApplyOptions): Promise<Plan> {
  using host = await openHost({ netns: options.netns });
  return await withHostLock(`apply topology ${topology}`, host.netns, async () => {
    using places = new Places(topology, host);
    const found = await look(places, wanted);
    if (places.clashes.size > 0) return await reachBetween(topology, wanted, places, options);
    return { topology, changes: await become(wanted, found, places, options) };
  });
}

/** What has a name that is another's from now on goes first, with all that is joined to it. */
async function reachBetween(
  topology: string,
  wanted: State,
  { host, clashes }: Places,
  options: ApplyOptions,
): Promise<Plan> {
  using former = new Places(topology, host);
  const before = await lookBack(former);
  const changes = await become(withoutNamespaces(before, clashes), before, former, options);
  try {
    using places = new Places(topology, host);
    const found = await look(places, wanted);
    return { topology, changes: [...changes, ...await become(wanted, found, places, options)] };
  } catch (error) {
    using again = new Places(topology, host);
    throw await rollBack(error, before, again);
  }
}

/** What there is of a topology, by the names that it had. */
async function lookBack(places: Places): Promise<State> {
  await openContainers(await look(places, new Map()), places);
  return await look(places, new Map());
}

/** From what was found to what is wanted, or back; says what was done. */
async function become(
  wanted: State,
  found: State,
  places: Places,
  { onChange }: ApplyOptions,
): Promise<Change[]> {
  const shared = sharedOf(wanted, found, places);
  return await withOtherLocks(places.owner.topology, shared, async () => {
    try {
      return await converge(wanted, found, places, onChange);
    } catch (error) {
      throw await rollBack(error, found, places);
    }
  });
}

/** The namespaces beside the host's that others may change too: those with attachments, or not made here. */
function sharedOf(wanted: State, found: State, places: Places): Netns[] {
  const things = (name: string) =>
    [wanted, found].flatMap((state) => [...state.get(name)?.things ?? []])
      .filter(([, all]) => all.length > 0);
  return places.all().filter(({ name, memory }) =>
    name !== HOST && things(name).some(([kind]) => kind === "attachment" || !memory?.made)
  ).map(({ netns }) => netns);
}

/** With the locks of several hosts, always in the same order. */
async function withOtherLocks<T>(
  topology: string,
  hosts: readonly Netns[],
  fn: () => Promise<T>,
): Promise<T> {
  const [first, ...rest] = hosts.toSorted((a, b) => a.id < b.id ? -1 : 1);
  if (first === undefined) return await fn();
  return await withHostLock(
    `apply topology ${topology}`,
    first,
    () => withOtherLocks(topology, rest, fn),
  );
}

/** From what was seen to what is wanted, in as many rounds as it takes; says what was done. */
async function converge(
  wanted: State,
  before: State,
  places: Places,
  onChange: ApplyOptions["onChange"],
): Promise<Change[]> {
  const changes: Change[] = [];
  await mendHalfDone(places);
  let seen = before;
  for (let round = 0;; round++) {
    const steps = differenceOf(wanted, seen);
    if (steps.length > 0 && round === MOST_ROUNDS) {
      throw new TopologyStepError(steps[0]!, new Error(describe(steps[0]!)));
    }
    let done = 0;
    await perform(steps, wanted, places, (step) => {
      changes.push(changeOf(step));
      onChange?.(changes.at(-1)!, ++done, steps.length);
    });
    const tidying = () => tidy(steps, wanted, seen, places);
    const last = steps.at(-1);
    await (last === undefined ? tidying() : trying(last, tidying));
    // Nothing that is made takes anything along.
    if (steps.every(({ action }) => action === "add")) return changes;
    seen = await look(places, wanted);
  }
}

/** Why a step that was done is still to be done. */
function describe({ differences = [] }: Step): string {
  const [first] = differences;
  if (first === undefined) return "it is gone again each time; see what else changes it";
  return `its ${first.key} is ${textOf(first.before) || "none"} each time, and not ${
    textOf(first.after) || "none"
  }; say what the kernel makes of it, or see what else changes it`;
}

/** What a crash has left of giving names and of attaching. */
async function mendHalfDone(places: Places): Promise<void> {
  places.removeHalfNamed();
  for (const place of places.all().filter(({ memory }) => memory?.unsettled)) {
    await deleteHalfMade(place.rtnl, places.owner.topology);
    await settle(place, places.owner.topology);
    await places.settled(place);
  }
}

/** What hosts did for attachments that are gone ends; namespaces that have nothing any more forget. */
async function tidy(
  steps: readonly Step[],
  wanted: State,
  seen: State,
  places: Places,
): Promise<void> {
  for (const place of places.all().filter(({ memory }) => memory?.unsettled)) {
    const own = steps.filter(({ netns, kind }) => netns === place.name && kind === "attachment");
    const left = own.find(({ action, anew }) => action === "remove" || anew);
    await trying(left ?? own[0]!, async () => {
      if (left !== undefined) await settle(place, places.owner.topology);
      await places.settled(place);
    });
  }
  // The host is the last to forget: it knows where the others are.
  for (const name of [...seen.keys()].filter((it) => it !== HOST).concat(HOST)) {
    const place = places.get(name);
    const after = wanted.get(name);
    const isEmpty = [...after?.things.values() ?? []].every((things) => things.length === 0);
    if (place?.memory === undefined || place.memory.made || !isEmpty) continue;
    const lo = await place.rtnl.links.get({ index: 1, extendedMask: SKIP_STATS });
    throwFirst(await place.rtnl.batch(forget(place.owner, lo)));
    place.memory = undefined;
  }
  const left = places.all().filter(({ memory }) => memory !== undefined);
  await places.forgetNameless((id) => left.some(({ netns }) => netns.id === id));
}

const PUT_BACK = "; everything was put back";

/** When a step has failed: back to what was there before; the error then says how that went. */
async function rollBack(error: unknown, before: State, places: Places): Promise<unknown> {
  if (!(error instanceof Error)) return error;
  try {
    await openContainers(before, places);
    const wanted = withoutLost(before, places);
    await converge(wanted, await look(places, wanted), places, undefined);
    if (!error.message.endsWith(PUT_BACK)) error.message += PUT_BACK;
  } catch (left) {
    error.message += `; putting everything back failed too: ${(left as Error).message}`;
  }
  return error;
}

/** What can be put back. */
function withoutLost(state: State, places: Places): State {
  const isKept = (kind: ThingKind, { value, lost }: Thing) => {
    if (kind !== "attachment") return !lost;
    const { container, found } = value as AttachmentValue;
    return !lost && state.has(container) || places.get(container)?.netns.id === found!.netns;
  };
  return new Map([...state].map(([name, { target, things }]) => {
    const kept = [...things].map(([kind, all]) =>
      [kind, all.filter((it) => isKept(kind, it))] as const
    );
    return [name, { target, things: new Map(kept) }];
  }));
}

/** Opens the containers that were attached and are somebody else's, by what is written on their links. */
async function openContainers(state: State, places: Places): Promise<void> {
  const all = [...state.values()].flatMap(({ things }) => things.get("attachment") ?? [])
    .map(({ value }) => value as AttachmentValue)
    .filter(({ container }) => !state.has(container) && places.get(container) === undefined);
  const names = new Map(all.map(({ container, found }) => [found!.netns, container]));
  for (const netns of openByIds([...names.keys()])) await places.adopt(names.get(netns.id)!, netns);
}

function changeOf(step: Step): Change {
  const { action, kind, netns, name, text, differences, path } = step;
  return { action, kind, netns, name, text, differences, path };
}
