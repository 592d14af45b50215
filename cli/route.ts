/**
 * `route`: the words and the output of `ip route`.
 *
 * @module
 */

import { NetlinkError } from "../ffi/errors.ts";
import { type Nexthop, nexthop } from "../rtnl/nexthop.ts";
import { ofExisting, type Request } from "../rtnl/request.ts";
import { type Route, route as requests, ROUTE_METRICS } from "../rtnl/route.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { choice, device, hex, ip, meaning, number, refuseUnless, words } from "./forms.ts";
import { ENCAP, printEncap } from "./encap.ts";
import { FAMILY, type Host, LOOKING, onHost } from "./host.ts";
import { listOf } from "./link.ts";
import { printNexthop } from "./nexthop.ts";
import { bitsOf, covers, familyOf, type Prefix, prefix, prefixText, readPrefix } from "./prefix.ts";
import { type Gateway, gateway, printFlags, protocol, scope, table, unless } from "./routing.ts";
import {
  type Form,
  join,
  print,
  type Printed,
  printed,
  readPhrase,
  readWord,
  readWords,
  type Values,
  vocabulary,
  Words,
  type WordTable,
} from "./words.ts";

const TYPES = [
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
] as const;

/** ICMPV6_ROUTER_PREF_* (RFC 4191). */
const preference = choice("low", "medium", "high");

/** A type of service. */
const tos: Form<number> = {
  ...hex,
  json: (value) => value === 0 ? undefined : `0x${value.toString(16).padStart(2, "0")}`,
  text: (value) => value === 0 ? undefined : `0x${value.toString(16).padStart(2, "0")}`,
};

/** Milliseconds, or with `s` seconds; the kernel counts them in fractions. */
function time(fraction: number): Form<number> {
  return {
    name: "TIME",
    parse(words) {
      const [, value, unit] = /^(\d+(?:\.\d+)?)(s|ms)?$/.exec(words.take() ?? "") ?? [];
      if (value === undefined) return undefined;
      // A bare number is the kernel's own, as with ip.
      return unit === undefined
        ? Number(value)
        : Math.round(Number(value) * (unit === "s" ? 1000 : 1) * fraction);
    },
    json: (value) => Math.floor(value / fraction),
    text(value) {
      const milliseconds = Math.floor(value / fraction);
      return milliseconds >= 1000 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
    },
  };
}

/** The congestion control's features that have a name. */
const features: Form<number> = {
  name: "ecn",
  parse: (words) => words.takeIf("ecn") ? 1 : undefined,
};

const METRICS: WordTable<typeof ROUTE_METRICS> = [
  { key: "mtu", word: "mtu", is: number },
  { key: "window", word: "window", is: number },
  { key: "rtt", word: "rtt", is: time(8) },
  { key: "rttVariance", word: "rttvar", is: time(4) },
  { key: "slowStartThreshold", word: "ssthresh", is: number },
  { key: "congestionWindow", word: "cwnd", is: number },
  { key: "advertisedMss", word: "advmss", is: number },
  { key: "reordering", word: "reordering", is: number },
  { key: "hopLimit", word: "hoplimit", is: number },
  { key: "initialCongestionWindow", word: "initcwnd", is: number },
  { key: "features", word: "features", is: features },
  { key: "minimumRto", word: "rto_min", is: time(1) },
  { key: "initialReceiveWindow", word: "initrwnd", is: number },
  { key: "quickAck", word: "quickack", is: number },
];

/** A metric, which the kernel may be told not to change: `mtu lock 1400`. */
function metric({ key, is }: WordTable[number]): Form<{ value: unknown; locked: boolean }> {
  const bit = 1 << ROUTE_METRICS[key as keyof typeof ROUTE_METRICS][1];
  return {
    name: `[lock] ${is.name}`,
    parse(words, host, typed) {
      // ip locks this one always.
      const locked = words.takeIf("lock") || key === "minimumRto";
      const value = is.parse!(words, host, typed);
      return value === undefined ? undefined : { value, locked };
    },
    store(values, { value, locked }) {
      const { lock = 0, ...others } = (values.metrics ?? {}) as { lock?: number };
      const locks = locked ? lock | bit : lock;
      values.metrics = { ...others, [key]: value, ...locks === 0 ? {} : { lock: locks } };
    },
  };
}

