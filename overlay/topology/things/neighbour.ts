/**
 * Neighbours that don't change. Who made them says their protocol number (linux/neighbour.h, NDA_PROTOCOL).
 *
 * @module
 */

import { errnoOf } from "../../../ffi/errno.ts";
import { ExistsError } from "../../../ffi/errors.ts";
import { type Neighbour, neighbour } from "../../../rtnl/neighbour.ts";
import type { Request } from "../../../rtnl/request.ts";
import { parseHost } from "../../input.ts";
import { differ, said } from "../canonical.ts";
import { nameOf } from "../place.ts";
import type { ThingType, Work } from "../state.ts";
import type { NeighbourEntry } from "../types.ts";

/** Neighbours that don't change. */
export const NEIGHBOURS: ThingType<NeighbourEntry> = {
  kind: "neighbour",
  wanted: ({ spec, path }) =>
    (spec.neighbours ?? []).map((entry, i) => {
      const { to, dev, mac, proxy } = entry;
      const value = said({
        to: parseHost(to, "neighbour").address,
        dev,
        mac: mac?.toLowerCase(),
        proxy: proxy || undefined,
      }) as NeighbourEntry;
      return { name: nameIt(value), value, path: [...path, "neighbours", i] };
    }),
  found: ({ neighbours, memory, place }) =>
    neighbours.filter(({ protocol }) => protocol === memory.protocol).map((it) => {
      const value = valueOf(it, nameOf(place, it.index));
      return { name: nameIt(value), value };
    }),
  compare: differ,
  on: ({ dev }, netns) => [{ netns, link: dev }],
  add: (work, value) => {
    const request = neighbour.add({
      ...requestOf(work, value),
      protocol: work.place.memory!.protocol,
    });
    return value.proxy ? () => addProxy(work, value, request) : [request];
  },
  remove: (work, value) => [neighbour.delete(requestOf(work, value))],
};

function nameIt({ to, dev, proxy }: NeighbourEntry): string {
  return `${proxy ? "proxy " : ""}${to} dev ${dev}`;
}

/** The kernel would hand somebody else's over without a word. */
async function addProxy(
  { place, index }: Work,
  { to, dev }: NeighbourEntry,
  request: Request<void>,
): Promise<void> {
  const proxies = await place.rtnl.request(neighbour.list({ flags: ["proxy"] }));
  if (proxies.some((it) => it.dst === to && it.index === index(dev))) {
    throw new ExistsError(request.operation, errnoOf("EEXIST"));
  }
  await place.rtnl.request(request);
}

/** A neighbour of the kernel's as an entry. */
export function valueOf({ dst, address, flags }: Neighbour, dev: string): NeighbourEntry {
  const proxy = flags?.includes("proxy") || undefined;
  return said({ to: dst!, dev, mac: proxy ? undefined : address, proxy }) as NeighbourEntry;
}

function requestOf({ index }: Work, { to, dev, mac, proxy }: NeighbourEntry): Neighbour {
  return said({
    index: index(dev),
    dst: to,
    address: mac,
    flags: proxy ? ["proxy"] as const : undefined,
  });
}
