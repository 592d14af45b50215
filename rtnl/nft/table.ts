/**
 * Tables, which hold the chains and sets of one family (nft(8), linux/netfilter/nf_tables.h).
 *
 * @module
 */

import { be32, be64, text } from "../codec/scalars.ts";
import type { Message, MessageShape } from "../codec/shape.ts";
import { changing, getting, listing, NLM_F_CREATE, NLM_F_EXCL, type Request } from "../request.ts";
import { NFGENMSG, nftType } from "./message.ts";
import { TABLE_USERDATA } from "./userdata.ts";

/** NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE, NFT_MSG_DELTABLE. */
export const NFT_TABLE = {
  header: NFGENMSG,
  attributes: {
    name: ["NFTA_TABLE_NAME", 1, text],
    /** How many chains, sets and objects it has. */
    use: ["NFTA_TABLE_USE", 3, be32],
    handle: ["NFTA_TABLE_HANDLE", 4, be64],
    /** `dormant`: no packet sees it; `owner`: it goes with the socket that made it. */
    flags: ["NFTA_TABLE_FLAGS", 2, {
      flags: be32,
      names: { dormant: 0x1, owner: 0x2, persist: 0x4 },
    }],
    owner: ["NFTA_TABLE_OWNER", 7, be32],
    userdata: ["NFTA_TABLE_USERDATA", 6, TABLE_USERDATA],
  },
} as const satisfies MessageShape;

/** A table, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface NftTable extends Message<typeof NFT_TABLE> {}

const NFT_MSG_NEWTABLE = nftType(0);
const NFT_MSG_GETTABLE = nftType(1);
const NFT_MSG_DELTABLE = nftType(2);

/** The requests about tables. */
export class NftTableRequests {
  /** All tables, or those of a `family`. */
  list(filter: NftTable = {}): Request<NftTable[]> {
    return listing("list tables", NFT_MSG_GETTABLE, NFT_TABLE, filter);
  }

  /** The table of a `family` and a `name`. */
  get(spec: NftTable): Request<NftTable> {
    return getting(asked("get", spec), NFT_MSG_GETTABLE, NFT_TABLE, spec);
  }

  /** Adds a table; one that is there already stays as it is. */
  add(spec: NftTable): Request<void> {
    return change("add", NFT_MSG_NEWTABLE, spec, NLM_F_CREATE);
  }

  /** The same, but one that is there already is an error. */
  create(spec: NftTable): Request<void> {
    return change("create", NFT_MSG_NEWTABLE, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Takes a table away, with all that is in it. */
  delete(spec: NftTable): Request<void> {
    return change("delete", NFT_MSG_DELTABLE, spec);
  }
}

/** The requests about tables, ready to be sent in a transaction. */
export const nftTable: NftTableRequests = new NftTableRequests();

function change(verb: string, type: number, spec: NftTable, flags = 0): Request<void> {
  return changing(asked(verb, spec), type, NFT_TABLE, spec, flags);
}

function asked(verb: string, { family = "unspec", name, handle }: NftTable): string {
  return `${verb} table ${family} ${name ?? `handle ${handle}`}`;
}
