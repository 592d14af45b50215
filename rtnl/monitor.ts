/**
 * What happens in a namespace, as it happens: events of what is new, changed and gone.
 *
 * @module
 */

import { InputError, kernelError } from "../ffi/errors.ts";
import { type Address, address } from "./address.ts";
import { input } from "./codec/buffer.ts";
import { untypedCodec } from "./codec/compile.ts";
import type { Input, MessageShape } from "./codec/shape.ts";
import type { Connection, EventTransport } from "./connection.ts";
import { LINK, type Link, link } from "./link.ts";
import { MESSAGES } from "./messages.ts";
import { type Neighbour, neighbour } from "./neighbour.ts";
import type { Netconf } from "./netconf.ts";
import { type NetnsId, netnsId } from "./netns_id.ts";
import { type Nexthop, nexthop } from "./nexthop.ts";
import { type Frame, frames, NLM_F_REPLACE, type Request } from "./request.ts";
import { type Route, route } from "./route.ts";
import { type Rule, rule } from "./rule.ts";
import { type Filter, type Qdisc, qdisc } from "./tc/mod.ts";

/** What can be monitored, and the type of its values. */
export interface Monitored {
  /** Links. */
  link: Link;
  /** Addresses of links. */
  address: Address;
  /** Routes of all families and tables. */
  route: Route;
  /** Neighbours, and entries of forwarding tables (family "bridge"). */
  neighbour: Neighbour;
  /** Rules of policy routing. */
  rule: Rule;
  /** Nexthops and their groups. */
  nexthop: Nexthop;
  /** Numbers of other namespaces. */
  netnsId: NetnsId;
  /** Whether links forward. */
  netconf: Netconf;
  /** Queueing disciplines. */
  qdisc: Qdisc;
  /** Their classes. */
  trafficClass: Qdisc;
  /** Filters of traffic control. */
  filter: Filter;
}

/** The name of something that can be monitored. */
export type MonitoredObject = keyof Monitored;

/** Something came, changed or went. */
export interface ChangeEvent<Object extends MonitoredObject> {
  /** What happened. */
  event: "new" | "changed" | "deleted";
  /** What it happened to. */
  object: Object;
  /** How it is now; of what is deleted, how it was at the end. */
  value: Monitored[Object];
  /** How it was before; absent for what is new, and where it was never seen. */
  old?: Monitored[Object];
  /** The number of the namespace, where it is another one than the monitor's. */
  nsid?: number;
  /** No message of the kernel said so, or it was lost: this was found by comparing. */
  missed?: true;
}

/** Messages were lost; what they said follows, as events that are `missed`. */
export interface OverflowEvent {
  /** What happened. */
  event: "overflow";
}

/** Anything that a monitor tells. */
export type MonitorEvent<Objects extends MonitoredObject = MonitoredObject> =
  | { [Object in Objects]: ChangeEvent<Object> }[Objects]
  | OverflowEvent;

/** How to monitor. */
export interface MonitorOptions {
  /**
   * Hear also of the namespaces that have a number here (`rtnl.netnsIds`), each event with its `nsid`.
   * What is there already is known of the monitor's own namespace only.
   * @default {false}
   */
  allNamespaces?: boolean;
  /**
   * Bytes that may wait to be read before messages are lost; the kernel doubles it, and may cap it at
   * net.core.rmem_max.
   * @default {4194304}
   */
  receiveBuffer?: number;
  /**
   * Closes the monitor; the loop over it then throws the signal's reason.
   * @default {undefined}
   */
  signal?: AbortSignal | undefined;
}

/** How one object is monitored. */
interface Subject {
  /** RTNLGRP_* of linux/rtnetlink.h. */
  groups: readonly number[];
  /** The message that tells of a new or changed one, and the one that tells of its end. */
  messages: readonly [set: string, deleted: string];
  /** The request for all that there are; absent where the kernel lists them one link at a time. */
  list?: () => Request<object[]>;
  /** What makes two messages speak of the same thing. */
  identity: readonly string[];
  /** What tells apart things of the same identity. */
  further?: readonly string[];
  /** The kernel takes them away without a word when their link or their address goes. */
  silent?: true;
}

// What changes all the time, or is said in events only, is no difference.
const VOLATILE = new Set([
  "stats",
  "stats32",
  "oldStats",
  "kindStats",
  "cacheInfo",
  "event",
  "afSpec",
]);

