/**
 * `netns`: the named namespaces and all others, their numbers, and programs inside.
 *
 * @module
 */

import { InputError, NotFoundError } from "../ffi/errors.ts";
import type { HeldNetns } from "../netns/held.ts";
import { Netns } from "../netns/netns.ts";
import { Rtnl } from "../rtnl/rtnl.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { target, where } from "./host.ts";
import type { Typed } from "./options.ts";
import { UsageError } from "./errors.ts";

const NOUN = ["netns"] as const;

/** The commands about namespaces. */
export const NETNS_COMMANDS: readonly Command[] = [
  {
    words: [NOUN, LIST],
    operands: "",
    count: [0, 0],
    summary: "the named namespaces, or all with the processes inside",
    example: "netns list",
    options: { all: { help: "all that a process or a mount holds, as lsns" } },
    run: (typed) => typed.has("all") ? listHeld(typed) : listNamed(typed),
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
    words: [NOUN, ["pids"]],
    operands: "TARGET",
    count: [1, 1],
    summary: "the processes in a namespace",
    example: "netns pids blue",
    run({ words: [name] }) {
      using netns = Netns.open(target(name!));
      const pids = held(netns.id)?.pids.filter((pid) => pid !== Deno.pid) ?? [];
      return Promise.resolve({ json: pids, text: pids.join("\n") });
    },
  },
  {
    words: [NOUN, ["identify"]],
    operands: "[PID]",
    count: [0, 1],
    summary: "the names of a process's namespace",
    example: "netns identify 4242",
    run({ words: [pid] }) {
      using netns = pid === undefined ? Netns.current() : Netns.open(target(`pid:${pid}`));
      const names = held(netns.id)?.names ?? [];
      return Promise.resolve({ json: names, text: names.join("\n") });
    },
  },
  {
    words: [NOUN, ["set"]],
    operands: "TARGET NSID|auto",
    count: [2, 2],
    summary: "give a namespace a number",
    example: "netns set blue auto",
    async run(typed) {
      const [name, number] = typed.words;
      if (!/^(auto|\d+)$/.test(number!)) {
        throw new UsageError(`NSID is a whole number or auto, got ${JSON.stringify(number)}`);
      }
      using netns = Netns.open(target(name!));
      const nsid = number === "auto" ? number : Number(number);
      return { json: { id: await netns.setNsid(nsid, where(typed)) } };
    },
  },
  {
    words: [NOUN, ["list-id"]],
    operands: "",
    count: [0, 0],
    summary: "the numbers of namespaces, and their names",
    example: "netns list-id",
    run: listNumbers,
  },
  {
    words: [NOUN, ["exec"]],
    operands: "TARGET [--] COMMAND...",
    count: [2, Infinity],
    foreignFrom: 1,
    summary: "turn into a program in a namespace, as ip netns exec",
    example: "netns exec blue -- cat /proc/net/dev",
    run: execute,
  },
];

/** A name, the number it is counted under where the command acts, and what it says of both. */
async function listNamed(typed: Typed): Promise<Result> {
  const rows = [];
  for (const { name, id } of Netns.list()) {
    const nsid = id === undefined ? undefined : await numberOf(name, typed);
    rows.push({
      json: { name, ...nsid === undefined ? {} : { id: nsid }, inode: id ? Number(id) : null },
      text: `${name}${nsid === undefined ? "" : ` (id: ${nsid})`}${id ? "" : " (half-made)"}`,
    });
  }
  return { json: rows.map(({ json }) => json), text: rows.map(({ text }) => text).join("\n") };
}

/** The number of a named namespace; it may be deleted meanwhile. */
async function numberOf(name: string, typed: Typed): Promise<number | undefined> {
  try {
    using netns = Netns.open({ name });
    return await netns.nsid(where(typed));
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof InputError) return undefined;
    throw error;
  }
}

function listHeld(typed: Typed): Promise<Result> {
  if (typed.one("netns") !== undefined) {
    throw new UsageError(`"netns list --all" lists those of the host; leave --netns out`);
  }
  const all = Netns.listHeld();
  return Promise.resolve({
    json: all.map(({ id, ...rest }) => ({ inode: Number(id), ...rest })),
    text: all.map(({ id, ...rest }) =>
      [
        id,
        ...rest.names,
        ...words("pids", rest.pids),
        ...words("held by", rest.holders.filter((pid) => !rest.pids.includes(pid))),
        ...words("on", rest.mounts.filter((path) => !rest.names.some((it) => path.endsWith(it)))),
      ].join("  ")
    ).join("\n"),
  });
}

function words(what: string, entries: readonly (string | number)[]): string[] {
  return entries.length === 0 ? [] : [`${what} ${entries.join(",")}`];
}

async function listNumbers(typed: Typed): Promise<Result> {
  const names = new Map<number, string>();
  for (const { name } of Netns.list()) {
    const nsid = await numberOf(name, typed);
    if (nsid !== undefined) names.set(nsid, name);
  }
  const { netns } = where(typed);
  using pinned = netns === undefined ? undefined : Netns.open(netns);
  using rtnl = await pinned?.connect() ?? Rtnl.open();
  const numbers = await Array.fromAsync(rtnl.netnsIds.list(), ({ nsid }) => nsid!);
  const rows = numbers.sort((a, b) => a - b).map((nsid) => ({ nsid, name: names.get(nsid) }));
  return {
    json: rows,
    text: rows.map(({ nsid, name }) =>
      `nsid ${nsid}${name === undefined ? "" : ` (netns name: ${name})`}`
    ).join("\n"),
  };
}

function held(id: bigint): HeldNetns | undefined {
  return Netns.listHeld().find((netns) => netns.id === id);
}

async function execute(typed: Typed): Promise<Result> {
  if (typed.has("json")) {
    throw new UsageError(`"netns exec" has no JSON: the program's output is its own`);
  }
  const [where, command, ...args] = typed.words;
  return await Netns.exec(target(where!), command!, { args });
}
