/**
 * Options, which may stand anywhere before, between and behind a command's words.
 *
 * @module
 */

import { nearest, UsageError } from "./errors.ts";

/** One option of a command. */
export interface Option {
  /** What its value is called in the help; without one it is a switch. */
  value?: string;
  /** One letter or digit that stands for it. */
  short?: string;
  /** May be given several times. */
  many?: true;
  /** Must be given. */
  required?: true;
  help: string;
}

/** Options by their names. */
export type Options = Readonly<Record<string, Option>>;

/** What a user typed, taken apart. */
export interface Typed {
  /** The words that are no options. */
  words: readonly string[];
  /** The values of an option, none when it was not given. */
  all(option: string): string[];
  /** The value of an option that may be given once. */
  one(option: string): string | undefined;
  /** Whether a switch was given. */
  has(option: string): boolean;
}

/** Options of every command. */
export const COMMON: Options = {
  netns: {
    value: "TARGET",
    short: "n",
    help: "the namespace to act in: a name, an absolute path, or pid:N",
  },
  json: { short: "j", help: "print one JSON document" },
  help: { short: "h", help: "print this" },
};

/**
 * Takes options and words apart. From the word on for which `isForeign` holds, everything is another
 * program's, and a `--` in front of it is ours; elsewhere nothing behind a `--` is an option.
 */
export function takeApart(
  argv: readonly string[],
  options: Options,
  isForeign: (words: readonly string[]) => boolean,
): Typed & { given: ReadonlyMap<string, string[]> } {
  const words: string[] = [];
  const given = new Map<string, string[]>();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at]!;
    if (argument === "--" || isForeign(words)) {
      words.push(...argv.slice(argument === "--" ? at + 1 : at));
      break;
    }
    if (!/^-./.test(argument)) {
      words.push(argument);
      continue;
    }
    const [name, option] = find(argument, options);
    const inline = /=([^]*)$/.exec(argument)?.[1];
    if (option.value === undefined && inline !== undefined) {
      throw new UsageError(`Option --${name} takes no value`);
    }
    const value = option.value === undefined ? "" : inline ?? argv[++at] ?? "";
    if (option.value !== undefined && value === "") {
      throw new UsageError(`Option --${name} needs a value: --${name} ${option.value}`);
    }
    given.set(name, [...given.get(name) ?? [], value]);
  }
  for (const [name, values] of given) {
    if (values.length > 1 && options[name]!.value && !options[name]!.many) {
      throw new UsageError(`Option --${name} is given ${values.length} times; give it once`);
    }
  }
  const all = (name: string) => given.get(name) ?? [];
  return { words, given, all, one: (name) => all(name)[0], has: (name) => given.has(name) };
}

/** The option that an argument names: `--json`, `-j`, or as `ip` has it, `-json`. */
function find(argument: string, options: Options): [name: string, option: Option] {
  const typed = argument.replace(/^--?/, "").replace(/=[^]*$/, "");
  const short = !argument.startsWith("--");
  const found = Object.entries(options)
    .find(([name, option]) => name === typed || short && option.short === typed);
  return found ?? refuse(argument, Object.keys(options));
}

/** Refuses an option that these don't have. */
export function refuse(argument: string, names: readonly string[]): never {
  const typed = argument.replace(/=[^]*$/, "");
  const near = nearest(typed.replace(/^-+/, ""), names);
  const hint = near === undefined ? "" : `; did you mean --${near}?`;
  throw new UsageError(`There is no option ${typed}${hint}`);
}
