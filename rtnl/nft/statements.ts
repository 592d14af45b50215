/**
 * What rules say, in the words of nft(8): matches, verdicts and what is between them.
 *
 * Statements are plain data. What they are as expressions depends on the table: in one of the family
 * "inet" an IPv4 address can be compared only after the packet is found to be IPv4.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import type { NftExpression } from "./expressions.ts";

/** What of a packet is compared, or looked up. */
export type NftField =
  | "sourceAddress"
  | "destinationAddress"
  | "sourcePort"
  | "destinationPort"
  | "protocol"
  | "inputInterface"
  | "outputInterface"
  | "mark";

/** How a match is meant. */
export interface NftMatchOptions {
  /**
   * Matches all others.
   * @default {false}
   */
  not?: boolean | undefined;
  /**
   * The family of addresses that only a set has, in a table of the family "inet".
   * @default {that of the addresses or of the table}
   */
  family?: "ip" | "ip6" | undefined;
}

/** Goes on with the rule when something of the packet is one of these values. */
export interface NftMatch extends NftMatchOptions {
  /** What is compared; several are looked up together. */
  readonly match: NftField | readonly NftField[];
  /** A value, an interval, several of them, or the name of a set behind "@". */
  readonly value: string | number | readonly (string | number)[];
}

/** Goes on with the rule when the packet is of this family. */
export interface NftFamilyMatch {
  /** The family. */
  readonly matchFamily: "ip" | "ip6";
}

/** How ports and addresses are chosen where there are several. */
export interface NftTranslationOptions {
  /**
   * Ports at random.
   * @default {false}
   */
  random?: boolean | undefined;
  /**
   * The same without a hash of the addresses.
   * @default {false}
   */
  fullyRandom?: boolean | undefined;
  /**
   * A client gets the same address each time.
   * @default {false}
   */
  persistent?: boolean | undefined;
}

/** A port, or "1000-2000" for one of several. */
export type NftPorts = number | string;

/** What an address is translated to. */
export interface NftTranslationTarget extends NftTranslationOptions {
  /**
   * An address, or "10.0.0.2-10.0.0.9" for one of several.
   * @default {that of the packet}
   */
  address?: string | undefined;
  /**
   * A port, behind a match of the protocol.
   * @default {that of the packet}
   */
  port?: NftPorts | undefined;
}

/** What a map has for something of the packet. */
export interface NftMappedTarget extends NftTranslationOptions {
  /** The map's name behind "@". */
  map: string;
  /** What is looked up there. */
  by: NftField | readonly NftField[];
  /**
   * The map has an address and a port for it.
   * @default {false}
   */
  port?: boolean | undefined;
  /**
   * The family of the map's addresses, in a table of the family "inet".
   * @default {that of the table}
   */
  family?: "ip" | "ip6" | undefined;
}

/** Translates the addresses of a connection. */
export interface NftTranslation {
  /** Which, and to what: a "masquerade" to that of the link it leaves by, a "redirect" to this host. */
  readonly translate: "snat" | "dnat" | "masquerade" | "redirect";
  /** To what. */
  readonly to: NftTranslationTarget | NftMappedTarget;
}

/** Has a map of verdicts decide. */
export interface NftVerdictMap {
  /** What is looked up. */
  readonly decide: NftField | readonly NftField[];
  /** The map's name behind "@". */
  readonly map: string;
  /** The family of addresses, in a table of the family "inet". */
  readonly family?: "ip" | "ip6" | undefined;
}

/** What the sender of a refused packet is told. */
export type NftRejection =
  | "port-unreachable"
  | "host-unreachable"
  | "no-route"
  | "admin-prohibited"
  | "tcp reset";

/** Drops the packet and tells its sender. */
export interface NftReject {
  /** What it is told. */
  readonly reject: NftRejection;
}

/** One statement: an expression as it is, or what becomes of several. */
export type NftStatement =
  | NftExpression
  | NftMatch
  | NftFamilyMatch
  | NftTranslation
  | NftVerdictMap
  | NftReject;

