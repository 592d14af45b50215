/**
 * Checks a topology.
 *
 * @module
 */

import { problemsIn } from "./checks.ts";
import { TOPOLOGY } from "./format.ts";
import { type Problem, TopologyError } from "./problem.ts";
import { check } from "./schema.ts";
import type { Topology } from "./types.ts";

/**
 * Refuses what is no topology, or none that can be meant; `TopologyError` with all that is wrong.
 *
 * @example Check before anything is done
 * ```ts
 * import { checkTopology } from "@denolink/denolink";
 *
 * const topology = checkTopology({
 *   denolink: 1,
 *   name: "lab",
 *   bridges: { br0: "10.0.0.1/24" },
 *   containers: { web: { bridge: "br0" } },
 * });
 * console.log(topology.name);
 * ```
 */
export function checkTopology(value: unknown): Topology {
  const problems = problemsOf(value);
  if (problems.length > 0) throw new TopologyError(problems);
  return value as Topology;
}

/** All that is wrong with what may be a topology; what it means is only asked when its structure is sound. */
export function problemsOf(value: unknown): Problem[] {
  const problems = check(TOPOLOGY, value);
  return problems.length > 0 ? problems : problemsIn(value as Topology);
}
