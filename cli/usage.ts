/**
 * What a command looks like: from this come its help, its parsing and its errors.
 *
 * @module
 */

import { parseArgs } from "@std/cli";

/** One option of a command. */
export interface Option {
  /** What its value is called in the help; without one it is a switch. */
  value?: string;
  /** May be given several times. */
  many?: true;
  /** Must be given. */
  required?: true;
  help: string;
}

/** What a user typed, taken apart. */
export interface Typed {
  /** The words that are no options. */
  words: string[];
  /** The values of an option, none when it was not given. */
  all(option: string): string[];
  /** The value of an option that may be given once. */
  one(option: string): string | undefined;
  /** Whether a switch was given. */
  has(option: string): boolean;
}

/** What a command gives back: the same as data and as text, or an exit status of another program. */
export interface Result {
  json: unknown;
  text: string;
  status?: number;
}

/** One command. */
export interface Command {
  /** Its words, each with what may stand for it: `[["link", "l"], ["list", "ls", "show"]]`. */
  words: readonly (readonly [string, ...string[]])[];
  /** The words behind it, for the help: "TARGET". */
  operands: string;
  /** How many of them there are, least and most. */
  count: readonly [number, number];
  summary: string;
  example: string;
  options: Readonly<Record<string, Option>>;
  /** Options end at the first operand: what follows belongs to another program. */
  stopEarly?: true;
  run(typed: Typed): Promise<Result>;
}

/** Options of every command. */
export const COMMON: Readonly<Record<string, Option>> = {
  netns: {
    value: "TARGET",
    help: "the namespace to act in: a name, an absolute path, or pid:N",
  },
  json: { help: "print one JSON document" },
  help: { help: "print this" },
};

/** The user typed what no command is: exit status 2. */
export class UsageError extends Error {
  /** The class's name. */
  override name = "UsageError";
}

/** The options of a command with those that all have. */
export function optionsOf({ options }: Pick<Command, "options">): Record<string, Option> {
  return { ...options, ...COMMON };
}

/** Takes apart what was typed behind a command's words. */
export function parse(
  command: Pick<Command, "options" | "stopEarly">,
  argv: string[],
): Typed {
  const options = optionsOf(command);
  const names = Object.keys(options);
  const valued = names.filter((name) => options[name]!.value !== undefined);
  const parsed = parseArgs(argv, {
    string: ["_", ...valued],
    boolean: names.filter((name) => !valued.includes(name)),
    collect: valued,
    alias: { help: "h" },
    stopEarly: command.stopEarly ?? false,
    "--": true,
    unknown: (argument) => {
      if (argument.startsWith("-") && argument !== "-") throw unknownOption(argument, names);
    },
  }) as unknown as Record<string, unknown> & { _: unknown[]; "--"?: string[] };
  const all = (name: string) => [parsed[name] ?? []].flat().map(String);
  for (const name of valued) {
    const values = all(name);
    if (values.some((value) => value === "")) {
      throw new UsageError(`Option --${name} needs a value: --${name} ${options[name]!.value}`);
    }
    if (values.length > 1 && !options[name]!.many) {
      throw new UsageError(`Option --${name} is given ${values.length} times; give it once`);
    }
  }
  return {
    words: [...parsed._.map(String), ...parsed["--"] ?? []],
    all,
    one: (name) => all(name)[0],
    has: (name) => parsed[name] === true,
  };
}

/** Refuses what is missing or too much; after `--help` was looked for. */
export function checkCounts(command: Command, typed: Typed): void {
  const [least, most] = command.count;
  const name = nameOf(command);
  if (typed.words.length < least) {
    throw new UsageError(`"${name}" needs ${command.operands}`);
  }
  if (typed.words.length > most) {
    throw new UsageError(`"${name}" does not take ${JSON.stringify(typed.words[most])}`);
  }
  for (const [option, { required, value }] of Object.entries(command.options)) {
    if (required && typed.all(option).length === 0) {
      throw new UsageError(`"${name}" needs --${option} ${value}`);
    }
  }
}

/** A command's words as they are typed: "link list". */
export function nameOf({ words }: Pick<Command, "words">): string {
  return words.map(([word]) => word).join(" ");
}

/** The help of one command. */
export function helpOf(command: Command): string {
  const options = Object.entries(optionsOf(command));
  const shown = options.map(([name, { value, many }]) =>
    `--${name}${value ? ` ${value}` : ""}${many ? "..." : ""}`
  );
  const width = Math.max(...shown.map((text) => text.length));
  const required = Object.entries(command.options)
    .filter(([, { required }]) => required)
    .map(([name, { value, many }]) => ` --${name} ${value}${many ? "..." : ""}`).join("");
  const operands = command.operands === "" ? "" : ` ${command.operands}`;
  return [
    command.summary,
    "",
    `Usage: denolink ${nameOf(command)}${operands}${required} [options]`,
    "",
    "Options:",
    ...options.map(([, { help }], i) => `  ${shown[i]!.padEnd(width)}  ${help}`),
    "",
    `Example: denolink ${command.example}`,
  ].join("\n");
}

/** The help of all. */
export function helpOfAll(commands: readonly Command[]): string {
  const shown = commands.map((command) => `${nameOf(command)} ${command.operands}`.trim());
  const width = Math.max(...shown.map((text) => text.length));
  return [
    "Networks for containers: what ip, nsenter and sysctl do, without starting one of them.",
    "",
    "Usage: denolink [--netns TARGET] [--json] COMMAND ...",
    "",
    "Commands:",
    ...commands.map(({ summary }, i) => `  ${shown[i]!.padEnd(width)}  ${summary}`),
    "",
    "A TARGET is a name under /run/netns, an absolute path, or pid:N.",
    "More about one: denolink COMMAND --help",
  ].join("\n");
}

function unknownOption(argument: string, names: string[]): UsageError {
  const name = argument.replace(/^-+/, "").replace(/=.*$/s, "");
  const near = nearest(name, names);
  const hint = near === undefined ? "" : `; did you mean --${near}?`;
  return new UsageError(`There is no option ${argument.replace(/=.*$/s, "")}${hint}`);
}

/** The candidate that is at most two edits away, if there is one. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const [best] = candidates
    .map((candidate) => ({ candidate, edits: distance(word, candidate) }))
    .sort((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= 2 ? best.candidate : undefined;
}

/** Levenshtein's distance: insertions, deletions and replacements of one letter. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length]!;
}
