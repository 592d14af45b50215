/**
 * The denolink command: arguments in, library calls, text or JSON out.
 *
 * ```sh
 * deno run -A cli.ts link list --json
 * ```
 *
 * Exit status: 0, 1 for a refusal, 2 for bad usage, that of the program for `netns exec`.
 *
 * @module
 */

import { InputError, NetlinkError, RemoteError, UnsupportedError } from "./mod.ts";
import { COMMANDS } from "./cli/commands.ts";
import {
  checkCounts,
  type Command,
  helpOf,
  helpOfAll,
  nearest,
  parse,
  UsageError,
} from "./cli/usage.ts";
import config from "./deno.json" with { type: "json" };

/** Runs the command that the arguments name, and returns its exit status. */
export async function main(argv: string[]): Promise<number> {
  let command: Command | undefined;
  try {
    const leading = leadingOptions(argv);
    const words = argv.slice(leading.length);
    if (leading.includes("--version")) return print(config.version);
    if (words.length === 0 || words[0] === "help" && words.length === 1) {
      return leading.some(isHelp) || words.length > 0 ? print(helpOfAll(COMMANDS)) : refuse(
        new UsageError("Which command?"),
      );
    }
    if (words[0] === "help") return print(helpOf(find(words.slice(1)).command));
    const found = find(words);
    command = found.command;
    const typed = parse(command, [...leading, ...found.rest]);
    if (typed.has("help")) return print(helpOf(command));
    checkCounts(command, typed);
    const { json, text, status = 0 } = await command.run(typed);
    if (typed.has("json") && status === 0) print(JSON.stringify(json));
    else if (text !== "") print(text);
    return status;
  } catch (error) {
    return refuse(error, command);
  }
}

/** Options before the command's words, each with its value. */
function leadingOptions(argv: string[]): string[] {
  let end = 0;
  while (argv[end]?.startsWith("-")) end += argv[end] === "--netns" ? 2 : 1;
  return argv.slice(0, end);
}

function isHelp(option: string): boolean {
  return option === "--help" || option === "-h";
}

/** The command that the first words name; a noun alone lists, as with `ip`. */
function find(words: string[]): { command: Command; rest: string[] } {
  for (const command of COMMANDS) {
    if (command.words.every((names, i) => names.includes(words[i] ?? ""))) {
      return { command, rest: words.slice(command.words.length) };
    }
  }
  const [noun, verb] = words;
  const ofNoun = COMMANDS.filter(({ words: [names] }) => names?.includes(noun ?? ""));
  if (ofNoun.length > 0 && (verb === undefined || verb.startsWith("-"))) {
    return { command: ofNoun[0]!, rest: words.slice(1) };
  }
  throw unknownCommand(noun ?? "", verb, ofNoun);
}

function unknownCommand(noun: string, verb: string | undefined, ofNoun: Command[]): UsageError {
  const typed = ofNoun.length > 0 ? verb ?? "" : noun;
  const at = ofNoun.length > 0 ? 1 : 0;
  const candidates = (ofNoun.length > 0 ? ofNoun : COMMANDS).map(({ words }) =>
    words[at]?.[0] ?? ""
  );
  const near = nearest(typed, candidates);
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  return new UsageError(
    `There is no command "${ofNoun.length > 0 ? `${noun} ${typed}` : typed}"${hint}`,
  );
}

/** Says on standard error what was refused; what is no refusal is a bug, and shows where. */
function refuse(error: unknown, command?: Command): number {
  if (error instanceof UsageError) {
    const help = command === undefined
      ? "--help"
      : `${command.words.map(([word]) => word).join(" ")} --help`;
    console.error(`denolink: ${error.message}; see denolink ${help}`);
    return 2;
  }
  const expected = [InputError, NetlinkError, RemoteError, UnsupportedError]
    .some((kind) => error instanceof kind);
  if (!expected) throw error;
  console.error(`denolink: ${(error as Error).message}`);
  return 1;
}

function print(text: string): number {
  const bytes = new TextEncoder().encode(`${text}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    // The reader has seen enough, as in `denolink link list | head -1`.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
