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

/**
 * The bound functions of libc; loaded the first time they are asked for, where an importer may not have
 * allowed FFI (yet).
 */
export function libc(): Library["symbols"] {
  return (loaded ??= load()).symbols;
}

/** Where libc was found, for those who bind functions of their own. */
export function libcPath(): string {
  return (loaded ??= load()).path;
}

function load(): { path: string; symbols: Library["symbols"] } {
  if (Deno.build.os !== "linux") {
    throw new UnsupportedError(
      `Cannot load libc: denolink speaks to the Linux kernel, and this system is ${Deno.build.os}; run it on Linux or in a Linux virtual machine`,
    );
  }
  const path = permittedPath() ?? LIBC_NAME;
  try {
    return { path, symbols: Deno.dlopen(path, SYMBOLS).symbols };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) {
      throw new PermissionError("load libc", {
        denied: "Deno does not allow FFI",
        remedy: `run again with --allow-ffi, or add ${
          LIBC_PATHS[0]
        } to the list behind --allow-ffi=`,
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

/** The first of the usual names that this program may load, if there is one. */
function permittedPath(): string | undefined {
  const allowed = (path?: string) =>
    Deno.permissions.querySync(
      path === undefined ? { name: "ffi" } : { name: "ffi", path },
    )
      .state === "granted";
  return allowed() ? LIBC_NAME : LIBC_PATHS.find(allowed);
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

// Loaded while a test runs, it would count as that test's leak: so at once where it may be. Where it
// can't be, whoever uses it first is told why.
try {
  if (permittedPath() !== undefined) libc();
} catch { /* told on first use */ }
