/**
 * What a user wrote, checked before the kernel is asked.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import { formatAddress, parseAddress } from "../rtnl/codec/ip.ts";

const encoder = new TextEncoder();

/** A link's name: 1 to 15 bytes, none of `/`, `:`, `%`, blanks or control characters. */
export function checkLinkName(name: string): string {
  const problem = typeof name !== "string" || name === ""
    ? "a name has at least one character"
    : encoder.encode(name).length > 15
    ? `a name has at most 15 bytes, this one has ${encoder.encode(name).length}`
    : name === "." || name === ".."
    ? "the kernel takes no such name"
    : /[\s\p{Cc}]/u.test(name)
    ? "a name has no blanks or control characters"
    : /[/:%]/.test(name)
    ? `a name has no "${name.match(/[/:%]/)![0]}"`
    : undefined;
  if (problem) throw new InputError(`Cannot use link name ${JSON.stringify(name)}: ${problem}`);
  return name;
}

/** An IP address with the length of its subnet's prefix. */
export interface Cidr {
  family: "inet" | "inet6";
  /** In its canonical form (RFC 5952). */
  address: string;
  bytes: Uint8Array<ArrayBuffer>;
  prefixLength: number;
}

/** Reads "10.0.0.2/24" or "fd00::2/64". */
export function parseCidr(text: string): Cidr {
  const [address = "", length, ...rest] = String(text).split("/");
  const bytes = parseAddress(address);
  const bits = (bytes?.length ?? 0) * 8;
  const problem = bytes === undefined
    ? "that is no IPv4 or IPv6 address"
    : length === undefined
    ? `the prefix length is missing; write it as ${address}/${bits === 32 ? 24 : 64}`
    : rest.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > bits
    ? `the prefix length is a number from 0 to ${bits}`
    : undefined;
  if (problem) throw new InputError(`Cannot read address ${JSON.stringify(text)}: ${problem}`);
  return { ...described(bytes!), prefixLength: Number(length) };
}

/** Reads an address without a prefix. */
export function parseHost(text: string, what: string): Omit<Cidr, "prefixLength"> {
  const bytes = parseAddress(String(text));
  if (bytes === undefined) {
    throw new InputError(
      `Cannot read ${what} ${JSON.stringify(text)}: that is no IPv4 or IPv6 address`,
    );
  }
  return described(bytes);
}

function described(bytes: Uint8Array<ArrayBuffer>): Omit<Cidr, "prefixLength"> {
  return {
    family: bytes.length === 4 ? "inet" : "inet6",
    address: formatAddress(bytes),
    bytes,
  };
}

/** Reads an address that a container shall have: one that stands for a single host. */
export function parseHostCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  const { family, bytes, prefixLength } = cidr;
  const hostBits = bytes.length * 8 - prefixLength;
  const subnet = family === "inet" && hostBits >= 2;
  const problem = isUnspecified(cidr)
    ? "it stands for no host"
    : isMulticast(cidr)
    ? "it is a multicast or reserved address"
    : subnet && hostPartIs(0, cidr)
    ? "it is the address of the network itself"
    : subnet && hostPartIs(1, cidr)
    ? "it is the broadcast address of the network"
    : undefined;
  if (problem) {
    throw new InputError(
      `Cannot give address ${text} to a container: ${problem}; take another one of the subnet`,
    );
  }
  return cidr;
}

/** Whether an address is inside the subnet of another. */
export function contains(subnet: Cidr, { bytes }: { bytes: Uint8Array }): boolean {
  return bytes.length === subnet.bytes.length &&
    bytes.every((byte, i) => ((byte ^ subnet.bytes[i]!) & ~hostMask(subnet, i)) === 0);
}

/** The subnet that an address is in: "10.0.0.0/24" of 10.0.0.2/24. */
export function subnetOf(cidr: Cidr): string {
  const network = cidr.bytes.map((byte, i) => byte & ~hostMask(cidr, i));
  return `${formatAddress(network)}/${cidr.prefixLength}`;
}

/** Whether an IPv6 address is link-local: on the link by definition (RFC 4291, 2.5.6). */
export function isLinkLocal({ bytes }: { bytes: Uint8Array }): boolean {
  return bytes.length === 16 && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

/** Whether an address is 0.0.0.0 or ::, which stands for no host. */
export function isUnspecified({ bytes }: { bytes: Uint8Array }): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Whether an address is that of a group (RFC 5771; RFC 4291, 2.7) or, IPv4, reserved (RFC 1112, 4). */
export function isMulticast({ bytes }: { bytes: Uint8Array }): boolean {
  return bytes.length === 4 ? bytes[0]! >= 224 : bytes[0] === 0xff;
}

/** Whether all bits behind the prefix are 0, or all are 1. */
function hostPartIs(bit: 0 | 1, cidr: Cidr): boolean {
  return cidr.bytes.every((byte, i) => {
    const mask = hostMask(cidr, i);
    return (byte & mask) === (bit === 0 ? 0 : mask);
  });
}

/** The bits of one byte that are behind the prefix. */
function hostMask({ prefixLength }: Cidr, byte: number): number {
  return 0xff >> Math.min(Math.max(prefixLength - 8 * byte, 0), 8);
}
