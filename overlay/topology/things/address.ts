/**
 * Addresses of links. Who made them says their protocol number (linux/if_addr.h, IFA_PROTO).
 *
 * @module
 */

import { address } from "../../../rtnl/address.ts";
import type { Address } from "../../../rtnl/address.ts";
import { flagsAtOnce } from "../../addresses.ts";
import { parseCidr, subnetOf } from "../../input.ts";
import { differ } from "../canonical.ts";
import { nameOf } from "../place.ts";
import type { Path } from "../problem.ts";
import type { Thing, ThingType, Work } from "../state.ts";
import { addressesOf } from "../units.ts";

/** An address with its prefix, and its link. */
export interface AddressValue {
  address: string;
  dev: string;
  /** How many addresses of the same subnet come before it: the first is the one that packets get (IPv4). */
  before: number;
}

/** Addresses of links. */
export const ADDRESSES: ThingType<AddressValue> = {
  kind: "address",
  wanted: ({ links }) =>
    inOrder([...links].flatMap(([dev, { entry, path }]) =>
      addressesOf(entry).map((text, i) => {
        const { address, prefixLength } = parseCidr(text);
        const key = entry.address === undefined ? ["addresses", i] : ["address"];
        return { address: `${address}/${prefixLength}`, dev, path: [...path, ...key] };
      })
    )),
  found: ({ addresses, memory, place }) =>
    inOrder(
      addresses.filter(({ protocol }) => protocol === memory.protocol).map((it) => ({
        address: `${it.local ?? it.address}/${it.prefixLength}`,
        dev: nameOf(place, it.index),
      })),
    ),
  compare: differ,
  on: ({ dev }, netns) => [{ netns, link: dev }],
  add: (work, value) => [
    address.add({
      ...specOf(work, value),
      flags: flagsAtOnce(parseCidr(value.address).family),
      protocol: work.place.memory!.protocol,
    }),
  ],
  remove: (work, value) => [address.delete(specOf(work, value))],
};

/** Addresses as things; those of IPv4 are counted within their subnets. */
function inOrder(
  all: readonly { address: string; dev: string; path?: Path }[],
): Thing<AddressValue>[] {
  const counts = new Map<string, number>();
  return all.map(({ address, dev, path }) => {
    const cidr = parseCidr(address);
    const subnet = `${subnetOf(cidr)} ${dev}`;
    const before = cidr.family === "inet" ? counts.get(subnet) ?? 0 : 0;
    counts.set(subnet, before + 1);
    return { name: `${address} dev ${dev}`, value: { address, dev, before }, path };
  });
}

function specOf({ index }: Work, { address, dev }: AddressValue): Address {
  const { family, address: own, prefixLength } = parseCidr(address);
  return { index: index(dev), family, address: own, prefixLength };
}
