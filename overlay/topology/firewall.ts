/**
 * The firewall of a namespace and its translation of addresses: a table of nf_tables (nft(8)) of the
 * topology's own, and what such a table says in a topology's words.
 *
 * The rules themselves are read; nothing else has to be remembered. What is read is made into a table
 * again, and compared with the one that is there, so that what others have changed shows.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import type { Nft, NftChainSpec, NftRuleSpec, NftTableSpec } from "../../rtnl/nft/mod.ts";
import { isSame, said } from "./canonical.ts";
import { DNAT, FILTER, MASQUERADE, type RuleKind, wordsOf } from "./firewall_rules.ts";
import { type Content, contentIn, contentOf, formOf, ruleForm } from "./nft_content.ts";
import type { FirewallChain, FirewallSpec, NatSpec } from "./types.ts";

/** What a table is made from. */
export interface TableSpec {
  firewall?: FirewallSpec | undefined;
  nat?: NatSpec | undefined;
}

/** What a table in the kernel says. */
export interface FoundTable extends TableSpec {
  /** Others have changed it: there is more in it than this says, less, or something else. */
  altered?: true | undefined;
}

const FAMILY = "inet";
const HOOKS = ["input", "forward", "output"] as const;

/** The name of a topology's tables; their family is "inet". No owner of attachments has a dot in its name. */
export function topologyTableName(topology: string): string {
  return `denolink.${topology}`;
}

/**
 * The table that does what is said, for `replaceNftTable`; `undefined` when nothing is. `InputError` for
 * what can't be meant.
 */
export function topologyTable(topology: string, spec: TableSpec): NftTableSpec | undefined {
  const chains = chainsOf(canonicalTable(spec));
  if (chains.length === 0) return undefined;
  return { family: FAMILY, name: topologyTableName(topology), chains };
}

/** What a topology's table says, in its one form; `undefined` when there is none. */
export async function readTopologyTable(
  nft: Nft,
  topology: string,
): Promise<FoundTable | undefined> {
  const found = await contentIn(nft, { family: FAMILY, name: topologyTableName(topology) });
  if (found === undefined) return undefined;
  const spec = canonicalTable(specOf(found));
  const table = topologyTable(topology, spec);
  const same = table !== undefined && isSame(formOf(contentOf(table)), formOf(found));
  return same ? spec : { ...spec, altered: true };
}

/** Whether a table says all that is wanted, and nothing else. */
export function sameTable(wanted: TableSpec, found: FoundTable): boolean {
  return !found.altered && isSame(canonicalTable(wanted), canonicalTable(found));
}

/** A table in words: "nft table denolink.lab: forward policy drop, 3 rules; masquerade 1". */
export function describeTable(topology: string, spec: TableSpec): string {
  const { firewall = {}, nat = {} } = canonicalTable(spec);
  const chains = HOOKS.flatMap((hook) => {
    const chain = firewall[hook];
    if (chain === undefined) return [];
    const { policy = "accept", rules = [] } = chain;
    return [`${hook} policy ${policy}, ${rules.length} rule${rules.length === 1 ? "" : "s"}`];
  });
  const translations = (["masquerade", "dnat"] as const).flatMap((key) => {
    const rules = nat[key];
    return rules === undefined ? [] : [`${key} ${rules.length}`];
  });
  const words = [...chains, ...translations];
  const name = `nft table ${topologyTableName(topology)}`;
  return words.length === 0 ? name : `${name}: ${words.join("; ")}`;
}

/** The same without defaults that are said, with addresses and lists in their one form and order. */
export function canonicalTable({ firewall = {}, nat = {} }: TableSpec): TableSpec {
  return said({
    firewall: filled(said({
      input: canonicalChain(firewall.input),
      forward: canonicalChain(firewall.forward),
      output: canonicalChain(firewall.output),
    })),
    nat: filled(said({
      masquerade: filled((nat.masquerade ?? []).map(MASQUERADE.canonical)),
      dnat: filled((nat.dnat ?? []).map(DNAT.canonical)),
    })),
  });
}

function canonicalChain({ policy, rules = [] }: FirewallChain = {}): FirewallChain | undefined {
  return filled(said({
    policy: policy === "accept" ? undefined : policy,
    rules: filled(rules.map(FILTER.canonical)),
  }));
}

/** Nothing for an object or a list that has nothing in it. */
function filled<T extends object>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value;
}

/** A chain for each hook of which something is said. */
function chainsOf({ firewall = {}, nat = {} }: TableSpec): NftChainSpec[] {
  const filters = HOOKS.flatMap((hook) => {
    const chain = firewall[hook];
    if (chain === undefined) return [];
    const { policy, rules = [] } = chain;
    return [{ name: hook, hook, policy, rules: rulesOf(FILTER, rules) }];
  });
  const { dnat = [], masquerade = [] } = nat;
  const translations = [
    { hook: "prerouting", rules: rulesOf(DNAT, dnat) },
    // What is made in the namespace has come in by no link.
    { hook: "output", rules: rulesOf(DNAT, dnat.filter((rule) => rule.in === undefined)) },
    { hook: "postrouting", rules: rulesOf(MASQUERADE, masquerade) },
  ] as const;
  return [
    ...filters,
    ...translations.filter(({ rules }) => rules.length > 0)
      .map((chain) => ({ ...chain, name: `nat-${chain.hook}`, type: "nat" as const })),
  ];
}

function rulesOf<Rule>({ statements }: RuleKind<Rule>, rules: readonly Rule[]): NftRuleSpec[] {
  return rules.map((rule) => ({ expressions: statements(rule) }));
}

/** What a table says, as far as its rules are such as a topology has. */
function specOf(content: Content): TableSpec {
  const filters = HOOKS.flatMap((hook) => {
    const chain = content.chains.find(({ name }) => name === hook);
    if (chain === undefined) return [];
    return [[hook, { policy: chain.policy, rules: readRules(FILTER, hook, content) }]];
  });
  return {
    firewall: Object.fromEntries(filters),
    nat: {
      masquerade: readRules(MASQUERADE, "nat-postrouting", content),
      dnat: readRules(DNAT, "nat-prerouting", content),
    },
  };
}

function readRules<Rule>(kind: RuleKind<Rule>, chain: string, { rules, sets }: Content): Rule[] {
  return rules.filter((rule) => rule.chain === chain).flatMap((rule) => {
    try {
      const read = kind.canonical(kind.rule(wordsOf(rule, sets)));
      const chains = [{ name: chain, rules: rulesOf(kind, [read]) }];
      const again = contentOf({ family: FAMILY, name: "again", chains });
      const same = isSame(ruleForm(again.rules[0]!, again.sets), ruleForm(rule, sets));
      return same ? [read] : [];
    } catch (error) {
      // It says what no topology can.
      if (error instanceof InputError) return [];
      throw error;
    }
  });
}
