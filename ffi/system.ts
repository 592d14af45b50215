/**
 * System calls with the kernel's own convention: a value, or minus the errno.
 *
 * @module
 */

import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  CLD_EXITED,
  CLOCK_REALTIME,
  MSG_DONTWAIT,
  O_CLOEXEC,
  O_PATH,
  O_RDONLY,
  P_PIDFD,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  SO_ATTACH_FILTER,
  SOL_SOCKET,
  STATX_INO,
  STATX_TYPE,
  SYS_OPENAT2,
  SYS_PIDFD_OPEN,
  SYS_PIDFD_SEND_SIGNAL,
  WEXITED,
  WNOHANG,
} from "./constants.ts";
import { InputError } from "./errors.ts";
import { answer, libc, libcPath } from "./libc.ts";

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

/** linkat(2) of an open file that has no name yet (open(2), O_TMPFILE). */
export function linkDescriptor(fd: number, path: string): number {
  const from = cString(`/proc/self/fd/${fd}`);
  return answer(libc().linkat(AT_FDCWD, from, AT_FDCWD, cString(path), AT_SYMLINK_FOLLOW));
}

/** mount(2); `options` are the file system's own. */
export function mount(
  source: string,
  target: string,
  type: string,
  flags: number,
  options = "",
): number {
  const [from, to, kind, data] = [source, target, type, options].map(cString);
  return answer(libc().mount(from!, to!, kind!, BigInt(flags), data!));
}

/** What a small file holds; `undefined` when it can't be read. */
export function readFile(path: string): string | undefined {
  const file = open(path, O_RDONLY);
  if (file < 0) return undefined;
  const text = readAll(file);
  close(file);
  return typeof text === "string" ? text : undefined;
}

/** umount2(2). */
export function umount(target: string, flags: number): number {
  return answer(libc().umount2(cString(target), flags));
}

/** flock(2), waiting on a pool thread where it has to wait. */
export async function lock(fd: number, operation: number): Promise<number> {
  return answer(await libc().flockAsync(fd, operation));
}

/** flock(2) that does not wait: with LOCK_NB. */
export function tryLock(fd: number, operation: number): number {
  return answer(libc().flock(fd, operation));
}

/** What identifies a file: the same device and inode are the same file. */
export interface FileIdentity {
  device: string;
  inode: bigint;
  /** The S_IFMT bits of its mode: 0o040000 directory, 0o100000 regular, 0o120000 symbolic link. */
  type: number;
}

// Serve every call: what is in them is decoded before anything else runs.
const scratch = new Uint8Array(new ArrayBuffer(64 * 1024));
const scratchView = new DataView(scratch.buffer);

// struct statx (linux/stat.h): the same layout on every architecture
const STATX_MODE_OFFSET = 28;
const STATX_INO_OFFSET = 32;
const STATX_DEV_OFFSET = 136;

/** statx(2) of an open descriptor. */
export function identifyDescriptor(fd: number): FileIdentity | number {
  return statx(fd, "", AT_EMPTY_PATH);
}

/**
 * statx(2) of a path, its last symbolic link followed unless said otherwise; one that does not start with
 * "/" starts at the open `directory`.
 */
export function identify(
  path: string,
  { follow = true, directory = AT_FDCWD }: { follow?: boolean; directory?: number } = {},
): FileIdentity | number {
  return statx(directory, path, follow ? 0 : AT_SYMLINK_NOFOLLOW);
}

function statx(directory: number, path: string, flags: number): FileIdentity | number {
  const mask = STATX_TYPE | STATX_INO;
  const result = answer(libc().statx(directory, cString(path), flags, mask, scratch));
  if (result < 0) return result;
  const device = (at: number) => scratchView.getUint32(STATX_DEV_OFFSET + at, true);
  return {
    device: `${device(0)}:${device(4)}`,
    inode: scratchView.getBigUint64(STATX_INO_OFFSET, true),
    type: scratchView.getUint16(STATX_MODE_OFFSET, true) & 0o170000,
  };
}

/** readlink(2). */
export function readLink(path: string): string | number {
  const length = answer(libc().readlink(cString(path), scratch, BigInt(scratch.length)));
  return length < 0 ? length : decoder.decode(scratch.subarray(0, length));
}

