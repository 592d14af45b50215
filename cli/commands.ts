/**
 * The commands: one entry each.
 *
 * @module
 */

import {
  type Address,
  attach,
  type Attachment,
  detach,
  InputError,
  type Link,
  listAttachments,
  Netns,
  type NetnsOptions,
  type NetnsTarget,
  readSysctl,
  Rtnl,
  runInNetns,
  setSysctl,
} from "../mod.ts";
import {
  addressRow,
  addressText,
  linkRow,
  linkText,
  type Names,
  routeRow,
  routeText,
  type Row,
} from "./ip_output.ts";
import { type Command, type Result, type Typed, UsageError } from "./usage.ts";

const LIST = ["list", "ls", "show", "lst", "sh"] as const;
const INTERFACE = { value: "NAME", help: "the link's name in the container (eth0)" };

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  {
    words: [["attach"]],
    operands: "TARGET",
    count: [1, 1],
    summary: "give a container a link, addresses and default routes",
    example: "attach blue --bridge br0 --address 10.0.0.2/24 --gateway 10.0.0.1",
    options: {
      address: { value: "CIDR", many: true, required: true, help: "an address with its prefix" },
      bridge: { value: "NAME", help: "the bridge to join; without one the host routes" },
      gateway: { value: "IP", many: true, help: "a default route; one for each family" },
      interface: INTERFACE,
      mtu: { value: "BYTES", help: "the largest packet (the bridge's, or 1500)" },
      id: { value: "ID", help: "a name to find it by" },
    },
    async run(typed) {
      const attachment = await attach({
        netns: target(typed.words[0]!),
        addresses: typed.all("address"),
        gateways: typed.all("gateway"),
        bridge: typed.one("bridge"),
        interface: typed.one("interface"),
        mtu: number(typed, "mtu"),
        id: typed.one("id"),
      }, where(typed));
      return { json: attachmentRow(attachment), text: attachmentText(attachment) };
    },
  },
  {
    words: [["detach"]],
    operands: "TARGET|--id ID",
    count: [0, 1],
    summary: "take that away again",
    example: "detach blue",
    options: {
      id: { value: "ID", help: "all that was attached with this id" },
      interface: INTERFACE,
    },
    async run(typed) {
      const [name] = typed.words;
      const id = typed.one("id");
      if ((name === undefined) === (id === undefined)) {
        throw new UsageError(`"detach" needs a TARGET or --id ID, one of them`);
      }
      if (id !== undefined && typed.one("interface") !== undefined) {
        throw new UsageError(`"detach --id" takes all interfaces; leave --interface out`);
      }
      const detached = await detach(
        id === undefined ? { netns: target(name!), interface: typed.one("interface") } : { id },
        where(typed),
      );
      return { json: { detached }, text: detached ? "detached" : "nothing was attached" };
    },
  },
  {
    words: [LIST],
    operands: "",
    count: [0, 0],
    summary: "what is attached",
    example: "list --json",
    options: {},
    async run(typed) {
      const attachments = await listAttachments(where(typed));
      return { json: attachments.map(attachmentRow), text: lines(attachments.map(attachmentText)) };
    },
  },
  {
    words: [["netns", "netn"], LIST],
    operands: "",
    count: [0, 0],
    summary: "the named namespaces",
    example: "netns list",
    options: {},
    run() {
      const named = Netns.list();
      return Promise.resolve({
        json: named.map(({ name, id }) => ({ name, inode: id === undefined ? null : Number(id) })),
        text: lines(named.map(({ name, id }) => id === undefined ? `${name} (half-made)` : name)),
      });
    },
  },
  {
    words: [["netns", "netn"], ["add", "a"]],
    operands: "NAME",
    count: [1, 1],
    summary: "create a named namespace",
    example: "netns add blue",
    options: {},
    async run({ words: [name] }) {
      using netns = await Netns.create(name!);
      return { json: { name, inode: Number(netns.id) }, text: "" };
    },
  },
  {
    words: [["netns", "netn"], ["delete", "del", "d"]],
    operands: "NAME",
    count: [1, 1],
    summary: "delete a named namespace",
    example: "netns delete blue",
    options: {},
    run({ words: [name] }) {
      const deleted = Netns.remove(name!);
      return Promise.resolve({ json: { deleted }, text: deleted ? "" : `there is no ${name}` });
    },
  },
  {
    words: [["netns", "netn"], ["exec", "e"]],
    operands: "TARGET [--] COMMAND...",
    count: [2, Infinity],
    summary: "run a program in a namespace",
    example: "netns exec blue -- cat /proc/net/dev",
    options: {},
    stopEarly: true,
    run: execute,
  },
  {
    words: [["link", "l"], LIST],
    operands: "[NAME]",
    count: [0, 1],
    summary: "the links",
    example: "link list --netns blue",
    options: {},
    run: (typed) =>
      look(typed, async (rtnl) => {
        const { links, names } = await linksOf(rtnl);
        const rows = chosen(links, typed).map((link) => linkRow(link, names));
        return { json: rows, text: lines(rows.map(linkText)) };
      }),
  },
  {
    words: [["address", "addr", "a"], LIST],
    operands: "[NAME]",
    count: [0, 1],
    summary: "the links with their addresses",
    example: "address list eth0 --netns blue --json",
    options: {},
    run: (typed) =>
      look(typed, async (rtnl) => {
        const { links, names } = await linksOf(rtnl);
        const addresses = await Array.fromAsync(rtnl.addresses.list());
        const of = (link: Link): Address[] => addresses.filter(({ index }) => index === link.index);
        const rows = chosen(links, typed).map((link) => addressRow(link, of(link), names));
        return { json: rows, text: lines(rows.map(addressText)) };
      }),
  },
  {
    words: [["route", "r"], LIST],
    operands: "",
    count: [0, 0],
    summary: "the routes",
    example: "route list --family inet6",
    options: {
      family: { value: "FAMILY", help: "inet or inet6 (inet)" },
      table: { value: "TABLE", help: "main, local, default, all or a number (main)" },
    },
    run: (typed) =>
      look(typed, async (rtnl) => {
        const { names } = await linksOf(rtnl);
        const routes = await Array.fromAsync(
          rtnl.routes.list({ family: familyOf(typed), table: tableOf(typed) }),
        );
        const rows = routes.filter(({ flags }) => !flags?.includes("cloned"))
          .map((route) => routeRow(route, names));
        return { json: rows, text: lines(rows.map(routeText)) };
      }),
  },
  {
    words: [["sysctl"]],
    operands: "KEY[=VALUE]...",
    count: [1, Infinity],
    summary: "read and write kernel settings",
    example: "sysctl --netns blue net.ipv4.ip_forward=1",
    options: {},
    async run(typed) {
      const values: Record<string, string> = {};
      for (const word of typed.words) {
        const at = word.indexOf("=");
        const key = at < 0 ? word : word.slice(0, at).trim();
        if (at >= 0) await setSysctl(key, word.slice(at + 1).trim(), where(typed));
        values[key] = await readSysctl(key, where(typed));
      }
      const shown = Object.entries(values).map(([key, value]) => `${key} = ${value}`);
      return { json: values, text: lines(shown) };
    },
  },
];

