/**
 * Items in sets of those that are joined, each set arranged.
 *
 * @module
 */

import { type Around, arrange, type Block } from "./arrange.ts";
import type { Item } from "./items.ts";
import type { Edge, Outside } from "./layers.ts";
import type { Nets } from "./placed.ts";

/** Sets of items, arranged. */
export interface Blocks {
  /** All that lead outside together, as soon as it is known what is around them. */
  leading: ((around: Around) => Block) | undefined;
  /** The others. */
  free: Block[];
}

const NOTHING_AROUND: Around = { left: 0, width: 0, height: 0 };

/** Arranges items, those that are joined together. */
export function blocksOf(
  items: readonly Item[],
  outside: readonly Outside[],
  nets: Nets,
): Blocks {
  const edges = edgesOf(items, outside);
  const block = (numbers: readonly number[], lines: readonly Outside[], around: Around) => {
    const places = new Map(numbers.map((number, i) => [number, i]));
    const own = edges.filter(({ from }) => places.has(from)).map(({ net, from, to }): Edge => ({
      net,
      from: places.get(from)!,
      to: typeof to === "string" ? to : places.get(to)!,
    }));
    return arrange(numbers.map((number) => items[number]!), own, lines, nets, around);
  };
  const leads = new Set(edges.filter(({ to }) => typeof to === "string").map(({ from }) => from));
  const sets = Map.groupBy(setsOf(items.length, edges), (set) => set.some((it) => leads.has(it)));
  const leading = sets.get(true)?.flat().sort((a, b) => a - b);
  return {
    leading: leading && ((around) => block(leading, outside, around)),
    free: (sets.get(false) ?? []).map((set) => block(set, [], NOTHING_AROUND)),
  };
}

/** Members of a net are joined with its owner; with what is outside, where that is there. */
function edgesOf(items: readonly Item[], outside: readonly Outside[]): Edge[] {
  const plugs = items.flatMap((item, number) => item.plugs.map((plug) => ({ ...plug, number })));
  return [...Map.groupBy(plugs, ({ net }) => net)].flatMap(([net, all]): Edge[] => {
    const sides = outside.filter((it) => it.net === net).map(({ side }) => side);
    const owner = all.find(({ isOwner }) => isOwner)?.number;
    const members = [...new Set(all.map(({ number }) => number))].filter((it) => it !== owner);
    if (owner !== undefined) return [...members, ...sides].map((to) => ({ net, from: owner, to }));
    return members.flatMap((from) => sides.slice(0, 1).map((to) => ({ net, from, to })));
  });
}

/** Which items are joined, however far around. */
function setsOf(count: number, edges: readonly Edge[]): number[][] {
  const sets = Array.from({ length: count }, (_, i) => [i]);
  for (const { from, to } of edges) {
    if (typeof to === "string" || sets[from] === sets[to]) continue;
    const [one, other] = [sets[from]!, sets[to]!];
    one.push(...other);
    for (const number of other) sets[number] = one;
  }
  return [...new Set(sets)].map((set) => set.sort((a, b) => a - b));
}
