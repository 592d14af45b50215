/**
 * Waiting for descriptors: poll(2) on one pool thread for all that an isolate waits for.
 *
 * @module
 */

import { EFD_CLOEXEC, EFD_NONBLOCK, POLLIN } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check } from "./errors.ts";
import { answer, libc } from "./libc.ts";

/** Descriptors to wait for on a thread of the caller's choice: struct pollfd each. */
interface Wait {
  fd: number;
  events: number;
  /** On the clock of `performance.now()`. */
  deadline: number;
  cancelled: boolean;
  resolve(seen: number): void;
}

const waits = new Set<Wait>();
/** Wakes the pool thread, so that it waits for what was added; there while it waits. */
let alarm: Descriptor | undefined;

/**
 * Waits until a descriptor is ready for one of the events (POLLIN, POLLOUT). Resolves to the events
 * seen, 0 when the time is over or the wait was ended.
 */
export function ready(fd: number, events: number, milliseconds = Infinity): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const deadline = performance.now() + milliseconds;
  waits.add({ fd, events, deadline, cancelled: false, resolve });
  if (alarm === undefined) watch();
  else ring();
  return promise;
}

/** The same on this thread: holds up the event loop. */
export function readySync(fd: number, events: number, milliseconds: number): boolean {
  return libc().poll(pollQuery([{ fd, events }]), 1n, milliseconds) > 0;
}

/** Ends all waits for a descriptor; call it before the descriptor is closed. */
export function endWaits(fd: number): void {
  for (const wait of waits) {
    if (wait.fd === fd) wait.cancelled = true;
  }
  ring();
}

async function watch(): Promise<void> {
  using bell = new Descriptor(
    check(
      "open an event descriptor",
      answer(libc().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
    ),
  );
  alarm = bell;
  while (waits.size > 0) {
    const round = [...waits];
    const query = pollQuery([{ fd: bell.fd, events: POLLIN }, ...round]);
    // The query is referred to below, so it is not collected while the pool thread uses it.
    await libc().pollAsync(query, BigInt(round.length + 1), millisecondsUntilNext(round));
    libc().read(bell.fd, new Uint8Array(8), 8n);
    const now = performance.now();
    for (const [index, wait] of round.entries()) {
      const seen = wait.cancelled ? 0 : eventsSeen(query, index + 1);
      if (seen === 0 && !wait.cancelled && wait.deadline > now) continue;
      waits.delete(wait);
      wait.resolve(seen);
    }
  }
  alarm = undefined;
}

function ring(): void {
  if (alarm !== undefined) {
    libc().write(alarm.fd, new Uint8Array(new BigUint64Array([1n]).buffer), 8n);
  }
}

/** For poll(2), which takes -1 for no end. */
function millisecondsUntilNext(round: readonly Wait[]): number {
  const next = Math.min(...round.map(({ deadline }) => deadline));
  if (next === Infinity || round.some(({ cancelled }) => cancelled)) {
    return next === Infinity ? -1 : 0;
  }
  return Math.min(Math.max(Math.ceil(next - performance.now()), 0), 0x7fffffff);
}

/** Each a struct pollfd: descriptor, events wanted, events seen. */
function pollQuery(
  entries: readonly { fd: number; events: number }[],
): Uint8Array<ArrayBuffer> {
  const query = new DataView(new ArrayBuffer(8 * entries.length));
  for (const [index, { fd, events }] of entries.entries()) {
    query.setInt32(8 * index, fd, true);
    query.setInt16(8 * index + 4, events, true);
  }
  return new Uint8Array(query.buffer);
}

function eventsSeen(query: Uint8Array<ArrayBuffer>, index: number): number {
  return new DataView(query.buffer).getUint16(8 * index + 6, true);
}
