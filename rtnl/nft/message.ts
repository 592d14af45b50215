/**
 * What all messages of nf_tables begin with (linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h).
 *
 * @module
 */

import { be16, be32, u8 } from "../codec/scalars.ts";
import type { Codec, Fields, MessageShape, OneOfShape } from "../codec/shape.ts";
import { changing, type Request } from "../request.ts";

/** The families of tables, as nft(8) calls them: "inet" sees IPv4 and IPv6; "unspec" asks for all. */
export const NFT_FAMILY = {
  oneOf: u8 as Codec<number>,
  names: { unspec: 0, inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 },
} as const satisfies OneOfShape;

/** struct nfgenmsg. */
export const NFGENMSG = {
  family: NFT_FAMILY,
  version: u8 as Codec<number>,
  /** In an answer the low bits of the ruleset's generation. */
  resId: be16 as Codec<number>,
} as const satisfies Fields;

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

/** The type in the netlink header of one of NFT_MSG_*. */
export function nftType(message: number): number {
  return NFNL_SUBSYS_NFTABLES << 8 | message;
}

/** NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END, around the changes of a transaction. */
export const NFT_BATCH = {
  header: NFGENMSG,
  attributes: {
    /** The kernel refuses changes to a ruleset of another generation (ERESTART). */
    generation: ["NFNL_BATCH_GENID", 1, be32 as Codec<number>],
  },
} as const satisfies MessageShape;

/** What makes changes one transaction, of a ruleset of this generation if one is said. */
export function bracket(generation?: number): { begin: Request<void>; end: Request<void> } {
  const operation = "change nf_tables";
  const message = (type: number, values: object) =>
    changing(operation, type, NFT_BATCH, { resId: NFNL_SUBSYS_NFTABLES, ...values });
  return {
    begin: message(NFNL_MSG_BATCH_BEGIN, { generation }),
    end: message(NFNL_MSG_BATCH_END, {}),
  };
}
