/**
 * A network namespace, pinned: while this is open, it can't go away and can't be taken for another.
 *
 * @module
 */

import { CLONE_NEWNET, NS_GET_NSTYPE, O_NONBLOCK, O_RDONLY, SIOCGSKNS } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { errnoOf } from "../ffi/errno.ts";
import { check, InputError, kernelError, PermissionError } from "../ffi/errors.ts";
import { NetlinkSocket, ROUTE_SOCKET } from "../ffi/netlink_socket.ts";
import { identifyDescriptor, ioctl, open } from "../ffi/system.ts";
import { Connection } from "../rtnl/connection.ts";
import { Rtnl } from "../rtnl/rtnl.ts";
import { createNamed, listNamed, type NamedNetns, namedPath, removeNamed } from "./named.ts";
import { openThere } from "./visitor.ts";

/** A namespace by what is known of it: a process, a name under /run/netns, a file, a descriptor. */
export type NetnsTarget =
  | Netns
  | { /** The process id of one that is in it. */ pid: number }
  | { /** Its name, as `ip netns` knows it. */ name: string }
  | { /** An absolute path to it, such as /proc/42/ns/net. */ path: string }
  | { /** A descriptor of it; it stays the caller's. */ fd: number };

/** Where a function acts: in the calling thread's namespace unless said otherwise. */
export interface NetnsOptions {
  /**
   * The namespace to act in.
   * @default {the calling thread's}
   */
  netns?: NetnsTarget | undefined;
}

/**
 * A pinned network namespace (network_namespaces(7)).
 *
 * @example The links of a container
 * ```ts
 * import { Netns } from "@denolink/denolink";
 *
 * using netns = Netns.open({ pid: 4242 });
 * using rtnl = await netns.connect();
 * for await (const link of rtnl.links.list()) console.log(link.name);
 * ```
 */
export class Netns implements Disposable {
  readonly #descriptor: Descriptor;
  /** Its number: the inode of its file, the same wherever it is looked at. */
  readonly id: bigint;

  private constructor(descriptor: Descriptor, id: bigint) {
    this.#descriptor = descriptor;
    this.id = id;
  }

