/**
 * Runs samples with what this process was left of its permissions, and tells of each on a line of
 * standard output: `deno run [flags] child.ts JOB`.
 *
 * @module
 */

import { PermissionError } from "../../mod.ts";
import { type Fixture, OTHERS, type Sample, SOMEWHERE } from "./samples.ts";

/** Where a sample acts: in the process's own namespace, or in another one. */
export type Place = "here" | "there";

/** A sample in a place; those that act in no namespace in particular do so "here". */
export interface Use {
  /** The number of the sample. */
  sample: number;
  place: Place;
}

/** What to run, on what. */
export interface Job {
  uses: readonly Use[];
  fixtures: Readonly<Record<Place, Fixture>>;
}

/** What came of one. */
export interface Report extends Use {
  /** Why it failed, if it did. */
  failure?: Failure;
}

/** What a sample threw. */
export interface Failure {
  message: string;
  /** Whether it is a `PermissionError` of the library, or that of a step. */
  permission: boolean;
}

/** All samples, by their numbers. */
export const SAMPLES: readonly Sample[] = [...SOMEWHERE, ...OTHERS];

async function carryOut({ sample, place }: Use, fixtures: Job["fixtures"]): Promise<Report> {
  const report: Report = { sample, place };
  try {
    await SAMPLES[sample]!.run({ ...fixtures[place], report: JSON.stringify(report) });
    return report;
  } catch (error) {
    const { message, cause } = error as Error;
    const permission = [error, cause].some((it) => it instanceof PermissionError);
    return { ...report, failure: { message, permission } };
  }
}

if (import.meta.main) {
  const { uses, fixtures }: Job = JSON.parse(Deno.args[0]!);
  for (const use of uses) console.log(JSON.stringify(await carryOut(use, fixtures)));
  Deno.exit();
}
