/**
 * What a user asks of an attach, checked before the kernel is touched.
 *
 * @module
 */

import type { NetnsTarget } from "../netns/target.ts";
import { InputError } from "../ffi/errors.ts";
import type { Family } from "./forwarding.ts";
import {
  checkLinkName,
  type Cidr,
  contains,
  isLinkLocal,
  parseHost,
  parseHostCidr,
} from "./input.ts";
import { checkId } from "./tag.ts";

/** What a container shall have. */
export interface AttachSpec {
  /** The container's namespace. */
  netns: NetnsTarget;
  /** Its addresses with their prefixes: "10.0.0.2/24", "fd00::2/64". At least one. */
  addresses: string[];
  /**
   * The bridge that it shall be on. Without one the host routes to each address through a link of its
   * own, and is the container's gateway.
   */
  bridge?: string | undefined;
  /**
   * The gateways of its default routes, one for each family at most.
   * @default {on a bridge none; without one 169.254.1.1 and fe80::1, which the host's end gets}
   */
  gateways?: string[] | undefined;
  /**
   * The link's name in the container, 1 to 15 bytes.
   * @default {"eth0"}
   */
  interface?: string | undefined;
  /**
   * Largest packet in bytes, 68 to 65535; at least 1280 for IPv6.
   * @default {the bridge's, or 1500}
   */
  mtu?: number | undefined;
  /** A name for the container, to find it by: 1 to 64 bytes without blanks. */
  id?: string | undefined;
  /** Called after each step; when it throws, everything is undone. */
  onStep?: ((step: AttachStep) => void | Promise<void>) | undefined;
}

/** The steps of an attach, in order. */
export type AttachStep =
  | "pin the namespace"
  | "create the pair"
  | "route on the host"
  | "configure the container"
  | "switch forwarding on"
  | "look whether the container lives";

/** What the host's end gets where there is no bridge, for a container that was given no gateway. */
const DEFAULT_GATEWAYS: Readonly<Record<Family, string>> = {
  inet: "169.254.1.1",
  inet6: "fe80::1",
};
/** What a spec says, checked and with its defaults. */
export interface Wanted {
  interface: string;
  addresses: Cidr[];
  gateways: Host[];
  mtu: number | undefined;
  id: string | undefined;
}

/** An address without its prefix. */
export type Host = Omit<Cidr, "prefixLength">;

/** Reads a spec; `InputError` for what can't be meant. */
export function readSpec(spec: AttachSpec): Wanted {
  const name = checkLinkName(spec.interface ?? "eth0");
  if (spec.bridge !== undefined) checkLinkName(spec.bridge);
  if (!Array.isArray(spec.addresses) || spec.addresses.length === 0) {
    throw new InputError(`Cannot attach ${name}: it needs an address, such as 10.0.0.2/24`);
  }
  const addresses = spec.addresses.map(parseHostCidr);
  refuseTwice(addresses.map(({ address }) => address), "address", name);
  const gateways = (spec.gateways ?? []).map((gateway) => parseHost(gateway, "gateway"));
  refuseTwice(gateways.map(({ family }) => family), "gateway for", name);
  for (const gateway of gateways) checkGateway(gateway, addresses, spec.bridge !== undefined);
  if (spec.bridge === undefined) gateways.push(...missingGateways(addresses, gateways));
  return {
    interface: name,
    addresses,
    gateways,
    mtu: spec.mtu === undefined ? undefined : checkMtu(spec.mtu, addresses),
    id: spec.id === undefined ? undefined : checkId(spec.id),
  };
}

function refuseTwice(values: string[], what: string, name: string): void {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice === undefined) return;
  throw new InputError(`Cannot attach ${name}: ${what} ${twice} is given twice; give it once`);
}

function checkGateway(gateway: Host, addresses: Cidr[], onBridge: boolean): void {
  const own = addresses.filter(({ family }) => family === gateway.family);
  const list = addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join(
    ", ",
  );
  const problem = own.length === 0
    ? `there is no address of its family among ${list}; add one`
    : own.some(({ address }) => address === gateway.address)
    ? "that is the container's own address; take the bridge's"
    : onBridge && !isLinkLocal(gateway) && !own.some((subnet) => contains(subnet, gateway))
    ? `it is in no subnet of ${list}; take an address of the subnet, or a shorter prefix`
    : undefined;
  if (problem) throw new InputError(`Cannot use gateway ${gateway.address}: ${problem}`);
}

function missingGateways(addresses: Cidr[], gateways: Host[]): Host[] {
  return familiesOf(addresses)
    .filter((family) => !gateways.some((gateway) => gateway.family === family))
    .map((family) => parseHost(DEFAULT_GATEWAYS[family], "gateway"));
}

function checkMtu(mtu: number, addresses: Cidr[]): number {
  const least = familiesOf(addresses).includes("inet6") ? 1280 : 68;
  if (Number.isInteger(mtu) && mtu >= least && mtu <= 65535) return mtu;
  throw new InputError(`Cannot use MTU ${mtu}: it is a whole number from ${least} to 65535`);
}

/** IPv4, IPv6 or both. */
export function familiesOf(hosts: Host[]): Family[] {
  return [...new Set(hosts.map(({ family }) => family))];
}
