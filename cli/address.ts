/**
 * `address`: the words and the output of `ip address`.
 *
 * @module
 */

import { InputError, NetlinkError } from "../ffi/errors.ts";
import { type Address, address as requests } from "../rtnl/address.ts";
import type { Link } from "../rtnl/link.ts";
import { ofExisting, type Request } from "../rtnl/request.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { device, ip, meaning, number, readNumber, refuseUnless, text, words } from "./forms.ts";
import { FAMILY, type Host, LOOKING, onHost } from "./host.ts";
import { type Scope, scope } from "./routing.ts";
import { chosen, FILTER, type LinkFilter, listOf, printLink, readFilter } from "./link.ts";
import {
  bitsOf,
  covers,
  familyOf,
  lastAddress,
  type Prefix,
  prefix,
  readPrefix,
} from "./prefix.ts";
import {
  type Form,
  join,
  print,
  type Printed,
  printed,
  readPhrase,
  Words,
  type WordTable,
} from "./words.ts";

const FOREVER = 0xffffffff;

/** Seconds, or for ever. */
const lifetime: Form<number> = {
  name: "SECONDS or forever",
  parse: (words) => words.takeIf("forever") ? FOREVER : readNumber(words.take() ?? ""),
};

/** The flags of addresses in `ip`'s order, and whether a user may set them. */
const FLAGS = [
  { flag: "secondary", word: "secondary" },
  { flag: "nodad", word: "nodad", set: true },
  { flag: "optimistic", word: "optimistic", set: true },
  { flag: "dadfailed", word: "dadfailed" },
  { flag: "home", word: "home", set: true },
  { flag: "deprecated", word: "deprecated" },
  { flag: "tentative", word: "tentative" },
  { flag: "permanent", word: "permanent" },
  { flag: "mngtmpaddr", word: "mngtmpaddr", set: true },
  { flag: "noprefixroute", word: "noprefixroute", set: true },
  { flag: "autojoin", word: "autojoin", set: true },
  { flag: "stablePrivacy", word: "stable-privacy" },
] as const;

/** A word that sets one of the flags. */
function addressFlag(flag: string): Form {
  return {
    name: "",
    parse: () => flag,
    store(values) {
      values.flags = [...values.flags as string[] ?? [], flag];
    },
  };
}

/** What may be said of a new address. */
interface Typed {
  scope?: Scope;
  local?: Prefix;
  peer?: Prefix;
  broadcast?: string;
  index?: number;
  valid?: number;
  preferred?: number;
}

const WORDS: WordTable<Address & Typed> = [
  { key: "index", word: "dev", is: device },
  { key: "local", word: "local", is: prefix },
  { key: "peer", word: ["peer", "remote"], is: prefix },
  {
    key: "broadcast",
    word: ["broadcast", "brd"],
    is: {
      name: "ADDRESS, + or -",
      parse: (words, host, typed) =>
        words.takeIf("+") ? "+" : words.takeIf("-") ? "-" : ip.parse!(words, host, typed),
    },
  },
  { key: "anycast", word: "anycast", is: ip },
  { key: "label", word: "label", is: text },
  { key: "scope", word: "scope", is: scope },
  { key: "routePriority", word: ["metric", "priority", "preference"], is: number },
  { key: "valid", word: "valid_lft", is: lifetime },
  { key: "preferred", word: "preferred_lft", is: lifetime },
  ...FLAGS.filter((flag) => "set" in flag)
    .map(({ flag, word }) => ({ key: "flags" as const, word, is: addressFlag(flag) })),
];

/** The part of an address behind the address itself. */
const SHOWN: WordTable<Address> = [
  { key: "routePriority", json: "metric", text: "metric", is: number },
  { key: "broadcast", json: "broadcast", text: "brd", is: text },
  { key: "anycast", json: "anycast", text: "any", is: text },
  { key: "scope", json: "scope", text: "scope", is: scope },
  {
    key: "protocol",
    json: "protocol",
    text: "proto",
    is: words({ kernel_lo: 1, kernel_ra: 2, kernel_ll: 3 }),
  },
];

/** An address as `ip address` prints it below its link. */
export function printAddress(address: Address, host: Host): Printed {
  const local = address.local ?? address.address;
  const peer = address.address === local ? undefined : address.address;
  const { valid = FOREVER, preferred = FOREVER } = address.cacheInfo ?? {};
  const { protocol: _, ...shown } = address;
  return join(
    printed(
      {
        family: address.family,
        local,
        ...peer === undefined ? {} : { address: peer },
        prefixlen: address.prefixLength,
      },
      `\n    ${address.family}`,
      peer === undefined
        ? `${local}/${address.prefixLength}`
        : `${local} peer ${peer}/${address.prefixLength}`,
    ),
    print(SHOWN, shown, host),
    printFlags(address),
    address.label === undefined ? printed({}) : printed({ label: address.label }, address.label),
    printed(
      { valid_life_time: valid, preferred_life_time: preferred },
      `\n       valid_lft ${seconds(valid)} preferred_lft ${seconds(preferred)}`,
    ),
  );
}

