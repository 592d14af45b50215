/**
 * What the threads of this folder say to each other.
 *
 * @module
 */

import type { PROGRAM_SYMBOLS, RESIDENT_SYMBOLS, VISITOR_SYMBOLS } from "../ffi/symbols.ts";

/** What a thread has from its first statement on: JSON behind the "#" of its source's URL. */
export interface Birth {
  /** What to bind libc with. */
  library: string;
  symbols: typeof VISITOR_SYMBOLS | typeof RESIDENT_SYMBOLS;
  /** Where a resident lives. */
  home?: Home;
}

/** To the visitor: where to go, and what to do there. */
export interface Job {
  id: number;
  /** A descriptor of the namespace to visit; `undefined`: a new one, made for the purpose. */
  netns: number | undefined;
  errand: Errand;
}

/** What can be done on a visit. */
export type Errand =
  /** Open a socket: the arguments of socket(2). */
  | { socket: readonly [domain: number, type: number, protocol: number] }
  /** Open a file: those of open(2). */
  | { path: string; flags: number }
  /** Open a setting: its path below /proc/sys. */
  | { sysctl: string; flags: number }
  /** Read all settings in a directory below /proc/sys. */
  | { sysctls: string };

/** From the visitor: a descriptor or settings, or which call failed and why. */
export type Outcome =
  | { id: number; value: number | Record<string, string> }
  | { id: number; failed: string; errno: number }
  /** The thread ends; jobs it has not answered go to its successor. */
  | { leaving: true };

/** Where a resident lives. */
export interface Home {
  /** A descriptor of the namespace; `undefined`: where it was started. */
  netns: number | undefined;
  /** Its name, whose files in /etc/netns/NAME are to be seen in /etc. */
  name: string | undefined;
  /** What to bind for programs. */
  programSymbols: typeof PROGRAM_SYMBOLS;
}

/** A system call that was refused. */
export interface Refusal {
  failed: string;
  errno: number;
}

/** From a resident, first: whether it is in, and sees the namespace's own /sys and /etc. */
export type Arrival =
  | { unfurnished: Refusal | undefined }
  | Refusal
  /** Another thread was started meanwhile, which may be one of its own, outside. */
  | { uncertain: string };

/** To a resident: what to do. */
export type Order = Call | Program;

/** An order, numbered from 1. */
export interface Told {
  /** That of the order which this answers; 0: how it arrived; -1: it has waited for a second. */
  number: number;
  answer?: Arrival | Reply | Started;
}

/** A module's function to run. */
export interface Call {
  module: string;
  export: string;
  args: unknown[];
}

/** A program to start. */
export interface Program {
  /** Its name, looked for in PATH, or its path. */
  file: string;
  args: readonly string[];
  /** Its environment, each entry as NAME=VALUE. */
  env: readonly string[];
  cwd: string | undefined;
  /** What shall be its descriptors 0, 1 and 2. */
  descriptors: readonly number[];
  /** Whether it has no terminal whose signals reach it (setsid(2)). */
  newSession: boolean;
  /** Whether the process turns into it, instead of having it as a child. */
  become: boolean;
}

/** From a resident: the program's process. */
export type Started = { pid: number } | Refusal;

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
