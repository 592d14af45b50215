/**
 * All messages of nf_tables by their names (linux/netfilter/nf_tables.h).
 *
 * @module
 */

import type { MessageShape } from "../codec/shape.ts";
import { NFT_CHAIN } from "./chain.ts";
import { NFT_ELEMENTS } from "./element.ts";
import { NFT_GENERATION } from "./generation.ts";
import { nftType } from "./message.ts";
import { NFT_OBJECT } from "./object.ts";
import { NFT_RULE } from "./rule.ts";
import { NFT_SET } from "./set.ts";
import { NFT_TABLE } from "./table.ts";

/** The number of each in the netlink header, and what stands behind that. */
export const NFT_MESSAGES: Readonly<
  Record<string, readonly [number: number, shape: MessageShape]>
> = {
  NFT_MSG_NEWTABLE: [nftType(0), NFT_TABLE],
  NFT_MSG_GETTABLE: [nftType(1), NFT_TABLE],
  NFT_MSG_DELTABLE: [nftType(2), NFT_TABLE],
  NFT_MSG_NEWCHAIN: [nftType(3), NFT_CHAIN],
  NFT_MSG_GETCHAIN: [nftType(4), NFT_CHAIN],
  NFT_MSG_DELCHAIN: [nftType(5), NFT_CHAIN],
  NFT_MSG_NEWRULE: [nftType(6), NFT_RULE],
  NFT_MSG_GETRULE: [nftType(7), NFT_RULE],
  NFT_MSG_DELRULE: [nftType(8), NFT_RULE],
  NFT_MSG_NEWSET: [nftType(9), NFT_SET],
  NFT_MSG_GETSET: [nftType(10), NFT_SET],
  NFT_MSG_DELSET: [nftType(11), NFT_SET],
  NFT_MSG_NEWSETELEM: [nftType(12), NFT_ELEMENTS],
  NFT_MSG_GETSETELEM: [nftType(13), NFT_ELEMENTS],
  NFT_MSG_DELSETELEM: [nftType(14), NFT_ELEMENTS],
  NFT_MSG_NEWGEN: [nftType(15), NFT_GENERATION],
  NFT_MSG_GETGEN: [nftType(16), NFT_GENERATION],
  NFT_MSG_NEWOBJ: [nftType(18), NFT_OBJECT],
  NFT_MSG_GETOBJ: [nftType(19), NFT_OBJECT],
  NFT_MSG_DELOBJ: [nftType(20), NFT_OBJECT],
};