function printFlags({ flags = [], family }: Address): Printed {
  const set = new Set<string>(flags);
  const shown = FLAGS.flatMap(({ flag, word }) =>
    flag === "permanent"
      ? set.has(flag) ? [] : ["dynamic"]
      : !set.has(flag)
      ? []
      : flag === "secondary" && family === "inet6"
      ? ["temporary"]
      : [word]
  );
  return printed(Object.fromEntries(shown.map((word) => [word, true])), ...shown);
}

function seconds(lifetime: number): string {
  return lifetime === FOREVER ? "forever" : `${lifetime}sec`;
}

/** What addresses to list or flush. */
interface AddressFilter extends LinkFilter {
  to?: Prefix;
  scope?: string | number;
  label?: string;
  with?: string[];
  without?: string[];
}

/** Words that let addresses with a flag through; with a `-`, those without it. */
const FLAG_FILTERS = FLAGS.flatMap(({ flag, word }) => [
  { key: "with", word, is: flagFilter("with", flag) },
  { key: "without", word: `-${word}`, is: flagFilter("without", flag) },
]);

function flagFilter(key: "with" | "without", flag: string): Form {
  return {
    name: "",
    parse: () => flag,
    store(values) {
      values[key] = [...values[key] as string[] ?? [], flag];
    },
  };
}

const ADDRESS_FILTER: WordTable = [
  ...FILTER,
  { key: "to", word: "to", is: prefix },
  { key: "scope", word: "scope", is: scope },
  { key: "label", word: "label", is: text },
  ...FLAG_FILTERS,
  { key: "without", word: "dynamic", is: flagFilter("without", "permanent") },
  { key: "without", word: "primary", is: flagFilter("without", "secondary") },
  { key: "with", word: "temporary", is: flagFilter("with", "secondary") },
  { key: "up", word: "up", is: meaning(true) },
];

function matches(address: Address, filter: AddressFilter, host: Host): boolean {
  const own = address.local ?? address.address ?? "";
  const label = address.label ?? host.names.name(address.index!);
  const flags = new Set<string>(address.flags);
  return (filter.to === undefined || covers(filter.to, own, bitsOf(own))) &&
    (filter.scope === undefined || filter.scope === address.scope) &&
    (filter.label === undefined || pattern(filter.label).test(label)) &&
    (filter.with ?? []).every((flag) => flags.has(flag)) &&
    !(filter.without ?? []).some((flag) => flags.has(flag));
}

/** A pattern with `*` and `?`, as of a shell. */
function pattern(text: string): RegExp {
  const escaped = text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}

/** The addresses of the families that a filter lets through. */
function addressesOf(host: Host, filter: AddressFilter): Promise<Address[]> {
  const family = host.family ?? filter.to?.family;
  return host.rtnl.request(requests.list(family ? { family } : {}));
}

async function list(words: Words, host: Host): Promise<Result> {
  const filter = readFilter<AddressFilter>(ADDRESS_FILTER, words, {}, host);
  const addresses = await addressesOf(host, filter);
  const family = host.family ?? filter.to?.family;
  const rows = chosen(host.names.links, filter, host).flatMap((link) => {
    const own = addresses.filter(({ index }) => index === link.index);
    const shown = own.filter((address) => matches(address, filter, host));
    // A link is left out for having none of those addresses, but not for having no address at all.
    return shown.length === 0 && (own.length > 0 || family !== undefined) ? [] : [{ link, shown }];
  });
  return listOf(
    rows.map(({ link, shown }) => {
      const below = shown.map((address) => printAddress(address, host));
      return join(
        printHead(link, filter, host),
        printed({ addr_info: below.map(({ json }) => json) }, ...below.flatMap(({ text }) => text)),
      );
    }).filter(({ text }) => text.length > 0),
  );
}

/** The link above its addresses. */
function printHead(link: Link, { label, to }: AddressFilter, host: Host): Printed {
  // As with ip, labels are listed without their links.
  if (label !== undefined) return printed({});
  const head = printLink(link, host, false);
  const family = host.family ?? to?.family;
  return family === undefined || host.details ? head : withoutSecondLine(head);
}

/** With a family, `ip` leaves the link-layer addresses out. */
function withoutSecondLine({ json, text }: Printed): Printed {
  const { link_type: _, address: __, broadcast: ___, permaddr: ____, ...rest } = json;
  const from = text.findIndex((part) => part.startsWith("\n    link/"));
  const to = text.findIndex((part, i) => i > from && /^(\n|link-netnsid)/.test(part));
  return { json: rest, text: [...text.slice(0, from), ...to < 0 ? [] : text.slice(to)] };
}

