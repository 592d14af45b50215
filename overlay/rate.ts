/**
 * How fast a container may receive and send: a token bucket on each end of its link (tc-tbf(8)).
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import { qdisc } from "../rtnl/tc/mod.ts";
import type { Request } from "../rtnl/request.ts";

/** The rates of a container, in bits per second, 8,000 to 34,000,000,000. */
export interface Rate {
  /**
   * What it may receive.
   * @default {as much as comes}
   */
  receive?: number | undefined;
  /**
   * What it may send. The limit is on its own end, where a container with CAP_NET_ADMIN can change it.
   * @default {as much as it can}
   */
  send?: number | undefined;
}

/** Refuses rates that can't be meant. */
export function checkRate({ receive, send }: Rate): Rate {
  for (const rate of [receive, send]) {
    if (rate === undefined || Number.isInteger(rate) && rate >= 8000 && rate <= 34e9) continue;
    throw new InputError(
      `Cannot limit a rate to ${rate}: it is a whole number of bits per second, from 8000 to 34000000000`,
    );
  }
  return { receive, send };
}

/** Limits what leaves by a link. */
export function limitRate(index: number, bitsPerSecond: number): Request<void> {
  return qdisc.add({ index, handle: "1:", ...bucketOf(bitsPerSecond) });
}

/** The token bucket of a rate: 10 ms of it at once, and 50 ms waiting at most. */
export function bucketOf(bitsPerSecond: number) {
  const rate = Math.ceil(bitsPerSecond / 8);
  const burst = Math.max(Math.ceil(rate / 100), LEAST_BURST);
  return {
    kind: "tbf",
    options: {
      parameters: {
        rate: { rate, linkLayer: "ethernet" },
        limit: burst + Math.ceil(rate / 20),
      },
      burst,
    },
  } as const;
}

/** Some full-size packets; with less a slow link would never send the largest. */
const LEAST_BURST = 16 * 1024;
