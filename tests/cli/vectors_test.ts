/**
 * What the kernel answered to `ip`, on two kernels, printed by denolink: it must be what `ip -j` printed.
 */

import { assert, assertEquals } from "@std/assert";
import { decodeMessages, type Link, type Rtnl } from "../../mod.ts";
import { type Host, Names } from "../../cli/host.ts";
import { printLink } from "../../cli/link.ts";
import { printNeighbour } from "../../cli/neighbour.ts";
import { printNexthop } from "../../cli/nexthop.ts";
import { printRoute } from "../../cli/route.ts";
import { printRule } from "../../cli/rule.ts";
import type { Printed } from "../../cli/words.ts";
import type { Vector } from "../../tools/capture.ts";
import { stable } from "../rtnl/referee.ts";
import old from "../vectors/linux-6.1.json" with { type: "json" };
import recent from "../vectors/linux-6.18.json" with { type: "json" };

/** The message that a noun lists, and how one is printed. */
const NOUNS: Record<string, [type: string, print: (value: object, host: Host) => Printed]> = {
  link: ["RTM_NEWLINK", (value, host) => printLink(value, host, true)],
  route: ["RTM_NEWROUTE", printRoute],
  nexthop: ["RTM_NEWNEXTHOP", printNexthop],
  rule: ["RTM_NEWRULE", printRule],
  neighbour: ["RTM_NEWNEIGH", printNeighbour],
};

for (const { kernel, vectors } of [old, recent] as { kernel: string; vectors: Vector[] }[]) {
  for (const { name, show, received, shown } of vectors) {
    const [, noun] = /^ip(?: -\S+)* (\w+)/.exec(show) ?? [];
    const [type, print] = NOUNS[noun ?? ""] ?? [];
    if (type === undefined || print === undefined || show.includes("-f mpls")) continue;
    Deno.test(`${name}, as Linux ${kernel} answered it, is printed as ip prints it`, () => {
      const host = hostOf(received, show.includes("-d "));
      const messages = received.flatMap((hex) => decodeMessages(Uint8Array.fromHex(hex)))
        .filter((message) => message.type === type)
        .map(({ message }) => message!)
        .map((message) => withoutFiltered(message, show));
      const printed = messages.map((message) => print(message, host).json);
      const wanted = shown as Record<string, unknown>[];
      assert(wanted.length > 0);
      // Each that was shown is among those that were answered, whatever the filter left out.
      for (const entry of wanted) {
        const found = printed.find((json) => sameObject(json, entry, noun!));
        assertEquals(stable(found), stable(entry));
      }
    });
  }
}

/** What the words of a filter say is not said of each. */
function withoutFiltered(message: object, show: string): object {
  const filtered = [
    ...show.includes("proto static") ? ["protocol"] : [],
    ...show.includes("neighbour show dev") ? ["index"] : [],
  ];
  return Object.fromEntries(Object.entries(message).filter(([key]) => !filtered.includes(key)));
}

/** Links by their index, routes by where they lead, and so on. */
function sameObject(a: Record<string, unknown>, b: Record<string, unknown>, noun: string): boolean {
  const keys = {
    link: ["ifindex"],
    route: ["dst", "metric", "table"],
    nexthop: ["id"],
    rule: ["priority", "src"],
    neighbour: ["dst"],
  }[noun]!;
  return keys.every((key) => a[key] === b[key]);
}

function hostOf(received: readonly string[], details: boolean): Host {
  const links = received.flatMap((hex) => decodeMessages(Uint8Array.fromHex(hex)))
    .filter(({ type }) => type === "RTM_NEWLINK").map(({ message }) => message as Link);
  const known: Link[] = [
    { index: 10, name: "eth0", flags: ["up"] },
    { index: 11, name: "eth1", flags: ["up"] },
    { index: 50, name: "x" },
    { index: 51, name: "y" },
  ];
  const names = new Names([...known, ...links]);
  const unused = undefined as unknown as Rtnl;
  return {
    rtnl: unused,
    names,
    details,
    statistics: false,
    family: undefined,
    open: () => ({}) as never,
  };
}
