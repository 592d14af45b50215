/**
 * Options, which may stand anywhere before, between and behind a command's words.
 *
 * @module
 */

import { nearest } from "../overlay/topology/nearest.ts";
import { UsageError } from "./errors.ts";

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
export async function takeApart(
  argv: readonly string[],
  options: Options,
  isForeign: (words: readonly string[]) => boolean,
): Promise<Typed & { given: ReadonlyMap<string, string[]> }> {
  const words: string[] = [];
  const given = new Map<string, string[]>();
  // From word to word, because what an option is depends on the words before it.
  for (let rest = argv; rest.length > 0;) {
    if (rest[0] === "--" || isForeign(words)) {
      words.push(...rest[0] === "--" ? rest.slice(1) : rest);
      break;
    }
    const parsed = await parseLeading(rest, options);
    for (const [name, values] of parsed.given) {
      given.set(name, [...given.get(name) ?? [], ...values]);
    }
    const separated = parsed.rest[0] === "--";
    if (!separated) words.push(...parsed.rest.slice(0, 1));
    rest = parsed.rest.slice(separated ? 0 : 1);
  }
  for (const [name, values] of given) {
    if (values.length > 1 && options[name]!.value && !options[name]!.many) {
      throw new UsageError(`Option --${name} is given ${values.length} times; give it once`);
    }
  }
  const all = (name: string) => given.get(name) ?? [];
  return { words, given, all, one: (name) => all(name)[0], has: (name) => given.has(name) };
}

/** The first word, where only options of every command stand in front of it. */
export async function firstWord(argv: readonly string[]): Promise<string | undefined> {
  try {
    return (await parseLeading(argv, COMMON)).rest[0];
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** The options before the first word, and what comes behind them. */
async function parseLeading(
  argv: readonly string[],
  options: Options,
): Promise<{ given: ReadonlyMap<string, string[]>; rest: readonly string[] }> {
  const given = new Map<string, string[]>();
  if (!/^-./.test(argv[0] ?? "")) return { given, rest: argv };
  // Not before there is an option: to load it takes a third of the time that a list of links does.
  const { parseArgs } = await import("@std/cli");
  const names = Object.keys(options);
  const valued = names.filter((name) => options[name]!.value !== undefined);
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  const parsed = parseArgs(argv.slice(0, end).map((argument) => long(argument, options)), {
    string: ["_", ...valued],
    boolean: names.filter((name) => !valued.includes(name)),
    collect: valued,
    alias: Object.fromEntries(
      names.flatMap((name) => {
        const { short } = options[name]!;
        return short === undefined ? [] : [[name, short]];
      }),
    ),
    stopEarly: true,
    unknown: (argument) => {
      if (/^-./.test(argument)) refuse(argument, names);
    },
  }) as unknown as Record<string, unknown> & { _: unknown[] };
  for (const name of names) {
    const value = parsed[name];
    const values = value === true ? [""] : value === false ? [] : [value ?? []].flat().map(String);
    if (value !== true && values.includes("")) {
      throw new UsageError(`Option --${name} needs a value: --${name} ${options[name]!.value}`);
    }
    if (values.length > 0) given.set(name, values);
  }
  return { given, rest: argv.slice(end - parsed._.length) };
}

/** An option with one dash, as `ip` has it, with two: `-json`. */
function long(argument: string, options: Options): string {
  const [, name] = /^-([^-=][^=]+)(=|$)/.exec(argument) ?? [];
  return name !== undefined && Object.hasOwn(options, name) ? `-${argument}` : argument;
}

/** Refuses an option that these don't have. */
export function refuse(argument: string, names: readonly string[]): never {
  const typed = argument.replace(/=[^]*$/, "");
  const near = nearest(typed.replace(/^-+/, ""), names);
  const hint = near === undefined ? "" : `; did you mean --${near}?`;
  throw new UsageError(`There is no option ${typed}${hint}`);
}
