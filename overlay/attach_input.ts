/**
 * What a user asks of an attach, checked before the kernel is touched.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import type { NetnsTarget } from "../netns/target.ts";
import { type BridgeSpec, readBridgeSpec, type WantedBridge } from "./attach_bridge.ts";
import type { Family } from "./forwarding.ts";
import {
  checkLinkName,
  type Cidr,
  contains,
  isLinkLocal,
  parseCidr,
  parseHost,
  parseHostCidr,
} from "./input.ts";
import { type AddressPool, type Ranges, readPool } from "./pool.ts";
import { checkRate, type Rate } from "./rate.ts";
import { checkId, checkOwner, DEFAULT_OWNER, type PublishedPort } from "./tag.ts";

/** What a container shall have. */
export interface AttachSpec {
  /** The container's namespace. */
  netns: NetnsTarget;
  /**
   * Whether a namespace of that name is made where there is none; it goes with its last attachment, unless
   * a program is in it.
   * @default {false}
   */
  createNetns?: boolean | undefined;
  /**
   * Its addresses with their prefixes: "10.0.0.2/24", "fd00::2/64"; or "auto", the next free one of each
   * of the bridge's subnets whose family has none of them. At least one.
   */
  addresses: string[];
  /**
   * Which addresses "auto" chooses from.
   * @default {all of the bridge's subnets}
   */
  pool?: AddressPool | undefined;
  /**
   * The bridge that it shall be on: the name of one that is there, or what it shall be like, so that it is
   * made with its first container and goes with its last. Without one the host routes to each address
   * through a link of its own, and is the container's gateway.
   */
  bridge?: string | BridgeSpec | undefined;
  /**
   * The gateways of its default routes, one for each family at most; or "auto", the bridge's own
   * addresses.
   * @default {on a bridge none; without one 169.254.1.1 and fe80::1, which the host's end gets}
   */
  gateways?: string[] | undefined;
  /**
   * Further routes: their destination with its prefix, and their gateway.
   * @default {[]}
   */
  routes?: readonly RouteSpec[] | undefined;
  /**
   * The link's name in the container, 1 to 15 bytes. A container may have several.
   * @default {"eth0"}
   */
  interface?: string | undefined;
  /**
   * Its MAC address: "02:00:5e:10:00:01".
   * @default {one of the kernel's choice}
   */
  mac?: string | undefined;
  /**
   * Largest packet in bytes, 68 to 65535; at least 1280 for IPv6.
   * @default {the bridge's, which is the smallest of its ports', or 1500}
   */
  mtu?: number | undefined;
  /** A name for the container, to find it by: 1 to 64 bytes without blanks. */
  id?: string | undefined;
  /**
   * Whose it is: an owner's `detach` and `sweep` leave those of others alone. 1 to 15 letters from a to
   * z, digits and hyphens.
   * @default {"denolink"}
   */
  owner?: string | undefined;
  /**
   * Whether it takes the place of what is attached under the same name and id.
   * @default {false}
   */
  replace?: boolean | undefined;
  /**
   * Whether frames may leave by the bridge port that they came in by.
   * @default {false}
   */
  hairpin?: boolean | undefined;
  /**
   * Whether it can reach no other isolated port of the bridge (IFLA_BRPORT_ISOLATED).
   * @default {false}
   */
  isolated?: boolean | undefined;
  /** How fast it may receive and send. */
  rate?: Rate | undefined;
  /**
   * Kernel settings of the container, by their keys; put back when the attach fails.
   * @default {{}}
   */
  sysctls?: Readonly<Record<string, string | number>> | undefined;
  /**
   * Whether what it sends to other networks gets an address of the host's (NAT).
   * @default {false}
   */
  masquerade?: boolean | undefined;
  /**
   * Ports of the host that lead to the container's. Such a port answers to others and to the host itself by
   * every address of the host but those of its loopback.
   * @default {[]}
   */
  publish?: readonly PublishedPort[] | undefined;
  /**
   * Called after each step; when it throws, everything is undone. The host's lock is held meanwhile, so it
   * must not attach, detach or sweep.
   */
  onStep?: ((step: AttachStep) => void | Promise<void>) | undefined;
}

