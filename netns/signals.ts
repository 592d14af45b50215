/**
 * The names and numbers of signals (signal(7)), the same on x86-64 and aarch64.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";

const SIGNALS: readonly Deno.Signal[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGKILL",
  "SIGUSR1",
  "SIGSEGV",
  "SIGUSR2",
  "SIGPIPE",
  "SIGALRM",
  "SIGTERM",
  "SIGSTKFLT",
  "SIGCHLD",
  "SIGCONT",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGURG",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGPROF",
  "SIGWINCH",
  "SIGIO",
  "SIGPWR",
  "SIGSYS",
];

/** The number of a signal; `InputError` for a name that is none. */
export function signalNumber(name: Deno.Signal): number {
  const number = SIGNALS.indexOf(name) + 1;
  if (number === 0) {
    throw new InputError(
      `Cannot send signal ${JSON.stringify(name)}: there is none of that name; see signal(7)`,
    );
  }
  return number;
}

/** The name of a signal; real-time signals have none. */
export function signalName(number: number): Deno.Signal | null {
  return SIGNALS[number - 1] ?? null;
}