const SUBJECTS: { readonly [Object in MonitoredObject]: Subject } = {
  link: {
    groups: [1],
    messages: ["RTM_NEWLINK", "RTM_DELLINK"],
    list: () => link.list(),
    identity: ["index"],
  },
  address: {
    groups: [5, 9],
    messages: ["RTM_NEWADDR", "RTM_DELADDR"],
    list: () => address.list(),
    identity: ["family", "index", "local", "address", "prefixLength"],
  },
  route: {
    groups: [7, 11, 27],
    messages: ["RTM_NEWROUTE", "RTM_DELROUTE"],
    list: () => route.list(),
    identity: ["family", "table", "dst", "dstLength", "src", "srcLength", "tos", "priority"],
    further: ["type", "scope", "oif", "gateway", "via", "multipath", "nexthopId", "encap"],
    silent: true,
  },
  neighbour: {
    groups: [3],
    messages: ["RTM_NEWNEIGH", "RTM_DELNEIGH"],
    list: () => neighbour.list(),
    identity: ["family", "index", "dst", "vlan", "vni"],
    further: ["address"],
  },
  rule: {
    groups: [8, 19],
    messages: ["RTM_NEWRULE", "RTM_DELRULE"],
    list: () => rule.list(),
    identity: ["family", "priority", "src", "srcLength", "dst", "dstLength", "table", "action"],
    further: ["iif", "oif", "fwmark", "fwmask", "ipProtocol", "sport", "dport", "uidRange", "goto"],
  },
  nexthop: {
    groups: [32],
    messages: ["RTM_NEWNEXTHOP", "RTM_DELNEXTHOP"],
    list: () => nexthop.list(),
    identity: ["id"],
    silent: true,
  },
  netnsId: {
    groups: [28],
    messages: ["RTM_NEWNSID", "RTM_DELNSID"],
    list: () => netnsId.list(),
    identity: ["nsid"],
  },
  netconf: {
    groups: [24, 25],
    messages: ["RTM_NEWNETCONF", "RTM_DELNETCONF"],
    identity: ["family", "index"],
  },
  qdisc: {
    groups: [4],
    messages: ["RTM_NEWQDISC", "RTM_DELQDISC"],
    list: () => qdisc.list(),
    identity: ["index", "parent", "handle"],
  },
  trafficClass: {
    groups: [4],
    messages: ["RTM_NEWTCLASS", "RTM_DELTCLASS"],
    identity: ["index", "handle"],
  },
  filter: {
    groups: [4],
    messages: ["RTM_NEWTFILTER", "RTM_DELTFILTER"],
    identity: ["index", "parent", "priority", "protocol", "handle"],
  },
};

const WAIT_MILLISECONDS = 60_000;

/** A message type, and what it means to a monitor. */
interface Meaning {
  object: MonitoredObject;
  shape: MessageShape;
  deleted: boolean;
}

/** Which links are up, to notice when one no longer is. */
class UpLinks {
  /** The groups and the messages in which that is said. */
  static readonly GROUPS = [...SUBJECTS.link.groups, ...SUBJECTS.address.groups];
  readonly #up: Set<unknown>;

  constructor(links: readonly Link[]) {
    this.#up = new Set(links.filter(isUp).map(({ index }) => index));
  }

  /** Whether this message tells of an address or a link that was in use, and is no longer. */
  endedBy({ type, start }: Frame, { view, bytes }: Input): boolean {
    if (type === MESSAGES.RTM_DELADDR![0]) return true;
    const deleted = type === MESSAGES.RTM_DELLINK![0];
    if (type !== MESSAGES.RTM_NEWLINK![0] && !deleted || bytes[start] === AF_BRIDGE) return false;
    // struct ifinfomsg: index and flags
    const index = view.getInt32(start + 4, true);
    const up = !deleted && (view.getUint32(start + 8, true) & 1) !== 0;
    if (up) this.#up.add(index);
    return !up && this.#up.delete(index);
  }
}

const AF_BRIDGE = 7;

function isUp({ flags }: Link): boolean {
  return flags?.includes("up") ?? false;
}

/** A value, told apart from others of the same object. */
type Values = Record<string, unknown>;

/**
 * Events of a namespace, for as long as somebody reads them.
 *
 * ```ts
 * import { Rtnl } from "@denolink/denolink";
 *
 * using rtnl = Rtnl.open();
 * for await (const event of rtnl.monitor(["link", "address"])) {
 *   if (event.event === "overflow") continue;
 *   console.log(event.event, event.object, event.value, event.old);
 * }
 * ```
 */
