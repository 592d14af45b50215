/**
 * `plan`, `up`, `down`, `watch`, `export`, `graph`: whole networks from one file.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import type { NetnsOptions } from "../netns/netns.ts";
import { listLinks } from "../overlay/links.ts";
import {
  apply,
  type Change,
  destroy,
  type Difference,
  drawMermaid,
  type DrawOptions,
  drawSvg,
  type Drift,
  exportTopology,
  type HostSpec,
  type NamespaceSpec,
  type Path,
  type Plan,
  plan,
  type Position,
  type Topology,
  TopologyError,
  TopologyStepError,
  watch,
} from "../overlay/topology/mod.ts";
import { describeProblem, formatPath } from "../overlay/topology/problem.ts";
import { formatTopology, parseTopology, type TopologyFile } from "../overlay/topology/yaml.ts";
import type { Link } from "../rtnl/link.ts";
import type { Command, Result } from "./command.ts";
import { FileError, UsageError } from "./errors.ts";
import { where } from "./host.ts";
import type { Typed } from "./options.ts";
import { plain } from "./plain.ts";

/** What a command takes that reads a topology. */
const FILE = { operands: "FILE", count: [1, 1], inFull: true } as const;

/** The commands about topologies. */
export const TOPOLOGY_COMMANDS: readonly Command[] = [
  {
    ...FILE,
    words: [["plan"]],
    summary: "what a topology's file and the kernel differ in; - is standard input",
    example: "plan lab.yaml",
    run: (typed) =>
      withFile(typed, async (source) => {
        const found = await plan(source.topology, where(typed));
        return planResult(found, source, PLANNED);
      }),
  },
  {
    ...FILE,
    words: [["up"]],
    summary: "make the network what the file says, or leave all as it was",
    example: "up lab.yaml",
    run: (typed) => make(typed, apply),
  },
  {
    ...FILE,
    words: [["down"]],
    summary: "take away what up has made, and nothing else",
    example: "down lab.yaml",
    run: (typed) => make(typed, destroy),
  },
  {
    ...FILE,
    words: [["watch"]],
    summary: "tell when the network is no longer what the file says; --json prints a line for each",
    example: "watch lab.yaml --repair",
    options: { repair: { help: "make it so again" } },
    run: (typed) => withFile(typed, (source) => Promise.resolve({ events: drifts(typed, source) })),
  },
  {
    words: [["export"]],
    inFull: true,
    operands: "",
    count: [0, 0],
    summary: "print what runs as a topology's file",
    example: "export --name lab",
    options: {
      name: { value: "NAME", help: "the topology's name (exported)" },
      single: { help: "this namespace only, and no other" },
    },
    async run(typed) {
      const [name, single] = [typed.one("name"), typed.has("single")];
      const topology = await exportTopology({ ...where(typed), name, single });
      return { json: plain(topology), text: formatTopology(topology).trimEnd() };
    },
  },
  {
    words: [["graph"]],
    inFull: true,
    operands: "FILE|--live",
    count: [0, 1],
    summary: "draw a topology as SVG or Mermaid",
    example: "graph lab.yaml --output lab.svg",
    options: {
      live: { help: "draw what runs, with the states of its links" },
      mermaid: { help: "as Mermaid, for a README" },
      output: { value: "FILE", help: "write it there (standard output)" },
    },
    run: graph,
  },
];

/** A topology, and the name of the file that it was read from. */
export interface Source extends TopologyFile {
  readonly file: string;
}

/** Reads the file that was typed, and says of what fails where the file says it. */
async function withFile<T>(typed: Typed, fn: (source: Source) => Promise<T>): Promise<T> {
  const [typedName = ""] = typed.words;
  const file = typedName === "-" ? "<stdin>" : typedName;
  let source: Source | undefined;
  try {
    const parsed = parseTopology(await textOf(typedName), typedName);
    source = { file, topology: parsed.topology, locate: (path) => parsed.locate(path) };
    return await fn(source);
  } catch (error) {
    throw placed(error, file, source);
  }
}

async function textOf(name: string): Promise<string> {
  try {
    if (name === "-") return await new Response(Deno.stdin.readable).text();
    return await Deno.readTextFile(name);
  } catch (error) {
    const reason = (error as Error).message.replace(/ \(os error \d+\).*$/, "");
    throw new TopologyError([{ path: [], message: `Cannot read this file: ${reason}` }]);
  }
}

