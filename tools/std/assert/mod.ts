/**
 * A stand-in for `@std/assert` 1.x over `node:assert/strict`: what the project's
 * tests use, and of the entry points only the root (no `@std/assert/equals`).
 *
 * `assertEquals` is a little stricter here: it tells `0` from `-0`, an object
 * without prototype from a plain one, a hole from `undefined`. Compare plain
 * data: of errors, and of objects with getters, each side sees other properties.
 *
 * @module
 */

import node from "node:assert/strict";

// deno-lint-ignore no-explicit-any
type Class<T> = abstract new (...args: any[]) => T;

/** What every assertion throws. */
export class AssertionError extends Error {
  /** The name that test reports show. */
  override name = "AssertionError";
}

/** Passes when `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Passes when both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  reworded(msg, () => node.deepEqual(actual, expected));
}

/** Passes when they are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  reworded(msg, () => node.notDeepEqual(actual, expected));
}

/** Passes when both are the same value, as `Object.is` has it. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  reworded(msg, () => node.equal(actual, expected));
}

/** Passes when `actual` matches. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  reworded(msg, () => node.match(actual, expected));
}

/** Passes when `actual` contains `expected`. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  refuse(`Expected "${actual}" to contain "${expected}"`, msg);
}

/** Passes when `actual` is an instance of the class. */
export function assertInstanceOf<T extends Class<unknown>>(
  actual: unknown,
  expectedType: T,
  msg?: string,
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  refuse(`Expected an instance of ${expectedType.name}: ${actual}`, msg);
}

/** Passes when `actual` is neither null nor undefined. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual == null) refuse(`Expected a value: ${actual}`, msg);
}

/** Passes when `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) refuse(`Expected ${actual} > ${expected}`, msg);
}

/** Passes when `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) refuse(`Expected ${actual} < ${expected}`, msg);
}

/** Never passes. */
export function fail(msg?: string): never {
  refuse("Failed assertion", msg);
}

/** Never passes: for what must not be reached. */
export function unreachable(msg?: string): never {
  refuse("Unreachable", msg);
}

/** Passes when `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Passes when `fn` throws such an error; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  ...expected: Expected
): unknown {
  try {
    fn();
  } catch (error) {
    return checked(error, expected);
  }
  refuse("Expected function to throw", message(expected));
}

/** Passes when the promise of `fn` rejects; gives its reason. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/** Passes when the promise of `fn` rejects with such an error; gives it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...expected: Expected
): Promise<unknown> {
  const promise = started(fn, message(expected));
  try {
    await promise;
  } catch (error) {
    return checked(error, expected);
  }
  refuse("Expected function to reject", message(expected));
}

/** Either `[msg]` or `[ErrorClass, msgIncludes, msg]`. */
type Expected = [first?: Class<Error> | string, second?: string, msg?: string];

function message([first, , msg]: Expected): string | undefined {
  return typeof first === "string" ? first : msg;
}

function checked(error: unknown, expected: Expected): unknown {
  const [ErrorClass, msgIncludes = ""] = expected;
  if (typeof ErrorClass !== "function") return error;
  assertInstanceOf(error, ErrorClass, message(expected));
  assertStringIncludes(error.message, msgIncludes, message(expected));
  return error;
}

function started(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): PromiseLike<unknown> {
  try {
    const promise = fn();
    if (typeof promise?.then === "function") return promise;
  } catch {
    // A function that throws is refused like one that gives no promise.
  }
  refuse("Expected a promise that rejects", msg);
}

/** Runs an assertion of node's, whose own words a message would replace. */
function reworded(msg: string | undefined, run: () => void): void {
  try {
    run();
  } catch (error) {
    refuse((error as Error).message, msg);
  }
}

function refuse(what: string, msg?: string): never {
  throw new AssertionError(msg ? `${msg}: ${what}` : what);
}
