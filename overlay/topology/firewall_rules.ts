/**
 * The rules of a firewall and of address translation: how each is said to nf_tables, and read from it.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import { formatAddress, parseAddress } from "../../rtnl/codec/ip.ts";
import {
  type NftExpression,
  nftMatch,
  type NftRule,
  type NftStatement,
  nftVerdict,
} from "../../rtnl/nft/mod.ts";
import { type Cidr, contains, parseCidr, subnetOf } from "../input.ts";
import { said } from "./canonical.ts";
import type { NftSetContent, NftSets } from "./nft_content.ts";
import type { DnatRule, FirewallRule, MasqueradeRule } from "./types.ts";

/** What rules of a kind are. */
export interface RuleKind<Rule> {
  /** The same without defaults that are said, with addresses and lists in their one form and order. */
  canonical(rule: Rule): Rule;
  /** What is said to the kernel; `InputError` for what can't be meant. */
  statements(rule: Rule): Statements;
  /** The rule of these words, as far as they are such a rule's. */
  rule(words: Words): Rule;
}

type Statements = (NftStatement | NftStatement[])[];

/** What the expressions of a rule look like in a topology's words. */
export interface Words extends Asked {
  verdict?: string | undefined;
  /** The destination is one of the namespace's own. */
  own?: boolean | undefined;
  target?: string | undefined;
}

/** What a rule may ask of a packet. */
type Asked = Omit<FirewallRule, "verdict">;

/** What is let through. */
export const FILTER: RuleKind<FirewallRule> = {
  canonical(rule) {
    const { from, to, port, state } = rule;
    return said({
      ...rule,
      from: from === undefined ? from : canonicalSubnets(from),
      to: to === undefined ? to : canonicalSubnets(to),
      port: port === undefined ? port : oneOf(distinct(listOf(port)).sort((a, b) => a - b)),
      state: state && distinct(state).sort((a, b) => STATES.indexOf(a) - STATES.indexOf(b)),
    });
  },
  statements({ verdict, ...asked }) {
    const { protocol, port } = asked;
    if (port !== undefined && !WITH_PORTS.includes(protocol ?? "")) {
      throw new InputError(
        `Cannot match port ${port} of ${protocol ?? "any protocol"}: only ${
          WITH_PORTS.join(", ")
        } have ports; say which protocol`,
      );
    }
    if (!VERDICTS.includes(verdict)) {
      throw new InputError(
        `Cannot use verdict ${JSON.stringify(verdict)}: a rule says one of ${VERDICTS.join(", ")}`,
      );
    }
    return [...matches(asked), nftVerdict[verdict]()];
  },
  rule(words) {
    const { from, to, port, state } = words;
    const { in: input, out, protocol, verdict } = singles(words);
    return said({
      ...{ in: input, out, from, to, protocol, port, state },
      verdict: verdict as FirewallRule["verdict"],
    });
  },
};

/** What gets the address of the link that it leaves by. */
export const MASQUERADE: RuleKind<MasqueradeRule> = {
  canonical: ({ out, from }) =>
    said({ out, from: from === undefined ? from : subnetText(parseSubnet(from)) }),
  statements: (rule) => [...matches(rule), nftVerdict.masquerade()],
  rule(words) {
    const { out, from } = singles(words);
    return said({ out, from });
  },
};

/** What is led elsewhere. */
export const DNAT: RuleKind<DnatRule> = {
  canonical(rule) {
    const { to, protocol, target } = rule;
    return said({
      ...rule,
      to: to === undefined ? to : subnetText(parseSubnet(to)),
      protocol: protocol === "tcp" ? undefined : protocol,
      target: targetText(parseTarget(target)),
    });
  },
  statements({ in: input, to, protocol = "tcp", port, target }) {
    const { family, ...translation } = parseTarget(target);
    const toItself: Statements = [
      nftMatch.family(family),
      nftMatch.destinationIsLocal(),
      // A host's loopback addresses can't leave it.
      nftMatch.destinationAddress(LOOPBACK[family], { not: true }),
    ];
    return [
      ...matches({ in: input, to }),
      ...to === undefined ? toItself : [],
      ...matches({ protocol, port }),
      nftVerdict.dnat(translation),
    ];
  },
  rule(words) {
    const { in: input, to, own, protocol, port, target = "" } = singles(words);
    return said({
      ...{ in: input, to: own ? undefined : to },
      ...{ protocol: protocol as DnatRule["protocol"], port: port!, target },
    });
  },
};