  /**
   * Pins a namespace. {@linkcode NotFoundError} when there is no such process, name or path,
   * {@linkcode InputError} when it is no network namespace, {@linkcode PermissionError} when the
   * process belongs to somebody else.
   */
  static open(target: NetnsTarget): Netns {
    if (target instanceof Netns) {
      return Netns.#adopt(Descriptor.duplicate(target.fd), "it");
    }
    if ("fd" in target) {
      checkNumber(target.fd, 0, "a descriptor");
      return Netns.#adopt(
        Descriptor.duplicate(target.fd),
        describeTarget(target),
      );
    }
    const what = describeTarget(target);
    // Not blocking, in case the path turns out to be a pipe.
    const answer = open(pathOf(target), O_RDONLY | O_NONBLOCK);
    if (answer < 0) throw openError(target, what, -answer);
    return Netns.#adopt(new Descriptor(answer), what);
  }

  /** Pins the calling thread's own. */
  static current(): Netns {
    return Netns.open({ path: "/proc/thread-self/ns/net" });
  }

  /**
   * Makes a new one: with a name it stays, and `ip netns` sees it too; without, it goes with the last
   * thing that uses it. {@linkcode ExistsError} when the name is taken.
   */
  static async create(name?: string): Promise<Netns> {
    const what = name === undefined ? "a network namespace" : `network namespace ${name}`;
    if (name !== undefined) namedPath(name);
    const descriptor = await openThere(`create ${what}`, undefined, {
      path: "/proc/thread-self/ns/net",
      flags: O_RDONLY,
    });
    try {
      if (name !== undefined) await createNamed(name, descriptor.fd);
      return Netns.#adopt(descriptor, what);
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  /** The named ones, as `ip netns list` knows them, sorted by name. */
  static list(): NamedNetns[] {
    return listNamed();
  }

  /** Takes a name away, and the namespace with it unless something still uses it; false when there is no such name. */
  static remove(name: string): boolean {
    return removeNamed(name);
  }

  static #adopt(descriptor: Descriptor, what: string): Netns {
    if (ioctl(descriptor.fd, NS_GET_NSTYPE) !== CLONE_NEWNET) {
      descriptor.close();
      throw new InputError(
        `Cannot open ${what}: it is no network namespace; name a process, a name of "netns list" or a file such as /proc/42/ns/net`,
      );
    }
    const identity = identifyDescriptor(descriptor.fd);
    if (typeof identity === "number") {
      descriptor.close();
      throw kernelError(`identify ${what}`, -identity);
    }
    return new Netns(descriptor, identity.inode);
  }

  /** The descriptor that pins it; it stays this object's. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Whether both are the same namespace. */
  equals(other: Netns): boolean {
    return this.id === other.id;
  }

  /** A connection to its rtnetlink, usable from any thread; the caller closes it. */
  async connect(): Promise<Rtnl> {
    const socket = await openSocketIn(this.fd);
    return new Rtnl(new Connection(new NetlinkSocket(socket, openBeside)));
  }

  /** Lets it go; again is no error. */
  close(): void {
    this.#descriptor.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function openSocketIn(netns: number): Promise<Descriptor> {
  const [domain, type, protocol] = ROUTE_SOCKET;
  return openThere("connect to the network namespace", netns, { domain, type, protocol });
}

/** A socket in the namespace of another socket, which keeps it alive. */
async function openBeside(socket: number): Promise<Descriptor> {
  using netns = new Descriptor(
    check("find the network namespace of a connection", ioctl(socket, SIOCGSKNS)),
  );
  return await openSocketIn(netns.fd);
}

/** A connection to the namespace that the options name; the caller closes it. */
export async function connect({ netns }: NetnsOptions = {}): Promise<Rtnl> {
  if (netns === undefined) return Rtnl.open();
  using pinned = Netns.open(netns);
  return await pinned.connect();
}

/**
 * Pins a namespace, runs `fn` with a connection to it, and closes both, whatever comes of it.
 *
 * `fn` itself runs where it was written: only the connection acts in the namespace.
 *
 * @example Count the links of a container
 * ```ts
 * import { withNetns } from "@denolink/denolink";
 *
 * const links = await withNetns(
 *   { pid: 4242 },
 *   (rtnl) => Array.fromAsync(rtnl.links.list()),
 * );
 * ```
 */
export async function withNetns<T>(
  target: NetnsTarget,
  fn: (rtnl: Rtnl) => T | Promise<T>,
): Promise<T> {
  using rtnl = await connect({ netns: target });
  return await fn(rtnl);
}

/** A target in words: "network namespace blue", "process 42's network namespace". */
export function describeTarget(target: NetnsTarget): string {
  if (target instanceof Netns) return `network namespace number ${target.id}`;
  if ("pid" in target) return `the network namespace of process ${target.pid}`;
  if ("name" in target) return `network namespace ${target.name}`;
  if ("path" in target) return `network namespace ${target.path}`;
  return `descriptor ${target.fd}`;
}

function pathOf(
  target: { pid: number } | { name: string } | { path: string },
): string {
  if ("pid" in target) {
    checkNumber(target.pid, 1, "a process id");
    return `/proc/${target.pid}/ns/net`;
  }
  if ("name" in target) return namedPath(target.name);
  if (!target.path?.startsWith?.("/")) {
    throw new InputError(
      `Cannot open network namespace ${JSON.stringify(target.path)}: a path starts with "/"`,
    );
  }
  return target.path;
}

function checkNumber(value: number, least: number, what: string): void {
  if (!Number.isInteger(value) || value < least || value > 0x7fffffff) {
    throw new InputError(
      `Cannot open a network namespace: ${what} is a whole number from ${least}, got ${value}`,
    );
  }
}

function openError(target: NetnsTarget, what: string, errno: number): Error {
  const missing = "pid" in target
    ? "there is no such process, or it has ended"
    : "name" in target
    ? 'see "netns list" for the names there are'
    : "there is no such file";
  const operation = `open ${what}`;
  if (errno === errnoOf("ENOENT")) {
    return kernelError(operation, errno, { remedy: missing });
  }
  if (errno === errnoOf("EACCES") || errno === errnoOf("EPERM")) {
    return new PermissionError(operation, errno, {
      remedy:
        "it needs CAP_SYS_PTRACE over that process, or the rights to that file: run it under sudo",
    });
  }
  return check(operation, -errno) as never;
}
