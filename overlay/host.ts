/**
 * The host of attachments: its namespace, and a connection to it.
 *
 * @module
 */

import { connect, Netns, type NetnsOptions } from "../netns/netns.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";

/** A host while something is done to it. */
export interface Host {
  readonly netns: Netns;
  readonly rtnl: Rtnl;
  /** Where it is, for functions that act there: in the calling thread's own namespace nobody has to visit. */
  readonly where: NetnsOptions;
}

/** Opens the namespace that the options name, or the calling thread's. */
export async function openHost(options: NetnsOptions): Promise<Host & Disposable> {
  using opening = new DisposableStack();
  const own = options.netns === undefined;
  const netns = opening.use(own ? Netns.current() : Netns.open(options.netns!));
  const where = own ? {} : { netns };
  const rtnl = opening.use(await connect(where));
  const opened = opening.move();
  return { netns, rtnl, where, [Symbol.dispose]: () => opened.dispose() };
}
