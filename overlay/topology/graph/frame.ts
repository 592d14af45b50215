/**
 * Where things stand in a frame, below its header: what leads outside, and what doesn't.
 *
 * @module
 */

import type { Around, Block } from "./arrange.ts";
import type { Drawing, Point } from "./drawing.ts";
import { GRID, type PlacedPlug, type Size } from "./items.ts";

/** Between a frame and what is in it, and around all. */
export const PADDING = GRID;
/** Between what is not joined. */
const APART = 36;
/** Rather than bend lines around the header, what they lead to is moved to the right by no more than this. */
const MOST_MOVED = 8 * GRID;

/** Blocks beside and below each other. */
interface Packing extends Size {
  draw(drawing: Drawing, x: number, y: number): void;
}

/** What leads outside, and what doesn't, at their places. */
export interface Frame extends Size {
  leading: Block | undefined;
  leadingAt: Point;
  free: Packing;
  freeAt: Point;
}

/** What a frame is made of: its header, and how many of its sides lines lead to. */
interface Content {
  header: Size;
  isTop: boolean;
  isBottom: boolean;
  free: readonly Packing[];
}

/** Arranges what is in a frame; what leads outside may be arranged anew. */
export function frameOf(
  header: Size,
  placed: readonly PlacedPlug[],
  arrangeLeading: ((around: Around) => Block) | undefined,
  blocks: readonly Block[],
): Frame {
  const free = packings(blocks);
  const isTop = placed.some(({ side }) => side === "top");
  const content = { header, isTop, isBottom: placed.some(({ side }) => side === "bottom"), free };
  if (arrangeLeading === undefined) return smallest(free.map((it) => alone(it, header)), 4 / 3);
  const around = { left: PADDING, width: 0, height: isTop ? header.height : 0 };
  const block = arrangeLeading(around);
  const frame = bestOf(block, content, 0);
  const first = Math.min(...block.gates.filter(({ side }) => side === "top").map(({ at }) => at));
  const missing = Math.max(0, Math.ceil((header.width - first) / GRID) * GRID);
  const lacking = missing - (frame.leadingAt[0] - PADDING);
  return tellGates(
    lacking <= 0
      ? frame
      : lacking <= MOST_MOVED
      ? bestOf(block, content, missing)
      : bestOf(arrangeLeading({ ...around, width: header.width }), content, 0),
    header,
  );
}

/** Tells the lines that lead outside where they are, and not to move over the header. */
function tellGates(frame: Frame, header: Size): Frame {
  const { leading, leadingAt: [x] } = frame;
  leading!.moveGates(x - PADDING);
  for (const gate of leading!.gates) {
    if (gate.side === "top") gate.lo = Math.min(gate.at, Math.max(gate.lo, header.width));
  }
  return frame;
}

/** What leads outside beside or below the others, at least some way to the right. */
function bestOf(leading: Block, { header, isTop, isBottom, free }: Content, least: number): Frame {
  const { left, width, height } = leading;
  const top = isTop ? 0 : header.height;
  const frames = free.flatMap((it) => {
    const at = (leadingAt: Point, freeAt: Point) => frame(header, leading, leadingAt, it, freeAt);
    const x = PADDING + least;
    if (it.height === 0) return [at([x, top], [0, 0])];
    const bottom = header.height + Math.max(height, it.height);
    const beside = at(
      [x, isTop ? 0 : bottom - height],
      [x + width + APART, header.height],
    );
    if (isTop && isBottom) return [beside];
    const middle = (left + width) / 2;
    const move = Math.max(least, Math.round((it.width / 2 - middle) / GRID) * GRID);
    const freeX = PADDING + Math.max(0, middle + move - it.width / 2);
    const below = isTop
      ? at([PADDING + move, 0], [freeX, height + APART])
      : at([PADDING + move, header.height + it.height + APART], [freeX, header.height]);
    return [beside, below];
  });
  return smallest(frames, 4 / 3);
}

/** Only what doesn't lead outside, in the middle below the header. */
function alone(free: Packing, header: Size): Frame {
  const room = Math.max(0, widthFor(header) - free.width - 2 * PADDING);
  return frame(header, undefined, [0, 0], free, [PADDING + room / 2, header.height]);
}

const widthFor = (header: Size) => header.width + PADDING / 2;

/** A frame around its content, with as much room at the right as at the left. */
function frame(
  header: Size,
  leading: Block | undefined,
  leadingAt: Point,
  free: Packing,
  freeAt: Point,
): Frame {
  const { left, width, height } = leading ?? { left: 0, width: 0, height: 0 };
  const lefts = [
    ...leading === undefined ? [] : [leadingAt[0] + left],
    ...free.height === 0 ? [] : [freeAt[0]],
  ];
  const right = Math.max(leadingAt[0] + width, freeAt[0] + free.width);
  return {
    width: Math.max(widthFor(header), right + Math.min(2 * PADDING, ...lefts)),
    height: Math.max(leadingAt[1] + height, freeAt[1] + free.height) + PADDING,
    ...{ leading, leadingAt, free, freeAt },
  };
}

/** Blocks in rows of different widths. */
export function packings(blocks: readonly Block[]): Packing[] {
  let width = -APART;
  const widths = blocks.map((block) => width += block.width - block.left + APART);
  return widths.length === 0 ? [pack([], 0)] : widths.map((width) => pack(blocks, width));
}

/** Blocks in rows that are no wider than the widest of them, or than some width. */
function pack(blocks: readonly Block[], most: number): Packing {
  const sizes = blocks.map(({ left, width, height }) => ({ width: width - left, height }));
  const widest = Math.max(most, ...sizes.map(({ width }) => width));
  let [x, y, width, height] = [0, 0, 0, 0];
  const places = sizes.map((size, i) => {
    if (x > 0 && x + size.width > widest) [x, y] = [0, height + APART];
    const place = { block: blocks[i]!, x: x - blocks[i]!.left, y };
    x += size.width + APART;
    [width, height] = [Math.max(width, x - APART), Math.max(height, y + size.height)];
    return place;
  });
  return {
    ...{ width, height },
    draw(drawing, left, top) {
      for (const { block, x, y } of places) block.draw(drawing, left + x, top + y, 0);
    },
  };
}

/** The smallest of some, or one that is a little larger but nearer to a ratio of width and height. */
export function smallest<S extends Size>(all: readonly S[], ratio: number): S {
  const cost = ({ width, height }: Size) =>
    Math.log((width + 1) * (height + 1)) +
    Math.abs(Math.log((width + 1) / (height + 1) / ratio)) / 2;
  return all.toSorted((a, b) => cost(a) - cost(b))[0]!;
}
