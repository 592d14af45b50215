/**
 * Whole tables as plain objects, and the requests that make them so.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import { ValueError } from "../codec/shape.ts";
import { show } from "../codec/scalars.ts";
import type { Request } from "../request.ts";
import { nftChain } from "./chain.ts";
import {
  compare,
  concatenated,
  type DataType,
  dataType,
  type Interval,
  isSingle,
  type NftDataType,
  parseInterval,
  successor,
} from "./datatypes.ts";
import { type NftElement, nftElement } from "./element.ts";
import type { NftData } from "./expressions.ts";
import { nftRule } from "./rule.ts";
import { OWN_SET_NAME, type OwnSet, ruleExpressions } from "./rule_expressions.ts";
import { type NftSet, nftSet } from "./set.ts";
import type { NftStatement } from "./statements.ts";
import { nftTable } from "./table.ts";

/** Where something is: in a table of this family and name. */
export interface NftTableName {
  /** "ip" sees IPv4, "ip6" IPv6, "inet" both. */
  readonly family: "inet" | "ip" | "ip6";
  /** The table's name. */
  readonly name: string;
}

/** A whole table. */
export interface NftTableSpec extends NftTableName {
  /** What `nft list ruleset` shows beside it, 127 bytes at most. */
  readonly comment?: string | undefined;
  /** Its chains. */
  readonly chains?: readonly NftChainSpec[] | undefined;
  /** Its sets and maps. */
  readonly sets?: readonly NftSetSpec[] | undefined;
}

/** A chain with its rules. */
export interface NftChainSpec {
  /** Its name. */
  readonly name: string;
  /**
   * Where packets come from; without it they come only from rules that jump here.
   * @default {undefined}
   */
  readonly hook?: "prerouting" | "input" | "forward" | "output" | "postrouting" | undefined;
  /**
   * What it may do: "nat" translates the first packet of a connection, "route" looks the route up anew.
   * @default {"filter"}
   */
  readonly type?: "filter" | "nat" | "route" | undefined;
  /**
   * Chains of a hook are gone through in ascending order: "dstnat" is -100, "filter" 0, "srcnat" 100.
   * @default {"filter"; of the type "nat" "dstnat" or "srcnat", as the hook is}
   */
  readonly priority?: number | NftPriority | undefined;
  /**
   * What becomes of a packet that no rule decides on.
   * @default {"accept"}
   */
  readonly policy?: "accept" | "drop" | undefined;
  /** What `nft list ruleset` shows beside it. */
  readonly comment?: string | undefined;
  /** Its rules, in their order. */
  readonly rules?: readonly NftRuleSpec[] | undefined;
}

/** A rule. */
export interface NftRuleSpec {
  /** What it says, from left to right; what a builder gives as a list may stand there as one. */
  readonly expressions: readonly (NftStatement | readonly NftStatement[])[];
  /** What `nft list ruleset` shows behind it. */
  readonly comment?: string | undefined;
}

/** What a set has keys of: of a type, or of several together. */
export type NftKeyType = NftDataType | readonly NftDataType[];

/** A set, or a map where it has `data`. */
export interface NftSetSpec {
  /** Its name. */
  readonly name: string;
  /** Of what type its keys are; several are put together, as in `type ipv4_addr . inet_service`. */
  readonly type: NftKeyType;
  /** Of what type the values of a map are. */
  readonly data?: NftKeyType | "verdict" | undefined;
  /**
   * "interval" for prefixes and ranges, "timeout" for elements that go, "constant", "dynamic" for rules
   * that add elements.
   * @default {[]}
   */
  readonly flags?: readonly ("interval" | "timeout" | "constant" | "dynamic")[] | undefined;
  /**
   * Milliseconds after which an element goes that says nothing else.
   * @default {undefined}
   */
  readonly timeout?: number | undefined;
  /**
   * How many elements it may have.
   * @default {undefined}
   */
  readonly size?: number | undefined;
  /** What `nft list ruleset` shows beside it. */
  readonly comment?: string | undefined;
  /** What it has. */
  readonly elements?: readonly NftElementSpec[] | undefined;
}

/** A key, a prefix or a range; of keys that are put together one of each. */
export type NftKey = string | number | readonly (string | number)[];

