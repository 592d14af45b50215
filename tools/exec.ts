/**
 * Becoming another command, as `exec` does in a shell: no second process stands
 * between the caller and the command, so signals, standard streams and the exit
 * status are the command's own, and killing the one kills the other.
 *
 * @module
 */

import { getSystemErrorName } from "node:util";

const SIGPIPE = 13;

/** Turns this process into `command`. Returns only by ending: in the command, or in one sentence why not. */
export function become(command: readonly string[]): never {
  requireLinux();
  const libc = Deno.dlopen("libc.so.6", {
    // int execvp(const char *file, char *const argv[]);
    execvp: { parameters: ["buffer", "buffer"], result: "i32" },
    // sighandler_t signal(int signum, sighandler_t handler);
    signal: { parameters: ["i32", "pointer"], result: "pointer" },
    // int *__errno_location(void);
    __errno_location: { parameters: [], result: "pointer" },
  });
  const words = command.map(cString);
  // NULL is SIG_DFL: Deno ignores SIGPIPE, and what is ignored would stay so.
  libc.symbols.signal(SIGPIPE, null);
  libc.symbols.execvp(words[0] ?? cString(""), pointers(words));
  const reason = errorName(libc.symbols.__errno_location());
  fail(`Cannot start "${command[0] ?? ""}": ${reason}`);
}

/** Ends this process with one sentence on standard error. */
export function fail(message: string, code = 1): never {
  console.error(`denolink: ${message}`);
  Deno.exit(code);
}

/** Ends this process unless it runs on Linux. */
export function requireLinux(): void {
  if (Deno.build.os === "linux") return;
  fail(`Cannot run on ${Deno.build.os}: denolink is for Linux only`);
}

/** The text as libc reads it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) fail(`Cannot pass on an argument with a NUL in it`);
  return new TextEncoder().encode(`${text}\0`);
}

/** The name of the error that libc's errno holds, such as "ENOENT". */
export function errorName(errno: Deno.PointerValue): string {
  if (errno === null) return "unknown error";
  return getSystemErrorName(-new Deno.UnsafePointerView(errno).getInt32());
}

/** A `char *const argv[]`, ended by NULL; the buffers must outlive it. */
function pointers(
  words: readonly Uint8Array<ArrayBuffer>[],
): BigUint64Array<ArrayBuffer> {
  const table = new BigUint64Array(words.length + 1);
  words.forEach((word, i) => {
    table[i] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(word));
  });
  return table;
}
