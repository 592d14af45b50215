/**
 * `monitor`: what happens, as it happens; one line of JSON for each event.
 *
 * @module
 */

import type { Address } from "../rtnl/address.ts";
import type { Link } from "../rtnl/link.ts";
import {
  type ChangeEvent,
  Monitor,
  type MonitoredObject,
  type MonitorEvent,
} from "../rtnl/monitor.ts";
import type { Neighbour } from "../rtnl/neighbour.ts";
import type { Nexthop } from "../rtnl/nexthop.ts";
import type { Route } from "../rtnl/route.ts";
import type { Rule } from "../rtnl/rule.ts";
import { printAddress } from "./address.ts";
import type { Command, Result } from "./command.ts";
import { hint, UsageError } from "./errors.ts";
import { type Host, LOOKING, Names, openHost } from "./host.ts";
import { printLink } from "./link.ts";
import { printNeighbour } from "./neighbour.ts";
import { printNexthop } from "./nexthop.ts";
import type { Typed } from "./options.ts";
import { linesOf, plain } from "./plain.ts";
import { printRoute } from "./route.ts";
import { printRule } from "./rule.ts";
import { join, type Printed, printed, resolve, textOf } from "./words.ts";

/** The words of `ip monitor`, and what the library calls it. */
const OBJECTS: Readonly<Record<string, MonitoredObject>> = {
  link: "link",
  address: "address",
  route: "route",
  neighbour: "neighbour",
  rule: "rule",
  nexthop: "nexthop",
  nsid: "netnsId",
  netconf: "netconf",
  qdisc: "qdisc",
  class: "trafficClass",
  filter: "filter",
};
/** What `all` means, as with `ip`, which leaves traffic control to `tc`. */
const ALL = ["link", "address", "route", "neighbour", "rule", "nexthop", "nsid", "netconf"];

/** The command that listens. */
export const MONITOR_COMMANDS: readonly Command[] = [
  {
    words: [["monitor"]],
    operands: "[all|OBJECT...] [all-nsid]",
    summary: `print what happens: to ${Object.keys(OBJECTS).join(", ")}`,
    example: "monitor link address --json",
    options: LOOKING,
    run: (typed) => Promise.resolve({ events: listen(typed) }),
  },
];

async function* listen(typed: Typed): AsyncGenerator<Result> {
  const allNamespaces = typed.words.includes("all-nsid");
  const wanted = objectsOf(typed.words.filter((word) => word !== "all-nsid"));
  using host = await openHost(typed);
  // Links are always heard of, because the others name them.
  const objects = [...new Set<MonitoredObject>(["link", ...wanted])];
  using monitor = new Monitor(host.rtnl, objects, { allNamespaces });
  let { names } = host;
  for await (const event of monitor) {
    if (event.event !== "overflow" && event.object === "link" && event.nsid === undefined) {
      names = changed(names, event as ChangeEvent<"link">);
    }
    if (event.event === "overflow" || wanted.includes(event.object)) {
      yield resultOf(event, { ...host, names });
    }
  }
}

/** The objects that the words name, all when there are none. */
function objectsOf(words: readonly string[]): MonitoredObject[] {
  const named = words.length === 0 || words[0] === "all" ? ALL : words;
  return named.map((word) => {
    const known = Object.keys(OBJECTS);
    const object = OBJECTS[resolve(word, known) ?? ""];
    if (object === undefined) {
      throw new UsageError(`There is nothing to monitor called ${word}${hint(word, known)}`);
    }
    return object;
  });
}

/** The links with one of them new, changed or gone. */
function changed({ links }: Names, { event, value }: ChangeEvent<"link">): Names {
  const others = links.filter(({ index }) => index !== value.index);
  // Also what comes behind its end may name it.
  return event === "deleted" ? new Names(links) : new Names([...others, value]);
}

function resultOf(event: MonitorEvent, host: Host): Result {
  if (event.event === "overflow") {
    return { json: event, text: "overflow: messages were lost; what they said follows" };
  }
  const { event: happened, object, nsid, missed, value, old } = event;
  const shown = printValue(object, value, host);
  const before = old === undefined ? undefined : printValue(object, old, host).json;
  const words = [
    ...nsid === undefined ? [] : [`[nsid ${nsid}]`],
    ...happened === "deleted" ? ["Deleted"] : [],
    textOf(shown).trim(),
  ];
  return {
    json: { event: happened, object, nsid, missed, value: shown.json, old: before },
    text: words.join(" "),
  };
}

function printValue(object: MonitoredObject, value: object, host: Host): Printed {
  const print = PRINTERS[object];
  if (print !== undefined) return print(value, host);
  const said = plain(value) as Record<string, unknown>;
  return printed(said, linesOf(said, 0).map((line) => line.trim()).join(" "));
}

/** Those that `ip` has words for. */
const PRINTERS: { readonly [Object in MonitoredObject]?: (value: object, host: Host) => Printed } =
  {
    link: (value, host) => printLink(value as Link, host, true),
    address: (value, host) => {
      const address = value as Address;
      const dev = host.names.name(address.index ?? 0);
      return join(printed({ dev }, `${address.index}: ${dev}`), printAddress(address, host));
    },
    route: (value, host) => printRoute(value as Route, host),
    neighbour: (value, host) => printNeighbour(value as Neighbour, host),
    rule: (value, host) => printRule(value as Rule, host),
    nexthop: (value, host) => printNexthop(value as Nexthop, host),
  };