/** One of several ways, as it is typed. */
interface TypedWay {
  gateway?: Gateway;
  oif?: number;
  weight?: number;
}

/** What may be said of a route, but for what is said of where it leads. */
interface Typed {
  prefsrc?: string;
  nexthopId?: number;
  dst?: Prefix;
  src?: Prefix;
  gateway?: Gateway;
  nexthops?: TypedWay[];
  type?: string;
  scope?: string | number;
  table?: string | number;
  protocol?: string | number;
}

const onlink: Form = {
  name: "",
  parse: () => ["onlink"],
};

const WORDS: WordTable<Route & Typed> = [
  { key: "dst", word: "to", is: prefix },
  { key: "src", word: "from", is: prefix },
  { key: "nexthopId", word: "nhid", is: number },
  { key: "tos", word: ["tos", "dsfield"], is: number },
  ...ENCAP,
  { key: "gateway", word: "via", is: gateway },
  { key: "oif", word: ["dev", "oif"], is: device },
  { key: "table", word: "table", is: table },
  { key: "protocol", word: "protocol", is: protocol },
  { key: "scope", word: "scope", is: scope },
  { key: "prefsrc", word: "src", is: ip },
  { key: "priority", word: ["metric", "priority", "preference"], is: number },
  { key: "flags", word: "onlink", is: onlink },
  { key: "expires", word: "expires", is: number },
  { key: "preference", word: "pref", is: preference },
  { key: "ttlPropagate", word: "ttl-propagate", is: words({ enabled: 1, disabled: 0 }) },
  ...METRICS.map((row) => ({ key: "metrics" as const, word: row.word!, is: metric(row) })),
];

/** A gateway of another family than the route's. */
const otherFamily: Form<string> = {
  name: "",
  json: (host) => ({ family: familyOf(host), host }),
  text: (host) => `${familyOf(host)} ${host}`,
};

/** What stands between a route's destination and its flags. */
const SHOWN: WordTable<Route> = [
  { key: "nexthopId", json: "nhid", text: "nhid", is: number },
  { key: "tos", json: "tos", text: "tos", is: tos },
  { key: "gateway", json: "gateway", text: "via", is: ip },
  { key: "via", json: "via", text: "via", is: otherFamily },
  { key: "oif", json: "dev", text: "dev", is: device },
  { key: "table", json: "table", text: "table", is: unless("main", table) },
  { key: "protocol", json: "protocol", text: "proto", is: unless("boot", protocol) },
  { key: "scope", json: "scope", text: "scope", is: unless("global", scope) },
  { key: "prefsrc", json: "prefsrc", text: "src", is: ip },
  { key: "priority", json: "metric", text: "metric", is: number },
];

/** What stands behind the flags, but for the metrics. */
const MORE: WordTable<Route> = [
  { key: "iif", json: "iif", text: "iif", is: device },
  { key: "preference", json: "pref", text: "pref", is: preference },
];

/** A route as `ip route` prints it; what a filter makes clear is left out of it. */
export function printRoute(
  route: Route,
  host: Host,
  nexthops: ReadonlyMap<number, Nexthop> = new Map(),
): Printed {
  const nexthop = host.details ? nexthops.get(route.nexthopId ?? 0) : undefined;
  const isCloned = route.flags?.includes("cloned") ?? false;
  const { table: _, protocol: __, scope: ___, ...cloned } = route;
  const type = route.type === "unicast" && !host.details ? undefined : route.type;
  const dst = prefixText(route.dst, route.dstLength);
  const from = route.src === undefined ? undefined : prefixText(route.src, route.srcLength);
  return join(
    printed({ ...type === undefined ? {} : { type }, dst }, String(type ?? ""), dst),
    from === undefined ? printed({}) : printed({ from }, `from ${from}`),
    printEncap(route, host),
    print(SHOWN, isCloned ? { ...cloned, ...lookedUp(route) } : route, host),
    printFlags(route.flags ?? []),
    printCache(route, isCloned),
    printMetrics(route, host),
    print(MORE, route, host),
    nexthop === undefined ? printed({}) : described(printNexthop(nexthop, host)),
    printWays(route, host),
  );
}

