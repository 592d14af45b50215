/**
 * The elements of sets and maps (nft(8), linux/netfilter/nf_tables.h).
 *
 * @module
 */

import { be32, be64, text } from "../codec/scalars.ts";
import type { Attributes, Message, MessageShape, Table } from "../codec/shape.ts";
import { changing, NLM_F_CREATE, NLM_F_EXCL, type Request, request } from "../request.ts";
import { NFT_DATA, STATEFUL_EXPRESSION } from "./expressions.ts";
import { NFGENMSG, nftType } from "./message.ts";
import { ELEMENT_USERDATA } from "./userdata.ts";

/** One element. */
export const NFT_ELEMENT = {
  key: ["NFTA_SET_ELEM_KEY", 1, NFT_DATA],
  /** The other end of an interval, of keys that are put together. */
  keyEnd: ["NFTA_SET_ELEM_KEY_END", 10, NFT_DATA],
  /** The value that a map has for it. */
  data: ["NFTA_SET_ELEM_DATA", 2, NFT_DATA],
  expr: ["NFTA_SET_ELEM_EXPR", 7, STATEFUL_EXPRESSION],
  expressions: ["NFTA_SET_ELEM_EXPRESSIONS", 11, { listOf: STATEFUL_EXPRESSION, number: 1 }],
  /** The stateful object that a map has for it. */
  objref: ["NFTA_SET_ELEM_OBJREF", 9, text],
  /** `intervalEnd`: the first that the interval before has no more; `catchall`: all others. */
  flags: ["NFTA_SET_ELEM_FLAGS", 3, {
    flags: be32,
    names: { intervalEnd: 0x1, catchall: 0x2 },
  }],
  /** Milliseconds. */
  timeout: ["NFTA_SET_ELEM_TIMEOUT", 4, be64],
  /** Milliseconds that are left. */
  expiration: ["NFTA_SET_ELEM_EXPIRATION", 5, be64],
  userdata: ["NFTA_SET_ELEM_USERDATA", 6, ELEMENT_USERDATA],
} as const satisfies Table;

/** NFT_MSG_NEWSETELEM, NFT_MSG_GETSETELEM, NFT_MSG_DELSETELEM. */
export const NFT_ELEMENTS = {
  header: NFGENMSG,
  attributes: {
    table: ["NFTA_SET_ELEM_LIST_TABLE", 1, text],
    set: ["NFTA_SET_ELEM_LIST_SET", 2, text],
    setId: ["NFTA_SET_ELEM_LIST_SET_ID", 4, be32],
    elements: ["NFTA_SET_ELEM_LIST_ELEMENTS", 3, { listOf: NFT_ELEMENT, number: 1 }],
  },
} as const satisfies MessageShape;

/** An element, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export type NftElement = Attributes<typeof NFT_ELEMENT>;

/** Elements of one set, or the set whose elements are asked for. */
export interface NftElements extends Message<typeof NFT_ELEMENTS> {}

const NFT_MSG_NEWSETELEM = nftType(12);
const NFT_MSG_GETSETELEM = nftType(13);
const NFT_MSG_DELSETELEM = nftType(14);

/** The requests about elements. */
export class NftElementRequests {
  /** All elements of the `set` of a `family` and a `table`. */
  list(spec: NftElements): Request<NftElement[]> {
    return request({
      operation: asked("list", spec),
      type: NFT_MSG_GETSETELEM,
      form: "dump",
      shape: NFT_ELEMENTS,
      values: spec,
      read: (messages) => (messages as NftElements[]).flatMap(({ elements = [] }) => elements),
    });
  }

  /**
   * Adds elements; one that is there already stays as it is, and is an error where a map has another
   * value for it. All of them have to fit 64 KiB.
   */
  add(spec: NftElements): Request<void> {
    return change("add", NFT_MSG_NEWSETELEM, spec, NLM_F_CREATE);
  }

  /** The same, but one that is there already is an error. */
  create(spec: NftElements): Request<void> {
    return change("create", NFT_MSG_NEWSETELEM, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Takes elements away; without `elements` all of them. */
  delete(spec: NftElements): Request<void> {
    return change("delete", NFT_MSG_DELSETELEM, spec);
  }
}

/** The requests about elements, ready to be sent in a transaction. */
export const nftElement: NftElementRequests = new NftElementRequests();

function change(verb: string, type: number, spec: NftElements, flags = 0): Request<void> {
  return changing(asked(verb, spec), type, NFT_ELEMENTS, spec, flags);
}

function asked(verb: string, { family = "unspec", table, set }: NftElements): string {
  return `${verb} elements of set ${family} ${table} ${set}`;
}