export class Monitor<Objects extends MonitoredObject = MonitoredObject>
  implements AsyncIterable<MonitorEvent<Objects>>, Disposable {
  readonly #connection: Connection;
  readonly #objects: readonly Objects[];
  readonly #options: MonitorOptions;
  readonly #meanings = new Map<number, Meaning>();
  readonly #views = new Map<MonitoredObject, View>();
  readonly #events: AsyncGenerator<MonitorEvent<Objects>, void, void>;
  /** What is to be read anew, because the kernel took some away without a word. */
  readonly #outdated = new Set<Objects>();
  #upLinks: UpLinks | undefined;
  #socket: EventTransport | undefined;
  #closed = false;
  /** A pool thread watches the socket, which must stay open until it has looked away. */
  #waiting = false;
  /** Fulfilled when nothing that happens from now on is missed. */
  readonly started: Promise<void>;

  /** Starts to listen beside a connection, which must stay open. */
  constructor(
    connection: Connection,
    objects: readonly Objects[],
    options: MonitorOptions = {},
  ) {
    this.#connection = connection;
    this.#objects = checked(objects);
    this.#options = options;
    for (const object of objects) {
      const { messages } = SUBJECTS[object];
      for (const [index, name] of messages.entries()) {
        const [type, shape] = MESSAGES[name]!;
        this.#meanings.set(type, { object, shape, deleted: index === 1 });
      }
      this.#views.set(object, new View(SUBJECTS[object]));
    }
    this.started = this.#start();
    // Whoever only iterates hears of it there.
    this.started.catch(() => {});
    this.#events = this.#run();
  }

  /** The events, in the order in which they happened. */
  [Symbol.asyncIterator](): AsyncGenerator<MonitorEvent<Objects>, void, void> {
    return this.#events;
  }

  /** Stops listening; a loop that waits ends at once. Again is no error. */
  close(): void {
    this.#closed = true;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    if (this.#waiting) this.#socket?.wake();
    else this.#socket?.close();
  }

  readonly #abort = () => this.close();

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** First listens, then lists: what changes in between is heard, and does no harm. */
  async #start(): Promise<void> {
    const { allNamespaces = false, receiveBuffer = 4 << 20, signal } = this.#options;
    signal?.throwIfAborted();
    signal?.addEventListener("abort", this.#abort);
    const silent = this.#objects.some((object) => SUBJECTS[object].silent);
    const groups = new Set([
      ...this.#objects.flatMap((object) => SUBJECTS[object].groups),
      ...silent ? UpLinks.GROUPS : [],
    ]);
    const socket = this.#socket = await this.#connection.listener();
    if (this.#closed) return socket.close();
    try {
      socket.listen([...groups], { all: allNamespaces, receiveBuffer });
      if (silent) this.#upLinks = new UpLinks(this.#connection.requestSync(link.list()));
      for (const object of this.#objects) this.#list(object);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Reads all of an object anew, and gives what is different from what was known. */
  #list<Object extends Objects>(object: Object): MonitorEvent<Objects>[] {
    const { list } = SUBJECTS[object];
    if (list === undefined) return [];
    const changes = this.#views.get(object)!.replace(this.#connection.requestSync(list()));
    return changes.map((change) => ({ ...change, object, missed: true }) as MonitorEvent<Objects>);
  }

  async *#run(): AsyncGenerator<MonitorEvent<Objects>, void, void> {
    const { signal } = this.#options;
    await this.started;
    const socket = this.#socket!;
    try {
      while (!this.#closed) {
        const received = socket.receive();
        const events = received === undefined
          ? await this.#idle(socket)
          : typeof received === "number"
          ? this.#recover(socket)
          : this.#read(received, socket.nsid);
        // One by one: `yield*` would wait for each event twice.
        for (const event of events) yield event;
      }
      signal?.throwIfAborted();
    } finally {
      this.close();
    }
  }

  /** Nothing is queued: time to look for what the kernel did not tell, or to wait. */
  async #idle(socket: EventTransport): Promise<MonitorEvent<Objects>[]> {
    if (this.#outdated.size === 0) {
      this.#waiting = true;
      await socket.wait(WAIT_MILLISECONDS);
      this.#waiting = false;
      return [];
    }
    const objects = [...this.#outdated];
    this.#outdated.clear();
    return objects.flatMap((object) => this.#list(object));
  }

  /** The events of a datagram: all at once, because its bytes are good until the next call only. */
  #read(bytes: Uint8Array, nsid: number | undefined): MonitorEvent<Objects>[] {
    const datagram = input(bytes);
    const events: MonitorEvent<Objects>[] = [];
    for (const frame of frames(datagram)) {
      if (nsid === undefined && this.#upLinks?.endedBy(frame, datagram)) {
        this.#objects.filter((object) => SUBJECTS[object].silent)
          .forEach((object) => this.#outdated.add(object));
      }
      const meaning = this.#meanings.get(frame.type);
      if (meaning === undefined) continue;
      const message = untypedCodec(meaning.shape).read(datagram, frame.start, frame.end) as
        | Values
        | undefined;
      if (message === undefined) {
        throw kernelError(`monitor ${meaning.object}`, EBADMSG);
      }
      // A port that leaves its bridge is told as a link's end, of the family "bridge".
      if (meaning.shape === LINK && message.family === "bridge") continue;
      events.push(this.#change(meaning, message, frame, nsid));
    }
    return events;
  }

  #change(
    { object, deleted }: Meaning,
    value: Values,
    { flags }: Frame,
    nsid: number | undefined,
  ): MonitorEvent<Objects> {
    const view = this.#views.get(object)!;
    const change = deleted
      ? view.delete(value, nsid)
      : view.set(value, nsid, (flags & NLM_F_REPLACE) !== 0);
    const where = nsid === undefined ? {} : { nsid };
    return { ...change, object, ...where } as unknown as MonitorEvent<Objects>;
  }

  /** Messages were lost: those that wait are outdated too, so all is read anew. */
  *#recover(socket: EventTransport): Generator<MonitorEvent<Objects>> {
    yield { event: "overflow" };
    while (socket.receive() !== undefined);
    for (const view of this.#views.values()) view.forgetOthers();
    for (const object of this.#objects) yield* this.#list(object);
  }
}

const EBADMSG = 74;

function checked<Objects extends MonitoredObject>(objects: readonly Objects[]): readonly Objects[] {
  const odd = objects.find((object) => !Object.hasOwn(SUBJECTS, object));
  if (objects.length > 0 && odd === undefined) return objects;
  throw new InputError(
    `Cannot monitor ${odd ?? "nothing"}: name some of ${Object.keys(SUBJECTS).join(", ")}`,
  );
}

/** A change of a view. */
interface Change {
  event: "new" | "changed" | "deleted";
  value: Values;
  old?: Values;
}

/** What is known of one object: its values, by identity. */
class View {
  readonly #subject: Subject;
  /** Nearly always one value for an identity; routes may have several. */
  #slots = new Map<string, Values[]>();

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** Notes a value; `replace`: the kernel says that it took another one's place. */
  set(value: Values, nsid: number | undefined, replace: boolean): Change {
    const key = this.#key(value, nsid);
    const slot = this.#slots.get(key);
    const at = slot && (this.#indexOf(slot, value) ?? (replace ? 0 : undefined));
    if (slot === undefined || at === undefined) {
      this.#add(key, value);
      return { event: "new", value };
    }
    const old = slot[at]!;
    slot[at] = value;
    return { event: "changed", value, old };
  }

  /** Forgets a value; some were never told of, such as tentative IPv6 addresses. */
  delete(value: Values, nsid: number | undefined): Change {
    const key = this.#key(value, nsid);
    const slot = this.#slots.get(key);
    if (slot === undefined) return { event: "deleted", value };
    const [old] = slot.splice(this.#indexOf(slot, value) ?? 0, 1);
    if (slot.length === 0) this.#slots.delete(key);
    return { event: "deleted", value, old: old! };
  }

  /** Takes a list in place of what was known, and says what is different. */
  replace(list: readonly object[]): Change[] {
    const before = this.#slots;
    this.#slots = new Map();
    const changes: Change[] = [];
    for (const value of list as Values[]) {
      const key = this.#key(value, undefined);
      this.#add(key, value);
      const known = before.get(key) ?? [];
      const at = this.#indexOf(known, value);
      const [old] = at === undefined ? [] : known.splice(at, 1);
      if (old === undefined) changes.push({ event: "new", value });
      else if (!same(old, value)) changes.push({ event: "changed", value, old });
    }
    const gone = [...before.values()].flat();
    return [...gone.map((old): Change => ({ event: "deleted", value: old, old })), ...changes];
  }

  /** Forgets what is in other namespaces, which can't be listed from here. */
  forgetOthers(): void {
    for (const key of this.#slots.keys()) {
      if (!key.startsWith(OWN)) this.#slots.delete(key);
    }
  }

  /** Nearly all stay alone, so the list is made with the first. */
  #add(key: string, value: Values): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) this.#slots.set(key, [value]);
    else slot.push(value);
  }

  #key(value: Values, nsid: number | undefined): string {
    let key = nsid === undefined ? OWN : `${nsid}`;
    for (const name of this.#subject.identity) key += `|${value[name] ?? ""}`;
    return key;
  }

  /** Which of a slot is meant: the one that is alike in the rest, or else the only one there can be. */
  #indexOf(slot: readonly Values[], value: Values): number | undefined {
    const { further } = this.#subject;
    if (further === undefined) return slot.length === 0 ? undefined : 0;
    const at = slot.findIndex((other) => further.every((name) => equal(other[name], value[name])));
    return at < 0 ? undefined : at;
  }
}

const OWN = "own";

/** Whether two messages say the same of all that lasts. */
function same(a: Values, b: Values): boolean {
  return Object.keys({ ...a, ...b }).every((key) => VOLATILE.has(key) || equal(a[key], b[key]));
}

/** Whether two values are alike to the last part. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => equal((a as Values)[key], (b as Values)[key]));
}
