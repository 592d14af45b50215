/**
 * Whole networks, written down: what differs from the kernel, made so, taken away, read back, drawn.
 *
 * @module
 */

export type { Change, Difference, Plan, ThingKind } from "./change.ts";
export {
  type Path,
  type Position,
  type Problem,
  TopologyError,
  TopologyStepError,
} from "./problem.ts";
export { apply, type ApplyOptions, destroy, plan } from "./apply.ts";
export { type ExportOptions, exportTopology } from "./export.ts";
export { type Drift, watch, type WatchOptions } from "./watch.ts";
export { checkTopology } from "./read.ts";
export { drawMermaid, type DrawOptions, drawSvg } from "./graph/mod.ts";
export type * from "./types.ts";
