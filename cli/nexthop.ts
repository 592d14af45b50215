/**
 * `nexthop`: the words and the output of `ip nexthop`.
 *
 * @module
 */

import { type Nexthop, nexthop as requests } from "../rtnl/nexthop.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { choice, device, meaning, number, only, refuseUnless } from "./forms.ts";
import { ENCAP, printEncap } from "./encap.ts";
import { FAMILY, type Host, LOOKING, onHost } from "./host.ts";
import { listOf } from "./link.ts";
import { type Gateway, gateway, printFlags, protocol, scope, unless } from "./routing.ts";
import { type Form, join, print, type Printed, readAll, Words, type WordTable } from "./words.ts";

interface Member {
  id?: number;
  weight?: number;
}

/** `1/2,10/3`: nexthops, each perhaps with its weight. */
const group: Form<readonly Member[]> = {
  name: "ID[,WEIGHT][/...]",
  parse(words) {
    const members = (words.take() ?? "").split("/").map((word) => /^(\d+)(?:,(\d+))?$/.exec(word));
    return members.every((match) => match !== null)
      ? members.map(([, id, weight = 1]) => ({ id: Number(id), weight: Number(weight) }))
      : undefined;
  },
  json: (members) => members.map(({ id, weight }) => weight === 1 ? { id } : { id, weight }),
  text: (members) =>
    members.map(({ id, weight }) => weight === 1 ? `${id}` : `${id},${weight}`).join("/"),
};

/** A word without a value, in JSON a key without one. */
const there: Form = { ...meaning(true), json: () => null, text: () => "" };

/** What is typed in one word and kept in others. */
interface Typed {
  via?: Gateway;
}

/** Seconds, which the kernel counts in hundredths; as the setting of a resilient group. */
function resilient(key: string, perUnit: number): Form<number> {
  return {
    ...number,
    store: (values, value) =>
      void (values.resilientGroup = {
        ...values.resilientGroup as object ?? {},
        [key]: value * perUnit,
      }),
  };
}

/** How the buckets of a resilient group move; printed as one. */
const resilience: Form<NonNullable<Nexthop["resilientGroup"]>> = {
  name: "",
  json: (group) => resilienceOf(group),
  label: (group) => Object.entries(resilienceOf(group)).map((pair) => pair.join(" ")).join(" "),
};

function resilienceOf(group: NonNullable<Nexthop["resilientGroup"]>) {
  const { buckets = 0, idleTimer = 0, unbalancedTimer = 0, unbalancedTime = 0n } = group;
  return {
    buckets,
    idle_timer: idleTimer / 100,
    unbalanced_timer: unbalancedTimer / 100,
    unbalanced_time: Number(unbalancedTime) / 100,
  };
}

const RESILIENT: WordTable<Nexthop> = [
  { key: "resilientGroup", word: "buckets", json: "", text: false, is: resilient("buckets", 1) },
  {
    key: "resilientGroup",
    word: "idle_timer",
    json: "",
    text: false,
    is: resilient("idleTimer", 100),
  },
  {
    key: "resilientGroup",
    word: "unbalanced_timer",
    json: "",
    text: false,
    is: resilient("unbalancedTimer", 100),
  },
  { key: "resilientGroup", json: "resilient_args", text: "", is: resilience },
];

const WORDS: WordTable<Nexthop & Typed> = [
  { key: "id", word: "id", is: number },
  { key: "group", word: "group", is: group },
  {
    key: "groupType",
    word: "type",
    is: only(choice("mpath", "resilient"), (type) => type !== "mpath"),
  },
  ...RESILIENT,
  ...ENCAP,
  {
    key: "via",
    word: "via",
    json: "gateway",
    is: { ...gateway, json: ({ address }) => address, text: ({ address }) => address },
  },
  { key: "oif", word: "dev", is: device },
  { key: "scope", word: "scope", is: unless("global", scope) },
  { key: "blackhole", word: "blackhole", is: there },
  { key: "protocol", word: "protocol", text: "proto", is: unless("unspec", protocol) },
  { key: "flags", word: "onlink", json: "", text: false, is: meaning(["onlink"]) },
];
const BEHIND_FLAGS: WordTable<Nexthop> = [{ key: "fdb", word: "fdb", is: there }];
const ALL = [...WORDS, ...BEHIND_FLAGS];

/** A nexthop as `ip nexthop` prints it. */
export function printNexthop(nexthop: Nexthop, host: Host): Printed {
  const { gateway: address, family } = nexthop;
  const via = address === undefined ? {} : { via: { address, family } };
  return join(
    print(ID, nexthop, host),
    printEncap(nexthop, host),
    print(WORDS.filter(({ key }) => key !== "id"), { ...nexthop, ...via }, host),
    printFlags(nexthop.flags ?? []),
    print(BEHIND_FLAGS, nexthop, host),
  );
}