const VERDICTS: readonly string[] = ["accept", "drop", "reject"];
const WITH_PORTS = ["tcp", "udp", "sctp"];
const LOOPBACK = { ip: "127.0.0.0/8", ip6: "::1" } as const;
/** NF_CT_STATE_BIT of the kernel's nf_conntrack_common.h. */
const STATE_BITS = { new: 0x8, established: 0x2, related: 0x4, invalid: 0x1 } as const;
const STATES = Object.keys(STATE_BITS) as (keyof typeof STATE_BITS)[];
/** IPPROTO_* of linux/in.h. */
const PROTOCOLS: Readonly<Record<number, string>> = {
  1: "icmp",
  6: "tcp",
  17: "udp",
  58: "icmpv6",
  132: "sctp",
};

/** One thing that a rule may ask of a packet: how it is said to the kernel, and read. */
interface Field {
  /** The statement. */
  match(value: never): NftStatement | NftStatement[];
  /** What the kernel loads for it, and how many bytes that has. */
  loads: Readonly<Record<string, number>>;
  /** What is asked for. */
  read(bits: Bits): unknown;
}

/** Some bits: those of `value` that are 1 in `mask`. */
interface Bits {
  value: Uint8Array;
  mask: Uint8Array;
}

/** In the order in which the kernel is told. */
const FIELDS: Readonly<Record<keyof Asked, Field>> = {
  state: {
    match: nftMatch.connectionState,
    loads: { "ct state": 4 },
    read: ({ mask }) => STATES.filter((state) => mask[0]! & STATE_BITS[state]),
  },
  in: { match: nftMatch.inputInterface, loads: { "meta iifname": 16 }, read: readLink },
  out: { match: nftMatch.outputInterface, loads: { "meta oifname": 16 }, read: readLink },
  from: {
    match: nftMatch.sourceAddress,
    loads: { "network_header 12": 4, "network_header 8": 16 },
    read: readSubnet,
  },
  to: {
    match: nftMatch.destinationAddress,
    loads: { "network_header 16": 4, "network_header 24": 16 },
    read: readSubnet,
  },
  protocol: {
    match: nftMatch.protocol,
    loads: { "meta l4proto": 1 },
    read: ({ value }) => PROTOCOLS[value[0]!],
  },
  port: {
    match: nftMatch.destinationPort,
    loads: { "transport_header 2": 2 },
    read: ({ value }) => readPort(value),
  },
};

function matches(asked: Asked): Statements {
  return Object.entries(FIELDS).flatMap(([key, { match }]) => {
    const value = asked[key as keyof Asked];
    return value === undefined ? [] : [match(value as never)];
  });
}

/** What a rule seems to say. It may say more, which shows when a rule is made of it again. */
export function wordsOf({ expressions = [] }: NftRule, sets: NftSets): Words {
  const words: Record<string, unknown> = {};
  const target = { address: "", port: 0 };
  let field: LoadedField | undefined;
  let mask: Uint8Array | undefined;
  for (const expression of expressions) {
    const { name, data } = expression;
    const load = loadOf(expression);
    if (load !== undefined) {
      field = LOADED.get(load);
      mask = undefined;
      if (name === "fib") words.own = true;
    } else if (name === "bitwise") {
      mask = data?.mask?.value;
    } else if (name === "cmp" && field !== undefined) {
      const value = data?.data?.value ?? new Uint8Array();
      words[field.key] = field.read({
        value: padded(value, field.size),
        mask: padded(mask ?? ones(value.length), field.size),
      });
    } else if (name === "lookup" && field !== undefined) {
      words[field.key] = bitsIn(sets.get(data?.set), field.size).map(field.read);
    } else if (name === "immediate") {
      const { verdict, value } = data?.data ?? {};
      if (verdict !== undefined) words.verdict = verdict.code;
      else if (value?.length === 2) target.port = readPort(value);
      else if (value !== undefined) target.address = formatAddress(value);
    } else if (name === "reject") words.verdict = "reject";
  }
  return { ...words, target: targetText(target) };
}

/** A field as it is loaded. */
interface LoadedField extends Pick<Field, "read"> {
  key: string;
  size: number;
}

const LOADED: ReadonlyMap<string, LoadedField> = new Map(
  Object.entries(FIELDS).flatMap(([key, { loads, read }]) =>
    Object.entries(loads).map(([load, size]) => [load, { key, size, read }] as const)
  ),
);

