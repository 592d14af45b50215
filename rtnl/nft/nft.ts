/**
 * The nf_tables of one namespace: its tables, chains, rules and sets, changed by transactions.
 *
 * @module
 */

import { AF_NETLINK, NETLINK_NETFILTER, SOCK_RAW } from "../../ffi/constants.ts";
import { NetlinkError } from "../../ffi/errors.ts";
import { NetlinkSocket } from "../../ffi/netlink_socket.ts";
import { Connection, type RequestOptions } from "../connection.ts";
import type { Request } from "../request.ts";
import { bind, type Bound, type Rtnl } from "../rtnl.ts";
import { nftChain, type NftChainRequests } from "./chain.ts";
import { nftElement, type NftElementRequests } from "./element.ts";
import { generation } from "./generation.ts";
import { bracket } from "./message.ts";
import { nftObject, type NftObjectRequests } from "./object.ts";
import { nftRule, type NftRuleRequests } from "./rule.ts";
import { nftSet, type NftSetRequests } from "./set.ts";
import { nftTable, type NftTableRequests } from "./table.ts";

/** How a transaction is made. */
export interface NftTransactionOptions extends RequestOptions {
  /**
   * The generation that the ruleset must be of (`nft.generation()`): where another program has changed
   * it since, nothing is done, and the error's code is "ERESTART".
   * @default {undefined}
   */
  generation?: number | undefined;
}

/**
 * A connection to the nf_tables of one namespace (nft(8)): what the command `nft` does, over netlink.
 *
 * Keys are the kernel's words in camel case; what is `undefined` was not said. Whatever changes something
 * is a transaction: the kernel makes all of it or nothing, and no packet sees it half made. Everything,
 * also a list, needs CAP_NET_ADMIN over the namespace.
 *
 * @example The rules that others have
 * ```ts
 * import { Nft } from "@denolink/denolink";
 *
 * using nft = Nft.open();
 * for await (const { table, chain, userdata, expressions } of nft.rules.list({ family: "ip" })) {
 *   console.log(table, chain, userdata?.comment, expressions?.map(({ name }) => name));
 * }
 * ```
 */
export class Nft implements Disposable {
  readonly #connection: Connection;
  /** The tables: list, get, add, create, delete. */
  readonly tables: Bound<NftTableRequests>;
  /** The chains: list, get, add, create, delete. */
  readonly chains: Bound<NftChainRequests>;
  /** The rules: list, get, add, insert, replace, delete. */
  readonly rules: Bound<NftRuleRequests>;
  /** The sets and maps: list, get, add, create, delete. */
  readonly sets: Bound<NftSetRequests>;
  /** The elements of sets and maps: list, add, create, delete. */
  readonly elements: Bound<NftElementRequests>;
  /** The stateful objects: list, get, add, create, delete. */
  readonly objects: Bound<NftObjectRequests>;

  /** The objects behind a connection to NETLINK_NETFILTER that it then owns. */
  constructor(connection: Connection) {
    this.#connection = connection;
    const sender = {
      stream: connection.stream.bind(connection),
      request: this.request.bind(this),
    } as Pick<Connection, "stream" | "request">;
    this.tables = bind(sender, nftTable);
    this.chains = bind(sender, nftChain);
    this.rules = bind(sender, nftRule);
    this.sets = bind(sender, nftSet);
    this.elements = bind(sender, nftElement);
    this.objects = bind(sender, nftObject);
  }

  /** A connection in the calling thread's namespace. */
  static open(): Nft {
    return new Nft(Connection.open(NETLINK_NETFILTER));
  }

