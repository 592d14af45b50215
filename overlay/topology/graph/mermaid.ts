/**
 * A picture as a Mermaid flowchart.
 *
 * @module
 */

import type { Box, LinkState, Net, Part, Picture } from "./picture.ts";

const LINES: Readonly<Record<Net["kind"], string>> = {
  veth: "---",
  master: "---",
  lower: "-.-",
  routed: "-.-",
  vxlan: "-.-",
};

/** What is around a label: bars have other outlines than links. */
const OUTLINES: Readonly<Record<Part["shape"], readonly [string, string]>> = {
  link: ["[", "]"],
  bridge: ["([", "])"],
  routed: ["([", "])"],
  vxlan: ["{{", "}}"],
};

const CLASSES: Readonly<Record<LinkState, string>> = {
  "up": "up",
  "down": "down",
  "no carrier": "noCarrier",
};

const DEFINITIONS: Readonly<Record<LinkState, string>> = {
  "up": "classDef up stroke:#1a7f37,stroke-width:2px",
  "down": "classDef down stroke:#cf222e,stroke-width:2px",
  "no carrier": "classDef noCarrier stroke:#9a6700,stroke-width:2px,stroke-dasharray:4 3",
};

/** A picture as a flowchart: each namespace a subgraph, one with a single link a node. */
export function mermaidOf({ name, boxes, vxlans, nets }: Picture): string {
  const ids = new Map<string, string>();
  const states = new Set<LinkState>();
  let count = 0;
  const node = ({ id, shape, state }: Part, label: readonly string[]): string => {
    const own = `n${count++}`;
    ids.set(id, own);
    const [open, close] = OUTLINES[shape];
    if (state !== undefined) states.add(state);
    const style = state === undefined ? "" : `:::${CLASSES[state]}`;
    return `${own}${open}${quote(label)}${close}${style}`;
  };
  const draw = (box: Box): string[] => {
    const { parts, routes } = box;
    const remarks = [...rowOf(box.badges), ...routes];
    const [part] = parts;
    if (
      box.boxes.length === 0 && parts.length < 2 && parts.every(({ shape }) => shape === "link")
    ) {
      if (part === undefined) return [`n${count++}[${quote([titleOf(box), ...remarks])}]`];
      return [node(part, [titleOf(box), ...labelOf(part), ...remarks])];
    }
    const own = `n${count++}`;
    // A title of several lines would lie under what is inside.
    const remark = remarks.length === 0 ? [] : [`n${count++}[${quote(remarks)}]:::remark`];
    const inside = [...parts.map((it) => node(it, labelOf(it))), ...box.boxes.flatMap(draw)];
    return [
      `subgraph ${own}[${quote([titleOf(box)])}]`,
      ...[...remark, ...inside].map((line) => `  ${line}`),
      "end",
    ];
  };
  const nodes = [...vxlans.map((part) => node(part, labelOf(part))), ...boxes.flatMap(draw)];
  const lines = nets.flatMap(({ kind, owner, members }) =>
    members.flatMap((member) => {
      const ends = [ids.get(owner), ids.get(member)];
      return ends.includes(undefined) ? [] : [ends.join(` ${LINES[kind]} `)];
    })
  );
  const definitions = [
    ...nodes.some((line) => line.endsWith(":::remark"))
      ? ["classDef remark fill:none,stroke:none"]
      : [],
    ...[...states].map((state) => DEFINITIONS[state]),
  ];
  const all = [`accTitle: ${name.replace(/[^\w .-]/g, "")}`, ...nodes, ...lines, ...definitions];
  return ["flowchart TB", ...all.map((line) => `  ${line}`), ""].join("\n");
}

const titleOf = ({ name, note }: Box) => note === undefined ? name : `${name}, ${note}`;

function labelOf({ name, kind, addresses, badges }: Part): string[] {
  return [kind === undefined ? name : `${name} ${kind}`, ...addresses, ...rowOf(badges)];
}

const rowOf = (badges: readonly string[]) => badges.length === 0 ? [] : [badges.join(" · ")];

function quote(lines: readonly string[]): string {
  return `"${lines.map(escape).join("<br/>")}"`;
}

/**
 * A text that Mermaid takes for nothing else: all but plain characters as their numbers. A point or a hyphen
 * before a blank would be a list's.
 */
function escape(text: string): string {
  return text.toWellFormed()
    // Two of them would begin a formula, whichever way they are written.
    .replace(/\$(?=\$)/g, "$\u2060")
    // deno-lint-ignore no-control-regex
    .replace(/[\x00-\x1f\x7f]/g, "\ufffd")
    .replace(
      /[.+-](?= )|[^\p{L}\p{N} .:/@±·→↓↑,+-]/gu,
      (character) => `#${character.codePointAt(0)};`,
    );
}
