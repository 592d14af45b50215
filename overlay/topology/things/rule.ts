/**
 * Rules of policy routing. Who made them says their protocol number (linux/fib_rules.h, FRA_PROTOCOL).
 *
 * @module
 */

import { type Rule, rule } from "../../../rtnl/rule.ts";
import { parseCidr } from "../../input.ts";
import { decode, differ, said } from "../canonical.ts";
import type { ThingType } from "../state.ts";
import type { RuleEntry } from "../types.ts";

/** The priority of the first rule that has none; the next has the next. */
const FIRST_PRIORITY = 1000;

/** Rules of policy routing. */
export const RULES: ThingType<RuleEntry> = {
  kind: "rule",
  wanted: ({ spec, path }) =>
    (spec.rules ?? []).map((entry, i) => {
      const asked = rule.add(requestOf({ priority: FIRST_PRIORITY + i, ...entry }));
      const value = valueOf(decode<Rule>(asked));
      return { name: nameIt(value), value, path: [...path, "rules", i] };
    }),
  found: ({ rules, memory }) =>
    rules.filter(({ protocol }) => protocol === memory.protocol).map((it) => {
      const value = valueOf(it);
      return { name: nameIt(value), value };
    }),
  compare: differ,
  add: ({ place }, value) => [
    rule.add({ ...requestOf(value), protocol: place.memory!.protocol }),
  ],
  remove: ({ place }, value) => [
    rule.delete({ ...requestOf(value), protocol: place.memory!.protocol }),
  ],
};

function nameIt({ family, priority, from, to }: RuleEntry): string {
  return [
    `${priority}:`,
    ...family === "inet6" ? ["inet6"] : [],
    `from ${from ?? "all"}`,
    ...to === undefined ? [] : [`to ${to}`],
  ].join(" ");
}

/** A rule of the kernel's as an entry. */
export function valueOf(it: Rule): RuleEntry {
  const cidr = (address: string | undefined, length: number | undefined) =>
    address === undefined ? undefined : `${address}/${length}`;
  const { priority, iif, oif, fwmark, fwmask, ipProtocol, sport, dport, uidRange, goto } = it;
  const suppress = it.suppressPrefixLength;
  return said({
    family: it.family as RuleEntry["family"],
    from: cidr(it.src, it.srcLength),
    to: cidr(it.dst, it.dstLength),
    action: it.action === "table" ? undefined : it.action,
    table: it.action === "table" && !it.l3mdev ? it.table ?? "main" : undefined,
    l3mdev: it.l3mdev || undefined,
    suppressPrefixLength: suppress === -1 ? undefined : suppress,
    ...{ priority, iif, oif, fwmark, ipProtocol, sport, dport, uidRange, goto },
    // All of the mark counts unless said.
    fwmask: fwmask === 0xffffffff ? undefined : fwmask,
  }) as RuleEntry;
}

function requestOf({ from, to, family, ...rest }: RuleEntry): Rule {
  const src = from === undefined ? undefined : parseCidr(from);
  const dst = to === undefined ? undefined : parseCidr(to);
  return said({
    ...rest,
    family: family ?? src?.family ?? dst?.family ?? "inet",
    src: src?.address,
    srcLength: src?.prefixLength,
    dst: dst?.address,
    dstLength: dst?.prefixLength,
  }) as Rule;
}
