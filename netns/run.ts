/**
 * User code on a thread of its own, inside a namespace.
 *
 * @module
 */

import { InputError, kernelError } from "../ffi/errors.ts";
import { describeTarget, Netns, type NetnsTarget } from "./netns.ts";
import type { Arrival, Call, PostedError, Reply } from "./messages.ts";
import source from "./resident_worker.js" with { type: "text" };
import { startWorker } from "./worker.ts";

/** What to run of a module, and how. */
export interface RunOptions {
  /**
   * The name of the exported function.
   * @default {"default"}
   */
  export?: string;
  /**
   * Its arguments; what `structuredClone` takes.
   * @default {[]}
   */
  args?: unknown[];
  /**
   * Ends the thread and rejects with the signal's reason. Code that never awaits keeps its thread: Deno
   * (2.9.6) does not interrupt it.
   */
  signal?: AbortSignal;
}

/** An error that came out of a module run elsewhere: the same name, message, stack and plain fields. */
export class RemoteError extends Error {
  /** Builds the error from what the other thread posted. */
  constructor(posted: PostedError) {
    super(posted.message);
    this.name = posted.name;
    if (posted.stack !== undefined) this.stack = posted.stack;
    Object.assign(this, posted.fields);
  }
}

/**
 * Runs a module's function on a thread that was born in the namespace: `Deno.listen`, `Deno.connect`,
 * `Deno.Command` and reads of /proc/thread-self/net all act there, also asynchronously.
 *
 * The module is loaded anew for each call, with the permissions of the caller: a module on disk wants
 * `--allow-read` for its file, one from the network `--allow-import`; a `data:` or `blob:` URL wants
 * nothing. The thread ends when the function's promise does; what it left open is closed.
 *
 * Rejects with the function's own error as {@linkcode RemoteError}, or as `Netns.open` does.
 *
 * @example The addresses that a container sees
 * ```ts
 * import { runInNetns } from "@denolink/denolink";
 *
 * const module = "data:application/typescript," +
 *   encodeURIComponent("export default () => Deno.networkInterfaces()");
 * console.log(await runInNetns({ pid: 4242 }, module));
 * ```
 */
export async function runInNetns<T = unknown>(
  target: NetnsTarget,
  moduleUrl: string | URL,
  { export: name = "default", args = [], signal }: RunOptions = {},
): Promise<T> {
  const module = absolute(moduleUrl);
  signal?.throwIfAborted();
  using netns = Netns.open(target);
  const shown = module.length > 100 ? `${module.slice(0, 100)}...` : module;
  const operation = `run ${name} of ${shown} in ${describeTarget(target)}`;
  using resident = await settle(operation, netns, signal);
  const reply = await resident.ask<Reply>(
    { module, export: name, args } satisfies Call,
  );
  if ("error" in reply) throw new RemoteError(reply.error);
  return reply.value as T;
}

function absolute(moduleUrl: string | URL): string {
  if (URL.canParse(moduleUrl)) return new URL(moduleUrl).href;
  throw new InputError(
    `Cannot run module ${
      JSON.stringify(moduleUrl)
    }: it is no URL; use import.meta.resolve("./module.ts")`,
  );
}

/** Any thread that starts while a resident does makes it uncertain, so residents start one at a time. */
let lastArrival: Promise<unknown> = Promise.resolve();
const ARRIVAL_ATTEMPTS = 20;

/** A thread that is in the namespace for certain. */
function settle(
  operation: string,
  netns: Netns,
  signal: AbortSignal | undefined,
): Promise<Resident> {
  const arrival = lastArrival.then(async () => {
    let stranger = "";
    for (let attempt = 0; attempt < ARRIVAL_ATTEMPTS; attempt++) {
      const resident = new Resident(operation, netns, signal);
      const arrived = await resident.arrival;
      if ("entered" in arrived) return resident;
      resident.close();
      if ("errno" in arrived) throw kernelError(operation, arrived.errno);
      stranger = arrived.uncertain;
    }
    throw new Error(
      `Cannot ${operation}: at each of ${ARRIVAL_ATTEMPTS} attempts this process started another thread meanwhile, last ${stranger}; try again when it is less busy`,
    );
  });
  lastArrival = arrival.catch(() => {});
  return arrival;
}

/** A thread that lives in a namespace, seen from outside. */
class Resident implements Disposable {
  readonly #worker: Worker;
  readonly #signal: AbortSignal | undefined;
  readonly #aborted = () => this.#fail(this.#signal!.reason);
  #answer = Promise.withResolvers<unknown>();
  /** How its entry into the namespace went. */
  readonly arrival: Promise<Arrival>;

  constructor(
    operation: string,
    netns: Netns,
    signal: AbortSignal | undefined,
  ) {
    this.#worker = startWorker(`netns ${netns.id}`, source, netns.fd);
    this.#worker.onmessage = ({ data }) => this.#answer.resolve(data);
    // Unheeded, an error in it would end this program.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`Cannot ${operation}: ${event.message}`));
    };
    this.#signal = signal;
    signal?.addEventListener("abort", this.#aborted);
    this.arrival = this.#answer.promise as Promise<Arrival>;
  }

  /** Posts a message and waits for the answer. */
  ask<Answer>(message: unknown): Promise<Answer> {
    this.#signal?.throwIfAborted();
    this.#answer = Promise.withResolvers<unknown>();
    this.#worker.postMessage(message);
    return this.#answer.promise as Promise<Answer>;
  }

  /** Ends the thread. */
  close(): void {
    this.#signal?.removeEventListener("abort", this.#aborted);
    this.#worker.terminate();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #fail(reason: unknown): void {
    this.#answer.reject(reason);
    this.#worker.terminate();
  }
}
