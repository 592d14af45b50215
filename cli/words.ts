/**
 * The grammar of `ip`: tables of words that are read from a command line, and printed as text and as
 * JSON. A row serves all three.
 *
 * @module
 */

import { hint, UsageError } from "./errors.ts";
import type { Host } from "./host.ts";

/** How a value is typed and printed. */
// deno-lint-ignore no-explicit-any
export interface Form<Value = any> {
  /** What the help calls it: "NUMBER"; empty for a word without a value. */
  readonly name: string;
  /** Takes the value's words; `undefined` when they are not of this form. `typed` is the word in front. */
  parse?(words: Words, host: Host, typed: string): Value | undefined;
  /** What `ip -j` prints of it; `undefined` for nothing. */
  json?(value: Value, host: Host): unknown;
  /** What `ip` prints of it behind the label; `undefined` for nothing. */
  text?(value: Value, host: Host): string | undefined;
  /** The same with the label, where that is not simply in front. */
  label?(value: Value, label: string, host: Host): string | undefined;
  /** Puts a value where it belongs, when that is not simply under its key. */
  store?(values: Values, value: Value, key: string): void;
}

/** What is read or printed: the values of an rtnl table. */
export type Values = Record<string, unknown>;

/** One word of `ip`, and the key of the rtnl table it stands for. */
export interface Word<Key extends string = string> {
  readonly key: Key;
  /** What is typed, the usual word first; a row without is only printed. */
  readonly word?: string | readonly string[];
  readonly is: Form;
  /**
   * Its name in `ip -j`, the word unless said; empty when it is not printed there, `*` when its form
   * gives an object whose keys stand side by side with the others.
   */
  readonly json?: string;
  /** What stands in front of it in text, the word unless said; `false` when it is not printed. */
  readonly text?: string | false;
  /** Printed only with --details. */
  readonly details?: true;
}

/** The words for the keys of an rtnl table, in the order in which `ip` prints them. */
export type WordTable<Table = Record<string, unknown>> = readonly Word<keyof Table & string>[];

/** The same object as data and as text. */
export interface Printed {
  readonly json: Readonly<Record<string, unknown>>;
  /** Parts of text; one that starts with a line feed starts a line. */
  readonly text: readonly string[];
}

/** The words of a command, from left to right. */
export class Words {
  readonly #all: readonly string[];
  /** Where the next one is. */
  at = 0;

  constructor(all: readonly string[]) {
    this.#all = all;
  }

  /** The next one, without taking it. */
  get next(): string | undefined {
    return this.#all[this.at];
  }

  /** Takes the next one. */
  take(): string | undefined {
    return this.#all[this.at++];
  }

  /** Takes the next one if it is one of these, in full. */
  takeIf(...names: string[]): boolean {
    const found = this.next !== undefined && names.includes(this.next);
    if (found) this.at++;
    return found;
  }

  /** Takes the next one, which must be there. */
  demand(what: string): string {
    return this.take() ?? this.expected(what, --this.at);
  }

  /** Refuses the word at a place, or that there is none. */
  expected(what: string, at: number = this.at): never {
    const before = this.#all[at - 1];
    const behind = before === undefined ? "" : ` behind ${JSON.stringify(before)}`;
    const typed = this.#all[at];
    const got = typed === undefined ? "" : `, got ${JSON.stringify(typed)}`;
    throw new UsageError(`Expected ${what}${behind}${got}`);
  }

  /** Refuses the next word if there is one. */
  end(candidates: readonly string[] = []): void {
    if (this.next === undefined) return;
    throw new UsageError(
      `There is no word ${JSON.stringify(this.next)} here${hint(this.next, candidates)}`,
    );
  }
}

/** What may be typed for a row. */
export function spellings({ word = [] }: Word): readonly string[] {
  return typeof word === "string" ? [word] : word;
}

/** All that may be typed for a table. */
export function vocabulary(table: WordTable): string[] {
  return table.flatMap(spellings);
}

/** The name that was typed in full or, as with `ip`, the first that starts so. */
export function resolve(typed: string, names: readonly string[]): string | undefined {
  return names.includes(typed) ? typed : names.find((name) => name.startsWith(typed));
}

/** Reads words of a table until one comes that is none of them. */
export function readWords<Into extends object>(
  table: WordTable,
  words: Words,
  values: Into,
  host: Host,
): Into {
  while (words.next !== undefined && words.next !== "" && readWord(table, words, values, host));
  return values;
}

/** Reads words of a table to the end. */
export function readAll<Into extends object>(
  table: WordTable,
  words: Words,
  values: Into,
  host: Host,
): Into {
  readWords(table, words, values, host);
  words.end(vocabulary(table));
  return values;
}

/** Reads words of a table to the end; `bare` may take a word that is no keyword in full. */
export function readPhrase<Into extends object>(
  table: WordTable,
  words: Words,
  into: Into,
  host: Host,
  bare: (word: string) => boolean,
): Into {
  const keywords = vocabulary(table);
  while (words.next !== undefined) {
    if (!keywords.includes(words.next) && bare(words.next)) words.take();
    else if (!readWord(table, words, into, host)) words.end(keywords);
  }
  return into;
}

/** Reads one word of a table and its value; false when the next is none of them. */
export function readWord(table: WordTable, words: Words, into: object, host: Host): boolean {
  const values = into as Values;
  const typed = resolve(words.next!, vocabulary(table));
  if (typed === undefined) return false;
  const rows = table.filter((row) => spellings(row).includes(typed));
  const start = ++words.at;
  for (const { key, is } of rows) {
    words.at = start;
    const value = is.parse?.(words, host, typed);
    if (value === undefined) continue;
    if (is.store !== undefined) is.store(values, value, key);
    else if (values[key] === undefined) values[key] = value;
    else throw new UsageError(`"${typed}" is given twice`);
    return true;
  }
  return words.expected(rows.map(({ is }) => is.name).join(" or "), start);
}

/** An object as a table prints it. */
export function print(table: WordTable, values: object, host: Host): Printed {
  const json: Record<string, unknown> = {};
  const text: string[] = [];
  for (const row of table) {
    const value = (values as Values)[row.key];
    if (value === undefined || row.details && !host.details) continue;
    const [word = ""] = spellings(row);
    const name = row.json ?? word;
    const shown = name === "" ? undefined : row.is.json?.(value, host);
    if (name === "*") Object.assign(json, shown);
    else if (shown !== undefined) json[name] = shown;
    const label = row.text ?? word;
    if (label === false) continue;
    const written = row.is.label === undefined
      ? labelled(label, row.is.text?.(value, host))
      : row.is.label(value, label, host);
    if (written !== undefined) text.push(written);
  }
  return { json, text };
}

function labelled(label: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  return label === "" ? text : text === "" ? label : `${label} ${text}`;
}

/** One object of several, in order. */
export function join(...parts: readonly Printed[]): Printed {
  return {
    json: Object.assign({}, ...parts.map(({ json }) => json)),
    text: parts.flatMap(({ text }) => text),
  };
}

/** Something that is no row of a table. */
export function printed(json: Record<string, unknown>, ...text: string[]): Printed {
  return { json, text };
}

/** The text of an object, one blank between its parts. */
export function textOf({ text }: Printed): string {
  return text.filter((part) => part !== "").join(" ").replaceAll(" \n", "\n").replaceAll(
    "\t ",
    "\t",
  ).trimEnd().replace(
    /^\n/,
    "",
  );
}
