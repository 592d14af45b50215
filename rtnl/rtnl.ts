/**
 * The rtnetlink of one namespace: its links, addresses and routes.
 *
 * @module
 */

import type { Descriptor } from "../ffi/descriptor.ts";
import { address, type AddressRequests } from "./address.ts";
import { addressLabel, type AddressLabelRequests } from "./address_label.ts";
import { bridgeVlan, type BridgeVlanRequests } from "./bridge_vlan.ts";
import { link, type LinkRequests, type LinkSpec } from "./link.ts";
import { linkStatistics, type LinkStatisticsRequests } from "./link_stats.ts";
import { multicastGroup, type MulticastGroupRequests } from "./multicast_group.ts";
import {
  forwarding,
  type ForwardingRequests,
  neighbour,
  type NeighbourRequests,
} from "./neighbour.ts";
import { neighbourTable, type NeighbourTableRequests } from "./neighbour_table.ts";
import { netconf, type NetconfRequests } from "./netconf.ts";
import { netnsId, type NetnsIdRequests } from "./netns_id.ts";
import {
  nexthop,
  nexthopBucket,
  type NexthopBucketRequests,
  type NexthopRequests,
} from "./nexthop.ts";
import { route, type RouteRequests } from "./route.ts";
import { rule, type RuleRequests } from "./rule.ts";
import {
  filter,
  type FilterRequests,
  qdisc,
  type QdiscRequests,
  trafficClass,
  type TrafficClassRequests,
} from "./tc/mod.ts";
import {
  type BatchOptions,
  type BatchResults,
  Connection,
  type RequestOptions,
} from "./connection.ts";
import { Monitor, type MonitoredObject, type MonitorOptions } from "./monitor.ts";
import { ping, type PingHost, type PingOptions, type PingReply } from "./ping.ts";
import type { Request } from "./request.ts";

/**
 * The requests of one object, sent over a connection: a list is an async iterable of its entries, the
 * others are promises of their answers.
 */
export type Bound<Requests> = {
  readonly [Verb in keyof Requests]: Requests[Verb] extends
    (...values: infer Values) => Request<infer Answer> ? (
      ...values: [...Values, options?: RequestOptions]
    ) => Answer extends (infer Entry)[] ? AsyncIterableIterator<Entry>
      : Promise<Answer>
    : never;
};

/**
 * A connection to the rtnetlink of one namespace (rtnetlink(7)).
 *
 * Keys are the kernel's words in camel case; what is `undefined` was not said. The namespace can't go
 * away while the connection is open.
 *
 * @example The links that are up
 * ```ts
 * import { Rtnl } from "@denolink/denolink";
 *
 * using rtnl = Rtnl.open();
 * for await (const link of rtnl.links.list()) {
 *   if (link.flags?.includes("up")) console.log(link.index, link.name);
 * }
 * ```
 */
export class Rtnl implements Disposable {
  readonly #connection: Connection;
  readonly #objects = new Map<object, unknown>();

  /** The objects behind a connection that it then owns. */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** A connection to the calling thread's namespace. */
  static open(): Rtnl {
    return new Rtnl(Connection.open());
  }

  /** The links: list, get, add, set, setKind, addAltNames, deleteAltNames, delete. */
  get links(): Bound<LinkRequests> {
    return this.#bound(link);
  }

  /** What links have counted: list, get. */
  get linkStatistics(): Bound<LinkStatisticsRequests> {
    return this.#bound(linkStatistics);
  }

  /** The addresses: list, get, add, replace, delete. */
  get addresses(): Bound<AddressRequests> {
    return this.#bound(address);
  }

  /** The labels that choose IPv6 source addresses: list, add, replace, delete. */
  get addressLabels(): Bound<AddressLabelRequests> {
    return this.#bound(addressLabel);
  }

  /** The routes: list, get, add, append, replace, delete. */
  get routes(): Bound<RouteRequests> {
    return this.#bound(route);
  }

