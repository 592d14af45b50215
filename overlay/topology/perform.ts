/**
 * Does what is to be done, in an order that works: first what goes, from the top down, then what comes,
 * from the bottom up; as many requests as possible at once.
 *
 * @module
 */

import { ExistsError, NetlinkError } from "../../ffi/errors.ts";
import { Netns } from "../../netns/netns.ts";
import { link, type LinkSpec } from "../../rtnl/link.ts";
import type { Request } from "../../rtnl/request.ts";
import { parseTag } from "../tag.ts";
import { isGone } from "./absent.ts";
import type { Step } from "./difference.ts";
import { inParts } from "./look.ts";
import { deleteLinksOf, indexOf, type Places, refreshLinks } from "./place.ts";
import { TopologyStepError } from "./problem.ts";
import type { Deed, Place, State, ThingType, Work } from "./state.ts";
import type { AttachmentValue } from "./things/attachment.ts";
import { announce, below, configure, type LinkValue, raise } from "./things/link.ts";
import { THING_TYPES } from "./things/mod.ts";
import { linkOf, SYSCTLS } from "./things/sysctl.ts";
import type { Endpoint } from "./units.ts";

/** Called when a step is done. */
export type Done = (step: Step) => void;

/** Does all steps; `TopologyStepError` for the first that fails, after which the others are not begun. */
export async function perform(
  steps: readonly Step[],
  wanted: State,
  places: Places,
  done: Done,
): Promise<void> {
  await takeAway(steps, places, done);
  await makeNamespaces(steps, places, done);
  const making = steps.filter(({ action, kind }) => action !== "remove" && kind !== "netns");
  await rememberAll(making, wanted, places);
  const late = new Set(making.filter(isOfAttached(making)));
  for (const type of THING_TYPES) {
    const own = making.filter((step) => step.type === type && !late.has(step));
    if (type.kind === "link") await makeLinks(own, wanted, places, done);
    else await makeThings(type, own, wanted, places, done);
    // Addresses and all that follows need links that are up.
    if (type.kind === "sysctl") await raiseLinks(making, wanted, places);
    if (type.kind !== "attachment") continue;
    await makeThings(SYSCTLS, [...late], wanted, places, done);
    // What is still to be made may be on links that were attached.
    const next = THING_TYPES.slice(THING_TYPES.indexOf(type) + 1);
    const rest = making.filter((step) => next.includes(step.type!));
    if (own.length > 0) await inEachPlace(rest, places, refreshLinks);
  }
}

/** Which settings are those of links that are only there when their containers are attached. */
function isOfAttached(steps: readonly Step[]): (step: Step) => boolean {
  const attached = new Set(
    steps.filter(({ kind }) => kind === "attachment").map(({ wanted }) => {
      const { container, interface: name } = wanted!.value as AttachmentValue;
      return `${container}:${name}`;
    }),
  );
  return ({ kind, netns, name }) => {
    return kind === "sysctl" && attached.has(`${netns}:${linkOf(name)}`);
  };
}

async function takeAway(steps: readonly Step[], places: Places, done: Done): Promise<void> {
  const going = steps.filter(({ action, anew }) => action === "remove" || anew);
  const leaving = new Set(going.filter(({ kind }) => kind === "netns").map(({ netns }) => netns));
  for (const type of THING_TYPES.toReversed()) {
    const own = going.filter((step) => step.type === type);
    if (own.length === 0) continue;
    if (type.kind === "link") await takeLinksAway(own, leaving, places);
    else if (type.kind === "attachment") await takeAttachmentsAway(own, places);
    else {
      await inEachPlace(own, places, (place, steps) => {
        const work = workIn(place, places);
        return doAll(place, steps, (step) => type.remove(work, step.found!.value), {
          isSo: isGone,
        });
      });
    }
    own.filter(({ action }) => action === "remove").forEach(done);
  }
  const left = going.filter(({ kind }) => kind === "netns");
  const ids = new Set(left.map(({ name }) => places.get(name)!.netns.id));
  for (const step of left) {
    const place = places.get(step.name)!;
    await trying(step, async () => {
      await deleteLinksOf(place, onOthers(place, ids));
      Netns.remove(place.netns.name ?? step.name);
    });
    places.leave(step.name);
    done(step);
  }
}

