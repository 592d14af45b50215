/**
 * What a namespace remembers of a topology: further names of its `lo`, which outlast processes and
 * crashes. Links carry their own mark (overlay/tag.ts); addresses, routes, rules and neighbours have a
 * protocol number, which says who made them, and here stands whose number it is.
 *
 * @module
 */

import { link } from "../../rtnl/link.ts";
import type { Link } from "../../rtnl/link.ts";
import type { Request } from "../../rtnl/request.ts";

/** `lo` has this number in every namespace. */
const LO = 1;
/** Numbers that no routing daemon has (linux/rtnetlink.h, RTPROT_*). */
const PROTOCOLS = { first: 100, last: 163 };
/** What a further name may have (linux/if.h, ALTIFNAMSIZ without the NUL). */
const LONGEST = 127;

/** Which topology, on which host. */
export interface Owner {
  /** The topology's name. */
  topology: string;
  /** The number of the host's namespace: each host has topologies of its own. */
  host: bigint;
}

/** What is remembered. */
export interface Memory {
  /** The number that its addresses, routes, rules and neighbours have. */
  protocol: number;
  /** Whether the topology made the namespace. */
  made: boolean;
  /** The namespace's name in the topology, where that is not the one that it was made under. */
  as: string | undefined;
  /** Whether it has an nft table there. */
  table: boolean;
  /** What settings were before, by what they are. */
  former: ReadonlyMap<string, string>;
  /** The same of other topologies: what they were before the first, and shall be after the last. */
  formerOfOthers: ReadonlyMap<string, string>;
  /** Of the host: the namespaces without a name that remember the topology too. */
  nameless: ReadonlySet<bigint>;
  /** Whether attachments came or went, and what the host does for them is not settled yet. */
  unsettled: boolean;
}

/** Reads what a namespace remembers; `undefined` when it has nothing to do with the topology. */
export function recall(
  owner: Owner,
  { altNames = [] }: Pick<Link, "altNames">,
): Memory | undefined {
  const prefix = prefixOf(owner);
  const [own, others] = [true, false].map((isOwn) =>
    altNames.filter((name) => name.startsWith(prefix) === isOwn)
  ) as [string[], string[]];
  const marks = own.map((name) => name.slice(prefix.length));
  const protocol = marks.find((mark) => mark.startsWith(PROTOCOL))?.slice(PROTOCOL.length);
  if (protocol === undefined) return undefined;
  return {
    protocol: Number(protocol),
    made: marks.includes(MADE),
    as: marks.find((mark) => mark.startsWith(AS))?.slice(AS.length),
    table: marks.includes(TABLE),
    unsettled: marks.includes(UNSETTLED),
    former: formersIn(marks),
    formerOfOthers: formersIn(others.flatMap((name) => OTHERS_MARK.exec(name)?.[1] ?? [])),
    nameless: new Set(
      marks.filter((mark) => mark.startsWith(ALSO)).map((mark) => BigInt(mark.slice(ALSO.length))),
    ),
  };
}

/** Takes a protocol number that no topology has in the namespace whose `lo` this is. */
export function freeProtocol({ altNames = [] }: Pick<Link, "altNames">): number | undefined {
  const taken = new Set(
    altNames.map((name) => Number(/^denolink\..*:protocol=(\d+)$/.exec(name)?.[1])),
  );
  for (let number = PROTOCOLS.first; number <= PROTOCOLS.last; number++) {
    if (!taken.has(number)) return number;
  }
  return undefined;
}

/** Has a namespace, whose `lo` this is, remember a topology; and what it remembers then. */
export function remember(
  owner: Owner,
  { altNames = [] }: Pick<Link, "altNames">,
  { protocol, made, as }: Pick<Memory, "protocol" | "made" | "as">,
): { request: Request<void>; memory: Memory } {
  const marks = [`${PROTOCOL}${protocol}`, ...made ? [MADE] : [], ...as ? [AS + as] : []]
    .map((mark) => prefixOf(owner) + mark).filter(fits);
  return {
    request: link.addAltNames({ index: LO, altNames: marks }),
    memory: recall(owner, { altNames: [...altNames, ...marks] })!,
  };
}

