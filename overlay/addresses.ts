/**
 * The small steps for addresses.
 *
 * @module
 */

import { NetlinkError, NotFoundError } from "../ffi/errors.ts";
import { connect, type NetnsOptions } from "../netns/netns.ts";
import { address } from "../rtnl/address.ts";
import { parseCidr } from "./input.ts";
import { errnoIs, findLink, getLink } from "./links.ts";

/** How an address is added. */
export interface AddressOptions extends NetnsOptions {
  /**
   * Ask the link for a second or two whether another host has the IPv6 address, which is not usable until
   * then (RFC 4862, 5.4).
   * @default {false}
   */
  duplicateDetection?: boolean | undefined;
}

/**
 * Adds an address to a link; it is usable at once. `NotFoundError` when there is no such link, `ExistsError` when the
 * link has the address already.
 *
 * @example Give a bridge its gateway address
 * ```ts
 * import { addAddress } from "@denolink/denolink";
 *
 * await addAddress("br0", "10.0.0.1/24");
 * ```
 */
export async function addAddress(
  name: string,
  cidr: string,
  { duplicateDetection = false, ...options }: AddressOptions = {},
): Promise<void> {
  const { family, address: own, prefixLength } = parseCidr(cidr);
  using rtnl = await connect(options);
  const { index } = await getLink(rtnl, name);
  await rtnl.request({
    ...address.add({
      index,
      family,
      address: own,
      prefixLength,
      flags: duplicateDetection ? [] : flagsAtOnce(family),
    }),
    operation: `add address ${cidr} to link ${name}`,
  });
}

/**
 * Takes all addresses of a link away, IPv6 link-local ones too; says how many there were. A link that is
 * not there has none.
 *
 * @example Start afresh
 * ```ts
 * import { flushAddresses } from "@denolink/denolink";
 *
 * console.log(await flushAddresses("br0"));
 * ```
 */
export async function flushAddresses(name: string, options?: NetnsOptions): Promise<number> {
  using rtnl = await connect(options);
  const link = await findLink(rtnl, { name });
  if (link === undefined) return 0;
  const addresses = await Array.fromAsync(rtnl.addresses.list({ index: link.index }));
  const requests = addresses.map(({ index, family, address: own, local, prefixLength }) => ({
    ...address.delete({ index, family, address: own, local, prefixLength }),
    operation: `flush the addresses of link ${name}`,
  }));
  for (const result of await rtnl.batch(requests)) {
    // A secondary address goes with its primary.
    if (result instanceof NetlinkError && !isGone(result)) throw result;
  }
  return addresses.length;
}

/** What makes an address usable at once: no duplicate detection, which only IPv6 has. */
export function flagsAtOnce(family: "inet" | "inet6"): readonly "nodad"[] {
  return family === "inet6" ? ["nodad"] : [];
}

function isGone(error: NetlinkError): boolean {
  return error instanceof NotFoundError || errnoIs(error, "EADDRNOTAVAIL");
}
