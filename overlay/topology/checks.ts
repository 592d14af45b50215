/**
 * Whether a topology whose structure is sound can be meant: one function for each rule.
 *
 * A namespace that is there already, as the host's, may have more than the file says; there only what the
 * file says is held against itself.
 *
 * @module
 */

import { ADDRESS_CHECKS, refusedAttachments } from "./checks_addresses.ts";
import { LINK_CHECKS } from "./checks_links.ts";
import { readLab } from "./checks_model.ts";
import { ROUTE_CHECKS } from "./checks_routes.ts";
import type { Problem } from "./problem.ts";
import type { Topology } from "./types.ts";

/** All that can't be meant. */
export function problemsIn(topology: Topology): Problem[] {
  const lab = readLab(topology);
  const found = [...LINK_CHECKS, ...ADDRESS_CHECKS, ...ROUTE_CHECKS]
    .flatMap((check) => [...check(lab)]);
  return [...found, ...refusedAttachments(lab, found)];
}
