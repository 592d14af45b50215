/**
 * All commands, and the one that words name.
 *
 * @module
 */

import { ADDRESS_COMMANDS } from "./address.ts";
import { ATTACH_COMMANDS } from "./attach.ts";
import { BRIDGE_COMMANDS } from "./bridge.ts";
import type { Command } from "./command.ts";
import { DECODE_COMMANDS } from "./decode.ts";
import { hint, UsageError } from "./errors.ts";
import { LINK_COMMANDS } from "./link.ts";
import { MONITOR_COMMANDS } from "./monitor.ts";
import { NETNS_COMMANDS } from "./netns.ts";
import { NEIGHBOUR_COMMANDS } from "./neighbour.ts";
import { NEXTHOP_COMMANDS } from "./nexthop.ts";
import { PING_COMMANDS } from "./ping.ts";
import { QDISC_COMMANDS } from "./qdisc.ts";
import { ROUTE_COMMANDS } from "./route.ts";
import { RULE_COMMANDS } from "./rule.ts";
import { SYSCTL_COMMANDS } from "./sysctl.ts";
import { TOPOLOGY_COMMANDS } from "./topology.ts";
import { resolve } from "./words.ts";

/** Every command, in the order of the help; of several that a word may be short for, the first is meant. */
export const COMMANDS: readonly Command[] = [
  ...ATTACH_COMMANDS,
  ...TOPOLOGY_COMMANDS,
  ...LINK_COMMANDS,
  ...ADDRESS_COMMANDS,
  ...ROUTE_COMMANDS,
  ...RULE_COMMANDS,
  ...NEIGHBOUR_COMMANDS,
  ...NEXTHOP_COMMANDS,
  ...NETNS_COMMANDS,
  ...BRIDGE_COMMANDS,
  ...QDISC_COMMANDS,
  ...MONITOR_COMMANDS,
  ...PING_COMMANDS,
  ...SYSCTL_COMMANDS,
  ...DECODE_COMMANDS,
];

/** The command that the first words name, and how many they are; a noun alone lists, as with `ip`. */
export function find(words: readonly string[]): { command: Command; taken: number } {
  let candidates = COMMANDS;
  for (let at = 0;; at++) {
    const typed = words[at];
    const done = candidates.find(({ words }) => words.length === at);
    if (done !== undefined) return { command: done, taken: at };
    const next = typed === undefined ? [] : following(candidates, typed, at);
    if (next.length > 0) candidates = next;
    else if (at === 0 || typed !== undefined) throw unknown(words.slice(0, at), typed, candidates);
    else return { command: candidates[0]!, taken: at };
  }
}

/** The commands that begin with the first words, for the help of a noun. */
export function beginningWith(words: readonly string[]): readonly Command[] {
  return words.reduce<readonly Command[]>(
    (candidates, typed, at) => following(candidates, typed, at),
    COMMANDS,
  );
}

/** Those of them whose word at this place is the typed one. */
function following(candidates: readonly Command[], typed: string, at: number): Command[] {
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