/** The nexthop that a route shares with others. */
function described({ json, text }: Printed): Printed {
  return printed({ nh_info: json }, "\n\tnh_info", ...text);
}

/** A route that was looked up says its table when that isn't the usual one. */
function lookedUp({ table }: Route): Route {
  return table === undefined || table === "main" || table === "unspec" ? {} : { table };
}

const RTCF_LOCAL = 0x80000000;

/** What the kernel remembers of a route: of one that was looked up, also that it comes from there. */
function printCache(
  { family, flags = [], cacheInfo, uid }: Route,
  isCloned: boolean,
): Printed {
  const json: Record<string, unknown> = {};
  const text: string[] = [];
  if (uid !== undefined) {
    json.uid = uid;
    text.push(`uid ${uid}`);
  }
  if (isCloned && family === "inet") {
    // RTCF_LOCAL of linux/in_route.h, where IPv4's cache keeps its own flags.
    const local = flags.some((flag) => flag.startsWith("0x") && (Number(flag) & RTCF_LOCAL) !== 0);
    json.cache = local ? ["local"] : [];
    text.push("\n    cache", local ? "<local>" : "");
  }
  const expires = Math.trunc((cacheInfo?.expires ?? 0) / 100);
  if (cacheInfo?.expires) {
    json.expires = expires;
    text.push(`expires ${expires}sec`);
  }
  if (cacheInfo?.error) {
    json.error = cacheInfo.error;
    text.push(`error ${cacheInfo.error}`);
  }
  return printed(json, ...text);
}

function printMetrics({ metrics }: Route, host: Host): Printed {
  if (metrics === undefined) return printed({});
  const { lock = 0, hopLimit, features, ...others } = metrics;
  const shown = hopLimit === 0xffffffff || hopLimit === undefined
    ? others
    : { ...others, hopLimit };
  const { json, text } = print(METRICS, shown, host);
  const isLocked = (key: string) =>
    (lock & 1 << ROUTE_METRICS[key as keyof typeof ROUTE_METRICS][1]) !== 0;
  const locked = METRICS.filter(({ key }) => isLocked(key)).map(({ word }) => String(word));
  return printed(
    { metrics: [{ ...json, ...features === 1 ? { ecn: null } : {} }] },
    ...text.map((part) => {
      const [word = "", value] = part.split(" ");
      return locked.includes(word) ? `${word} lock ${value}` : part;
    }),
    features === 1 ? "features ecn" : "",
  );
}

/** One of several ways. */
const WAY: WordTable<Way> = [
  { key: "gateway", word: "via", is: gateway },
  { key: "oif", word: "dev", is: device },
  { key: "weight", word: "weight", is: number },
  { key: "flags", word: "onlink", is: onlink },
];
const SHOWN_WAY: WordTable<Way> = [
  { key: "gateway", json: "gateway", text: "via", is: ip },
  { key: "via", json: "via", text: "via", is: otherFamily },
  { key: "oif", json: "dev", text: "dev", is: device },
  { key: "weight", json: "weight", text: "weight", is: number },
];

/** What of a way is typed and printed. */
interface Way {
  gateway?: string;
  via?: string;
  oif?: number;
  weight?: number;
  flags?: readonly string[];
}

function printWays({ multipath }: Route, host: Host): Printed {
  if (multipath === undefined) return printed({});
  const ways = (multipath as readonly Way[]).map((way) =>
    join(print(SHOWN_WAY, way, host), printFlags(way.flags ?? []))
  );
  return printed(
    { nexthops: ways.map(({ json }) => json) },
    ...ways.flatMap(({ text }) => ["\n\tnexthop", ...text]),
  );
}

/** The ways behind each `nexthop`. */
function readWays(words: Words, host: Host): TypedWay[] {
  const ways: TypedWay[] = [];
  while (words.takeIf("nexthop")) ways.push(readWords(WAY, words, {}, host));
  words.end([...vocabulary(WAY), "nexthop"]);
  return ways;
}

