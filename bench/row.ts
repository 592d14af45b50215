/**
 * What a row of the table is: a work, who does it, how to see that it was done.
 *
 * @module
 */

/** Who is measured: denolink, C with no library, and the others. */
export const PEERS = ["denolink", "floor", "ip", "pyroute2", "go", "rust"] as const;

/** One of them. */
export type Peer = typeof PEERS[number];

/** In what the cost is told, and what that is in nanoseconds, or bytes; "×" is times something else. */
export const UNITS = { "µs": 1e3, "ms": 1e6, "MiB": 2 ** 20, "×": 1 } as const;

/** What denolink's cost shall be at most: in the row's unit, or times another's cost. */
export interface Target {
  most: number;
  /** Whose cost. */
  times?: Peer;
  /** Its own at this size. */
  timesSize?: number;
}

/** One row of the table; the file's name is its name. */
export interface Row<State> {
  /** What is done. */
  work: string;
  /** In what the cost is told. */
  unit: keyof typeof UNITS;
  /** What the cost is divided by: one of `size`; without it the cost is that of all. */
  each?: string;
  /** How many; the last is the one that the targets are about. */
  sizes: readonly number[];
  /** The same for `--quick`. */
  quick: readonly number[];
  /** How many rounds count. */
  rounds?: number;
  /** How many at most go before those: fewer where to make ready takes long, more where one is short. */
  warmUps?: number;
  targets: readonly Target[];
  /** Whoever the work itself can't do without. */
  needs?: readonly Peer[];
  /** Makes ready, once for each size; what is deferred is undone at the end. Links and named namespaces go by themselves. */
  setUp(size: number, undo: AsyncDisposableStack): Promise<State>;
  /** Puts back what the last run has changed. */
  reset?(state: State): Promise<void>;
  /** Each does the work, and says what it took: nanoseconds, or bytes. */
  ways: { readonly [P in Peer]?: (state: State) => Promise<number> };
  /** How many there are, and what the programs for the libraries are told (programs.ts). */
  libraries?(state: State): [count: number, ...args: (string | number)[]];
  /** Looks whether it was done, with `ip -j`; throws when not. */
  check?(state: State): Promise<void>;
}

/** Any row. */
// deno-lint-ignore no-explicit-any -- what a row's state is concerns nobody else
export type AnyRow = Row<any>;

/** Gives a row its type. */
export function row<State>(row: Row<State>): AnyRow {
  return row;
}

/** The nanoseconds that something takes. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) * 1e6;
}

/** Throws unless there are as many as there should be. */
export function expect(what: string, seen: number, wanted: number): void {
  if (seen !== wanted) throw new Error(`${seen} ${what}, where ${wanted} should be`);
}
