/**
 * Items in layers (Sugiyama's method): which layer an item is in, and which stands beside which.
 *
 * @module
 */

/** An upper or a lower side. */
export type Side = "top" | "bottom";

/** Two items that are joined; or one with what is outside, above or below. */
export interface Edge {
  net: string;
  from: number;
  to: number | Side;
}

/** A line that leads outside. */
export interface Outside {
  net: string;
  side: Side;
  /** The order of what it leads to. */
  rank: number;
}

/** A place in a layer: of an item, or of a line that comes through. */
export interface Knot {
  /** The item's number; none where a line comes through. */
  item: number | undefined;
  /** The line's net, where one comes through. */
  net: string | undefined;
  /** The layer, from the top. */
  row: number;
  /** How far it is to the right; it is said later, as its width. */
  x: number;
  width: number;
}

/** Two knots in neighbouring layers that are joined; or in the same one. */
export interface Pair {
  net: string;
  upper: Knot;
  lower: Knot;
}

/** Layers from the top; the first and the last are of lines that lead outside. */
export interface Layers {
  rows: Knot[][];
  pairs: Pair[];
  siblings: Pair[];
}

/** Puts items in layers, from those that are joined with the outside above, or from the one with most edges. */
export function layersOf(
  widths: readonly number[],
  edges: readonly Edge[],
  outside: readonly Outside[],
): Layers {
  const levels = split(levelsOf(widths.length, edges), widths);
  const height = Math.max(0, ...levels) + 1;
  const rows = Array.from({ length: height + 2 }, (): Knot[] => []);
  // Layers begin in the order of the items; a line stands where the item does that it leads to.
  const numbers = new Map<Knot, number>();
  const add = (row: number, number: number, item?: number, net?: string): Knot => {
    const knot = { item, net, row, x: 0, width: 0 };
    rows[row]!.push(knot);
    numbers.set(knot, number);
    return knot;
  };
  const items = levels.map((level, item) => add(level + 1, item, item));
  const lines = new Map<string, Knot>();
  const lineAt = (net: string, row: number, number = 0): Knot => {
    const key = `${row} ${net}`;
    const known = lines.get(key) ?? add(row, number, undefined, net);
    lines.set(key, known);
    return known;
  };
  for (const { net, side } of outside.toSorted((a, b) => a.rank - b.rank)) {
    lineAt(net, side === "top" ? 0 : height + 1);
  }
  const pairs = new Map<string, Pair>();
  const siblings: Pair[] = [];
  const join = (net: string, upper: Knot, lower: Knot) =>
    pairs.set([net, upper.row, upper.item, lower.item].join(" "), { net, upper, lower });
  for (const { net, from, to } of edges) {
    const one = items[from]!;
    const other = typeof to === "number" ? items[to]! : lineAt(net, to === "top" ? 0 : height + 1);
    if (one.row === other.row) siblings.push({ net, upper: one, lower: other });
    const [upper, lower] = one.row < other.row ? [one, other] : [other, one];
    for (let row = upper.row, last = upper; row < lower.row; row++) {
      const next = row + 1 === lower.row ? lower : lineAt(net, row + 1, numbers.get(lower));
      join(net, last, next);
      last = next;
    }
  }
  for (const row of rows.slice(1, -1)) row.sort((a, b) => numbers.get(a)! - numbers.get(b)!);
  const layers = { rows, pairs: [...pairs.values()], siblings };
  order(layers);
  return layers;
}

/** The layer of each item: how many edges it is away from where the layers begin. */
function levelsOf(count: number, edges: readonly Edge[]): number[] {
  const next = Array.from({ length: count }, (): number[] => []);
  const leads = { top: new Set<number>(), bottom: new Set<number>() };
  for (const { from, to } of edges) {
    if (typeof to === "string") leads[to].add(from);
    else {
      next[from]!.push(to);
      next[to]!.push(from);
    }
  }
  const levels = new Array<number>(count).fill(NaN);
  const spread = (roots: readonly number[]): number[] => {
    const reached = roots.filter((root) => Number.isNaN(levels[root]));
    for (const root of reached) levels[root] = 0;
    for (const item of reached) {
      for (const other of next[item]!) {
        if (!Number.isNaN(levels[other])) continue;
        levels[other] = levels[item]! + 1;
        reached.push(other);
      }
    }
    return reached;
  };
  spread([...leads.top]);
  const hanging = spread([...leads.bottom]);
  const deepest = Math.max(0, ...levels.filter((level) => !Number.isNaN(level)));
  for (const item of hanging) levels[item] = deepest - levels[item]!;
  const byEdges = [...levels.keys()].toSorted((a, b) => next[b]!.length - next[a]!.length || a - b);
  for (const item of byEdges) {
    const isRoot = Number.isNaN(levels[item]);
    spread([item]);
    // What hangs alone from where the layers begin stands above it.
    const single = next[item]!.filter((other) => next[other]!.length === 1);
    if (isRoot && single.length === 1 && next[item]!.length > 2) levels[single[0]!] = -1;
  }
  const least = Math.min(0, ...levels);
  return levels.map((level) => level - least);
}

