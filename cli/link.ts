/**
 * `link`: the words and the output of `ip link`.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import { formatAddress } from "../rtnl/codec/ip.ts";
import { type Link, link as requests, type LinkSpec } from "../rtnl/link.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { hint } from "./errors.ts";
import {
  device,
  mac,
  meaning,
  netns,
  number,
  onOff,
  readNumber,
  refuseUnless,
  text,
  unlessZero,
  words,
} from "./forms.ts";
import { COUNTING, type Host, LOOKING, onHost } from "./host.ts";
import { KIND_DEFAULTS, KIND_WORDS, PORT_WORDS, shownOf } from "./kinds.ts";
import { printStatistics } from "./statistics.ts";
import {
  type Form,
  join,
  print,
  type Printed,
  printed,
  readAll,
  readPhrase,
  readWord,
  readWords,
  textOf,
  type Values,
  vocabulary,
  Words,
  type WordTable,
} from "./words.ts";

/** The order in which `ip` prints flags; IFF_RUNNING is told by NO-CARRIER alone. */
const FLAGS = {
  loopback: "LOOPBACK",
  broadcast: "BROADCAST",
  pointopoint: "POINTOPOINT",
  multicast: "MULTICAST",
  noarp: "NOARP",
  allmulti: "ALLMULTI",
  promisc: "PROMISC",
  master: "MASTER",
  slave: "SLAVE",
  debug: "DEBUG",
  dynamic: "DYNAMIC",
  automedia: "AUTOMEDIA",
  portsel: "PORTSEL",
  notrailers: "NOTRAILERS",
  up: "UP",
  lowerUp: "LOWER_UP",
  dormant: "DORMANT",
  echo: "ECHO",
} as const;

/** ARPHRD_* of linux/if_arp.h as `ip` names them; others are numbers. */
const LINK_TYPES: Readonly<Record<number, string>> = {
  0: "netrom",
  1: "ether",
  24: "ieee1394",
  32: "infiniband",
  280: "can",
  512: "ppp",
  519: "rawip",
  768: "ipip",
  769: "tunnel6",
  772: "loopback",
  776: "sit",
  778: "gre",
  779: "pimreg",
  823: "gre6",
  824: "netlink",
  65534: "none",
};

const STATES = {
  UNKNOWN: "unknown",
  NOTPRESENT: "notPresent",
  DOWN: "down",
  LOWERLAYERDOWN: "lowerLayerDown",
  TESTING: "testing",
  DORMANT: "dormant",
  UP: "up",
} as const;
const MODES = { DEFAULT: "default", DORMANT: "dormant" } as const;

/** A word of any case among words in capitals. */
function capitals(meanings: Readonly<Record<string, string>>): Form<string> {
  const form = words(meanings);
  return { ...form, parse: (typed) => meanings[typed.take()?.toUpperCase() ?? ""] };
}

/** A link's group; `ip` reads their names from /etc/iproute2/group, which has one. */
const group: Form<number> = {
  name: "GROUP",
  parse: (words) => words.takeIf("default") ? 0 : readNumber(words.take() ?? ""),
  json: groupName,
  text: groupName,
};

function groupName(group: number): string {
  return group === 0 ? "default" : String(group);
}

/** A flag that is switched: it, and that it is meant. */
function linkFlag(name: string, when: boolean = true): Form<boolean> {
  return {
    ...onOff,
    store(values, on) {
      values.change = [...values.change as string[] ?? [], name];
      if (on === when) values.flags = [...values.flags as string[] ?? [], name];
    },
  };
}

const generation: Form<string> = words({
  eui64: "eui64",
  none: "none",
  stable_secret: "stableSecret",
  random: "random",
});

/** The words behind a link's name, and what `ip` prints in the first line. */
const HEAD: WordTable<LinkSpec> = [
  { key: "mtu", word: "mtu", is: number },
  { key: "qdisc", json: "qdisc", text: "qdisc", is: text },
  { key: "master", word: "master", is: device },
  { key: "operState", word: "state", json: "operstate", is: capitals(STATES) },
  { key: "linkMode", word: "mode", json: "linkmode", is: capitals(MODES) },
  { key: "group", word: "group", is: group },
  {
    key: "txQueueLength",
    word: ["txqueuelen", "qlen", "txqlen"],
    json: "txqlen",
    text: "qlen",
    is: unlessZero(number),
  },
];

