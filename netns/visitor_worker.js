// @ts-check
/// <reference lib="deno.worker" />
/**
 * The thread that visits namespaces. What it opens in one belongs there for good, whichever thread uses
 * it later; the thread itself goes home after each visit.
 *
 * It runs from its source text (worker.ts), so it imports nothing at run time.
 *
 * @import { Birth, Job, Opening, Outcome } from "./messages.ts"
 */

const CLONE_NEWNET = 0x40000000;
const O_CLOEXEC = 0o2000000;

/** @type {Birth} */
const { library, symbols, value: idleMilliseconds } = JSON.parse(
  decodeURIComponent(self.location.hash.slice(1)),
);
const libc = Deno.dlopen(library, symbols).symbols;
const home = open("/proc/thread-self/ns/net", 0);
/** @type {ReturnType<typeof setTimeout> | undefined} */
let idleTimer;
let left = false;

/** @param {MessageEvent<Job>} event */
self.onmessage = ({ data }) => {
  if (left) return;
  clearTimeout(idleTimer);
  serve(data);
  if (!left) idleTimer = setTimeout(leave, idleMilliseconds);
};

/** @param {Job} job */
function serve({ id, netns, open }) {
  try {
    post({ id, fd: visit(netns, open) });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    post({ id, failed: error.call, errno: error.errno });
  }
}

/** @type {(netns: number | undefined, opening: Opening) => number} */
function visit(netns, opening) {
  if (netns === undefined) call("unshare", libc.unshare(CLONE_NEWNET));
  else call("setns", libc.setns(netns, CLONE_NEWNET));
  try {
    return "path" in opening
      ? open(opening.path, opening.flags)
      : call("socket", libc.socket(opening.domain, opening.type, opening.protocol));
  } finally {
    // A thread that can't get home must not serve again: it would answer for the wrong namespace.
    if (libc.setns(home, CLONE_NEWNET) < 0) leave();
  }
}

/** @type {(path: string, flags: number) => number} */
function open(path, flags) {
  return call("open", libc.open(new TextEncoder().encode(`${path}\0`), flags | O_CLOEXEC, 0));
}

function leave() {
  left = true;
  libc.close(home);
  post({ leaving: true });
  self.close();
}

/** @param {Outcome} outcome */
function post(outcome) {
  self.postMessage(outcome);
}

/** @type {(name: string, result: number) => number} */
function call(name, result) {
  if (result >= 0) return result;
  const errno = new Int32Array(new ArrayBuffer(4));
  libc.memcpy(errno, libc.__errno_location(), 4n);
  throw new Refused(name, errno[0] ?? 0);
}

/** A system call refused; the thread stays usable. */
class Refused extends Error {
  /** @param {string} call @param {number} errno */
  constructor(call, errno) {
    super(call);
    this.call = call;
    this.errno = errno;
  }
}