/**
 * The links of a namespace that stand on those of others, and its ends of containers that stay: they would
 * go with it, but some time later. Of other pairs the end that stays has been taken away.
 */
function onOthers({ links }: Place, leaving: ReadonlySet<bigint>): number[] {
  return [...links.values()].filter(({ kind, linkNetnsId, alias }) => {
    if (kind !== "veth") return linkNetnsId !== undefined;
    const container = parseTag(alias)?.netns;
    return container !== undefined && !leaving.has(container);
  }).map(({ index }) => index!);
}

/** Of a pair one end is enough; what is in a namespace that goes, goes with it. */
async function takeLinksAway(
  steps: readonly Step[],
  leaving: ReadonlySet<string>,
  places: Places,
): Promise<void> {
  const staying = steps.filter(({ netns }) => !leaving.has(netns));
  const taken = new Set<string>();
  await inEachPlace(staying, places, async (place, own) => {
    const work = workIn(place, places);
    const existing = own.filter(({ found }) => valueOf(found).kind === undefined);
    await doAll(place, existing, (step) => step.type!.remove(work, step.found!.value));
    const made = own.filter(({ found, name }) => {
      const { kind, peer } = valueOf(found);
      taken.add(`${place.name}:${name}`);
      return kind !== undefined && !(peer !== undefined && taken.has(textOf(peer)));
    });
    if (made.length === 0) return;
    await trying(made[0]!, () => deleteLinksOf(place, made.map(({ name }) => work.index(name))));
  });
  // Only now the other ends of all pairs are gone.
  await inEachPlace(staying, places, refreshLinks);
}

async function takeAttachmentsAway(steps: readonly Step[], places: Places): Promise<void> {
  await inEachPlace(steps, places, async (place, own) => {
    const indexes = own.map(({ found }) => (found!.value as AttachmentValue).found!.index);
    await trying(own[0]!, async () => {
      await places.unsettle(place);
      await deleteLinksOf(place, indexes);
    });
  });
}

async function makeNamespaces(steps: readonly Step[], places: Places, done: Done): Promise<void> {
  const made = steps.filter(({ kind, action }) => kind === "netns" && action === "add");
  for (const step of made) {
    await trying(step, async () => refreshLinks(await places.make(step.name)));
    done(step);
  }
}

/** Nothing is made in a namespace that doesn't remember for whom. */
async function rememberAll(steps: readonly Step[], wanted: State, places: Places): Promise<void> {
  for (const [place, [step]] of byPlace(steps, places)) {
    const target = wanted.get(place.name)?.target;
    const isNameless = typeof target === "object" && !("name" in target);
    await trying(step!, async () => {
      if (isNameless) await places.rememberNameless(place);
      await places.remember(place, false);
    });
  }
}

/** Links by levels: what is below comes first; then what they are to each other. */
async function makeLinks(
  steps: readonly Step[],
  wanted: State,
  places: Places,
  done: Done,
): Promise<void> {
  const changed = new Set(steps.filter(isChange));
  const made = steps.filter((step) => !changed.has(step));
  for (const level of levelsOf(made)) {
    // One end of a pair makes both, so one namespace after the other.
    for (const [place, own] of byPlace(level, places)) {
      const lower = await lowerLinks(own, place, places);
      const work = workIn(place, places, wanted, lower);
      const add = (step: Step) => step.type!.add(work, step.wanted!.value);
      await doAll(place, own, add, { mend: (answers) => mendMarks(place, answers) });
      await refreshLinks(place);
      await inEachPlace(peersOf(own, level), places, refreshLinks);
    }
  }
  await inEachPlace(steps, places, async (place, own) => {
    const work = workIn(place, places, wanted);
    const values = ({ wanted, found }: Step) => [valueOf(wanted), valueOf(found)] as const;
    await doAll(
      place,
      own.filter((step) => changed.has(step)),
      (step) => announce(work, ...values(step)),
    );
    await doAll(
      place,
      own,
      (step) => changed.has(step) ? changing(work, step) : configure(work, valueOf(step.wanted)),
    );
    await refreshLinks(place);
  });
  steps.forEach(done);
}

