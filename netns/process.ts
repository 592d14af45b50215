/**
 * A user's program inside a namespace, as `Deno.Command` has it.
 *
 * @module
 */

import { F_SETFL, O_NONBLOCK, O_RDWR, POLLIN, POLLOUT } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { errnoOf } from "../ffi/errno.ts";
import { check, InputError, kernelError } from "../ffi/errors.ts";
import { endWaits, ready } from "../ffi/poll.ts";
import {
  environment,
  fcntl,
  open,
  pidfdOpen,
  pidfdSendSignal,
  pipe,
  readSome,
  reap,
  writeSome,
} from "../ffi/system.ts";
import { refusedCall } from "./capability.ts";
import type { Program, Started } from "./messages.ts";
import { type Hiring, type Place, withResident } from "./residents.ts";
import { signalName, signalNumber } from "./signals.ts";

/** How a program is started: the options of `Deno.Command`, without those of other systems. */
export interface SpawnOptions {
  /**
   * Its arguments.
   * @default {[]}
   */
  args?: readonly string[];
  /**
   * The directory it starts in, an absolute path.
   * @default {the process's own}
   */
  cwd?: string;
  /**
   * Variables of its environment, beside those of this process.
   * @default {{}}
   */
  env?: Readonly<Record<string, string>>;
  /**
   * Whether its environment has nothing but `env`.
   * @default {false}
   */
  clearEnv?: boolean;
  /**
   * Its standard input: "piped" from {@linkcode NetnsProcess.stdin}, this process's own, or nothing.
   * @default {"inherit"}
   */
  stdin?: "piped" | "inherit" | "null";
  /**
   * Its standard output: "piped" to {@linkcode NetnsProcess.stdout}, this process's own, or nowhere.
   * @default {"inherit"}
   */
  stdout?: "piped" | "inherit" | "null";
  /**
   * Its standard error, likewise.
   * @default {"inherit"}
   */
  stderr?: "piped" | "inherit" | "null";
  /**
   * Whether no signals of a terminal reach it (setsid(2)).
   * @default {false}
   */
  detached?: boolean;
  /** Ends it with SIGTERM. */
  signal?: AbortSignal;
}

/** What a program said and how it ended. */
export interface ProcessOutput extends Deno.CommandStatus {
  /** What it wrote to standard output; empty unless that was "piped". */
  readonly stdout: Uint8Array<ArrayBuffer>;
  /** What it wrote to standard error; empty unless that was "piped". */
  readonly stderr: Uint8Array<ArrayBuffer>;
}

const NAMES = ["stdin", "stdout", "stderr"] as const;
const CHUNK = 64 * 1024;
const EAGAIN = errnoOf("EAGAIN");

/**
 * A program that runs inside a namespace; {@linkcode Netns.spawn} starts it.
 *
 * `await using` ends it with SIGTERM, unless it has ended, and waits for that. This process stays until
 * it ends.
 */
export class NetnsProcess implements AsyncDisposable {
  /** The number of the process. */
  readonly pid: number;
  /** How it ended, once it has: its exit status, 128 and its number for a signal. */
  readonly status: Promise<Deno.CommandStatus>;
  readonly #what: string;
  readonly #pidfd: Descriptor;
  readonly #streams: Streams;

  /** Takes over a child that runs. */
  constructor(what: string, pid: number, streams: Streams, signal: AbortSignal | undefined) {
    this.#what = what;
    this.pid = pid;
    this.#streams = streams;
    // It can't have been reaped, so the number is still its own.
    this.#pidfd = new Descriptor(check(`watch ${what}`, pidfdOpen(pid)));
    const abort = () => this.kill();
    signal?.addEventListener("abort", abort);
    this.status = this.#end().finally(() => signal?.removeEventListener("abort", abort));
  }

  /** Its standard input; closing it is the end of the file. `InputError` unless it is "piped". */
  get stdin(): WritableStream<Uint8Array<ArrayBuffer>> {
    return this.#streams.stdin ?? this.#notPiped("stdin");
  }