  /**
   * A connection in the namespace of one to rtnetlink, which it does not need afterwards.
   *
   * @example Masquerade what leaves a container's host by another link than its bridge
   * ```ts
   * import { nftMatch, Netns, Nft, replaceNftTable, nftVerdict } from "@denolink/denolink";
   *
   * using netns = Netns.open({ name: "router" });
   * using rtnl = await netns.connect();
   * using nft = await Nft.beside(rtnl);
   * const rule = [
   *   nftMatch.sourceAddress("10.0.0.0/24"),
   *   nftMatch.outputInterface("br0", { not: true }),
   *   nftVerdict.masquerade(),
   * ];
   * await nft.transaction(replaceNftTable({
   *   family: "ip",
   *   name: "containers",
   *   chains: [{
   *     name: "postrouting",
   *     type: "nat",
   *     hook: "postrouting",
   *     priority: "srcnat",
   *     rules: [{ expressions: rule, comment: "br0" }],
   *   }],
   * }));
   * ```
   */
  static async beside(rtnl: Rtnl): Promise<Nft> {
    const descriptor = await rtnl.openSocket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
    const another = (_fd: number, socket: readonly [number, number, number]) =>
      rtnl.openSocket(...socket);
    return new Nft(new Connection(new NetlinkSocket(descriptor, another, NETLINK_NETFILTER)));
  }

  /** Sends one request; what it resolves to is the request's own. A change is a transaction of its own. */
  async request<Answer>(request: Request<Answer>, options?: RequestOptions): Promise<Answer> {
    if (request.form !== "ack") return await this.#connection.request(request, options);
    await this.transaction([request as Request<unknown> as Request<void>], options);
    return request.read([]);
  }

  /** The same on this thread: returns with the answer, and holds up the event loop until then. */
  requestSync<Answer>(request: Request<Answer>): Answer {
    if (request.form !== "ack") return this.#connection.requestSync(request);
    this.transactionSync([request as Request<unknown> as Request<void>]);
    return request.read([]);
  }

  /**
   * Makes all changes, in their order, or none of them: rejects with the error of the first that the
   * kernel refused, which names it. All of it is one message, which must fit the socket's send buffer:
   * without CAP_NET_ADMIN over the host twice the sysctl `net.core.wmem_max`, some 400 KiB.
   *
   * @example A rule in the place of another
   * ```ts
   * import { Nft, nftRule } from "@denolink/denolink";
   *
   * using nft = Nft.open();
   * const chain = { family: "ip", table: "filter", chain: "forward" } as const;
   * const [old] = await Array.fromAsync(nft.rules.list(chain));
   * await nft.transaction([
   *   nftRule.delete({ ...chain, handle: old?.handle }),
   *   nftRule.add({ ...chain, expressions: [{ name: "counter", data: {} }] }),
   * ]);
   * ```
   */
  async transaction(
    changes: readonly Request<void>[],
    { generation, ...options }: NftTransactionOptions = {},
  ): Promise<void> {
    try {
      await this.#connection.transaction(bracket(generation), changes, options);
    } catch (error) {
      throw explained(error);
    }
  }

  /** The same on this thread: returns when it is done. */
  transactionSync(
    changes: readonly Request<void>[],
    { generation }: Omit<NftTransactionOptions, "signal"> = {},
  ): void {
    try {
      this.#connection.transactionSync(bracket(generation), changes);
    } catch (error) {
      throw explained(error);
    }
  }

  /** The generation of the ruleset: a number that is another one after every transaction of anybody. */
  generation(options?: RequestOptions): Promise<number> {
    return this.#connection.request(generation(), options);
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

const REMEDIES: Readonly<Record<string, string>> = {
  ERESTART: "another program changed the ruleset: read it again, and try again",
  EMSGSIZE:
    "it is more than one message holds: raise net.core.wmem_max, or make several transactions",
};

/** An error of a whole transaction, with what to do. */
function explained(error: unknown): unknown {
  const remedy = error instanceof NetlinkError ? REMEDIES[error.code] : undefined;
  if (!(error instanceof NetlinkError) || remedy === undefined) return error;
  return new NetlinkError(error.operation, error.errno, { remedy, cause: error });
}
