/**
 * A drawing as an SVG document, light or dark as its viewer likes.
 *
 * @module
 */

import type { Drawing, Line, LineEnd, Point, Shape, Text } from "./drawing.ts";
import type { LinkState, Picture } from "./picture.ts";
import { sizeOf, type Style, widthOf } from "./text.ts";

const SANS = "ui-sans-serif,system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif";
const MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace";

/** Colours: of fills, strokes and texts, light and dark. */
const COLOURS: Readonly<Record<string, { light: string; dark: string }>> = {
  ".paper": { light: "fill:#ffffff", dark: "fill:#0d1117" },
  ".host": { light: "fill:#f6f8fa;stroke:#8c959f", dark: "fill:#151b23;stroke:#656c76" },
  ".namespace": { light: "fill:#f6f8fa;stroke:#8c959f", dark: "fill:#151b23;stroke:#656c76" },
  ".container": { light: "fill:#ffffff;stroke:#afb8c1", dark: "fill:#1f2630;stroke:#565d66" },
  ".link": { light: "fill:#ffffff;stroke:#afb8c1", dark: "fill:#1f2630;stroke:#565d66" },
  ".bridge": { light: "fill:#ddf4ff;stroke:#0969da", dark: "fill:#12314f;stroke:#4493f8" },
  ".routed": { light: "fill:#f6f8fa;stroke:#6e7781", dark: "fill:#151b23;stroke:#8b949e" },
  ".vxlan": { light: "fill:#fbefff;stroke:#8250df", dark: "fill:#2b1d45;stroke:#a371f7" },
  ".badge": { light: "fill:#f5ecd2", dark: "fill:#3a3118" },
  ".line": { light: "stroke:#57606a", dark: "stroke:#9198a1" },
  ".line.vxlan-line": { light: "stroke:#8250df", dark: "stroke:#a371f7" },
  ".line.bus": { light: "stroke:#0969da", dark: "stroke:#4493f8" },
  ".end": { light: "fill:#57606a;stroke:#57606a", dark: "fill:#9198a1;stroke:#9198a1" },
  ".up": { light: "fill:#1a7f37;stroke:#1a7f37", dark: "fill:#3fb950;stroke:#3fb950" },
  ".down": { light: "fill:#ffffff;stroke:#cf222e", dark: "fill:#0d1117;stroke:#f85149" },
  ".no-carrier": { light: "fill:#ffffff;stroke:#9a6700", dark: "fill:#0d1117;stroke:#d29922" },
  ".half": { light: "fill:#9a6700", dark: "fill:#d29922" },
  text: { light: "fill:#1f2328", dark: "fill:#f0f6fc" },
  "text.link-name,text.note,text.route,text.legend": {
    light: "fill:#59636e",
    dark: "fill:#9198a1",
  },
  "text.badge-text": { light: "fill:#5c4408", dark: "fill:#e3c877" },
};

const colours = (scheme: "light" | "dark") =>
  Object.entries(COLOURS).map(([selector, it]) => `${selector}{${it[scheme]}}`);

