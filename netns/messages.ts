/**
 * What the threads of this folder say to each other.
 *
 * @module
 */

import type { SYMBOLS } from "../ffi/symbols.ts";

/** What a thread has from its first statement on: JSON behind the "#" of its source's URL. */
export interface Birth {
  /** What to bind libc with. */
  library: string;
  symbols: typeof SYMBOLS;
  /** A number of the thread's own: the namespace to live in, the time to wait for a job. */
  value: number;
}

/** To the visitor: where to go, and what to open there. */
export interface Job {
  id: number;
  /** A descriptor of the namespace to visit; `undefined`: a new one, made for the purpose. */
  netns: number | undefined;
  open: Opening;
}

/** What can be opened in a namespace: the arguments of socket(2), or those of open(2). */
export type Opening =
  | { domain: number; type: number; protocol: number }
  | { path: string; flags: number };

/** From the visitor: the descriptor, or which call failed and why. */
export type Outcome =
  | { id: number; fd: number }
  | { id: number; failed: string; errno: number }
  /** The thread ends; jobs it has not answered go to its successor. */
  | { leaving: true };

/** From a resident, first: it is in, or could not get in, or another thread was started meanwhile. */
export type Arrival = { entered: true } | { errno: number } | { uncertain: string };

/** To a resident: what to run. */
export interface Call {
  module: string;
  export: string;
  args: unknown[];
}

/** From a resident: what came of it. A posted `Error` keeps only its message, so errors go as plain data. */
export type Reply = { value: unknown } | { error: PostedError };

/** An error as plain data. */
export interface PostedError {
  name: string;
  message: string;
  stack: string | undefined;
  /** Its own fields that are plain data too, such as `code` and `errno`. */
  fields: Record<string, unknown>;
}
