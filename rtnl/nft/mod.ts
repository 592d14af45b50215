/**
 * nf_tables: the kernel's packet filter and address translation, over netlink.
 *
 * @module
 */

export { NFT_CHAIN, type NftChain, nftChain, NftChainRequests } from "./chain.ts";
export type { NftDataType } from "./datatypes.ts";
export {
  NFT_ELEMENT,
  NFT_ELEMENTS,
  type NftElement,
  nftElement,
  NftElementRequests,
  type NftElements,
} from "./element.ts";
export { NFT_DATA, NFT_EXPRESSION, type NftData, type NftExpression } from "./expressions.ts";
export { NFT_MESSAGES } from "./messages.ts";
export { Nft, type NftTransactionOptions } from "./nft.ts";
export { NFT_OBJECT, type NftObject, nftObject, NftObjectRequests } from "./object.ts";
export { NFT_RULE, type NftRule, nftRule, NftRuleRequests } from "./rule.ts";
export {
  addNftElements,
  addNftRule,
  deleteNftElements,
  deleteNftTable,
  type NftChainSpec,
  type NftElementSpec,
  type NftKey,
  type NftKeyType,
  type NftPriority,
  type NftRuleSpec,
  type NftSetSpec,
  type NftTableName,
  type NftTableSpec,
  replaceNftTable,
} from "./ruleset.ts";
export { NFT_SET, type NftSet, nftSet, NftSetRequests } from "./set.ts";
export {
  type NftConnectionState,
  type NftConnectionStatus,
  nftCounter,
  type NftFamilyMatch,
  type NftField,
  nftLimit,
  type NftLimitOptions,
  nftLog,
  type NftLogOptions,
  type NftMappedTarget,
  type NftMatch,
  nftMatch,
  type NftMatchOptions,
  type NftPorts,
  type NftReject,
  type NftRejection,
  type NftStatement,
  type NftTranslation,
  type NftTranslationOptions,
  type NftTranslationTarget,
  nftVerdict,
  type NftVerdictMap,
} from "./statements.ts";
export { NFT_TABLE, type NftTable, nftTable, NftTableRequests } from "./table.ts";
