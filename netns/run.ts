/**
 * A user's module inside a namespace.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import { Netns } from "./netns.ts";
import type { PostedError, Reply } from "./messages.ts";
import { withResident } from "./residents.ts";
import { describeTarget, type NetnsTarget } from "./target.ts";

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
   * Objects in the arguments that are handed over instead of copied, such as an `ArrayBuffer` or a
   * `MessagePort`.
   * @default {[]}
   */
  transfer?: Transferable[];
  /**
   * Whether the function gets a thread of its own, which ends with the call: the module is loaded anew,
   * and what the function left open is closed.
   * @default {false}
   */
  fresh?: boolean;
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
 * `fetch`, `Deno.resolveDns`, `Deno.Command` and reads of /proc/thread-self/net all act there, also
 * asynchronously. /sys and /etc are those that {@linkcode Netns.spawn} describes.
 *
 * The first call starts a thread and loads the module (some 30 ms); the thread then waits a second for
 * the next call into the namespace (some 0.2 ms), or, called with an open `Netns`, until that is closed.
 * So a module's variables outlast a call, and may be shared by several; calls at the same time run on a
 * thread each. `fresh` gives a call a thread of its own.
 *
 * The module has the permissions of the caller: on disk it wants `--allow-read` for its file, from the
 * network `--allow-import`; a `data:` or `blob:` URL wants nothing.
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
  { export: name = "default", args = [], transfer = [], fresh, signal }: RunOptions = {},
): Promise<T> {
  const module = absolute(moduleUrl);
  using netns = Netns.open(target);
  const shown = module.length > 100 ? `${module.slice(0, 100)}...` : module;
  const operation = `run ${name} of ${shown} in ${describeTarget(target)}`;
  const host = target instanceof Netns ? target : undefined;
  const reply = await withResident(
    operation,
    netns,
    { signal, fresh, host },
    (resident) => resident.ask<Reply>({ module, export: name, args }, transfer),
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
