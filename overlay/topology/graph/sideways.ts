/**
 * How far to the right things are: each layer in its order, all as near to what they are joined with as
 * there is room.
 *
 * @module
 */

import { type Contact, xOf } from "./channels.ts";
import { BETWEEN, GRID } from "./items.ts";
import type { Knot, Layers, Side } from "./layers.ts";
import type { Placed } from "./placed.ts";

/** Between items of a layer. */
const APART = 36;
const SWEEPS = 12;
/** What hangs from a bar is so far from its ends. */
const BAR_END = 12;

/** What stands in layers. */
interface Work {
  layers: Layers;
  placed: ReadonlyMap<Knot, Placed>;
}

/** Sets how far to the right everything is; lines lead outside above from `least` on. */
export function placeSideways(layers: Layers, placed: Work["placed"], least: number): void {
  const { rows } = layers;
  const pulls = pullsOf({ layers, placed });
  for (const row of rows) placeRow(row, []);
  for (let i = 0; i < SWEEPS; i++) {
    for (const row of rows) placeRow(row, [pulls.up]);
    for (const row of rows.toReversed()) placeRow(row, [pulls.down]);
  }
  for (const row of rows) placeRow(row, [pulls.up, pulls.down]);
  const inner = rows.slice(1, -1);
  for (const row of inner) snap(row);
  for (const row of inner) centreBars(row, pulls, placed);
  const left = Math.min(...inner.flat().map(({ x }) => x));
  for (const knot of inner.flat()) knot.x -= Math.floor(left / GRID) * GRID;
  const [first, last] = [rows[0]!, rows.at(-1)!];
  placeRow(first, [pulls.down]);
  snap(first, least);
  placeRow(last, [pulls.up]);
  snap(last, 0);
  const right = Math.max(...inner.flat().map(({ x, width }) => x + width));
  for (const row of [first, last]) limitMoves(row, placed, row === first ? least : 0, right);
  for (const row of inner) stretchBars(row.map((knot) => placed.get(knot)!), { layers, placed });
}

/** Where a knot would have to be for a line to be straight. */
interface Pull {
  to: Knot;
  by: number;
  weight: number;
}

type Pulls = ReadonlyMap<Knot, Pull[]>;

/** What pulls each knot from the layer above it and from the one below. */
function pullsOf({ layers: { rows, pairs }, placed }: Work): { up: Pulls; down: Pulls } {
  const pulls = { up: new Map<Knot, Pull[]>(), down: new Map<Knot, Pull[]>() };
  for (const { net, upper, lower } of pairs) {
    const [above, below] = [placed.get(upper)!, placed.get(lower)!];
    // A grid hangs from the middle of a bar, whichever its place at it.
    const isBar = Boolean(above.built.isBar || below.built.isBar);
    const by = middleOf(above, net, "bottom", isBar) - middleOf(below, net, "top", isBar);
    const count = ({ contacts }: Placed) => contacts.filter((it) => it.net === net).length;
    // A line that leads outside follows what it leads to.
    const isOuter = upper.row === 0 || lower.row === rows.length - 1;
    const weight = isOuter ? 0.05 : Math.max(count(above), count(below));
    pulls.up.set(lower, [...pulls.up.get(lower) ?? [], { to: upper, by, weight }]);
    pulls.down.set(upper, [...pulls.down.get(upper) ?? [], { to: lower, by: -by, weight }]);
  }
  return pulls;
}

/** Where a net's lines end at a knot, on average. */
function middleOf(
  { built, knot, contacts }: Placed,
  net: string,
  side: Side,
  isAtBar: boolean,
): number {
  if (built.isBar || isAtBar && built.isGrid) return knot.width / 2;
  const ends = contacts.filter((it) => it.net === net && it.side === side).map(({ end }) => end.at);
  return ends.reduce((a, b) => a + b, 0) / Math.max(1, ends.length);
}

/** Where all that pulls a knot would have it, and how much; it stays where nothing does. */
function wishOf(knot: Knot, lists: readonly Pulls[]): { x: number; weight: number } {
  const all = lists.flatMap((list) => list.get(knot) ?? []);
  const weight = all.reduce((sum, it) => sum + it.weight, 0);
  if (weight === 0) return { x: knot.x, weight: 0.01 };
  const x = all.reduce((sum, { to, by, weight }) => sum + (to.x + by) * weight, 0) / weight;
  return { x, weight };
}

/**
 * Where in steps of the grid lines of a layer end: at others than those of its neighbours, so that none runs
 * along another. What comes through a layer, or leads outside, has places of its own.
 */
const residueOf = ({ item, row }: Knot) => item === undefined ? 0 : (2 - row % 2) * GRID / 3;

/** The room between two knots, such that both have places of the grid. */
function gapOf(a: Knot, b: Knot): number {
  const least = a.item === undefined || b.item === undefined ? GRID : APART;
  const over = residueOf(b) - residueOf(a) - a.width - least;
  return least + over - Math.floor(over / GRID) * GRID;
}

/** How far from the left a knot can be at least, after the one before it. */
const leastAfter = (before: Knot | undefined, knot: Knot) =>
  before === undefined ? -Infinity : before.x + before.width + gapOf(before, knot);

/**
 * Places knots side by side in their order, as near to their wishes as can be: the least squares under that
 * order (pool adjacent violators).
 */
