/**
 * `rule`: the words and the output of `ip rule`.
 *
 * @module
 */

import { type Rule, rule as requests } from "../rtnl/rule.ts";
import { type Command, LIST, type Result } from "./command.ts";
import {
  bigNumber,
  hex,
  hexText,
  meaning,
  number,
  only,
  readNumber,
  text,
  unlessZero,
} from "./forms.ts";
import { FAMILY, type Host, LOOKING, onHost } from "./host.ts";
import { listOf } from "./link.ts";
import { bitsOf, type Prefix, prefix, prefixText } from "./prefix.ts";
import { named, protocol, table, unless } from "./routing.ts";
import {
  type Form,
  join,
  print,
  type Printed,
  printed,
  readAll,
  Words,
  type WordTable,
} from "./words.ts";

/** From one number to another. */
interface Range {
  start?: number;
  end?: number;
}

/** `7` or `7-9`. */
const range: Form<Range> = {
  name: "NUMBER[-NUMBER]",
  parse(words) {
    const [, start, end = start] = /^(\d+)(?:-(\d+))?$/.exec(words.take() ?? "") ?? [];
    return start === undefined ? undefined : { start: Number(start), end: Number(end) };
  },
  text: ({ start, end }) => start === end ? `${start}` : `${start}-${end}`,
};

/** The same for users: both ends are always said. */
const users: Form<Range> = {
  ...range,
  json: ({ start, end }) => ({ uid_start: start, uid_end: end }),
  text: ({ start, end }) => `${start}-${end}`,
};

/** The same for ports: one number has a key of its own. */
function ports(word: string): Form<Range> {
  return {
    ...range,
    json: ({ start, end }) =>
      start === end ? { [word]: start } : { [`${word}_start`]: start, [`${word}_end`]: end },
  };
}

/** A mark and the bits of it that count. */
interface Mark {
  mark?: number | undefined;
  mask?: number | undefined;
}

/** `0x10` or `0x10/0xff`. */
const fwmark: Form<Mark> = {
  name: "MARK[/MASK]",
  parse(words) {
    const [mark, mask] = (words.take() ?? "").split("/").map(readNumber);
    return mark === undefined ? undefined : { mark, mask };
  },
  json: ({ mark = 0, mask }) => ({
    fwmark: hexText(mark),
    ...isWhole(mask) ? {} : { fwmask: hexText(mask!) },
  }),
  text: ({ mark = 0, mask }) =>
    isWhole(mask) ? hexText(mark) : `${hexText(mark)}/${hexText(mask!)}`,
};

function isWhole(mask: number | undefined): boolean {
  return mask === undefined || mask === 0xffffffff;
}

/** Where packets come from or go to. */
function end(address: string, length: string): Form<Prefix> {
  return {
    ...prefix,
    json: (prefix) => ({
      [address]: prefix.address ?? "all",
      ...prefix.address === undefined || prefix.length === bitsOf(prefix.address)
        ? {}
        : { [length]: prefix.length },
    }),
    text: (prefix) =>
      prefix.address === undefined ? "all" : prefixText(prefix.address, prefix.length),
  };
}

/** IPPROTO_* as /etc/protocols names the usual ones. */
const ipProtocol = named(
  { icmp: 1, tcp: 6, udp: 17, gre: 47, "ipv6-icmp": 58, sctp: 132 },
  "PROTOCOL",
);

/** A number that is -1 for none. */
const unlessNone: Form<number> = only(number, (value) => value !== -1);

/** What is said in one word and in several keys of the rtnl table. */
interface Joined {
  from?: Prefix;
  to?: Prefix;
  mark?: Mark;
}

/** One of the things that a rule does with packets. */
function action(name: string): Form {
  return {
    ...meaning(name),
    json: (value) => value === name ? name : undefined,
    text: (value) => value === name ? name : undefined,
  };
}

const WORDS: WordTable<Rule & Joined> = [
  { key: "flags", word: "not", json: "", text: false, is: meaning(["invert"]) },
  { key: "priority", word: ["priority", "preference", "pref", "order"], text: false, is: number },
  { key: "from", word: "from", json: "*", is: end("src", "srclen") },
  { key: "to", word: "to", json: "*", is: end("dst", "dstlen") },
  { key: "tos", word: ["tos", "dsfield"], is: unlessZero(hex) },
  { key: "mark", word: "fwmark", json: "*", is: fwmark },
  { key: "iif", word: ["iif", "dev"], is: text },
  { key: "oif", word: "oif", is: text },
  {
    key: "l3mdev",
    word: "l3mdev",
    text: "lookup [l3mdev-table]",
    is: { ...meaning(true), json: () => null, text: () => "" },
  },
  { key: "uidRange", word: "uidrange", json: "*", is: users },
  { key: "ipProtocol", word: "ipproto", is: ipProtocol },
  { key: "sport", word: "sport", json: "*", is: ports("sport") },
  { key: "dport", word: "dport", json: "*", is: ports("dport") },
  { key: "tunnelId", word: "tun_id", is: bigNumber },
  {
    key: "table",
    word: ["table", "lookup"],
    text: "lookup",
    is: only(table, (it) => it !== "unspec"),
  },
  {
    key: "suppressPrefixLength",
    word: ["suppress_prefixlength", "sup_pl"],
    json: "suppress_prefixlen",
    is: unlessNone,
  },
  { key: "suppressGroup", word: ["suppress_ifgroup", "sup_group"], is: unlessNone },
  { key: "goto", word: "goto", is: number },
  {
    key: "action",
    word: "nop",
    is: { ...action("nop"), json: (value) => value === "nop" ? null : undefined },
  },
  { key: "action", word: "blackhole", json: "action", text: "", is: action("blackhole") },
  { key: "action", word: "unreachable", json: "action", text: "", is: action("unreachable") },
  { key: "action", word: "prohibit", json: "action", text: "", is: action("prohibit") },
  {
    key: "protocol",
    word: "protocol",
    text: "proto",
    is: unless("kernel", unless("unspec", protocol)),
  },
];

