/**
 * Where samples are run: processes with some permissions, each condition with namespaces of its own.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { Netns } from "../../mod.ts";
import { ROOT } from "../config.ts";
import { type Failure, type Job, type Place, type Report, SAMPLES, type Use } from "./child.ts";
import { asUser, type Privileges, setpriv, STRANGER, USER } from "./privileges.ts";
import type { Fixture } from "./samples.ts";

/** What a process is left with. */
export interface Condition {
  /** Deno's flags. */
  flags: readonly string[];
  privileges: Privileges;
}

/** What failed, and why. */
export type Failures = ReadonlyMap<Use, Failure>;

/** In the private /run, so it goes with it. */
const FOLDER = "/run/denolink";
const DENO = `${FOLDER}/deno`;
const CHILD = `${FOLDER}/tools/permissions/child.ts`;
const CLOSED = { name: "closed", folder: `${FOLDER}/closed`, file: `${FOLDER}/closed/namespace` };
/** No sample takes a second. */
const LIMIT_MILLISECONDS = 30_000;

/** The stage; use it from a private /run only. */
export class Stage implements AsyncDisposable {
  readonly #stranger: Deno.ChildProcess;
  /** The kernel lets each wait a good deal for its namespaces, so several are under way at once. */
  readonly #lanes = Array.from({ length: 4 }, () => Promise.resolve());
  #conditions = 0;

  private constructor(stranger: Deno.ChildProcess) {
    this.#stranger = stranger;
  }

  /** Puts everything where an ordinary user can read it, but for what is meant to be closed to it. */
  static async set(): Promise<Stage> {
    await Deno.mkdir(`${FOLDER}/tools`, { recursive: true });
    const sources = ["mod.ts", "ffi", "netns", "rtnl", "overlay"].map((name) => `${ROOT}/${name}`);
    const tools = fileURLToPath(new URL(".", import.meta.url));
    await run("cp", "-r", ...sources, FOLDER);
    await run("cp", "-r", tools, `${FOLDER}/tools`);
    await run("chmod", "-R", "a+rX", FOLDER);
    await Deno.writeTextFile(`${FOLDER}/module.ts`, "export default () => 1;\n");
    await Deno.writeTextFile(DENO, "");
    await run("mount", "--bind", Deno.execPath(), DENO);
    for (const root of [true, false]) await Deno.mkdir(cacheOf(root));
    await Deno.chown(cacheOf(false), USER, USER);
    (await Netns.create(CLOSED.name)).close();
    await Deno.mkdir(CLOSED.folder, { mode: 0o700 });
    await Deno.symlink(`/run/netns/${CLOSED.name}`, CLOSED.file);
    await Deno.chown(CLOSED.folder, STRANGER, STRANGER);
    const stranger = new Deno.Command("setpriv", {
      args: [...asUser(STRANGER), "cat"],
      stdin: "piped",
      stdout: "null",
    }).spawn();
    return new Stage(stranger);
  }

  /** Runs the uses in a condition, each on what was prepared for it. */
  async run(condition: Condition, uses: readonly Use[]): Promise<Failures> {
    const before = this.#lanes.shift()!;
    const running = before.then(() => this.#run(condition, uses));
    this.#lanes.push(running.then(() => {}, () => {}));
    return await running;
  }

  async #run(condition: Condition, uses: readonly Use[]): Promise<Failures> {
    const number = ++this.#conditions;
    const names = ["here", "there", "container-here", "container-there"]
      .map((name) => `${name}-${number}`) as [string, string, string, string];
    for (const name of names) (await Netns.create(name)).close();
    const [here, there, ...containers] = names;
    try {
      const fixtureOf = async (place: Place): Promise<Fixture> => {
        const container = { name: containers[place === "here" ? 0 : 1] };
        using netns = Netns.open(container);
        return {
          where: place === "here" ? {} : { netns: { name: there } },
          container,
          nsid: await netns.setNsid("auto", { netns: { name: here } }),
          stranger: this.#stranger.pid,
          file: CLOSED.file,
          module: `file://${FOLDER}/module.ts`,
          name: `made-${number}`,
          report: "",
        };
      };
      const fixtures = { here: await fixtureOf("here"), there: await fixtureOf("there") };
      for (const { sample, place } of uses) {
        // This process is elsewhere, so it says where "here" is.
        const where = { netns: { name: place === "here" ? here : there } };
        await SAMPLES[sample]!.prepare?.({ ...fixtures[place], where });
      }
      const alone = uses.filter(({ sample }) => SAMPLES[sample]!.alone);
      const together = uses.filter((use) => !alone.includes(use));
      const failures = new Map<Use, Failure>();
      for (const some of [together, ...alone.map((use) => [use])]) {
        if (some.length === 0) continue;
        const reports = await runChild(condition, here, { uses: some, fixtures });
        for (const [index, use] of some.entries()) {
          const { failure } = reports[index]!;
          if (failure !== undefined) failures.set(use, failure);
        }
      }
      return failures;
    } finally {
      for (const name of [...names, `made-${number}`, `made-${number}-old`]) Netns.remove(name);
    }
  }

  /** Ends the stranger. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stranger.stdin.close();
    await this.#stranger.status;
  }
}

/** Runs samples in a process of their own; its reports, one for each. */
async function runChild(
  { flags, privileges }: Condition,
  netns: string,
  job: Job,
): Promise<Report[]> {
  const deno = [DENO, "run", "--no-config", "--no-prompt", ...flags, CHILD, JSON.stringify(job)];
  const cache = cacheOf(privileges.root);
  const output = await run(
    ...["nsenter", `--net=/run/netns/${netns}`, "--"],
    ...["env", `DENO_DIR=${cache}`, `HOME=${cache}`, "NO_COLOR=1"],
    ...setpriv(privileges),
    ...deno,
  );
  const reports = output.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  if (reports.length === job.uses.length) return reports;
  throw new Error(`${deno.join(" ")} told of ${reports.length} of ${job.uses.length} samples`);
}

function cacheOf(root: boolean): string {
  return `${FOLDER}/cache-of-${root ? "root" : "user"}`;
}

/** The output of a program; throws what it says when it fails. */
async function run(name: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, {
    args,
    stdin: "null",
    signal: AbortSignal.timeout(LIMIT_MILLISECONDS),
  }).output();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  throw new Error(`${name} ${args.join(" ")} failed: ${text.decode(stderr)}`);
}
