/**
 * What stands in a picture: bars, links, and namespaces with their links at the edge. Each says how large it
 * is and where lines end at it, before it has its place.
 *
 * @module
 */

import { type Drawing, drawRows, type Row, rowsHeight, rowsWidth, wrapped } from "./drawing.ts";
import type { Side } from "./layers.ts";
import type { Box, Net, Part } from "./picture.ts";
import { pieces, type Style } from "./text.ts";

/** Lines end at multiples of this from the left of an item, so that those of different layers can't meet. */
export const GRID = 24;
/** Between an item's edge and its texts, at least. */
const PADDING = 8;
const LONGEST_NAME = 28;
/** Badges beside each other are not wider than this. */
const WIDEST_BADGES = 145;

/** An item's share of a net: the part that the line ends at. */
export interface Plug {
  net: string;
  part: string;
  /** Whether the net is this one's: all lines of it begin here. */
  isOwner: boolean;
}

/** A plug whose line is known to lead up or down. */
export interface PlacedPlug extends Plug {
  side: Side;
  /** The order of what is at its other end. */
  rank: number;
}

/** Where a line ends at an item. */
export interface End {
  net: string;
  side: Side;
  /** How far from its left. */
  at: number;
  /** Between which places it may be moved. */
  lo: number;
  hi: number;
  /** Where it would rather be, if its line is straight. */
  best?: number;
  /** The link; none where the line goes on inside. */
  part: Part | undefined;
  /** Whether the line to it is a bus. */
  isBus?: boolean;
}

/** How large something is. */
export interface Size {
  width: number;
  height: number;
}

/** An item that knows its size and its ends. */
export interface Built extends Size {
  ends: End[];
  /** Whether it gets as wide as what hangs from it. */
  isBar?: boolean;
  /** Whether what it hangs from is better as wide as itself. */
  isGrid?: boolean;
  /** Draws it at a place, at least as large as it is. */
  draw(drawing: Drawing, x: number, y: number, size: Size): void;
}

/** Something that stands in a picture. */
export interface Item {
  plugs: Plug[];
  /** Whether it hangs from one line only, and may be drawn as one of many. */
  isLeaf: boolean;
  build(plugs: readonly PlacedPlug[]): Built;
}

/** Room between items that are alike. */
export const BETWEEN = GRID;

/** Lines can end in the middle of what is as wide as this. */
const roundWidth = (width: number) => Math.ceil(width / (2 * GRID)) * 2 * GRID;
const row = (text: string, style: Style): Row => [{ text, style }];
const on = (plugs: readonly PlacedPlug[], side: Side) =>
  plugs.filter((plug) => plug.side === side).toSorted((a, b) => a.rank - b.rank);
const SIDES = ["top", "bottom"] as const;

const badgesOf = (badges: readonly string[]): Row => badges.flatMap((text) => row(text, "badge"));

/** A namespace's name, where it is and what it does: all that fits beside each other. */
export function headerRows(box: Box): Row[] {
  return [...wrapped([...nameRows(box).flat(), ...badgesOf(box.badges)], 270), ...routeRows(box)];
}

/** A namespace's name, and where it is. */
function nameRows({ name, note }: Box): Row[] {
  return [
    ...pieces(name, LONGEST_NAME).map((text) => row(text, "name")),
    ...note === undefined ? [] : pieces(note, LONGEST_NAME).map((text) => row(text, "note")),
  ];
}

const routeRows = ({ routes }: Box) => routes.map((text) => row(text, "route"));

function linkRows({ name, kind, addresses, badges }: Part): Row[] {
  return [
    [...row(name, "link"), ...kind === undefined ? [] : row(kind, "note")],
    ...addresses.map((text) => row(text, "address")),
    ...wrapped(badgesOf(badges), WIDEST_BADGES),
  ];
}

/** The same with the first address beside the name, where there is room. */
function shortRows(part: Part): Row[] {
  const { name, kind, addresses: [first, ...addresses] } = part;
  if (kind !== undefined || first === undefined || name.length + first.length > 30) {
    return linkRows(part);
  }
  const [, ...rest] = linkRows({ ...part, addresses });
  return [[...row(name, "link"), ...row(first, "address")], ...rest];
}

const plugsOf = (parts: readonly Part[], nets: readonly Net[]): Plug[] =>
  parts.flatMap(({ id }) =>
    nets.filter(({ owner, members }) => owner === id || members.includes(id))
      .map((net) => ({ net: net.id, part: id, isOwner: net.owner === id }))
  );

const isLeaf = (plugs: readonly Plug[]) => plugs.length === 1 && !plugs[0]!.isOwner;

/** Ends side by side around the middle; one alone may be moved. */
function spread(plugs: readonly PlacedPlug[], width: number, parts: readonly Part[]): End[] {
  return SIDES.flatMap((side) =>
    on(plugs, side).map(({ net, part }, i, { length }): End => {
      const at = width / 2 + (2 * i + 1 - length) * GRID;
      const room = length === 1 ? width / 4 : GRID / 2;
      return {
        net,
        side,
        at,
        lo: at - room,
        hi: at + room,
        part: parts.find((it) => it.id === part),
      };
    })
  );
}

