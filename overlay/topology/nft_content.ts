/**
 * What a table of nf_tables has, in one form: of one that is there, and of one that is to be made.
 *
 * @module
 */

import { NotFoundError } from "../../ffi/errors.ts";
import type { MessageShape } from "../../rtnl/codec/shape.ts";
import {
  type Nft,
  NFT_CHAIN,
  NFT_ELEMENTS,
  NFT_RULE,
  NFT_SET,
  type NftChain,
  type NftElement,
  type NftElements,
  type NftRule,
  type NftSet,
  type NftTable,
  type NftTableName,
  type NftTableSpec,
  replaceNftTable,
} from "../../rtnl/nft/mod.ts";
import { decode, textOf } from "./canonical.ts";

/** What a table has. */
export interface Content {
  flags: NftTable["flags"];
  chains: readonly NftChain[];
  rules: readonly NftRule[];
  sets: NftSets;
}

/** Sets by their names, or by the numbers that they have before the kernel names them. */
export type NftSets = ReadonlyMap<string | number | undefined, NftSetContent>;

/** A set with what it has. */
export interface NftSetContent extends Pick<NftSet, "flags" | "keyType"> {
  elements: readonly NftElement[];
}

/** What a table of the kernel has; `undefined` when there is none. */
export async function contentIn(nft: Nft, table: NftTableName): Promise<Content | undefined> {
  for (;;) {
    const generation = await nft.generation();
    const content = await listed(nft, table);
    // Lists that somebody's change comes between do not fit each other.
    if (await nft.generation() === generation) return content;
  }
}

async function listed(nft: Nft, { family, name }: NftTableName): Promise<Content | undefined> {
  const inTable = { family, table: name };
  try {
    const { flags } = await nft.tables.get({ family, name });
    const chains = await Array.fromAsync(nft.chains.list(inTable));
    const rules = await Array.fromAsync(nft.rules.list(inTable));
    const sets = new Map<string | undefined, NftSetContent>();
    for (const { name: set, flags, keyType } of await Array.fromAsync(nft.sets.list(inTable))) {
      const elements = await Array.fromAsync(nft.elements.list({ ...inTable, set }));
      sets.set(set, { flags, keyType, elements });
    }
    return { flags, chains, rules, sets };
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** What a table will have that is to be made; `InputError` when it can't be. */
export function contentOf(table: NftTableSpec): Content {
  const requests = replaceNftTable(table);
  const all = <Message>(shape: MessageShape) =>
    requests.filter((request) => request.shape === shape).map(decode<Message>);
  const messages = all<NftElements>(NFT_ELEMENTS);
  const sets = all<NftSet>(NFT_SET).map(({ id, flags, keyType }) => {
    const elements = messages.flatMap((it) => it.setId === id ? it.elements ?? [] : []);
    return [id, { flags, keyType, elements }] as const;
  });
  return {
    flags: [],
    chains: all<NftChain>(NFT_CHAIN),
    rules: all<NftRule>(NFT_RULE),
    sets: new Map(sets),
  };
}

/** What a table does, in one form; sets and other objects that no rule uses do nothing. */
export function formOf({ flags, chains, rules, sets }: Content): unknown {
  const inOrder = chains.toSorted((a, b) => a.name! < b.name! ? -1 : 1);
  return {
    flags,
    chains: inOrder.map(({ name, hook, type, policy }) => ({
      ...{ name, hook, type, policy },
      rules: rules.filter(({ chain }) => chain === name).map((rule) => ruleForm(rule, sets)),
    })),
  };
}

/** The same of a rule; its sets are told by what they have. */
export function ruleForm({ expressions = [] }: NftRule, sets: NftSets): unknown {
  return expressions.map((expression) => {
    if (expression.name === "lookup") {
      const { set, setId, ...data } = expression.data ?? {};
      const { elements = [], ...kind } = sets.get(setId ?? set) ?? {};
      return { ...data, ...kind, elements: elements.map(textOf).sort() };
    }
    if (expression.name !== "nat") return expression;
    // The kernel says both ends of what is no range, and that there is an address.
    const { flags = [], regAddrMin, regAddrMax, regProtoMin, regProtoMax, ...data } =
      expression.data ?? {};
    return {
      ...data,
      flags: flags.filter((flag) => flag !== "mapIps"),
      addresses: [regAddrMin, regAddrMax ?? regAddrMin],
      ports: [regProtoMin, regProtoMax ?? regProtoMin],
    };
  });
}
