/**
 * Runs deno with the config that `config.ts` chooses:
 * `deno run -A tools/deno.ts <deno arguments>`.
 *
 * The command finds `DENOLINK_STD` and `DENOLINK_CONFIG` in its environment, so
 * that what it starts can use the same packages.
 *
 * @module
 */

import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Choice, chooseConfig, ROOT } from "./config.ts";
import { become, fail, requireLinux } from "./exec.ts";

/** The whole command line for `args`; tells its children by the environment. */
export async function denoCommand(args: readonly string[]): Promise<string[]> {
  requireLinux();
  const [subcommand, ...rest] = args;
  if (subcommand === undefined || subcommand.startsWith("-")) {
    fail('Cannot run deno: say which subcommand first, as in "run -A cli.ts"', 2);
  }
  const choice = await chooseConfig();
  Deno.env.set("DENOLINK_STD", choice.std);
  Deno.env.set("DENOLINK_CONFIG", choice.config);
  return [Deno.execPath(), subcommand, ...configFlags(subcommand, choice), ...rest];
}

/** What tells a subcommand of deno to use the choice. */
export function configFlags(subcommand: string, choice: Choice): string[] {
  if (subcommand !== "doc" || choice.std === "jsr") {
    return ["--config", choice.config];
  }
  // Seen with Deno 2.9.6: "doc" ignores --config, but not --import-map.
  const imports = Object.fromEntries(
    choice.links.map((link) => [
      `@std/${basename(link)}`,
      pathToFileURL(resolve(ROOT, link, "mod.ts")).href,
    ]),
  );
  const map = encodeURIComponent(JSON.stringify({ imports }));
  return ["--import-map", `data:application/json,${map}`];
}

if (import.meta.main) become(await denoCommand(Deno.args));
