/**
 * A virtual tunnel for IPsec (linux/if_tunnel.h, IFLA_VTI_*): vti and vti6.
 *
 * @module
 */

import { be32, ip, u32 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for a vti or a vti6. */
export const VTI = {
  link: ["IFLA_VTI_LINK", 1, u32],
  inputKey: ["IFLA_VTI_IKEY", 2, be32],
  outputKey: ["IFLA_VTI_OKEY", 3, be32],
  local: ["IFLA_VTI_LOCAL", 4, ip],
  remote: ["IFLA_VTI_REMOTE", 5, ip],
  fwmark: ["IFLA_VTI_FWMARK", 6, u32],
} as const satisfies Table;