/** What --details adds. */
const DETAILS: WordTable<LinkSpec> = [
  { key: "promiscuity", json: "promiscuity", text: "promiscuity", is: number },
  { key: "allMulticast", json: "allmulti", text: "allmulti", is: number },
  { key: "minMtu", json: "min_mtu", text: "minmtu", is: number },
  { key: "maxMtu", json: "max_mtu", text: "maxmtu", is: number },
];
const MORE_DETAILS: WordTable<LinkSpec> = [
  { key: "txQueues", word: "numtxqueues", json: "num_tx_queues", is: number },
  { key: "rxQueues", word: "numrxqueues", json: "num_rx_queues", is: number },
  { key: "gsoMaxSize", word: "gso_max_size", is: number },
  { key: "gsoMaxSegments", word: "gso_max_segs", is: number },
  { key: "tsoMaxSize", json: "tso_max_size", text: "tso_max_size", is: number },
  { key: "tsoMaxSegments", json: "tso_max_segs", text: "tso_max_segs", is: number },
  { key: "groMaxSize", word: "gro_max_size", is: number },
  { key: "physicalPortName", json: "phys_port_name", text: "portname", is: text },
  { key: "parentBus", json: "parentbus", text: "parentbus", is: text },
  { key: "parentDevice", word: "parentdev", is: text },
];

/** The words that are typed only. */
const TYPED: WordTable<LinkSpec> = [
  { key: "up", word: "up", is: meaning(true) },
  { key: "up", word: "down", is: meaning(false) },
  { key: "name", word: "name", is: text },
  { key: "index", word: "index", is: number },
  { key: "link", word: "link", is: device },
  { key: "address", word: "address", is: mac },
  { key: "broadcast", word: ["broadcast", "brd"], is: mac },
  { key: "alias", word: "alias", is: text },
  { key: "netnsFd", word: "netns", is: netns },
  { key: "linkNetnsId", word: "link-netnsid", is: number },
  { key: "master", word: "vrf", is: device },
  { key: "master", word: "nomaster", is: meaning(0) },
  { key: "flags", word: "multicast", is: linkFlag("multicast") },
  { key: "flags", word: "allmulticast", is: linkFlag("allmulti") },
  { key: "flags", word: "promisc", is: linkFlag("promisc") },
  { key: "flags", word: "arp", is: linkFlag("noarp", false) },
  { key: "flags", word: "trailers", is: linkFlag("notrailers", false) },
  { key: "flags", word: "dynamic", is: linkFlag("dynamic") },
  { key: "carrier", word: "carrier", is: onOff },
  { key: "protoDown", word: "protodown", is: onOff },
  {
    key: "afSpec",
    word: "addrgenmode",
    is: {
      ...generation,
      parse(words, host, typed) {
        const addressGenerationMode = generation.parse!(words, host, typed);
        return addressGenerationMode && { inet6: { addressGenerationMode } };
      },
    },
  },
];

const LINK_WORDS: WordTable = [...TYPED, ...HEAD, ...MORE_DETAILS];

/** A link as `ip link` prints it, or as the head of its addresses. */
export function printLink(link: Link, host: Host, inLinkList: boolean): Printed {
  const { alias } = link;
  return join(
    printName(link, host),
    print(inLinkList ? HEAD : HEAD.filter(({ key }) => key !== "linkMode"), link, host),
    printAddress(link),
    ...host.details
      ? [
        print(DETAILS, link, host),
        printKind(link, host),
        ...inLinkList ? [printGeneration(link, host)] : [],
        print(MORE_DETAILS, link, host),
      ]
      : [],
    ...alias !== undefined && (inLinkList || host.details)
      ? [printed({ ifalias: alias }, `\n    alias ${alias}`)]
      : [],
    ...link.altNames === undefined ? [] : [
      printed({ altnames: link.altNames }, ...link.altNames.map((name) => `\n    altname ${name}`)),
    ],
    ...host.statistics && inLinkList ? [printStatistics(link)] : [],
  );
}

/** The ends of a tunnel are IP addresses. */
function shownAddress(address: string | undefined, { type = 0 }: Link): string | undefined {
  if (address === undefined || !IP_TUNNELS.includes(LINK_TYPES[type] ?? "")) return address;
  return formatAddress(Uint8Array.fromHex(address.replaceAll(":", "")));
}

const IP_TUNNELS = ["ipip", "sit", "gre", "tunnel6", "gre6"];