/** What an expression loads, if it does. */
function loadOf({ name, data }: NftExpression): string | undefined {
  if (name === "payload") return `${data?.base} ${data?.offset}`;
  if (name === "meta" || name === "ct") return `${name} ${data?.key}`;
  return name === "fib" ? name : undefined;
}

/** The elements of a set; an interval as the bits that all in it have in common. */
function bitsIn({ flags, elements = [] }: Partial<NftSetContent> = {}, size: number): Bits[] {
  const keys = elements.map(({ key, flags }) => ({
    value: padded(key?.value ?? new Uint8Array(), size),
    isEnd: flags?.includes("intervalEnd"),
  }));
  const firsts = keys.filter(({ isEnd }) => !isEnd).map(({ value }) => value);
  if (!flags?.includes("interval")) return firsts.map((value) => ({ value, mask: ones(size) }));
  // An interval ends where one is said to, or where the next begins.
  const all = 1n << BigInt(8 * size);
  const ends = [...keys.map(({ value }) => numberOf(value)), all].sort((a, b) => a < b ? -1 : 1);
  return firsts.map((value) => {
    const first = numberOf(value);
    const end = ends.find((end) => end > first)!;
    return { value, mask: bytesOf(all - (end - first), size) };
  });
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toHex()}`);
}

function bytesOf(number: bigint, size: number): Uint8Array {
  return Uint8Array.fromHex(number.toString(16).padStart(2 * size, "0"));
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const all = new Uint8Array(size);
  all.set(bytes.subarray(0, size));
  return all;
}

function ones(size: number): Uint8Array {
  return new Uint8Array(size).fill(0xff);
}

/** A link's name; "eth*" where only its beginning is compared. */
function readLink({ value, mask }: Bits): string {
  const name = new TextDecoder().decode(value).replace(/\0+$/, "");
  return mask.at(-1) === 0 ? `${name}*` : name;
}

function readSubnet({ value, mask }: Bits): string {
  const length = numberOf(mask).toString(2).replaceAll("0", "").length;
  return `${formatAddress(value)}/${length}`;
}

function readPort([high = 0, low = 0]: Uint8Array): number {
  return high << 8 | low;
}

function canonicalSubnets(value: string | readonly string[]): string | string[] {
  const all = listOf(value).map(parseSubnet);
  // The kernel takes no element that is in another one.
  const outer = all.filter((one) =>
    !all.some((other) => other.prefixLength < one.prefixLength && contains(other, one))
  );
  const key = ({ bytes }: Cidr) => bytes.toHex();
  return oneOf(distinct(outer.sort((a, b) => key(a) < key(b) ? -1 : 1).map(subnetText)));
}

/** An address, or a subnet. */
function parseSubnet(text: string): Cidr {
  return parseCidr(text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`);
}

function subnetText(cidr: Cidr): string {
  return cidr.prefixLength === 8 * cidr.bytes.length ? cidr.address : subnetOf(cidr);
}

/** Where packets are led. */
export interface Target {
  family: "ip" | "ip6";
  address: string;
  port: number;
}

/** Reads "10.2.0.2:80" or "[fd00::2]:80". */
export function parseTarget(text: string): Target {
  const [, ip6, ip, digits] = /^(?:\[([^[\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  const bytes = parseAddress(ip6 ?? ip ?? "");
  const port = Number(digits);
  if (bytes?.length !== (ip6 === undefined ? 4 : 16) || port < 1 || port > 65535) {
    throw new InputError(
      `Cannot lead packets to ${
        JSON.stringify(text)
      }: write an address and a port from 1 to 65535, as "10.2.0.2:80" or "[fd00::2]:80"`,
    );
  }
  return { family: ip6 === undefined ? "ip" : "ip6", address: formatAddress(bytes), port };
}

function targetText({ address, port }: Pick<Target, "address" | "port">): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function listOf<T>(value: T | readonly T[]): T[] {
  return [value].flat() as T[];
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

/** A list's only value, or the list. */
function oneOf<T>(values: T[]): T | T[] {
  return values.length === 1 ? values[0]! : values;
}

/** Words without lists, for rules that have none. */
function singles(words: Words): { [Key in keyof Words]: Exclude<Words[Key], readonly unknown[]> } {
  return Object.fromEntries(Object.entries(words).filter(([, value]) => !Array.isArray(value)));
}
