/**
 * Whether there is a sample of everything that can be called.
 *
 * @module
 */

import * as library from "../../mod.ts";
import type { Sample } from "./samples.ts";

/** The classes whose methods are used each on its own, and what the samples call an instance. */
const CLASSES = { Netns: "netns", NetnsProcess: "process", Rtnl: "rtnl" } as const;
/** Those that one row is enough for. */
const WHOLE = ["Monitor", "Descriptor", "Nft"];

/** What is exported and can be called, and no sample uses. */
export function uncovered(samples: readonly Sample[]): string[] {
  const covered = new Set(samples.flatMap(({ functions }) => functions));
  return callable().filter((name) => !covered.has(name));
}

function callable(): string[] {
  const functions = Object.entries(library)
    .filter(([, value]) => typeof value === "function" && !isClass(value))
    .map(([name]) => name);
  const methods = Object.entries(CLASSES).flatMap(([name, instance]) => [
    ...methodsOf(library[name as keyof typeof CLASSES]).map((method) => `${name}.${method}`),
    ...methodsOf(library[name as keyof typeof CLASSES].prototype).map((method) =>
      `${instance}.${method}`
    ),
  ]);
  return [...functions, ...methods, ...WHOLE];
}

// deno-lint-ignore ban-types -- any of them
function isClass(value: Function): boolean {
  return Function.prototype.toString.call(value).startsWith("class");
}

function methodsOf(owner: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(owner))
    .filter(([name, { value }]) => typeof value === "function" && name !== "constructor")
    .map(([name]) => name);
}