  /** Its standard output. `InputError` unless it is "piped". */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#streams.stdout ?? this.#notPiped("stdout");
  }

  /** Its standard error. `InputError` unless it is "piped". */
  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#streams.stderr ?? this.#notPiped("stderr");
  }

  /** Sends it a signal; nothing happens when it has ended. */
  kill(signal: Deno.Signal = "SIGTERM"): void {
    const number = signalNumber(signal);
    if (this.#pidfd.closed) return;
    const sent = pidfdSendSignal(this.#pidfd.fd, number);
    if (sent !== -errnoOf("ESRCH")) {
      check(`send ${signal} to ${this.#what}`, sent, { capability: "CAP_KILL" });
    }
  }

  /** Waits until it ends, and gathers what it says on those of its outputs that are "piped". */
  async output(): Promise<ProcessOutput> {
    const [status, stdout, stderr] = await Promise.all([
      this.status,
      gather(this.#streams.stdout),
      gather(this.#streams.stderr),
    ]);
    return { ...status, stdout, stderr };
  }

  /** Ends it with SIGTERM, unless it has ended, and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.status;
  }

  async #end(): Promise<Deno.CommandStatus> {
    using pidfd = this.#pidfd;
    for (;;) {
      await ready(pidfd.fd, POLLIN);
      const ended = reap(pidfd.fd);
      if (ended === undefined) continue;
      if (typeof ended === "number") throw kernelError(`wait for ${this.#what}`, -ended);
      const { status, killed } = ended;
      return killed
        ? { success: false, code: 128 + status, signal: signalName(status) }
        : { success: status === 0, code: status, signal: null };
    }
  }

  #notPiped(name: string): never {
    throw new InputError(`Cannot use ${name} of ${this.#what}: it is not "piped"`);
  }
}

/** Those of a program's standard streams that are "piped". */
export interface Streams {
  /** What is written here, the program reads. */
  stdin?: WritableStream<Uint8Array<ArrayBuffer>>;
  /** What the program writes. */
  stdout?: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What it writes to standard error. */
  stderr?: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Starts a program in a place; see {@linkcode Netns.spawn}. */
export async function spawn(
  what: string,
  place: Place,
  file: string,
  options: SpawnOptions,
  host: Hiring["host"],
): Promise<NetnsProcess> {
  const { signal } = options;
  const operation = `run ${what}`;
  const program = programOf(operation, file, options);
  using theirs = new DisposableStack();
  using ours = new DisposableStack();
  const streams: Streams = {};
  const descriptors = NAMES.map((name, number) => {
    const how = options[name] ?? "inherit";
    if (how === "inherit") return number;
    const opened = how === "null"
      ? new Descriptor(check(operation, open("/dev/null", O_RDWR)))
      : openPipe(operation, name, streams, ours);
    return theirs.use(opened).fd;
  });
  const pid = await order(operation, place, { ...program, descriptors }, { signal, host });
  ours.move();
  return new NetnsProcess(what, pid, streams, signal);
}

/** Turns this process into a program in a place; see {@linkcode Netns.exec}. */
export async function become(
  what: string,
  place: Place,
  file: string,
  options: Pick<SpawnOptions, "args" | "env" | "clearEnv">,
): Promise<never> {
  const operation = `run ${what}`;
  const program = programOf(operation, file, options);
  return await order(operation, place, { ...program, become: true }, { fresh: true }) as never;
}

/** The last program of each place that is being started. */
const lastStart = new Map<bigint, Promise<unknown>>();

/** Programs are started one after the other in a place: that takes less time than a thread for each. */
async function order(
  operation: string,
  place: Place,
  program: Program,
  hiring: Hiring,
): Promise<number> {
  const before = lastStart.get(place.id);
  const started = (before ?? Promise.resolve()).then(() =>
    start(operation, place, program, hiring)
  );
  const settled = started.then(() => {}, () => {});
  lastStart.set(place.id, settled);
  try {
    return await started;
  } finally {
    if (lastStart.get(place.id) === settled) lastStart.delete(place.id);
  }
}

async function start(
  operation: string,
  place: Place,
  program: Program,
  hiring: Hiring,
): Promise<number> {
  return await withResident(operation, place, hiring, async (resident) => {
    const { unfurnished } = resident;
    const started = unfurnished ?? await resident.ask<Started>(program);
    if ("pid" in started) return started.pid;
    const { failed, errno } = started;
    const remedy = unfurnished === undefined ? remedyFor(program, errno) : undefined;
    if (remedy === undefined) throw refusedCall(operation, failed, errno);
    throw kernelError(operation, errno, { remedy });
  });
}

/** Why a program can't be started, where that is the program's fault. */
function remedyFor({ file, cwd }: Program, errno: number): string | undefined {
  if (errno === errnoOf("ENOENT")) {
    const directory = cwd === undefined ? "" : `, or no directory ${cwd}`;
    return `there is no such program${directory}`;
  }
  if (errno === errnoOf("EACCES")) {
    const directory = cwd === undefined ? "" : `, or may not enter ${cwd}`;
    // exec(3) says so of a folder of PATH that is closed, too, where it found the program nowhere else.
    return file.includes("/")
      ? `this process may not execute the file${directory}; see its mode`
      : `PATH leads to no such program that this process may execute${directory}`;
  }
}

function programOf(operation: string, file: string, options: SpawnOptions): Program {
  const { args = [], cwd, env = {}, clearEnv = false, detached = false } = options;
  const refuse = (problem: string) => {
    throw new InputError(`Cannot ${operation}: ${problem}`);
  };
  if (file === "") refuse("a program's name has at least one character");
  for (const text of [file, ...args, cwd ?? "", ...Object.entries(env).flat()]) {
    if (text.includes("\0")) refuse(`${JSON.stringify(text)} contains a NUL`);
  }
  if (cwd !== undefined && !cwd.startsWith("/")) refuse(`the directory ${cwd} starts with no "/"`);
  const names = Object.keys(env);
  if (names.some((name) => name === "" || name.includes("="))) {
    refuse('the name of a variable is not empty and has no "="');
  }
  const inherited = clearEnv
    ? []
    : environment().filter((entry) => !names.includes(entry.replace(/=[^]*/, "")));
  return {
    file,
    args,
    env: [...inherited, ...names.map((name) => `${name}=${env[name]}`)],
    cwd,
    descriptors: [0, 1, 2],
    newSession: detached,
    become: false,
  };
}

/** A pipe with our end as a stream; their end is returned. */
function openPipe(
  operation: string,
  name: typeof NAMES[number],
  streams: Streams,
  ours: DisposableStack,
): Descriptor {
  const ends = pipe();
  if (typeof ends === "number") throw kernelError(operation, -ends);
  const [read, write] = ends.map((fd) => new Descriptor(fd)) as [Descriptor, Descriptor];
  const [own, other] = name === "stdin" ? [write, read] : [read, write];
  ours.use(own);
  // Only our end: the other may be a terminal's, or be read by a program that does not expect it.
  check(operation, fcntl(own.fd, F_SETFL, O_NONBLOCK));
  if (name === "stdin") streams.stdin = writable(operation, own);
  else streams[name] = readable(operation, own);
  return other;
}

function readable(operation: string, end: Descriptor): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      for (;;) {
        if (end.closed) return;
        const bytes = readSome(end.fd, CHUNK);
        if (bytes === -EAGAIN) await ready(end.fd, POLLIN);
        else if (typeof bytes === "number") {
          closeEnd(end);
          throw kernelError(operation, -bytes);
        } else if (bytes.length > 0) return controller.enqueue(bytes);
        else {
          closeEnd(end);
          return controller.close();
        }
      }
    },
    cancel: () => closeEnd(end),
  }, { highWaterMark: 0 });
}

function writable(operation: string, end: Descriptor): WritableStream<Uint8Array<ArrayBuffer>> {
  return new WritableStream({
    async write(chunk) {
      for (let rest = chunk; rest.length > 0;) {
        const written = writeSome(end.fd, rest);
        if (written === -EAGAIN) await ready(end.fd, POLLOUT);
        else rest = rest.subarray(check(`write to the standard input: ${operation}`, written));
      }
    },
    close: () => closeEnd(end),
    abort: () => closeEnd(end),
  });
}

function closeEnd(end: Descriptor): void {
  if (end.closed) return;
  endWaits(end.fd);
  end.close();
}

async function gather(
  stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks = stream === undefined ? [] : await Array.fromAsync(stream);
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
