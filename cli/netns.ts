/**
 * `netns`: the named namespaces, and programs inside.
 *
 * @module
 */

import { InputError, Netns, runInNetns } from "../mod.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { target } from "./host.ts";
import type { Typed } from "./options.ts";
import { UsageError } from "./errors.ts";

const NOUN = ["netns"] as const;

/** The commands about namespaces. */
export const NETNS_COMMANDS: readonly Command[] = [
  {
    words: [NOUN, LIST],
    operands: "",
    count: [0, 0],
    summary: "the named namespaces",
    example: "netns list",
    run() {
      const named = Netns.list();
      return Promise.resolve({
        json: named.map(({ name, id }) => ({ name, inode: id === undefined ? null : Number(id) })),
        text: named.map(({ name, id }) => id === undefined ? `${name} (half-made)` : name)
          .join("\n"),
      });
    },
  },
  {
    words: [NOUN, ["add"]],
    operands: "NAME",
    count: [1, 1],
    summary: "create a named namespace",
    example: "netns add blue",
    async run({ words: [name] }) {
      using netns = await Netns.create(name!);
      return { json: { name, inode: Number(netns.id) } };
    },
  },
  {
    words: [NOUN, ["delete"]],
    operands: "NAME",
    count: [1, 1],
    summary: "delete a named namespace",
    example: "netns delete blue",
    run({ words: [name] }) {
      const deleted = Netns.remove(name!);
      return Promise.resolve({ json: { deleted }, text: deleted ? "" : `there is no ${name}` });
    },
  },
  {
    words: [NOUN, ["exec"]],
    operands: "TARGET [--] COMMAND...",
    count: [2, Infinity],
    foreignFrom: 1,
    summary: "run a program in a namespace; its exit status is denolink's",
    example: "netns exec blue -- cat /proc/net/dev",
    run: execute,
  },
];

/**
 * Starts the program from a thread that lives in the namespace, so that it is born there.
 *
 * It listens for signals first: the program may be heard of, and be sent one, as soon as it runs. SIGINT
 * is passed on only where no terminal does: a terminal sends it to both.
 */
const START = `export default async (command, args, terminal) => {
  let child;
  const early = [];
  const pass = (signal) => {
    if (child === undefined) return early.push(signal);
    try { child.kill(signal); } catch { /* it has ended */ }
  };
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"]) {
    Deno.addSignalListener(signal, () => signal === "SIGINT" && terminal || pass(signal));
  }
  child = new Deno.Command(command, {
    args, stdin: "inherit", stdout: "inherit", stderr: "inherit",
  }).spawn();
  early.forEach(pass);
  const { code } = await child.status;
  return code;
}`;

async function execute(typed: Typed): Promise<Result> {
  if (typed.has("json")) {
    throw new UsageError(`"netns exec" has no JSON: the program's output is its own`);
  }
  const [where, command, ...args] = typed.words;
  const module = `data:text/javascript,${encodeURIComponent(START)}`;
  try {
    const status = await runInNetns<number>(target(where!), module, {
      args: [command, args, hasTerminal()],
    });
    return { status };
  } catch (error) {
    if ((error as Error).name !== "NotFound" || (error as { errno?: number }).errno) throw error;
    throw new InputError(`Cannot run ${command}: there is no such program`);
  }
}

/** Whether a terminal's Ctrl-C reaches this process and the program alike. */
function hasTerminal(): boolean {
  return [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
}
