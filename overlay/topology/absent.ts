/**
 * What is gone meanwhile.
 *
 * @module
 */

import { InputError, NetlinkError, NotFoundError } from "../../ffi/errors.ts";

/** The answer, or `undefined` when what was asked for is not there. */
export function absentIsUndefined<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    // A name whose namespace is not mounted yet, or not any more, is a plain file.
    if (error instanceof NotFoundError || error instanceof InputError) return undefined;
    throw error;
  }
}

/**
 * Whether an answer says that what was to be taken away is gone. One thing may take another along: with the
 * first address of a subnet go the others.
 */
export function isGone(answer: unknown): boolean {
  return answer instanceof NotFoundError ||
    answer instanceof NetlinkError && answer.code === "EADDRNOTAVAIL";
}
