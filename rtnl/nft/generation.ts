/**
 * The generation of the ruleset: a number that every transaction changes (linux/netfilter/nf_tables.h).
 *
 * @module
 */

import { be32, text } from "../codec/scalars.ts";
import type { MessageShape } from "../codec/shape.ts";
import { type Request, request } from "../request.ts";
import { NFGENMSG, nftType } from "./message.ts";

/** NFT_MSG_NEWGEN, NFT_MSG_GETGEN. */
export const NFT_GENERATION = {
  header: NFGENMSG,
  attributes: {
    id: ["NFTA_GEN_ID", 1, be32],
    /** Who asked, or made the transaction. */
    procPid: ["NFTA_GEN_PROC_PID", 2, be32],
    procName: ["NFTA_GEN_PROC_NAME", 3, text],
  },
} as const satisfies MessageShape;

const NFT_MSG_GETGEN = nftType(16);

/** Asks for the number. */
export function generation(): Request<number> {
  return request({
    operation: "get the generation of the ruleset",
    type: NFT_MSG_GETGEN,
    form: "reply",
    shape: NFT_GENERATION,
    values: {},
    read: ([message]) => (message as { id: number }).id,
  });
}