/** An element of a set or map. */
export type NftElementSpec = NftKey | {
  /** Its key. */
  readonly key: NftKey;
  /** What a map has for it: a value of its type, or a verdict. */
  readonly value?: NftKey | NftData["verdict"];
  /** Milliseconds after which it goes. */
  readonly timeout?: number | undefined;
  /** What `nft list ruleset` shows beside it. */
  readonly comment?: string | undefined;
};

/** nft's name for a priority. */
export type NftPriority = "raw" | "mangle" | "dstnat" | "filter" | "security" | "srcnat";

/** Those of the families "inet", "ip" and "ip6" (enum nf_ip_hook_priorities of linux/netfilter_ipv4.h). */
const PRIORITIES: Readonly<Record<NftPriority, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};

/**
 * The requests that make exactly this table, whatever was there before: for one transaction. Counters
 * begin anew; what connection tracking has of connections stays. Other tables are not touched.
 *
 * {@linkcode InputError} for what can't be meant, such as a port without a protocol.
 *
 * @example Containers reach the outside, and one of them is reached
 * ```ts
 * import { nftMatch, Nft, replaceNftTable, nftVerdict } from "@denolink/denolink";
 *
 * using nft = Nft.open();
 * const published = [
 *   nftMatch.destinationIsLocal(),
 *   nftMatch.protocol("tcp"),
 *   nftMatch.destinationPort(8080),
 *   nftVerdict.dnat({ address: "10.0.0.2", port: 80 }),
 * ];
 * await nft.transaction(replaceNftTable({
 *   family: "ip",
 *   name: "containers",
 *   comment: "made by my program",
 *   chains: [
 *     {
 *       name: "prerouting",
 *       type: "nat",
 *       hook: "prerouting",
 *       rules: [{ expressions: published, comment: "web" }],
 *     },
 *     {
 *       name: "output", // from the host itself
 *       type: "nat",
 *       hook: "output",
 *       rules: [{ expressions: published, comment: "web" }],
 *     },
 *     {
 *       name: "postrouting",
 *       type: "nat",
 *       hook: "postrouting",
 *       rules: [{
 *         expressions: [
 *           nftMatch.sourceAddress("10.0.0.0/24"),
 *           nftMatch.outputInterface("br0", { not: true }),
 *           nftVerdict.masquerade(),
 *         ],
 *       }],
 *     },
 *   ],
 * }));
 * ```
 */
export function replaceNftTable(table: NftTableSpec): Request<void>[] {
  const { family, name, comment, chains = [], sets = [] } = table;
  const userdata = noted(`replace table ${family} ${name}`, comment);
  return [
    // What is not there can't be deleted, and what is there stays as it is when it is added.
    nftTable.add({ family, name }),
    nftTable.delete({ family, name }),
    nftTable.add({ family, name, flags: [], ...userdata }),
    ...chains.map((chain) => addChain(table, chain)),
    ...sets.flatMap((set) => addSet(table, set)),
    ...chains.flatMap(({ name, rules = [] }) =>
      rules.flatMap((rule) => addNftRule(table, name, rule))
    ),
  ];
}

/** The requests that take a table away, with all that is in it; for one transaction. None there is no error. */
export function deleteNftTable(family: NftTableName["family"], name: string): Request<void>[] {
  return [nftTable.add({ family, name }), nftTable.delete({ family, name })];
}

/**
 * The requests that add a rule at the end of a chain, for one transaction: a set that it has for itself,
 * as for several ports, and the rule.
 *
 * @example A further container is reached
 * ```ts
 * import { addNftRule, nftMatch, Nft, nftVerdict } from "@denolink/denolink";
 *
 * using nft = Nft.open();
 * await nft.transaction(addNftRule({ family: "ip", name: "containers" }, "prerouting", {
 *   expressions: [
 *     nftMatch.protocol("tcp"),
 *     nftMatch.destinationPort(8443),
 *     nftVerdict.dnat({ address: "10.0.0.3", port: 443 }),
 *   ],
 *   comment: "another",
 * }));
 * ```
 */