/** A link that was made and could not be marked goes; one that somebody else has just made is not marked. */
async function mendMarks(place: Place, answers: Map<Step, Answer[]>): Promise<void> {
  const requests = [...answers].flatMap(([{ name }, own]) => {
    const [isMade, isMarked] = own.map((answer) => !(answer instanceof NetlinkError));
    if (isMarked === undefined || isMade === isMarked) return [];
    return isMade ? link.delete({ name }) : link.set({ name, alias: "" });
  });
  await place.rtnl.batch(requests);
}

/** The other ends that a namespace's new links have made elsewhere. */
function peersOf(own: readonly Step[], level: readonly Step[]): Step[] {
  const ends = new Set(own.flatMap(({ wanted }) => {
    const { peer } = valueOf(wanted);
    return peer === undefined ? [] : [textOf(peer)];
  }));
  return level.filter((step) => !own.includes(step) && ends.has(`${step.netns}:${step.name}`));
}

/** New links, those that stand on others of them behind these. */
function levelsOf(steps: readonly Step[]): Step[][] {
  const levels: Step[][] = [];
  let left = [...steps];
  while (left.length > 0) {
    const waiting = new Set(left.map(({ netns, name }) => `${netns}:${name}`));
    const ready = left.filter(({ netns, wanted }) =>
      !below(valueOf(wanted), netns).some((end) => waiting.has(textOf(end)))
    );
    // The reader has refused what stands on itself.
    const level = ready.length > 0 ? ready : left;
    levels.push(level);
    left = left.filter((step) => !level.includes(step));
  }
  return levels;
}

/** How requests name the links below that are in other namespaces: by the number of that namespace. */
async function lowerLinks(
  steps: readonly Step[],
  place: Place,
  places: Places,
): Promise<Map<string, number>> {
  const numbers = new Map<string, number>();
  for (const step of steps) {
    const { link: lower } = valueOf(step.wanted);
    if (lower === undefined || lower.netns === place.name || numbers.has(lower.netns)) continue;
    const other = places.get(lower.netns);
    if (other === undefined) continue;
    const nsid = await trying(step, () => other.netns.setNsid("auto", place.where));
    numbers.set(lower.netns, nsid);
  }
  return numbers;
}

async function raiseLinks(steps: readonly Step[], wanted: State, places: Places): Promise<void> {
  const made = steps.filter(({ kind, action, anew }) =>
    kind === "link" && (action === "add" || anew)
  );
  for (const level of levelsOf(made)) {
    await inEachPlace(level, places, (place, own) => {
      const work = workIn(place, places, wanted);
      return doAll(place, own, (step) => raise(work, valueOf(step.wanted)));
    });
  }
}

async function makeThings(
  type: ThingType<unknown>,
  steps: readonly Step[],
  wanted: State,
  places: Places,
  done: Done,
): Promise<void> {
  await inEachPlace(steps, places, async (place, own) => {
    if (type.kind === "attachment") await trying(own[0]!, () => places.unsettle(place));
    const work = workIn(place, places, wanted);
    const deedOf = (step: Step) =>
      isChange(step) ? changing(work, step) : type.add(work, step.wanted!.value);
    await doAll(place, own, deedOf, { done });
  });
}

/** Whether something is changed where it is. */
function isChange({ action, anew }: Step): boolean {
  return action === "change" && !anew;
}

function changing(work: Work, { type, wanted, found, differences }: Step): Deed {
  return type!.change!(work, wanted!.value, found!.value, differences!);
}

