// @ts-check
/// <reference lib="deno.worker" />
/**
 * System calls for the threads of this folder. Its text stands in front of theirs (worker.ts), so it
 * imports nothing at run time.
 *
 * @import { RESIDENT_SYMBOLS } from "../ffi/symbols.ts"
 * @import { Birth } from "./messages.ts"
 */

/** fcntl.h */
export const O_CLOEXEC = 0o2000000;
const O_DIRECTORY = Deno.build.arch === "aarch64" ? 0o40000 : 0o200000;

/** @type {Birth} */
const birth = JSON.parse(decodeURIComponent(self.location.hash.slice(1)));

/** Where a resident lives. */
export const home = birth.home;
/**
 * Binds functions of libc.
 *
 * @template {Deno.ForeignLibraryInterface} Symbols
 * @param {Symbols} symbols
 */
export function bind(symbols) {
  return Deno.dlopen(birth.library, symbols).symbols;
}

/** Those that every thread has, and the residents' own. */
export const libc = bind(/** @type {typeof RESIDENT_SYMBOLS} */ (birth.symbols));

/** A system call refused; the thread stays usable. */
export class Refused extends Error {
  /** @param {string} call @param {number} errno */
  constructor(call, errno) {
    super(call);
    this.call = call;
    this.errno = errno;
  }
}

/** @type {(name: string, result: number | bigint) => number} */
export function call(name, result) {
  if (result >= 0) return Number(result);
  const errno = new Int32Array(new ArrayBuffer(4));
  libc.memcpy(errno, libc.__errno_location(), 4n);
  throw new Refused(name, errno[0] ?? 0);
}

/** @type {(path: string, flags: number) => number} */
export function open(path, flags) {
  return call(`open ${path}`, libc.open(cString(path), flags | O_CLOEXEC, 0));
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function cString(text) {
  return new TextEncoder().encode(`${text}\0`);
}

/** Where a symbolic link points; empty when it is gone. @param {string} path */
export function readLink(path) {
  const buffer = new Uint8Array(new ArrayBuffer(4096));
  return text(buffer, Number(libc.readlink(cString(path), buffer, BigInt(buffer.length))));
}

/** What a small file holds; empty when it is gone. @param {string} path */
export function readFile(path) {
  const fd = libc.open(cString(path), O_CLOEXEC, 0);
  try {
    return fd < 0 ? "" : contents(fd);
  } catch (error) {
    // A thread may end between the two calls.
    if (error instanceof Refused) return "";
    throw error;
  }
}

/** What a first read(2) gives; closes the descriptor. @param {number} fd */
export function contents(fd) {
  const buffer = new Uint8Array(new ArrayBuffer(64 * 1024));
  try {
    return text(buffer, call("read", libc.read(fd, buffer, BigInt(buffer.length))));
  } finally {
    libc.close(fd);
  }
}

const DIRECTORY = 4;

/**
 * The entries of a directory, none when it is gone: struct linux_dirent64 (getdents(2)) has its length
 * at 16, its type at 18, its name at 19.
 *
 * @param {string} path
 * @returns {{ name: string, isDirectory: boolean }[]}
 */
export function list(path) {
  const fd = libc.open(cString(path), O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return [];
  const buffer = new Uint8Array(new ArrayBuffer(32 * 1024));
  const view = new DataView(buffer.buffer);
  const entries = [];
  for (;;) {
    const size = Number(libc.getdents64(fd, buffer, BigInt(buffer.length)));
    if (size <= 0) break;
    for (let at = 0; at < size; at += view.getUint16(at + 16, true)) {
      const name = text(buffer.subarray(at + 19), buffer.indexOf(0, at + 19) - at - 19);
      if (name === "." || name === "..") continue;
      entries.push({ name, isDirectory: view.getUint8(at + 18) === DIRECTORY });
    }
  }
  libc.close(fd);
  return entries;
}

/** @type {(bytes: Uint8Array, size: number) => string} */
function text(bytes, size) {
  return new TextDecoder().decode(bytes.subarray(0, Math.max(size, 0)));
}
