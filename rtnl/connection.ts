/**
 * Requests out, answers in: one netlink socket, any number of requests.
 *
 * @module
 */

import type { Descriptor } from "../ffi/descriptor.ts";
import { errnoOf } from "../ffi/errno.ts";
import { check, InputError, kernelError, NetlinkError } from "../ffi/errors.ts";
import { NetlinkSocket } from "../ffi/netlink_socket.ts";
import { unlessAborted } from "./abort.ts";
import { Buffer, input } from "./codec/buffer.ts";
import { untypedCodec } from "./codec/compile.ts";
import type { Codec, Input } from "./codec/shape.ts";
import { readError } from "./extended_ack.ts";
import { eachFrame, type Frame, frame, framedSize, type Request } from "./request.ts";

// linux/netlink.h
const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_MULTI = 0x2;
const NLM_F_DUMP_INTR = 0x10;

/** What the answer to a refused request takes at most in a receive buffer: those of a whole batch fit. */
const ANSWER_BYTES = 3328;
/** So many bytes fit a send buffer. */
const BATCH_BYTES = 48 * 1024;
// A list counts as so many: its answer comes in pieces of up to 32 KiB.
const DUMP_WEIGHT = 16;
const DUMP_ATTEMPTS = 8;
const EBUSY = errnoOf("EBUSY");
/** A list of no more entries is whole before the first is handed out. */
const WHOLE_ENTRIES = 1000;
/** How long the kernel may take for an answer, although it answers before `sendmsg` returns. */
const ANSWER_MILLISECONDS = 10_000;

/** The carrier of a connection's bytes: a netlink socket, or what a test puts in its place. */
export interface Transport extends Disposable {
  /** Bytes of answers that it holds until they are received. */
  readonly room: number;
  /** Sends without holding up the event loop; minus an errno when refused. */
  send(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Sends on this thread. */
  sendSync(bytes: Uint8Array<ArrayBuffer>): number;
  /** One datagram, good until the next call; `undefined` when none is queued, minus an errno when some were lost. */
  receive(): Uint8Array<ArrayBuffer> | undefined | number;
  /** Whether something is queued before the time is over. */
  wait(milliseconds: number): Promise<boolean>;
  /** The same on this thread. */
  waitSync(milliseconds: number): boolean;
  /** Another one in the same namespace, for a monitor. */
  another(): Promise<EventTransport>;
  /** A socket of another family in the same namespace (socket(2)). */
  openSocket(domain: number, type: number, protocol: number): Promise<Descriptor>;
  /** Closes it. */
  close(): void;
}

/** The carrier of a monitor's events: it hears of what others do. */
export interface EventTransport extends Omit<Transport, "another" | "openSocket"> {
  /** Joins multicast groups (RTNLGRP_*); with `all`, also those of the namespaces that have a number here. */
  listen(groups: readonly number[], options: { all: boolean; receiveBuffer: number }): void;
  /** The number of the namespace that the last datagram came from; `undefined` for the socket's own. */
  readonly nsid: number | undefined;
  /** Ends a `wait` at once. */
  wake(): void;
}

/** How to wait for an answer. */
export interface RequestOptions {
  /**
   * Ends the waiting with the signal's reason. What was sent may be carried out nonetheless.
   * @default {undefined}
   */
  signal?: AbortSignal | undefined;
}

/** How a batch is sent, and how it goes on after an error. */
export interface BatchOptions extends RequestOptions {
  /**
   * Stop at the first error: what comes after it is not sent.
   * @default {false}
   */
  stopOnError?: boolean;
}

/** What a list of requests resolves to: for each its answer, or the error in its place. */
export type Results<Requests> = {
  -readonly [I in keyof Requests]: Requests[I] extends Request<infer Answer> ? Answer | NetlinkError
    : never;
};

/** The same for whatever is iterated. */
export type BatchResults<Requests> = Requests extends readonly unknown[] ? Results<Requests>
  : Requests extends Iterable<Request<infer Answer>> ? (Answer | NetlinkError)[]
  : never;

/** The table changed while the kernel was listing it, more often than was worth trying again. */
export class InterruptedDumpError extends NetlinkError {
  /** The class's name. */
  override name = "InterruptedDumpError";
  /** What the last attempt read: entries may be missing or stand there twice. */
  readonly partial: unknown;