/** What the kernel has answered to a request. */
type Answer = void | NetlinkError;

/** How steps are done. */
interface Manner {
  done?: Done;
  /** Whether what was asked for is so already. */
  isSo?: (answer: NetlinkError) => boolean;
  /** What is done about an error. */
  mend?: (answers: Map<Step, Answer[]>) => Promise<void>;
}

/** So few that they go in one system call: no crash comes between a link and its mark. */
const MOST_TOGETHER = 64;

/** Requests that stand beside each other go together; the error of one is the error of its step. */
async function doAll(
  place: Place,
  steps: readonly Step[],
  deedOf: (step: Step) => Deed,
  { done = () => {}, isSo = () => false, mend = async () => {} }: Manner = {},
): Promise<void> {
  let together: Step[] = [];
  let requests: { step: Step; request: Request<void> }[] = [];
  const send = async () => {
    const answers = await place.rtnl.batch(requests.map(({ request }) => request));
    const failed = answers.findIndex((it) => it instanceof NetlinkError && !isSo(it));
    if (failed >= 0) {
      const by = Map.groupBy(answers.entries(), ([i]) => requests[i]!.step);
      await mend(new Map([...by].map(([step, own]) => [step, own.map(([, answer]) => answer)])));
      throw failure(requests[failed]!.step, answers[failed]);
    }
    together.forEach(done);
    [together, requests] = [[], []];
  };
  for (const step of steps) {
    const deed = await trying(step, () => deedOf(step));
    if (typeof deed !== "function") {
      if (requests.length + deed.length > MOST_TOGETHER) await send();
      together.push(step);
      requests.push(...deed.map((request) => ({ step, request })));
      continue;
    }
    await send();
    await trying(step, deed);
    done(step);
  }
  await send();
}

/** Does something in all namespaces that steps are about, some at a time. */
async function inEachPlace(
  steps: readonly Step[],
  places: Places,
  fn: (place: Place, own: Step[]) => Promise<void>,
): Promise<void> {
  await inParts([...byPlace(steps, places)], ([place, own]) => fn(place, own));
}

function byPlace(steps: readonly Step[], places: Places): Map<Place, Step[]> {
  const by = new Map<Place, Step[]>();
  for (const step of steps) {
    const place = places.get(step.netns);
    if (place === undefined) continue;
    const own = by.get(place);
    if (own === undefined) by.set(place, [step]);
    else own.push(step);
  }
  return by;
}

function workIn(
  place: Place,
  places: Places,
  wanted?: State,
  lower: ReadonlyMap<string, number> = new Map(),
): Work {
  const index = (name: string) => indexOf(place, name);
  return {
    place,
    index,
    other: (name) => places.get(name)!,
    saysOf: ({ netns, link }) =>
      valueOf(wanted?.get(netns)?.things.get("link")?.find(({ name }) => name === link))?.says,
    lower({ netns, link }): LinkSpec {
      if (netns === place.name) return { link: index(link) };
      return { link: indexOf(places.get(netns)!, link), linkNetnsId: lower.get(netns) };
    },
  };
}

/** Does something for a step, whose error it is then. */
export async function trying<T>(step: Step, fn: () => T | Promise<T>): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    throw failure(step, error);
  }
}

/** What a step failed with; what is done about it, apply.ts adds. */
function failure(step: Step, error: unknown): TopologyStepError {
  if (error instanceof TopologyStepError) return error;
  const isTaken = error instanceof ExistsError && error.cause === undefined;
  if (!isTaken || step.kind === "attachment") return new TopologyStepError(step, error);
  const remedy =
    `there is one already that this topology did not make; delete it, or say another one`;
  return new TopologyStepError(
    step,
    new ExistsError(error.operation, error.errno, { remedy, cause: error }),
  );
}

function valueOf(thing: Step["wanted"]): LinkValue {
  return thing?.value as LinkValue;
}

function textOf({ netns, link }: Endpoint): string {
  return `${netns}:${link}`;
}
