/**
 * `bridge`: the words and the output of `bridge vlan`, `bridge fdb` and `bridge mdb`.
 *
 * @module
 */

import { bridgeVlan, type BridgeVlans, type BridgeVlanSpec } from "../rtnl/bridge_vlan.ts";
import { type MulticastGroup, multicastGroup } from "../rtnl/multicast_group.ts";
import { forwarding, type Neighbour } from "../rtnl/neighbour.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { device, flag, ip, mac, meaning, number, presence, refuseUnless, text } from "./forms.ts";
import { type Host, onHost } from "./host.ts";
import { listOf } from "./link.ts";
import {
  type Form,
  join,
  print,
  type Printed,
  printed,
  readAll,
  readPhrase,
  type Values,
  Words,
  type WordTable,
} from "./words.ts";

/** `7` or `100-200`. */
const vlans: Form = {
  name: "VID[-VID]",
  parse(words) {
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(words.take() ?? "") ?? [];
    return first === undefined ? undefined : { vid: Number(first), vidEnd: last && Number(last) };
  },
  store: (values, { vid, vidEnd }) =>
    Object.assign(values, { vid }, vidEnd === undefined ? {} : { vidEnd }),
};

const VLAN_WORDS: WordTable<BridgeVlanSpec> = [
  { key: "index", word: "dev", is: device },
  { key: "vid", word: "vid", is: vlans },
  { key: "pvid", word: "pvid", is: presence },
  { key: "untagged", word: "untagged", is: presence },
  { key: "self", word: "self", is: presence },
  { key: "self", word: "master", is: meaning(false) },
];

async function changeVlans(verb: "add" | "delete", words: Words, host: Host): Promise<Result> {
  const spec = readAll(VLAN_WORDS, words, {} as Partial<BridgeVlanSpec>, host);
  const { index, vid } = spec;
  refuseUnless(index !== undefined && vid !== undefined, "Expected dev and vid");
  await host.rtnl.request(bridgeVlan[verb]({ ...spec, index, vid }));
  return {};
}

const FLAG_NAMES = { pvid: "PVID", untagged: "Egress Untagged" } as const;

/** A port and each of its VLANs; undefined where it has none. */
function printVlans({ name = "", spec }: BridgeVlans): Printed | undefined {
  const found: { vlan: number; flags?: string[] }[] = [];
  let begin = 0;
  for (const { vid = 0, flags = [] } of spec?.vlans ?? []) {
    if (flags.includes("rangeBegin")) {
      begin = vid;
      continue;
    }
    const shown = (["pvid", "untagged"] as const).filter((flag) => flags.includes(flag))
      .map((flag) => FLAG_NAMES[flag]);
    for (let vlan = flags.includes("rangeEnd") ? begin : vid; vlan <= vid; vlan++) {
      found.push({ vlan, ...shown.length > 0 ? { flags: shown } : {} });
    }
  }
  if (found.length === 0) return undefined;
  const lines = found.map(({ vlan, flags = [] }, i) =>
    (i === 0 ? name.padEnd(COLUMN) : "\n".padEnd(COLUMN + 1)) + [vlan, ...flags].join(" ")
  );
  return printed({ ifname: name, vlans: found }, lines.join(""));
}

const COLUMN = 18;

async function listVlans(words: Words, host: Host): Promise<Result> {
  const filter = readAll([VLAN_WORDS[0]!], words, {} as { index?: number }, host);
  const shown: Printed[] = [];
  for (const port of await host.rtnl.request(bridgeVlan.list())) {
    const printed = printVlans(port);
    const wanted = filter.index === undefined || filter.index === port.index;
    if (printed !== undefined && wanted) shown.push(printed);
  }
  const { json, text } = listOf(shown);
  return { json, text: ["port".padEnd(COLUMN) + "vlan-id", text].join("\n").trimEnd() };
}

/** How long an entry stays, and what it was made by. */
function lasting(state: readonly string[]): Form {
  return {
    name: "",
    parse: () => state,
    store: (values, state) => void (values.state = state),
  };
}

