/**
 * Kernel settings. What they were before is remembered in their namespace, and put back in the end.
 *
 * @module
 */

import { InputError, NotFoundError } from "../../../ffi/errors.ts";
import { readSysctl, setSysctl } from "../../../netns/sysctl.ts";
import { link } from "../../../rtnl/link.ts";
import type { Request } from "../../../rtnl/request.ts";
import { findAttachments, throwFirst } from "../../attachments.ts";
import { FAMILIES, FORWARDING_KEYS, forwardingMark, wasOff } from "../../forwarding.ts";
import { marksOf, setMark } from "../../marks.ts";
import { forgetFormer, rememberFormer } from "../memory.ts";
import type { Place, Thing, ThingType } from "../state.ts";

/** A setting and its value. */
export interface SysctlValue {
  key: string;
  value: string;
}

/** What is remembered of settings begins so. */
const SYSCTL = "sysctl ";

/** Kernel settings. */
export const SYSCTLS: ThingType<SysctlValue> = {
  kind: "sysctl",
  wanted: ({ spec, path }) =>
    Object.entries(spec.sysctls ?? {}).map(([key, value]) => ({
      name: key,
      value: { key, value: oneLine(String(value)) },
      path: [...path, "sysctls", key],
    })),
  async found({ memory, place }) {
    const found: Thing<SysctlValue>[] = [];
    for (const what of memory.former.keys()) {
      if (!what.startsWith(SYSCTL)) continue;
      const key = what.slice(SYSCTL.length);
      const value = await readIfThere(key, place);
      found.push({ name: key, value: { key, value: value ?? "" } });
    }
    return found;
  },
  compare: (wanted, found) =>
    wanted.value === found.value
      ? []
      : [{ key: "value", before: found.value, after: wanted.value }],
  canChange: () => true,
  change: ({ place }, { key, value }) => async () => await setSysctl(key, value, place.where),
  add: ({ place }, { key, value }) => async () => {
    const what = SYSCTL + key;
    const now = await readSysctl(key, place.where);
    const forAttachments = await forwardingMarkOf(key, place);
    const former = place.memory!.formerOfOthers.get(what) ??
      (forAttachments === undefined ? now : "0");
    const mark = rememberFormer(place.owner, what, former);
    if (mark === undefined) {
      throw new InputError(
        `Cannot set ${key}: its former value ${
          JSON.stringify(former)
        } is too long to be remembered; set it by hand`,
      );
    }
    // Remembered first: a crash in between leaves a memory of what is still so.
    await rememberInPlace(mark, forAttachments, place);
    if (oneLine(now) !== value) await setSysctl(key, value, place.where);
  },
  remove: ({ place }, { key }) => async () => {
    const what = SYSCTL + key;
    const former = place.memory?.former.get(what);
    if (former === undefined) return;
    const forget = forgetFormer(place.owner, what, former);
    // The last topology that says something of it puts it back.
    if (place.memory!.formerOfOthers.has(what)) return await place.rtnl.request(forget);
    const family = FAMILIES.find((family) => FORWARDING_KEYS[family] === key);
    const isNeeded = family !== undefined && former === "0" &&
      (await findAttachments(place.rtnl)).some(({ forwarding }) => forwarding.includes(family));
    await put(key, isNeeded ? "1" : former, place);
    // Attachments that found forwarding on have not said that it was off before.
    if (isNeeded) await setMark(forwardingMark(family), place.rtnl);
    await place.rtnl.request(forget);
  },
};

/** The link that a setting is of, if it is one's; a dot in its name is a slash there. */
export function linkOf(key: string): string | undefined {
  return /^net\.ipv[46]\.(?:conf|neigh)\.([^.]+)\./.exec(key)?.[1]?.replaceAll("/", ".");
}

/** Has a namespace remember a setting in the place of attachments; of both it never remembers none. */
async function rememberInPlace(
  mark: Request<void>,
  forAttachments: string | undefined,
  { rtnl }: Place,
): Promise<void> {
  if (forAttachments === undefined) return await rtnl.request(mark);
  const answers = await rtnl.batch([
    mark,
    link.deleteAltNames({ index: 1, altNames: [forAttachments] }),
  ]);
  if (answers[0] !== undefined) await setMark(forAttachments, rtnl);
  throwFirst(answers);
}

/** What says that a setting, of forwarding, was off before the first attachment, if something does. */
async function forwardingMarkOf(key: string, { rtnl }: Place): Promise<string | undefined> {
  const family = FAMILIES.find((family) => FORWARDING_KEYS[family] === key);
  return family !== undefined && wasOff(family, await marksOf(rtnl))
    ? forwardingMark(family)
    : undefined;
}

async function put(key: string, value: string, { where }: Place): Promise<void> {
  try {
    await setSysctl(key, value, where);
  } catch (error) {
    // With its link went its setting.
    if (!(error instanceof NotFoundError)) throw error;
  }
}

async function readIfThere(key: string, place: Place): Promise<string | undefined> {
  try {
    return oneLine(await readSysctl(key, place.where));
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** Several values stand between blanks, or tabs. */
function oneLine(text: string): string {
  return text.trim().split(/\s+/).join(" ");
}
