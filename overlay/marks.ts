/**
 * What a host remembers of what attachments changed: further names of `lo`, which outlasts all links,
 * processes and crashes.
 *
 * @module
 */

import { ExistsError, NotFoundError } from "../ffi/errors.ts";
import { LINK, type Link, link, SKIP_STATS } from "../rtnl/link.ts";
import type { Request } from "../rtnl/request.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { onlyAttributes } from "./only.ts";

/** `lo` has this number in every namespace. */
const LO = 1;

const ALT_NAMES = onlyAttributes(LINK, ["altNames"]);

/** The marks that a namespace has. */
export async function marksOf(rtnl: Rtnl): Promise<ReadonlySet<string>> {
  return marksIn(await rtnl.request(askMarks()));
}

/** The request for them, to be sent with others. */
export function askMarks(): Request<Link> {
  return { ...link.get({ index: LO, extendedMask: SKIP_STATS }), shape: ALT_NAMES };
}

/** The marks in its answer. */
export function marksIn({ altNames }: Link): ReadonlySet<string> {
  return new Set(altNames);
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
