/**
 * `neighbour`: the words and the output of `ip neighbour`.
 *
 * @module
 */

import { NetlinkError } from "../ffi/errors.ts";
import { type Neighbour, neighbour as requests } from "../rtnl/neighbour.ts";
import { ofExisting, type Request } from "../rtnl/request.ts";
import { parseAddress } from "../rtnl/codec/ip.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { device, flag, ip, mac, meaning, refuseUnless } from "./forms.ts";
import { FAMILY, type Host, LOOKING, onHost } from "./host.ts";
import { listOf } from "./link.ts";
import { covers, type Prefix, readPrefix } from "./prefix.ts";
import { protocol } from "./routing.ts";
import { type Form, print, type Printed, readPhrase, Words, type WordTable } from "./words.ts";

const STATES = [
  "incomplete",
  "reachable",
  "stale",
  "delay",
  "probe",
  "failed",
  "noarp",
  "permanent",
] as const;

/** What is known of a neighbour's address, NUD_*. */
const state: Form<readonly string[]> = {
  name: `none|all|${STATES.join("|")}`,
  parse(words) {
    const word = words.take();
    if (word === "none") return [];
    if (word === "all") return STATES;
    return STATES.includes(word as "stale") ? [word!] : undefined;
  },
  json: (states) => states.length === 0 ? undefined : capitals(states),
  text: (states) => states.length === 0 ? undefined : capitals(states).join(" "),
};

function capitals(states: readonly string[]): string[] {
  return STATES.filter((state) => states.includes(state)).map((state) => state.toUpperCase());
}

const WORDS: WordTable<Neighbour> = [
  { key: "dst", word: "to", json: "dst", text: "", is: ip },
  { key: "index", word: "dev", is: device },
  { key: "address", word: "lladdr", is: mac },
  { key: "flags", word: "router", is: flag("router") },
  {
    key: "flags",
    word: "proxy",
    is: {
      ...flag("proxy"),
      name: "ADDRESS",
      parse: ip.parse!,
      store: (values, address) => Object.assign(values, { dst: address, flags: ["proxy"] }),
    },
  },
  { key: "extendedFlags", word: "managed", is: flag("managed") },
  { key: "flags", word: "extern_learn", is: flag("externLearn") },
  { key: "flags", word: "use", json: "", text: false, is: flag("use") },
  { key: "flags", json: "offload", text: "offload", is: flag("offloaded") },
  { key: "state", word: "nud", json: "state", text: "", is: state },
  { key: "protocol", word: "protocol", text: "proto", is: protocol },
];

/** A neighbour as `ip neighbour` prints it. */
export function printNeighbour(neighbour: Neighbour, host: Host): Printed {
  const { protocol, ...rest } = neighbour;
  return print(WORDS, protocol === "unspec" ? rest : neighbour, host);
}

/** Which neighbours to list or flush. */
interface Filter {
  index?: number;
  master?: number;
  to?: Prefix;
  state?: readonly string[];
  proxy?: boolean;
  protocol?: string | number;
  unused?: boolean;
}

const FILTER: WordTable<Filter> = [
  { key: "index", word: "dev", is: device },
  { key: "master", word: ["master", "vrf"], is: device },
  {
    key: "to",
    word: "to",
    is: { name: "PREFIX", parse: (words) => readPrefix(words.take() ?? "") },
  },
  {
    key: "state",
    word: "nud",
    is: {
      ...state,
      store: (values, more: string[]) => {
        values.state = [...values.state as string[] ?? [], ...more];
      },
    },
  },
  { key: "proxy", word: "proxy", is: meaning(true) },
  { key: "unused", word: "unused", is: meaning(true) },
  { key: "protocol", word: "protocol", is: protocol },
];

function readFilter(words: Words, host: Host): Filter {
  const filter: Filter = {};
  return readPhrase(FILTER, words, filter, host, (word) => {
    const to = readPrefix(word);
    if (to === undefined || filter.to !== undefined) return false;
    filter.to = to;
    return true;
  });
}

/** The neighbours that a filter lets through; those that need no lookup only when they are asked for. */
async function neighboursOf(filter: Filter, host: Host): Promise<Neighbour[]> {
  const { index, master, to, proxy, unused } = filter;
  const family = host.family ?? to?.family;
  const states = new Set<string>(filter.state ?? STATES.filter((state) => state !== "noarp"));
  const wantsNone = filter.state?.length === 0;
  const found = await host.rtnl.request(requests.list({
    ...family === undefined ? {} : { family },
    ...index === undefined ? {} : { index },
    ...master === undefined ? {} : { master },
    ...proxy ? { flags: ["proxy"] } : {},
  }));
  return found.filter((neighbour) =>
    (index === undefined || neighbour.index === index) &&
    ["inet", "inet6"].includes(String(neighbour.family)) &&
    (neighbour.state?.some((state) => states.has(state)) ||
      neighbour.flags?.some((flag) => flag === "proxy" || flag === "externLearn") ||
      wantsNone && neighbour.state?.length === 0) &&
    (to === undefined ||
      covers(to, neighbour.dst ?? "", (parseAddress(neighbour.dst ?? "")?.length ?? 0) * 8)) &&
    (!unused || !neighbour.cacheInfo?.references) &&
    (filter.protocol === undefined ||
      protocol.json!(neighbour.protocol ?? 0, host) === protocol.json!(filter.protocol, host))
  );
}

