/**
 * Topology files.
 *
 * @module
 */

import { parse, stringify } from "@std/yaml";
import { TOPOLOGY } from "./format.ts";
import { findPlaces, MERGE, type Places, positionsIn, type Scalars } from "./positions.ts";
import { type Path, type Position, type Problem, TopologyError } from "./problem.ts";
import { problemsOf } from "./read.ts";
import { arrange, MOST_VALUES, show } from "./schema.ts";
import type { Topology } from "./types.ts";

/** A topology with the places of its parts in its file. */
export interface TopologyFile {
  /** What it says. */
  topology: Topology;
  /** The place of what a path leads to, or of the nearest that it stands in. */
  locate(path: Path): Position;
}

/**
 * Reads a topology file (YAML 1.2, with merge keys); `TopologyError` with all that is wrong, and where.
 * `file` is its name: what the topology is called where it does not say so itself, and what the error says.
 *
 * @example Look whether a file can be meant
 * ```ts
 * import { parseTopology } from "@denolink/denolink/yaml";
 *
 * const { topology } = parseTopology("denolink: 1\nbridges: { br0: 10.0.0.1/24 }\n", "lab.yaml");
 * console.log(topology.name);
 * ```
 */
export function parseTopology(text: string, file: string): TopologyFile {
  const source = new Source(text);
  try {
    const topology = named(read(source), file);
    const problems = problemsOf(topology);
    if (problems.length > 0) throw new Found(problems);
    return { topology: topology as Topology, locate: (path) => source.locate(path) };
  } catch (error) {
    throw error instanceof Found
      ? new TopologyError(source.placed(error.problems), file)
      : error instanceof RangeError
      ? new TopologyError([{ ...TOO_DEEP, position: source.at(0) }], file)
      : error;
  }
}

/**
 * A topology as a file, its keys in the order of the format.
 *
 * @example Keep what runs
 * ```ts
 * import { formatTopology } from "@denolink/denolink/yaml";
 *
 * console.log(formatTopology({ denolink: 1, name: "lab", bridges: { br0: "10.0.0.1/24" } }));
 * ```
 */
export function formatTopology(topology: Topology): string {
  return stringify(arrange(TOPOLOGY, topology));
}

/** The parser's stack, or that of what comes behind it, is at its end. */
const TOO_DEEP: Problem = { path: [], message: "the file is nested too deeply" };
/** More than any network needs. */
const MOST_CHARACTERS = 16 * 2 ** 20;

/** Problems on their way to the user. */
class Found extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super();
    this.problems = problems;
  }
}

/** A text and where its parts stand, which is looked for only when somebody asks. */
class Source {
  readonly text: string;
  #places: Places | undefined;
  #positions: ((offset: number) => Position) | undefined;

  constructor(text: string) {
    this.text = text.replace(/^\uFEFF/, "");
  }

  get places(): Places {
    return this.#places ??= findPlaces(this.text, SCALARS);
  }