const matching =
  (field: NftField) => (value: NftMatch["value"], options?: NftMatchOptions): NftMatch => ({
    match: field,
    value,
    ...options,
  });

/** The state of a connection, as connection tracking has it. */
export type NftConnectionState = "invalid" | "established" | "related" | "new" | "untracked";
/** What else connection tracking notes of a connection. */
export type NftConnectionStatus =
  | "expected"
  | "seen-reply"
  | "assured"
  | "confirmed"
  | "snat"
  | "dnat"
  | "dying";

/** Bits as nft has them (NF_CT_STATE_BIT of the kernel's nf_conntrack_common.h). */
const STATES: Readonly<Record<NftConnectionState, number>> = {
  invalid: 0x1,
  established: 0x2,
  related: 0x4,
  new: 0x8,
  untracked: 0x40,
};
/** enum ip_conntrack_status of linux/netfilter/nf_conntrack_common.h. */
const STATUSES: Readonly<Record<NftConnectionStatus, number>> = {
  expected: 0x1,
  "seen-reply": 0x2,
  assured: 0x4,
  confirmed: 0x8,
  snat: 0x10,
  dnat: 0x20,
  dying: 0x200,
};

/**
 * What goes on with a rule: what does not match goes to the next.
 *
 * @example TCP to port 80 or 443 of this host, from two networks
 * ```ts
 * import { nftMatch } from "@denolink/denolink";
 *
 * const expressions = [
 *   nftMatch.sourceAddress(["10.0.0.0/8", "192.168.0.0/16"]),
 *   nftMatch.protocol("tcp"),
 *   nftMatch.destinationPort([80, 443]),
 *   nftMatch.destinationIsLocal(),
 * ];
 * ```
 */
export const nftMatch: {
  /** From this address, prefix or range: "10.0.0.1", "10.0.0.0/24", "fd00::1-fd00::9". */
  sourceAddress(value: string | readonly string[], options?: NftMatchOptions): NftMatch;
  /** To this address, prefix or range. */
  destinationAddress(value: string | readonly string[], options?: NftMatchOptions): NftMatch;
  /** In by the link of this name, or of those that begin so: "eth*". */
  inputInterface(
    name: string | readonly string[],
    options?: Pick<NftMatchOptions, "not">,
  ): NftMatch;
  /** Out by the link of this name, or of those that begin so. */
  outputInterface(
    name: string | readonly string[],
    options?: Pick<NftMatchOptions, "not">,
  ): NftMatch;
  /** Of this transport protocol, by name or number. */
  protocol(
    value: string | number | readonly (string | number)[],
    options?: Pick<NftMatchOptions, "not">,
  ): NftMatch;
  /** From this port or range: 80, "1000-2000"; behind a match of the protocol. */
  sourcePort(
    value: NftPorts | readonly NftPorts[],
    options?: Pick<NftMatchOptions, "not">,
  ): NftMatch;
  /** To this port or range; behind a match of the protocol. */
  destinationPort(
    value: NftPorts | readonly NftPorts[],
    options?: Pick<NftMatchOptions, "not">,
  ): NftMatch;
  /** With this mark. */
  mark(value: number | readonly number[], options?: Pick<NftMatchOptions, "not">): NftMatch;
  /** Of IPv4 or IPv6, in a table of the family "inet". */
  family(family: "ip" | "ip6"): NftFamilyMatch;
  /** Several things at once that a set of this name, "@NAME", has put together. */
  inSet(fields: readonly NftField[], set: string, options?: NftMatchOptions): NftMatch;
  /** To an address of this host, whichever link has it. */
  destinationIsLocal(options?: Pick<NftMatchOptions, "not">): NftExpression[];
  /** From an address of this host. */
  sourceIsLocal(options?: Pick<NftMatchOptions, "not">): NftExpression[];
  /** Of a connection in one of these states. */
  connectionState(
    states: NftConnectionState | readonly NftConnectionState[],
    options?: Pick<NftMatchOptions, "not">,
  ): NftExpression[];
  /** Of a connection of which one of these is noted, such as "dnat". */
  connectionStatus(
    statuses: NftConnectionStatus | readonly NftConnectionStatus[],
    options?: Pick<NftMatchOptions, "not">,
  ): NftExpression[];
} = {
  sourceAddress: matching("sourceAddress"),
  destinationAddress: matching("destinationAddress"),
  inputInterface: matching("inputInterface"),
  outputInterface: matching("outputInterface"),
  protocol: matching("protocol"),
  sourcePort: matching("sourcePort"),
  destinationPort: matching("destinationPort"),
  mark: matching("mark"),
  family: (family) => ({ matchFamily: family }),
  inSet: (fields, set, options) => ({ match: fields, value: set, ...options }),
  destinationIsLocal: ({ not } = {}) => isLocal("daddr", not),
  sourceIsLocal: ({ not } = {}) => isLocal("saddr", not),
  connectionState: (states, { not } = {}) => tracked("state", STATES, states, not),
  connectionStatus: (statuses, { not } = {}) => tracked("status", STATUSES, statuses, not),
};

