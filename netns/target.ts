/**
 * How a namespace is said: by a process, a name, a file, a descriptor, a number.
 *
 * @module
 */

import { CLONE_NEWNET, NS_GET_NSTYPE, O_NONBLOCK, O_RDONLY } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { errnoOf } from "../ffi/errno.ts";
import { check, InputError, kernelError, NotFoundError } from "../ffi/errors.ts";
import { ioctl, open, pidfdOpen, pidfdSendSignal, readFile } from "../ffi/system.ts";
import { Connection } from "../rtnl/connection.ts";
import { netnsId } from "../rtnl/netns_id.ts";
import { deniedDetails } from "./capability.ts";
import { findHeld } from "./held.ts";
import { namedPath } from "./named.ts";
import type { Netns } from "./netns.ts";

/** A namespace by what is known of it: a process, a name under /run/netns, a file, a descriptor, a number. */
export type NetnsTarget =
  | Netns
  | {
    /** The process id of one that is in it. */
    pid: number;
    /**
     * When that process started ({@linkcode processStartTime}): a later process with the same id is
     * not taken for it.
     */
    startTime?: number;
  }
  | { /** Its name, as `ip netns` knows it. */ name: string }
  | { /** An absolute path to it, such as /proc/42/ns/net. */ path: string }
  | { /** A descriptor of it; it stays the caller's. */ fd: number }
  | {
    /** The number that the calling thread's namespace has for it (`ip netns list-id`). */ nsid:
      number;
  };

/** A target that is no `Netns` yet. */
export type Said = Exclude<NetnsTarget, Netns>;

/** A target in words: "network namespace blue", "the network namespace of process 42". */
export function describeTarget(target: NetnsTarget): string {
  if ("pid" in target) return `the network namespace of process ${target.pid}`;
  if ("path" in target) return `network namespace ${target.path}`;
  if ("nsid" in target && typeof target.nsid === "number") {
    return `network namespace id ${target.nsid}`;
  }
  if ("id" in target) return `network namespace number ${target.id}`;
  if ("name" in target) return `network namespace ${target.name}`;
  return `descriptor ${(target as { fd: number }).fd}`;
}

/** A descriptor of the namespace that is said; `InputError` when it is none. */
export function openTarget(target: Said): Descriptor {
  const descriptor = openSaid(target);
  if (isNetns(descriptor.fd)) return descriptor;
  descriptor.close();
  throw new InputError(
    `Cannot open ${
      describeTarget(target)
    }: it is no network namespace; name a process, a name of "netns list" or a file such as /proc/42/ns/net`,
  );
}

function openSaid(target: Said): Descriptor {
  if ("fd" in target) return Descriptor.duplicate(wholeNumber(target.fd, 0, "a descriptor"));
  if ("pid" in target) return openProcess(target);
  if ("nsid" in target) return openNsid(wholeNumber(target.nsid, 0, "an nsid"));
  if ("name" in target) {
    return openFile(target, namedPath(target.name), 'see "netns list" for the names there are');
  }
  if (!target.path?.startsWith?.("/")) {
    throw new InputError(
      `Cannot open network namespace ${JSON.stringify(target.path)}: a path starts with "/"`,
    );
  }
  return openFile(target, target.path, "there is no such file");
}

/** Whether a descriptor is one of a network namespace. */
function isNetns(fd: number): boolean {
  return ioctl(fd, NS_GET_NSTYPE) === CLONE_NEWNET;
}

/**
 * When a process started, in clock ticks since the system did: the 22nd field of proc_pid_stat(5).
 * `NotFoundError` when there is no such process.
 *
 * @example A container that may be gone when it is looked for again
 * ```ts
 * import { Netns, processStartTime } from "@denolink/denolink";
 *
 * const container = { pid: 4242, startTime: processStartTime(4242) };
 * using netns = Netns.open(container);
 * ```
 */
export function processStartTime(pid: number): number {
  const operation = `find out when process ${wholeNumber(pid, 1, "a process id")} started`;
  const text = readFile(`/proc/${pid}/stat`);
  if (text === undefined) {
    throw new NotFoundError(operation, errnoOf("ESRCH"), { remedy: NO_PROCESS });
  }
  // The second field is the program's name in parentheses, which may contain anything.
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[19]);
}

const NO_PROCESS = "there is no such process, or it has ended";

/** The process is held by a descriptor meanwhile, so that its number is nobody else's. */
function openProcess(target: { pid: number; startTime?: number }): Descriptor {
  const pid = wholeNumber(target.pid, 1, "a process id");
  const operation = `open ${describeTarget(target)}`;
  const opened = pidfdOpen(pid);
  if (opened === -errnoOf("ESRCH")) {
    throw kernelError(operation, -opened, { remedy: NO_PROCESS });
  }
  // The number of a thread, which only the newest kernels tell from that of a process.
  const isThread = [-errnoOf("EINVAL"), -errnoOf("ENOENT")].includes(opened);
  using process = isThread ? undefined : new Descriptor(check(operation, opened));
  using stack = new DisposableStack();
  const netns = stack.use(openFile(target, `/proc/${pid}/ns/net`, NO_PROCESS));
  if (target.startTime !== undefined && processStartTime(pid) !== target.startTime) {
    throw new NotFoundError(operation, errnoOf("ESRCH"), {
      remedy: `process ${pid} started at another time, so it is another one now`,
    });
  }
  if (process !== undefined && pidfdSendSignal(process.fd, 0) === -errnoOf("ESRCH")) {
    throw new NotFoundError(operation, errnoOf("ESRCH"), { remedy: NO_PROCESS });
  }
  stack.move();
  return netns;
}

/** The kernel has no way to open a namespace by its number: it is looked for among those that are held. */
function openNsid(nsid: number): Descriptor {
  using rtnl = Connection.open();
  for (const { files } of findHeld()) {
    for (const file of files) {
      const fd = open(file, O_RDONLY | O_NONBLOCK);
      if (fd < 0) continue;
      using candidate = new Descriptor(fd);
      if (!isNetns(fd)) continue;
      if (rtnl.requestSync(netnsId.get({ fd })).nsid !== nsid) break;
      return Descriptor.duplicate(candidate.fd);
    }
  }
  throw new NotFoundError(`open network namespace id ${nsid}`, errnoOf("ENOENT"), {
    remedy:
      'no namespace that a process or a mount holds has that number here; see "netns list-id"',
  });
}

function openFile(target: Said, path: string, missing: string): Descriptor {
  const operation = `open ${describeTarget(target)}`;
  // Not blocking, in case the path turns out to be a pipe.
  const opened = open(path, O_RDONLY | O_NONBLOCK);
  const errno = -opened;
  return new Descriptor(check(operation, opened, {
    ...errno === errnoOf("ENOENT") ? { remedy: missing } : {},
    ...deniedDetails(errno, /^\/proc\/\d/.test(path) ? "CAP_SYS_PTRACE" : "CAP_DAC_OVERRIDE"),
  }));
}

function wholeNumber(value: number, least: number, what: string): number {
  if (Number.isInteger(value) && value >= least && value <= 0x7fffffff) return value;
  throw new InputError(
    `Cannot open a network namespace: ${what} is a whole number from ${least}, got ${value}`,
  );
}