/** A rule as `ip rule` prints it. */
export function printRule(rule: Rule, host: Host): Printed {
  const { priority = 0, src, srcLength = 0, dst, dstLength = 0, fwmark, fwmask } = rule;
  const inverted = rule.flags?.includes("invert");
  const joined: Rule & Joined = {
    ...rule,
    priority,
    from: { family: undefined, length: srcLength, said: true, ...src && { address: src } },
    ...dst && { to: { family: undefined, length: dstLength, said: true, address: dst } },
    ...fwmark === undefined && fwmask === undefined ? {} : { mark: { mark: fwmark, mask: fwmask } },
  };
  return join(
    printed(inverted ? { not: null } : {}, `${priority}:\t${inverted ? "not" : ""}`),
    print(WORDS, joined, host),
  );
}

/** The library's words for what was typed. */
function specOf({ from, to, mark, ...rest }: Rule & Joined, host: Host): Rule {
  return {
    family: host.family ?? from?.family ?? to?.family ?? "inet",
    ...rest,
    ...from?.address === undefined ? {} : { src: from.address, srcLength: from.length },
    ...to?.address === undefined ? {} : { dst: to.address, dstLength: to.length },
    ...mark === undefined
      ? {}
      : { fwmark: mark.mark, ...mark.mask === undefined ? {} : { fwmask: mark.mask } },
    ...rest.goto === undefined ? {} : { action: "goto" },
  };
}

async function change(verb: "add" | "delete", words: Words, host: Host): Promise<Result> {
  if (words.next === undefined) words.expected("a rule, such as from 10.0.0.0/8 table 100");
  const spec = specOf(readAll<Rule & Joined>(WORDS, words, {}, host), host);
  await host.rtnl.request(requests[verb](spec));
  return {};
}

/** The rules of a family that have all that is said. */
async function rulesOf(words: Words, host: Host): Promise<Rule[]> {
  const asked = readAll<Rule & Joined>(WORDS, words, {}, host);
  const rules = await host.rtnl.request(requests.list({ family: host.family ?? "inet" }));
  const wanted = Object.entries(print(WORDS, asked, host).json);
  return rules.filter((rule) => {
    const { json } = printRule(rule, host);
    return wanted.every(([key, value]) => JSON.stringify(json[key]) === JSON.stringify(value));
  });
}

async function flush(words: Words, host: Host): Promise<Result> {
  for (const rule of await rulesOf(words, host)) {
    // The rule with priority 0 leads to the table "local", and stays, as with ip.
    if (rule.priority !== undefined) await host.rtnl.request(requests.delete(rule));
  }
  return {};
}

const NOUN = ["rule"] as const;
const options = FAMILY;
const grammar = () => WORDS;

/** The commands about rules. */
export const RULE_COMMANDS: readonly Command[] = [
  {
    words: [NOUN, LIST],
    operands: "[WORDS...]",
    summary: "the rules that choose routing tables",
    example: "rule list --family inet6",
    options: { ...LOOKING, ...FAMILY },
    grammar,
    run: (typed) =>
      onHost(typed, async (host) => {
        const rules = await rulesOf(new Words(typed.words), host);
        return listOf(rules.map((rule) => printRule(rule, host)));
      }),
  },
  {
    words: [NOUN, ["add"]],
    operands: "[from PREFIX] [to PREFIX] [WORDS...] [table TABLE]",
    summary: "add a rule",
    example: "rule add from 10.0.0.0/8 fwmark 7 table 100",
    options,
    grammar,
    run: (typed) => onHost(typed, (host) => change("add", new Words(typed.words), host)),
  },
  {
    words: [NOUN, ["delete"]],
    operands: "[from PREFIX] [to PREFIX] [WORDS...] [table TABLE]",
    summary: "delete a rule",
    example: "rule delete from 10.0.0.0/8 fwmark 7 table 100",
    options,
    grammar,
    run: (typed) => onHost(typed, (host) => change("delete", new Words(typed.words), host)),
  },
  {
    words: [NOUN, ["flush"]],
    operands: "[WORDS...]",
    summary: "delete many rules",
    example: "rule flush table 100",
    options,
    grammar,
    run: (typed) => onHost(typed, (host) => flush(new Words(typed.words), host)),
  },
];
