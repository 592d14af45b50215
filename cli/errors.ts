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

/**
 * What is wrong with a topology's file, or which of its lines failed: `lab.yaml:12:7: key: message`, as
 * compilers say it.
 */
export class FileError extends Error {
  /** The class's name. */
  override name = "FileError";
  /** What there is to say, a line for each place. */
  readonly lines: readonly string[];
  /** The exit status: 2 for a bad file, 1 for what the kernel refused. */
  readonly status: 1 | 2;

  constructor(lines: readonly string[], status: 1 | 2, cause: Error) {
    super(lines.join("\n"), { cause });
    this.lines = lines;
    this.status = status;
  }
}

/** `; did you mean "X"?` when a candidate is near, else nothing. */
export function hint(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates);
  return near === undefined ? "" : `; did you mean "${near}"?`;
}