/** RTN_LOCAL of linux/rtnetlink.h. */
const LOCAL = 2;

function isLocal(flag: "saddr" | "daddr", not = false): NftExpression[] {
  return [
    { name: "fib", data: { dreg: 1, result: "addrtype", flags: [flag] } },
    compared(not ? "neq" : "eq", hostNumber(LOCAL)),
  ];
}

function tracked<Name extends string>(
  key: "state" | "status",
  names: Readonly<Record<Name, number>>,
  wanted: Name | readonly Name[],
  not = false,
): NftExpression[] {
  const use = `use ${Object.keys(names).join(", ")}`;
  const bits = [wanted].flat().reduce((bits, name) => {
    if (Object.hasOwn(names, name)) return bits | names[name as Name];
    throw new InputError(`Cannot match a connection's ${key} ${name}: there is none; ${use}`);
  }, 0);
  if (bits === 0) throw new InputError(`Cannot match a connection's ${key}: none is said; ${use}`);
  const zero = hostNumber(0);
  return [
    { name: "ct", data: { dreg: 1, key } },
    masked(4, hostNumber(bits), zero),
    compared(not ? "eq" : "neq", zero),
  ];
}

/** 32 bits in the byte order of x86-64 and aarch64. */
function hostNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Goes on when register 1 compares so. */
export function compared(
  op: "eq" | "neq" | "gte" | "lte",
  value: Uint8Array,
): NftExpression {
  return { name: "cmp", data: { sreg: 1, op, data: { value } } };
}

/** Register 1, masked. */
export function masked(len: number, mask: Uint8Array, xor: Uint8Array): NftExpression {
  return {
    name: "bitwise",
    data: { sreg: 1, dreg: 1, len, op: "mask_xor", mask: { value: mask }, xor: { value: xor } },
  };
}

/**
 * What becomes of a packet. Translations are for chains of the type "nat".
 *
 * @example A port of the host that is a container's
 * ```ts
 * import { nftMatch, nftVerdict } from "@denolink/denolink";
 *
 * const expressions = [
 *   nftMatch.destinationIsLocal(),
 *   nftMatch.protocol("tcp"),
 *   nftMatch.destinationPort(8080),
 *   nftVerdict.dnat({ address: "10.0.0.2", port: 80 }),
 * ];
 * ```
 */