export function addNftRule(
  { family, name: table }: NftTableName,
  chain: string,
  { expressions: statements, comment }: NftRuleSpec,
): Request<void>[] {
  const operation = `add rule ${family} ${table} ${chain}${
    comment === undefined ? "" : ` comment "${comment}"`
  }`;
  const userdata = noted(operation, comment);
  const { expressions, sets } = said(
    operation,
    () => ruleExpressions(family, statements, nextSetId),
  );
  return [
    ...sets.flatMap((set) => addOwnSet(family, table, set)),
    nftRule.add({ family, table, chain, expressions, ...userdata }),
  ];
}

/**
 * The requests that add elements to a set or map that is there, for one transaction; `set` is what it was
 * made of.
 *
 * @example Ports in a map, without a rule for each
 * ```ts
 * import { addNftElements, nftMatch, Nft, type NftSetSpec, replaceNftTable, nftVerdict } from "@denolink/denolink";
 *
 * using nft = Nft.open();
 * const table = { family: "ip", name: "containers" } as const;
 * const published: NftSetSpec = {
 *   name: "published",
 *   type: ["inet_proto", "inet_service"],
 *   data: ["ipv4_addr", "inet_service"],
 * };
 * const dnat = nftVerdict.dnat({
 *   map: "@published",
 *   by: ["protocol", "destinationPort"],
 *   port: true,
 * });
 * await nft.transaction(replaceNftTable({
 *   ...table,
 *   sets: [published],
 *   chains: [{
 *     name: "prerouting",
 *     type: "nat",
 *     hook: "prerouting",
 *     rules: [{ expressions: [nftMatch.destinationIsLocal(), dnat] }],
 *   }],
 * }));
 * const web = { key: ["tcp", 8080], value: ["10.0.0.2", 80] };
 * await nft.transaction(addNftElements(table, published, [web]));
 * ```
 */
export function addNftElements(
  { family, name: table }: NftTableName,
  set: NftSetSpec,
  elements: readonly NftElementSpec[],
): Request<void>[] {
  const operation = `add elements of set ${family} ${table} ${set.name}`;
  return inMessages(setElements(operation, set, elements))
    .map((elements) => nftElement.add({ family, table, set: set.name, elements }));
}

/** The requests that take elements away, by their keys, for one transaction; one that is not there is an error. */
export function deleteNftElements(
  { family, name: table }: NftTableName,
  set: NftSetSpec,
  elements: readonly NftElementSpec[],
): Request<void>[] {
  const operation = `delete elements of set ${family} ${table} ${set.name}`;
  // By their keys alone: what a map has for them need not be known.
  const keys = setElements(operation, { ...set, data: undefined }, elements)
    .map(({ key, keyEnd, flags }) => ({ key, keyEnd, flags }));
  return inMessages(keys)
    .map((elements) => nftElement.delete({ family, table, set: set.name, elements }));
}

function addChain({ family, name: table }: NftTableName, chain: NftChainSpec): Request<void> {
  const { name, hook, type, priority, policy, comment } = chain;
  const operation = `add chain ${family} ${table} ${name}`;
  const userdata = noted(operation, comment);
  if (hook === undefined) {
    if (type !== undefined || priority !== undefined || policy !== undefined) {
      throw new InputError(
        `Cannot ${operation}: a type, a priority and a policy are for chains of a hook; say which`,
      );
    }
    return nftChain.add({ family, table, name, ...userdata });
  }
  const early = hook === "prerouting" || hook === "output";
  const usual = type !== "nat" ? "filter" : early ? "dstnat" : "srcnat";
  const number = typeof priority === "number" ? priority : PRIORITIES[priority ?? usual];
  if (number === undefined) {
    throw new InputError(
      `Cannot ${operation}: there is no priority ${priority}; use a number or ${
        Object.keys(PRIORITIES).join(", ")
      }`,
    );
  }
  return nftChain.add({
    family,
    table,
    name,
    hook: { hooknum: hook, priority: number },
    type: type ?? "filter",
    policy: policy ?? "accept",
    ...userdata,
  });
}