/** A route of a container. */
export interface RouteSpec {
  /** Its destination with its prefix: "10.9.0.0/16". */
  destination: string;
  /**
   * The gateway.
   * @default {none: the destination is on the link}
   */
  gateway?: string | undefined;
}

/** The steps of an attach, in order; those that are not needed are left out. */
export type AttachStep =
  | "pin the namespace"
  | "make the bridge"
  | "create the pair"
  | "route on the host"
  | "limit the rate"
  | "configure the container"
  | "set sysctls"
  | "switch forwarding on"
  | "translate addresses"
  | "look whether the container lives"
  | "commit";

/** What the host's end gets where there is no bridge, for a container that was given no gateway. */
const DEFAULT_GATEWAYS: Readonly<Record<Family, string>> = {
  inet: "169.254.1.1",
  inet6: "fe80::1",
};

/** What a spec says, checked and with its defaults. */
export interface Wanted {
  owner: string;
  /** The name of the namespace to make where there is none. */
  createNetns: string | undefined;
  interface: string;
  bridge: WantedBridge | undefined;
  addresses: Cidr[];
  /** Which addresses are still to be chosen, if any. */
  auto: Ranges | undefined;
  gateways: Host[];
  /** Whether the bridge's own addresses are gateways. */
  autoGateways: boolean;
  routes: { destination: Cidr; gateway: Host | undefined }[];
  mac: string | undefined;
  mtu: number | undefined;
  id: string | undefined;
  replace: boolean;
  hairpin: boolean;
  isolated: boolean;
  rate: Rate;
  sysctls: Readonly<Record<string, string | number>>;
  masquerade: boolean;
  publish: PublishedPort[];
}

/** An address without its prefix. */
export type Host = Omit<Cidr, "prefixLength">;

const AUTO = "auto";

/** Reads a spec; `InputError` for what can't be meant. */
export function readSpec(spec: AttachSpec): Wanted {
  const name = checkLinkName(spec.interface ?? "eth0");
  const refuse = (problem: string): never => {
    throw new InputError(`Cannot attach ${name}: ${problem}`);
  };
  const bridge = spec.bridge === undefined ? undefined : readBridgeSpec(spec.bridge);
  const onBridge = bridge !== undefined;
  if (!Array.isArray(spec.addresses) || spec.addresses.length === 0) {
    refuse("it needs an address, such as 10.0.0.2/24");
  }
  const addresses = spec.addresses.filter((text) => text !== AUTO).map(parseHostCidr);
  refuseTwice(addresses.map(({ address }) => address), "address", name);
  const auto = spec.addresses.includes(AUTO) ? readPool(spec.pool) : undefined;
  if (auto !== undefined && !onBridge) {
    refuse(
      "auto takes the next free address of a bridge's subnet, and there is no bridge; name one",
    );
  }
  if (auto === undefined && spec.pool !== undefined) {
    refuse('a pool is what the address "auto" is taken from, and it is not among the addresses');
  }
  const autoGateways = spec.gateways?.includes(AUTO) ?? false;
  if (autoGateways && !onBridge) {
    refuse("without a bridge the host's end is the gateway; leave auto out");
  }
  const gateways = (spec.gateways ?? []).filter((text) => text !== AUTO)
    .map((gateway) => parseHost(gateway, "gateway"));
  refuseTwice(gateways.map(({ family }) => family), "gateway for", name);
  if (auto === undefined) checkGateways(gateways, addresses, onBridge);
  if (!onBridge) gateways.push(...missingGateways(addresses, gateways));
  if (!onBridge && (spec.hairpin || spec.isolated)) {
    refuse(
      "hairpin and isolated are settings of a bridge's port, and there is no bridge; name one",
    );
  }
  return {
    owner: checkOwner(spec.owner ?? DEFAULT_OWNER),
    createNetns: spec.createNetns ? nameOf(spec.netns, refuse) : undefined,
    interface: name,
    bridge,
    addresses,
    auto,
    gateways,
    autoGateways,
    routes: (spec.routes ?? []).map(readRoute),
    mac: spec.mac === undefined ? undefined : checkMac(spec.mac),
    mtu: spec.mtu === undefined ? undefined : checkMtu(spec.mtu, addresses),
    id: spec.id === undefined ? undefined : checkId(spec.id),
    replace: spec.replace ?? false,
    hairpin: spec.hairpin ?? false,
    isolated: spec.isolated ?? false,
    rate: checkRate(spec.rate ?? {}),
    sysctls: spec.sysctls ?? {},
    masquerade: spec.masquerade ?? false,
    publish: checkPublished(spec.publish ?? [], name),
  };
}

