/**
 * A network namespace, pinned: while this is open, it can't go away and can't be taken for another.
 *
 * @module
 */

import { O_RDONLY } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { ExistsError, InputError, kernelError } from "../ffi/errors.ts";
import { identifyDescriptor } from "../ffi/system.ts";
import type { RequestOptions } from "../rtnl/connection.ts";
import { Rtnl } from "../rtnl/rtnl.ts";
import { unlessAborted } from "../rtnl/abort.ts";
import { findHeld, type HeldNetns } from "./held.ts";
import {
  createNamed,
  findNamed,
  listNamed,
  type NamedNetns,
  namedPath,
  removeNamed,
} from "./named.ts";
import { become, type NetnsProcess, spawn, type SpawnOptions } from "./process.ts";
import { dismiss } from "./residents.ts";
import { connectIn } from "./socket.ts";
import { describeTarget, type NetnsTarget, openTarget } from "./target.ts";
import { openThere } from "./visitor.ts";

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
  /** The name by which it was opened or made, if there was one. */
  readonly name: string | undefined;

  private constructor(descriptor: Descriptor, id: bigint, name: string | undefined) {
    this.#descriptor = descriptor;
    this.id = id;
    this.name = name;
  }

  /**
   * Pins a namespace. {@linkcode NotFoundError} when there is no such process, name, path or number,
   * {@linkcode InputError} when it is no network namespace, {@linkcode PermissionError} when the
   * process belongs to somebody else.
   */
  static open(target: NetnsTarget): Netns {
    const what = describeTarget(target);
    if (target instanceof Netns) {
      return Netns.#adopt(Descriptor.duplicate(target.fd), what, target.name);
    }
    return Netns.#adopt(openTarget(target), what, "name" in target ? target.name : undefined);
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
      return Netns.#adopt(descriptor, what, name);
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  /** The named ones, as `ip netns list` knows them, sorted by name. */
  static list(): NamedNetns[] {
    return listNamed();
  }

  /**
   * All that any process or mount holds, sorted by their numbers, with their names and the processes
   * inside, as lsns(8) lists them. Only root sees the processes of others; a namespace that nothing but
   * a socket keeps is not found.
   */
  static listHeld(): HeldNetns[] {
    return findHeld().map(({ files: _, ...held }) => held);
  }

  /**
   * Takes a name away, and the namespace with it unless something still uses it; false when there is no
   * such name. A name whose making was interrupted is taken away too.
   */
  static remove(name: string): boolean {
    const id = findNamed(name);
    const removed = removeNamed(name);
    if (id !== undefined) dismiss({ id });
    return removed;
  }

  /**
   * Starts a program in a namespace, as `Deno.Command` does here; `--allow-ffi` is enough for it.
   *
   * As with `ip netns exec` (ip-netns(8)), /sys shows the devices of the namespace, and in a namespace
   * that is opened by its name the files of /etc/netns/NAME stand in the place of those in /etc, such as
   * resolv.conf and hosts. The first program in a namespace takes some 30 ms, those that follow within
   * a second, or as long as the `Netns` is open, some 2 ms.
   *
   * {@linkcode NotFoundError} when there is no such program.
   *
   * @example What a container sees
   * ```ts
   * import { Netns } from "@denolink/denolink";
   *
   * const ip = await Netns.spawn({ pid: 4242 }, "ip", { args: ["addr"], stdout: "piped" });
   * const { success, stdout } = await ip.output();
   * if (success) console.log(new TextDecoder().decode(stdout));
   * ```
   */
  static async spawn(
    target: NetnsTarget,
    command: string,
    options: SpawnOptions = {},
  ): Promise<NetnsProcess> {
    using netns = Netns.open(target);
    const host = target instanceof Netns ? target : undefined;
    return await spawn(`${command} in ${describeTarget(target)}`, netns, command, options, host);
  }

  /**
   * Turns this process into a program in a namespace, as exec(3) does: its number, its descriptors 0, 1
   * and 2 and its directory stay, nothing else of it does. Returns only by rejecting.
   *
   * @example A shell in a container's network
   * ```ts
   * import { Netns } from "@denolink/denolink";
   *
   * await Netns.exec({ pid: 4242 }, "sh", { args: ["-i"] });
   * ```
   */
  static async exec(
    target: NetnsTarget,
    command: string,
    options: Pick<SpawnOptions, "args" | "env" | "clearEnv"> = {},
  ): Promise<never> {
    using netns = Netns.open(target);
    return await become(`${command} in ${describeTarget(target)}`, netns, command, options);
  }

  static #adopt(descriptor: Descriptor, what: string, name?: string): Netns {
    const identity = identifyDescriptor(descriptor.fd);
    if (typeof identity === "number") {
      descriptor.close();
      throw kernelError(`identify ${what}`, -identity);
    }
    return new Netns(descriptor, identity.inode, name);
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
    return new Rtnl(await connectIn(this.fd));
  }

  /**
   * The number that a namespace has for this one, the calling thread's unless said otherwise;
   * `undefined` when it has none.
   */
  async nsid(options?: NetnsOptions): Promise<number | undefined> {
    using rtnl = await connect(options);
    const { nsid = -1 } = await rtnl.netnsIds.get({ fd: this.fd });
    return nsid < 0 ? undefined : nsid;
  }

  /**
   * Has a namespace count this one under a number, or one that is free, and returns it; it keeps it for
   * as long as it lives. {@linkcode ExistsError} when it has another one already, or the number is
   * another namespace's.
   *
   * @example Know whose events are heard
   * ```ts
   * import { Netns, Rtnl } from "@denolink/denolink";
   *
   * using netns = Netns.open({ pid: 4242 });
   * const nsid = await netns.setNsid("auto");
   * using rtnl = Rtnl.open();
   * for await (const event of rtnl.monitor(["link"], { allNamespaces: true })) {
   *   if ("nsid" in event && event.nsid === nsid) console.log(event);
   * }
   * ```
   */
  async setNsid(nsid: number | "auto", options?: NetnsOptions): Promise<number> {
    const wanted = nsid === "auto" ? -1 : nsid;
    if (nsid !== "auto" && !(Number.isInteger(nsid) && nsid >= 0 && nsid <= 0x7fffffff)) {
      throw new InputError(`Cannot set an nsid to ${nsid}: it is a whole number from 0, or "auto"`);
    }
    using rtnl = await connect(options);
    const current = async () => (await rtnl.netnsIds.get({ fd: this.fd })).nsid!;
    try {
      await rtnl.netnsIds.add({ fd: this.fd, nsid: wanted });
    } catch (error) {
      // It has one: good if any will do, or it is the one.
      if (!(error instanceof ExistsError)) throw error;
      const had = await current();
      if (had < 0 || wanted >= 0 && wanted !== had) throw error;
      return had;
    }
    return wanted < 0 ? await current() : wanted;
  }

  /** Whether it was let go. */
  get closed(): boolean {
    return this.#descriptor.closed;
  }

  /** Lets it go; again is no error. */
  close(): void {
    dismiss({ host: this });
    this.#descriptor.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }
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
 * `fn` itself runs where it was written: only the connection acts in the namespace, and the sockets that
 * {@linkcode Rtnl.openSocket} opens there. When the signal says so, it rejects with its reason at once.
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
  { signal }: RequestOptions = {},
): Promise<T> {
  signal?.throwIfAborted();
  using netns = Netns.open(target);
  const connecting = netns.connect();
  try {
    using rtnl = await unlessAborted(connecting, signal);
    return await unlessAborted(Promise.resolve(fn(rtnl)), signal);
  } finally {
    // Where nobody waited for it.
    connecting.then((rtnl) => rtnl.close(), () => {});
  }
}