/** A bar that its members hang from. */
export function barItem(part: Part, nets: readonly Net[]): Item {
  const { id, name, shape, addresses, badges } = part;
  const label: Row = [
    ...row(name, "bridge"),
    ...addresses.flatMap((text) => row(text, "address")),
    ...badgesOf(badges),
  ];
  const rows = rowsWidth([label]) < 420 ? [label] : label.map((span) => [span]);
  return {
    plugs: plugsOf([part], nets),
    isLeaf: false,
    build: (placed) => ({
      width: Math.max(
        roundWidth(rowsWidth(rows) + 2 * PADDING),
        ...SIDES.map((side) => (2 * on(placed, side).length + 1) * GRID),
      ),
      height: rowsHeight(rows) + 8,
      ends: [],
      isBar: true,
      draw(drawing, x, y, size) {
        drawing.shapes.push({ kind: shape, id, x, y, ...size });
        drawRows(drawing, rows, "middle", x + size.width / 2, y + 4);
      },
    }),
  };
}

/** A link that others belong to or stand on. */
export function linkItem(part: Part, nets: readonly Net[]): Item {
  const rows = linkRows(part);
  const plugs = plugsOf([part], nets);
  return {
    plugs,
    isLeaf: isLeaf(plugs),
    build(placed) {
      const most = Math.max(...SIDES.map((side) => on(placed, side).length));
      const width = Math.max(roundWidth(rowsWidth(rows) + 2 * PADDING), 2 * GRID * most);
      return {
        width,
        height: rowsHeight(rows) + 12,
        ends: spread(placed, width, [part]),
        draw(drawing, x, y, size) {
          drawing.shapes.push({ kind: "link", id: part.id, x, y, ...size });
          const down = (size.height - rowsHeight(rows)) / 2;
          drawRows(drawing, rows, "middle", x + size.width / 2, y + down);
        },
      };
    },
  };
}

/** A namespace whose links stand at its edge, each where its line leads; one alone beneath its name. */
export function boxItem(box: Box, nets: readonly Net[]): Item {
  const plugs = plugsOf(box.parts, nets);
  const isSingle = plugs.length === 1;
  const inside = box.parts.filter(({ id }) => isSingle || plugs.every(({ part }) => part !== id));
  const middleRows = (width: number) => [
    ...nameRows(box),
    ...wrapped(badgesOf(box.badges), width),
    ...inside.flatMap(shortRows),
    ...routeRows(box),
  ];
  return {
    plugs,
    isLeaf: isLeaf(plugs),
    build(placed) {
      const edges = isSingle ? [] : SIDES.map((side) => columnsOf(on(placed, side), box.parts));
      const [top, bottom] = edges;
      const width = Math.max(
        roundWidth(rowsWidth(middleRows(WIDEST_BADGES)) + 2 * PADDING),
        ...edges.map((edge) => edge.width),
      );
      const middle = middleRows(width - 2 * PADDING);
      const height = 14 + (top?.height ?? 0) + rowsHeight(middle) + (bottom?.height ?? 0);
      const columns = edges.flatMap((edge) => {
        const left = (width - edge.width) / 2;
        return edge.columns.map((it) => ({ ...it, at: left + it.at }));
      });
      return {
        width,
        height,
        ends: isSingle ? spread(placed, width, box.parts) : columns.map(
          ({ plug: { net, side }, part, at, width }): End => {
            const room = width / 4;
            return { net, side, at, lo: at - room, hi: at + room, part };
          },
        ),
        draw(drawing, x, y, size) {
          drawing.shapes.push({ kind: box.kind, id: box.name, x, y, ...size });
          for (const { plug, rows, at } of columns) {
            const down = plug.side === "top" ? 8 : height - 8 - rowsHeight(rows);
            drawRows(drawing, rows, "middle", x + at, y + down);
          }
          const down = 7 + (top?.height ?? 0) + (size.height - height) / 2;
          drawRows(drawing, middle, "middle", x + size.width / 2, y + down);
        },
      };
    },
  };
}

/** Links side by side at an edge of their namespace. */
function columnsOf(plugs: readonly PlacedPlug[], parts: readonly Part[]) {
  let width = 0;
  const columns = plugs.map((plug) => {
    const part = parts.find(({ id }) => id === plug.part)!;
    const rows = linkRows(part);
    const own = roundWidth(rowsWidth(rows) + 2 * PADDING);
    width += own;
    return { plug, part, rows, width: own, at: width - own / 2 };
  });
  const highest = Math.max(0, ...columns.map(({ rows }) => rowsHeight(rows)));
  return { columns, width, height: columns.length === 0 ? 0 : highest + 6 };
}
