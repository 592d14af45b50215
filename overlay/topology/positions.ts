/**
 * Where the parts of a YAML text stand: a parser's answer has no places.
 *
 * It reads what YAML 1.2 writes (https://yaml.org/spec/1.2.2/), and takes the parser's word for it that the
 * text is YAML. Where it is lost it keeps what it has: a part is then said to be where the nearest one is
 * that holds it.
 *
 * @module
 */

import type { Path, Position } from "./problem.ts";

/** What was found in a text; offsets are in UTF-16 characters from its start. */
export interface Places {
  /** The offset of what a path leads to: of the key in a mapping, of the entry in a list. */
  offsetOf(path: Path): number;
  /** Keys that stand in a mapping a second time, and where they stand first. */
  twice: readonly (Told & { first: number })[];
  /** Plain scalars that `isOdd` chose. */
  odd: readonly Told[];
  /** Where a second document starts. */
  second: number | undefined;
}

/** A key or a scalar to tell of. */
export interface Told {
  path: Path;
  at: number;
  text: string;
}

/** What the parser knows of plain scalars. */
export interface Scalars {
  /** The key that a plain scalar makes: "16" for `0x10`. */
  keyOf(text: string): string;
  /** Whether a plain scalar is to be told of. */
  isOdd(text: string): boolean;
}

/** Looks for the places in a text. */
export function findPlaces(text: string, scalars: Scalars): Places {
  const scanner = new Scanner(text, scalars);
  try {
    scanner.document();
  } catch (error) {
    if (error !== LOST) throw error;
  }
  const { root, twice, odd, second } = scanner;
  return { offsetOf: (path) => offsetOf(root, path), twice, odd, second };
}

/** Lines and columns of the offsets in a text. */
export function positionsIn(text: string): (offset: number) => Position {
  const starts = [0];
  for (const { index, 0: { length } } of text.matchAll(/\r\n|\n|\r/g)) starts.push(index + length);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low]! + 1 };
  };
}

/** The key that stands for those of other mappings (https://yaml.org/type/merge.html). */
export const MERGE = "<<";

/** A key with its value, or an entry of a list. */
interface Entry {
  at: number;
  node?: Node | undefined;
}

type Node = Mapping | List | Scalar;

interface Mapping {
  keys: Map<string, Entry>;
}

interface List {
  entries: Entry[];
}

interface Scalar {
  /** As it is written, without its quotes. */
  raw: string;
  style: "plain" | "single" | "double" | "other";
}

function offsetOf(root: Entry, path: Path): number {
  let entry = root;
  for (const step of path) {
    const next = entryOf(entry.node, step);
    if (next === undefined) break;
    entry = next;
  }
  return entry.at;
}

function entryOf(
  node: Node | undefined,
  step: string | number,
  within: readonly Node[] = [],
): Entry | undefined {
  if (node === undefined || within.includes(node)) return undefined;
  if ("entries" in node) return typeof step === "number" ? node.entries[step] : undefined;
  if (!("keys" in node)) return undefined;
  const own = node.keys.get(String(step));
  if (own !== undefined) return own;
  for (const source of mergedInto(node)) {
    const merged = entryOf(source, step, [...within, node]);
    if (merged !== undefined) return merged;
  }
  return undefined;
}

function mergedInto({ keys }: Mapping): (Node | undefined)[] {
  const source = keys.get(MERGE)?.node;
  if (source === undefined) return [];
  return "entries" in source ? source.entries.map(({ node }) => node) : [source];
}

/** Thrown where the text is not understood. */
const LOST = Symbol("lost");
const DEEPEST = 200;

const BLANKS = /[ \t]*/y;
const SPACE = /[ \t\r\n]*/y;
const COMMENT = /#[^\r\n]*/y;
const DIRECTIVE = /%[^\r\n]*/y;
const SEPARATOR = /(?:---|\.\.\.)(?=[ \t\r\n]|$)/y;
const PROPERTY = /[&!](?:<[^>\r\n]*>|[^ \t\r\n,[\]{}]*)/y;
const ALIAS = /\*[^ \t\r\n,[\]{}]+/y;
const BLOCK_HEADER = /[|>][-+1-9]*[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|$)/y;
const LINE_END = /\r\n|\r|\n/y;
const REST_OF_LINE = /[^\r\n]*/y;