/** Takes away all addresses that a filter lets through. */
async function flush(words: Words, host: Host): Promise<Result> {
  if (words.next === undefined) words.expected("what to flush, such as dev eth0");
  const filter = readFilter<AddressFilter>(ADDRESS_FILTER, words, {}, host);
  const links = new Set(chosen(host.names.links, filter, host).map(({ index }) => index));
  const addresses = (await addressesOf(host, filter))
    .filter((address) => links.has(address.index!) && matches(address, filter, host));
  const outcomes = await host.rtnl.batch(addresses.map(deletion));
  // An address that went with another one is gone all the same.
  const failed = outcomes.find((outcome) =>
    outcome instanceof NetlinkError && outcome.code !== "EADDRNOTAVAIL"
  );
  if (failed !== undefined) throw failed;
  return {};
}

function deletion({ family, index, local, address, prefixLength }: Address): Request<void> {
  return requests.delete({ family, index, local: local ?? address, address, prefixLength });
}

type Verb = "add" | "change" | "replace" | "delete";

/** Adds, changes or deletes an address. */
async function change(verb: Verb, words: Words, host: Host): Promise<Result> {
  const typed: Typed = {};
  readPhrase(WORDS, words, typed, host, (word) => {
    if (typed.local !== undefined || !/[\d:]/.test(word)) return false;
    typed.local = readPrefix(word) ?? words.expected("an ADDRESS/LENGTH");
    return true;
  });
  const request = requestFor(verb, specOf(verb, typed));
  await host.rtnl.request(request);
  return {};
}

/** The library's words for what was typed. */
function specOf(verb: Verb, typed: Typed): Address {
  const { local, peer, broadcast, valid, preferred, index, ...rest } = typed;
  const own = local?.address;
  refuseUnless(own, "Expected an ADDRESS/LENGTH");
  refuseUnless(index, "Expected dev and a link's name");
  if (peer?.family !== undefined && peer.family !== local!.family) {
    throw new InputError(`Cannot ${verb} address ${own} peer ${peer.address}: families differ`);
  }
  const length = (peer ?? local!).length;
  const isNew = verb !== "delete";
  return {
    ...rest,
    index,
    family: familyOf(own),
    local: own,
    // Without a length, IPv4's deletion takes the address with whatever length it has.
    ...(isNew || local!.said || peer ? { address: peer?.address ?? own } : {}),
    prefixLength: length,
    ...(isNew && rest.scope === undefined && own.startsWith("127.") ? { scope: "host" } : {}),
    ...(broadcast === undefined || !isNew
      ? {}
      : broadcastOf(broadcast, peer?.address ?? own, length)),
    ...(valid === undefined && preferred === undefined ? {} : {
      cacheInfo: { valid: valid ?? FOREVER, preferred: preferred ?? valid ?? FOREVER },
    }),
  };
}

/** `+` is the last address of the subnet, `-` the first; the smallest subnets have none. */
function broadcastOf(typed: string, address: string, length: number): Pick<Address, "broadcast"> {
  if (typed !== "+" && typed !== "-") return { broadcast: typed };
  refuseUnless(familyOf(address) === "inet", "Expected an IPv4 address with broadcast + or -");
  return length > 30 ? {} : { broadcast: lastAddress(address, length, typed === "+") };
}

function requestFor(verb: Verb, spec: Address): Request<void> {
  if (verb !== "change") return requests[verb](spec);
  return ofExisting(requests.replace(spec));
}

const NOUN = ["address"] as const;
const CHANGES = {
  add: "add an address",
  change: "change the flags and lifetimes of an address",
  replace: "add an address, or change the one that is there",
  delete: "delete an address",
} as const;

/** The commands about addresses. */
export const ADDRESS_COMMANDS: readonly Command[] = [
  {
    words: [NOUN, LIST],
    operands: "[[dev] NAME] [up] [scope SCOPE] [to PREFIX] [FLAG]...",
    summary: "the links with their addresses",
    example: "address list eth0 --netns blue --json",
    options: { ...LOOKING, ...FAMILY },
    grammar: () => ADDRESS_FILTER,
    run: (typed) => onHost(typed, (host) => list(new Words(typed.words), host)),
  },
  ...Object.entries(CHANGES).map(([verb, summary]): Command => ({
    words: [NOUN, verb === "change" ? [verb, "chg"] : [verb]],
    operands: "ADDRESS/LENGTH dev NAME [WORDS...]",
    summary,
    example: `address ${verb} 10.0.0.1/24 dev eth0`,
    options: FAMILY,
    grammar: () => WORDS,
    run: (typed) => onHost(typed, (host) => change(verb as Verb, new Words(typed.words), host)),
  })),
  {
    words: [NOUN, ["flush"]],
    operands: "[dev] NAME [scope SCOPE] [to PREFIX] [FLAG]...",
    summary: "delete many addresses",
    example: "address flush dev eth0",
    options: FAMILY,
    grammar: () => ADDRESS_FILTER,
    run: (typed) => onHost(typed, (host) => flush(new Words(typed.words), host)),
  },
];
