/**
 * The thread that visits namespaces. What it opens in one belongs there for good, whichever thread uses
 * it later; the thread itself goes home after each visit.
 *
 * It runs from its source text, so it imports nothing at run time.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import type { Birth } from "./worker.ts";

/** A job: where to go, and what to open there. */
export interface Job {
  id: number;
  /** A descriptor of the namespace to visit; `undefined`: a new one, made for the purpose. */
  netns: number | undefined;
  open: Opening;
}

/** What can be opened in a namespace: the arguments of socket(2), or those of open(2). */
export type Opening =
  | { domain: number; type: number; protocol: number }
  | { path: string; flags: number };

/** How a job went: the descriptor, or which call failed and why. */
export type Outcome =
  | { id: number; fd: number }
  | { id: number; failed: string; errno: number }
  /** The thread ends; jobs it has not answered go to its successor. */
  | { leaving: true };

const CLONE_NEWNET = 0x40000000;
const O_CLOEXEC = 0o2000000;

/** A system call refused; the thread stays usable. */
class Refused extends Error {
  constructor(readonly call: string, readonly errno: number) {
    super(call);
  }
}

const { library, symbols, value: idleMilliseconds }: Birth = JSON.parse(
  self.name,
);
const libc = Deno.dlopen(library, symbols).symbols;
const home = open("/proc/thread-self/ns/net", 0);
let idleTimer: ReturnType<typeof setTimeout> | undefined;
let left = false;

self.onmessage = ({ data }: MessageEvent<Job>) => {
  if (left) return;
  clearTimeout(idleTimer);
  serve(data);
  if (!left) idleTimer = setTimeout(leave, idleMilliseconds);
};

function serve({ id, netns, open }: Job): void {
  try {
    post({ id, fd: visit(netns, open) });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    post({ id, failed: error.call, errno: error.errno });
  }
}

function visit(netns: number | undefined, opening: Opening): number {
  if (netns === undefined) call("unshare", libc.unshare(CLONE_NEWNET));
  else call("setns", libc.setns(netns, CLONE_NEWNET));
  try {
    return "path" in opening ? open(opening.path, opening.flags) : call(
      "socket",
      libc.socket(opening.domain, opening.type, opening.protocol),
    );
  } finally {
    // A thread that can't get home must not serve again: it would answer for the wrong namespace.
    if (libc.setns(home, CLONE_NEWNET) < 0) leave();
  }
}

function open(path: string, flags: number): number {
  return call(
    "open",
    libc.open(new TextEncoder().encode(`${path}\0`), flags | O_CLOEXEC, 0),
  );
}

function leave(): void {
  left = true;
  libc.close(home);
  post({ leaving: true });
  self.close();
}

function post(outcome: Outcome): void {
  self.postMessage(outcome);
}

function call(name: string, result: number): number {
  if (result >= 0) return result;
  const errno = new Int32Array(new ArrayBuffer(4));
  libc.memcpy(errno, libc.__errno_location(), 4n);
  throw new Refused(name, errno[0]!);
}
