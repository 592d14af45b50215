/**
 * Results as a table.
 *
 * @module
 */

import type { Result } from "./measure.ts";
import { type AnyRow, type Peer, PEERS, type Target } from "./row.ts";

/**
 * One line for each work and size: medians, half of the spread, and how many times denolink's cost that is;
 * below it the targets of the rows that are given.
 */
export function table(results: readonly Result[], rows: ReadonlyMap<string, AnyRow>): string {
  const lines = results.map((result) => {
    return [
      result.work,
      String(result.size),
      result.unit,
      ...PEERS.map((peer) => cell(result, peer)),
    ];
  });
  const head = ["work", "size", "unit", ...PEERS];
  const problems = results.flatMap(({ name, size, errors }) =>
    Object.entries(errors).map(([peer, error]) => `${name} ${size}, ${peer}: ${error}`)
  );
  const verdicts = [...rows].flatMap(([name, { targets }]) => {
    // The last size is the one that they are about.
    const result = results.findLast((it) => it.name === name);
    return result === undefined ? [] : targets.map((target) => verdict(target, result, results));
  });
  const parts = [[aligned([head, head.map(() => ""), ...lines])], problems, verdicts];
  return parts.filter((part) => part.length > 0).map((part) => part.join("\n")).join("\n\n");
}

function cell({ results, spread, missing, errors }: Result, peer: Peer): string {
  if (missing.includes(peer)) return "missing";
  if (peer in errors) return "error";
  const median = results[peer];
  if (median === undefined) return "-";
  const [low, high] = spread[peer]!;
  const half = median === 0 ? "" : ` ±${Math.round((high - low) / 2 / median * 100)}%`;
  const own = results.denolink;
  const ratio = peer === "denolink" || !own ? "" : ` ${digits(median / own)}x`;
  return `${digits(median)}${half}${ratio}`;
}

/** What was aimed at, what it is, and whether that will do. */
function verdict(target: Target, { name, size, unit, results }: Result, all: readonly Result[]) {
  const { most, times, timesSize } = target;
  const smaller = all.find((it) => it.name === name && it.size === timesSize);
  const [base, of] = times !== undefined
    ? [results[times], ` times ${times}`]
    : timesSize !== undefined
    ? [smaller?.results.denolink, ` times that of ${timesSize}`]
    : [1, ` ${unit}`];
  const aim = `${name} ${size}: at most ${most < 1 ? `1/${Math.round(1 / most)}` : most}${of}`;
  if (base === undefined || results.denolink === undefined) return `  ?  ${aim}`;
  const is = results.denolink / base;
  return `${is <= most ? "yes" : " NO"}  ${aim}; it is ${
    most < 1 ? `1/${digits(1 / is)}` : digits(is)
  }`;
}

/** Three digits that say something. */
function digits(number: number): string {
  return number >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(3)));
}

/** As Markdown has tables; an empty line becomes the rule below the head. */
function aligned(lines: readonly string[][]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((it) => it[column]!.length)));
  return lines.map((line) => {
    const cells = line.map((text, column) =>
      line.every((it) => it === "") ? "-".repeat(widths[column]!) : text.padEnd(widths[column]!)
    );
    return `| ${cells.join(" | ")} |`;
  }).join("\n");
}