  at(offset: number): Position {
    return (this.#positions ??= positionsIn(this.text))(offset);
  }

  locate(path: Path): Position {
    return this.at(this.places.offsetOf(path));
  }

  /** Problems with their places, in the order of the file. */
  placed(problems: readonly Problem[]): Problem[] {
    return problems
      .map((problem) => ({ ...problem, position: problem.position ?? this.locate(problem.path) }))
      .sort(({ position: a }, { position: b }) => a.line - b.line || a.column - b.column);
  }
}

/** What a file says, its merge keys replaced by what they stand for. */
function read(source: Source): unknown {
  const { text } = source;
  const refuse = (message: string, offset: number): never => {
    throw new Found([{ path: [], message, position: source.at(offset) }]);
  };
  if (text.length > MOST_CHARACTERS) {
    refuse(
      `the file has ${text.length} characters, and ${MOST_CHARACTERS} are the most; make several topologies of it`,
      0,
    );
  }
  const tab = findIndentingTab(text);
  if (tab !== undefined) refuse("a tab indents here; use blanks", tab);
  const value = parsed(source);
  if (ODD_NUMBERS.test(text)) refuseOdd(source);
  if (value === null) refuse('the file is empty; a topology has at least "denolink: 1"', 0);
  return merged(value);
}

/** A tab in front of what stands in a line: some parsers take it, and others don't. */
function findIndentingTab(text: string): number | undefined {
  let tab = text.indexOf("\t");
  while (tab >= 0) {
    const before = text.slice(text.lastIndexOf("\n", tab) + 1, tab);
    const next = text.indexOf("\n", tab);
    const behind = text.slice(tab, next < 0 ? undefined : next).trim();
    const indents = /^[ ?-]*$/.test(before) && !before.startsWith("---");
    if (indents && behind !== "" && !behind.startsWith("#")) return tab;
    tab = next < 0 ? next : text.indexOf("\t", next);
  }
  return undefined;
}

function parsed(source: Source): unknown {
  try {
    return parse(source.text, OPTIONS);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Found(syntaxProblems(source, error.message));
  }
}

/** Without merge keys, for which parsers have limits of their own, and without dates. */
const OPTIONS = { schema: "core" } as const;

/** What a parser objects to. The places and the words of some differ, so here they are found anew. */
function syntaxProblems(source: Source, said: string): Problem[] {
  const { twice, second } = source.places;
  if (/duplicat/i.test(said) && twice.length > 0) {
    return twice.map(({ path, at, text, first }) => ({
      path,
      message: `the key ${show(text)} is there twice, first in line ${
        source.at(first).line
      }; leave one out`,
      position: source.at(at),
    }));
  }
  if (/single document/i.test(said) && second !== undefined) {
    return [{
      path: [],
      message: "a second document starts here; a topology is one document",
      position: source.at(second),
    }];
  }
  // "... at line 3, column 5" or "... (3:5)".
  const [place, line = "1", column = "1"] = /at line (\d+), column (\d+)|\((\d+):(\d+)\)/.exec(said)
    ?.filter((group) => group !== undefined) ?? [];
  const message = said.slice(0, place === undefined ? undefined : said.indexOf(place))
    .replace(/^Cannot [^:]*: /, "").trim();
  return [{
    path: [],
    message: `this is no YAML: ${message}`,
    position: { line: Number(line), column: Number(column) },
  }];
}

/** Digits with what YAML 1.1 allows among them. */
const NUMBER = /^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[\da-f_]+|[\d_]*\.?[\d_]*(?:e[-+]?\d+)?)$/i;
/** Those that are octal to one parser and decimal to another, or a number to one and a text to another. */
const ODD = /\d.*_|_.*\d|^[-+]?0[\do]|e[-+]?\d{3}/i;
/** Where there may be one. */
const ODD_NUMBERS =
  /(?:^|[\s,[{]|["'\]}]:)[-+]?(?:0[\do][\w.]*(?![\w.]|:\S)|(?:0[bx]|[\d.])[\da-f.]*_|[\d.]+e[-+]?\d{3}|_[\d_.])/im;

const SCALARS: Scalars = {
  keyOf(text) {
    if (!/^[-+.\d~ntf]/i.test(text) || SCALARS.isOdd(text)) return text;
    try {
      return String((parse(`- ${text}`, OPTIONS) as [unknown])[0]);
    } catch {
      return text;
    }
  },
  isOdd: (text) => NUMBER.test(text) && ODD.test(text),
};

function refuseOdd(source: Source): void {
  const { odd } = source.places;
  if (odd.length === 0) return;
  throw new Found(odd.map(({ path, at, text }) => ({
    path,
    message:
      `${text} is not the same number to everybody; leave out leading zeros and underscores, or quote what is a text`,
    position: source.at(at),
  })));
}

type Values = Record<string, unknown>;

/** The value with merge keys replaced (https://yaml.org/type/merge.html); all of it is this file's own. */
function merged(root: unknown): unknown {
  const done = new Set<unknown>();
  let count = 0;
  const visit = (value: unknown, path: Path): void => {
    if (typeof value !== "object" || value === null || done.has(value)) return;
    done.add(value);
    if (Array.isArray(value)) return value.forEach((own, index) => visit(own, [...path, index]));
    const mapping = value as Values;
    for (const [key, own] of Object.entries(mapping)) visit(own, [...path, key]);
    if (!Object.hasOwn(mapping, MERGE)) return;
    const sources = mapping[MERGE];
    delete mapping[MERGE];
    for (const source of Array.isArray(sources) ? sources : [sources]) {
      if (!isMapping(source)) {
        throw new Found([{
          path: [...path, MERGE],
          message: `expected a mapping whose keys are taken over, got ${show(source)}`,
        }]);
      }
      count += Object.keys(source).length;
      if (count > MOST_VALUES) {
        throw new Found([{
          path: [...path, MERGE],
          message: `${MOST_VALUES} keys are taken over so far, and that is the most`,
        }]);
      }
      for (const [key, own] of Object.entries(source)) {
        if (!Object.hasOwn(mapping, key)) define(mapping, key, own);
      }
    }
  };
  visit(root, []);
  return root;
}

function isMapping(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Sets a key, also the one by which an object gets another prototype. */
function define(mapping: Values, key: string, value: unknown): void {
  if (key !== "__proto__") mapping[key] = value;
  else {
    Object.defineProperty(mapping, key, {
      ...{ value, writable: true, enumerable: true, configurable: true },
    });
  }
}

/** A topology with the file's name where it has none: without folder and extension, as a name may be. */
function named(value: unknown, file: string): unknown {
  if (!isMapping(value) || value.name !== undefined) return value;
  const name = file.replace(/^.*\//, "").replace(/(?<=.)\.[^.]*$/, "")
    .toLowerCase().replace(/[^a-z0-9-]+/g, "-").slice(0, 15);
  return /[a-z0-9]/.test(name) ? { ...value, name } : value;
}