/** read(2) until the end. */
export function readAll(fd: number): string | number {
  const chunks: string[] = [];
  const stream = new TextDecoder();
  for (;;) {
    const length = answer(libc().read(fd, scratch, BigInt(scratch.length)));
    if (length < 0) return length;
    if (length === 0) return chunks.join("") + stream.decode();
    chunks.push(stream.decode(scratch.subarray(0, length), { stream: true }));
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

/** pipe2(2), close-on-exec: the end to read, the end to write. */
export function pipe(): [read: number, write: number] | number {
  const ends = new Int32Array(2);
  const result = answer(libc().pipe2(new Uint8Array(ends.buffer), O_CLOEXEC));
  return result < 0 ? result : [ends[0]!, ends[1]!];
}

/** A read(2) that takes what there is; the bytes are the caller's. */
export function readSome(fd: number, most: number): Uint8Array<ArrayBuffer> | number {
  const bytes = new Uint8Array(new ArrayBuffer(most));
  const length = answer(libc().read(fd, bytes, BigInt(most)));
  return length < 0 ? length : bytes.subarray(0, length);
}

/** write(2): how many of the bytes were taken. */
export function writeSome(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
  return answer(libc().write(fd, bytes, BigInt(bytes.length)));
}

/** connect(2); the address is a struct sockaddr. */
export function connectSocket(fd: number, address: Uint8Array<ArrayBuffer>): number {
  return answer(libc().connect(fd, address, address.length));
}

/** bind(2); the address is a struct sockaddr. */
export function bindSocket(fd: number, address: Uint8Array<ArrayBuffer>): number {
  return answer(libc().bind(fd, address, address.length));
}

/** setsockopt(2) of an option that is an int. */
export function setSocketOption(fd: number, level: number, option: number, value: number): number {
  const bytes = new Int32Array([value]);
  return answer(libc().setsockopt(fd, level, option, bytes, bytes.byteLength));
}

/** An instruction of a classic BPF program: struct sock_filter (linux/filter.h). */
export type FilterInstruction = readonly [code: number, jt: number, jf: number, k: number];

/** Lets only those packets into a socket for which a classic BPF program returns more than 0 (socket(7)). */
export function attachFilter(fd: number, program: readonly FilterInstruction[]): number {
  // struct sock_fprog (u16 length, pointer), and behind it the instructions that it points at
  const view = new DataView(new ArrayBuffer(16 + 8 * program.length));
  const memory = new Uint8Array(view.buffer);
  view.setUint16(0, program.length, true);
  view.setBigUint64(8, libc().address(memory, memory, 0n) + 16n, true);
  for (const [index, [code, jt, jf, k]] of program.entries()) {
    const at = 16 + 8 * index;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  }
  return answer(libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, memory, 16));
}

/** What comes beside the bytes of a message: struct cmsghdr (cmsg(3)) and its data. */
export interface ControlMessage {
  level: number;
  type: number;
  data: DataView<ArrayBuffer>;
}

/** What recvmsg(2) takes off a socket. */
export interface ReceivedMessage {
  bytes: Uint8Array<ArrayBuffer>;
  control: ControlMessage[];
}

// struct msghdr (recvmsg(2)) and its one struct iovec, the control messages, the bytes, in one piece of
// memory, so that what points is kept with what is pointed at
const IOVEC_OFFSET = 56;
const CONTROL_OFFSET = 72;
const CONTROL_SIZE = 256;
const CONTROL_HEADER = 16;

/** recvmsg(2) without waiting: up to `most` bytes, the caller's, and what comes beside them. */
export function receiveMessage(fd: number, most: number, flags = 0): ReceivedMessage | number {
  const start = CONTROL_OFFSET + CONTROL_SIZE;
  const memory = new Uint8Array(new ArrayBuffer(start + most));
  const view = new DataView(memory.buffer);
  const address = libc().address(memory, memory, 0n);
  const fields = [0n, 0n, address + BigInt(IOVEC_OFFSET), 1n]; // name, its length, iov, iovlen
  fields.push(address + BigInt(CONTROL_OFFSET), BigInt(CONTROL_SIZE), 0n); // control, controllen, flags
  fields.push(address + BigInt(start), BigInt(most)); // iov_base, iov_len
  fields.forEach((field, index) => view.setBigUint64(8 * index, field, true));
  const length = answer(libc().recvmsg(fd, memory, flags | MSG_DONTWAIT));
  if (length < 0) return length;
  const control: ControlMessage[] = [];
  const end = CONTROL_OFFSET + Number(view.getBigUint64(40, true));
  for (let at = CONTROL_OFFSET; at + CONTROL_HEADER <= end;) {
    const size = Number(view.getBigUint64(at, true));
    control.push({
      level: view.getInt32(at + 8, true),
      type: view.getInt32(at + 12, true),
      data: new DataView(memory.buffer, at + CONTROL_HEADER, size - CONTROL_HEADER),
    });
    at += Math.ceil(size / 8) * 8;
  }
  return { bytes: memory.subarray(start, start + length), control };
}

/** clock_gettime(2): nanoseconds since 1970, on the clock of the kernel's timestamps. */
export function realTime(): bigint {
  const time = new DataView(new ArrayBuffer(16));
  libc().clock_gettime(CLOCK_REALTIME, new Uint8Array(time.buffer));
  return nanoseconds(time);
}

/** A struct timespec (clock_gettime(2)) as one number. */
export function nanoseconds(time: DataView<ArrayBuffer>): bigint {
  return time.getBigInt64(0, true) * 1_000_000_000n + time.getBigInt64(8, true);
}

/** pidfd_open(2), close-on-exec: a descriptor of a process, whose number may be used again. */
export function pidfdOpen(pid: number): number {
  return answer(libc().pidfd_open(BigInt(SYS_PIDFD_OPEN), pid, 0));
}

/** pidfd_send_signal(2); signal 0 asks whether the process is there. */
export function pidfdSendSignal(pidfd: number, signal: number): number {
  return answer(
    libc().pidfd_send_signal(BigInt(SYS_PIDFD_SEND_SIGNAL), pidfd, signal, null, 0),
  );
}

/** How a process ended. */
export interface ExitStatus {
  /** Its exit status, or the number of the signal that ended it. */
  status: number;
  /** Whether a signal ended it. */
  killed: boolean;
}

// siginfo_t of SIGCHLD (sigaction(2)): the same layout on every 64-bit architecture
const SIGINFO_SIZE = 128;
const SIGINFO_CODE_OFFSET = 8;
const SIGINFO_PID_OFFSET = 16;
const SIGINFO_STATUS_OFFSET = 24;

/** waitid(2) of a child by its descriptor, without waiting; `undefined` when it still runs. */
export function reap(pidfd: number): ExitStatus | undefined | number {
  const info = new DataView(new ArrayBuffer(SIGINFO_SIZE));
  const result = answer(
    libc().waitid(P_PIDFD, pidfd, new Uint8Array(info.buffer), WEXITED | WNOHANG),
  );
  if (result < 0) return result;
  if (info.getInt32(SIGINFO_PID_OFFSET, true) === 0) return undefined;
  return {
    status: info.getInt32(SIGINFO_STATUS_OFFSET, true),
    killed: info.getInt32(SIGINFO_CODE_OFFSET, true) !== CLD_EXITED,
  };
}

/** The environment of this process as it is now, each entry as NAME=VALUE (environ(7)). */
export function environment(): string[] {
  // Read anew, because setenv(3) moves it.
  const library = Deno.dlopen(libcPath(), { environ: { type: "usize" } });
  let at = library.symbols.environ;
  library.close();
  const entries: string[] = [];
  const address = new BigUint64Array(1);
  for (;; at += 8n) {
    libc().peek(new Uint8Array(address.buffer), at, 8n);
    if (address[0] === 0n) return entries;
    const bytes = new Uint8Array(new ArrayBuffer(Number(libc().strlen(address[0]!))));
    // An empty array would be passed as NULL.
    if (bytes.length > 0) libc().peek(bytes, address[0]!, BigInt(bytes.length));
    entries.push(decoder.decode(bytes));
  }
}

/** openat2(2), beneath a directory and through no symbolic link, whatever the path says. */
export function openBeneath(directory: string, path: string, flags: number): number {
  const parent = open(directory, O_PATH);
  if (parent < 0) return parent;
  // struct open_how (linux/openat2.h): u64 flags, mode, resolve
  const how = new BigUint64Array([
    BigInt(flags | O_CLOEXEC),
    0n,
    BigInt(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS),
  ]);
  const bytes = new Uint8Array(how.buffer);
  const opened = answer(
    libc().openat2(BigInt(SYS_OPENAT2), parent, cString(path), bytes, BigInt(bytes.length)),
  );
  close(parent);
  return opened;
}

/** The names in an open directory, without `.` and `..`. */
export function readDirectory(fd: number): string[] | number {
  const names: string[] = [];
  for (;;) {
    const length = answer(libc().getdents64(fd, scratch, BigInt(scratch.length)));
    if (length < 0) return length;
    if (length === 0) {
      return names.filter((name) => name !== "." && name !== "..");
    }
    for (
      let at = 0;
      at < length;
      at += scratchView.getUint16(at + DIRENT_LENGTH_OFFSET, true)
    ) {
      const start = at + DIRENT_NAME_OFFSET;
      names.push(
        decoder.decode(scratch.subarray(start, scratch.indexOf(0, start))),
      );
    }
  }
}
