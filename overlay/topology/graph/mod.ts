/**
 * The picture of a topology.
 *
 * @module
 */

import type { Topology } from "../types.ts";
import { layout } from "./layout.ts";
import { mermaidOf } from "./mermaid.ts";
import { pictureOf } from "./picture.ts";
import { svgOf } from "./svg.ts";

/** How to draw. */
export interface DrawOptions {
  /** The state of links, by names such as "r1:eth0". */
  states?: ReadonlyMap<string, "up" | "down" | "no carrier"> | undefined;
}

/** A topology as an SVG document. */
export function drawSvg(topology: Topology, { states }: DrawOptions = {}): string {
  const picture = pictureOf(topology, states);
  return svgOf(picture, layout(picture));
}

/** A topology as Mermaid. */
export function drawMermaid(topology: Topology, { states }: DrawOptions = {}): string {
  return mermaidOf(pictureOf(topology, states));
}
