// @ts-check
/// <reference lib="deno.worker" />
/**
 * The thread that visits namespaces. What it opens in one belongs there for good, whichever thread uses
 * it later; the thread itself goes home before it answers.
 *
 * @import { Errand, Job, Outcome } from "./messages.ts"
 */

import { call, contents, cString, libc, list, O_CLOEXEC, open, Refused } from "./worker_calls.js";

const CLONE_NEWNET = 0x40000000;
const O_PATH = 0o10000000;
const SYS_OPENAT2 = 437n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;

const IDLE_MILLISECONDS = 1000;

const ownNetns = open("/proc/thread-self/ns/net", 0);
/** @type {ReturnType<typeof setTimeout> | undefined} */
let idleTimer;
let left = false;

/** @param {MessageEvent<Job[]>} event */
self.onmessage = ({ data }) => {
  if (left) return;
  clearTimeout(idleTimer);
  const outcomes = data.map(serve);
  const stranded = libc.setns(ownNetns, CLONE_NEWNET) < 0;
  post(outcomes);
  // A thread that can't get home must not serve again: it would answer for the wrong namespace.
  if (stranded) leave();
  else idleTimer = setTimeout(leave, IDLE_MILLISECONDS);
};

/** @type {(job: Job) => Outcome} */
function serve({ id, netns, errand }) {
  try {
    return { id, value: visit(netns, errand) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { id, failed: error.call, errno: error.errno };
  }
}

/** @type {(netns: number | undefined, errand: Errand) => number | Record<string, string>} */
function visit(netns, errand) {
  if (netns === undefined) call("unshare", libc.unshare(CLONE_NEWNET));
  else call("setns", libc.setns(netns, CLONE_NEWNET));
  return run(errand);
}

/** @param {Errand} errand */
function run(errand) {
  if ("socket" in errand) return call("socket", libc.socket(...errand.socket));
  if ("sysctl" in errand) return openSysctl(errand.sysctl, errand.flags);
  if ("sysctls" in errand) return readSysctls(errand.sysctls);
  return open(errand.path, errand.flags);
}

/**
 * Opens a file beneath /proc/sys, through no symbolic link: struct open_how (openat2(2)) is u64 flags,
 * mode, resolve.
 *
 * @type {(path: string, flags: number) => number}
 */
function openSysctl(path, flags) {
  const directory = open("/proc/sys", O_PATH);
  try {
    const how = new BigUint64Array([
      BigInt(flags | O_CLOEXEC),
      0n,
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    ]);
    const bytes = new Uint8Array(how.buffer);
    return call(
      "open",
      libc.openat2(SYS_OPENAT2, directory, cString(path), bytes, BigInt(bytes.length)),
    );
  } finally {
    libc.close(directory);
  }
}

/**
 * All settings in a directory of /proc/sys and below that can be read, by their path; links are not
 * followed.
 *
 * @param {string} directory
 * @returns {Record<string, string>}
 */
function readSysctls(directory) {
  /** @type {Record<string, string>} */
  const found = {};
  /** @param {string} path */
  const walk = (path) => {
    for (const { name, isDirectory } of list(`/proc/sys/${path}`)) {
      const inner = path === "" ? name : `${path}/${name}`;
      if (isDirectory) walk(inner);
      else read(inner);
    }
  };
  /** @param {string} path */
  const read = (path) => {
    try {
      found[path] = contents(openSysctl(path, 0));
    } catch (error) {
      // Settings that can only be written, or are somebody else's, are left out.
      if (!(error instanceof Refused)) throw error;
    }
  };
  walk(directory);
  return found;
}

function leave() {
  left = true;
  libc.close(ownNetns);
  post([{ leaving: true }]);
  self.close();
}

/** @param {Outcome[]} outcomes */
function post(outcomes) {
  self.postMessage(outcomes);
}
