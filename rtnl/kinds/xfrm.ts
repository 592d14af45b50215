/**
 * An interface whose packets IPsec policies choose by number (linux/if_link.h, IFLA_XFRM_*).
 *
 * @module
 */

import { presence, u32 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for an xfrm interface. */
export const XFRM = {
  link: ["IFLA_XFRM_LINK", 1, u32],
  interfaceId: ["IFLA_XFRM_IF_ID", 2, u32],
  collectMetadata: ["IFLA_XFRM_COLLECT_METADATA", 3, presence],
} as const satisfies Table;