/** A layer that is wider than this becomes several; beside each item there is some room. */
const WIDEST = 2400;
const BESIDE = 36;

/** Makes several layers of one that is too wide, in turns, so that lines pass between items. */
function split(levels: readonly number[], widths: readonly number[]): number[] {
  const result = [...levels];
  let added = 0;
  for (let level = 0; level <= Math.max(...levels); level++) {
    const items = [...levels.keys()].filter((item) => levels[item] === level);
    const parts = Math.max(1, Math.ceil(sum(items.map((item) => widths[item]! + BESIDE)) / WIDEST));
    items.forEach((item, i) => result[item] = level + added + i % parts);
    added += parts - 1;
  }
  return result;
}

const ROUNDS = 8;

type Index = Map<Knot, number>;

/** Sets each layer in the order of what its knots are joined with, back and forth, and keeps the best. */
function order({ rows, pairs, siblings }: Layers): void {
  const [above, below] = [neighboursOf(pairs, "upper"), neighboursOf(pairs, "lower")];
  const beside = [neighboursOf(siblings, "upper"), neighboursOf(siblings, "lower")];
  const index: Index = new Map();
  const inner = rows.slice(1, -1);
  for (const row of rows) number(row, index);
  const cost = () =>
    crossings(pairs, index) * 4 + sum(siblings.map((pair) => lengthOf(pair, index)));
  let best = { index: new Map(index), cost: cost() };
  for (let round = 0; round < ROUNDS && best.cost > 0; round++) {
    for (const row of inner) sort(row, above, index);
    for (const row of inner.toReversed()) sort(row, below, index);
    if (round % 2 === 1) {
      for (const row of inner) for (const near of beside) sort(row, near, index);
    }
    const now = cost();
    if (now < best.cost) best = { index: new Map(index), cost: now };
  }
  for (const row of rows) row.sort((a, b) => best.index.get(a)! - best.index.get(b)!);
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

function number(row: readonly Knot[], index: Index): void {
  for (const [i, knot] of row.entries()) index.set(knot, i);
}

/** How many stand between two of a layer. */
const lengthOf = ({ upper, lower }: Pair, index: Index) =>
  Math.abs(index.get(upper)! - index.get(lower)!) - 1;

/** Sorts a layer by where the neighbours of its knots stand; what has none there keeps its place. */
function sort(row: Knot[], near: ReadonlyMap<Knot, Knot[]>, index: Index): void {
  const wanted = new Map([...near].map(([knot, others]) => [
    knot,
    sum(others.map((it) => index.get(it)!)) / others.length,
  ]));
  const sorted = row.filter((knot) => wanted.has(knot))
    .sort((a, b) => wanted.get(a)! - wanted.get(b)! || index.get(a)! - index.get(b)!);
  for (const [i, knot] of row.entries()) if (wanted.has(knot)) row[i] = sorted.shift()!;
  number(row, index);
}

/** Of each knot those that it is joined with on one side. */
function neighboursOf(pairs: readonly Pair[], side: "upper" | "lower"): Map<Knot, Knot[]> {
  const from = side === "upper" ? "lower" : "upper";
  const groups = Map.groupBy(pairs, (pair) => pair[from]);
  return new Map([...groups].map(([knot, own]) => [knot, own.map((pair) => pair[side])]));
}

/** How often lines between neighbouring layers cross. */
function crossings(pairs: readonly Pair[], index: Index): number {
  let count = 0;
  for (let i = 0; i < pairs.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [pairs[i]!, pairs[j]!];
      if (a.upper.row !== b.upper.row || a.net === b.net) continue;
      const upper = index.get(a.upper)! - index.get(b.upper)!;
      const lower = index.get(a.lower)! - index.get(b.lower)!;
      if (upper * lower < 0) count++;
    }
  }
  return count;
}