/** Within a page the rules are for this document only. */
const scoped = (rules: readonly string[]) =>
  rules.map((rule) => rule.replace(/[^{]+/, (it) => it.replace(/[^,]+/g, ".denolink $&"))).join("");

const STYLE = scoped([
  `text{font-family:${SANS}}`,
  `.name{font-size:${sizeOf("name")}px;font-weight:600}`,
  `.bar-name,.link-name,.address,.note{font-family:${MONO};font-size:${sizeOf("link")}px}`,
  ".bar-name{font-weight:600}",
  `.legend{font-size:${sizeOf("legend")}px}`,
  `.badge-text{font-size:${sizeOf("badge")}px}`,
  `.route{font-family:${MONO};font-size:${sizeOf("route")}px}`,
  ".line{fill:none;stroke-width:1.5;stroke-linejoin:round}",
  ".lower{stroke-dasharray:2 3}",
  ".routed-line,.vxlan-line,.routed,.vxlan{stroke-dasharray:6 4}",
  ".bus{stroke-width:3;stroke-linecap:round}",
  ".end{stroke-width:1.5}",
  ...colours("light"),
]) + `@media (prefers-color-scheme:dark){${scoped(colours("dark"))}}`;

/** The classes of texts and lines that shapes don't have already. */
const TEXT_CLASSES: Readonly<Record<Style, string>> = {
  name: "name",
  bridge: "bar-name",
  link: "link-name",
  address: "address",
  note: "note",
  badge: "badge-text",
  route: "route",
  legend: "legend",
};

/** A drawing as a document. */
export function svgOf(picture: Picture, drawing: Drawing): string {
  const legend = legendOf(drawing);
  const width = Math.max(drawing.width, legend.width);
  const height = drawing.height + legend.height;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" class="denolink">`,
    `<title>${escape(picture.name)}</title>`,
    `<desc>${escape(describe(picture))}</desc>`,
    `<style>${escape(STYLE)}</style>`,
    `<rect class="paper" width="${width}" height="${height}" rx="8"/>`,
    ...drawing.shapes.map(shapeText),
    ...drawing.lines.map(lineText),
    ...drawing.ends.map(endText),
    ...drawing.texts.map(textText),
    ...legend.texts,
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

const RADII: Readonly<Record<Shape["kind"], number>> = {
  ...{ host: 8, namespace: 8, container: 6, link: 4 },
  ...{ bridge: 5, routed: 5, vxlan: 5, badge: 7.5 },
};

function shapeText({ kind, x, y, width, height }: Shape): string {
  return `<rect class="${kind}" x="${number(x)}" y="${number(y)}" width="${
    number(width)
  }" height="${number(height)}" rx="${RADII[kind]}"/>`;
}

const LINE_CLASSES: Readonly<Record<Line["kind"], string>> = {
  veth: "line",
  master: "line",
  lower: "line lower",
  routed: "line routed-line",
  vxlan: "line vxlan-line",
  bus: "line bus",
};

/** Corners are round. */
const RADIUS = 5;

function lineText({ kind, points }: Line): string {
  const [first, ...rest] = points as [Point, ...Point[]];
  const steps = rest.map((point, i) => {
    const [before, after] = [points[i]!, points[i + 2]];
    if (after === undefined) return `L${place(point)}`;
    const radius = Math.min(RADIUS, distance(before, point) / 2, distance(point, after) / 2);
    return `L${place(toward(point, before, radius))}Q${place(point)} ${
      place(toward(point, after, radius))
    }`;
  });
  return `<path class="${LINE_CLASSES[kind]}" d="M${place(first)}${steps.join("")}"/>`;
}

const distance = ([a, b]: Point, [c, d]: Point) => Math.abs(a - c) + Math.abs(b - d);
const place = ([x, y]: Point) => `${number(x)} ${number(y)}`;

/** From one point some way to another, which is beside, above or below it. */
function toward([x, y]: Point, [toX, toY]: Point, way: number): Point {
  return [x + Math.sign(toX - x) * way, y + Math.sign(toY - y) * way];
}

const END_RADIUS = 3.5;

function endText({ part: { state }, x, y }: LineEnd): string {
  return stateText(state, x, y);
}

function stateText(state: LinkState | undefined, x: number, y: number): string {
  const [r, at] = [END_RADIUS, `cx="${number(x)}" cy="${number(y)}"`];
  if (state === undefined) return `<circle class="end" ${at} r="2"/>`;
  const circle = `<circle class="end ${state.replace(" ", "-")}" ${at} r="${r}"/>`;
  return state === "no carrier"
    ? `${circle}<path class="half" d="M${number(x)} ${number(y - r)}a${r} ${r} 0 0 0 0 ${2 * r}z"/>`
    : circle;
}

function textText({ text, style, anchor, x, y }: Text): string {
  const middle = anchor === "middle" ? ' text-anchor="middle"' : "";
  return `<text class="${TEXT_CLASSES[style]}" x="${number(x)}" y="${number(y)}"${middle}>${
    escape(text)
  }</text>`;
}

const LEGEND_HEIGHT = 28;

/** What dots and lines mean, as far as there are any of them. */
function legendOf(
  { height, lines, ends }: Drawing,
): { width: number; height: number; texts: string[] } {
  const states = new Set(ends.map(({ part }) => part.state));
  const kinds = new Set(lines.map(({ kind }) => kind));
  const entries = [
    ...(["up", "down", "no carrier"] as const).filter((state) => states.has(state))
      .map((state) => ({
        text: state,
        draw: (x: number, y: number) => stateText(state, x + 4, y),
        width: 8,
      })),
    ...([["lower", "on top of"], ["vxlan", "vxlan"], ["routed", "routed"]] as const)
      .filter(([kind]) => kinds.has(kind))
      .map(([kind, text]) => ({
        text,
        draw: (x: number, y: number) => lineText({ net: "", kind, points: [[x, y], [x + 24, y]] }),
        width: 24,
      })),
  ];
  if (entries.length === 0) return { width: 0, height: 0, texts: [] };
  let x = 24;
  const y = height + 4;
  const texts = entries.map(({ text, draw, width }) => {
    const left = x + width + 6;
    x = left + widthOf(text, "legend") + 18;
    return draw(width === 8 ? left - 14 : left - 30, y) +
      textText({ text, style: "legend", anchor: "start", x: left, y: y + 4 });
  });
  return { width: x, height: LEGEND_HEIGHT, texts };
}

/** What there is, for who doesn't see it. */
function describe({ boxes, vxlans, nets }: Picture): string {
  const all = boxes.flatMap(function inside(box): typeof boxes {
    return [box, ...box.boxes.flatMap(inside)];
  });
  const counts: [number, string][] = [
    [all.filter(({ kind }) => kind !== "container").length, "namespace"],
    [all.filter(({ kind }) => kind === "container").length, "container"],
    [all.flatMap(({ parts }) => parts).filter(({ shape }) => shape === "bridge").length, "bridge"],
    [nets.filter(({ kind }) => kind === "veth").length, "veth pair"],
    [vxlans.length, "vxlan"],
  ];
  return counts.filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}${count === 1 ? "" : "s"}`).join(", ");
}

const number = (value: number) => String(Math.round(value * 100) / 100);

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** A text that XML takes; control characters, of which it takes none, are replaced. */
export function escape(text: string): string {
  return text.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replace(/[\x00-\x1f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
