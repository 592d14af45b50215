/**
 * What is to be done so that one state becomes another.
 *
 * @module
 */

import type { Change, Difference } from "./change.ts";
import type { NetnsState, State, Thing, ThingType } from "./state.ts";
import type { AttachmentValue } from "./things/attachment.ts";
import type { LinkValue } from "./things/link.ts";
import { LINKS } from "./things/link.ts";
import { linkOf } from "./things/sysctl.ts";
import { THING_TYPES } from "./things/mod.ts";
import type { Endpoint } from "./units.ts";

/** A change, with what it takes to make it. */
export interface Step extends Change {
  /** What it is; none of a namespace. */
  type?: ThingType<unknown> | undefined;
  wanted?: Thing | undefined;
  found?: Thing | undefined;
  /** It is taken away and made again. */
  anew: boolean;
}

/** The steps from what is there to what is wanted: namespaces first, each with what belongs to it. */
export function differenceOf(wanted: State, found: State): Step[] {
  const gone = goneLinks(wanted, found);
  const isGone = ({ netns, link }: Endpoint) => gone.has(`${netns}:${link}`);
  const names = [...new Set([...wanted.keys(), ...found.keys()])];
  return names.flatMap((netns) => {
    const after = wanted.get(netns);
    const before = found.get(netns);
    if (after === undefined && before !== undefined && before.target === undefined) {
      return [stepFor("remove", netns)];
    }
    const made = after !== undefined && after.target === undefined && before === undefined;
    return [
      ...made ? [{ ...stepFor("add", netns), path: after.path }] : [],
      ...THING_TYPES.flatMap((type) => stepsOf(type, netns, after, before, isGone)),
    ];
  });
}

/** What is left of a state when namespaces are gone, with all that is joined to them. */
export function withoutNamespaces(state: State, names: ReadonlySet<string>): State {
  const left = new Map([...state].filter(([name]) => !names.has(name)));
  const gone = goneLinks(left, state);
  const isGone = ({ netns, link }: Endpoint) => gone.has(`${netns}:${link}`);
  const isLeft = (type: ThingType<unknown>, { name, value }: Thing, netns: string) => {
    if (type.kind === "link") return !isGone({ netns, link: name });
    if (type.kind === "sysctl") return !isGone({ netns, link: linkOf(name) ?? "" });
    const { container } = value as Partial<AttachmentValue>;
    return !names.has(container ?? "") && !type.on?.(value, netns).some(isGone);
  };
  return new Map([...left].map(([netns, { target, things }]) => [netns, {
    target,
    things: new Map(THING_TYPES.map((type) => [
      type.kind,
      (things.get(type.kind) ?? []).filter((it) => isLeft(type, it, netns))
        .map((it) => ({ ...it, value: type.without?.(it.value, isGone, netns) ?? it.value })),
    ])),
  }]));
}

function stepFor(action: "add" | "remove", netns: string): Step {
  return {
    action,
    kind: "netns",
    netns,
    name: netns,
    text: `${action} netns ${netns}`,
    anew: false,
  };
}

function stepsOf(
  type: ThingType<unknown>,
  netns: string,
  after: NetnsState | undefined,
  before: NetnsState | undefined,
  isGone: (end: Endpoint) => boolean,
): Step[] {
  const { kind } = type;
  const isLink = kind === "link";
  const found = new Map(
    (before?.things.get(kind) ?? [])
      .filter(({ value }) => isLink || !type.on?.(value, netns).some(isGone))
      .map((
        it,
      ) => [it.name, { ...it, value: type.without?.(it.value, isGone, netns) ?? it.value }]),
  );
  const wanted = after?.things.get(kind) ?? [];
  const names = new Set(wanted.map(({ name }) => name));
  const stepOf = (action: Change["action"], name: string): Step => ({
    ...{ action, kind, netns, name, type, anew: false },
    text: `${action} ${kind} ${name} in ${netns}`,
  });
  return [
    ...[...found.values()].filter(({ name }) => !names.has(name)).map((it) => ({
      ...stepOf("remove", it.name),
      found: it,
    })),
    ...wanted.flatMap((it): Step[] => {
      const has = found.get(it.name);
      const step = { wanted: it, found: has, path: it.path };
      if (has === undefined) return [{ ...stepOf("add", it.name), ...step }];
      const differences = type.compare(it.value, has.value);
      const anew = isLink && isGone({ netns, link: it.name }) ||
        differences.length > 0 && !(type.canChange?.(it.value, differences) ?? false);
      if (differences.length === 0 && !anew) return [];
      const why = differences.length > 0 ? differences : [NEIGHBOUR_GONE];
      return [{ ...stepOf("change", it.name), ...step, differences: why, anew }];
    }),
  ];
}

/** Why a link that is right is made anew. */
const NEIGHBOUR_GONE: Difference = { key: "made anew", before: false, after: true };

/** The links that are taken away, or made anew, with all that go with them. */
function goneLinks(wanted: State, found: State): Set<string> {
  const gone = new Set<string>();
  const all = [...found].flatMap(([netns, state]) =>
    (state.things.get("link") as readonly Thing<LinkValue>[] ?? [])
      .filter(({ value }) => value.kind !== undefined)
      .map((it) => ({ netns, state, it, key: `${netns}:${it.name}` }))
  );
  for (const { netns, state, it, key } of all) {
    const after = wanted.get(netns);
    const shall = after?.things.get("link")?.find(({ name }) => name === it.name)?.value as
      | LinkValue
      | undefined;
    const leaves = after === undefined && state.target === undefined;
    const differences = shall === undefined ? [] : LINKS.compare(shall, it.value);
    if (leaves || shall === undefined || !LINKS.canChange!(shall, differences)) gone.add(key);
  }
  for (let before = -1; before < gone.size;) {
    before = gone.size;
    for (const { netns, it, key } of all) {
      const ends = LINKS.on!(it.value, netns);
      if (ends.some(({ netns, link }) => gone.has(`${netns}:${link}`))) gone.add(key);
    }
  }
  return gone;
}