function addSet(table: NftTableName, set: NftSetSpec): Request<void>[] {
  const { name, flags = [], data, timeout, size, comment, elements = [] } = set;
  const operation = `add ${
    data === undefined ? "set" : "map"
  } ${table.family} ${table.name} ${name}`;
  const [key, value] = said(operation, () => [keyType(set.type), mapType(data)]);
  // Only intervals are looked up part by part.
  const inParts = key.parts.length > 1 && flags.includes("interval");
  const spec: NftSet = {
    family: table.family,
    table: table.name,
    name,
    flags: [
      ...flags.map((flag) => flag === "dynamic" ? "eval" as const : flag),
      ...data === undefined ? [] : ["map" as const],
      ...inParts ? ["concat" as const] : [],
    ],
    keyType: key.number,
    keyLen: key.size,
    ...value === undefined ? {} : { dataType: value.number, dataLen: value.size },
    ...timeout === undefined ? {} : { timeout: BigInt(timeout) },
    desc: {
      size,
      ...inParts ? { concat: key.parts.map(({ size }) => ({ len: size })) } : {},
    },
    userdata: {
      keyByteOrder: key.byteOrder,
      ...value === undefined ? {} : { dataByteOrder: value.byteOrder },
      ...noted(operation, comment)?.userdata,
    },
  };
  return [nftSet.add(spec), ...addNftElements(table, set, elements)];
}

/** A set that one rule has for itself, with its elements. */
function addOwnSet(
  family: NftTableName["family"],
  table: string,
  { id, type, values, intervals }: OwnSet,
): Request<void>[] {
  const spec: NftSetSpec = {
    name: OWN_SET_NAME,
    type,
    flags: intervals ? ["interval"] : [],
  };
  const elements = setElements(`add set ${family} ${table} ${OWN_SET_NAME}`, spec, values)
    .filter(isNoSeam);
  const { number, size, byteOrder } = dataType(type);
  return [
    nftSet.add({
      family,
      table,
      name: OWN_SET_NAME,
      id,
      flags: ["anonymous", "constant", ...intervals ? ["interval" as const] : []],
      keyType: number,
      keyLen: size,
      desc: { size: elements.length },
      userdata: { keyByteOrder: byteOrder },
    }),
    ...inMessages(elements).map((elements) =>
      nftElement.add({ family, table, set: OWN_SET_NAME, setId: id, elements })
    ),
  ];
}

/**
 * In a set without a name an interval ends where the next one begins: of a key that is an end and a
 * beginning the kernel may find the end, and no more (nft_set_rbtree.c, nft_rbtree_lookup).
 */
function isNoSeam({ key, flags }: NftElement, i: number, elements: readonly NftElement[]): boolean {
  const next = elements[i + 1]?.key?.value;
  return !flags?.includes("intervalEnd") || next === undefined || compare(key!.value!, next) !== 0;
}

// Rules of one transaction must not find each other's sets.
let sets = 0;

function nextSetId(): number {
  return sets = sets % 0xffffffff + 1;
}

/** So many elements fit a message, however long their keys and comments. */
const ELEMENTS = 64;

function inMessages(elements: readonly NftElement[]): NftElement[][] {
  return Array.from(
    { length: Math.ceil(elements.length / ELEMENTS) },
    (_, i) => elements.slice(i * ELEMENTS, (i + 1) * ELEMENTS),
  );
}

/** What a key or a value is made of, and nft's number for the whole. */
interface Compound {
  parts: { name: NftDataType; size: number }[];
  number: number;
  size: number;
  byteOrder: number;
}

// libnftables' datatype.h: each part of a concatenation has so many bits in its number.
const TYPE_BITS = 64;
/** NFT_DATA_VERDICT of linux/netfilter/nf_tables.h. */
const VERDICTS: Compound = { parts: [], number: 0xffffff00, size: 0, byteOrder: 0 };

function keyType(type: NftKeyType): Compound {
  const names = [type].flat() as NftDataType[];
  const types: DataType[] = names.map(dataType);
  if (types.length === 0) throw new ValueError("a key has at least one part");
  return {
    parts: names.map((name, i) => ({ name, size: types[i]!.size })),
    number: types.reduce((number, type) => number * TYPE_BITS + type.number, 0),
    // Parts stand in registers of 4 bytes.
    size: types.length === 1
      ? types[0]!.size
      : types.reduce((size, type) => size + Math.ceil(type.size / 4) * 4, 0),
    byteOrder: types.length === 1 ? types[0]!.byteOrder : 0,
  };
}

function mapType(data: NftSetSpec["data"]): Compound | undefined {
  return data === undefined ? undefined : data === "verdict" ? VERDICTS : keyType(data);
}