/** Which routes to list or flush. */
interface RouteFilter {
  table?: string | number;
  protocol?: string | number;
  scope?: string | number;
  type?: string;
  oif?: number;
  iif?: number;
  priority?: number;
  gateway?: Gateway;
  prefsrc?: string;
  cloned?: boolean;
  root?: Prefix;
  match?: Prefix;
  exact?: Prefix;
}

const all: Form = { name: "all", parse: (words) => words.takeIf("all") ? "all" : undefined };

const FILTER: WordTable<RouteFilter> = [
  {
    key: "cloned",
    word: "table",
    is: { name: "cache", parse: (w) => w.takeIf("cache") || undefined },
  },
  { key: "table", word: "table", is: all },
  { key: "table", word: "table", is: table },
  { key: "protocol", word: "protocol", is: protocol },
  { key: "scope", word: "scope", is: scope },
  { key: "type", word: "type", is: words(Object.fromEntries(TYPES.map((type) => [type, type]))) },
  { key: "oif", word: ["dev", "oif"], is: device },
  { key: "iif", word: "iif", is: device },
  { key: "priority", word: ["metric", "priority", "preference"], is: number },
  { key: "gateway", word: "via", is: gateway },
  { key: "prefsrc", word: "src", is: ip },
  { key: "cloned", word: ["cached", "cloned"], is: meaning(true) },
  { key: "root", word: "root", is: prefix },
  { key: "match", word: "match", is: prefix },
  { key: "exact", word: "exact", is: prefix },
];

function readFilter(words: Words, host: Host): RouteFilter {
  const filter: RouteFilter = {};
  readPhrase(FILTER, words, filter, host, (word) => {
    const bare = readPrefix(word);
    if (bare === undefined || filter.exact !== undefined) return word === "to";
    filter.exact = bare;
    return true;
  });
  return filter;
}

/** The routes that a filter lets through, without what it makes clear. */
async function routesOf(filter: RouteFilter, host: Host): Promise<Route[]> {
  const wanted = filter.table ?? 254;
  const family = host.family ??
    (filter.exact ?? filter.root ?? filter.match ?? filter.gateway)?.family ??
    (wanted === "all" ? undefined : "inet");
  const all = await host.rtnl.request(requests.list({
    ...family === undefined ? {} : { family },
    ...wanted === "all" ? {} : { table: wanted as number },
  }));
  return all.filter((route) =>
    route.flags?.includes("cloned") === (filter.cloned ?? false) && matches(route, filter, host)
  );
}

function matches(route: Route, filter: RouteFilter, host: Host): boolean {
  const { dst, dstLength = 0 } = route;
  const start = dst ?? (route.family === "inet6" ? "::" : "0.0.0.0");
  const outer: Prefix = { family: familyOf(start), address: start, length: dstLength, said: true };
  const isSame = (form: Form, a: unknown, b: unknown) =>
    b === undefined || form.json!(a, host) === form.json!(b, host);
  const equal = <Key extends "type" | "oif" | "iif" | "priority" | "prefsrc">(key: Key) =>
    filter[key] === undefined || filter[key] === route[key];
  const { exact, root, match } = filter;
  return (["type", "oif", "iif", "priority", "prefsrc"] as const).every(equal) &&
    isSame(protocol, route.protocol, filter.protocol) && isSame(scope, route.scope, filter.scope) &&
    (filter.gateway === undefined || route.gateway === filter.gateway.address) &&
    (exact === undefined || exact.length === dstLength && covers(exact, start, dstLength)) &&
    (root === undefined || covers(root, start, dstLength)) &&
    (match === undefined || match.address === undefined && dstLength === 0 ||
      match.address !== undefined && covers(outer, match.address, match.length));
}

async function list(words: Words, host: Host): Promise<Result> {
  const filter = readFilter(words, host);
  const routes = await routesOf(filter, host);
  const nexthops = host.details ? await host.rtnl.request(nexthop.list()) : [];
  const byId = new Map(nexthops.map((nexthop) => [nexthop.id!, nexthop]));
  return listOf(routes.map((route) => printRoute(withoutClear(route, filter), host, byId)));
}

