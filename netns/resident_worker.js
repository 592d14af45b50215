// @ts-check
/// <reference lib="deno.worker" />
/**
 * A thread that lives in a namespace: it runs a user's modules, and starts a user's programs.
 *
 * It enters before it has done anything else, so that every thread that it ever starts (for files, DNS,
 * nonblocking calls) is born in the namespace; then it looks whether that is so. It imports nothing at
 * run time but the user's modules.
 *
 * @import { Arrival, Call, Home, Order, PostedError, Program, Reply, Started, Told } from "./messages.ts"
 */

import {
  bind,
  call,
  cString,
  home,
  libc,
  list,
  readFile,
  readLink,
  Refused,
} from "./worker_calls.js";

const CLONE_NEWNET = 0x40000000;
const CLONE_NEWNS = 0x20000;
const MS_RDONLY = 0x1;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_SLAVE = 0x80000;
const SIGPIPE = 13;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
// The largest of glibc's opaque structures: posix_spawnattr_t has 336 bytes, sigset_t 128.
const OPAQUE_SIZE = 512;
const SIGNALS_SIZE = 128;

const IDLE_MILLISECONDS = 1000;

const arrival = enter(/** @type {Home} */ (home));
/** @type {ReturnType<typeof setTimeout> | undefined} */
let idleTimer;
/** @param {MessageEvent<{ number: number, order: Order }>} event */
self.onmessage = async ({ data: { number, order } }) => {
  clearInterval(idleTimer);
  tell(number, "module" in order ? await run(order) : order.become ? become(order) : start(order));
  idleTimer = setInterval(() => tell(-1), IDLE_MILLISECONDS);
};
tell(0, arrival);

/** @type {(number: number, answer?: Told["answer"]) => void} */
function tell(number, answer) {
  try {
    self.postMessage({ number, answer });
  } catch (error) {
    // What can't be cloned can't come home: functions, sockets, class instances with private state.
    self.postMessage({ number, answer: failure(error) });
  }
}

/** @type {(home: Home) => Arrival} */
function enter({ netns, name }) {
  if (netns === undefined) return { unfurnished: undefined };
  const birthplace = readLink("/proc/thread-self/ns/net");
  try {
    call("setns", libc.setns(netns, CLONE_NEWNET));
  } catch (error) {
    return refusal(error);
  }
  const unfurnished = furnish(name);
  const stranger = youngerIn(birthplace);
  return stranger === undefined ? { unfurnished } : { uncertain: stranger };
}

/**
 * Files as `ip netns exec` gives them (ip-netns(8)): /sys shows the devices of the namespace, and what is
 * in /etc/netns/NAME stands in the place of the same files in /etc. Only what is covered is cut off from
 * other mount namespaces, so that names made here under /run/netns are seen there too.
 *
 * @param {string | undefined} name
 */
function furnish(name) {
  try {
    call("unshare", libc.unshare(CLONE_NEWNS));
    mount("none", "/", null, MS_SLAVE);
    mount("none", "/sys", null, MS_SLAVE | MS_REC);
    const readOnly = / \/sys \S*\bro\b/.test(readFile("/proc/thread-self/mounts"));
    mount("sysfs", "/sys", "sysfs", readOnly ? MS_RDONLY : 0);
    for (const { name: file } of name === undefined ? [] : list(`/etc/netns/${name}`)) {
      mount(`/etc/netns/${name}/${file}`, `/etc/${file}`, null, MS_BIND);
    }
  } catch (error) {
    return refusal(error);
  }
}

/** @type {(source: string, target: string, type: string | null, flags: number) => void} */
function mount(source, target, type, flags) {
  call(
    `mount ${target}`,
    libc.mount(
      cString(source),
      cString(target),
      type === null ? null : cString(type),
      BigInt(flags),
      null,
    ),
  );
}

/**
 * A thread that is younger than this one, in the namespace where this one was born: it may serve this
 * isolate, and would then act there. Other isolates' own threads ("worker-1") never do.
 *
 * @param {string} birthplace
 * @returns {string | undefined}
 */
