/**
 * The rtnetlink of one namespace: its links, addresses and routes.
 *
 * @module
 */

import type { NetlinkError } from "../ffi/errors.ts";
import { netconf, type NetconfRequests } from "./netconf.ts";
import { address, type AddressRequests } from "./address.ts";
import { type BatchOptions, Connection, type Results } from "./connection.ts";
import { link, type LinkRequests } from "./link.ts";
import type { Request } from "./request.ts";
import { route, type RouteRequests } from "./route.ts";

/**
 * The requests of one object, sent over a connection: a list is an async iterable of its entries, the
 * others are promises of their answers.
 */
export type Bound<Requests> = {
  readonly [Verb in keyof Requests]: Requests[Verb] extends
    (...values: infer Values) => Request<infer Answer> ? (
      ...values: Values
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
  /** The links: list, get, add, set, setKind, delete. */
  readonly links: Bound<LinkRequests>;
  /** The addresses: list, add, replace, delete. */
  readonly addresses: Bound<AddressRequests>;
  /** Whether links forward: get. */
  readonly netconf: Bound<NetconfRequests>;
  /** The routes: list, get, add, append, replace, delete. */
  readonly routes: Bound<RouteRequests>;

  /** The objects behind a connection that it then owns. */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.links = bind(connection, link);
    this.addresses = bind(connection, address);
    this.netconf = bind(connection, netconf);
    this.routes = bind(connection, route);
  }

  /** A connection to the calling thread's namespace. */
  static open(): Rtnl {
    return new Rtnl(Connection.open());
  }

  /** Sends one request; what it resolves to is the request's own. */
  request<Answer>(request: Request<Answer>): Promise<Answer> {
    return this.#connection.request(request);
  }

  /** The same on this thread: returns with the answer, and holds up the event loop until then. */
  requestSync<Answer>(request: Request<Answer>): Answer {
    return this.#connection.requestSync(request);
  }

  /** Sends many requests in as few system calls as fit; a result or an error for each, in order. */
  batch<const Requests extends readonly Request<unknown>[]>(
    requests: Requests,
    options?: BatchOptions,
  ): Promise<Results<Requests>> {
    return this.#connection.batch(requests, options);
  }

  /** Closes the connection; again is no error. */
  close(): void {
    this.#connection.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function bind<Requests extends object>(
  connection: Connection,
  requests: Requests,
): Bound<Requests> {
  const verbs = Object.getOwnPropertyNames(Object.getPrototypeOf(requests));
  const bound = verbs.filter((verb) => verb !== "constructor").map((verb) => {
    const ask = (...values: unknown[]) =>
      connection.request(
        (requests as Record<string, RequestMaker>)[verb]!(...values),
      );
    return [
      verb,
      verb === "list" ? (...values: unknown[]) => entries(ask(...values)) : ask,
    ];
  });
  return Object.fromEntries(bound);
}

type RequestMaker = (...values: unknown[]) => Request<unknown>;

async function* entries<Entry>(list: Promise<unknown>): AsyncGenerator<Entry> {
  yield* await list as Entry[];
}