function nameOf(target: NetnsTarget, refuse: (problem: string) => never): string {
  if ("name" in target && typeof target.name === "string") return target.name;
  return refuse("only a namespace with a name can be made; give { name }");
}

function readRoute({ destination, gateway }: RouteSpec): Wanted["routes"][number] {
  const to = parseCidr(destination);
  const by = gateway === undefined ? undefined : parseHost(gateway, "gateway");
  if (by === undefined || by.family === to.family) return { destination: to, gateway: by };
  throw new InputError(
    `Cannot route ${destination} by ${gateway}: one is IPv4 and the other IPv6; take a gateway of the same family`,
  );
}

function checkPublished(ports: readonly PublishedPort[], name: string): PublishedPort[] {
  for (const { protocol, hostPort, port } of ports) {
    const problem = protocol !== "tcp" && protocol !== "udp"
      ? `a protocol is tcp or udp, got ${JSON.stringify(protocol)}`
      : [hostPort, port].some((it) => !Number.isInteger(it) || it < 1 || it > 65535)
      ? `a port is a whole number from 1 to 65535, got ${hostPort} and ${port}`
      : undefined;
    if (problem) throw new InputError(`Cannot publish a port of ${name}: ${problem}`);
  }
  refuseTwice(ports.map(({ protocol, hostPort }) => `${protocol} ${hostPort}`), "port", name);
  return ports.map(({ protocol, hostPort, port }) => ({ protocol, hostPort, port }));
}

function refuseTwice(values: string[], what: string, name: string): void {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice === undefined) return;
  throw new InputError(`Cannot attach ${name}: ${what} ${twice} is given twice; give it once`);
}

/** Refuses gateways that addresses can't have. */
export function checkGateways(
  gateways: readonly Host[],
  addresses: readonly Cidr[],
  onBridge: boolean,
): void {
  for (const gateway of gateways) checkGateway(gateway, addresses, onBridge);
}

function checkGateway(gateway: Host, addresses: readonly Cidr[], onBridge: boolean): void {
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

function checkMac(mac: string): string {
  const bytes = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)
    ? mac.split(":").map((byte) => parseInt(byte, 16))
    : undefined;
  const problem = bytes === undefined
    ? "it is six bytes, such as 02:00:5e:10:00:01"
    : (bytes[0]! & 1) === 1
    ? "it is a group's"
    : bytes.every((byte) => byte === 0)
    ? "it is nobody's"
    : undefined;
  if (problem) throw new InputError(`Cannot use MAC address ${JSON.stringify(mac)}: ${problem}`);
  return mac.toLowerCase();
}

function checkMtu(mtu: number, addresses: Cidr[]): number {
  const least = familiesOf(addresses).includes("inet6") ? 1280 : 68;
  if (Number.isInteger(mtu) && mtu >= least && mtu <= 65535) return mtu;
  throw new InputError(`Cannot use MTU ${mtu}: it is a whole number from ${least} to 65535`);
}

/** IPv4, IPv6 or both. */
export function familiesOf(hosts: readonly Host[]): Family[] {
  return [...new Set(hosts.map(({ family }) => family))];
}
