/**
 * Labels by which IPv6 source addresses are chosen (RFC 6724, ip-addrlabel(8), linux/if_addrlabel.h).
 *
 * @module
 */

import { ip, padding, u32, u8 } from "./codec/scalars.ts";
import type { Message, MessageShape } from "./codec/shape.ts";
import { FAMILY } from "./names.ts";
import {
  changing,
  listing,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
} from "./request.ts";

/** RTM_NEWADDRLABEL, RTM_DELADDRLABEL, RTM_GETADDRLABEL: struct ifaddrlblmsg and the IFAL_* attributes. */
export const ADDRESS_LABEL = {
  header: {
    family: FAMILY,
    padding,
    /** Bits of the prefix, 0 to 128. */
    prefixLength: u8,
    flags: u8,
    /** The number of a link, 0 for all. */
    index: u32,
    sequence: u32,
  },
  attributes: {
    /** The prefix. */
    address: ["IFAL_ADDRESS", 1, ip],
    label: ["IFAL_LABEL", 2, u32],
  },
} as const satisfies MessageShape;

/** A prefix and its label; what is `undefined` was not said. */
export interface AddressLabel extends Message<typeof ADDRESS_LABEL> {}

// linux/rtnetlink.h
const RTM_NEWADDRLABEL = 72;
const RTM_DELADDRLABEL = 73;
const RTM_GETADDRLABEL = 74;

/** The requests about address labels. */
export class AddressLabelRequests {
  /** All of them. */
  list(_filter: AddressLabel = {}): Request<AddressLabel[]> {
    return listing("list address labels", RTM_GETADDRLABEL, ADDRESS_LABEL, { family: "inet6" });
  }

  /** Gives a prefix a label. */
  add(spec: AddressLabel): Request<void> {
    return change("add", RTM_NEWADDRLABEL, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** The same, or changes the one that it has. */
  replace(spec: AddressLabel): Request<void> {
    return change("replace", RTM_NEWADDRLABEL, spec, NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** Takes a prefix's label away. */
  delete(spec: AddressLabel): Request<void> {
    return change("delete", RTM_DELADDRLABEL, spec);
  }
}

/** The requests about address labels, ready to be sent or batched. */
export const addressLabel: AddressLabelRequests = new AddressLabelRequests();

function change(verb: string, type: number, spec: AddressLabel, flags = 0): Request<void> {
  const values: AddressLabel = { family: "inet6", prefixLength: 128, ...spec };
  return changing(
    `${verb} the label of ${values.address}/${values.prefixLength}`,
    type,
    ADDRESS_LABEL,
    values,
    flags,
  );
}