/** A TARGET as the library takes it. */
export function target(text: string): NetnsTarget {
  if (text.startsWith("pid:")) return { pid: wholeNumber(text.slice(4), "a TARGET's process id") };
  return text.startsWith("/") ? { path: text } : { name: text };
}

function where(typed: Typed): NetnsOptions {
  const netns = typed.one("netns");
  return netns === undefined ? {} : { netns: target(netns) };
}

function number(typed: Typed, option: string): number | undefined {
  const text = typed.one(option);
  return text === undefined ? undefined : wholeNumber(text, `--${option}`);
}

function wholeNumber(text: string, what: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`${what} is a whole number, got ${JSON.stringify(text)}`);
}

function familyOf(typed: Typed): "inet" | "inet6" {
  const family = typed.one("family") ?? "inet";
  if (family === "inet" || family === "inet6") return family;
  throw new UsageError(`--family is inet or inet6, got ${JSON.stringify(family)}`);
}

function tableOf(typed: Typed): "main" | "local" | "default" | number | undefined {
  const table = typed.one("table") ?? "main";
  if (table === "all") return undefined;
  if (table === "main" || table === "local" || table === "default") return table;
  return wholeNumber(table, "--table");
}

/** A connection to the namespace that was named, for as long as `fn` takes. */
async function look(typed: Typed, fn: (rtnl: Rtnl) => Promise<Result>): Promise<Result> {
  const { netns } = where(typed);
  if (netns === undefined) {
    using rtnl = Rtnl.open();
    return await fn(rtnl);
  }
  using pinned = Netns.open(netns);
  using rtnl = await pinned.connect();
  return await fn(rtnl);
}

async function linksOf(rtnl: Rtnl): Promise<{ links: Link[]; names: Names }> {
  const links = await Array.fromAsync(rtnl.links.list());
  return { links, names: new Map(links.map(({ index, name }) => [index!, name!])) };
}

function chosen(links: Link[], { words: [name] }: Typed): Link[] {
  if (name === undefined) return links;
  const found = links.filter((link) => link.name === name || link.altNames?.includes(name));
  if (found.length === 0) throw new InputError(`Cannot list link ${name}: there is none`);
  return found;
}

function attachmentRow(attachment: Attachment): Row {
  const {
    id = null,
    netns,
    interface: name,
    hostInterface,
    bridge = null,
    addresses,
    gateways,
    mtu,
  } = attachment;
  return {
    id,
    netns: Number(netns),
    interface: name,
    hostInterface,
    bridge,
    addresses,
    gateways,
    mtu,
  };
}

function attachmentText(attachment: Attachment): string {
  const { id, netns, interface: name, hostInterface, bridge, addresses, gateways, mtu } =
    attachment;
  return [
    id ?? `netns ${netns}`,
    name,
    addresses.join(" "),
    ...(gateways.length > 0 ? [`via ${gateways.join(" ")}`] : []),
    bridge === undefined ? `routed by ${hostInterface}` : `on ${bridge} by ${hostInterface}`,
    `mtu ${mtu}`,
  ].join("  ");
}

function lines(rows: string[]): string {
  return rows.join("\n");
}

/** Starts the program from a thread that lives in the namespace, so that it is born there. */
const START = `export default async (command, args) => {
  const child = new Deno.Command(command, {
    args, stdin: "inherit", stdout: "inherit", stderr: "inherit",
  }).spawn();
  const pass = (signal) => {
    try { child.kill(signal); } catch { /* it has ended */ }
  };
  for (const signal of ["SIGTERM", "SIGHUP"]) Deno.addSignalListener(signal, () => pass(signal));
  // The terminal sends this one to the program as well.
  Deno.addSignalListener("SIGINT", () => {});
  const { code } = await child.status;
  return code;
}`;

async function execute({ words: [where, command, ...args] }: Typed): Promise<Result> {
  const module = `data:text/javascript,${encodeURIComponent(START)}`;
  try {
    const status = await runInNetns<number>(target(where!), module, { args: [command, args] });
    return { json: { status }, text: "", status };
  } catch (error) {
    if ((error as Error).name !== "NotFound" || (error as { errno?: number }).errno) throw error;
    throw new InputError(`Cannot run ${command}: there is no such program`);
  }
}