/** The error with the places of what it is about. */
export function placed(error: unknown, file: string, source?: TopologyFile): unknown {
  const at = (path: Path): Position | undefined => source?.locate(path);
  if (error instanceof TopologyError) {
    const lines = error.problems.map((problem) =>
      describeProblem({ ...problem, position: problem.position ?? at(problem.path) }, file)
    );
    return new FileError(lines, 2, error);
  }
  if (!(error instanceof TopologyStepError)) return error;
  const { message, change: { path } } = error;
  const place = path === undefined ? { path: [] } : { path, position: at(path) };
  return new FileError([describeProblem({ ...place, message }, file)], 1, error);
}

/** `up` and `down`. */
function make(typed: Typed, act: typeof apply): Promise<Result> {
  return withFile(typed, async (source) => {
    using progress = progressOn(Deno.stderr);
    const done = await act(source.topology, { ...where(typed), onChange: progress.show });
    return planResult(done, source, DONE);
  });
}

/** One line that is written anew with each change, where somebody sees it. */
function progressOn(stream: typeof Deno.stderr) {
  const write = (text: string) => void stream.writeSync(new TextEncoder().encode(text));
  if (!stream.isTerminal()) return { show: undefined, [Symbol.dispose]: () => {} };
  return {
    show: ({ text }: Change, done: number, all: number) =>
      write(CLEAR_LINE + `[${done}/${all}] ${text}`.slice(0, Deno.consoleSize().columns - 1)),
    [Symbol.dispose]: () => write(CLEAR_LINE),
  };
}

const CLEAR_LINE = "\r\x1b[K";

async function* drifts(typed: Typed, source: Source): AsyncGenerator<Result> {
  try {
    const options = { ...where(typed), repair: typed.has("repair") };
    for await (const drift of watch(source.topology, options)) yield driftResult(drift, source);
  } catch (error) {
    throw placed(error, source.file, source);
  }
}

/** What has changed: what is to do about it, or what was done. */
export function driftResult(
  { changes, repaired }: Drift,
  source: Source,
  paint = paintFor(Deno.stdout),
): Result {
  const plan = { topology: source.topology.name, changes };
  const { json, text } = planResult(plan, source, repaired === true ? DONE : PLANNED, paint);
  if (changes.length === 0) {
    return { json: { ...json, repaired: false }, text: "all is as the file says again" };
  }
  if (typeof repaired === "boolean") return { json: { ...json, repaired }, text };
  const { message } = placed(repaired, source.file, source) as Error;
  return {
    json: { ...json, repaired: false, error: message },
    text: `${text}\nnot repaired: ${message}`,
  };
}

/** How changes are told: those that are to do, and those that were done. */
type Tense = (action: Change["action"]) => { verb: string; counted: string };
const PAST = { add: "added", change: "changed", remove: "removed" } as const;
export const PLANNED: Tense = (action) => ({ verb: action, counted: `to ${action}` });
export const DONE: Tense = (action) => ({ verb: PAST[action], counted: PAST[action] });

/** The sign of an action, and its colour (ECMA-48, SGR). */
const SIGNS = {
  add: { sign: "+", colour: 32 },
  change: { sign: "~", colour: 33 },
  remove: { sign: "-", colour: 31 },
} as const;

/** Gives text a colour, or leaves it as it is. */
type Paint = (text: string, colour: number) => string;
export const COLOURED: Paint = (text, colour) => `\x1b[${colour}m${text}\x1b[0m`;
export const PLAIN: Paint = (text) => text;
const paintFor = (stream: { isTerminal(): boolean }): Paint =>
  stream.isTerminal() && !Deno.noColor ? COLOURED : PLAIN;
const BOLD = 1;

/** A plan as a person reads a diff, and as data with the places in the file. */
export function planResult(
  { topology, changes }: Plan,
  { locate }: TopologyFile,
  tense: Tense,
  paint = paintFor(Deno.stdout),
) {
  const groups = Map.groupBy(changes, ({ netns }) => netns);
  const lines = [...groups].flatMap(([netns, changes]) => [
    paint(netns, BOLD),
    ...changes.flatMap((change) => changeLines(change, tense, paint)),
  ]);
  return {
    json: { topology, changes: changes.map((change) => row(change, locate)) },
    text: [...lines, summary(changes, tense)].join("\n"),
  };
}