async function change(verb: "add" | "replace", words: Words, host: Host): Promise<Result> {
  const { via, ...rest } = readAll<Nexthop & Typed>(ALL, words, {}, host);
  refuseUnless(
    Object.keys(rest).length > 0,
    "Expected what is next, such as via 10.0.0.1 dev eth0",
  );
  const family = host.family ?? via?.family ?? "inet";
  await host.rtnl.request(requests[verb]({
    // As with ip, nobody is said to have made it, and a group has no family.
    protocol: "unspec",
    ...rest.group === undefined ? { family } : {},
    ...rest,
    ...via === undefined ? {} : { gateway: via.address },
  }));
  return {};
}

const ID: WordTable<Nexthop> = [{ key: "id", word: "id", is: number }];

function readId(words: Words, host: Host): { id: number } {
  const { id } = readAll<Nexthop>(ID, words, {}, host);
  refuseUnless(id, "Expected id and a NUMBER");
  return { id };
}

interface Filter
  extends Pick<Nexthop, "oif" | "master" | "groups" | "fdb" | "protocol" | "scope" | "id"> {}

const FILTER: WordTable<Filter> = [
  ...ID as WordTable<Filter>,
  { key: "oif", word: "dev", is: device },
  { key: "master", word: ["master", "vrf"], is: device },
  { key: "groups", word: "groups", is: meaning(true) },
  { key: "fdb", word: "fdb", is: meaning(true) },
  { key: "protocol", word: "protocol", is: protocol },
  { key: "scope", word: "scope", is: scope },
];

async function nexthopsOf(words: Words, host: Host): Promise<Nexthop[]> {
  const { protocol: wanted, scope: reach, id, ...kernels } = readAll<Filter>(
    FILTER,
    words,
    {},
    host,
  );
  const { family } = host;
  const all = await host.rtnl.request(requests.list({
    ...family === undefined ? {} : { family },
    ...kernels,
  }));
  return all.filter((nexthop) =>
    (id === undefined || nexthop.id === id) &&
    (reach === undefined || nexthop.scope === reach) &&
    (wanted === undefined ||
      protocol.json!(nexthop.protocol!, host) === protocol.json!(wanted, host))
  );
}

const NOUN = ["nexthop"] as const;
const CHANGES = {
  add: "add a nexthop, which many routes may share",
  replace: "add a nexthop, or put it in place of the one that is there",
} as const;

/** The commands about nexthops. */
export const NEXTHOP_COMMANDS: readonly Command[] = [
  {
    words: [NOUN, LIST],
    operands: "[id ID] [dev NAME] [master NAME] [groups] [fdb]",
    summary: "the nexthops",
    example: "nexthop list dev eth0",
    options: { ...LOOKING, ...FAMILY },
    grammar: () => FILTER,
    run: (typed) =>
      onHost(typed, async (host) => {
        const nexthops = await nexthopsOf(new Words(typed.words), host);
        return listOf(nexthops.map((nexthop) => printNexthop(nexthop, host)));
      }),
  },
  ...Object.entries(CHANGES).map(([verb, summary]): Command => ({
    words: [NOUN, [verb]],
    operands: "[id ID] {[via ADDRESS] dev NAME | blackhole | group ID[,WEIGHT]/...} [WORDS...]",
    summary,
    example: `nexthop ${verb} id 7 via 10.0.0.1 dev eth0`,
    options: FAMILY,
    grammar: () => ALL,
    run: (typed) => onHost(typed, (host) => change(verb as "add", new Words(typed.words), host)),
  })),
  {
    words: [NOUN, ["delete"]],
    operands: "id ID",
    summary: "delete a nexthop, and the routes that use it",
    example: "nexthop delete id 7",
    grammar: () => ID,
    run: (typed) =>
      onHost(typed, async (host) => {
        await host.rtnl.request(requests.delete(readId(new Words(typed.words), host)));
        return {};
      }),
  },
  {
    words: [NOUN, ["get"]],
    operands: "id ID",
    summary: "one nexthop",
    example: "nexthop get id 7",
    options: LOOKING,
    grammar: () => ID,
    run: (typed) =>
      onHost(typed, async (host) => {
        const nexthop = await host.rtnl.request(requests.get(readId(new Words(typed.words), host)));
        return listOf([printNexthop(nexthop, host)]);
      }),
  },
  {
    words: [NOUN, ["flush"]],
    operands: "[dev NAME] [master NAME] [groups] [fdb]",
    summary: "delete many nexthops",
    example: "nexthop flush dev eth0",
    options: FAMILY,
    grammar: () => FILTER,
    run: (typed) =>
      onHost(typed, async (host) => {
        for (const { id } of await nexthopsOf(new Words(typed.words), host)) {
          await host.rtnl.request(requests.delete({ id }));
        }
        return {};
      }),
  },
];