async function list(words: Words, host: Host): Promise<Result> {
  const filter = readFilter(words, host);
  const found = await neighboursOf(filter, host);
  return listOf(
    found.map(({ index, ...rest }) =>
      printNeighbour(filter.index === undefined ? { index, ...rest } : rest, host)
    ),
  );
}

async function flush(words: Words, host: Host): Promise<Result> {
  if (words.next === undefined) words.expected("what to flush, such as dev eth0");
  const filter = readFilter(words, host);
  const found = await neighboursOf(filter, host);
  // As with ip, permanent ones stay unless they are asked for.
  const gone = found.filter(({ state }) =>
    filter.state !== undefined || !state?.includes("permanent")
  );
  const outcomes = await host.rtnl.batch(gone.map((neighbour) => requests.delete(neighbour)));
  const failed = outcomes.find((outcome) =>
    outcome instanceof NetlinkError && outcome.code !== "ENOENT"
  );
  if (failed !== undefined) throw failed;
  return {};
}

async function get(words: Words, host: Host): Promise<Result> {
  const spec = readNeighbour(words, host);
  return listOf([printNeighbour(await host.rtnl.request(requests.get(spec)), host)]);
}

type Verb = "add" | "change" | "replace" | "delete";

async function change(verb: Verb, words: Words, host: Host): Promise<Result> {
  await host.rtnl.request(requestFor(verb, readNeighbour(words, host)));
  return {};
}

function requestFor(verb: Verb, spec: Neighbour): Request<void> {
  if (verb !== "change") return requests[verb](spec);
  return ofExisting(requests.replace(spec));
}

function readNeighbour(words: Words, host: Host): Neighbour {
  const spec: Neighbour = {};
  readPhrase(WORDS, words, spec, host, (word) => {
    if (spec.dst !== undefined || parseAddress(word) === undefined) return false;
    spec.dst = word;
    return true;
  });
  refuseUnless(spec.dst, "Expected an ADDRESS");
  if (spec.index === undefined && !spec.flags?.includes("proxy")) {
    refuseUnless(false, "Expected dev and a link's name");
  }
  // A managed one is looked up by the kernel, so nothing is known of it yet.
  return spec.extendedFlags?.includes("managed") ? { state: [], ...spec } : spec;
}

const NOUN = ["neighbour", "neighbor"] as const;
const CHANGES = {
  add: "add a neighbour",
  change: "change a neighbour",
  replace: "add a neighbour, or change the one that is there",
  delete: "delete a neighbour",
} as const;

/** The commands about neighbours. */
export const NEIGHBOUR_COMMANDS: readonly Command[] = [
  {
    words: [NOUN, LIST],
    operands: "[to PREFIX] [dev NAME] [nud STATE] [proxy]",
    summary: "the neighbours: which link-layer address an address has",
    example: "neighbour list dev eth0",
    options: { ...LOOKING, ...FAMILY },
    grammar: () => FILTER,
    run: (typed) => onHost(typed, (host) => list(new Words(typed.words), host)),
  },
  ...Object.entries(CHANGES).map(([verb, summary]): Command => ({
    words: [NOUN, verb === "change" ? [verb, "chg"] : [verb]],
    operands: "ADDRESS [lladdr LLADDR] [nud STATE] dev NAME",
    summary,
    example: `neighbour ${verb} 10.0.0.2 lladdr 02:00:5e:00:53:01 dev eth0`,
    grammar: () => WORDS,
    run: (typed) => onHost(typed, (host) => change(verb as Verb, new Words(typed.words), host)),
  })),
  {
    words: [NOUN, ["get"]],
    operands: "ADDRESS dev NAME",
    summary: "one neighbour",
    example: "neighbour get 10.0.0.2 dev eth0",
    options: LOOKING,
    grammar: () => WORDS,
    run: (typed) => onHost(typed, (host) => get(new Words(typed.words), host)),
  },
  {
    words: [NOUN, ["flush"]],
    operands: "[to PREFIX] [dev NAME] [nud STATE]",
    summary: "delete many neighbours",
    example: "neighbour flush dev eth0",
    options: FAMILY,
    grammar: () => FILTER,
    run: (typed) => onHost(typed, (host) => flush(new Words(typed.words), host)),
  },
];