  /** The nexthops and their groups: list, get, add, replace, delete. */
  get nexthops(): Bound<NexthopRequests> {
    return this.#bound(nexthop);
  }

  /** The buckets of resilient groups: list. */
  get nexthopBuckets(): Bound<NexthopBucketRequests> {
    return this.#bound(nexthopBucket);
  }

  /** The rules of policy routing: list, add, delete. */
  get rules(): Bound<RuleRequests> {
    return this.#bound(rule);
  }

  /** The neighbours: list, get, add, replace, delete. */
  get neighbours(): Bound<NeighbourRequests> {
    return this.#bound(neighbour);
  }

  /** The settings of the tables of neighbours: list, set. */
  get neighbourTables(): Bound<NeighbourTableRequests> {
    return this.#bound(neighbourTable);
  }

  /** The forwarding tables of bridges and vxlans: list, get, add, append, replace, delete. */
  get forwarding(): Bound<ForwardingRequests> {
    return this.#bound(forwarding);
  }

  /** The VLANs of bridges and their ports: list, add, delete. */
  get bridgeVlans(): Bound<BridgeVlanRequests> {
    return this.#bound(bridgeVlan);
  }

  /** The multicast groups of bridges: list, add, replace, delete. */
  get multicastGroups(): Bound<MulticastGroupRequests> {
    return this.#bound(multicastGroup);
  }

  /** The queueing disciplines: list, add, replace, set, delete. */
  get qdiscs(): Bound<QdiscRequests> {
    return this.#bound(qdisc);
  }

  /** The classes of queueing disciplines: list, add, replace, delete. */
  get trafficClasses(): Bound<TrafficClassRequests> {
    return this.#bound(trafficClass);
  }

  /** The filters of traffic control: list, add, replace, delete. */
  get filters(): Bound<FilterRequests> {
    return this.#bound(filter);
  }

  /** Whether links forward: get. */
  get netconf(): Bound<NetconfRequests> {
    return this.#bound(netconf);
  }

  /** The numbers of other namespaces: list, get, add. */
  get netnsIds(): Bound<NetnsIdRequests> {
    return this.#bound(netnsId);
  }

  /** Sends one request; what it resolves to is the request's own. */
  request<Answer>(request: Request<Answer>, options?: RequestOptions): Promise<Answer> {
    return this.#connection.request(request, options);
  }

  /** The same on this thread: returns with the answer, and holds up the event loop until then. */
  requestSync<Answer>(request: Request<Answer>): Answer {
    return this.#connection.requestSync(request);
  }

  /**
   * Sends many requests in as few system calls as fit; a result or an error for each, in order.
   *
   * What is iterated is asked for the next requests while the kernel carries out those before, so that
   * many need no more time to be built, and not all of them memory at once; when it throws, the batch
   * rejects with that as soon as those are done.
   *
   * @example Many routes, built while they are sent
   * ```ts
   * import { route, Rtnl } from "@denolink/denolink";
   *
   * function* routes(oif: number) {
   *   for (let i = 0; i < 256; i++) yield route.add({ dst: `10.9.${i}.0`, dstLength: 24, oif });
   * }
   * using rtnl = Rtnl.open();
   * const { index } = await rtnl.links.get({ name: "eth0" });
   * const refused = (await rtnl.batch(routes(index!))).filter((it) => it instanceof Error);
   * ```
   */
  batch<const Requests extends Iterable<Request<unknown>>>(
    requests: Requests,
    options?: BatchOptions,
  ): Promise<BatchResults<Requests>> {
    return this.#connection.batch(requests, options);
  }

  /** The same on this thread: returns with all the answers. */
  batchSync<const Requests extends Iterable<Request<unknown>>>(
    requests: Requests,
    options?: Omit<BatchOptions, "signal">,
  ): BatchResults<Requests> {
    return this.#connection.batchSync(requests, options);
  }

