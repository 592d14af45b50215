/**
 * Cost against size, as a picture: one panel for each work that was measured at several sizes.
 *
 * @module
 */

import type { Result } from "./measure.ts";
import { type Peer, PEERS } from "./row.ts";

const COLOURS: Record<Peer, string> = {
  denolink: "#d1242f",
  floor: "#57606a",
  ip: "#0969da",
  pyroute2: "#9a6700",
  go: "#1b7c83",
  rust: "#8250df",
};
const COLUMNS = 2;
const WIDTH = 460, HEIGHT = 300;
const LEFT = 70, RIGHT = 34, TOP = 40, BOTTOM = 40;

/** An SVG document; both axes are logarithmic. */
export function plot(results: readonly Result[]): string {
  const panels = Map.groupBy(results, ({ name }) => name).values()
    .filter((sizes) => sizes.length > 1).toArray();
  const height = Math.ceil(panels.length / COLUMNS) * HEIGHT + 40;
  const legend = PEERS.map((peer, i) =>
    text(LEFT + 100 * i, 24, peer, `fill="${COLOURS[peer]}" font-weight="bold"`)
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${COLUMNS * WIDTH}" height="${height}"`,
    ` font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...legend,
    ...panels.map((sizes, i) => {
      const x = i % COLUMNS * WIDTH, y = Math.floor(i / COLUMNS) * HEIGHT + 40;
      return `<g transform="translate(${x} ${y})">${panel(sizes)}</g>`;
    }),
    "</svg>\n",
  ].join("\n");
}

function panel(sizes: readonly Result[]): string {
  const { work, unit } = sizes[0]!;
  const costs = sizes.flatMap(({ results }) => Object.values(results)).filter((it) => it > 0);
  const x = scale(sizes.map(({ size }) => size), LEFT, WIDTH - RIGHT);
  const y = scale(powers(costs), HEIGHT - BOTTOM, TOP);
  const lines = PEERS.map((peer) => {
    const points = sizes.filter(({ results }) => (results[peer] ?? 0) > 0)
      .map(({ size, results }) => [x(size), y(results[peer]!)] as const);
    const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3"/>`).join("");
    return `<g fill="${COLOURS[peer]}" stroke="${COLOURS[peer]}">${dots}` +
      `<polyline fill="none" points="${points.map((point) => point.join()).join(" ")}"/></g>`;
  });
  return [
    text(LEFT, TOP - 16, `${work}, ${unit}`, `font-size="11"`),
    ...powers(costs).map((cost) =>
      `<path stroke="#d0d7de" d="M${LEFT} ${y(cost)}H${WIDTH - RIGHT}"/>` +
      text(LEFT - 6, y(cost) + 4, String(cost), `text-anchor="end"`)
    ),
    ...sizes.map(({ size }) =>
      text(x(size), HEIGHT - BOTTOM + 18, String(size), `text-anchor="middle"`)
    ),
    ...lines,
  ].join("\n");
}

/** The powers of ten from below the least to above the largest. */
function powers(numbers: readonly number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...numbers)));
  const high = Math.ceil(Math.log10(Math.max(...numbers)));
  return Array.from({ length: high - low + 1 }, (_, i) => Number(`1e${low + i}`));
}

/** Where a number is between two edges. */
function scale(numbers: readonly number[], from: number, to: number): (number: number) => number {
  const low = Math.log10(Math.min(...numbers)), high = Math.log10(Math.max(...numbers));
  return (number) => {
    const part = high === low ? 0.5 : (Math.log10(number) - low) / (high - low);
    return Math.round(from + part * (to - from));
  };
}

function text(x: number, y: number, words: string, attributes: string): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}