/** Elements as the kernel has them: an interval as its first key, and the first one behind it. */
function setElements(
  operation: string,
  set: NftSetSpec,
  elements: readonly NftElementSpec[],
): NftElement[] {
  return said(operation, () => {
    const key = keyType(set.type);
    const data = mapType(set.data);
    const intervals = set.flags?.includes("interval") ?? false;
    const made = elements.map((element) => {
      const spec = isKey(element) ? { key: element } : element;
      const interval = keyInterval(key, spec.key);
      if (!intervals && !isSingle(interval)) {
        throw new ValueError(`${show(spec.key)} is an interval: the set needs the flag "interval"`);
      }
      return { interval, rest: elementRest(operation, data, spec) };
    });
    if (!intervals) {
      return made.map(({ interval, rest }) => ({ key: { value: interval.first }, ...rest }));
    }
    if (key.parts.length > 1) {
      return made.map(({ interval: { first, last }, rest }) => ({
        key: { value: first },
        keyEnd: { value: last },
        ...rest,
      }));
    }
    return made.toSorted((a, b) => compare(a.interval.first, b.interval.first))
      .flatMap(({ interval: { first, last }, rest }): NftElement[] => {
        const behind = successor(last);
        return [
          { key: { value: first }, ...rest },
          ...behind === undefined
            ? []
            : [{ key: { value: behind }, flags: ["intervalEnd" as const] }],
        ];
      });
  });
}

type ElementObject = Exclude<NftElementSpec, NftKey>;

function isKey(element: NftElementSpec): element is NftKey {
  return typeof element !== "object" || Array.isArray(element);
}

function keyInterval({ parts }: Compound, key: NftKey): Interval {
  const values = [key].flat() as (string | number)[];
  if (values.length !== parts.length) {
    throw new ValueError(`expected ${parts.map(({ name }) => name).join(" . ")}, got ${show(key)}`);
  }
  const intervals = parts.map(({ name }, i) => parseInterval(name, values[i]!));
  if (intervals.length === 1) return intervals[0]!;
  return {
    first: concatenated(intervals.map(({ first }) => first)),
    last: concatenated(intervals.map(({ last }) => last)),
  };
}

/** What an element has beside its key. */
function elementRest(
  operation: string,
  data: Compound | undefined,
  { value, timeout, comment }: ElementObject,
): NftElement {
  return {
    ...data === undefined ? {} : { data: elementData(data, value) },
    ...timeout === undefined ? {} : { timeout: BigInt(timeout) },
    ...noted(operation, comment),
  };
}

function elementData(data: Compound, value: ElementObject["value"]): NftData {
  if (value === undefined) throw new ValueError("an element of a map has a value");
  const isVerdict = typeof value === "object" && !Array.isArray(value);
  if (isVerdict !== (data === VERDICTS)) {
    throw new ValueError(
      `expected ${
        data === VERDICTS ? 'a verdict such as { code: "accept" }' : "a value of the map's type"
      }, got ${show(value)}`,
    );
  }
  if (isVerdict) return { verdict: value as NonNullable<NftData["verdict"]> };
  const interval = keyInterval(data, value as NftKey);
  if (!isSingle(interval)) throw new ValueError(`expected one value, got ${show(value)}`);
  return { value: interval.first };
}

// nft shows no longer one (NFTNL_UDATA_COMMENT_MAXLEN, with the NUL behind it).
const COMMENT_BYTES = 127;

/** A comment as user data, where there is one. */
function noted(
  operation: string,
  comment: string | undefined,
): { userdata: { comment: string } } | undefined {
  if (comment === undefined) return undefined;
  const length = new TextEncoder().encode(comment).length;
  // What nft lists must be what it reads, and it has no way to escape these.
  if (length === 0 || length > COMMENT_BYTES || /["\0\n]/.test(comment)) {
    throw new InputError(
      `Cannot ${operation}: a comment has 1 to ${COMMENT_BYTES} bytes, and neither quotes nor line breaks`,
    );
  }
  return { userdata: { comment } };
}

/** Runs something; a value that does not fit becomes an error of what was to be done. */
function said<T>(operation: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new InputError(`Cannot ${operation}: ${error.message}`);
  }
}