function youngerIn(birthplace) {
  if (readLink("/proc/thread-self/ns/net") === birthplace) return undefined;
  const own = stat("thread-self");
  for (const { name: tid } of list("/proc/self/task")) {
    const other = stat(`self/task/${tid}`);
    // Gone meanwhile, or older, or this one itself, or somebody's main thread.
    if (other.start < own.start || tid === own.tid || /^worker-\d+$/.test(other.name)) continue;
    if (readLink(`/proc/self/task/${tid}/ns/net`) === birthplace) return `${tid} (${other.name})`;
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

/** @type {ReturnType<typeof bind<Home["programSymbols"]>> | undefined} */
let bound;

/** The functions for programs, bound for the first of them. */
function programs() {
  return bound ??= bind(/** @type {Home} */ (home).programSymbols);
}

/**
 * Starts a program, which is then a child of the process.
 *
 * @param {Program} program
 * @returns {Started}
 */
function start({ file, args, env, cwd, descriptors, newSession }) {
  const actions = new Uint8Array(OPAQUE_SIZE);
  const attributes = new Uint8Array(OPAQUE_SIZE);
  programs().posix_spawn_file_actions_init(actions);
  programs().posix_spawnattr_init(attributes);
  try {
    for (const [to, from] of descriptors.entries()) {
      programs().posix_spawn_file_actions_adddup2(actions, from, to);
    }
    if (cwd !== undefined) programs().posix_spawn_file_actions_addchdir_np(actions, cString(cwd));
    // Deno ignores SIGPIPE, and what is ignored would stay so.
    const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
      (newSession ? POSIX_SPAWN_SETSID : 0);
    programs().posix_spawnattr_setflags(attributes, flags);
    const signals = new Uint8Array(SIGNALS_SIZE);
    programs().posix_spawnattr_setsigmask(attributes, signals);
    signals[(SIGPIPE - 1) >> 3] = 1 << ((SIGPIPE - 1) & 7);
    programs().posix_spawnattr_setsigdefault(attributes, signals);
    const pid = new Int32Array(1);
    const [argv, environ] = [pointers([file, ...args]), pointers(env)];
    const errno = programs().posix_spawnp(
      new Uint8Array(pid.buffer),
      cString(file),
      actions,
      attributes,
      argv.table,
      environ.table,
    );
    return errno === 0 ? { pid: pid[0] ?? 0 } : { failed: "posix_spawnp", errno };
  } finally {
    programs().posix_spawn_file_actions_destroy(actions);
    programs().posix_spawnattr_destroy(attributes);
  }
}

/**
 * Turns the whole process into the program; returns only when that is refused.
 *
 * @param {Program} program
 * @returns {Started}
 */
function become({ file, args, env }) {
  const [argv, environ] = [pointers([file, ...args]), pointers(env)];
  const pipes = programs().signal(SIGPIPE, null);
  try {
    call("execvpe", programs().execvpe(cString(file), argv.table, environ.table));
  } catch (error) {
    programs().signal(SIGPIPE, pipes);
    return refusal(error);
  }
  return { pid: 0 };
}

/**
 * A `char *const []`, ended by NULL, with the strings that it points to.
 *
 * @param {readonly string[]} words
 */
function pointers(words) {
  const strings = words.map(cString);
  const table = new BigUint64Array(strings.length + 1);
  for (const [index, string] of strings.entries()) {
    table[index] = programs().address(string, string, 0n);
  }
  return { table: new Uint8Array(table.buffer), strings };
}

/** @type {Map<string, Record<string, unknown>>} */
const modules = new Map();

/** @type {(call: Call) => Promise<Reply>} */
async function run(call) {
  try {
    // Kept, because even a module that is loaded takes half a millisecond to be imported.
    const module = modules.get(call.module) ?? await import(call.module);
    modules.set(call.module, module);
    const found = module[call.export];
    if (typeof found !== "function") {
      throw new TypeError(`The module exports no function ${call.export}`);
    }
    return { value: await found(...call.args) };
  } catch (error) {
    return failure(error);
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

/** @type {(error: unknown) => { failed: string, errno: number }} */
function refusal(error) {
  if (!(error instanceof Refused)) throw error;
  return { failed: error.call, errno: error.errno };
}
