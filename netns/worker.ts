/**
 * Threads from a source text, whatever the library itself was loaded from.
 *
 * @module
 */

import { libcSource } from "../ffi/libc.ts";
import type { SYMBOLS } from "../ffi/symbols.ts";

/** What a thread has from its first statement on, in `self.name`, as JSON. */
export interface Birth {
  /** What to bind libc with. */
  library: string;
  symbols: typeof SYMBOLS;
  /** A number of the thread's own: the namespace to live in, the time to wait for a job. */
  value: number;
}

/**
 * Starts a worker from TypeScript source without run-time imports.
 *
 * A `data:` URL wants no permission to read, and no helper thread to be loaded: a blob's would be born
 * before the worker's first statement, so outside the namespace that it is about to enter.
 */
export function startWorker(source: string, value: number): Worker {
  const { path: library, symbols } = libcSource();
  const name = JSON.stringify({ library, symbols, value } satisfies Birth);
  return new Worker(
    `data:application/typescript,${encodeURIComponent(source)}`,
    {
      type: "module",
      name,
    },
  );
}

// Web Workers have no public way to let the process end beside them; Deno's own node:worker_threads uses
// this unnamed method. Without it the process ends when the idle thread has, nothing worse.
const REFERENCE = Object.getOwnPropertySymbols(Worker.prototype)
  .find((symbol) => symbol.description === undefined);

const kept = new WeakMap<Worker, boolean>();

/** Whether the process stays for a worker's sake. */
export function keepAlive(worker: Worker, keep: boolean): void {
  if (REFERENCE === undefined || (kept.get(worker) ?? true) === keep) return;
  kept.set(worker, keep);
  (worker as unknown as Record<symbol, (keep: boolean) => void>)[REFERENCE]!(
    keep,
  );
}
