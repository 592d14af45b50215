/**
 * Which config deno runs with. Where JSR gives the `@std` packages it is the
 * project's own `deno.json`; elsewhere it is one derived from that, whose
 * `links` put the stand-ins of `tools/std/` in their place.
 *
 * `DENOLINK_STD` chooses without asking: `jsr`, `npm` (the stand-ins), or a
 * folder that holds the sources of the real packages. Run as a command, this
 * prints the value that makes later runs choose as this one did.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import { fail } from "./exec.ts";

/** The project's folder. */
export const ROOT: string = dirname(import.meta.dirname ?? "/tools");

/** One place that the `@std` packages can come from. */
export interface Choice {
  /** What `DENOLINK_STD` says. */
  readonly std: string;
  /** Path of the config. */
  readonly config: string;
  /** Folders that take the place of packages. */
  readonly links: readonly string[];
  /** Milliseconds until a missing answer counts as a no. */
  readonly limit: number;
  /** Whether only deno's cache is asked. */
  readonly cachedOnly?: boolean;
}

const PACKAGES = ["assert", "cli", "yaml"];
/** What the real packages are made of. */
const SOURCES = [...PACKAGES, "internal", "fmt"];
/** A derived config younger than this says that JSR was just asked, in vain. */
const PATIENCE = 10 * 60_000;

// Some networks swallow packets instead of refusing them, hence the limits.
const JSR: Choice = {
  std: "jsr",
  config: `${ROOT}/deno.json`,
  links: [],
  limit: 4_000,
};
const NPM: Choice = {
  std: "npm",
  config: `${ROOT}/.deno.offline.json`,
  links: PACKAGES.map((name) => `./tools/std/${name}`),
  limit: 30_000,
};

/** Chooses a config; on return all packages that it names are in deno's cache. */
export async function chooseConfig(): Promise<Choice> {
  const wish = Deno.env.get("DENOLINK_STD");
  const choices = wish ? [wished(wish)] : await order();
  const problems: string[] = [];
  for (const choice of choices) {
    if (choice.links.length > 0) await writeConfig(choice);
    const problem = await whyNotLoaded(choice);
    if (problem === undefined) {
      if (!wish && choice === NPM) announceStandIns();
      return choice;
    }
    if (!choice.cachedOnly) problems.push(`${choice.std}: ${problem}`);
  }
  fail(`Cannot load the @std packages (${problems.join("; ")})`);
}

/** The text of a config that differs from the project's own by its links. */
export function deriveConfig(main: string, links: readonly string[]): string {
  const config = JSON.parse(main);
  config.links = links;
  // A dry run of publish refuses a package that needs files which it leaves out.
  config.publish.exclude.push(...links.map((link) => `!${link}`));
  return JSON.stringify(config, null, 2) + "\n";
}

function wished(std: string): Choice {
  if (std === "jsr") return JSR;
  if (std === "npm") return NPM;
  const folder = resolve(std);
  return {
    std: folder,
    config: `${ROOT}/.deno.sources.json`,
    links: SOURCES.map((name) => `${folder}/${name}`),
    limit: NPM.limit,
  };
}

/** JSR first, but when it was asked a moment ago in vain. */
async function order(): Promise<Choice[]> {
  if (!await isFresh(NPM.config)) return [JSR, NPM];
  return [{ ...JSR, cachedOnly: true }, NPM, JSR];
}

async function isFresh(path: string): Promise<boolean> {
  const info = await Deno.stat(path).catch(() => null);
  return Date.now() - (info?.mtime?.getTime() ?? 0) < PATIENCE;
}

/** Writes the choice's config in one step, because several tasks may run at once. */
async function writeConfig({ config, links }: Choice): Promise<void> {
  const text = deriveConfig(await Deno.readTextFile(JSR.config), links);
  const same = await Deno.readTextFile(config).catch(() => "") === text;
  if (same && await isFresh(config)) return;
  const draft = config.replace(/json$/, `${Deno.pid}.json`);
  try {
    await Deno.writeTextFile(draft, text);
    await Deno.rename(draft, config);
  } catch (error) {
    // Another user's checkout will do as it is.
    if (!same) fail(`Cannot write ${config}: ${reason(error)}`);
  }
}

/** Has deno fetch all packages into its cache; undefined when it did. */
async function whyNotLoaded(choice: Choice): Promise<string | undefined> {
  const signal = AbortSignal.timeout(choice.limit);
  // "cache" also fetches what only a type check needs, but knows no --cached-only.
  const how = choice.cachedOnly ? ["run", "--cached-only"] : ["cache"];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...how, "--config", choice.config, `${ROOT}/tools/std/all.ts`],
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
    signal,
  }).output();
  if (success) return undefined;
  if (signal.aborted) return `no answer within ${choice.limit / 1000} seconds`;
  const words = new TextDecoder().decode(stderr);
  return /^error: (.*)$/m.exec(words)?.[1] ?? "deno cannot load them";
}

function announceStandIns(): void {
  console.error("denolink: JSR can't be reached, so stand-ins from npm take the place of @std");
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (import.meta.main) console.log((await chooseConfig()).std);
