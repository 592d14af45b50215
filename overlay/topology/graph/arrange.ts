/**
 * Items in layers with the lines between them, such that no line crosses an item.
 *
 * @module
 */

import { channelOf, type Contact, type Wire, xOf } from "./channels.ts";
import type { Drawing } from "./drawing.ts";
import type { End, Item, Size } from "./items.ts";
import { type Edge, type Knot, layersOf, type Outside } from "./layers.ts";
import { drawLines, levelsOf } from "./lines.ts";
import { build, type Nets, type Placed } from "./placed.ts";
import { placeSideways } from "./sideways.ts";

/** Items that are joined, arranged. */
export interface Block extends Size {
  /** How far its leftmost item is from its left. */
  left: number;
  /** Where lines lead outside, as measured from the left of what is around. */
  gates: End[];
  /** Tells them that it stands further to the right than was said. */
  moveGates(by: number): void;
  /** Draws it; lines that lead outside below end at `bottom`. */
  draw(drawing: Drawing, x: number, y: number, bottom: number): void;
}

/** What is around: from where its left is measured, and the room above that its texts take. */
export interface Around extends Size {
  left: number;
}

/** With more items than these a layer may be too wide. */
const MANY = 6;

/** Arranges items that are joined with each other, or all with what is outside. */
export function arrange(
  items: readonly Item[],
  edges: readonly Edge[],
  outside: readonly Outside[],
  nets: Nets,
  around: Around,
): Block {
  const layers = layersOf(items.map(items.length > MANY ? roughWidth : () => 0), edges, outside);
  const knots = layers.rows.flat();
  const placed = new Map(knots.map((knot) => [knot, build(knot, items, layers, nets)]));
  placeSideways(layers, placed, Math.max(0, around.width - around.left));
  const rows = layers.rows.map((row) => row.map((knot) => placed.get(knot)!));
  const channels = rows.slice(1).map((row, i) => channelOf(wiresOf(rows[i]!, row)));
  const levels = levelsOf(rows, channels, around.height);
  const width = Math.max(...knots.map(({ x, width }) => x + width));
  const bent = new Set(channels.flatMap(({ tracked }) => tracked.flatMap((it) => it.contacts)));
  const outer = [...rows[0]!, ...rows.at(-1)!];
  const gates = outer.map(({ knot, contacts: [gate] }) =>
    gateOf(knot, gate!, bent.has(gate!), around.left)
  );
  return {
    left: Math.min(...layers.rows.slice(1, -1).flat().map(({ x }) => x)),
    width,
    height: levels.tops.at(-1)!,
    gates,
    moveGates(by) {
      for (const gate of gates) moveEnd(gate, by);
      for (const { knot } of outer) knot.x -= by;
    },
    draw(drawing, x, y, bottom) {
      for (const { straight } of channels) straight.forEach(settle);
      for (const { knot, built, y: down } of placed.values()) {
        built.draw(drawing, x + knot.x, y + down, { width: knot.width, height: built.height });
      }
      drawLines(drawing, levels, nets, [x, y], bottom);
    },
  };
}

/** How wide an item is, about: it is not known yet where its lines lead. */
function roughWidth({ plugs, build }: Item): number {
  return build(plugs.map((plug) => ({ ...plug, side: "top", rank: 0 }))).width;
}

/** Contacts that face each other, by their nets. */
function wiresOf(upper: readonly Placed[], lower: readonly Placed[]): Wire[] {
  const facing = [
    ...upper.flatMap(({ contacts }) => contacts.filter(({ side }) => side === "bottom")),
    ...lower.flatMap(({ contacts }) => contacts.filter(({ side }) => side === "top")),
  ];
  return [...Map.groupBy(facing, ({ net }) => net)].map(([net, contacts]) => ({ net, contacts }));
}

/** Where a line leads outside; to a track it leads from one place only. */
function gateOf(knot: Knot, { end }: Contact, isBent: boolean, left: number): End {
  if (isBent) Object.assign(end, { lo: end.at, hi: end.at, best: end.at });
  moveEnd(end, knot.x + left);
  knot.x = -left;
  return end;
}

function moveEnd(end: End, by: number): void {
  end.at += by;
  end.lo += by;
  end.hi += by;
  if (end.best !== undefined) end.best += by;
}

/** Moves what is straight below or above a line that leads outside, now that it has its place. */
function settle({ contacts }: Wire): void {
  const gate = contacts.find(({ knot }) => knot.item === undefined);
  if (gate === undefined) return;
  for (const { knot, end } of contacts) end.at = xOf(gate) - knot.x;
}
