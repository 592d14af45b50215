/**
 * Rounds in turn, so that a noise hits all alike.
 *
 * @module
 */

import { type Program, program } from "./programs.ts";
import { type AnyRow, type Peer, PEERS, UNITS } from "./row.ts";

/** The costs of a work at one size. */
export interface Result {
  /** The row's name. */
  name: string;
  work: string;
  unit: string;
  size: number;
  /** Medians; who is missing, failed or can't do it is absent. */
  results: Partial<Record<Peer, number>>;
  /** The quartiles around each median. */
  spread: Partial<Record<Peer, [low: number, high: number]>>;
  /** How often each was measured. */
  rounds: Partial<Record<Peer, number>>;
  /** Who is not installed here. */
  missing: Peer[];
  /** Why there is no result. */
  errors: Partial<Record<Peer, string>>;
}

/** Who has worked for so long need not go on. */
const ENOUGH_NANOSECONDS = 8e9;
const WARM_NANOSECONDS = 1e9;
const ROUNDS = 5;
const QUICK_ROUNDS = 3;
const WARM_UPS = 10;
const QUICK_WARM_UPS = 2;

/** How to measure. */
export interface MeasureOptions {
  /** Smaller sizes, and fewer rounds. */
  quick: boolean;
  /** Who takes part. */
  peers: ReadonlySet<Peer>;
  /** Takes away what a size has left. */
  cleanUp: () => Promise<void>;
}

/** Measures all sizes of a row. */
export async function measure(
  name: string,
  row: AnyRow,
  present: ReadonlySet<Peer>,
  { quick, peers, cleanUp }: MeasureOptions,
): Promise<Result[]> {
  const ways = waysOf(row);
  const able = PEERS.filter((peer) => ways[peer] !== undefined && peers.has(peer));
  const isPossible = row.needs?.every((it) => present.has(it)) ?? true;
  const missing = able.filter((it) => !present.has(it));
  const working = isPossible ? able.filter((it) => present.has(it)) : [];
  const results: Result[] = [];
  for (const size of quick ? row.quick : row.sizes) {
    await cleanUp();
    const { costs, errors } = await measureSize({ ...row, ways }, size, working, quick);
    const scale = UNITS[row.unit] * (row.each === undefined ? 1 : size);
    const ofEach = <T>(pick: (sorted: number[]) => T) =>
      Object.fromEntries([...costs].map(([peer, all]) => {
        return [peer, pick(all.map((cost) => cost / scale).toSorted((a, b) => a - b))];
      }));
    results.push({
      name,
      work: row.work,
      unit: row.each === undefined ? row.unit : `${row.unit}/${row.each}`,
      size,
      results: ofEach((sorted) => quantile(sorted, 0.5)),
      spread: ofEach((sorted) => [quantile(sorted, 0.25), quantile(sorted, 0.75)]),
      rounds: ofEach((sorted) => sorted.length),
      missing,
      errors,
    });
  }
  await cleanUp();
  return results;
}

async function measureSize(row: AnyRow, size: number, peers: readonly Peer[], quick: boolean) {
  const costs = new Map<Peer, number[]>();
  const errors: Result["errors"] = {};
  if (peers.length === 0) return { costs, errors };
  await using undo = new AsyncDisposableStack();
  const state = await row.setUp(size, undo);
  const once = async (peer: Peer) => {
    await row.reset?.(state);
    const cost = await row.ways[peer]!(state);
    await row.check?.(state);
    return cost;
  };
  const rounds = quick ? QUICK_ROUNDS : row.rounds ?? ROUNDS;
  const warmUps = quick ? QUICK_WARM_UPS : row.warmUps ?? WARM_UPS;
  for (let round = 0; round <= rounds; round++) {
    for (const peer of peers) {
      const before = costs.get(peer) ?? [];
      if (peer in errors || sum(before) > ENOUGH_NANOSECONDS) continue;
      try {
        const cost = await (round === 0 ? warmUp(() => once(peer), warmUps) : once(peer));
        if (cost !== undefined) costs.set(peer, [...before, cost]);
      } catch (error) {
        errors[peer] = (error as Error).message;
        costs.delete(peer);
      }
    }
  }
  return { costs, errors };
}

/** Warms caches and the compiler; what is so slow that it needs no warmth counts, and is returned. */
async function warmUp(once: () => Promise<number>, most: number): Promise<number | undefined> {
  let cost = 0;
  for (let times = 0; times < most && cost < WARM_NANOSECONDS; times++) cost += await once();
  return cost < ENOUGH_NANOSECONDS / 2 ? undefined : cost;
}

/** The row's own, and those of the libraries' programs. */
function waysOf({ ways, libraries }: AnyRow): AnyRow["ways"] {
  if (libraries === undefined) return ways;
  const way = (peer: Program) => (state: unknown) => program(peer, ...libraries(state));
  return { ...ways, pyroute2: way("pyroute2"), go: way("go"), rust: way("rust") };
}

/** Between two of them where it has to. */
export function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const low = sorted[Math.floor(at)]!, high = sorted[Math.ceil(at)]!;
  return low + (high - low) * (at % 1);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
