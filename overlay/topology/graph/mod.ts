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
  /**
   * The states of links, by names such as "r1:eth0".
   * @default {none is shown, but for links that shall be down}
   */
  states?: ReadonlyMap<string, "up" | "down" | "no carrier"> | undefined;
}

/**
 * Draws a topology: an SVG document, in light or dark colours as its viewer likes, with everything in it. The
 * same topology gives the same document.
 *
 * @example A picture of two containers
 * ```ts
 * import { drawSvg } from "@denolink/denolink";
 *
 * const svg = drawSvg({
 *   denolink: 1,
 *   name: "lab",
 *   bridges: { br0: "10.10.0.1/24" },
 *   containers: { web: { bridge: "br0" }, db: { bridge: "br0" } },
 * }, { states: new Map([["web:eth0", "up"]]) });
 * console.log(svg);
 * ```
 */
export function drawSvg(topology: Topology, { states }: DrawOptions = {}): string {
  const picture = pictureOf(topology, states);
  return svgOf(picture, layout(picture));
}

/**
 * Draws a topology as a Mermaid flowchart, for documents that are written as text.
 *
 * @example A picture of a router
 * ```ts
 * import { drawMermaid } from "@denolink/denolink";
 *
 * console.log(drawMermaid({
 *   denolink: 1,
 *   name: "lab",
 *   links: { up0: { peer: "router:eth0", address: "10.0.0.1/30" } },
 *   namespaces: { router: { links: { eth0: { address: "10.0.0.2/30" } } } },
 * }));
 * ```
 */
export function drawMermaid(topology: Topology, { states }: DrawOptions = {}): string {
  return mermaidOf(pictureOf(topology, states));
}