const ENTRY_WORDS: WordTable<Neighbour> = [
  { key: "index", word: "dev", is: device },
  { key: "dst", word: "dst", is: ip },
  { key: "vlan", word: "vlan", is: number },
  { key: "port", word: "port", is: number },
  { key: "vni", word: "vni", is: number },
  { key: "sourceVni", word: "src_vni", is: number },
  { key: "via", word: "via", json: "viaIf", is: device },
  { key: "nexthopId", word: "nhid", is: number },
  { key: "state", word: ["local", "permanent"], is: lasting(["noarp", "permanent"]) },
  { key: "state", word: "static", is: lasting(["noarp", "reachable"]) },
  { key: "state", word: ["dynamic", "temp"], is: lasting(["reachable"]) },
  { key: "flags", word: "self", is: flag("self") },
  { key: "flags", word: "master", is: flag("master") },
  { key: "flags", word: "router", is: flag("router") },
  { key: "flags", word: "use", is: flag("use") },
  { key: "flags", word: "extern_learn", is: flag("externLearn") },
  { key: "flags", word: "sticky", is: flag("sticky") },
];
/** What stands between the address and the flags. */
const ENTRY_PLACE: WordTable<Neighbour> = ENTRY_WORDS
  .filter(({ key }) => !["index", "state", "flags"].includes(key));
const ENTRY_FLAGS = [
  ["self", "self"],
  ["router", "router"],
  ["externLearn", "extern_learn"],
  ["offloaded", "offload"],
  ["sticky", "sticky"],
] as const;

type EntryVerb = "add" | "append" | "replace" | "delete";

async function changeEntry(verb: EntryVerb, words: Words, host: Host): Promise<Result> {
  const spec: Neighbour = {};
  readPhrase(ENTRY_WORDS, words, spec, host, (word) => {
    const address = spec.address === undefined
      ? mac.parse!(new Words([word]), host, "")
      : undefined;
    if (address !== undefined) spec.address = address;
    return address !== undefined;
  });
  refuseUnless(spec.address !== undefined, "Expected an LLADDR");
  refuseUnless(spec.index !== undefined, "Expected dev and a link's name");
  // As bridge has it: an entry is for ever unless said.
  await host.rtnl.request(forwarding[verb]({ state: ["noarp", "permanent"], ...spec }));
  return {};
}

const ENTRY_FILTER: WordTable<Values> = [
  { key: "index", word: ["dev", "brport"], is: device },
  { key: "master", word: "br", is: device },
];

async function listEntries(words: Words, host: Host): Promise<Result> {
  const filter = readAll(ENTRY_FILTER, words, {} as { index?: number; master?: number }, host);
  const entries = await host.rtnl.request(forwarding.list(filter));
  const wanted = entries.filter(({ index }) =>
    filter.index === undefined || filter.index === index
  );
  return listOf(wanted.map((entry) => printEntry(entry, host, filter.index === undefined)));
}

function printEntry(entry: Neighbour, host: Host, withDevice: boolean): Printed {
  const { address, index = 0, flags = [], master, state = [] } = entry;
  const device = host.names.name(index);
  const set = new Set<string>(flags);
  const shown = ENTRY_FLAGS.filter(([flag]) => set.has(flag)).map(([, word]) => word);
  const kept = stateOf(state);
  const bridge = master === undefined ? undefined : host.names.name(master);
  return join(
    printed({ mac: address }, String(address)),
    withDevice ? printed({ ifname: device }, `dev ${device}`) : printed({}),
    print(ENTRY_PLACE, entry, host),
    printed({ flags: shown }, ...shown),
    bridge === undefined ? printed({}) : printed({ master: bridge }, `master ${bridge}`),
    printed({ state: kept }, kept),
  );
}

function stateOf(state: readonly string[]): string {
  if (state.includes("permanent")) return "permanent";
  if (state.includes("noarp")) return "static";
  return state.includes("stale") ? "stale" : "";
}

const GROUP_WORDS: WordTable<MulticastGroup> = [
  { key: "bridge", word: "dev", is: device },
  { key: "port", word: "port", is: device },
  { key: "group", word: "grp", is: text },
  { key: "source", word: "src", is: ip },
  { key: "state", word: "permanent", is: meaning("permanent") },
  { key: "state", word: "temp", is: meaning("temporary") },
  { key: "vid", word: "vid", is: number },
];

