/**
 * Sets, and maps that have a value for each element (nft(8), linux/netfilter/nf_tables.h).
 *
 * @module
 */

import { be32, be64, text } from "../codec/scalars.ts";
import type { Message, MessageShape } from "../codec/shape.ts";
import { changing, getting, listing, NLM_F_CREATE, NLM_F_EXCL, type Request } from "../request.ts";
import { OBJECT_TYPE, STATEFUL_EXPRESSION } from "./expressions.ts";
import { NFGENMSG, nftType } from "./message.ts";
import { SET_USERDATA } from "./userdata.ts";

/** NFT_MSG_NEWSET, NFT_MSG_GETSET, NFT_MSG_DELSET. */
export const NFT_SET = {
  header: NFGENMSG,
  attributes: {
    table: ["NFTA_SET_TABLE", 1, text],
    name: ["NFTA_SET_NAME", 2, text],
    handle: ["NFTA_SET_HANDLE", 16, be64],
    flags: ["NFTA_SET_FLAGS", 3, {
      flags: be32,
      names: {
        anonymous: 0x1,
        constant: 0x2,
        interval: 0x4,
        map: 0x8,
        timeout: 0x10,
        eval: 0x20,
        object: 0x40,
        concat: 0x80,
        expr: 0x100,
      },
    }],
    /** nft's number for the type of the keys; the kernel only keeps it. */
    keyType: ["NFTA_SET_KEY_TYPE", 4, be32],
    /** Bytes. */
    keyLen: ["NFTA_SET_KEY_LEN", 5, be32],
    /** The same for the values of a map; 0xffffff00 for verdicts. */
    dataType: ["NFTA_SET_DATA_TYPE", 6, be32],
    dataLen: ["NFTA_SET_DATA_LEN", 7, be32],
    objType: ["NFTA_SET_OBJ_TYPE", 15, OBJECT_TYPE],
    /** Milliseconds after which an element goes. */
    timeout: ["NFTA_SET_TIMEOUT", 11, be64],
    /** Milliseconds. */
    gcInterval: ["NFTA_SET_GC_INTERVAL", 12, be32],
    policy: ["NFTA_SET_POLICY", 8, { oneOf: be32, names: { performance: 0, memory: 1 } }],
    userdata: ["NFTA_SET_USERDATA", 13, SET_USERDATA],
    desc: ["NFTA_SET_DESC", 9, {
      /** How many elements it may have. */
      size: ["NFTA_SET_DESC_SIZE", 1, be32],
      /** The bytes of each part of a key that is put together. */
      concat: ["NFTA_SET_DESC_CONCAT", 2, {
        listOf: { len: ["NFTA_SET_FIELD_LEN", 1, be32] },
        number: 1,
      }],
    }],
    /** How the kernel keeps it. */
    type: ["NFTA_SET_TYPE", 19, text],
    /** How many elements the kernel counts. */
    count: ["NFTA_SET_COUNT", 20, be32],
    expr: ["NFTA_SET_EXPR", 17, STATEFUL_EXPRESSION],
    expressions: ["NFTA_SET_EXPRESSIONS", 18, { listOf: STATEFUL_EXPRESSION, number: 1 }],
    /** A number by which what follows in the transaction can name it. */
    id: ["NFTA_SET_ID", 10, be32],
  },
} as const satisfies MessageShape;

/** A set, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface NftSet extends Message<typeof NFT_SET> {}

const NFT_MSG_NEWSET = nftType(9);
const NFT_MSG_GETSET = nftType(10);
const NFT_MSG_DELSET = nftType(11);

/** The requests about sets and maps. */
export class NftSetRequests {
  /** All sets, or those of a `family` or a `table`. */
  list(filter: NftSet = {}): Request<NftSet[]> {
    return listing("list sets", NFT_MSG_GETSET, NFT_SET, filter);
  }

  /** The set of a `family`, a `table` and a `name`. */
  get(spec: NftSet): Request<NftSet> {
    return getting(asked("get", spec), NFT_MSG_GETSET, NFT_SET, spec);
  }

  /** Adds a set; one that is there already stays as it is. One without a name to come needs an `id`. */
  add(spec: NftSet): Request<void> {
    return change("add", NFT_MSG_NEWSET, { id: 0, ...spec }, NLM_F_CREATE);
  }

  /** The same, but one that is there already is an error. */
  create(spec: NftSet): Request<void> {
    return change("create", NFT_MSG_NEWSET, { id: 0, ...spec }, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Takes a set away, with its elements; an error while a rule looks there. */
  delete(spec: NftSet): Request<void> {
    return change("delete", NFT_MSG_DELSET, spec);
  }
}

/** The requests about sets and maps, ready to be sent in a transaction. */
export const nftSet: NftSetRequests = new NftSetRequests();

function change(verb: string, type: number, spec: NftSet, flags = 0): Request<void> {
  return changing(asked(verb, spec), type, NFT_SET, spec, flags);
}

function asked(verb: string, { family = "unspec", table, name, handle, flags }: NftSet): string {
  const kind = flags?.includes("map") ? "map" : "set";
  return `${verb} ${kind} ${family} ${table} ${name ?? `handle ${handle}`}`;
}
