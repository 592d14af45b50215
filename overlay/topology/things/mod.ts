/**
 * The kinds of things that a topology consists of: one file for each, one row here.
 *
 * @module
 */

import type { ThingType } from "../state.ts";
import { ADDRESSES } from "./address.ts";
import { ATTACHMENTS } from "./attachment.ts";
import { LINKS } from "./link.ts";
import { NEIGHBOURS } from "./neighbour.ts";
import { NFT_TABLES } from "./nft_table.ts";
import { QDISCS } from "./qdisc.ts";
import { ROUTES } from "./route.ts";
import { RULES } from "./rule.ts";
import { SYSCTLS } from "./sysctl.ts";

/** All kinds, in the order in which they are made; they are taken away the other way round. */
export const THING_TYPES: readonly ThingType<unknown>[] = [
  LINKS,
  SYSCTLS,
  ADDRESSES,
  QDISCS,
  ATTACHMENTS,
  NEIGHBOURS,
  ROUTES,
  RULES,
  NFT_TABLES,
];