/** Takes in what a value is, and where it starts. */
type Put = (node: Node, at: number) => void;

/** What stands in front of a value: `&anchor !tag`. */
interface Properties {
  anchors: string[];
  tagged: boolean;
}

/** A value in one place; where a colon follows in its line it is a key. */
interface Atom {
  node: Node | undefined;
  at: number;
  /** A plain scalar that stands here. */
  plain?: Scalar;
}

class Scanner {
  readonly root: Entry = { at: 0 };
  readonly twice: (Told & { first: number })[] = [];
  readonly odd: Told[] = [];
  second: number | undefined;

  readonly #text: string;
  readonly #scalars: Scalars;
  readonly #anchors = new Map<string, Node | undefined>();
  readonly #path: (string | number)[] = [];
  #at = 0;
  #lineStart = 0;

  constructor(text: string, scalars: Scalars) {
    this.#text = text;
    this.#scalars = scalars;
  }

  /** Reads the first document. */
  document(): void {
    this.#skip();
    while (this.#take(DIRECTIVE) !== undefined) this.#skip();
    if (this.#take(SEPARATOR) !== undefined) this.#skip();
    this.root.at = this.#at;
    this.#block(-1, false, (node, at) => Object.assign(this.root, { node, at }));
    this.#skip();
    const mark = this.#at;
    const separator = this.#take(SEPARATOR);
    if (separator === undefined) return;
    this.#skip();
    if (separator === "---") this.second = mark;
    else if (!this.#ended()) this.second = this.#at;
  }

  /**
   * The value behind "key:" or "-", in this line, or below and further in than `parent`; where it may
   * stand `beside`, a list may be as far in.
   */
  #block(parent: number, beside: boolean, put: Put): void {
    const line = this.#lineStart;
    this.#skip();
    if (this.#isOutside(line, parent, beside)) return;
    const [before, same] = [this.#column(), this.#lineStart];
    const outer = this.#properties();
    this.#skip();
    if (this.#isOutside(line, parent, beside)) return;
    // What stands in the line of a mapping's first key is that key's.
    const isFirst = this.#lineStart === same;
    const column = isFirst ? before : this.#column();
    const own = isFirst ? NONE : outer;
    if (this.#isIndicator("-")) return this.#blockList(column, this.#keeping(outer, put));
    if (this.#isIndicator("?")) return this.#blockMapping(column, this.#keeping(outer, put));
    const inner = isFirst ? outer : this.#properties();
    this.#skip();
    if (this.#isOneOf("|>")) return this.#blockScalar(parent, this.#keeping(inner, put));
    const start = this.#lineStart;
    const atom = this.#atom(inner, false, put);
    if (this.#lineStart === start && this.#isColon()) {
      return this.#blockMapping(column, this.#keeping(own, put), atom);
    }
    if (atom.plain !== undefined && this.#furtherLines(parent)) atom.plain.style = "other";
    this.#tell(atom);
    if (atom.node !== undefined) this.#keeping(own, put)(atom.node, atom.at);
  }

  #blockList(column: number, put: Put): void {
    const entries: Entry[] = [];
    put({ entries }, this.#at);
    while (!this.#ended() && this.#column() === column && this.#isIndicator("-")) {
      const entry: Entry = { at: this.#at };
      entries.push(entry);
      this.#at++;
      this.#within(entries.length - 1, () => {
        this.#block(column, false, (node, at) => Object.assign(entry, { node, at }));
      });
      this.#skip();
    }
  }

  #blockMapping(column: number, put: Put, first?: Atom): void {
    const mapping: Mapping = { keys: new Map() };
    put(mapping, first?.at ?? this.#at);
    let key: Atom | undefined = first;
    do {
      key ??= this.#blockKey(column);
      const entry = this.#addKey(mapping, key);
      if (this.#isColon()) {
        this.#at++;
        this.#within(this.#keyOf(key), () => {
          this.#block(column, true, (node) => entry.node = node);
        });
      }
      this.#skip();
      key = undefined;
    } while (!this.#ended() && this.#column() === column && this.#isBlockKey());
  }

  /** A key, up to its colon, which a key behind "?" need not have. */
  #blockKey(column: number): Atom {
    if (!this.#isIndicator("?")) {
      const key = this.#atom(this.#properties(), false);
      if (!this.#isColon()) throw LOST;
      return key;
    }
    const key: Atom = { node: undefined, at: this.#at++ };
    this.#block(column, false, (node, at) => Object.assign(key, { node, at }));
    this.#skip();
    return key;
  }

  /** Whether a mapping goes on. */
  #isBlockKey(): boolean {
    return !this.#isAt(SEPARATOR) && !this.#isIndicator("-");
  }

  /** A value that may stand in a line with others. */
  #atom(properties: Properties, within: boolean, put: Put = () => {}): Atom {
    const at = this.#at;
    const keep = this.#keeping(properties, put);
    const done = (node: Node | undefined): Atom => {
      for (const anchor of properties.anchors) this.#anchors.set(anchor, node);
      return { node, at };
    };
    switch (this.#peek()) {
      case "[":
        return done(this.#flowList((list) => keep(list, at)));
      case "{":
        return done(this.#flowMapping((mapping) => keep(mapping, at)));
      case "'":
        return done({ raw: this.#singleQuoted(), style: "single" });
      case '"':
        return done({ raw: this.#doubleQuoted(), style: "double" });
      case "*":
        return done(this.#alias());
    }
    if (within && this.#isIndicator(":")) return done({ raw: "null", style: "other" });
    const plain: Scalar = { raw: this.#plain(within), style: "plain" };
    // What goes on in the next line, or has a tag, is no number.
    if (within && this.#furtherFlow() || properties.tagged) plain.style = "other";
    return { ...done(plain), plain };
  }

  #flowList(put: (list: List) => void): List {
    const list: List = { entries: [] };
    put(list);
    this.#flow("]", () => {
      const entry: Entry = { at: this.#at };
      list.entries.push(entry);
      this.#within(list.entries.length - 1, () => {
        if (this.#isOneOf(",")) return;
        this.#flowPair(
          () => {
            const mapping: Mapping = { keys: new Map() };
            entry.node = mapping;
            return mapping;
          },
          (node, at) => Object.assign(entry, { node, at }),
        );
      });
    });
    return list;
  }

  #flowMapping(put: (mapping: Mapping) => void): Mapping {
    const mapping: Mapping = { keys: new Map() };
    put(mapping);
    this.#flow("}", () => this.#flowPair(() => mapping));
    return mapping;
  }

  /** What stands between brackets, from one comma to the next. */
  #flow(end: string, entry: () => void): void {
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#peek() === end) break;
      entry();
      this.#skip();
      if (this.#peek() === end) break;
      if (this.#peek() !== ",") throw LOST;
      this.#at++;
    }
    this.#at++;
  }

  /** A key with its value, or a value alone, which is a list's entry or a key without one. */
  #flowPair(mappingOf: () => Mapping, put?: Put): void {
    const explicit = this.#isIndicator("?");
    if (explicit) {
      this.#at++;
      this.#skip();
    }
    const properties = this.#properties();
    this.#skip();
    const line = this.#lineStart;
    const atom = this.#atom(properties, true, put);
    this.#skip();
    const isPair = this.#peek() === ":" &&
      (explicit || put === undefined || this.#lineStart === line);
    if (!isPair && put !== undefined) {
      this.#tell(atom);
      return put(atom.node ?? { raw: "", style: "other" }, atom.at);
    }
    const entry = this.#addKey(mappingOf(), atom);
    if (!isPair) return;
    this.#at++;
    this.#skip();
    if (this.#isOneOf(",]}")) return;
    this.#within(this.#keyOf(atom), () => {
      const properties = this.#properties();
      this.#skip();
      if (this.#isOneOf(",]}")) return;
      const value = this.#atom(properties, true, (node) => entry.node = node);
      this.#tell(value);
      entry.node = value.node;
    });
  }

  #addKey({ keys }: Mapping, key: Atom): Entry {
    const entry: Entry = { at: key.at };
    const text = this.#keyOf(key);
    const first = keys.get(text);
    if (first === undefined) keys.set(text, entry);
    this.#within(text, () => {
      this.#tell(key);
      if (first !== undefined) {
        this.twice.push({ path: [...this.#path], at: key.at, text, first: first.at });
      }
    });
    return entry;
  }

  #keyOf({ node }: Atom): string {
    if (node === undefined || !("raw" in node)) return "";
    const { raw, style } = node;
    if (style === "plain") return this.#scalars.keyOf(raw);
    if (style === "single") return fold(raw).replaceAll("''", "'");
    return style === "double" ? unescape(fold(raw)) : raw;
  }

  /** Tells of a plain scalar that is to be told of. */
  #tell({ plain, at }: Atom): void {
    if (plain?.style !== "plain" || !this.#scalars.isOdd(plain.raw)) return;
    this.odd.push({ path: [...this.#path], at, text: plain.raw });
  }

  #alias(): Node | undefined {
    const name = this.#take(ALIAS)?.slice(1);
    if (name === undefined || !this.#anchors.has(name)) throw LOST;
    return this.#anchors.get(name);
  }

  #singleQuoted(): string {
    const start = ++this.#at;
    let end = this.#text.indexOf("'", start);
    while (end >= 0 && this.#text[end + 1] === "'") end = this.#text.indexOf("'", end + 2);
    return this.#quoted(start, end);
  }

  #doubleQuoted(): string {
    const start = ++this.#at;
    let end = this.#text.indexOf('"', start);
    while (end >= 0 && isEscaped(this.#text, end)) end = this.#text.indexOf('"', end + 1);
    return this.#quoted(start, end);
  }

  #quoted(start: number, end: number): string {
    if (end < 0) throw LOST;
    this.#moveTo(end + 1);
    return this.#text.slice(start, end);
  }

  /** The first line of a plain scalar. */
  #plain(within: boolean): string {
    const start = this.#at;
    if (this.#isOneOf(",[]{}#&*!|>'\"%@`") || this.#isIndicator("-") || this.#isIndicator("?")) {
      throw LOST;
    }
    this.#at = this.#plainEnd(start, within);
    if (this.#at === start) throw LOST;
    return this.#text.slice(start, this.#at);
  }

  /** The lines behind the first of a plain scalar; whether there are any. */
  #furtherLines(parent: number): boolean {
    const start = this.#at;
    for (;;) {
      const next = this.#nextLine(this.#at);
      if (next === undefined || next.column <= parent || this.#text[next.at] === "#") break;
      SEPARATOR.lastIndex = next.at;
      if (next.column === 0 && SEPARATOR.test(this.#text)) break;
      this.#moveTo(this.#plainEnd(next.at, false));
      if (this.#at === next.at) throw LOST;
    }
    return this.#at > start;
  }

  /** The same in brackets. */
  #furtherFlow(): boolean {
    const start = this.#at;
    for (;;) {
      const next = this.#nextLine(this.#at);
      const end = next === undefined ? undefined : this.#plainEnd(next.at, true);
      if (end === undefined || end === next?.at) return this.#at > start;
      this.#moveTo(end);
    }
  }

  /** Where the next line with something in it starts, when nothing more stands in this one. */
  #nextLine(at: number): { at: number; column: number } | undefined {
    SPACE.lastIndex = at;
    const [space = ""] = SPACE.exec(this.#text) ?? [];
    const lineStart = Math.max(space.lastIndexOf("\n"), space.lastIndexOf("\r")) + 1;
    const next = at + space.length;
    if (lineStart === 0 || next >= this.#text.length) return undefined;
    return { at: next, column: space.length - lineStart };
  }

  #plainEnd(start: number, within: boolean): number {
    const text = this.#text;
    const ends = (at: number) =>
      at >= text.length || " \t\r\n".includes(text[at]!) || within && ",[]{}".includes(text[at]!);
    let end = start;
    for (let at = start; at < text.length; at++) {
      const char = text[at]!;
      if (char === " " || char === "\t") continue;
      if (char === "\n" || char === "\r" || within && ",[]{}".includes(char)) break;
      if (char === ":" && ends(at + 1)) break;
      if (char === "#" && (at === start || " \t".includes(text[at - 1]!))) break;
      end = at + 1;
    }
    return end;
  }

  /** Text in lines of its own, `|` or `>`: up to a line that is not as far in as its first. */
  #blockScalar(parent: number, put: Put): void {
    const at = this.#at;
    const header = this.#take(BLOCK_HEADER);
    if (header === undefined) throw LOST;
    put({ raw: "", style: "other" }, at);
    const digit = Number(/[1-9]/.exec(header.split("#", 1)[0]!)?.[0] ?? 0);
    let indent = digit === 0 ? undefined : parent + digit;
    while (this.#take(LINE_END) !== undefined) {
      const start = this.#at;
      this.#lineStart = start;
      const blanks = this.#take(/ */y)!.length;
      if (this.#isAt(LINE_END)) continue;
      if (this.#ended() || blanks < (indent ?? parent + 1)) {
        this.#at = start;
        break;
      }
      indent ??= blanks;
      this.#take(REST_OF_LINE);
    }
  }

  /** Takes in a value, under its anchors too. */
  #keeping({ anchors }: Properties, put: Put): Put {
    if (anchors.length === 0) return put;
    return (node, at) => {
      for (const anchor of anchors) this.#anchors.set(anchor, node);
      put(node, at);
    };
  }

  #properties(): Properties {
    const anchors: string[] = [];
    let tagged = false;
    while (this.#isOneOf("&!")) {
      const property = this.#take(PROPERTY)!;
      if (property.startsWith("&")) anchors.push(property.slice(1));
      else tagged = true;
      // Until it is known what has it.
      for (const anchor of anchors) this.#anchors.set(anchor, undefined);
      this.#take(BLANKS);
    }
    return anchors.length === 0 && !tagged ? NONE : { anchors, tagged };
  }

  #within(step: string | number, read: () => void): void {
    if (this.#path.length >= DEEPEST) throw LOST;
    this.#path.push(step);
    read();
    this.#path.pop();
  }

  /** Passes blanks, line breaks and comments. */
  #skip(): void {
    do this.#take(SPACE); while (this.#take(COMMENT) !== undefined);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0];
    if (taken !== undefined) this.#moveTo(this.#at + taken.length);
    return taken;
  }

  #isAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#text);
  }

  #moveTo(at: number): void {
    for (let from = this.#at; from < at; from++) {
      const code = this.#text.charCodeAt(from);
      if (code === LINE_FEED || code === CARRIAGE_RETURN) this.#lineStart = from + 1;
    }
    this.#at = at;
  }

  #column(): number {
    return this.#at - this.#lineStart;
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #ended(): boolean {
    return this.#at >= this.#text.length;
  }

  #isOneOf(chars: string): boolean {
    return !this.#ended() && chars.includes(this.#peek());
  }

  /** "-", "?" or ":" with a blank behind it. */
  #isIndicator(char: string): boolean {
    return this.#peek() === char && " \t\r\n".includes(this.#text[this.#at + 1] ?? " ");
  }

  /** Whether a key's colon comes next. */
  #isColon(): boolean {
    this.#take(BLANKS);
    return this.#isIndicator(":");
  }

  /** Whether a value is empty: what comes next is not further in than its parent, or is the end. */
  #isOutside(line: number, parent: number, beside: boolean): boolean {
    if (this.#ended()) return true;
    if (this.#lineStart === line) return false;
    const column = this.#column();
    if (column === 0 && this.#isAt(SEPARATOR)) return true;
    return column < parent || column === parent && !(beside && this.#isIndicator("-"));
  }
}

const NONE: Properties = { anchors: [], tagged: false };
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

function isEscaped(text: string, at: number): boolean {
  let start = at;
  while (text[start - 1] === "\\") start--;
  return (at - start) % 2 === 1;
}

/** A quoted text in several lines as one. */
function fold(text: string): string {
  if (!/[\r\n]/.test(text)) return text;
  return text.split(/\r\n|\r|\n/).map((line) => line.trim()).join(" ");
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ 0: "\0", a: "\x07", b: "\b", t: "\t", n: "\n", v: "\v", f: "\f", r: "\r", e: "\x1b" },
  ...{ N: "\x85", _: "\xa0", L: "\u2028", P: "\u2029" },
};

function unescape(text: string): string {
  return text.replace(
    /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|([^]))/gi,
    (_, two, four, eight, one) => {
      const code = two ?? four ?? eight;
      return code === undefined ? ESCAPES[one] ?? one : String.fromCodePoint(parseInt(code, 16));
    },
  );
}
