/**
 * `sysctl`: kernel settings.
 *
 * @module
 */

import { NetlinkError, readSysctl, setSysctl } from "../mod.ts";
import type { Command, Result } from "./command.ts";
import { where } from "./host.ts";
import type { Typed } from "./options.ts";

/** The command about kernel settings. */
export const SYSCTL_COMMANDS: readonly Command[] = [
  {
    words: [["sysctl"]],
    inFull: true,
    operands: "KEY[=VALUE]...",
    count: [1, Infinity],
    summary: "read and write kernel settings",
    example: "sysctl --netns blue net.ipv4.ip_forward=1",
    run,
  },
];

async function run(typed: Typed): Promise<Result> {
  const values: Record<string, string> = {};
  for (const word of typed.words) {
    const at = word.indexOf("=");
    const key = at < 0 ? word : word.slice(0, at).trim();
    const value = at < 0 ? undefined : word.slice(at + 1).trim();
    if (value !== undefined) await setSysctl(key, value, where(typed));
    values[key] = await read(key, value, typed);
  }
  const shown = Object.entries(values).map(([key, value]) => `${key} = ${value}`);
  return { json: values, text: shown.join("\n") };
}

/** What the setting is now; of one that can only be written (route/flush), what was written. */
async function read(key: string, written: string | undefined, typed: Typed): Promise<string> {
  try {
    return await readSysctl(key, where(typed));
  } catch (error) {
    const forbidden = error instanceof NetlinkError && ["EACCES", "EPERM"].includes(error.code);
    if (written === undefined || !forbidden) throw error;
    return written;
  }
}
