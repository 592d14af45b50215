/**
 * A link's counters as `ip -s link` prints them.
 *
 * @module
 */

import type { Link } from "../mod.ts";
import { type Printed, printed } from "./words.ts";

/** Counters by the names that `ip -j` has for them, and the heads of their columns. */
const RX = [
  ["bytes", "rxBytes", "bytes"],
  ["packets", "rxPackets", "packets"],
  ["errors", "rxErrors", "errors"],
  ["dropped", "rxDropped", "dropped"],
  ["over_errors", "rxOverErrors", "missed"],
  ["multicast", "multicast", "mcast"],
] as const;
const TX = [
  ["bytes", "txBytes", "bytes"],
  ["packets", "txPackets", "packets"],
  ["errors", "txErrors", "errors"],
  ["dropped", "txDropped", "dropped"],
  ["carrier_errors", "txCarrierErrors", "carrier"],
  ["collisions", "collisions", "collsns"],
] as const;

/** The narrowest that each column is. */
const WIDTHS = ["*X errors:", "packets", "errors", "dropped", "heartbt", "overrun"]
  .map(({ length }) => length);

type Stats = NonNullable<Link["stats"]>;
type Columns = typeof RX | typeof TX;

/** What was received and sent. */
export function printStatistics({ stats = {} }: Link): Printed {
  const numbers = (columns: Columns) =>
    Object.fromEntries(columns.map(([name, key]) => [name, Number(stats[key] ?? 0n)]));
  return printed(
    { stats64: { rx: numbers(RX), tx: numbers(TX) } },
    ...block("RX", RX, stats),
    ...block("TX", TX, stats),
  );
}

function block(direction: string, columns: Columns, stats: Stats): string[] {
  // Here the text has the number of missed frames, where the JSON has that of overruns.
  const keys = columns.map(([, key]) => key === "rxOverErrors" ? "rxMissedErrors" : key);
  const values = keys.map((key) => String(stats[key] ?? 0n));
  const widths = WIDTHS.map((width, i) => Math.max(width, values[i]!.length));
  const heads = columns.map(([, , head], i) => head.padStart(widths[i]! - (i === 0 ? 4 : 0)));
  const shown = values.map((value, i) => value.padStart(widths[i]!));
  return [`\n    ${direction}: ${heads.join(" ")}`, `\n    ${shown.join(" ")}`];
}