/** What the filter says of all of them is not said of each. */
function withoutClear(route: Route, filter: RouteFilter): Route {
  const shown = { ...route };
  if (filter.table !== "all") delete shown.table;
  if (filter.protocol !== undefined) delete shown.protocol;
  if (filter.scope !== undefined) delete shown.scope;
  if (filter.oif !== undefined) delete shown.oif;
  if (filter.priority !== undefined) delete shown.priority;
  if (filter.gateway !== undefined) delete shown.gateway;
  if (filter.prefsrc !== undefined) delete shown.prefsrc;
  return shown;
}

async function flush(words: Words, host: Host): Promise<Result> {
  if (words.next === undefined) words.expected("what to flush, such as dev eth0 or table 100");
  const routes = await routesOf(readFilter(words, host), host);
  const outcomes = await host.rtnl.batch(routes.map((route) => requests.delete(identity(route))));
  // A route that went with another one is gone all the same.
  const failed = outcomes.find((outcome) =>
    outcome instanceof NetlinkError && outcome.code !== "ESRCH"
  );
  if (failed !== undefined) throw failed;
  return {};
}

/** What tells a route from the others. */
function identity(route: Route): Route {
  const { flags: _, cacheInfo: __, preference: ___, ...rest } = route;
  return rest;
}

/** The route to a destination. */
async function get(words: Words, host: Host): Promise<Result> {
  const typed: Values = {};
  readPhrase(ASKED, words, typed, host, (word) => {
    const bare = readPrefix(word);
    if (bare === undefined || typed.dst !== undefined) return word === "to";
    typed.dst = bare;
    return true;
  });
  const { dst, src, ...rest } = typed as { dst?: Prefix; src?: Prefix };
  refuseUnless(dst?.address, "Expected an ADDRESS to find the route to");
  const route = await host.rtnl.request(requests.get({
    ...rest,
    family: dst.family,
    dst: dst.address,
    dstLength: bitsOf(dst.address),
    ...src?.address === undefined ? {} : { src: src.address, srcLength: src.length },
    // Tells the table; IPv4 alone knows it.
    ...dst.family === "inet" ? { flags: ["lookupTable"] } : {},
  }));
  return listOf([printRoute(route, host)]);
}

const ASKED: WordTable = [
  { key: "src", word: "from", is: prefix },
  { key: "iif", word: "iif", is: device },
  { key: "oif", word: ["oif", "dev", "vrf"], is: device },
  { key: "tos", word: ["tos", "dsfield"], is: number },
  { key: "mark", word: "mark", is: number },
  { key: "sport", word: "sport", is: number },
  { key: "dport", word: "dport", is: number },
];

type Verb = "add" | "append" | "change" | "replace" | "delete";

async function change(verb: Verb, words: Words, host: Host): Promise<Result> {
  const spec = specOf(verb, readRoute(words, host), host);
  await host.rtnl.request(requestFor(verb, spec));
  return {};
}

function readRoute(words: Words, host: Host): Typed {
  const typed: Typed = {};
  while (words.next !== undefined) {
    words.takeIf("to");
    if (words.next === "nexthop") {
      typed.nexthops = readWays(words, host);
      break;
    }
    if (typed.dst === undefined && !vocabulary(WORDS).includes(words.next)) {
      const type = TYPES.find((type) => type === words.next);
      if (type !== undefined) {
        typed.type = type;
        words.take();
      }
      const at = words.at;
      typed.dst = readPrefix(words.demand("a PREFIX or default")) ??
        words.expected("a PREFIX or default", at);
    } else if (!readWord(WORDS, words, typed, host)) words.end(vocabulary(WORDS));
  }
  refuseUnless(typed.dst, "Expected a PREFIX or default");
  return typed;
}

