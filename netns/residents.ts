/**
 * The threads that live in namespaces, seen from the others: started when one is needed, kept a while
 * for the next call, ended when nobody is to call again.
 *
 * @module
 */

import { PROGRAM_SYMBOLS, RESIDENT_SYMBOLS } from "../ffi/symbols.ts";
import { unlessAborted } from "../rtnl/abort.ts";
import { refusedCall } from "./capability.ts";
import type { Arrival, Order, Refusal, Told } from "./messages.ts";
import source from "./resident_worker.js" with { type: "text" };
import { keepAlive, startWorker } from "./worker.ts";

/** Where a resident lives. */
export interface Place {
  /** The number of the namespace; 0 where the process is. */
  readonly id: bigint;
  /** A descriptor of it, used until the resident is in; `undefined`: it stays where the process is. */
  readonly fd: number | undefined;
  /** Its name, whose files in /etc/netns/NAME are to be seen in /etc. */
  readonly name: string | undefined;
}

/** Where the process itself is. */
export const HERE: Place = { id: 0n, fd: undefined, name: undefined };

/** How a resident is hired. */
export interface Hiring {
  /** Ends the resident, and rejects. */
  signal?: AbortSignal | undefined;
  /** Whether it has to be a new one, which ends with the call. */
  fresh?: boolean | undefined;
  /** Who keeps the namespace open for further calls, and will `dismiss` the resident that waits for them. */
  host?: Host | undefined;
}

/** Something that keeps a namespace open. */
export interface Host {
  readonly closed: boolean;
}

const ARRIVAL_ATTEMPTS = 20;
/** How many wait at most, each with some 8 MB; the one that has waited longest makes room. */
const MOST_IDLE = 16;

/** Those that wait for a call, the last to come home first to leave again. */
const idle: Resident[] = [];

/**
 * Residents start a few at a time: each takes a processor for some 20 ms, or, where the library runs in a
 * worker itself, half a second of Deno's waiting.
 */
const arrivals: Promise<unknown>[] = Array.from({ length: 4 }, () => Promise.resolve());

/** Has a resident of the place do something: one that waits there, or else a new one. */
export async function withResident<T>(
  operation: string,
  place: Place,
  { signal, fresh, host }: Hiring,
  fn: (resident: Resident) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const resident = (fresh ? undefined : findIdle(place)) ??
    await settle(operation, place, signal);
  try {
    return await resident.work(() => fn(resident), signal);
  } finally {
    if (fresh) resident.end();
    else resident.rest(host);
  }
}

/** Ends those that wait in a namespace, because it shall go away, or those that wait for a host's calls. */
export function dismiss(whom: { id: bigint } | { host: Host }): void {
  for (const resident of [...idle]) {
    const meant = "id" in whom ? resident.id === whom.id : resident.isFor(whom.host);
    if (meant) resident.end();
  }
}

function findIdle({ id, name }: Place): Resident | undefined {
  return idle.findLast((resident) => resident.id === id && resident.name === name);
}

/** A new thread that is in the namespace for certain. */
async function settle(
  operation: string,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<Resident> {
  const before = arrivals.shift()!;
  const arrival = before.then(async () => {
    signal?.throwIfAborted();
    let stranger = "";
    for (let attempt = 0; attempt < ARRIVAL_ATTEMPTS; attempt++) {
      const resident = new Resident(operation, place);
      const arrived = await resident.arrival;
      if ("unfurnished" in arrived) {
        resident.unfurnished = arrived.unfurnished;
        // Nobody waits for it any more.
        if (signal?.aborted) resident.end();
        return resident;
      }
      resident.end();
      if ("errno" in arrived) throw refusedCall(operation, arrived.failed, arrived.errno);
      stranger = arrived.uncertain;
    }
    throw new Error(
      `Cannot ${operation}: at each of ${ARRIVAL_ATTEMPTS} attempts this process started another thread meanwhile, last ${stranger}; try again when it is less busy`,
    );
  });
  arrivals.push(arrival.catch(() => {}));
  return await unlessAborted(arrival, signal);
}

/** A thread that lives in a namespace. */
export class Resident {
  readonly id: bigint;
  readonly name: string | undefined;
  /** How its entry into the namespace went. */
  readonly arrival: Promise<Arrival>;
  /** Why it sees other devices in /sys and other files in /etc than it should, if it does. */
  unfurnished: Refusal | undefined;
  readonly #worker: Worker;
  #order = 0;
  #answer = Promise.withResolvers<unknown>();
  #host: WeakRef<Host> | undefined;
  #ended = false;

  constructor(operation: string, { id, fd, name }: Place) {
    this.id = id;
    this.name = name;
    this.#worker = startWorker(`netns ${id}`, source, {
      symbols: RESIDENT_SYMBOLS,
      home: { netns: fd, name, programSymbols: PROGRAM_SYMBOLS },
    });
    this.#worker.onmessage = ({ data }: MessageEvent<Told>) => this.#hear(data);
    // Unheeded, an error in it would end this program.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.end(new Error(`Cannot ${operation}: ${event.message}`));
    };
    this.arrival = this.#answer.promise as Promise<Arrival>;
  }

  /** Does a job with it; a signal ends it. */
  async work<T>(job: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const aborted = () => this.end(signal!.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", aborted);
    this.#leaveIdle();
    keepAlive(this.#worker, true);
    try {
      return await job();
    } finally {
      signal?.removeEventListener("abort", aborted);
      keepAlive(this.#worker, false);
    }
  }

  /** Posts an order and waits for the answer. */
  ask<Answer>(order: Order, transfer: Transferable[] = []): Promise<Answer> {
    this.#answer = Promise.withResolvers<unknown>();
    this.#worker.postMessage({ number: ++this.#order, order }, transfer);
    return this.#answer.promise as Promise<Answer>;
  }

  /** Waits for the next call. */
  rest(host: Host | undefined): void {
    if (this.#ended) return;
    if (host?.closed) return this.end();
    if (host !== undefined) this.#host = new WeakRef(host);
    idle.push(this);
    if (idle.length > MOST_IDLE) idle[0]!.end();
  }

  /** Whether it waits for the calls of this host. */
  isFor(host: Host): boolean {
    return this.#host?.deref() === host;
  }

  /** Ends the thread; whoever waits for an answer gets the reason. */
  end(reason?: unknown): void {
    this.#ended = true;
    this.#leaveIdle();
    this.#worker.terminate();
    this.#answer.reject(reason);
  }

  #hear(told: Told): void {
    if (told.number === this.#order) this.#answer.resolve(told.answer);
    // It has waited for a second.
    else if (told.number === -1 && idle.includes(this) && !this.#isKept()) this.end();
  }

  /** One waits for as long as its host keeps the namespace open; others would only cost memory. */
  #isKept(): boolean {
    const host = this.#host?.deref();
    return host !== undefined &&
      idle.find((other) => other.id === this.id && other.isFor(host)) === this;
  }

  #leaveIdle(): void {
    const at = idle.indexOf(this);
    if (at >= 0) idle.splice(at, 1);
  }
}