function placeRow(row: readonly Knot[], lists: readonly Pulls[]): void {
  const wishes = row.map((knot) => wishOf(knot, lists));
  const offsets: number[] = [];
  for (const [i, knot] of row.entries()) {
    const before = row[i - 1];
    offsets.push(before ? offsets[i - 1]! + before.width + gapOf(before, knot) : 0);
  }
  const pools: { x: number; weight: number; count: number }[] = [];
  for (const [i, { x, weight }] of wishes.entries()) {
    pools.push({ x: x - offsets[i]!, weight, count: 1 });
    for (let last = pools.at(-1)!, before = pools.at(-2); before && before.x > last.x;) {
      const both = before.weight + last.weight;
      const x = (before.x * before.weight + last.x * last.weight) / both;
      pools.splice(-2, 2, { x, weight: both, count: before.count + last.count });
      [last, before] = [pools.at(-1)!, pools.at(-2)];
    }
  }
  const places = pools.flatMap(({ x, count }) => new Array<number>(count).fill(x));
  for (const [i, knot] of row.entries()) knot.x = places[i]! + offsets[i]!;
}

function snap(row: readonly Knot[], least = -Infinity): void {
  for (const [i, knot] of row.entries()) {
    const residue = residueOf(knot);
    const fit = (x: number, round: (value: number) => number) =>
      round((x - residue) / GRID) * GRID + residue;
    const free = Math.max(least, leastAfter(row[i - 1], knot));
    const x = fit(knot.x, Math.round);
    knot.x = x >= free ? x : fit(free, Math.ceil);
  }
}

/** Moves bars back to the middle of what hangs from them: lines can end anywhere at them. */
function centreBars(
  row: readonly Knot[],
  { up, down }: { up: Pulls; down: Pulls },
  placed: Work["placed"],
): void {
  for (const [i, knot] of row.entries()) {
    if (!placed.get(knot)!.built.isBar) continue;
    const after = row[i + 1];
    const most = after === undefined ? Infinity : after.x - gapOf(knot, after) - knot.width;
    const x = Math.max(leastAfter(row[i - 1], knot), wishOf(knot, [up, down]).x);
    knot.x = Math.round(Math.min(most, x));
  }
}

/** How far lines that lead outside may be moved: not nearer to each other than half way. */
function limitMoves(
  row: readonly Knot[],
  placed: Work["placed"],
  least: number,
  most: number,
): void {
  for (const [i, knot] of row.entries()) {
    const { end } = placed.get(knot)!.contacts[0]!;
    const [before, after] = [row[i - 1], row[i + 1]];
    end.lo = before === undefined ? least - knot.x : (before.x - knot.x) / 2 + 4;
    end.hi = after === undefined ? Math.max(0, most - knot.x) : (after.x - knot.x) / 2 - 4;
  }
}

/** Makes bars as wide as what hangs from them, where there is room. */
function stretchBars(row: readonly Placed[], work: Work): void {
  for (const [i, { knot, built, contacts }] of row.entries()) {
    if (!built.isBar) continue;
    const hanging = hangingFrom(knot, contacts, work);
    const [before, after] = [row[i - 1]?.knot, row[i + 1]?.knot];
    const least = before === undefined ? -Infinity : before.x + before.width + BETWEEN;
    const most = after === undefined ? Infinity : after.x - BETWEEN;
    const right = Math.max(knot.x + knot.width, Math.min(most, Math.max(...hanging)));
    knot.x = Math.min(knot.x, Math.max(least, Math.min(...hanging)));
    knot.width = right - knot.x;
    for (const side of ["top", "bottom"] as const) {
      placeAtBar(knot, contacts.filter((contact) => contact.side === side));
    }
  }
}

/** How far to both sides what hangs from a bar reaches. */
function hangingFrom(bar: Knot, contacts: readonly Contact[], { layers, placed }: Work): number[] {
  const nets = new Set(contacts.filter(({ own }) => own !== undefined).map(({ net }) => net));
  return layers.pairs.flatMap(({ net, upper, lower }) => {
    if (!nets.has(net) || upper !== bar && lower !== bar) return [];
    const { knot, built, contacts } = placed.get(upper === bar ? lower : upper)!;
    const ends = contacts.filter((it) => it.net === net);
    const [first] = ends;
    if (!built.isGrid) return ends.flatMap((it) => [xOf(it) - GRID, xOf(it) + GRID]);
    return [first!.end.isBus ? xOf(first!) - BAR_END : knot.x, knot.x + knot.width];
  });
}

/** Where lines end at a side of a bar: those that it hangs from in its middle, its own at both ends. */
function placeAtBar(knot: Knot, contacts: readonly Contact[]): void {
  const residue = residueOf(knot) - knot.x;
  const first = Math.ceil((BAR_END - residue) / GRID) * GRID + residue;
  const count = Math.floor((knot.width - BAR_END - first) / GRID) + 1;
  const at = (place: number) => first + GRID * Math.min(count - 1, Math.max(0, place));
  const whole = { lo: BAR_END, hi: knot.width - BAR_END };
  const isShared = contacts.length > 1;
  const [owners, members] = [true, false].map((isOwner) =>
    contacts.filter(({ own }) => isOwner === (own !== undefined))
  ) as [Contact[], Contact[]];
  for (const [i, { end }] of members.entries()) {
    const place = at(Math.floor((count - members.length) / 2) + i);
    const range = isShared ? { lo: place, hi: place } : { ...whole, best: knot.width / 2 };
    Object.assign(end, { at: place, ...range });
  }
  for (const [i, { end, own }] of owners.entries()) {
    Object.assign(end, { at: at(Math.floor(count / 2)), ...whole });
    Object.assign(own!, { left: at(i), right: at(count - 1 - i), isShared });
  }
}
