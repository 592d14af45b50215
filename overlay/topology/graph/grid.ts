/**
 * Many items that hang alike from one line.
 *
 * @module
 */

import { BETWEEN, type Built, type End, GRID, type Item, type Plug } from "./items.ts";
import type { Net } from "./picture.ts";

/** What is wider than this is no row any more, except for a few. */
const WIDEST_ROW = 1000;
const FEW = 4;
/** Between a branch of a bus and what hangs from it, and between that and what hangs from the next. */
const STUB = 14;
/** From the left of all to the stem. */
const STEM = GRID;
const APART = 18;

/** Many that hang from the same: in a row, or on the branches of a bus. */
export function gridItem(leaves: readonly Item[], kind: Net["kind"]): Item {
  const [plug] = leaves[0]!.plugs as [Plug];
  return {
    plugs: [plug],
    isLeaf: false,
    build([placed]) {
      const cells = leaves.map((leaf) => leaf.build([{ ...placed!, ...leaf.plugs[0]! }]));
      const width = Math.max(...cells.map((cell) => cell.width));
      const columns = columnsFor(
        cells.length,
        width,
        Math.max(...cells.map((cell) => cell.height)),
      );
      return columns === cells.length ? inRow(cells, width) : onBus(cells, width, columns, kind);
    },
  };
}

function columnsFor(count: number, width: number, height: number): number {
  if (count <= FEW || count * (width + BETWEEN) <= WIDEST_ROW) return count;
  const costs = Array.from({ length: count }, (_, i) => {
    const rows = Math.ceil(count / (i + 1));
    const ratio = (i + 1) * (width + BETWEEN) / (rows * (height + STUB + APART / 2));
    const missing = rows * (i + 1) - count;
    return Math.abs(Math.log(ratio / 2)) + 2 * missing / count;
  });
  return costs.indexOf(Math.min(...costs)) + 1;
}

function inRow(cells: readonly Built[], width: number): Built {
  const step = width + BETWEEN;
  const height = Math.max(...cells.map((cell) => cell.height));
  return {
    width: cells.length * step - BETWEEN,
    height,
    isGrid: true,
    ends: cells.map((cell, i): End => {
      const at = i * step + width / 2;
      return { ...cell.ends[0]!, at, lo: at, hi: at };
    }),
    draw(drawing, x, y) {
      for (const [i, cell] of cells.entries()) {
        cell.draw(drawing, x + i * step, y, { width, height });
      }
    },
  };
}

/** Cells of the same height, above or below a branch of a bus. */
interface Shelf {
  cells: readonly Built[];
  y: number;
  height: number;
  branch: number;
}

/** Rows of cells on both sides of the branches of a bus, whose stem is at the left. */
function onBus(cells: readonly Built[], width: number, columns: number, kind: Net["kind"]): Built {
  const [{ net, side }] = cells[0]!.ends as [End];
  const step = width + BETWEEN;
  const shelves = shelvesOf(cells, columns);
  const last = shelves.at(-1)!;
  const height = last.y + last.height;
  return {
    width: STEM + columns * step,
    height,
    isGrid: true,
    ends: [{ net, side, at: STEM, lo: STEM, hi: STEM, part: undefined, isBus: true }],
    draw(drawing, left, y) {
      const x = left + STEM;
      const stem = side === "top" ? [0, last.branch] : [shelves[0]!.branch, height];
      drawing.lines.push({ net, kind: "bus", points: stem.map((down) => [x, y + down]) });
      for (const [branch, [first]] of Map.groupBy(shelves, ({ branch }) => branch)) {
        const right = x + BETWEEN + (first!.cells.length - 1) * step + width / 2;
        drawing.lines.push({ net, kind: "bus", points: [[x, y + branch], [right, y + branch]] });
      }
      for (const shelf of shelves) {
        const edge = y + (shelf.y < shelf.branch ? shelf.y + shelf.height : shelf.y);
        for (const [i, cell] of shelf.cells.entries()) {
          const cellLeft = x + BETWEEN + i * step;
          const center = cellLeft + width / 2;
          cell.draw(drawing, cellLeft, y + shelf.y, { width, height: shelf.height });
          drawing.lines.push({ net, kind, points: [[center, y + shelf.branch], [center, edge]] });
          drawing.ends.push({ net, part: cell.ends[0]!.part!, x: center, y: edge });
        }
      }
    },
  };
}

/** Two rows share a branch between them; the last of an odd number has one to itself, above it. */
function shelvesOf(cells: readonly Built[], columns: number): Shelf[] {
  const count = Math.ceil(cells.length / columns);
  let bottom = -APART;
  let branch = 0;
  return Array.from({ length: count }, (_, i) => {
    const own = cells.slice(i * columns, (i + 1) * columns);
    const height = Math.max(...own.map((cell) => cell.height));
    const isAbove = i % 2 === 0 && i < count - 1;
    const isAlone = i % 2 === 0 && i === count - 1;
    if (isAlone) branch = bottom + APART;
    const y = isAbove ? bottom + APART : branch + STUB;
    if (isAbove) branch = y + height + STUB;
    bottom = y + height;
    return { cells: own, y, height, branch };
  });
}