export const nftVerdict: {
  /** It goes on, to the next chain of the hook. */
  accept(): NftExpression;
  /** It is gone. */
  drop(): NftExpression;
  /** It goes on behind the rule that jumped here; in a chain of a hook the policy decides. */
  return(): NftExpression;
  /** It goes through another chain of the table, and comes back. */
  jump(chain: string): NftExpression;
  /** It goes through another chain of the table, and does not come back. */
  goto(chain: string): NftExpression;
  /** It is gone, and its sender is told. */
  reject(kind?: NftRejection): NftReject;
  /** Its source becomes an address of the link that it leaves by. */
  masquerade(options?: Pick<NftTranslationTarget, "port"> & NftTranslationOptions): NftTranslation;
  /** Its source becomes this. */
  snat(to: NftTranslationTarget | NftMappedTarget): NftTranslation;
  /** Its destination becomes this. */
  dnat(to: NftTranslationTarget | NftMappedTarget): NftTranslation;
  /** Its destination becomes this host. */
  redirect(options?: Pick<NftTranslationTarget, "port"> & NftTranslationOptions): NftTranslation;
  /** The verdict that a map, "@NAME", has for something of it; where it has none it goes to the next rule. */
  map(
    fields: NftField | readonly NftField[],
    map: string,
    options?: Pick<NftMatchOptions, "family">,
  ): NftVerdictMap;
} = {
  accept: () => immediate("accept"),
  drop: () => immediate("drop"),
  return: () => immediate("return"),
  jump: (chain) => immediate("jump", chain),
  goto: (chain) => immediate("goto", chain),
  reject: (kind = "port-unreachable") => ({ reject: kind }),
  masquerade: (to = {}) => ({ translate: "masquerade", to }),
  snat: (to) => ({ translate: "snat", to }),
  dnat: (to) => ({ translate: "dnat", to }),
  redirect: (to = {}) => ({ translate: "redirect", to }),
  map: (fields, map, options) => ({ decide: fields, map, ...options }),
};

function immediate(
  code: "accept" | "drop" | "return" | "jump" | "goto",
  chain?: string,
): NftExpression {
  return { name: "immediate", data: { dreg: 0, data: { verdict: { code, chain } } } };
}

/** Counts the packets and bytes that come to it. */
export function nftCounter(): NftExpression {
  return { name: "counter", data: {} };
}

/** How much a {@linkcode nftLimit} lets through. */
export interface NftLimitOptions {
  /** Packets, 1 or more. */
  rate: number;
  /** In which time. */
  per: "second" | "minute" | "hour" | "day" | "week";
  /**
   * Packets that may come at once beyond the rate.
   * @default {5}
   */
  burst?: number;
  /**
   * Goes on with the rule for what is beyond the rate, and not for what is within.
   * @default {false}
   */
  over?: boolean;
}

const SECONDS: Readonly<Record<NftLimitOptions["per"], bigint>> = {
  second: 1n,
  minute: 60n,
  hour: 3600n,
  day: 86400n,
  week: 604800n,
};

/** Goes on with the rule for so many packets a time. */
export function nftLimit({ rate, per, burst = 5, over = false }: NftLimitOptions): NftExpression {
  if (!Number.isInteger(rate) || rate < 1 || !Object.hasOwn(SECONDS, per)) {
    throw new InputError(
      `Cannot limit to ${rate} packets a ${per}: it is a whole number from 1, a ${
        Object.keys(SECONDS).join(", ")
      }`,
    );
  }
  return {
    name: "limit",
    data: {
      rate: BigInt(rate),
      unit: SECONDS[per],
      burst,
      type: "pkts",
      flags: over ? ["invert"] : [],
    },
  };
}

/** What {@linkcode nftLog} writes. */
export interface NftLogOptions {
  /** In front of what it says of the packet, 127 bytes at most. */
  prefix?: string;
  /**
   * The level in the kernel's log.
   * @default {"warning"}
   */
  level?: "emerg" | "alert" | "crit" | "err" | "warning" | "notice" | "info" | "debug";
}

/** Writes a line on the packet to the kernel's log, and goes on with the rule. */
export function nftLog({ prefix, level }: NftLogOptions = {}): NftExpression {
  return { name: "log", data: { prefix, level } };
}
