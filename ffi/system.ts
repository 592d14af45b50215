/**
 * System calls with the kernel's own convention: a value, or minus the errno.
 *
 * @module
 */

import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  STATX_INO,
  STATX_TYPE,
} from "./constants.ts";
import { InputError } from "./errors.ts";
import { answer, libc } from "./libc.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A C string; a NUL inside would silently cut it short, so it is refused. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new InputError(
      `Cannot pass ${JSON.stringify(text)} to the kernel: it contains a NUL`,
    );
  }
  return encoder.encode(`${text}\0`);
}

/** open(2), always close-on-exec. */
export function open(path: string, flags: number, mode = 0): number {
  return answer(libc().open(cString(path), flags | O_CLOEXEC, mode));
}

/** close(2). */
export function close(fd: number): number {
  return answer(libc().close(fd));
}

/** fcntl(2). */
export function fcntl(fd: number, command: number, argument: number): number {
  return answer(libc().fcntl(fd, command, argument));
}

/** ioctl(2) without an argument. */
export function ioctl(fd: number, request: bigint): number {
  return answer(libc().ioctl(fd, request));
}

/** mkdir(2). */
export function mkdir(path: string, mode: number): number {
  return answer(libc().mkdir(cString(path), mode));
}

/** unlink(2). */
export function unlink(path: string): number {
  return answer(libc().unlink(cString(path)));
}

/** mount(2) of something that needs no options. */
export function mount(
  source: string,
  target: string,
  type: string,
  flags: number,
): number {
  return answer(
    libc().mount(
      cString(source),
      cString(target),
      cString(type),
      BigInt(flags),
      null,
    ),
  );
}

/** umount2(2). */
export function umount(target: string, flags: number): number {
  return answer(libc().umount2(cString(target), flags));
}

/** flock(2), waiting on a pool thread where it has to wait. */
export async function lock(fd: number, operation: number): Promise<number> {
  return answer(await libc().flockAsync(fd, operation));
}

/** What identifies a file: the same device and inode are the same file. */
export interface FileIdentity {
  device: string;
  inode: bigint;
  /** The S_IFMT bits of its mode: 0o040000 directory, 0o100000 regular, 0o120000 symbolic link. */
  type: number;
}

// struct statx (linux/stat.h): the same layout on every architecture
const STATX_SIZE = 256;
const STATX_MODE_OFFSET = 28;
const STATX_INO_OFFSET = 32;
const STATX_DEV_OFFSET = 136;

/** statx(2) of an open descriptor. */
export function identifyDescriptor(fd: number): FileIdentity | number {
  return statx(fd, "", AT_EMPTY_PATH);
}

/** statx(2) of a path, its last symbolic link followed unless said otherwise. */
export function identify(
  path: string,
  { follow = true }: { follow?: boolean } = {},
): FileIdentity | number {
  return statx(AT_FDCWD, path, follow ? 0 : AT_SYMLINK_NOFOLLOW);
}

function statx(directory: number, path: string, flags: number): FileIdentity | number {
  const out = new DataView(new ArrayBuffer(STATX_SIZE));
  const result = answer(
    libc().statx(
      directory,
      cString(path),
      flags,
      STATX_TYPE | STATX_INO,
      new Uint8Array(out.buffer),
    ),
  );
  if (result < 0) return result;
  return {
    device: `${out.getUint32(STATX_DEV_OFFSET, true)}:${out.getUint32(STATX_DEV_OFFSET + 4, true)}`,
    inode: out.getBigUint64(STATX_INO_OFFSET, true),
    type: out.getUint16(STATX_MODE_OFFSET, true) & 0o170000,
  };
}

/** readlink(2). */
export function readLink(path: string): string | number {
  const buffer = new Uint8Array(new ArrayBuffer(4096));
  const length = answer(
    libc().readlink(cString(path), buffer, BigInt(buffer.length)),
  );
  return length < 0 ? length : decoder.decode(buffer.subarray(0, length));
}

// Serves every read: what is in it is decoded before anything else runs.
let readBuffer: Uint8Array<ArrayBuffer> | undefined;

/** read(2) until the end. */
export function readAll(fd: number): string | number {
  const buffer = readBuffer ??= new Uint8Array(new ArrayBuffer(64 * 1024));
  const chunks: string[] = [];
  const stream = new TextDecoder();
  for (;;) {
    const length = answer(libc().read(fd, buffer, BigInt(buffer.length)));
    if (length < 0) return length;
    if (length === 0) return chunks.join("") + stream.decode();
    chunks.push(stream.decode(buffer.subarray(0, length), { stream: true }));
  }
}

/** write(2) of a whole text in one call, as files under /proc/sys want it. */
export function writeText(fd: number, text: string): number {
  const bytes = encoder.encode(text);
  return answer(libc().write(fd, bytes, BigInt(bytes.length)));
}

// struct linux_dirent64 (getdents(2)): u64 inode, s64 offset, u16 length, u8 type, char name[]
const DIRENT_LENGTH_OFFSET = 16;
const DIRENT_NAME_OFFSET = 19;

/** The names in an open directory, without `.` and `..`. */
export function readDirectory(fd: number): string[] | number {
  const buffer = new Uint8Array(new ArrayBuffer(32 * 1024));
  const view = new DataView(buffer.buffer);
  const names: string[] = [];
  for (;;) {
    const length = answer(libc().getdents64(fd, buffer, BigInt(buffer.length)));
    if (length < 0) return length;
    if (length === 0) {
      return names.filter((name) => name !== "." && name !== "..");
    }
    for (
      let at = 0;
      at < length;
      at += view.getUint16(at + DIRENT_LENGTH_OFFSET, true)
    ) {
      const start = at + DIRENT_NAME_OFFSET;
      names.push(
        decoder.decode(buffer.subarray(start, buffer.indexOf(0, start))),
      );
    }
  }
}
