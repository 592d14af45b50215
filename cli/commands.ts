/**
 * All commands, and the one that words name.
 *
 * @module
 */

import type { Command } from "./command.ts";
import { hint, UsageError } from "./errors.ts";
import { resolve } from "./words.ts";

/** A file of commands, which is loaded when one of them is meant. */
export interface CommandFile {
  /** The first words of its commands, as they have them. */
  readonly nouns: readonly string[];
  /** They are typed in full. */
  readonly inFull?: true;
  /** Its commands. */
  load(): Promise<readonly Command[]>;
}

/** Every command's file, in the order of the help; of several that a word may be short for, the first is meant. */
export const FILES: readonly CommandFile[] = [
  {
    nouns: ["attach", "detach", "list", "ls", "sweep"],
    inFull: true,
    load: async () => (await import("./attach.ts")).ATTACH_COMMANDS,
  },
  {
    nouns: ["plan", "up", "down", "watch", "export", "graph"],
    inFull: true,
    load: async () => (await import("./topology.ts")).TOPOLOGY_COMMANDS,
  },
  { nouns: ["link"], load: async () => (await import("./link.ts")).LINK_COMMANDS },
  { nouns: ["address"], load: async () => (await import("./address.ts")).ADDRESS_COMMANDS },
  { nouns: ["route"], load: async () => (await import("./route.ts")).ROUTE_COMMANDS },
  { nouns: ["rule"], load: async () => (await import("./rule.ts")).RULE_COMMANDS },
  {
    nouns: ["neighbour", "neighbor"],
    load: async () => (await import("./neighbour.ts")).NEIGHBOUR_COMMANDS,
  },
  { nouns: ["nexthop"], load: async () => (await import("./nexthop.ts")).NEXTHOP_COMMANDS },
  { nouns: ["netns"], load: async () => (await import("./netns.ts")).NETNS_COMMANDS },
  { nouns: ["bridge"], load: async () => (await import("./bridge.ts")).BRIDGE_COMMANDS },
  { nouns: ["qdisc"], load: async () => (await import("./qdisc.ts")).QDISC_COMMANDS },
  { nouns: ["monitor"], load: async () => (await import("./monitor.ts")).MONITOR_COMMANDS },
  { nouns: ["ping"], inFull: true, load: async () => (await import("./ping.ts")).PING_COMMANDS },
  {
    nouns: ["sysctl"],
    inFull: true,
    load: async () => (await import("./sysctl.ts")).SYSCTL_COMMANDS,
  },
  {
    nouns: ["decode"],
    inFull: true,
    load: async () => (await import("./decode.ts")).DECODE_COMMANDS,
  },
];

/** The commands that a first word may be meant for; all of them when it names none. */
export async function load(first = ""): Promise<readonly Command[]> {
  const nouns = FILES.flatMap(({ nouns, inFull }) =>
    nouns.filter((noun) => !inFull || noun === first)
  );
  const noun = first === "" ? undefined : resolve(first, nouns);
  const meant = FILES.filter(({ nouns }) => noun !== undefined && nouns.includes(noun));
  const files = meant.length > 0 ? meant : FILES;
  return (await Promise.all(files.map(({ load }) => load()))).flat();
}

/** The command among these that the first words name, and how many they are; a noun alone lists, as with `ip`. */
export function find(
  commands: readonly Command[],
  words: readonly string[],
): { command: Command; taken: number } {
  let candidates = commands;
  for (let at = 0;; at++) {
    const typed = words[at];
    const done = candidates.find(({ words }) => words.length === at);
    if (done !== undefined) return { command: done, taken: at };
    const next: readonly Command[] = typed === undefined ? [] : following(candidates, typed, at);
    if (next.length > 0) candidates = next;
    else if (at === 0 || typed !== undefined) throw unknown(words.slice(0, at), typed, candidates);
    else return { command: candidates[0]!, taken: at };
  }
}

/** Those of the commands that begin with the first words, for the help of a noun. */
export function beginningWith(
  commands: readonly Command[],
  words: readonly string[],
): readonly Command[] {
  return words.reduce((candidates, typed, at) => following(candidates, typed, at), commands);
}

/** Those of them whose word at this place is the typed one. */
function following(
  candidates: readonly Command[],
  typed: string,
  at: number,
): readonly Command[] {
  const names = candidates.flatMap(({ words, inFull }) =>
    (words[at] ?? []).filter((name) => !inFull || name === typed)
  );
  const name = resolve(typed, names);
  const word = candidates.find(({ words }) => words[at]?.includes(name ?? ""))?.words[at];
  return word === undefined ? [] : candidates.filter(({ words }) => words[at]?.[0] === word[0]);
}

function unknown(
  before: readonly string[],
  typed: string | undefined,
  candidates: readonly Command[],
): UsageError {
  if (typed === undefined) return new UsageError("Which command?");
  const names = candidates.flatMap(({ words }) => words[before.length]?.slice(0, 1) ?? []);
  return new UsageError(
    `There is no command "${[...before, typed].join(" ")}"${hint(typed, names)}`,
  );
}
