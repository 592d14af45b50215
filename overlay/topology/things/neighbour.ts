/**
 * Neighbours that don't change. Who made them says their protocol number (linux/neighbour.h, NDA_PROTOCOL).
 *
 * @module
 */

import { errnoOf } from "../../../ffi/errno.ts";
import { ExistsError } from "../../../ffi/errors.ts";
import { type Neighbour, neighbour } from "../../../rtnl/neighbour.ts";
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
  add: (work, value) => () => addOver(work, value),
  remove: (work, value) => [neighbour.delete(requestOf(work, value))],
};

function nameIt({ to, dev, proxy }: NeighbourEntry): string {
  return `${proxy ? "proxy " : ""}${to} dev ${dev}`;
}

/** In the place of one that the kernel has found, or looks for; what somebody has said stays. */
async function addOver(work: Work, value: NeighbourEntry): Promise<void> {
  const { rtnl, memory } = work.place;
  const spec = { ...requestOf(work, value), protocol: memory!.protocol };
  const request = neighbour.add(spec);
  // The kernel would hand over a proxy of somebody else's without a word.
  if (value.proxy) {
    if (await findOne(work, value)) throw new ExistsError(request.operation, errnoOf("EEXIST"));
    return await rtnl.request(request);
  }
  try {
    await rtnl.request(request);
  } catch (error) {
    const isKernels = error instanceof ExistsError &&
      !(await findOne(work, value))?.state?.includes("permanent");
    if (!isKernels) throw error;
    await rtnl.request(neighbour.replace(spec));
  }
}

async function findOne(
  { place, index }: Work,
  { to, dev, proxy }: NeighbourEntry,
): Promise<Neighbour | undefined> {
  const filter = proxy ? { flags: ["proxy"] as const } : { index: index(dev) };
  const all = await place.rtnl.request(neighbour.list(filter));
  return all.find((it) => it.dst === to && it.index === index(dev));
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