  /** Builds the error from what was asked and what was read. */
  constructor(operation: string, partial: unknown) {
    super(operation, errnoOf("EINTR"), {
      kernelMessage: `the table changed during each of ${DUMP_ATTEMPTS} attempts`,
      remedy: "try again, or use the partial list on this error",
    });
    this.partial = partial;
  }
}

/** A request that was sent and what has come back for it so far. */
interface Pending {
  readonly request: Request<unknown>;
  readonly sequence: number;
  readonly codec: Codec<unknown>;
  readonly messages: unknown[];
  error?: NetlinkError;
  /** The errno by which the kernel says that answers were lost, perhaps this one's. */
  lost?: number;
  /** It is a list during which the table changed, or for which the kernel was not through with another. */
  interrupted: boolean;
  done: boolean;
  /** Nobody waits for the rest of a list. */
  unwanted?: boolean;
  /** Ends the keeping of its number, where it is a list that is read bit by bit. */
  forget?: () => void;
}

/** The messages before and after the changes of a transaction, which the kernel then makes as one. */
export interface Bracket {
  /** Before them; its error is that of all. */
  readonly begin: Request<void>;
  /** Behind them. */
  readonly end: Request<void>;
}

/** A connection to the netlink of one namespace; the namespace stays alive while it is open. */
export class Connection implements Disposable {
  readonly #socket: Transport;
  /** Requests that one system call may carry. */
  readonly #most: number;
  /** Those of each system call that are not answered yet, numbered one after the other. */
  readonly #open: (readonly Pending[])[] = [];
  /** The list that is being read bit by bit; the kernel answers one at a time. */
  #streaming: Pending | undefined;
  #sequence = 0;
  #underWay = 0;
  #closing = false;

  /** A connection over a socket that it then owns. */
  constructor(socket: Transport) {
    this.#socket = socket;
    this.#most = Math.floor(socket.room / ANSWER_BYTES);
  }

  /** A connection in the namespace of the calling thread, to rtnetlink unless another protocol is said. */
  static open(protocol?: number): Connection {
    return new Connection(NetlinkSocket.open(protocol));
  }

