/**
 * Keeps a network what a topology says.
 *
 * @module
 */

import { Netns, type NetnsOptions } from "../../netns/netns.ts";
import type { Monitor } from "../../rtnl/monitor.ts";
import { type Host, openHost } from "../host.ts";
import { absentIsUndefined } from "./absent.ts";
import { apply, plan } from "./apply.ts";
import { textOf } from "./canonical.ts";
import type { Change } from "./change.ts";
import { sitesOf } from "./expand.ts";
import { HOST } from "./format.ts";
import { checkTopology } from "./read.ts";
import type { Topology } from "./types.ts";

/** How to watch. */
export interface WatchOptions extends NetnsOptions {
  /**
   * Whether drift is mended.
   * @default {false}
   */
  repair?: boolean | undefined;
  /** Ends it. */
  signal?: AbortSignal | undefined;
  /**
   * Milliseconds after which all is looked at in any case: settings, firewalls and new namespaces make no
   * event.
   * @default {10000}
   */
  interval?: number | undefined;
}

/** What has changed under a topology. */
export interface Drift {
  /** What differs; empty when what differed before has come back. */
  changes: Change[];
  /** Whether it was mended; an error says why it was not. */
  repaired: boolean | Error;
}

/** What the kernel tells of. */
const OBJECTS = ["link", "address", "route", "rule", "netnsId"] as const;
/** How long no event has to come before it is looked at what they have come to, and how long at most. */
const QUIET_MILLISECONDS = 50;
const MOST_MILLISECONDS = 1000;

/**
 * Tells when a network is not what its topology says any more, at once and from then on, and mends it if
 * that is wanted; drift that stays as it is is told once. It ends with its signal.
 *
 * `TopologyError` for a topology that can't be meant, `PermissionError` without CAP_SYS_ADMIN and CAP_NET_BROADCAST.
 *
 * @example Until somebody changes something
 * ```ts
 * import { watch } from "@denolink/denolink";
 *
 * for await (const { changes } of watch({ denolink: 1, name: "lab" })) {
 *   for (const { text } of changes) console.log(text);
 *   break;
 * }
 * ```
 */
export async function* watch(
  topology: Topology,
  { repair = false, signal, interval = 10_000, netns }: WatchOptions = {},
): AsyncIterableIterator<Drift> {
  checkTopology(topology);
  using host = await openHost({ netns });
  using monitor = host.rtnl.monitor(OBJECTS, { allNamespaces: true });
  const events = new Events(monitor);
  await monitor.started;
  let told = textOf([]);
  while (!signal?.aborted) {
    await countAll(topology, host);
    const { changes } = await plan(topology, host.where);
    const text = textOf(changes);
    const repaired = repair && changes.length > 0 && await mend(topology, host);
    // What it tried in vain, and put back, made events too.
    if (repaired instanceof Error) await events.end(signal);
    if (text !== told || repaired === true) yield { changes, repaired };
    told = repaired === true ? textOf([]) : text;
    await events.quiet(interval, signal);
  }
}

async function mend(topology: Topology, { where }: Host): Promise<boolean | Error> {
  try {
    await apply(topology, where);
    return true;
  } catch (error) {
    return error as Error;
  }
}

/** The kernel tells of the namespaces that have a number. */
async function countAll(topology: Topology, { where }: Host): Promise<void> {
  for (const { name, target } of sitesOf(topology)) {
    if (target === HOST) continue;
    using netns = absentIsUndefined(() => Netns.open(target ?? { name }));
    await netns?.setNsid("auto", where);
  }
}

/** The events of a monitor, as something to wait for. */
class Events {
  readonly #events: AsyncIterator<unknown>;
  #next: Promise<unknown>;

  constructor(monitor: Monitor<typeof OBJECTS[number]>) {
    this.#events = monitor[Symbol.asyncIterator]();
    this.#next = this.#events.next();
    // Who waits hears of it.
    this.#next.catch(() => {});
  }

  /** Waits for the first event, and until no more follow; or for as long as is said, or for the signal. */
  async quiet(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    if (await this.#comes(milliseconds, signal)) await this.end(signal);
  }

  /** Waits until no more events follow. */
  async end(signal: AbortSignal | undefined): Promise<void> {
    for (const end = performance.now() + MOST_MILLISECONDS; performance.now() < end;) {
      if (!await this.#comes(QUIET_MILLISECONDS, signal)) return;
    }
  }

  /** Whether an event comes in time. */
  async #comes(milliseconds: number, signal: AbortSignal | undefined): Promise<boolean> {
    const over = Promise.withResolvers<false>();
    const stop = () => over.resolve(false);
    const timer = setTimeout(stop, milliseconds);
    signal?.addEventListener("abort", stop);
    try {
      const came = await Promise.race([this.#next.then(() => true), over.promise]);
      if (came) {
        this.#next = this.#events.next();
        this.#next.catch(() => {});
      }
      return came;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }
}
