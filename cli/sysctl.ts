/**
 * `sysctl`: kernel settings.
 *
 * @module
 */

import { NetlinkError, NotFoundError } from "../ffi/errors.ts";
import { listSysctls, readSysctl, setSysctls } from "../netns/sysctl.ts";
import type { Command, Result } from "./command.ts";
import { UsageError } from "./errors.ts";
import { where } from "./host.ts";
import type { Typed } from "./options.ts";

/** The command about kernel settings. */
export const SYSCTL_COMMANDS: readonly Command[] = [
  {
    words: [["sysctl"]],
    inFull: true,
    operands: "KEY[=VALUE]...",
    summary: "read and write kernel settings",
    example: "sysctl --netns blue net.ipv4.ip_forward=1",
    options: { all: { short: "a", help: "print all settings that can be read" } },
    run,
  },
];

async function run(typed: Typed): Promise<Result> {
  const all = typed.has("all");
  if (all === typed.words.length > 0) {
    throw new UsageError('"sysctl" needs KEY[=VALUE]..., or --all without one');
  }
  const typedKeys = typed.words.map(takeApart);
  const written = Object.fromEntries(
    typedKeys.flatMap(({ key, value }) => value === undefined ? [] : [[key, value]]),
  );
  await setSysctls(written, where(typed));
  const values: Record<string, string> = all ? await listSysctls("", where(typed)) : {};
  for (const { key } of typedKeys) Object.assign(values, await read(key, written[key], typed));
  const shown = Object.entries(values)
    .flatMap(([key, value]) => value.split("\n").map((line) => `${key} = ${line}`));
  return { json: values, text: shown.join("\n") };
}

function takeApart(word: string): { key: string; value: string | undefined } {
  const at = word.indexOf("=");
  if (at < 0) return { key: word, value: undefined };
  return { key: word.slice(0, at).trim(), value: word.slice(at + 1).trim() };
}

/** What the setting is now; of one that can only be written (route/flush), what was written. */
async function read(
  key: string,
  written: string | undefined,
  typed: Typed,
): Promise<Record<string, string>> {
  try {
    return { [key]: await readSysctl(key, where(typed)) };
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    if (written !== undefined && ["EACCES", "EPERM"].includes(error.code)) {
      return { [key]: written };
    }
    // A directory, which net.ipv4.conf.eth0.100 may be too, though it reads like a setting of eth0.
    if (error.code !== "EISDIR" && !(error instanceof NotFoundError)) throw error;
    return await listSysctls(key, where(typed));
  }
}