  /** Sends a request; a change does not hold up the event loop, a read is answered at once. */
  async request<Answer>(
    request: Request<Answer>,
    { signal }: RequestOptions = {},
  ): Promise<Answer> {
    signal?.throwIfAborted();
    return unwrap<Answer>(await this.#carryOut([request], signal));
  }

  /**
   * The entries of a list, as the kernel's answer comes in: at most some hundred are held at a time. What
   * makes the request may stand in its place; what it refuses ends the first step.
   *
   * A list of up to 1,000 entries is whole, as one that `request` answers with. A longer one that
   * changes while it is read ends with an {@linkcode InterruptedDumpError}, because what was handed out
   * can't be taken back.
   */
  async *stream<Entry>(
    asked: Request<Entry[]> | (() => Request<Entry[]>),
    { signal }: RequestOptions = {},
  ): AsyncGenerator<Entry, void, void> {
    const request = typeof asked === "function" ? asked() : asked;
    let dump = this.#startDump(request);
    try {
      for (let attempt = 1; attempt < DUMP_ATTEMPTS; attempt++) {
        await this.#fill(dump, WHOLE_ENTRIES);
        if (!dump.interrupted) break;
        this.#finish(dump);
        dump = this.#startDump(request);
      }
      for (;;) {
        signal?.throwIfAborted();
        await this.#fill(dump, 1);
        if (dump.error !== undefined) throw dump.error;
        if (dump.messages.length === 0) break;
        for (const entry of request.read(dump.messages.splice(0))) yield entry;
      }
      if (dump.interrupted) throw new InterruptedDumpError(request.operation, []);
    } finally {
      dump.unwanted = true;
    }
  }

  /** The same on this thread: returns with the answer. */
  requestSync<Answer>(request: Request<Answer>): Answer {
    return unwrap<Answer>(this.#carryOutSync([request]));
  }

  /**
   * Sends many requests in as few `sendmsg` calls as fit; a result or an error for each, in order. What is
   * iterated is asked for the next ones while the kernel is at those before; when it throws, the batch
   * rejects with that as soon as those are done.
   */
  async batch<const Requests extends Iterable<Request<unknown>>>(
    requests: Requests,
    { stopOnError = false, signal }: BatchOptions = {},
  ): Promise<BatchResults<Requests>> {
    const results: unknown[] = [];
    let underWay: unknown[] | Promise<unknown[]> = [];
    try {
      for (const group of groups(requests, stopOnError ? 1 : this.#most)) {
        results.push(...await underWay);
        underWay = [];
        if (stopOnError && results.at(-1) instanceof NetlinkError) break;
        signal?.throwIfAborted();
        underWay = this.#carryOut(group, signal);
      }
      results.push(...await underWay);
    } finally {
      await Promise.allSettled([underWay]);
    }
    return results as BatchResults<Requests>;
  }

  /** The same on this thread. */
  batchSync<const Requests extends Iterable<Request<unknown>>>(
    requests: Requests,
    { stopOnError = false }: Omit<BatchOptions, "signal"> = {},
  ): BatchResults<Requests> {
    const results: unknown[] = [];
    for (const group of groups(requests, stopOnError ? 1 : this.#most)) {
      results.push(...this.#carryOutSync(group));
      if (stopOnError && results.at(-1) instanceof NetlinkError) break;
    }
    return results as BatchResults<Requests>;
  }

  /**
   * Sends changes in one `sendmsg`, within a bracket that has the kernel make all of them or none;
   * rejects with the error of the first one that it refused.
   */
  async transaction(
    bracket: Bracket,
    changes: readonly Request<void>[],
    { signal }: RequestOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    if (changes.length === 0) return;
    refuse(await unlessAborted(this.#exchange(bracketed(bracket, changes)), signal));
  }

  /** The same on this thread. */
  transactionSync(bracket: Bracket, changes: readonly Request<void>[]): void {
    if (changes.length === 0) return;
    refuse(this.#exchangeSync(bracketed(bracket, changes)));
  }

  /** A socket in the same namespace that can listen. */
  listener(): Promise<EventTransport> {
    this.#checkOpen();
    return this.#socket.another();
  }

  /** A socket of any family in the connection's namespace (socket(2)); the caller owns it. */
  openSocket(domain: number, type: number, protocol: number): Promise<Descriptor> {
    return this.#socket.openSocket(domain, type, protocol);
  }

  /** Closes the socket, after what is under way; again is no error. */
  close(): void {
    this.#closing = true;
    if (this.#underWay === 0) this.#socket.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** A group's results; only changes are worth leaving the thread for. */
  #carryOut(
    group: readonly Request<unknown>[],
    signal: AbortSignal | undefined,
  ): unknown[] | Promise<unknown[]> {
    if (!isChange(group[0]!)) return this.#carryOutSync(group);
    const changing = this.#exchange(groupOf(group)).then((changes) => changes.map(outcomeOf));
    return unlessAborted(changing, signal);
  }

  /** The same on this thread; lists that were interrupted are read anew. */
  #carryOutSync(group: readonly Request<unknown>[], attempts = DUMP_ATTEMPTS): unknown[] {
    const asked = this.#exchangeSync(groupOf(group));
    const again = asked.filter(({ interrupted }) => interrupted).map(({ request }) => request);
    if (again.length === 0 || attempts === 1) return asked.map(outcomeOf);
    // Where answers were lost, the kernel is through with a list when all of it was read.
    while (this.#receiveOne());
    // Together if some were answered, so that it comes to an end.
    const anew = again.length < group.length
      ? this.#carryOutSync(again, attempts)
      : again.flatMap((request) => this.#carryOutSync([request], attempts - 1));
    return asked.map((pending) => pending.interrupted ? anew.shift() : outcomeOf(pending));
  }

  async #exchange(group: Group): Promise<Pending[]> {
    const { bytes, pending, forget, release } = this.#prepare(group);
    try {
      check(group.operation, await this.#socket.send(bytes));
      while (!this.#receive(pending, group)) {
        if (!await this.#socket.wait(ANSWER_MILLISECONDS)) {
          throw silence(group.operation);
        }
      }
      return pending;
    } finally {
      forget();
      release();
    }
  }

  #exchangeSync(group: Group): Pending[] {
    if (group.requests.some(({ form }) => form === "dump")) this.#finish(this.#streaming);
    const { bytes, pending, forget, release } = this.#prepare(group);
    try {
      check(group.operation, this.#socket.sendSync(bytes));
      while (!this.#receive(pending, group)) {
        if (!this.#socket.waitSync(ANSWER_MILLISECONDS)) {
          throw silence(group.operation);
        }
      }
      return pending;
    } finally {
      forget();
      release();
    }
  }

  /** Asks for a list, and leaves its answer to be read bit by bit. */
  #startDump(request: Request<unknown>): Pending {
    this.#finish(this.#streaming);
    const { bytes, pending, release, forget } = this.#prepare(groupOf([request]));
    release();
    const dump = this.#streaming = pending[0]!;
    dump.forget = forget;
    const sent = this.#socket.sendSync(bytes);
    if (sent < 0) {
      forget();
      dump.done = true;
    }
    check(request.operation, sent);
    return dump;
  }

  /** Reads on until a list has so many messages, or all. */
  async #fill(dump: Pending, messages: number): Promise<void> {
    while (!dump.done && dump.messages.length < messages) {
      this.#checkOpen();
      if (this.#receiveOne()) continue;
      if (!await this.#socket.wait(ANSWER_MILLISECONDS)) throw silence(dump.request.operation);
    }
    if (dump.done) dump.forget?.();
  }

  /** Reads the rest of a list that somebody else wants the kernel's attention for. */
  #finish(dump: Pending | undefined): void {
    while (dump !== undefined && !dump.done) {
      if (this.#receiveOne()) continue;
      if (!this.#socket.waitSync(ANSWER_MILLISECONDS)) throw silence(dump.request.operation);
    }
    dump?.forget?.();
    if (this.#streaming === dump) this.#streaming = undefined;
  }

  #checkOpen(): void {
    if (this.#closing) throw new InputError("Cannot use a connection that is closed");
  }

  /** Frames the requests. Only the last change asks for an ACK: they are carried out in order, and errors come unasked. */
  #prepare({ requests, last }: Group) {
    this.#checkOpen();
    this.#underWay++;
    const output = new Buffer(requests.reduce((sum, { body }) => sum + framedSize(body), 0));
    if (this.#sequence > 0xffffffff - requests.length) this.#sequence = 0;
    const pending = requests.map((request, index): Pending => {
      const sequence = ++this.#sequence;
      frame(output, request, sequence, index === last && request.form === "ack");
      const codec = untypedCodec(request.shape);
      return { request, sequence, codec, messages: [], interrupted: false, done: false };
    });
    // No Map: its old tables hold what was in them, and the last of them the next one, until all are collected.
    this.#open.push(pending);
    const forget = () => {
      const at = this.#open.indexOf(pending);
      if (at >= 0) this.#open.splice(at, 1);
    };
    const release = () => {
      if (--this.#underWay === 0 && this.#closing) this.#socket.close();
    };
    return { bytes: output.finish(), pending, forget, release };
  }

  #find(sequence: number): Pending | undefined {
    for (const group of this.#open) {
      const found = group[sequence - group[0]!.sequence];
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Takes what is queued until these requests are answered; false when the queue ends before. */
  #receive(wanted: readonly Pending[], { last, bracketed }: Group): boolean {
    // Of a bracket that is refused the first message is answered, and perhaps nothing inside it.
    const refused = bracketed ? wanted[0] : undefined;
    for (const [index, pending] of wanted.entries()) {
      if (index !== last && isChange(pending.request)) continue;
      while (!pending.done && !refused?.done) {
        if (!this.#receiveOne()) return false;
      }
    }
    // What came before others were lost is still queued.
    if (wanted.some(({ lost }) => lost !== undefined)) { while (this.#receiveOne()); }
    return true;
  }

  /** Takes one datagram; false when none is queued. */
  #receiveOne(): boolean {
    const received = this.#socket.receive();
    if (received === undefined) return false;
    if (typeof received === "number") this.#lost(-received);
    else this.#dispatch(input(received));
    return true;
  }

  #dispatch(datagram: Input): void {
    let pending: Pending | undefined;
    eachFrame(datagram, (frame) => {
      // The messages of a list have its number all.
      if (pending?.sequence !== frame.sequence) pending = this.#find(frame.sequence);
      if (pending !== undefined) accept(pending, datagram, frame);
    });
  }

  /** Answers were dropped: no one can tell whose, so every open request hears of it, and lists are read anew. */
  #lost(errno: number): void {
    for (const pending of this.#open.flat()) {
      if (pending.done) continue;
      pending.done = true;
      if (pending.request.form === "dump") pending.interrupted = true;
      else pending.lost = errno;
    }
  }
}

function accept(
  pending: Pending,
  datagram: Input,
  { type, flags, start, end }: Frame,
): void {
  const { request } = pending;
  if (flags & NLM_F_DUMP_INTR) pending.interrupted = true;
  if (type === NLMSG_NOOP) return;
  if (type === NLMSG_ERROR && request.form === "dump" && isBusy(datagram, start, end)) {
    pending.interrupted = pending.done = true;
    return;
  }
  if (type === NLMSG_ERROR || type === NLMSG_DONE) {
    const error = readError(
      request,
      datagram,
      flags,
      start,
      end,
      type === NLMSG_ERROR,
    );
    if (error) pending.error = error;
    pending.done = true;
    return;
  }
  if (pending.unwanted) return;
  const message = pending.codec.read(datagram, start, end);
  if (message === undefined) {
    pending.error = kernelError(request.operation, errnoOf("EBADMSG"));
  } else pending.messages.push(message);
  if (!(flags & NLM_F_MULTI)) pending.done = true;
}

/** Whether the kernel was at another list; to make an object of that error takes 20 microseconds. */
function isBusy({ view }: Input, start: number, end: number): boolean {
  return start + 4 <= end && view.getInt32(start, true) === -EBUSY;
}

function outcomeOf(
  { request, messages, error, lost, interrupted }: Pending,
): unknown {
  if (error !== undefined) return error;
  if (lost !== undefined) {
    return kernelError(request.operation, lost, {
      remedy: "its answer was lost, so look whether it was carried out",
    });
  }
  if (interrupted && request.form === "dump") {
    return new InterruptedDumpError(request.operation, request.read(messages));
  }
  if (request.form === "reply" && messages.length === 0) {
    return kernelError(request.operation, errnoOf("ENOMSG"));
  }
  return request.read(messages);
}

function unwrap<Answer>([outcome]: unknown[]): Answer {
  if (outcome instanceof NetlinkError) throw outcome;
  return outcome as Answer;
}

/** What one `sendmsg` carries. */
interface Group {
  readonly requests: readonly Request<unknown>[];
  /** What they are about, in an error of all of them. */
  readonly operation: string;
  /** The index of the one that is answered last. */
  readonly last: number;
  /** The first and the last of them make the others a transaction. */
  readonly bracketed: boolean;
}

function groupOf(requests: readonly Request<unknown>[]): Group {
  const operation = operationOf(requests);
  return { requests, operation, last: requests.length - 1, bracketed: false };
}

function bracketed({ begin, end }: Bracket, changes: readonly Request<void>[]): Group {
  const operation = operationOf(changes);
  const requests = [{ ...begin, operation }, ...changes, end];
  return { requests, operation, last: changes.length, bracketed: true };
}

/** Throws the first refusal; an answer that was lost only where there is none. */
function refuse(group: readonly Pending[]): void {
  const refused = group.find(({ error }) => error !== undefined) ??
    group.find(({ lost }) => lost !== undefined);
  if (refused !== undefined) unwrap([outcomeOf(refused)]);
}

function isChange(request: Request<unknown>): boolean {
  return request.form === "ack";
}

function operationOf(requests: readonly Request<unknown>[]): string {
  const first = requests[0]!.operation;
  return requests.length === 1 ? first : `${first}, and ${requests.length - 1} more`;
}

function silence(operation: string): NetlinkError {
  return kernelError(operation, errnoOf("ETIMEDOUT"), {
    remedy: `no answer came in ${ANSWER_MILLISECONDS / 1000} s, so look whether it was carried out`,
  });
}

/**
 * Requests in groups that one system call carries: reads or changes, not both. The kernel makes lists
 * one after the other, while it takes them, as long as each fits one answer; behind a longer one it
 * refuses them.
 */
function* groups(
  requests: Iterable<Request<unknown>>,
  most: number,
): Generator<Request<unknown>[]> {
  let group: Request<unknown>[] = [];
  let weight = 0;
  let bytes = 0;
  for (const request of requests) {
    const last = group.at(-1);
    const full = weight >= most || bytes > BATCH_BYTES;
    if (last !== undefined && (full || isChange(last) !== isChange(request))) {
      yield group;
      group = [];
      weight = bytes = 0;
    }
    group.push(request);
    weight += request.form === "dump" ? DUMP_WEIGHT : 1;
    bytes += request.body.length;
  }
  if (group.length > 0) yield group;
}
