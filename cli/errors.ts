/**
 * Bad usage, and what may have been meant.
 *
 * @module
 */

import { nearest } from "../overlay/topology/nearest.ts";

/** The user typed what no command is: exit status 2. */
export class UsageError extends Error {
  /** The class's name. */
  override name = "UsageError";
}

/** `; did you mean "X"?` when a candidate is near, else nothing. */
export function hint(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates);
  return near === undefined ? "" : `; did you mean "${near}"?`;
}
