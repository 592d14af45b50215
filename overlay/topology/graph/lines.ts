/**
 * The lines of layers that have their places.
 *
 * @module
 */

import { type Channel, type Contact, type Tracked, xOf } from "./channels.ts";
import type { Drawing, Line, Point } from "./drawing.ts";
import type { Nets, Placed } from "./placed.ts";

/** Between layers. */
const CHANNEL = 34;
/** Between the outer layers and what is outside. */
const MARGIN = 16;
/** Between tracks, and before the first and after the last. */
const TRACK = 10;
const BESIDE_TRACKS = 14;

/** Layers and what is between them, from the top. */
export interface Levels {
  rows: readonly (readonly Placed[])[];
  /** How far down each layer is, and how high. */
  tops: number[];
  heights: number[];
  channels: readonly Channel[];
}

/** Sets how far down everything is; the first layer is as high as the header. */
export function levelsOf(
  rows: Levels["rows"],
  channels: readonly Channel[],
  headerHeight: number,
): Levels {
  const heights = rows.map((row) => Math.max(0, ...row.map(({ built }) => built.height)));
  heights[0] = headerHeight;
  const tops = [0];
  for (const [i, channel] of channels.entries()) {
    const isOuter = i === 0 || i === channels.length - 1;
    tops.push(tops[i]! + heights[i]! + heightOf(channel, isOuter));
  }
  for (const [i, row] of rows.entries()) {
    for (const it of row) {
      // What hangs from one side only is at that side.
      const sides = new Set(it.contacts.map(({ side }) => side));
      const free = heights[i]! - it.built.height;
      it.y = tops[i]! + (sides.size !== 1 ? free / 2 : sides.has("top") ? 0 : free);
    }
  }
  return { rows, tops, heights, channels };
}

function heightOf({ straight, tracked, tracks }: Channel, isOuter: boolean): number {
  const isEmpty = straight.length + tracked.length === 0;
  const least = !isOuter ? CHANNEL : isEmpty ? 0 : MARGIN;
  return tracks === 0 ? least : Math.max(least, 2 * BESIDE_TRACKS + (tracks - 1) * TRACK);
}

/** Draws the lines; those that lead outside below end at `bottom`. */
export function drawLines(
  drawing: Drawing,
  levels: Levels,
  nets: Nets,
  [x, y]: Point,
  bottom: number,
): void {
  const { rows, tops, heights, channels } = levels;
  const draw = (net: string, points: Point[], kind: Line["kind"] = nets.get(net)!.kind) =>
    drawing.lines.push({ net, kind, points });
  for (const [i, row] of rows.entries()) {
    const from = y + tops[i]!;
    const to = i === rows.length - 1 ? bottom : from + heights[i]!;
    for (const { knot: { item, net }, contacts: [contact] } of row) {
      if (item !== undefined || from === to) continue;
      const at = x + xOf(contact!);
      draw(net!, [[at, from], [at, to]]);
    }
  }
  for (const [i, channel] of channels.entries()) {
    const ends = endsIn(levels, i, y);
    const mark = (contact: Contact, at: number) => {
      const { net, end: { part } } = contact;
      if (part !== undefined) drawing.ends.push({ net, part, x: at, y: ends(contact) });
    };
    for (const { net, contacts } of channel.straight) {
      const [a, b] = contacts as [Contact, Contact];
      const at = x + xOf(a.own === undefined ? a : b);
      for (const contact of contacts) mark(contact, at);
      const isBus = contacts.some(({ end }) => end.isBus);
      draw(net, [[at, ends(a)], [at, ends(b)]], isBus ? "bus" : undefined);
    }
    for (const wire of channel.tracked) {
      for (const { contact, x: at } of wire.ends) mark(contact, x + at);
      const points = wire.ends.map(({ contact, x: at }): Point => [x + at, ends(contact)]);
      for (const line of bend(points, y + trackLevel(levels, i, wire))) draw(wire.net, line);
    }
  }
}

/** How far down lines end in a channel. */
function endsIn({ rows, tops, heights }: Levels, i: number, y: number) {
  const placed = new Map([...rows[i]!, ...rows[i + 1]!].map((it) => [it.knot, it]));
  return ({ knot, side }: Contact): number => {
    const { y: top, built: { height } } = placed.get(knot)!;
    if (knot.item !== undefined) return y + (side === "top" ? top : top + height);
    return y + (side === "top" ? tops[i + 1]! : tops[i]! + heights[i]!);
  };
}

/** How far down a track is, all of them in the middle of their channel. */
function trackLevel({ tops, heights, channels }: Levels, i: number, { track }: Tracked): number {
  const middle = (tops[i]! + heights[i]! + tops[i + 1]!) / 2;
  return middle + (track - (channels[i]!.tracks - 1) / 2) * TRACK;
}

/** A line over a track from its first to its last end, and those between them to it. */
function bend(ends: readonly Point[], level: number): Point[][] {
  const [first, ...rest] = ends.toSorted(([a], [b]) => a - b) as [Point, ...Point[]];
  const last = rest.pop()!;
  return [
    [first, [first[0], level], [last[0], level], last],
    ...rest.map(([x, y]): Point[] => [[x, level], [x, y]]),
  ];
}
