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

/** Those of this process that want the lock of a namespace, one behind the other. */
const queues = new Map<bigint, Promise<unknown>>();

/** Runs `fn` while nobody else changes what is attached to a host. */
export async function withHostLock<T>(
  operation: string,
  host: Netns,
  fn: () => Promise<T>,
): Promise<T> {
  const before = queues.get(host.id) ?? Promise.resolve();
  const turn = before.then(async () => {
    // A descriptor of its own: the lock is that of the open file, not of the process.
    using file = Descriptor.open(`/proc/thread-self/fd/${host.fd}`);
    await acquire(operation, file.fd);
    return await fn();
  });
  const settled = turn.then(() => {}, () => {});
  queues.set(host.id, settled);
  try {
    return await turn;
  } finally {
    if (queues.get(host.id) === settled) queues.delete(host.id);
  }
}

/** Asks again and again instead of waiting in the kernel: a thread that waits there can't be ended. */
async function acquire(operation: string, fd: number): Promise<void> {
  const EAGAIN = errnoOf("EAGAIN");
  for (const end = performance.now() + PATIENCE_MILLISECONDS; performance.now() < end;) {
    const taken = tryLock(fd, LOCK_EX | LOCK_NB);
    if (taken !== -EAGAIN) return void check(operation, taken);
    await new Promise((resolve) => setTimeout(resolve, 1 + 3 * Math.random()));
  }
  throw new NetlinkError(operation, EAGAIN, {
    kernelMessage: describeErrno(EAGAIN)[1],
    remedy: `another process has been changing this host's attachments for ${
      PATIENCE_MILLISECONDS / 1000
    } seconds; see which one has stopped`,
  });
}
