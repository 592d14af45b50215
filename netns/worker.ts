/**
 * Threads from source texts, whatever the library itself was loaded from.
 *
 * @module
 */

import { libcPath } from "../ffi/libc.ts";
import type { Birth } from "./messages.ts";
import calls from "./worker_calls.js" with { type: "text" };

/**
 * Starts a worker from JavaScript source that imports nothing but `worker_calls.js`.
 *
 * A `data:` URL wants no permission to read, and no helper thread to be loaded: a blob's would be born
 * before the worker's first statement, so outside the namespace that it is about to enter. TypeScript in
 * it would be type-checked, and shown, by each `deno test` of a user.
 */
export function startWorker(name: string, source: string, birth: Omit<Birth, "library">): Worker {
  const born = JSON.stringify({ library: libcPath(), ...birth } satisfies Birth);
  const text = encodeURIComponent(`${inOneModule(calls)}\n${inOneModule(source)}`);
  const url = `data:text/javascript,${text}#${encodeURIComponent(born)}`;
  return new Worker(url, { type: "module", name });
}

/** The text without imports and exports, and not marked for the checker, which can't find its types. */
function inOneModule(source: string): string {
  return source.replace("// @ts-check", "")
    .replace(/^import [^;]* from "\.\/worker_calls\.js";$/m, "")
    .replace(/^export /gm, "");
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
