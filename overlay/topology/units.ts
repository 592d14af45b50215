/**
 * Rates, times, shares, ports and the ends of links as a topology writes them.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import { checkLinkName, type Cidr, parseCidr, parseHost } from "../input.ts";
import { checkRate } from "../rate.ts";
import type { PublishedPort } from "../tag.ts";
import type { PublishEntry } from "./types.ts";

/** What a unit is worth. */
export type Units = Readonly<Record<string, number>>;

/** Bits in a second (tc(8), "UNITS"). */
export const RATES: Units = {
  bit: 1,
  kbit: 1e3,
  mbit: 1e6,
  gbit: 1e9,
  tbit: 1e12,
  kibit: 2 ** 10,
  mibit: 2 ** 20,
  gibit: 2 ** 30,
  tibit: 2 ** 40,
  bps: 8,
  kbps: 8e3,
  mbps: 8e6,
  gbps: 8e9,
  tbps: 8e12,
  kibps: 8 * 2 ** 10,
  mibps: 8 * 2 ** 20,
  gibps: 8 * 2 ** 30,
  tibps: 8 * 2 ** 40,
  "": 1,
};
/** Nanoseconds. */
const TIMES: Units = {
  ns: 1,
  nsec: 1,
  nsecs: 1,
  us: 1e3,
  usec: 1e3,
  usecs: 1e3,
  ms: 1e6,
  msec: 1e6,
  msecs: 1e6,
  s: 1e9,
  sec: 1e9,
  secs: 1e9,
};

/** A number with a unit, in what the units are worth; `undefined` for what is none. */
export function parseAmount(text: string, units: Units): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text) ?? [];
  const name = unit.toLowerCase();
  if (digits === undefined || !Object.hasOwn(units, name)) return undefined;
  return Math.round(Number(digits) * units[name]!);
}

/** Bits in a second, 8,000 to 34,000,000,000, from "10mbit" or the number itself. */
export function parseRate(rate: string | number): number {
  const bits = typeof rate === "number" ? rate : parseAmount(rate, RATES);
  if (bits === undefined) throw unreadable("rate", rate, "10mbit");
  return checkRate({ send: bits }).send!;
}

/** Nanoseconds, from "50ms" or a number of milliseconds. */
export function parseTime(time: string | number): number {
  const nanoseconds = typeof time === "number" ? Math.round(time * 1e6) : parseAmount(time, TIMES);
  if (nanoseconds === undefined) throw unreadable("time", time, "50ms");
  if (nanoseconds >= 0 && nanoseconds <= Number.MAX_SAFE_INTEGER) return nanoseconds;
  throw new InputError(
    `Cannot read time ${
      JSON.stringify(time)
    }: a time is from 0 to ${Number.MAX_SAFE_INTEGER} nanoseconds`,
  );
}

/** A share in parts of 2^32, 4294967295 at most, from "0.5%" or a number of percent. */
export function parsePercent(share: string | number): number {
  const [, digits] = /^(\d+(?:\.\d+)?)%$/.exec(String(share)) ?? [];
  const percent = typeof share === "number" ? share : Number(digits);
  if (typeof share !== "number" && digits === undefined) throw unreadable("share", share, "0.5%");
  if (percent >= 0 && percent <= 100) {
    return Math.min(0xffffffff, Math.round(percent / 100 * 2 ** 32));
  }
  throw new InputError(`Cannot read share ${JSON.stringify(share)}: a share is from 0% to 100%`);
}

/** A port of the host that leads to one of a container, from "53:5353/udp" or its parts. */
export function parsePublish(entry: string | PublishEntry): PublishedPort {
  if (typeof entry !== "string") {
    const { protocol = "tcp", hostPort, port } = entry;
    return { protocol, hostPort: checkPort(hostPort), port: checkPort(port) };
  }
  const [, hostPort, port, protocol = "tcp"] = /^(\d+):(\d+)(?:\/(tcp|udp))?$/.exec(entry) ?? [];
  if (hostPort === undefined || protocol !== "tcp" && protocol !== "udp") {
    throw unreadable("port", entry, '8080:80" or "53:5353/udp');
  }
  return { protocol, hostPort: checkPort(Number(hostPort)), port: checkPort(Number(port)) };
}

/** Where a link is: the namespace's name in the topology, "host" for the host's, and the link's. */
export interface Endpoint {
  netns: string;
  link: string;
}

/** A link from "r1:eth0", or from "eth0", which is in the namespace `here`. */
export function parseEndpoint(text: string, here: string): Endpoint {
  // A link's name has no colon, that of a namespace may.
  const at = text.lastIndexOf(":");
  const netns = at < 0 ? here : text.slice(0, at);
  if (netns === "") throw unreadable("link", text, "r1:eth0");
  return { netns, link: checkLinkName(text.slice(at + 1)) };
}

/** The addresses of a link, a bridge or an attachment, "auto" too; none where it says none. */
export function addressesOf(entry: string | readonly string[] | Addressed): string[] {
  if (typeof entry === "string") return [entry];
  if (isList(entry)) return [...entry];
  const { address, addresses = [] } = entry;
  if (address !== undefined && entry.addresses !== undefined) {
    throw new InputError('Cannot use both "address" and "addresses": say all in "addresses"');
  }
  return address === undefined ? [...addresses] : [address];
}

/** What has addresses. */
interface Addressed {
  address?: string | undefined;
  addresses?: readonly string[] | undefined;
}

function isList(value: object): value is readonly string[] {
  return Array.isArray(value);
}

/** A subnet from "10.0.0.0/8", or a single address, whose prefix is then all of it. */
export function parseSubnet(text: string): Cidr {
  if (text.includes("/")) return parseCidr(text);
  const host = parseHost(text, "address");
  return { ...host, prefixLength: host.bytes.length * 8 };
}

/** Where packets are led: an address and its port. */
export interface Target {
  family: Cidr["family"];
  address: string;
  port: number;
}

/** An address and a port, from "10.2.0.2:80" or "[fd00::2]:80". */
export function parseTarget(text: string): Target {
  const [, six, four, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  if (port === undefined) throw unreadable("target", text, '10.2.0.2:80" or "[fd00::2]:80');
  const { family, address } = parseHost(six ?? four ?? "", "target");
  if ((six !== undefined) !== (family === "inet6")) {
    throw unreadable("target", text, '10.2.0.2:80" or "[fd00::2]:80');
  }
  return { family, address, port: checkPort(Number(port)) };
}

function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port;
  throw new InputError(`Cannot use port ${port}: a port is a whole number from 1 to 65535`);
}

function unreadable(what: string, value: unknown, example: string): InputError {
  return new InputError(`Cannot read ${what} ${JSON.stringify(value)}: write it as "${example}"`);
}
