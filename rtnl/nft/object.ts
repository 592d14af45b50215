/**
 * Stateful objects with a name, such as counters that several rules share (nft(8),
 * linux/netfilter/nf_tables.h).
 *
 * @module
 */

import { be16, be32, be64, text, u8 } from "../codec/scalars.ts";
import type { Message, MessageShape, Table } from "../codec/shape.ts";
import { changing, getting, listing, NLM_F_CREATE, NLM_F_EXCL, type Request } from "../request.ts";
import { CONNLIMIT, COUNTER, LIMIT, OBJECT_TYPE, QUOTA } from "./expressions.ts";
import { NFGENMSG, nftType } from "./message.ts";
import { OBJECT_USERDATA } from "./userdata.ts";

const CT_HELPER = {
  name: ["NFTA_CT_HELPER_NAME", 1, text],
  l4proto: ["NFTA_CT_HELPER_L4PROTO", 3, u8],
  l3proto: ["NFTA_CT_HELPER_L3PROTO", 2, be16],
} as const satisfies Table;

/** NFT_MSG_NEWOBJ, NFT_MSG_GETOBJ, NFT_MSG_DELOBJ. */
export const NFT_OBJECT = {
  header: NFGENMSG,
  attributes: {
    table: ["NFTA_OBJ_TABLE", 1, text],
    name: ["NFTA_OBJ_NAME", 2, text],
    type: ["NFTA_OBJ_TYPE", 3, OBJECT_TYPE],
    handle: ["NFTA_OBJ_HANDLE", 6, be64],
    /** How many rules and elements use it. */
    use: ["NFTA_OBJ_USE", 5, be32],
    /** What it has, of the kinds that are typed; of others the bytes are kept. */
    data: ["NFTA_OBJ_DATA", 4, {
      either: "type",
      when: {
        counter: COUNTER,
        quota: QUOTA,
        ct_helper: CT_HELPER,
        limit: LIMIT,
        connlimit: CONNLIMIT,
      },
    }],
    userdata: ["NFTA_OBJ_USERDATA", 8, OBJECT_USERDATA],
  },
} as const satisfies MessageShape;

/** A stateful object, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface NftObject extends Message<typeof NFT_OBJECT> {}

const NFT_MSG_NEWOBJ = nftType(18);
const NFT_MSG_GETOBJ = nftType(19);
const NFT_MSG_DELOBJ = nftType(20);

/** The requests about stateful objects. */
export class NftObjectRequests {
  /** All objects, or those of a `family`, a `table` or a `type`. */
  list(filter: NftObject = {}): Request<NftObject[]> {
    return listing("list objects", NFT_MSG_GETOBJ, NFT_OBJECT, filter);
  }

  /** The object of a `family`, a `table`, a `type` and a `name`. */
  get(spec: NftObject): Request<NftObject> {
    return getting(asked("get", spec), NFT_MSG_GETOBJ, NFT_OBJECT, spec);
  }

  /** Adds an object; one that is there already stays as it is. */
  add(spec: NftObject): Request<void> {
    return change("add", NFT_MSG_NEWOBJ, spec, NLM_F_CREATE);
  }

  /** The same, but one that is there already is an error. */
  create(spec: NftObject): Request<void> {
    return change("create", NFT_MSG_NEWOBJ, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Takes an object away; an error while a rule uses it. */
  delete(spec: NftObject): Request<void> {
    return change("delete", NFT_MSG_DELOBJ, spec);
  }
}

/** The requests about stateful objects, ready to be sent in a transaction. */
export const nftObject: NftObjectRequests = new NftObjectRequests();

function change(verb: string, type: number, spec: NftObject, flags = 0): Request<void> {
  return changing(asked(verb, spec), type, NFT_OBJECT, spec, flags);
}

function asked(
  verb: string,
  { family = "unspec", table, name, handle, type }: NftObject,
): string {
  return `${verb} ${type ?? "object"} ${family} ${table} ${name ?? `handle ${handle}`}`;
}
