/**
 * A drawing: shapes, texts and lines at their places, in pixels. What is wide is measured to the right,
 * what is high downwards.
 *
 * @module
 */

import type { Net, Part } from "./picture.ts";
import { type Style, widthOf } from "./text.ts";

/** All that is drawn, from back to front. */
export interface Drawing {
  width: number;
  height: number;
  shapes: Shape[];
  lines: Line[];
  ends: LineEnd[];
  texts: Text[];
}

/** A rectangle. */
export interface Shape {
  kind: "host" | "namespace" | "container" | "link" | "bridge" | "routed" | "vxlan" | "badge";
  /** What it shows: a namespace by its name, a part by its id; badges have none. */
  id?: string | undefined;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A line with corners. */
export interface Line {
  net: string;
  kind: Net["kind"] | "bus";
  points: Point[];
}

/** A place: how far to the right, and how far down. */
export type Point = readonly [x: number, y: number];

/** Where a line ends at a link. */
export interface LineEnd {
  net: string;
  part: Part;
  x: number;
  y: number;
}

/** A text on a baseline. */
export interface Text {
  text: string;
  style: Style;
  anchor: "start" | "middle";
  x: number;
  y: number;
}

/** Texts side by side. */
export type Row = readonly { text: string; style: Style }[];

const BADGE_PADDING = 5;
const BADGE_HEIGHT = 15;
const GAP = 7;

const spanWidth = ({ text, style }: Row[number]) =>
  widthOf(text, style) + (style === "badge" ? 2 * BADGE_PADDING : 0);

/** How wide the texts of a row are together. */
export function rowWidth(row: Row): number {
  return row.reduce((sum, span) => sum + spanWidth(span), GAP * Math.max(0, row.length - 1));
}

/** How high a row is. */
export function rowHeight(row: Row): number {
  return row.some(({ style }) => style === "name" || style === "badge") ? 19 : 15;
}

/** How wide rows are, one below the other. */
export function rowsWidth(rows: readonly Row[]): number {
  return Math.max(0, ...rows.map(rowWidth));
}

/** How high rows are, one below the other. */
export function rowsHeight(rows: readonly Row[]): number {
  return rows.reduce((sum, row) => sum + rowHeight(row), 0);
}

/** Draws rows, one below the other; `x` is their left or their middle. */
export function drawRows(
  { shapes, texts }: Drawing,
  rows: readonly Row[],
  anchor: Text["anchor"],
  x: number,
  y: number,
): void {
  let top = y;
  for (const row of rows) {
    let left = anchor === "start" ? x : x - rowWidth(row) / 2;
    const middle = top + rowHeight(row) / 2;
    for (const { text, style } of row) {
      const width = spanWidth({ text, style });
      if (style === "badge") {
        shapes.push({
          ...{ kind: "badge", x: left, y: middle - BADGE_HEIGHT / 2 },
          ...{ width, height: BADGE_HEIGHT },
        });
      }
      const isFirst = anchor === "start" && style !== "badge";
      texts.push({
        ...{ text, style, y: middle + 4 },
        ...isFirst ? { anchor: "start", x: left } : { anchor: "middle", x: left + width / 2 },
      });
      left += width + GAP;
    }
    top += rowHeight(row);
  }
}

/** Texts in rows that are no wider than a width, where they fit. */
export function wrapped(texts: Row, width: number): Row[] {
  const rows: Row[] = [];
  for (const text of texts) {
    const longer = [...rows.at(-1) ?? [], text];
    if (rows.length > 0 && rowWidth(longer) <= width) rows[rows.length - 1] = longer;
    else rows.push([text]);
  }
  return rows;
}

/** The lines, where those that go on in each other are one. */
export function connected(lines: readonly Line[]): Line[] {
  const kinds = Map.groupBy(lines, ({ net, kind }) => `${kind} ${net}`);
  return [...kinds.values()].flatMap(chains);
}

function chains(lines: readonly Line[]): Line[] {
  const ends = Map.groupBy(
    lines.flatMap((line) =>
      [line.points, line.points.toReversed()].map((points) => ({ line, points }))
    ),
    ({ points }) => String(points[0]),
  );
  const left = new Set(lines);
  /** The points, and those of the line that alone goes on from the last of them; but not back. */
  const extend = (points: readonly Point[]): readonly Point[] => {
    const [before, last] = points.slice(-2) as [Point, Point];
    const here = ends.get(String(last))!;
    const next = here.find(({ line }) => left.has(line));
    if (here.length !== 2 || next === undefined || isBack(before, last, next.points[1]!)) {
      return points;
    }
    left.delete(next.line);
    return extend([...points, ...next.points.slice(1)]);
  };
  return lines.flatMap((line) => {
    if (!left.delete(line)) return [];
    return [{ ...line, points: corners(extend(extend(line.points).toReversed()).toReversed()) }];
  });
}

const isBack = ([a, b]: Point, [c, d]: Point, [e, f]: Point) =>
  (c - a) * (e - c) + (d - b) * (f - d) < 0;

/** The points where a line begins, bends and ends. */
function corners(points: readonly Point[]): Point[] {
  const isBetween = (a: Point, b: Point, c: Point) =>
    a[0] === b[0] && b[0] === c[0] || a[1] === b[1] && b[1] === c[1];
  return points.filter((point, i) =>
    i === 0 || i === points.length - 1 || !isBetween(points[i - 1]!, point, points[i + 1]!)
  );
}