async function changeGroup(verb: "add" | "replace" | "delete", words: Words, host: Host) {
  const spec = readAll(GROUP_WORDS, words, { state: undefined } as MulticastGroup, host);
  const { bridge, port, group } = spec;
  refuseUnless(
    bridge !== undefined && port !== undefined && group !== undefined,
    "Expected dev, port and grp",
  );
  await host.rtnl.request(multicastGroup[verb]({ ...spec, state: spec.state ?? "temporary" }));
  return {};
}

async function listGroups(words: Words, host: Host): Promise<Result> {
  const filter = readAll([GROUP_WORDS[0]!], words, {} as MulticastGroup, host);
  const groups = await host.rtnl.request(multicastGroup.list());
  const shown = groups.filter(({ bridge }) =>
    filter.bridge === undefined || filter.bridge === bridge
  ).map((group) => printGroup(group, host));
  const { json, text } = listOf(shown);
  return { json: [{ mdb: json, router: {} }], text: text ?? "" };
}

function printGroup(
  { bridge = 0, port = 0, group, state, flags = [], vid }: MulticastGroup,
  host: Host,
) {
  const dev = host.names.name(bridge);
  const behind = host.names.name(port);
  const lasts = state === "permanent" ? "permanent" : "temp";
  return printed(
    {
      ...{ index: bridge, dev, port: behind, grp: group, state: lasts },
      flags: [...flags],
      ...vid ? { vid } : {},
    },
    `dev ${dev} port ${behind} grp ${group} ${lasts}`,
    ...vid ? [`vid ${vid}`] : [],
  );
}

/** A verb of a noun of `bridge`. */
function command(
  noun: string,
  verb: readonly [string, ...string[]],
  about: Pick<Command, "operands" | "summary" | "example">,
  grammar: WordTable,
  run: (words: Words, host: Host) => Promise<Result>,
): Command {
  return {
    words: [["bridge"], [noun], verb],
    ...about,
    grammar: () => grammar,
    run: (typed) => onHost(typed, (host) => run(new Words(typed.words), host)),
  };
}

/** The commands about bridges. */
export const BRIDGE_COMMANDS: readonly Command[] = [
  command(
    "vlan",
    LIST,
    {
      operands: "[dev NAME]",
      summary: "which VLANs the ports of bridges carry",
      example: "bridge vlan list",
    },
    [VLAN_WORDS[0]!],
    listVlans,
  ),
  ...(["add", "delete"] as const).map((verb) =>
    command(
      "vlan",
      [verb],
      {
        operands: "dev NAME vid VID[-VID] [pvid] [untagged] [self]",
        summary: verb === "add" ? "let a port carry VLANs" : "take VLANs from a port",
        example: `bridge vlan ${verb} dev eth0 vid 100-200`,
      },
      VLAN_WORDS,
      (words, host) => changeVlans(verb, words, host),
    )
  ),
  command(
    "fdb",
    LIST,
    {
      operands: "[dev NAME] [br NAME]",
      summary: "the forwarding tables: behind which port an address is",
      example: "bridge fdb list br br0",
    },
    ENTRY_FILTER,
    listEntries,
  ),
  ...Object.entries({
    add: "add an entry to a forwarding table",
    append: "add a further remote end to an entry, vxlan",
    replace: "add an entry, or change the one that is there",
    delete: "delete an entry",
  }).map(([verb, summary]) =>
    command(
      "fdb",
      [verb],
      {
        operands: "LLADDR dev NAME [dst IP] [master|self] [static]",
        summary,
        example: `bridge fdb ${verb} 02:00:5e:00:53:01 dev eth0 master static`,
      },
      ENTRY_WORDS,
      (words, host) => changeEntry(verb as EntryVerb, words, host),
    )
  ),
  command(
    "mdb",
    LIST,
    {
      operands: "[dev NAME]",
      summary: "which ports want a multicast group",
      example: "bridge mdb list dev br0",
    },
    [GROUP_WORDS[0]!],
    listGroups,
  ),
  ...(["add", "replace", "delete"] as const).map((verb) =>
    command(
      "mdb",
      [verb],
      {
        operands: "dev NAME port NAME grp GROUP [permanent] [vid VID]",
        summary: `${verb} a multicast group of a port`,
        example: `bridge mdb ${verb} dev br0 port eth0 grp 239.1.1.1 permanent`,
      },
      GROUP_WORDS,
      (words, host) => changeGroup(verb, words, host),
    )
  ),
];
