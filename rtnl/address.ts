/**
 * Addresses of links (rtnetlink(7), linux/if_addr.h).
 *
 * @module
 */

import { parseAddress } from "./codec/ip.ts";
import { ip, lowByte, s32, text, u32, u8 } from "./codec/scalars.ts";
import type { Message, MessageShape } from "./codec/shape.ts";
import { FAMILY, familyOf, SCOPE } from "./names.ts";
import {
  changing,
  getting,
  listing,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
} from "./request.ts";

const FLAG_NAMES = {
  secondary: 0x1,
  /** No duplicate address detection: usable at once (IFA_F_NODAD). */
  nodad: 0x2,
  optimistic: 0x4,
  dadfailed: 0x8,
  home: 0x10,
  deprecated: 0x20,
  tentative: 0x40,
  permanent: 0x80,
  mngtmpaddr: 0x100,
  /** No route to its subnet comes with it. */
  noprefixroute: 0x200,
  autojoin: 0x400,
  stablePrivacy: 0x800,
} as const;

/** RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR: struct ifaddrmsg and the IFA_* attributes. */
export const ADDRESS = {
  header: {
    family: FAMILY,
    /** Bits of the subnet's prefix: 0 to 32, or 0 to 128. */
    prefixLength: u8,
    flags: { flags: lowByte, names: FLAG_NAMES },
    scope: SCOPE,
    /** The number of the link. */
    index: s32,
  },
  attributes: {
    /** The address; on a point-to-point link the peer's. */
    address: ["IFA_ADDRESS", 1, ip],
    /** The link's own address, where it differs from `address`. */
    local: ["IFA_LOCAL", 2, ip],
    /** IPv4: a name for the address that starts with the link's. */
    label: ["IFA_LABEL", 3, text],
    broadcast: ["IFA_BROADCAST", 4, ip],
    anycast: ["IFA_ANYCAST", 5, ip],
    /** Lifetimes in seconds, 0xffffffff for ever; times in hundredths of a second since boot. */
    cacheInfo: ["IFA_CACHEINFO", 6, {
      struct: { preferred: u32, valid: u32, created: u32, updated: u32 },
    }],
    multicast: ["IFA_MULTICAST", 7, ip],
    flags: ["IFA_FLAGS", 8, { flags: u32, names: FLAG_NAMES }],
    /** The metric of the route that comes with it. */
    routePriority: ["IFA_RT_PRIORITY", 9, u32],
    targetNetnsId: ["IFA_TARGET_NETNSID", 10, s32],
    /** Who set it (IFAPROT_*): 0 unspecified, 1 loopback, 2 router advertisement, 3 link-local. */
    protocol: ["IFA_PROTO", 11, u8],
  },
} as const satisfies MessageShape;

/** An address, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface Address extends Message<typeof ADDRESS> {}

// linux/rtnetlink.h
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

/** The requests about addresses. */
export class AddressRequests {
  /** All addresses, or those that the kernel finds to match: `family`, `index`. */
  list(filter: Address = {}): Request<Address[]> {
    return listing("list addresses", RTM_GETADDR, ADDRESS, filter);
  }

  /** An IPv6 `address` that some link has; of IPv4 the kernel only lists them. */
  get({ address }: Address): Request<Address> {
    const values: Address = { family: "inet6", address };
    return getting(`get address ${address}`, RTM_GETADDR, ADDRESS, values);
  }

  /** Adds an address to the link `index`; family and prefix length come from the address unless said. */
  add(spec: Address): Request<void> {
    return change("add", RTM_NEWADDR, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Adds it, or changes the flags, lifetimes and metric of the one that is there. */
  replace(spec: Address): Request<void> {
    return change("replace", RTM_NEWADDR, spec, NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** Takes it away. */
  delete(spec: Address): Request<void> {
    return change("delete", RTM_DELADDR, spec);
  }
}

/** The requests about addresses, ready to be sent or batched. */
export const address: AddressRequests = new AddressRequests();

function change(
  verb: string,
  type: number,
  spec: Address,
  flags = 0,
): Request<void> {
  const own = spec.local ?? spec.address ?? "";
  const values: Address = {
    family: familyOf(own),
    prefixLength: (parseAddress(own)?.length ?? 0) * 8,
    local: own,
    ...spec,
  };
  return changing(
    `${verb} address ${own}/${values.prefixLength} on link number ${spec.index}`,
    type,
    ADDRESS,
    values,
    flags,
  );
}