/** Number, name, what is below, flags. */
function printName({ index, name, link, linkNetnsId, flags = [] }: Link, host: Host): Printed {
  const set = new Set<string>(flags);
  const lower = link === undefined || linkNetnsId !== undefined ? undefined : host.names.get(link);
  const shown = [
    ...set.has("up") && !set.has("running") ? ["NO-CARRIER"] : [],
    ...Object.entries(FLAGS).filter(([flag]) => set.has(flag)).map(([, name]) => name),
    ...lower !== undefined && !lower.flags?.includes("up") ? ["M-DOWN"] : [],
  ];
  const below = link === undefined
    ? {}
    : linkNetnsId !== undefined && link !== 0
    ? { link_index: link }
    : { link: link === 0 ? null : host.names.name(link) };
  const at = link === undefined
    ? ""
    : link === 0
    ? "@NONE"
    : `@${linkNetnsId === undefined ? host.names.name(link) : `if${link}`}`;
  return printed(
    { ifindex: index, ...below, ifname: name, flags: shown },
    `${index}: ${name}${at}: <${shown.join(",")}>`,
  );
}

/** The second line: link-layer addresses, and the namespace of what is below. */
function printAddress(link: Link): Printed {
  const { permanentAddress, linkNetnsId, protoDown } = link;
  const [address, broadcast] = [link.address, link.broadcast].map((mac) => shownAddress(mac, link));
  const type = LINK_TYPES[link.type ?? 0] ?? String(link.type);
  const isPeer = link.flags?.includes("pointopoint");
  const permanent = permanentAddress === address ? undefined : permanentAddress;
  const json: Record<string, unknown> = { link_type: type };
  if (address !== undefined) json.address = address;
  if (broadcast !== undefined) Object.assign(json, { broadcast });
  if (broadcast !== undefined && isPeer) json.link_pointtopoint = true;
  if (permanent !== undefined) json.permaddr = permanent;
  if (linkNetnsId !== undefined) json.link_netnsid = linkNetnsId;
  if (protoDown) json.proto_down = true;
  return printed(
    json,
    `\n    link/${type}`,
    address ?? "",
    broadcast === undefined ? "" : `${isPeer ? "peer" : "brd"} ${broadcast}`,
    permanent === undefined ? "" : `permaddr ${permanent}`,
    linkNetnsId === undefined
      ? ""
      : `link-netnsid ${linkNetnsId < 0 ? "unknown" : String(linkNetnsId)}`,
    protoDown ? "protodown on" : "",
  );
}

/** What kind it is, and what its master's kind adds. */
function printKind({ linkInfo }: Link, host: Host): Printed {
  if (linkInfo === undefined) return printed({});
  const { kind, slaveKind } = linkInfo;
  const json: Record<string, unknown> = {};
  const text: string[] = [];
  if (kind !== undefined) {
    json.info_kind = kind;
    text.push(`\n    ${kind}`);
    const data = KIND_WORDS[kind] && print(KIND_WORDS[kind], shownOf(linkInfo.data ?? {}), host);
    if (data !== undefined) json.info_data = data.json;
    text.push(...data?.text ?? []);
  }
  if (slaveKind !== undefined) {
    json.info_slave_kind = slaveKind;
    text.push(`\n    ${slaveKind}_slave`);
    const data = PORT_WORDS[slaveKind] &&
      print(PORT_WORDS[slaveKind], linkInfo.slaveData ?? {}, host);
    if (data !== undefined) json.info_slave_data = data.json;
    text.push(...data?.text ?? []);
  }
  return printed({ linkinfo: json }, ...text);
}

function printGeneration({ afSpec }: Link, host: Host): Printed {
  const mode = afSpec?.inet6?.addressGenerationMode;
  if (mode === undefined) return printed({});
  const name = generation.text!(String(mode), host);
  return printed({ inet6_addr_gen_mode: name }, `addrgenmode ${name}`);
}

/** What links to list: `up`, `master br0`, `type bridge_slave`, a name. */
export interface LinkFilter {
  name?: string;
  up?: boolean;
  master?: number;
  group?: number;
  type?: string;
}

/** The words of a filter. */
export const FILTER: WordTable<LinkFilter> = [
  { key: "name", word: "dev", is: text },
  { key: "up", word: "up", is: meaning(true) },
  { key: "master", word: ["master", "vrf"], is: device },
  { key: "master", word: "nomaster", is: meaning(0) },
  { key: "group", word: "group", is: group },
  { key: "type", word: "type", is: { ...text, name: "KIND or KIND_slave" } },
];

