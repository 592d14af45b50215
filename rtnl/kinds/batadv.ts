/**
 * A mesh (linux/batman_adv.h, IFLA_BATADV_*).
 *
 * @module
 */

import { text } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** What IFLA_INFO_DATA holds for a batman-adv mesh; taken at creation. */
export const BATADV = {
  /** "BATMAN_IV" or "BATMAN_V". */
  algorithm: ["IFLA_BATADV_ALGO_NAME", 1, text],
} as const satisfies Table;
