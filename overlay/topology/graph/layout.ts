/**
 * The places of all that a picture shows: namespaces with what is in them, one in another.
 *
 * @module
 */

import { blocksOf } from "./blocks.ts";
import { connected, type Drawing, drawRows, rowsHeight, rowsWidth } from "./drawing.ts";
import { frameOf, packings, PADDING, smallest } from "./frame.ts";
import { gridItem } from "./grid.ts";
import { barItem, boxItem, headerRows, type Item, linkItem, type Plug } from "./items.ts";
import type { Box, Net, Part, Picture } from "./picture.ts";
import type { Nets } from "./placed.ts";

/** From the left of a frame to its texts, and above them. */
const HEADER_LEFT = 14;
const HEADER_TOP = 8;

/** The places of all that a picture shows. */
export function layout({ boxes, vxlans, nets: list }: Picture): Drawing {
  const nets = new Map(list.map((net) => [net.id, net]));
  const drawing: Drawing = { width: 0, height: 0, shapes: [], lines: [], ends: [], texts: [] };
  const items = [...vxlans.map((it) => barItem(it, list)), ...boxes.map((it) => itemOf(it, nets))];
  const { free } = blocksOf(gathered(items, nets), [], nets);
  const { width, height, draw } = smallest(packings(free), 16 / 9);
  draw(drawing, PADDING, PADDING);
  const lines = connected(drawing.lines);
  return { ...drawing, lines, width: width + 2 * PADDING, height: height + 2 * PADDING };
}

/** A namespace: its links at its edge, where each leads elsewhere; otherwise a frame around all in it. */
function itemOf(box: Box, nets: Nets): Item {
  const own = new Set(box.parts.map(({ id }) => id));
  const list = [...nets.values()];
  const here = list.map((net) => ({
    net,
    ids: [net.owner, ...net.members].filter((id) => own.has(id)),
  }));
  const joined = here.flatMap(({ ids }) => ids);
  const isPlain = box.boxes.length === 0 && box.parts.every(({ shape }) => shape === "link") &&
    here.every(({ net, ids }) => ids.length < 2 && (net.kind === "veth" || !own.has(net.owner))) &&
    new Set(joined).size === joined.length;
  return isPlain ? boxItem(box, list) : frameItem(box, nets);
}

/** A namespace around all that is in it. */
function frameItem(box: Box, nets: Nets): Item {
  const list = [...nets.values()];
  const items = [
    ...box.parts.map((part) => part.shape === "link" ? linkItem(part, list) : barItem(part, list)),
    ...box.boxes.map((it) => itemOf(it, nets)),
  ];
  const rows = headerRows(box);
  const header = {
    width: HEADER_LEFT + rowsWidth(rows),
    height: 2 * HEADER_TOP + rowsHeight(rows),
  };
  return {
    plugs: leadingOut(box, list),
    isLeaf: false,
    build(placed) {
      const blocks = blocksOf(gathered(items, nets), placed, nets);
      const frame = frameOf(header, placed, blocks.leading, blocks.free);
      const { width, height, leading, leadingAt, free, freeAt } = frame;
      return {
        ...{ width, height, ends: leading?.gates ?? [] },
        draw(drawing, x, y, size) {
          drawing.shapes.push({ kind: box.kind, id: box.name, x, y, ...size });
          drawRows(drawing, rows, "start", x + HEADER_LEFT, y + HEADER_TOP);
          leading?.draw(drawing, x + leadingAt[0], y + leadingAt[1], y + size.height);
          free.draw(drawing, x + freeAt[0], y + freeAt[1]);
        },
      };
    },
  };
}

/** The nets that are partly in a namespace and partly not. */
function leadingOut(box: Box, nets: readonly Net[]): Plug[] {
  const inside = new Set(partsIn(box).map(({ id }) => id));
  return nets.flatMap(({ id, owner, members }): Plug[] => {
    const all = [owner, ...members];
    const part = all.find((it) => inside.has(it));
    if (part === undefined || all.every((it) => inside.has(it))) return [];
    return [{ net: id, part, isOwner: inside.has(owner) }];
  });
}

const partsIn = ({ parts, boxes }: Box): Part[] => [...parts, ...boxes.flatMap(partsIn)];

/** The items, where those that hang alike from one line are one, in place of the first of them. */
function gathered(items: readonly Item[], nets: Nets): Item[] {
  const isAlike = ({ isLeaf, plugs }: Item) => isLeaf && nets.get(plugs[0]!.net)!.kind !== "veth";
  const alike = Map.groupBy(items.filter(isAlike), ({ plugs }) => plugs[0]!.net);
  return items.flatMap((item) => {
    const all = isAlike(item) ? alike.get(item.plugs[0]!.net)! : [item];
    if (all.length === 1) return [item];
    return all[0] === item ? [gridItem(all, nets.get(item.plugs[0]!.net)!.kind)] : [];
  });
}
