/**
 * What routes, rules, nexthops and neighbours say in the same way.
 *
 * @module
 */

import type { Address } from "../mod.ts";
import { ROUTE_PROTOCOL } from "../rtnl/names.ts";
import { choice, ip, readNumber } from "./forms.ts";
import { familyOf } from "./prefix.ts";
import { type Form, type Printed, printed } from "./words.ts";

const SCOPES = ["global", "site", "link", "host", "nowhere"] as const;

/** How far an address or a route reaches, as the rtnl tables name it. */
export type Scope = NonNullable<Address["scope"]>;

/** The same as it is typed. */
export const scope: Form<Scope> = {
  ...choice(...SCOPES) as Form<Scope>,
  name: "SCOPE",
  parse(typed) {
    const word = typed.take() ?? "";
    return SCOPES.find((scope) => scope === word) ?? readNumber(word);
  },
};

/** RTPROT_* as /etc/iproute2/rt_protos names them, which leaves two out. */
const { mrouted: _, ovn: __, ...PROTOCOLS } = ROUTE_PROTOCOL.names;

/** A number with a name in a file of /etc/iproute2, whatever the rtnl table calls it. */
export function named(
  names: Readonly<Record<string, number>>,
  what: string,
): Form<string | number> {
  const nameOf = (value: string | number) =>
    typeof value === "string"
      ? value
      : Object.keys(names).find((name) => names[name] === value) ?? String(value);
  return {
    name: what,
    parse(words) {
      const word = words.take() ?? "";
      return Object.hasOwn(names, word) ? names[word] : readNumber(word);
    },
    json: nameOf,
    text: nameOf,
  };
}

/** Who made a route or a rule. */
export const protocol: Form<string | number> = named(PROTOCOLS, "PROTOCOL");
/** A routing table. */
export const table: Form<string | number> = named({ default: 253, main: 254, local: 255 }, "TABLE");

/** A form whose usual value is printed with --details only. */
export function unless<Value>(usual: Value, form: Form<Value>): Form<Value> {
  return {
    ...form,
    json: (value, host) => value === usual && !host.details ? undefined : form.json?.(value, host),
    text: (value, host) => value === usual && !host.details ? undefined : form.text?.(value, host),
  };
}

/** Where a route leads, before the families are compared. */
export interface Gateway {
  family: "inet" | "inet6";
  address: string;
}

/** `via 10.0.0.1`, `via inet6 fe80::1`. */
export const gateway: Form<Gateway> = {
  name: "[inet|inet6] ADDRESS",
  parse(words, host, typed) {
    const said = words.takeIf("inet") ? "inet" : words.takeIf("inet6") ? "inet6" : undefined;
    const address = ip.parse!(words, host, typed);
    if (address === undefined || said !== undefined && said !== familyOf(address)) return undefined;
    return { family: familyOf(address), address };
  },
};

const FLAGS = [
  "dead",
  "onlink",
  "pervasive",
  "offload",
  "trap",
  "notify",
  "linkdown",
  "unresolved",
] as const;

/** What is to be known of a route or a nexthop. */
export function printFlags(flags: readonly string[]): Printed {
  const shown = FLAGS.filter((flag) => flags.includes(flag));
  return printed({ flags: shown }, ...shown);
}
