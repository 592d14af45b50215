/**
 * What a command is; its help.
 *
 * @module
 */

import { COMMON, type Options, type Typed } from "./options.ts";
import { spellings, type WordTable } from "./words.ts";
import { UsageError } from "./errors.ts";

/** What a command gives back: the same as data and as text, or an exit status of another program. */
export interface Result {
  /** `undefined` prints nothing, as `ip -j` after a change. */
  json?: unknown;
  text?: string;
  status?: number;
  /** What follows, each printed when it comes; its JSON is one line. */
  events?: AsyncIterable<Pick<Result, "json" | "text">>;
}

/** One command. */
export interface Command {
  /** Its words, each with what may stand for it; the first is the one in the help. */
  words: readonly (readonly [string, ...string[]])[];
  /** It is typed in full; others may be abbreviated, as with `ip`. */
  inFull?: true;
  /** The words behind it, for the help: "TARGET". */
  operands: string;
  /** How many of them there are, least and most; unless said, the command looks for itself. */
  count?: readonly [number, number];
  summary: string;
  example: string;
  options?: Options;
  /** The words that may stand among its operands, for the help. */
  grammar?(words: readonly string[]): WordTable;
  /** After this many operands the rest belongs to another program. */
  foreignFrom?: number;
  run(typed: Typed): Promise<Result>;
}

/** The words of a list, as `ip` abbreviates them. */
export const LIST = ["list", "show", "lst", "ls"] as const;

/** A command's words as they are typed: "link list". */
export function nameOf({ words }: Pick<Command, "words">): string {
  return words.map(([word]) => word).join(" ");
}

/** The options of a command with those that all have. */
export function optionsOf({ options = {} }: Pick<Command, "options">): Options {
  return { ...options, ...COMMON };
}

/** Refuses what is missing or too much. */
export function check(command: Command, typed: Typed): void {
  const [least, most] = command.count ?? [0, Infinity];
  const name = nameOf(command);
  if (typed.words.length < least) throw new UsageError(`"${name}" needs ${command.operands}`);
  if (typed.words.length > most) {
    throw new UsageError(`"${name}" does not take ${JSON.stringify(typed.words[most])}`);
  }
  for (const [option, { required, value }] of Object.entries(command.options ?? {})) {
    if (required && typed.all(option).length === 0) {
      throw new UsageError(`"${name}" needs --${option} ${value}`);
    }
  }
}

/** The help of one command; `words` are those typed behind it. */
export function helpOf(command: Command, words: readonly string[] = []): string {
  const options = Object.entries(optionsOf(command));
  const required = options.filter(([, { required }]) => required)
    .map(([name, { value, many }]) => ` --${name} ${value}${many ? "..." : ""}`).join("");
  const grammar = command.grammar?.(words) ?? [];
  return [
    command.summary,
    "",
    `Usage: denolink ${nameOf(command)} ${command.operands}`.trimEnd() + `${required} [options]`,
    "",
    ...grammar.length > 0 ? ["Words:", ...wordLines(grammar), ""] : [],
    "Options:",
    ...columns(options.map(([name, { value, short, many, help }]) => [
      `${short ? `-${short}, ` : ""}--${name}${value ? ` ${value}` : ""}${many ? "..." : ""}`,
      help,
    ])),
    "",
    `Example: denolink ${command.example}`,
  ].join("\n");
}

/** The help of several: all, or those of a noun. */
export function helpOfAll(commands: readonly Command[]): string {
  return [
    "Networks for containers: what ip, nsenter and sysctl do, without starting one of them.",
    "",
    "Usage: denolink [--netns TARGET] [--json] COMMAND ...",
    "",
    "Commands:",
    ...columns(commands.map((command) => [
      `${nameOf(command)} ${command.operands}`.trim(),
      command.summary,
    ])),
    "",
    "A TARGET is a name under /run/netns, an absolute path, or pid:N.",
    "More about one: denolink COMMAND --help",
  ].join("\n");
}

function wordLines(grammar: WordTable): string[] {
  const seen = new Map<string, string[]>();
  for (const row of grammar) {
    const typed = spellings(row).join("|");
    if (typed === "" || row.is.parse === undefined) continue;
    seen.set(typed, [...new Set([...seen.get(typed) ?? [], row.is.name])]);
  }
  return [...seen].map(([typed, forms]) => `  ${typed} ${forms.join(" or ")}`.trimEnd());
}

/** Two columns; what is too long for the first has a line of its own. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(36, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) =>
    left.length > width
      ? `  ${left}\n  ${" ".repeat(width)}  ${right}`
      : `  ${left.padEnd(width)}  ${right}`
  );
}