function summary(changes: readonly Change[], tense: Tense): string {
  if (changes.length === 0) return "nothing to do";
  const count = (wanted: Change["action"]) =>
    changes.filter(({ action }) => action === wanted).length;
  return (["add", "change", "remove"] as const)
    .map((action) => `${count(action)} ${tense(action).counted}`).join(", ");
}

/** The namespace stands above them. */
function changeLines(
  { action, netns, text, differences = [] }: Change,
  tense: Tense,
  paint: Paint,
): string[] {
  const { sign, colour } = SIGNS[action];
  const suffix = ` in ${netns}`;
  const here = text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
  const told = here.startsWith(`${action} `)
    ? tense(action).verb + here.slice(action.length)
    : here;
  return [
    paint(`  ${sign} ${told}`, colour),
    ...differences.flatMap(innermost).map(({ key, before, after }) =>
      `      ${key}: ${valueText(before)} -> ${valueText(after)}`
    ),
  ];
}

/** What differs inside of a value; what is not said there is the kernel's choice. */
function innermost(difference: Difference): Difference[] {
  const { key, before, after } = difference;
  if (!isMapping(before) || !isMapping(after)) return [difference];
  const inside = Object.keys(after)
    .filter((inner) => valueText(before[inner]) !== valueText(after[inner]))
    .flatMap((inner) =>
      innermost({ key: `${key}.${inner}`, before: before[inner], after: after[inner] })
    );
  return inside.length > 0 ? inside : [difference];
}

function isMapping(value: unknown): value is Record<string, unknown> {
  const isObject = typeof value === "object" && value !== null;
  return isObject && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function valueText(value: unknown): string {
  if (value === undefined) return "none";
  return typeof value === "string" ? value : JSON.stringify(plain(value));
}

function row(
  { action, kind, netns, name, text, differences, path }: Change,
  locate: TopologyFile["locate"],
) {
  return {
    ...{ action, kind, netns, name, text },
    ...differences === undefined ? {} : {
      differences: differences.map(({ key, before, after }) => ({
        key,
        before: plain(before) ?? null,
        after: plain(after) ?? null,
      })),
    },
    ...path === undefined ? {} : { path: formatPath(path), ...locate(path) },
  };
}

async function graph(typed: Typed): Promise<Result> {
  const live = typed.has("live");
  if (live === typed.words.length > 0) {
    throw new UsageError(`"graph" needs FILE or --live, one of them`);
  }
  if (typed.has("json")) {
    throw new UsageError(`"graph" has no JSON: it is a picture; see "export --json"`);
  }
  const draw = typed.has("mermaid") ? drawMermaid : drawSvg;
  const picture = live
    ? await drawLive(typed, draw)
    : await withFile(typed, ({ topology }) => Promise.resolve(draw(topology)));
  const output = typed.one("output");
  if (output === undefined) return { text: picture.trimEnd() };
  try {
    await Deno.writeTextFile(output, `${picture.trimEnd()}\n`);
  } catch (error) {
    throw new InputError(`Cannot write ${output}: ${(error as Error).message}`);
  }
  return {};
}

async function drawLive(
  typed: Typed,
  draw: (topology: Topology, options: DrawOptions) => string,
): Promise<string> {
  const topology = await exportTopology(where(typed));
  const states = new Map<string, LinkState>();
  const look = async (netns: string, options: NetnsOptions) => {
    for (const link of await listLinks(options)) states.set(`${netns}:${link.name}`, stateOf(link));
  };
  await look("host", where(typed));
  for (const [name, { netns = { name } }] of within(topology)) await look(name, { netns });
  return draw(topology, { states });
}

/** The namespaces inside, and those inside of them. */
function* within(
  outer: HostSpec & Pick<Topology, "namespaces">,
): Generator<[string, NamespaceSpec]> {
  for (const inner of Object.entries({ ...outer.namespaces, ...outer.containers })) {
    yield inner;
    yield* within(inner[1]);
  }
}

type LinkState = "up" | "down" | "no carrier";

function stateOf({ flags = [] }: Link): LinkState {
  if (!flags.includes("up")) return "down";
  return flags.includes("lowerUp") ? "up" : "no carrier";
}
