/**
 * Measures the rows of `rows/`, one file each, and prints what they cost; `main.ts` runs it in private
 * namespaces, because it deletes all bridges and pairs that it finds.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { measure, type Result } from "./measure.ts";
import { cleanUp } from "./network.ts";
import { plot } from "./plot.ts";
import { findPeers } from "./programs.ts";
import { table } from "./report.ts";
import { type AnyRow, PEERS } from "./row.ts";

const { values: { only, peer, quick, json, plot: picture, outside } } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    peer: { type: "string", multiple: true },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    plot: { type: "string" },
    outside: { type: "string" },
  },
});

if (!outside?.startsWith("net:") || outside === Deno.readLinkSync("/proc/self/ns/net")) {
  console.error("bench: not in the host's network; start it with deno task bench");
  Deno.exit(2);
}

const rows = new Map<string, AnyRow>();
const files = [...Deno.readDirSync(new URL("./rows", import.meta.url))].map(({ name }) => name);
for (const file of files.sort()) {
  const { default: row } = await import(`./rows/${file}`);
  rows.set(file.replace(/\.ts$/, ""), row);
}
const chosen = choose("row", only, [...rows.keys()]);
const peers = new Set(choose("peer", peer, PEERS));

const present = await findPeers();
if (!present.has("ip")) {
  console.error("bench: no ip here to look at what was done; run bench/setup");
  Deno.exit(1);
}
const results: Result[] = [];
for (const name of chosen) {
  console.error(`${name} ...`);
  results.push(...await measure(name, rows.get(name)!, present, { quick, peers, cleanUp }));
}
console.error(machine());
console.log(json ? JSON.stringify(results, null, 2) : table(results, quick ? new Map() : rows));
if (picture !== undefined) await Deno.writeTextFile(picture, plot(results));
// What another one can't do is a result; what denolink or the floor can't do is a failure.
Deno.exit(results.some(({ errors }) => errors.denolink ?? errors.floor) ? 1 : 0);

/** Those that were named, or all. */
function choose<T extends string>(what: string, named: string[] | undefined, all: readonly T[]) {
  const odd = named?.find((name) => !all.includes(name as T));
  if (odd === undefined) return all.filter((name) => named?.includes(name) ?? true);
  console.error(`bench: there is no ${what} ${odd}; there are ${all.join(", ")}`);
  Deno.exit(2);
}

/** On what it was measured. */
function machine(): string {
  const [model = "unknown processor"] =
    /(?<=^model name\s*: ).*/m.exec(Deno.readTextFileSync("/proc/cpuinfo")) ?? [];
  const load = Deno.loadavg()[0]!.toFixed(1);
  return `${model}, ${navigator.hardwareConcurrency} cores, Linux ${Deno.osRelease()}, ` +
    `Deno ${Deno.version.deno}; load ${load}`;
}
