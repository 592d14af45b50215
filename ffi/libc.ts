/**
 * libc, loaded on first use and never on import.
 *
 * @module
 */

import { PermissionError, UnsupportedError } from "./errors.ts";
import { SYMBOLS } from "./symbols.ts";

type Library = Deno.DynamicLibrary<typeof SYMBOLS>;

/** Where libc is found: a bare name needs a blanket `--allow-ffi`, an absolute path its own. */
const LIBC_NAME = "libc.so.6";
const LIBC_PATHS: readonly string[] = [
  `/lib/${Deno.build.arch}-linux-gnu/${LIBC_NAME}`,
  `/usr/lib/${Deno.build.arch}-linux-gnu/${LIBC_NAME}`,
  `/lib64/${LIBC_NAME}`,
  `/usr/lib64/${LIBC_NAME}`,
  `/usr/lib/${LIBC_NAME}`,
];

let loaded: { path: string; symbols: Library["symbols"] } | undefined;

/** The bound functions of libc; loads it the first time. */
export function libc(): Library["symbols"] {
  return (loaded ??= load()).symbols;
}

/** What another thread needs to bind the same functions: structured data, fit for `postMessage`. */
export function libcSource(): { path: string; symbols: typeof SYMBOLS } {
  loaded ??= load();
  return { path: loaded.path, symbols: SYMBOLS };
}

function load(): { path: string; symbols: Library["symbols"] } {
  if (Deno.build.os !== "linux") {
    throw new UnsupportedError(
      `Cannot load libc: denolink speaks to the Linux kernel, and this system is ${Deno.build.os}; run it on Linux or in a Linux virtual machine`,
    );
  }
  const path = permittedPath();
  try {
    return { path, symbols: Deno.dlopen(path, SYMBOLS).symbols };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) {
      throw new PermissionError("load libc", {
        denied: "Deno does not allow FFI",
        remedy: `run again with --allow-ffi (or --allow-ffi=${LIBC_PATHS[0]})`,
        cause,
      });
    }
    throw new UnsupportedError(
      `Cannot load libc: ${path} and its usual places (${LIBC_PATHS.join(", ")}) give ${
        (cause as Error).message
      }; a glibc 2.30 or later is needed`,
      { cause },
    );
  }
}

function permittedPath(): string {
  const allowed = (path?: string) =>
    Deno.permissions.querySync(
      path === undefined ? { name: "ffi" } : { name: "ffi", path },
    )
      .state === "granted";
  if (allowed()) return LIBC_NAME;
  return LIBC_PATHS.find(allowed) ?? LIBC_NAME;
}

/** The errno of this thread; right only directly after the call that failed. */
function errno(): number {
  const { __errno_location, memcpy } = libc();
  memcpy(errnoBuffer, __errno_location(), 4n);
  return errnoBuffer[0]!;
}

const errnoBuffer = new Int32Array(new ArrayBuffer(4));

/** What the kernel would have returned: the result of a call, or minus its errno. */
export function answer(result: number | bigint): number {
  return result < 0 ? -errno() : Number(result);
}
