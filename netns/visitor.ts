/**
 * The visiting thread, seen from the others: what it shall do where.
 *
 * @module
 */

import { Descriptor } from "../ffi/descriptor.ts";
import { VISITOR_SYMBOLS } from "../ffi/symbols.ts";
import { refusedCall } from "./capability.ts";
import source from "./visitor_worker.js" with { type: "text" };
import type { Errand, Job, Outcome } from "./messages.ts";
import { keepAlive, startWorker } from "./worker.ts";

/** What a visit gives: a descriptor's number, or settings by their path. */
type Value = number | Record<string, string>;

interface Waiting {
  operation: string;
  job: Job;
  resolve(value: Value): void;
  reject(error: unknown): void;
}

/** The thread while there is one: started on first use, ends by itself when idle. */
let thread: Worker | undefined;
let lastId = 0;
const waiting = new Map<number, Waiting>();
/** Jobs that go together in one message: it costs more than a visit. */
let unsent: Job[] = [];

/** Opens something in a namespace (`undefined`: a new one); the descriptor is the caller's. */
export async function openThere(
  operation: string,
  netns: number | undefined,
  opening: Exclude<Errand, { sysctls: string }>,
): Promise<Descriptor> {
  return new Descriptor(await visit(operation, netns, opening) as number);
}

/** All settings below a directory of /proc/sys, by their path, as a namespace has them. */
export async function readSysctlsThere(
  operation: string,
  netns: number,
  directory: string,
): Promise<Record<string, string>> {
  return await visit(operation, netns, { sysctls: directory }) as Record<string, string>;
}

/** Sends the thread on an errand; errands are run in the order in which they were given. */
function visit(operation: string, netns: number | undefined, errand: Errand): Promise<Value> {
  const job: Job = { id: ++lastId, netns, errand };
  return new Promise((resolve, reject) => {
    thread ??= start();
    // Only an unanswered job keeps the process alive, never the thread itself.
    if (waiting.size === 0) keepAlive(thread, true);
    waiting.set(job.id, { operation, job, resolve, reject });
    if (unsent.push(job) === 1) queueMicrotask(send);
  });
}

function send(): void {
  if (unsent.length > 0) thread?.postMessage(unsent);
  unsent = [];
}

function start(): Worker {
  const worker = startWorker("netns visitor", source, { symbols: VISITOR_SYMBOLS });
  worker.onmessage = ({ data }: MessageEvent<Outcome[]>) => {
    for (const outcome of data) take(worker, outcome);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    abandon(worker, event.message);
  };
  keepAlive(worker, false);
  return worker;
}

function take(worker: Worker, outcome: Outcome): void {
  if ("leaving" in outcome) return replace(worker);
  const job = waiting.get(outcome.id);
  if (job === undefined) return;
  waiting.delete(outcome.id);
  if (waiting.size === 0) keepAlive(worker, false);
  if ("value" in outcome) job.resolve(outcome.value);
  else job.reject(refusedCall(job.operation, outcome.failed, outcome.errno));
}

/** Jobs that crossed with the thread's farewell go to a new one. */
function replace(worker: Worker): void {
  if (thread === worker) thread = undefined;
  if (waiting.size === 0) return;
  thread = start();
  keepAlive(thread, true);
  unsent = [...waiting.values()].map(({ job }) => job);
  send();
}

function abandon(worker: Worker, message: string): void {
  if (thread === worker) thread = undefined;
  worker.terminate();
  for (const { operation, reject } of waiting.values()) {
    reject(
      new Error(
        `Cannot ${operation}: the thread that visits namespaces ended: ${message}`,
      ),
    );
  }
  waiting.clear();
  unsent = [];
}