/** The links that a filter lets through. */
export function chosen(links: readonly Link[], filter: LinkFilter, host: Host): Link[] {
  const only = filter.name === undefined ? undefined : host.names.index(filter.name);
  const port = filter.type?.endsWith("_slave") ? filter.type.slice(0, -"_slave".length) : undefined;
  return links.filter(({ index, flags, master = 0, group, kind, linkInfo }) =>
    (only === undefined || index === only) &&
    (!filter.up || flags?.includes("up")) &&
    (filter.master === undefined || master === filter.master) &&
    (filter.group === undefined || group === filter.group) &&
    (filter.type === undefined || (port ? linkInfo?.slaveKind === port : kind === filter.type))
  );
}

/** Reads the words of a filter, among which a bare word is a link's name. */
export function readFilter<Filter extends LinkFilter>(
  table: WordTable,
  words: Words,
  filter: Filter,
  host: Host,
): Filter {
  return readPhrase(table, words, filter, host, (word) => {
    if (filter.name !== undefined) return false;
    filter.name = word;
    return true;
  });
}

/** Several objects as a list, and as their texts. */
export function listOf(objects: readonly Printed[]): Result {
  return { json: objects.map(({ json }) => json), text: objects.map(textOf).join("\n") };
}

/** What `link add` says of a link, and of a veth's other end: a word that is no keyword is its name. */
function readNew(words: Words, host: Host): LinkSpec {
  const spec: Values = {};
  const keywords = vocabulary(LINK_WORDS);
  while (words.next !== undefined && words.next !== "type") {
    words.takeIf("dev");
    if (keywords.includes(words.next) || spec.name !== undefined) {
      if (!readWord(LINK_WORDS, words, spec, host)) words.end(keywords);
    } else spec.name = words.take();
  }
  return withType(spec, words, host);
}

/** What `link set` says of a link. */
function readChange(words: Words, host: Host): LinkSpec {
  return withType(readWords(LINK_WORDS, words, {}, host), words, host);
}

function withType(spec: Values, words: Words, host: Host): LinkSpec {
  if (words.takeIf("type")) spec.linkInfo = readKind(words, host);
  words.end([...vocabulary(LINK_WORDS), "type"]);
  return spec as LinkSpec;
}

/** A kind and its options. */
function readKind(words: Words, host: Host): LinkSpec["linkInfo"] {
  const kind = words.demand("a KIND");
  const port = /^(.*)_slave$/.exec(kind)?.[1];
  if (port !== undefined) {
    return { slaveKind: port, slaveData: readAll(portWords(kind, port), words, {}, host) } as never;
  }
  const data: Values = {};
  const table = KIND_WORDS[kind];
  if (table !== undefined) readWords(table, words, data, host);
  if ((kind === "veth" || kind === "netkit" || kind === "vxcan") && words.takeIf("peer")) {
    data.peer = readNew(words, host);
  }
  words.end([...vocabulary(table ?? []), "peer"]);
  const all = { ...KIND_DEFAULTS[kind], ...data };
  return { kind, ...Object.keys(all).length > 0 ? { data: all } : {} } as never;
}

function portWords(kind: string, port: string): WordTable {
  const table = PORT_WORDS[port];
  const known = Object.keys(PORT_WORDS).map((name) => `${name}_slave`);
  refuseUnless(table, `There is no type ${kind}${hint(kind, known)}`);
  return table;
}

/** Adds a link. */
async function add(words: Words, host: Host): Promise<Result> {
  const spec = readNew(words, host);
  refuseUnless(spec.linkInfo?.kind, `Expected type KIND, as in "link add br0 type bridge"`);
  await host.rtnl.request(requests.add(spec));
  return {};
}

/** Changes a link, or all of a group. */
async function set(words: Words, host: Host): Promise<Result> {
  words.takeIf("dev");
  const isGroup = words.next === "group";
  const name = isGroup ? undefined : words.demand("a link's name");
  const links = isGroup
    ? chosen(host.names.links, { group: (words.take(), readGroup(words, host)) }, host)
    : [host.names.link(name!)];
  const spec = readChange(words, host);
  refuseUnless(Object.keys(spec).length > 0, "Expected what to set, as in link set eth0 up");
  for (const { index, linkInfo } of links) {
    const change = withKindOf({ ...spec, index }, linkInfo?.slaveKind);
    const verb = spec.linkInfo === undefined ? "set" : "setKind";
    await host.rtnl.request(requests[verb](change));
  }
  return {};
}

