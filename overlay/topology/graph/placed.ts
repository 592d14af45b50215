/**
 * What stands in a layer, with its size and where lines end at it.
 *
 * @module
 */

import type { Contact } from "./channels.ts";
import type { Built, End, Item, PlacedPlug } from "./items.ts";
import type { Knot, Layers, Side } from "./layers.ts";
import type { Net } from "./picture.ts";

/** Nets by their ids. */
export type Nets = ReadonlyMap<string, Net>;

/** Further than any place in a layer. */
const FAR = 1e6;

/** A knot with its size and its ends. */
export interface Placed {
  knot: Knot;
  built: Built;
  contacts: Contact[];
  /** How far down. */
  y: number;
}

/** Builds what is at a knot: an item, now that it is known where its lines lead, or a line itself. */
export function build(knot: Knot, items: readonly Item[], layers: Layers, nets: Nets): Placed {
  if (knot.item === undefined) return buildLine(knot, knot.net!, layers);
  const item = items[knot.item]!;
  const order = [...nets.keys()];
  const plugs = item.plugs.flatMap((plug) =>
    sidesOf(knot, plug.net, layers).map((side): PlacedPlug => {
      const rank = rankOf(knot, plug.net, side, layers, order.indexOf(plug.net) / order.length);
      return { ...plug, side, rank };
    })
  );
  const built = item.build(plugs);
  knot.width = built.width;
  const contacts = built.isBar
    ? plugs.map((plug) => barContact(knot, plug))
    : built.ends.map((end): Contact => ({ net: end.net, side: end.side, knot, end }));
  return { knot, built, contacts, y: 0 };
}

const NOTHING: Built = { width: 0, height: 0, ends: [], draw: () => {} };

/** A line that comes through; one that leads outside is seen from there. */
function buildLine(knot: Knot, net: string, layers: Layers): Placed {
  const end = endOf(net, knot.row === 0 ? "top" : "bottom");
  const contacts = sidesOf(knot, net, layers).map((side): Contact => ({ net, side, knot, end }));
  return { knot, built: NOTHING, contacts, y: 0 };
}

/** Lines end anywhere at a bar; where, is said when it has its place. */
function barContact(knot: Knot, { net, isOwner, side }: PlacedPlug): Contact {
  const own = isOwner ? { left: 0, right: 0, isShared: false } : undefined;
  return { net, side, knot, end: endOf(net, side), own };
}

const endOf = (net: string, side: Side): End => ({
  net,
  side,
  at: 0,
  lo: 0,
  hi: 0,
  part: undefined,
});

/** To which sides of a knot a net's lines lead. */
function sidesOf(knot: Knot, net: string, { pairs, siblings }: Layers): Side[] {
  const isIn = (list: Layers["pairs"], ...places: ("upper" | "lower")[]) =>
    list.some((pair) => pair.net === net && places.some((place) => pair[place] === knot));
  // Those of one layer are joined below it.
  const isBelow = isIn(pairs, "upper") || isIn(siblings, "upper", "lower");
  return [...isIn(pairs, "lower") ? ["top" as const] : [], ...isBelow ? ["bottom" as const] : []];
}

/** The order of what is at the other end of a line; of several that lead to the same, that of their nets. */
function rankOf(
  knot: Knot,
  net: string,
  side: Side,
  { rows, pairs, siblings }: Layers,
  order: number,
): number {
  const [own, other] = side === "top" ? ["lower", "upper"] as const : ["upper", "lower"] as const;
  const places = pairs.filter((pair) => pair.net === net && pair[own] === knot)
    .map((pair) => rows[pair[other].row]!.indexOf(pair[other]));
  if (places.length > 0) return places.reduce((a, b) => a + b, 0) / places.length + order / FAR;
  const pair = siblings.find((it) => it.net === net && (it.upper === knot || it.lower === knot));
  if (pair === undefined) return 0;
  const row = rows[knot.row]!;
  const isRight = row.indexOf(pair.upper === knot ? pair.lower : pair.upper) > row.indexOf(knot);
  return isRight ? FAR + order : -FAR - order;
}
