/**
 * A stand-in for `@std/cli` 1.x over `minimist`: `parseArgs` for options that are
 * declared by name, and of the entry points only the root (no
 * `@std/cli/parse-args`).
 *
 * Not offered: `boolean: true`, `collect` for booleans, dotted names, a value
 * after `--no-NAME`. `unknown` is not told the value, and of a cluster such as
 * `-abc` only the first letter. Numbers are read a little differently: declare
 * as `string` what shall stay text, `"_"` too. Names that are not literals give
 * no types on either side.
 *
 * @module
 */

import minimist from "npm:minimist@1.2.8";

/** One name or several. */
type Names<T extends string> = T | readonly T[];
type Aliases = Record<string, Names<string>>;

/** How to {@linkcode parseArgs}. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  N extends string = string,
  D extends Record<string, unknown> = Record<string, unknown>,
  A extends Aliases = Aliases,
  DD extends boolean = boolean,
> {
  /** Whether what follows `--` goes to `["--"]` instead of `_`. */
  "--"?: DD;
  /** Other names of options. */
  alias?: A;
  /** Options that take no value; false unless given. */
  boolean?: Names<B>;
  /** Options that gather their values. */
  collect?: Names<C>;
  /** Values of options that are not given. */
  default?: D;
  /** Options that `--no-NAME` sets to false. */
  negatable?: Names<N>;
  /** Whether all from the first non-option on goes to `_`. */
  stopEarly?: boolean;
  /** Options whose value stays text. */
  string?: Names<S>;
  /** Told each argument that is not declared; false drops it. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** What {@linkcode parseArgs} found. */
export type Args<
  T extends object = Record<string, unknown>,
  DD extends boolean = false,
> =
  & T
  & { _: (string | number)[] }
  & (DD extends true ? { "--": string[] } : unknown);

/** The options that are declared, under their names and aliases. */
type Values<B, S, C, N, D, A> = string extends B | S | C ? Record<string, undefined>
  : Record<string, unknown> & Aliased<Options<B, S, C, N, D>, A>;

type Options<B, S, C, N, D> =
  & { [K in Exclude<(B | C) & string, keyof D>]: Given<K, B, S, C, N> }
  & { [K in Exclude<S & string, C | keyof D>]?: Given<K, B, S, C, N> }
  & { [K in keyof D]: K extends B | S ? D[K] | Given<K, B, S, C, N> : unknown };

/** The value of an option when it is given. */
type Given<K, B, S, C, N> =
  | (K extends C ? (K extends S ? string[] : unknown[])
    : K extends B ? boolean
    : string)
  | (K extends N ? false : never);

type Aliased<T, A> =
  & T
  & { [K in keyof T & keyof A as AliasNames<A[K]>]: T[K] };

type AliasNames<T> = T extends string ? T : T extends readonly string[] ? T[number]
: never;

/** Reads command line arguments. */
export function parseArgs<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
  D extends Record<string, unknown> = Record<never, unknown>,
  const A extends Aliases = Record<never, never>,
  DD extends boolean = false,
>(
  args: readonly string[],
  options: ParseOptions<B, S, C, N, D, A, DD> = {},
): Args<Values<B, S, C, N, D, A>, DD> {
  const declared = new Declared(options);
  const { _, "--": rest, ...values } = minimist(declared.mark(args), {
    "--": options["--"],
    alias: options.alias,
    boolean: [...declared.boolean],
    default: declared.defaultOfSingles(),
    stopEarly: options.stopEarly,
    string: [...declared.string],
    unknown: (arg: string) => declared.admits(arg),
  });
  const found = { ...declared.settle(values), _: _.map(unmarked) };
  const result = rest ? { ...found, "--": rest } : found;
  return result as unknown as Args<Values<B, S, C, N, D, A>, DD>;
}

/** The value of an option that must not take the next argument; no argument can hold a NUL. */
const NOTHING = "\0";

function unmarked(arg: unknown): unknown {
  return typeof arg === "string" ? arg.replace(`=${NOTHING}`, "") : arg;
}

/** The declared names with their aliases, and the rules in which minimist differs. */
class Declared {
  readonly boolean: ReadonlySet<string>;
  readonly string: ReadonlySet<string>;
  readonly #collect: ReadonlySet<string>;
  readonly #negatable: ReadonlySet<string>;
  readonly #default = new Map<string, unknown>();
  readonly #aliases: string[][];
  readonly #unknown: ParseOptions["unknown"];

  constructor(options: ParseOptions) {
    this.#aliases = Object.entries(options.alias ?? {}).map((entry) => entry.flat());
    this.boolean = this.#withAliases(options.boolean);
    this.string = this.#withAliases(options.string);
    this.#collect = this.#withAliases(options.collect);
    this.#negatable = this.#withAliases(options.negatable);
    for (const [name, value] of Object.entries(options.default ?? {})) {
      for (const each of this.#withAliases(name)) this.#default.set(each, value);
    }
    this.#unknown = options.unknown;
  }

  /** A default would look like a given value, so gathering options get theirs in the end. */
  defaultOfSingles(): Record<string, unknown> {
    const singles = [...this.#default].filter(([key]) => !this.#collect.has(key));
    return Object.fromEntries(singles);
  }

  /** Marks options that minimist, but not the real one, would negate or give the next argument. */
  mark(args: readonly string[]): string[] {
    const end = args.includes("--") ? args.indexOf("--") : args.length;
    return args.map((arg, i) => {
      if (i >= end || !/^--[^=]+$/.test(arg)) return arg;
      const next = i + 1 < end ? args[i + 1] : undefined;
      const marked = this.#isNoNegation(arg) || isNoValue(next);
      return marked ? `${arg}=${NOTHING}` : arg;
    });
  }

  /** Whether an argument that minimist doesn't know may stay. */
  admits(arg: string): boolean {
    const [, long, cluster] = /^--([^=]+)|^-([^-][^=]*)/.exec(arg) ?? [];
    const key = long ?? [...cluster ?? ""].find((name) => !this.#knows(name));
    if (key !== undefined && this.#knows(key)) return true;
    return this.#unknown?.(unmarked(arg) as string, key) !== false;
  }

  /** Of several values the last counts, unless the option gathers them. */
  settle(values: Record<string, unknown>): Record<string, unknown> {
    const settled: Record<string, unknown> = {};
    for (const key of this.#collect) {
      if (this.#default.has(key)) settled[key] = this.#default.get(key);
      else if (this.string.has(key)) settled[key] = [];
    }
    for (const [key, value] of Object.entries(values)) {
      const nothing = this.string.has(key) ? "" : true;
      const all = [value].flat().map((v) => v === NOTHING ? nothing : v);
      if (this.#collect.has(key)) settled[key] = all;
      else settled[key] = value === this.#default.get(key) ? value : all.at(-1);
    }
    return settled;
  }

  #withAliases(names: Names<string> = []): Set<string> {
    const all = [names].flat().flatMap((name) =>
      this.#aliases.find((group) => group.includes(name)) ?? [name]
    );
    return new Set(all);
  }

  #knows(name: string): boolean {
    return this.boolean.has(name) || this.string.has(name) ||
      this.#collect.has(name) ||
      this.#aliases.some((group) => group.includes(name));
  }

  #isNoNegation(arg: string): boolean {
    return arg.startsWith("--no-") && !this.#negatable.has(arg.slice(5));
  }
}

/** The real one takes no value that is empty or starts with a hyphen. */
function isNoValue(next: string | undefined): boolean {
  return next === "" || next === "-" || (next?.startsWith("---") ?? false);
}