/** Has it remember another name, if it fits. */
export function renaming(
  owner: Owner,
  before: string | undefined,
  after: string | undefined,
): Request<void>[] {
  const marks = (name: string | undefined) =>
    (name === undefined ? [] : [`${prefixOf(owner)}${AS}${name}`]).filter(fits);
  const [gone, come] = [marks(before), marks(after)];
  return [
    ...gone.length === 0 ? [] : [link.deleteAltNames({ index: LO, altNames: gone })],
    ...come.length === 0 ? [] : [link.addAltNames({ index: LO, altNames: come })],
  ];
}

/** Has it forget all of it. */
export function forget(owner: Owner, { altNames = [] }: Pick<Link, "altNames">): Request<void>[] {
  const own = altNames.filter((name) => name.startsWith(prefixOf(owner)));
  return own.length === 0 ? [] : [link.deleteAltNames({ index: LO, altNames: own })];
}

/** Has it remember what a setting was; `undefined` when that is too long to be remembered. */
export function rememberFormer(
  owner: Owner,
  what: string,
  value: string,
): Request<void> | undefined {
  const mark = formerMark(owner, what, value);
  if (!fits(mark)) return undefined;
  return link.addAltNames({ index: LO, altNames: [mark] });
}

/** Has it forget what a setting was. */
export function forgetFormer(owner: Owner, what: string, value: string): Request<void> {
  return link.deleteAltNames({ index: LO, altNames: [formerMark(owner, what, value)] });
}

/** What a namespace remembers by a mark that is there or not. */
export type Mark = "table" | "unsettled";

/** Has it remember that the topology has an nft table there, or that attachments come and go. */
export function rememberMark(owner: Owner, mark: Mark): Request<void> {
  return link.addAltNames({ index: LO, altNames: [prefixOf(owner) + mark] });
}

/** Has it forget that. */
export function forgetMark(owner: Owner, mark: Mark): Request<void> {
  return link.deleteAltNames({ index: LO, altNames: [prefixOf(owner) + mark] });
}

/** Has the host remember a namespace without a name, which could not be found otherwise. */
export function rememberNameless(owner: Owner, netns: bigint): Request<void> {
  return link.addAltNames({ index: LO, altNames: [`${prefixOf(owner)}${ALSO}${netns}`] });
}

/** Has the host forget it. */
export function forgetNameless(owner: Owner, netns: bigint): Request<void> {
  return link.deleteAltNames({ index: LO, altNames: [`${prefixOf(owner)}${ALSO}${netns}`] });
}

/** What the file of a namespace's name says while no namespace is mounted on it. */
export function markOfNames(owner: Owner): string {
  return `${prefixOf(owner)}${MADE}`;
}

/** What settings topologies have changed in a namespace. */
export function formersOf({ altNames = [] }: Pick<Link, "altNames">): string[] {
  return altNames.flatMap((name) => /^denolink\.[a-z0-9-]+@\d+:was:([^=]+)=/.exec(name)?.[1] ?? []);
}

/** The topologies that have an nft table in a namespace. */
export function tablesOf({ altNames = [] }: Pick<Link, "altNames">): string[] {
  return altNames.flatMap((name) => /^denolink\.([a-z0-9-]+)@\d+:table$/.exec(name)?.[1] ?? []);
}

const PROTOCOL = "protocol=";
const MADE = "made";
const AS = "as=";
const TABLE: Mark = "table";
const UNSETTLED: Mark = "unsettled";
const WAS = "was:";
const ALSO = "also=";

function fits(mark: string): boolean {
  return new TextEncoder().encode(mark).length <= LONGEST;
}

/** A mark of any topology's, of any host. */
const OTHERS_MARK = /^denolink\.[a-z0-9-]+@\d+:(.*)$/s;

function formersIn(marks: readonly string[]): Map<string, string> {
  return new Map(
    marks.filter((mark) => mark.startsWith(WAS)).map((mark) => {
      const [what = "", ...value] = mark.slice(WAS.length).split("=");
      return [what, value.join("=")];
    }),
  );
}

function prefixOf({ topology, host }: Owner): string {
  return `denolink.${topology}@${host}:`;
}

function formerMark(owner: Owner, what: string, value: string): string {
  return `${prefixOf(owner)}${WAS}${what}=${value}`;
}
