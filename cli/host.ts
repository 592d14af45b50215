/**
 * The namespace that a command acts in.
 *
 * @module
 */

import type { Descriptor } from "../ffi/descriptor.ts";
import { InputError } from "../ffi/errors.ts";
import { openTarget, type Said } from "../netns/target.ts";
import { Connection } from "../rtnl/connection.ts";
import { type Link, link } from "../rtnl/link.ts";
import { hint, UsageError } from "./errors.ts";
import type { Option, Typed } from "./options.ts";

/** What a command sees of it while it runs. */
export interface Host {
  /** Sends requests; to load `Rtnl`, with all objects, takes a tenth of the time that a list of links does. */
  readonly rtnl: Pick<Connection, "request" | "batch">;
  readonly names: Names;
  /** Whether --details was given. */
  readonly details: boolean;
  /** Whether --statistics was given. */
  readonly statistics: boolean;
  /** The family of -4, -6 and --family. */
  readonly family: "inet" | "inet6" | undefined;
  /** Pins another namespace until the command ends. */
  open(target: Said): Descriptor;
}

/** Options of the commands that look. */
export const LOOKING = {
  details: { short: "d", help: "print more, as ip -d" },
} as const satisfies Record<string, Option>;

/** Options of the commands that list links. */
export const COUNTING = {
  statistics: { short: "s", help: "print counters, as ip -s" },
} as const satisfies Record<string, Option>;

/** Options of the commands that tell families apart. */
export const FAMILY = {
  family: { value: "FAMILY", short: "f", help: "inet or inet6" },
  inet: { short: "4", help: "the same as --family inet" },
  inet6: { short: "6", help: "the same as --family inet6" },
} as const satisfies Record<string, Option>;

/** A TARGET as the library takes it. */
export function target(text: string): Said {
  if (text.startsWith("pid:")) return { pid: wholeNumber(text.slice(4), "a TARGET's process id") };
  return text.startsWith("/") ? { path: text } : { name: text };
}

/** The namespace that --netns names, as the library's functions take it. */
export function where(typed: Typed): { netns?: Said } {
  const netns = typed.one("netns");
  return netns === undefined ? {} : { netns: target(netns) };
}

/** The number that an option gives. */
export function numberOf(typed: Typed, option: string): number | undefined {
  const text = typed.one(option);
  return text === undefined ? undefined : wholeNumber(text, `--${option}`);
}

function wholeNumber(text: string, what: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`${what} is a whole number, got ${JSON.stringify(text)}`);
}

function familyOf(typed: Typed): "inet" | "inet6" | undefined {
  if (typed.has("inet")) return "inet";
  if (typed.has("inet6")) return "inet6";
  const family = typed.one("family");
  if (family === undefined || family === "inet" || family === "inet6") return family;
  throw new UsageError(`--family is inet or inet6, got ${JSON.stringify(family)}`);
}

/** Connects to the namespace that --netns names, for as long as `fn` takes. */
export async function onHost<T>(typed: Typed, fn: (host: Host) => Promise<T>): Promise<T> {
  using host = await openHost(typed);
  return await fn(host);
}

/** What a command that does more than send requests sees of it. */
export interface OpenHost extends Host, Disposable {
  readonly rtnl: Connection;
}

/** Connects to the namespace that --netns names, until it is disposed. */
export async function openHost(typed: Typed): Promise<OpenHost> {
  using opening = new DisposableStack();
  const opened = opening.use(new DisposableStack());
  const open = (target: Said) => opened.use(openTarget(target));
  const { netns } = where(typed);
  const rtnl = opened.use(netns === undefined ? Connection.open() : await connectTo(open(netns)));
  const statistics = typed.has("statistics");
  // Without a mask the kernel sends the counters too.
  const links = await rtnl.request(link.list(statistics ? { extendedMask: 0 } : {}));
  const names = new Names(links);
  opening.move();
  return {
    ...{ rtnl, names, open, statistics, details: typed.has("details"), family: familyOf(typed) },
    [Symbol.dispose]: () => opened.dispose(),
  };
}

/** What leads to other namespaces is loaded when one is named. */
async function connectTo({ fd }: Descriptor): Promise<Connection> {
  const { connectIn } = await import("../netns/socket.ts");
  return await connectIn(fd);
}

/** The links by their numbers and names. */
export class Names {
  /** All links. */
  readonly links: readonly Link[];
  readonly #byIndex: ReadonlyMap<number, Link>;
  readonly #byName: ReadonlyMap<string, Link>;

  constructor(links: readonly Link[]) {
    this.links = links;
    this.#byIndex = new Map(links.map((link) => [link.index!, link]));
    this.#byName = new Map(
      links.flatMap((link) => [link.name!, ...link.altNames ?? []].map((name) => [name, link])),
    );
  }

  /** The link with this number. */
  get(index: number): Link | undefined {
    return this.#byIndex.get(index);
  }

  /** The name of the link with this number, as `ip` makes one up for those it can't see. */
  name(index: number): string {
    return index === 0 ? "*" : this.get(index)?.name ?? `if${index}`;
  }

  /** The link of this name, or of this further name. */
  link(name: string): Link {
    const link = this.#byName.get(name);
    if (link !== undefined) return link;
    throw new InputError(
      `Cannot find link ${name}: there is none${hint(name, [...this.#byName.keys()])}`,
    );
  }

  /** The number of the link of this name. */
  index(name: string): number {
    return this.link(name).index!;
  }
}