/** The library's words for what was typed, with what `ip` takes for granted. */
function specOf(verb: Verb, typed: Typed, host: Host): Route {
  const { dst, src, gateway, nexthops, ...rest } = typed;
  const family = dst!.family ?? host.family ?? src?.family ?? gateway?.family ??
    nexthops?.[0]?.gateway?.family ??
    (typed.prefsrc === undefined ? "inet" : familyOf(typed.prefsrc));
  const isNew = verb !== "delete";
  const type = typed.type ?? (isNew ? "unicast" : undefined);
  const isOwn = ["local", "broadcast", "anycast", "nat"].includes(type ?? "");
  return {
    ...isNew ? { protocol: "boot" } : {},
    table: isOwn ? "local" : "main",
    scope: usualScope(type, family, isNew, typed),
    ...rest as Route,
    family,
    ...type === undefined ? {} : { type: type as "unicast" },
    ...dst!.address === undefined ? {} : { dst: dst!.address },
    dstLength: dst!.length,
    ...src?.address === undefined ? {} : { src: src.address, srcLength: src.length },
    ...gateway === undefined ? {} : through(gateway, family),
    ...nexthops === undefined ? {} : {
      multipath: nexthops.map(({ gateway, ...way }) => ({
        weight: 1,
        ...way,
        ...gateway === undefined ? {} : through(gateway, family),
      })),
    },
  };
}

function usualScope(type: string | undefined, family: string, isNew: boolean, typed: Typed) {
  if (family === "inet6") return "global";
  if (type === "local" || type === "nat") return "host";
  if (type === "broadcast" || type === "multicast" || type === "anycast") return "link";
  if (type !== undefined && type !== "unicast") return isNew ? "global" : "nowhere";
  if (!isNew) return "nowhere";
  const { gateway, nexthops, nexthopId } = typed;
  return gateway === undefined && nexthops === undefined && nexthopId === undefined
    ? "link"
    : "global";
}

/** A gateway of the route's own family, or of another one. */
function through(gateway: Gateway, family: string): Pick<Route, "gateway" | "via"> {
  return gateway.family === family ? { gateway: gateway.address } : { via: gateway.address };
}

function requestFor(verb: Verb, spec: Route): Request<void> {
  if (verb !== "change") return requests[verb](spec);
  return ofExisting(requests.replace(spec));
}

const NOUN = ["route"] as const;
const CHANGES = {
  add: "add a route",
  append: "add a route beside those to the same destination",
  change: "change a route",
  replace: "add a route in place of the one to the same destination",
  delete: "delete a route",
} as const;

/** The commands about routes. */
export const ROUTE_COMMANDS: readonly Command[] = [
  {
    words: [NOUN, LIST],
    operands: "[[root|match|exact] PREFIX] [table TABLE] [dev NAME] [WORDS...]",
    summary: "the routes",
    example: "route list table all --family inet6",
    options: { ...LOOKING, ...FAMILY },
    grammar: () => FILTER,
    run: (typed) => onHost(typed, (host) => list(new Words(typed.words), host)),
  },
  ...Object.entries(CHANGES).map(([verb, summary]): Command => ({
    words: [NOUN, [verb]],
    operands: "[TYPE] PREFIX [via ADDRESS] [dev NAME] [WORDS...]",
    summary,
    example: `route ${verb} default via 10.0.0.1 dev eth0 metric 100`,
    options: FAMILY,
    grammar: () => WORDS,
    run: (typed) => onHost(typed, (host) => change(verb as Verb, new Words(typed.words), host)),
  })),
  {
    words: [NOUN, ["get"]],
    operands: "ADDRESS [from ADDRESS] [iif NAME] [oif NAME] [WORDS...]",
    summary: "the route that a packet would take",
    example: "route get 192.0.2.1",
    options: LOOKING,
    grammar: () => ASKED,
    run: (typed) => onHost(typed, (host) => get(new Words(typed.words), host)),
  },
  {
    words: [NOUN, ["flush"]],
    operands: "[[root|match|exact] PREFIX] [table TABLE] [dev NAME] [WORDS...]",
    summary: "delete many routes",
    example: "route flush dev eth0",
    options: FAMILY,
    grammar: () => FILTER,
    run: (typed) => onHost(typed, (host) => flush(new Words(typed.words), host)),
  },
];
