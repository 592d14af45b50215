/**
 * What is wrong with a topology, and which step of it failed.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import type { Change } from "./change.ts";

/** Where something stands in a topology: ["namespaces", "r1", "routes", 0, "via"]. */
export type Path = readonly (string | number)[];

/** One thing that is wrong with a topology. */
export interface Problem {
  /** Where it stands. */
  path: Path;
  /** What was expected, what was found, and what to do: one sentence without a full stop. */
  message: string;
  /** Where it stands in the file, for what was read from one; both count from 1. */
  position?: Position | undefined;
}

/** A place in a file; both count from 1, columns in characters. */
export interface Position {
  /** From 1. */
  line: number;
  /** In characters, from 1. */
  column: number;
}

/** A topology that can't be meant: all that is wrong with it, in the order of the file. */
export class TopologyError extends InputError {
  /** What is wrong, at least one. */
  readonly problems: readonly Problem[];

  /** An error for some problems; `file` is the file's name, if it was read from one. */
  constructor(problems: readonly Problem[], file?: string) {
    super(problems.map((problem) => describeProblem(problem, file)).join("\n"));
    this.name = "TopologyError";
    this.problems = problems;
  }
}

/** A step of `apply` or `destroy` that failed; its message says what became of what was done before. */
export class TopologyStepError extends Error {
  /** The class's name. */
  override name = "TopologyStepError";
  /** What it was to change. */
  readonly change: Change;

  /** An error for a change; `cause` is the kernel's answer. */
  constructor(change: Change, cause: unknown) {
    super(`Cannot ${change.text}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    this.change = change;
  }
}

/** A path as it is typed: `namespaces.r1.routes[0].via`. */
export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === "number"
        ? `${text}[${step}]`
        : /^[A-Za-z_][\w-]*$/.test(step)
        ? `${text}${text === "" ? "" : "."}${step}`
        : `${text}[${JSON.stringify(step)}]`,
    "",
  );
}

/** A problem in a line: `lab.yaml:12:7: namespaces.r1.routes[0].via: ...`. */
export function describeProblem({ path, message, position }: Problem, file?: string): string {
  const where = position === undefined ? [] : [position.line, position.column];
  const words = [[...file === undefined ? [] : [file], ...where].join(":"), formatPath(path)];
  return [...words.filter((word) => word !== ""), message].join(": ");
}
