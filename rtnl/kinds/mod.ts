/**
 * The kinds of links that have attributes of their own: one file for each, one row here.
 *
 * @module
 */

import type { Shape } from "../codec/shape.ts";
import { BRIDGE, BRIDGE_PORT } from "./bridge.ts";
import { VETH } from "./veth.ts";

/** What IFLA_INFO_DATA holds, by kind. */
export const LINK_KINDS = {
  bridge: BRIDGE,
  veth: VETH,
} as const satisfies Record<string, Shape>;

/** What IFLA_INFO_SLAVE_DATA holds, by the kind of the master. */
export const PORT_KINDS = {
  bridge: BRIDGE_PORT,
} as const satisfies Record<string, Shape>;
