/**
 * What a host remembers of what attachments changed: further names of `lo`, which outlasts all links,
 * processes and crashes.
 *
 * @module
 */

import { ExistsError, NotFoundError } from "../ffi/errors.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { findLink } from "./links.ts";

/** `lo` has this number in every namespace. */
const LO = 1;

/** Whether a namespace has a mark. */
export async function isMarked(mark: string, rtnl: Rtnl): Promise<boolean> {
  return await findLink(rtnl, { altName: mark }) !== undefined;
}

/** Gives a namespace a mark; one that is there is good. */
export async function setMark(mark: string, rtnl: Rtnl): Promise<void> {
  try {
    await rtnl.links.addAltNames({ index: LO, altNames: [mark] });
  } catch (error) {
    if (!(error instanceof ExistsError)) throw error;
  }
}

/** Takes a mark away, if it is there. */
export async function removeMark(mark: string, rtnl: Rtnl): Promise<void> {
  try {
    await rtnl.links.deleteAltNames({ index: LO, altNames: [mark] });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}
