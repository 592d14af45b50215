/**
 * Takes permissions away one at a time, looks what fails, and writes it down. Started by
 * `tools/permissions.ts` in namespaces of its own.
 *
 * @module
 */

import { ROOT } from "../config.ts";
import { fail } from "../exec.ts";
import { SAMPLES, type Use } from "./child.ts";
import { uncovered } from "./coverage.ts";
import { ALL, CAPABILITIES, type Privileges, without } from "./privileges.ts";
import { SOMEWHERE } from "./samples.ts";
import { type Failures, Stage } from "./stage.ts";
import { document, type Needs } from "./table.ts";

const FILE = "docs/permissions.md";

/** Each sample in each place where it can act. */
const USES: readonly Use[] = SAMPLES.flatMap((_, sample): Use[] =>
  sample < SOMEWHERE.length
    ? [{ sample, place: "here" }, { sample, place: "there" }]
    : [{ sample, place: "here" }]
);

/** What makes the measurement no good; told all at once. */
const problems: string[] = [];

/** Which flags of Deno each use needs. */
async function measureFlags(stage: Stage): Promise<ReadonlyMap<Use, readonly string[]>> {
  const run = (...flags: string[]) => stage.run({ flags, privileges: ALL }, USES);
  const [denied, misplaced, granted] = await Promise.all([
    run("--allow-all", "--deny-ffi"),
    run("--allow-ffi=/no/such/library"),
    run("--allow-ffi"),
  ]);
  const flags = new Map(USES.map((use) => {
    const needed = isMissed("--allow-ffi", use, denied, /\brun again with --allow-ffi\b/);
    if (needed !== isMissed("--allow-ffi=PATH", use, misplaced, PATH_HINT)) {
      problems.push(`${describe(use)} differs where FFI is for another library only`);
    }
    return [use, needed ? ["--allow-ffi"] : []];
  }));
  for (const [use, { message }] of granted) {
    // What the caller's own module wants is told by Deno.
    const [further] = /--allow-(?!ffi)\w+/.exec(message) ?? [];
    if (further !== undefined) flags.get(use)!.push(further);
    else problems.push(`${describe(use)} fails with --allow-ffi: ${message}`);
  }
  const further = [...new Set([...flags.values()].flat())].filter((flag) => flag !== "--allow-ffi");
  // The path that the errors name is enough.
  const paths = new Set(misplaced.values().map(({ message }) => PATH_HINT.exec(message)?.[1]));
  mustPass(await run(`--allow-ffi=${[...paths]}`, ...further), "--allow-ffi for libc alone");
  return flags;
}

const PATH_HINT = /\badd (\/\S+) to the list behind --allow-ffi=/;

/** What else each use needs: to be root, or capabilities. */
async function measurePrivileges(
  stage: Stage,
  flags: readonly string[],
): Promise<ReadonlyMap<Use, Omit<Needs, "flags">>> {
  const run = (privileges: Privileges, uses = USES) => stage.run({ flags, privileges }, uses);
  const user: Privileges = { ...ALL, root: false };
  const [asUser, ...lacking] = await Promise.all([
    run(user),
    ...CAPABILITIES.map((capability) => run(without(user, capability))),
    ...CAPABILITIES.map((capability) => run(without(ALL, capability))),
  ]);
  const ofUser = lacking.slice(0, CAPABILITIES.length);
  const ofRoot = lacking.slice(CAPABILITIES.length);
  const needs = new Map(USES.map((use) => {
    const root = isMissed("root", use, asUser!, /\bneeds the host's root\b/);
    const missed = (lacking: readonly Failures[]) =>
      CAPABILITIES.filter((capability, index) =>
        isMissed(capability, use, lacking[index]!, new RegExp(`\\bneeds ${capability}\\b`))
      );
    const wantedOfRoot = missed(ofRoot);
    const capabilities = root ? wantedOfRoot : missed(ofUser);
    return [use, { root, capabilities, wantedOfRoot }];
  }));
  // What is needed is enough, too.
  const sets = Map.groupBy(USES, (use) => {
    const { root, capabilities } = needs.get(use)!;
    return JSON.stringify({ root, capabilities });
  });
  await Promise.all(
    [...sets].map(async ([set, uses]) => {
      const privileges: Privileges = JSON.parse(set);
      mustPass(await run(privileges, uses), `nothing but ${set}`);
    }),
  );
  return needs;
}

/** Whether a use fails without something; its error must say for want of what. */
function isMissed(missing: string, use: Use, failures: Failures, hint: RegExp): boolean {
  const failure = failures.get(use);
  if (failure !== undefined && !(failure.permission && hint.test(failure.message))) {
    problems.push(`${describe(use)} does not tell that it needs ${missing}: ${failure.message}`);
  }
  return failure !== undefined;
}

function mustPass(failures: Failures, condition: string): void {
  for (const [use, { message }] of failures) {
    problems.push(`${describe(use)} fails with ${condition}: ${message}`);
  }
}

function describe({ sample, place }: Use): string {
  const { functions, how } = SAMPLES[sample]!;
  return [functions.join(", "), ...how === undefined ? [] : [how], `(${place})`].join(" ");
}

function stopAtProblems(): void {
  if (problems.length === 0) return;
  fail(`Cannot measure permissions:\n  ${problems.join("\n  ")}`);
}

/** The text as `deno fmt` has it. */
async function format(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--no-config", "--line-width=100", "--ext=md", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const [{ success, stdout }] = await Promise.all([
    child.output(),
    new Blob([text]).stream().pipeTo(child.stdin),
  ]);
  if (!success) fail("Cannot format the table");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  problems.push(...uncovered(SAMPLES).map((name) => `there is no sample of ${name}`));
  stopAtProblems();
  await using stage = await Stage.set();
  const flags = await measureFlags(stage);
  stopAtProblems();
  const privileges = await measurePrivileges(stage, [...new Set([...flags.values()].flat())]);
  stopAtProblems();
  const needs = (use: Use): Needs => ({ ...privileges.get(use)!, flags: flags.get(use)! });
  const text = await format(document(USES, needs));
  const path = `${ROOT}/${FILE}`;
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(path, text);
    console.log(`${FILE} says what was measured of ${SAMPLES.length} uses`);
  } else if (await Deno.readTextFile(path).catch(() => "") !== text) {
    fail(
      `${FILE} does not say what was measured; run "deno task permissions" and look at what it changes`,
    );
  }
}
