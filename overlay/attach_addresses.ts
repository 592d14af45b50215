/**
 * The addresses that a bridge gives to a container: the next free ones of its subnets.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import type { Host, Wanted } from "./attach_input.ts";
import { leasesOf } from "./leases.ts";
import type { Bridge } from "./bridges.ts";
import { FAMILIES } from "./forwarding.ts";
import { type Cidr, contains, isLinkLocal, parseCidr } from "./input.ts";
import { nextFree, PoolExhaustedError } from "./pool.ts";

/**
 * What is wanted, with the addresses and gateways that were to be chosen. The host's lock is held, so that
 * nobody else chooses the same.
 */
export async function chooseAddresses(
  rtnl: Rtnl,
  bridge: Bridge,
  wanted: Wanted,
): Promise<Wanted> {
  const subnets = await subnetsOf(rtnl, bridge);
  const addresses = wanted.auto === undefined
    ? wanted.addresses
    : [...wanted.addresses, ...await nextOf(rtnl, bridge, subnets, wanted)];
  if (!wanted.autoGateways) return { ...wanted, addresses };
  const own = subnets.filter((subnet) => addresses.some((it) => contains(subnet, it)));
  const gateways = FAMILIES.flatMap((family) => {
    const isOf = (it: Host) => it.family === family;
    return wanted.gateways.find(isOf) ?? own.find(isOf) ?? [];
  });
  return { ...wanted, addresses, gateways };
}

/** The bridge's addresses with their prefixes, IPv4 first. */
async function subnetsOf(rtnl: Rtnl, { index }: Bridge): Promise<Cidr[]> {
  const addresses = await Array.fromAsync(rtnl.addresses.list({ index }));
  return addresses
    .map((it) => parseCidr(`${it.local ?? it.address}/${it.prefixLength}`))
    .filter((subnet) => !isLinkLocal(subnet))
    .sort((a, b) => a.family < b.family ? -1 : a.family > b.family ? 1 : 0);
}

async function nextOf(
  rtnl: Rtnl,
  bridge: Bridge,
  subnets: readonly Cidr[],
  wanted: Wanted,
): Promise<Cidr[]> {
  const families = FAMILIES.filter((family) =>
    subnets.some((it) => it.family === family) &&
    !wanted.addresses.some((it) => it.family === family)
  );
  if (families.length === 0) {
    throw new InputError(
      `Cannot choose an address for ${wanted.interface}: bridge ${bridge.name} has no subnet ${
        wanted.addresses.length === 0 ? "" : "of another family than the addresses given "
      }to choose from; give it an address such as 10.0.0.1/24`,
    );
  }
  const taken = new Set([
    ...subnets.map(({ address }) => address),
    ...wanted.gateways.map(({ address }) => address),
    ...(await leasesOf(rtnl, bridge)).map((it) => it.slice(0, it.indexOf("/"))),
  ]);
  return families.map((family) => {
    const own = subnets.filter((subnet) => subnet.family === family);
    for (const subnet of own) {
      const address = nextFree(subnet, wanted.auto!, taken);
      if (address !== undefined) return parseCidr(`${address}/${subnet.prefixLength}`);
    }
    const list = own.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join(", ");
    throw new PoolExhaustedError(
      `Cannot choose an address for ${wanted.interface}: every address of ${list} on bridge ${bridge.name} that may be given is taken; detach a container, or give the bridge another subnet`,
    );
  });
}
