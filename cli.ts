/**
 * The denolink command: arguments in, library calls, text or JSON out.
 *
 * ```sh
 * deno run -A cli.ts link list --json
 * ```
 *
 * Exit status: 0, 1 for a refusal, 2 for bad usage or a bad file, that of the program for `netns exec`.
 *
 * @module
 */

import {
  check,
  type Command,
  helpOf,
  helpOfAll,
  nameOf,
  optionsOf,
  type Result,
} from "./cli/command.ts";
import { beginningWith, find, load } from "./cli/commands.ts";
import { FileError, UsageError } from "./cli/errors.ts";
import { COMMON, firstWord, type Options, refuse, takeApart } from "./cli/options.ts";
import config from "./deno.json" with { type: "json" };
import { InputError, NetlinkError, UnsupportedError } from "./ffi/errors.ts";
import { PoolExhaustedError } from "./overlay/pool.ts";

/** Where a command writes. */
export interface Output {
  /** Its standard output. */
  out(text: string): void;
  /** Its standard error. */
  err(text: string): void;
}

/** Runs the command that the arguments name, and returns its exit status. */
export async function main(argv: readonly string[], output: Output = STANDARD): Promise<number> {
  let command: Command | undefined;
  try {
    const commands = await load(await firstWord(argv));
    const all = await takeApart(
      argv,
      optionsOfAll(commands),
      (words) => isForeign(commands, words),
    );
    if (all.has("version")) return print(config.version, output);
    const words = all.words[0] === "help" ? all.words.slice(1) : all.words;
    const wantsHelp = all.has("help") || words !== all.words;
    if (wantsHelp && !isWhole(commands, words)) {
      return print(helpOfAll(beginningWith(commands, words)), output);
    }
    const found = find(commands, words);
    command = found.command;
    const typed = { ...all, words: words.slice(found.taken) };
    if (wantsHelp) return print(helpOf(command, typed.words), output);
    const known = Object.keys(optionsOf(command));
    for (const option of all.given.keys()) {
      if (!known.includes(option)) refuse(`--${option}`, known);
    }
    check(command, typed);
    const result = await command.run(typed);
    show(result, typed.has("json"), output);
    for await (const event of result.events ?? []) show(event, typed.has("json"), output);
    return result.status ?? 0;
  } catch (error) {
    return explain(error, command, output);
  }
}

/** The options of several commands: which of them take a value is the same everywhere. */
function optionsOfAll(commands: readonly Command[]): Options {
  return {
    ...Object.assign({}, ...commands.map(({ options }) => options)),
    ...COMMON,
    version: { help: "print the version" },
  };
}

/** Whether the words so far end where another program's begin. */
function isForeign(commands: readonly Command[], words: readonly string[]): boolean {
  if (words.length < 2) return false;
  const last = beginningWith(commands, words.slice(0, 2));
  const from = last.length === 1 ? last[0]!.foreignFrom : undefined;
  return from !== undefined && words.length >= 2 + from;
}

/** Whether the words name one command, and not a noun that has several. */
function isWhole(commands: readonly Command[], words: readonly string[]): boolean {
  if (words.length === 0) return false;
  const { command, taken } = find(commands, words);
  return taken === command.words.length;
}

/** Says on standard error what was refused, in one line; what is no refusal is a bug, and shows where. */
function explain(error: unknown, command: Command | undefined, output: Output): number {
  if (error instanceof UsageError) {
    const help = command === undefined ? "--help" : `${nameOf(command)} --help`;
    output.err(`denolink: ${oneLine(error.message)}; see denolink ${help}\n`);
    return 2;
  }
  if (error instanceof FileError) {
    output.err(error.lines.map((line) => `${oneLine(line)}\n`).join(""));
    return error.status;
  }
  const expected = [
    InputError,
    NetlinkError,
    UnsupportedError,
    PoolExhaustedError,
    OutputError,
  ]
    .some((kind) => error instanceof kind);
  if (!expected) throw error;
  output.err(`denolink: ${oneLine((error as Error).message)}\n`);
  return 1;
}

/** A message may quote what was typed, line feeds and all. */
function oneLine(message: string): string {
  return message.replace(/\p{Cc}+/gu, (controls) => JSON.stringify(controls).slice(1, -1));
}

/** Prints the JSON or the text, whichever was asked for, where there is any. */
function show({ json, text = "" }: Result, asJson: boolean, output: Output): void {
  const shown = asJson ? JSON.stringify(json) ?? "" : text;
  if (shown !== "") print(shown, output);
}

function print(text: string, output: Output): number {
  output.out(`${text}\n`);
  return 0;
}

/** Standard output took less than all. */
class OutputError extends Error {
  /** The class's name. */
  override name = "OutputError";
}

const STANDARD: Output = {
  out(text) {
    try {
      writeAll(Deno.stdout, text);
    } catch (error) {
      // The reader has seen enough, as in `denolink link list | head -1`.
      if (error instanceof Deno.errors.BrokenPipe) return;
      const reason = (error as Error).message.replace(/ \(os error \d+\)$/, "");
      throw new OutputError(`Cannot write to standard output: ${reason}`);
    }
  },
  err(text) {
    writeAll(Deno.stderr, text);
  },
};

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
