/**
 * One at a time: whoever changes what is attached to a host has its lock, in this process and in all
 * others. It lies on the host's network namespace itself (flock(2)), so it needs no file, and goes with a
 * process that is killed.
 *
 * @module
 */

import { LOCK_EX, LOCK_NB } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { describeErrno, errnoOf } from "../ffi/errno.ts";
import { check, NetlinkError } from "../ffi/errors.ts";
import { tryLock } from "../ffi/system.ts";
import type { Netns } from "../netns/netns.ts";

/** How long another process may have the lock, which it needs for some milliseconds. */
const PATIENCE_MILLISECONDS = 60_000;

/** Work that waits for a lock or has it, and those it is done for. */
interface Turn<Part, Answer> {
  work(parts: readonly Part[]): Promise<Answer[]>;
  parts: Part[];
  begun: boolean;
  /** One for each part; `undefined` when another process did not let the lock go. */
  answers: Promise<Answer[] | undefined>;
}

/** Of each namespace whose lock is wanted in this process, the last turn. */
// deno-lint-ignore no-explicit-any
const queues = new Map<bigint, Turn<any, any>>();

/** Runs `fn` while nobody else changes what is attached to a host. */
export async function withHostLock<T>(
  operation: string,
  host: Netns,
  fn: () => Promise<T>,
): Promise<T> {
  return await shareHostLock(operation, host, undefined, async () => [await fn()]);
}

/**
 * The same for work that is as fast for many as for one: those that are next to each other in the queue
 * have it done together, by one call with the part of each, in their order; it answers each in its place.
 */
export async function shareHostLock<Part, Answer>(
  operation: string,
  host: Netns,
  part: Part,
  work: (parts: readonly Part[]) => Promise<Answer[]>,
): Promise<Answer> {
  const last: Turn<Part, Answer> | undefined = queues.get(host.id);
  const turn = last?.work === work && !last.begun ? last : queueUp(host, work, last);
  const at = turn.parts.push(part) - 1;
  queues.set(host.id, turn);
  try {
    const answers = await turn.answers;
    if (answers === undefined) throw lockedOut(operation);
    return answers[at]!;
  } finally {
    if (queues.get(host.id) === turn) queues.delete(host.id);
  }
}

function queueUp<Part, Answer>(
  host: Netns,
  work: Turn<Part, Answer>["work"],
  before: Turn<unknown, unknown> | undefined,
): Turn<Part, Answer> {
  const run = async () => {
    await Promise.allSettled([before?.answers]);
    // A descriptor of its own: the lock is that of the open file, not of the process.
    using file = Descriptor.open(`/proc/thread-self/fd/${host.fd}`);
    const taken = await acquire(file.fd);
    turn.begun = true;
    return taken ? await work(turn.parts) : undefined;
  };
  const turn: Turn<Part, Answer> = { work, parts: [], begun: false, answers: run() };
  return turn;
}

/**
 * Asks again and again instead of waiting in the kernel: a thread that waits there can't be ended. False
 * when it took too long.
 */
async function acquire(fd: number): Promise<boolean> {
  const EAGAIN = errnoOf("EAGAIN");
  for (const end = performance.now() + PATIENCE_MILLISECONDS; performance.now() < end;) {
    const taken = tryLock(fd, LOCK_EX | LOCK_NB);
    if (taken !== -EAGAIN) return check("lock the network namespace", taken) >= 0;
    await new Promise((resolve) => setTimeout(resolve, 1 + 3 * Math.random()));
  }
  return false;
}

function lockedOut(operation: string): NetlinkError {
  const EAGAIN = errnoOf("EAGAIN");
  return new NetlinkError(operation, EAGAIN, {
    kernelMessage: describeErrno(EAGAIN)[1],
    remedy: `another process has been changing this host's attachments for ${
      PATIENCE_MILLISECONDS / 1000
    } seconds; see which one has stopped`,
  });
}