function readGroup(words: Words, host: Host): number {
  return group.parse!(words, host, "group") ?? words.expected("GROUP", words.at - 1);
}

/** Refuses settings of a port for what is none of that kind. */
function withKindOf(spec: LinkSpec, portKind: string | undefined): LinkSpec {
  const wanted = spec.linkInfo?.slaveKind;
  if (wanted === undefined || wanted === portKind) return spec;
  throw new InputError(
    `Cannot set ${wanted}_slave of link number ${spec.index}: it is no port of a ${wanted}`,
  );
}

async function remove(words: Words, host: Host): Promise<Result> {
  words.takeIf("dev");
  if (words.takeIf("group")) {
    await host.rtnl.request(requests.delete({ group: readGroup(words, host) }));
  } else {
    const name = words.demand("a link's name");
    await host.rtnl.request(requests.delete({ index: host.names.index(name) }));
  }
  // ip takes the kind here and makes nothing of it.
  if (words.takeIf("type")) words.demand("a KIND");
  words.end(["type"]);
  return {};
}

/** Gives further names or takes them away. */
async function property(words: Words, host: Host, verb: "add" | "delete"): Promise<Result> {
  words.takeIf("dev");
  const index = host.names.index(words.demand("a link's name"));
  const altNames: string[] = [];
  while (words.takeIf("altname")) altNames.push(words.demand("a NAME"));
  words.end(["altname"]);
  refuseUnless(altNames.length > 0, "Expected altname NAME");
  await host.rtnl.request(requests[`${verb}AltNames`]({ index, altNames }));
  return {};
}

async function list(words: Words, host: Host): Promise<Result> {
  const filter = readFilter<LinkFilter>(FILTER, words, {}, host);
  const links = chosen(host.names.links, filter, host);
  return await Promise.resolve(listOf(links.map((link) => printLink(link, host, true))));
}

/** The words that may follow a verb, with those of the kind that was typed. */
function grammar(words: readonly string[]): WordTable {
  const kind = words[words.indexOf("type") + 1] ?? "";
  if (!words.includes("type")) return LINK_WORDS;
  return KIND_WORDS[kind] ?? PORT_WORDS[kind.replace(/_slave$/, "")] ?? [];
}

const NOUN = ["link"] as const;

/** The commands about links. */
export const LINK_COMMANDS: readonly Command[] = [
  {
    words: [NOUN, LIST],
    operands: "[[dev] NAME] [up] [master DEV] [type KIND] [group GROUP]",
    summary: "the links",
    example: "link list --netns blue",
    options: { ...LOOKING, ...COUNTING },
    grammar: () => FILTER,
    run: (typed) => onHost(typed, (host) => list(new Words(typed.words), host)),
  },
  {
    words: [NOUN, ["add"]],
    operands: "[link DEV] NAME [WORDS...] type KIND [OPTIONS...]",
    summary: "add a link; --help behind a KIND tells its options",
    example: "link add vx0 mtu 1400 type vxlan id 42 dstport 4789",
    grammar,
    run: (typed) => onHost(typed, (host) => add(new Words(typed.words), host)),
  },
  {
    words: [NOUN, ["set", "change"]],
    operands: "{NAME | group GROUP} WORDS... [type KIND OPTIONS...]",
    summary: "change a link",
    example: "link set eth0 up mtu 1400 master br0",
    grammar,
    run: (typed) => onHost(typed, (host) => set(new Words(typed.words), host)),
  },
  {
    words: [NOUN, ["delete"]],
    operands: "{NAME | group GROUP}",
    summary: "delete a link",
    example: "link delete br0",
    run: (typed) => onHost(typed, (host) => remove(new Words(typed.words), host)),
  },
  {
    words: [NOUN, ["property"], ["add"]],
    operands: "[dev] NAME altname NAME...",
    summary: "give a link further names",
    example: "link property add eth0 altname uplink",
    run: (typed) => onHost(typed, (host) => property(new Words(typed.words), host, "add")),
  },
  {
    words: [NOUN, ["property"], ["delete"]],
    operands: "[dev] NAME altname NAME...",
    summary: "take further names away",
    example: "link property delete eth0 altname uplink",
    run: (typed) => onHost(typed, (host) => property(new Words(typed.words), host, "delete")),
  },
];
