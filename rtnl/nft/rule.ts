/**
 * Rules: what happens to packets (nft(8), linux/netfilter/nf_tables.h).
 *
 * @module
 */

import { be32, be64, text } from "../codec/scalars.ts";
import type { Message, MessageShape } from "../codec/shape.ts";
import {
  changing,
  getting,
  listing,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  type Request,
} from "../request.ts";
import { NFT_EXPRESSION } from "./expressions.ts";
import { NFGENMSG, nftType } from "./message.ts";
import { RULE_USERDATA } from "./userdata.ts";

/** NFT_MSG_NEWRULE, NFT_MSG_GETRULE, NFT_MSG_DELRULE. */
export const NFT_RULE = {
  header: NFGENMSG,
  attributes: {
    table: ["NFTA_RULE_TABLE", 1, text],
    chain: ["NFTA_RULE_CHAIN", 2, text],
    /** The kernel's number for it, by which it is replaced and taken away. */
    handle: ["NFTA_RULE_HANDLE", 3, be64],
    /** The handle of the rule that it stands behind; of a new one the rule that it is added at. */
    position: ["NFTA_RULE_POSITION", 6, be64],
    expressions: ["NFTA_RULE_EXPRESSIONS", 4, { listOf: NFT_EXPRESSION, number: 1 }],
    /** What iptables has beside them. */
    compat: ["NFTA_RULE_COMPAT", 5, {
      proto: ["NFTA_RULE_COMPAT_PROTO", 1, be32],
      flags: ["NFTA_RULE_COMPAT_FLAGS", 2, { flags: be32, names: { unused: 0x1, invert: 0x2 } }],
    }],
    userdata: ["NFTA_RULE_USERDATA", 7, RULE_USERDATA],
    id: ["NFTA_RULE_ID", 9, be32],
    positionId: ["NFTA_RULE_POSITION_ID", 10, be32],
    chainId: ["NFTA_RULE_CHAIN_ID", 11, be32],
  },
} as const satisfies MessageShape;

/** A rule, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface NftRule extends Message<typeof NFT_RULE> {}

const NFT_MSG_NEWRULE = nftType(6);
const NFT_MSG_GETRULE = nftType(7);
const NFT_MSG_DELRULE = nftType(8);

/** The requests about rules. */
export class NftRuleRequests {
  /** All rules in their order, or those of a `family`, a `table` or a `chain` of it. */
  list(filter: NftRule = {}): Request<NftRule[]> {
    return listing("list rules", NFT_MSG_GETRULE, NFT_RULE, filter);
  }

  /** The rule of a `family`, a `table`, a `chain` and a `handle`. */
  get(spec: NftRule): Request<NftRule> {
    return getting(asked("get", spec), NFT_MSG_GETRULE, NFT_RULE, spec);
  }

  /** Adds a rule at the end of its chain, or behind the one whose handle is `position`. */
  add(spec: NftRule): Request<void> {
    return change("add", NFT_MSG_NEWRULE, spec, NLM_F_CREATE | NLM_F_APPEND);
  }

  /** Adds a rule at the beginning of its chain, or before the one whose handle is `position`. */
  insert(spec: NftRule): Request<void> {
    return change("insert", NFT_MSG_NEWRULE, spec, NLM_F_CREATE);
  }

  /** Puts a rule in the place of the one of this `handle`. */
  replace(spec: NftRule): Request<void> {
    return change("replace", NFT_MSG_NEWRULE, spec, NLM_F_REPLACE);
  }

  /** Takes the rule of a `handle` away; without one all rules of the chain, without that of the table. */
  delete(spec: NftRule): Request<void> {
    return change("delete", NFT_MSG_DELRULE, spec);
  }
}

/** The requests about rules, ready to be sent in a transaction. */
export const nftRule: NftRuleRequests = new NftRuleRequests();

function change(verb: string, type: number, spec: NftRule, flags = 0): Request<void> {
  return changing(asked(verb, spec), type, NFT_RULE, spec, flags);
}

function asked(
  verb: string,
  { family = "unspec", table, chain, handle, userdata }: NftRule,
): string {
  return [
    `${verb} rule ${family} ${table}`,
    ...chain === undefined ? [] : [chain],
    ...handle === undefined ? [] : [`handle ${handle}`],
    ...userdata?.comment === undefined ? [] : [`comment "${userdata.comment}"`],
  ].join(" ");
}
