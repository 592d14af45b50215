/**
 * A thread that lives in a namespace and runs a user's module there.
 *
 * It enters before it has done anything else, so that every thread that it ever starts (for files, DNS,
 * nonblocking calls) is born in the namespace; then it looks whether that is so. It runs from its source
 * text, and imports nothing at run time but the user's module.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import type { Birth } from "./worker.ts";

/** What to run. */
export interface Call {
  module: string;
  export: string;
  args: unknown[];
}

/** The first message: the thread is in, or could not get in, or another thread was started meanwhile. */
export type Arrival = { entered: true } | { errno: number } | {
  uncertain: string;
};

/** The second: what came of the call. An error goes as plain data: posted as it is, it keeps only its message. */
export type Reply =
  | { value: unknown }
  | {
    error: {
      name: string;
      message: string;
      stack: string | undefined;
      fields: unknown;
    };
  };

const CLONE_NEWNET = 0x40000000;
const O_DIRECTORY = Deno.build.arch === "aarch64" ? 0o40000 : 0o200000;
const O_CLOEXEC = 0o2000000;

const { library, symbols, value: netns }: Birth = JSON.parse(self.name);
const libc = Deno.dlopen(library, symbols).symbols;
const arrival: Arrival = enter();
self.onmessage = async ({ data }: MessageEvent<Call>) => reply(await run(data));
self.postMessage(arrival);

function enter(): Arrival {
  if (libc.setns(netns, CLONE_NEWNET) < 0) return { errno: errno() };
  const stranger = youngerOutside();
  return stranger === undefined ? { entered: true } : { uncertain: stranger };
}

/**
 * A thread that is younger than this one and not in the namespace: it may serve this isolate, and would
 * then act elsewhere. Other isolates' own threads ("worker-1") never do.
 */
function youngerOutside(): string | undefined {
  const own = stat("thread-self");
  const here = readLink("/proc/thread-self/ns/net");
  for (const tid of list("/proc/self/task")) {
    const other = stat(`self/task/${tid}`);
    // Gone meanwhile, older, this one itself, or somebody's main thread.
    if (other === undefined || other.start < own!.start || tid === own!.tid) {
      continue;
    }
    if (/^worker-\d+$/.test(other.name)) continue;
    if (readLink(`/proc/self/task/${tid}/ns/net`) !== here) {
      return `${tid} (${other.name})`;
    }
  }
  return undefined;
}

/** What proc_pid_stat(5) says of a thread: its number, its name, its start in clock ticks since boot. */
function stat(
  thread: string,
): { tid: string; name: string; start: number } | undefined {
  const [, tid, name, rest] = /^(\d+) \((.*)\) (.*)/s.exec(readFile(`/proc/${thread}/stat`)) ?? [];
  return tid && { tid, name: name!, start: Number(rest!.split(" ")[19]) } ||
    undefined;
}

/** The names in a directory: struct linux_dirent64 has its length at 16 and its name at 19. */
function list(path: string): string[] {
  const names: string[] = [];
  const [entries, size] = contents(path, O_DIRECTORY, libc.getdents64);
  const view = new DataView(entries.buffer);
  for (let at = 0; at < size; at += view.getUint16(at + 16, true)) {
    names.push(
      text(entries.subarray(at + 19), entries.indexOf(0, at + 19) - at - 19),
    );
  }
  return names.filter((name) => !name.startsWith("."));
}

function readFile(path: string): string {
  return text(...contents(path, 0, libc.read));
}

function readLink(path: string): string {
  const buffer = new Uint8Array(new ArrayBuffer(256));
  return text(
    buffer,
    Number(libc.readlink(cString(path), buffer, BigInt(buffer.length))),
  );
}

/** The first bytes that a read gives, and how many they are; none when there is no such file. */
function contents(
  path: string,
  flags: number,
  read: (fd: number, buffer: Uint8Array<ArrayBuffer>, size: bigint) => bigint,
): [Uint8Array<ArrayBuffer>, number] {
  const buffer = new Uint8Array(new ArrayBuffer(64 * 1024));
  const fd = libc.open(cString(path), flags | O_CLOEXEC, 0);
  if (fd < 0) return [buffer, 0];
  const size = Number(read(fd, buffer, BigInt(buffer.length)));
  libc.close(fd);
  return [buffer, size];
}

function text(bytes: Uint8Array, size: number): string {
  return new TextDecoder().decode(bytes.subarray(0, Math.max(size, 0)));
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

function errno(): number {
  const errno = new Int32Array(new ArrayBuffer(4));
  libc.memcpy(errno, libc.__errno_location(), 4n);
  return errno[0]!;
}

async function run(call: Call): Promise<Reply> {
  try {
    const module = await import(call.module);
    const found = module[call.export];
    if (typeof found !== "function") {
      throw new TypeError(
        `Cannot run ${call.export} of ${call.module}: it exports no such function`,
      );
    }
    return { value: await found(...call.args) };
  } catch (error) {
    return failure(error);
  }
}

function reply(reply: Reply): void {
  try {
    self.postMessage(reply);
  } catch (error) {
    // What can't be cloned can't come home: functions, sockets, class instances with private state.
    self.postMessage(failure(error));
  }
}

function failure(thrown: unknown): Reply {
  const { name = "Error", message = String(thrown), stack } = thrown instanceof Error
    ? thrown
    : {} as Partial<Error>;
  return { error: { name, message, stack, fields: fieldsOf(thrown) } };
}

/** The fields of an error that are plain data, such as `code` and `errno`. */
function fieldsOf(thrown: unknown): Record<string, unknown> {
  if (!(thrown instanceof Error)) return {};
  return Object.fromEntries(
    Object.entries(thrown)
      .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value)),
  );
}