  /**
   * Tells of what happens to these objects from now on: events with the old and the new value, until it
   * is closed. It needs this connection, which must stay open.
   *
   * Everything there is of these objects is read once, and kept, so that each event has its old value.
   * When messages are lost, all is read again, and what they said follows as events that are `missed`.
   * {@linkcode InputError} for an object that can't be monitored.
   */
  monitor<const Objects extends MonitoredObject>(
    objects: readonly Objects[],
    options?: MonitorOptions,
  ): Monitor<Objects> {
    return new Monitor(this.#connection, objects, options);
  }

  /**
   * Opens a socket of any family in the connection's namespace (socket(2)): a packet socket is
   * `openSocket(17, 3, 0x300)`. Its descriptor is the caller's, who closes it.
   */
  openSocket(domain: number, type: number, protocol: number): Promise<Descriptor> {
    return this.#connection.openSocket(domain, type, protocol);
  }

  /**
   * Sends one ICMP echo request from the connection's namespace (icmp(7), raw(7), RFC 792, RFC 4443), and
   * resolves to the reply, or to `undefined` when none comes before `timeout` is over.
   *
   * The address is IPv4 or IPv6; a link-local one has its link as its zone, by name or number:
   * `fe80::1%eth0`. {@linkcode NetlinkError} with `ENETUNREACH`, `EHOSTUNREACH` and the like when no route
   * leads there, or when a router or the kernel answers that the request got nowhere; its `kernelMessage`
   * says who and why. The kernel takes some 3 s to find that there is no such neighbour.
   *
   * {@linkcode PermissionError} without CAP_NET_RAW, unless the sysctl `net.ipv4.ping_group_range` of the
   * namespace has a group of the process. {@linkcode NotFoundError} when there is no such link,
   * {@linkcode InputError} for what is no host's address or out of range.
   *
   * @example Whether a container answers
   * ```ts
   * import { Rtnl } from "@denolink/denolink";
   *
   * using rtnl = Rtnl.open();
   * const reply = await rtnl.ping("10.0.0.2", { timeout: 200 });
   * console.log(reply === undefined ? "no answer" : `${reply.milliseconds} ms`);
   * ```
   */
  ping(address: string, options?: PingOptions): Promise<PingReply | undefined> {
    const host: PingHost = {
      openSocket: (...socket) => this.openSocket(...socket),
      linkIndex: async (link) => (await this.links.get(named(link))).index!,
    };
    return ping(host, address, options);
  }

  /** Closes the connection; again is no error. */
  close(): void {
    this.#connection.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** An object when it is first used: to bind all took a third of the time to connect. */
  #bound<Requests extends object>(requests: Requests): Bound<Requests> {
    let object = this.#objects.get(requests);
    if (object === undefined) {
      object = bind(this.#connection, requests);
      this.#objects.set(requests, object);
    }
    return object as Bound<Requests>;
  }
}

/** A link by its number, its name, or a name that only altnames are long enough for. */
function named(link: string | number): LinkSpec {
  if (typeof link === "number") return { index: link };
  return link.length > 15 ? { altName: link } : { name: link };
}

/** Binds the requests of an object to what sends them. */
export function bind<Requests extends object>(
  connection: Pick<Connection, "request" | "stream">,
  requests: Requests,
): Bound<Requests> {
  const makers = requests as Record<string, RequestMaker>;
  const verbs = Object.getOwnPropertyNames(Object.getPrototypeOf(requests));
  const bound = verbs.filter((verb) => verb !== "constructor").map((verb) => {
    const list = (spec: unknown, options?: RequestOptions) =>
      connection.stream(() => makers[verb]!(spec) as Request<unknown[]>, options);
    const ask = async (spec: unknown, options?: RequestOptions) =>
      await connection.request(makers[verb]!(spec), options);
    return [verb, verb === "list" ? list : ask];
  });
  return Object.fromEntries(bound);
}

/** All makers take one value. */
type RequestMaker = (spec: unknown) => Request<unknown>;
