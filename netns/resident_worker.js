// @ts-check
/// <reference lib="deno.worker" />
/**
 * A thread that lives in a namespace and runs a user's module there.
 *
 * It enters before it has done anything else, so that every thread that it ever starts (for files, DNS,
 * nonblocking calls) is born in the namespace; then it looks whether that is so. It runs from its source
 * text (worker.ts), and imports nothing at run time but the user's module.
 *
 * @import { Arrival, Birth, Call, PostedError, Reply } from "./messages.ts"
 */

const CLONE_NEWNET = 0x40000000;
const O_DIRECTORY = Deno.build.arch === "aarch64" ? 0o40000 : 0o200000;
const O_CLOEXEC = 0o2000000;

/** @type {Birth} */
const { library, symbols, value: netns } = JSON.parse(
  decodeURIComponent(self.location.hash.slice(1)),
);
const libc = Deno.dlopen(library, symbols).symbols;
const arrival = enter();
/** @param {MessageEvent<Call>} event */
self.onmessage = async ({ data }) => reply(await run(data));
self.postMessage(arrival);

/** @returns {Arrival} */
function enter() {
  if (libc.setns(netns, CLONE_NEWNET) < 0) return { errno: errno() };
  const stranger = youngerOutside();
  return stranger === undefined ? { entered: true } : { uncertain: stranger };
}

/**
 * A thread that is younger than this one and not in the namespace: it may serve this isolate, and would
 * then act elsewhere. Other isolates' own threads ("worker-1") never do.
 *
 * @returns {string | undefined}
 */
function youngerOutside() {
  const here = readLink("/proc/thread-self/ns/net");
  const own = stat("thread-self");
  for (const tid of list("/proc/self/task")) {
    const other = stat(`self/task/${tid}`);
    // Gone meanwhile, or older, or this one itself, or somebody's main thread.
    if (other.start < own.start || tid === own.tid || /^worker-\d+$/.test(other.name)) continue;
    if (readLink(`/proc/self/task/${tid}/ns/net`) !== here) return `${tid} (${other.name})`;
  }
  return undefined;
}

/**
 * What proc_pid_stat(5) says of a thread: its number, its name, its start in clock ticks since boot.
 *
 * @param {string} thread
 */
function stat(thread) {
  const [, tid, name, rest = ""] = /^(\d+) \((.*)\) (.*)/s.exec(readFile(`/proc/${thread}/stat`)) ??
    [];
  return { tid, name: name ?? "", start: Number(rest.split(" ")[19] ?? -1) };
}

/**
 * The names in a directory: struct linux_dirent64 has its length at 16 and its name at 19.
 *
 * @param {string} path
 */
function list(path) {
  const names = [];
  const [entries, size] = contents(path, O_DIRECTORY, libc.getdents64);
  const view = new DataView(entries.buffer);
  for (let at = 0; at < size; at += view.getUint16(at + 16, true)) {
    names.push(text(entries.subarray(at + 19), entries.indexOf(0, at + 19) - at - 19));
  }
  return names.filter((name) => !name.startsWith("."));
}

/** @param {string} path */
function readFile(path) {
  return text(...contents(path, 0, libc.read));
}

/** @param {string} path */
function readLink(path) {
  const buffer = new Uint8Array(new ArrayBuffer(256));
  return text(buffer, Number(libc.readlink(cString(path), buffer, BigInt(buffer.length))));
}

/**
 * The first bytes that a read gives, and how many they are; none when there is no such file.
 *
 * @param {string} path
 * @param {number} flags
 * @param {(fd: number, buffer: Uint8Array<ArrayBuffer>, size: bigint) => bigint} read
 * @returns {[Uint8Array<ArrayBuffer>, number]}
 */
function contents(path, flags, read) {
  const buffer = new Uint8Array(new ArrayBuffer(64 * 1024));
  const fd = libc.open(cString(path), flags | O_CLOEXEC, 0);
  if (fd < 0) return [buffer, 0];
  const size = Number(read(fd, buffer, BigInt(buffer.length)));
  libc.close(fd);
  return [buffer, size];
}

/** @type {(bytes: Uint8Array, size: number) => string} */
function text(bytes, size) {
  return new TextDecoder().decode(bytes.subarray(0, Math.max(size, 0)));
}

/** @param {string} text */
function cString(text) {
  return new TextEncoder().encode(`${text}\0`);
}

function errno() {
  const errno = new Int32Array(new ArrayBuffer(4));
  libc.memcpy(errno, libc.__errno_location(), 4n);
  return errno[0] ?? 0;
}

/** @type {(call: Call) => Promise<Reply>} */
async function run(call) {
  try {
    const module = await import(call.module);
    const found = module[call.export];
    if (typeof found !== "function") {
      throw new TypeError(`The module exports no function ${call.export}`);
    }
    return { value: await found(...call.args) };
  } catch (error) {
    return failure(error);
  }
}

/** @param {Reply} reply */
function reply(reply) {
  try {
    self.postMessage(reply);
  } catch (error) {
    // What can't be cloned can't come home: functions, sockets, class instances with private state.
    self.postMessage(failure(error));
  }
}

/** @type {(thrown: unknown) => { error: PostedError }} */
function failure(thrown) {
  if (!(thrown instanceof Error)) {
    return { error: { name: "Error", message: String(thrown), stack: undefined, fields: {} } };
  }
  const fields = Object.entries(thrown)
    .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  const { name, message, stack } = thrown;
  return { error: { name, message, stack, fields: Object.fromEntries(fields) } };
}
