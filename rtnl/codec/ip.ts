/**
 * IP addresses as text (RFC 4291, RFC 5952) and as bytes.
 *
 * @module
 */

/** The 4 or 16 bytes of an address, or `undefined` when the text is none. */
export function parseAddress(
  text: string,
): Uint8Array<ArrayBuffer> | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/**
 * An address and its zone, the link that it belongs to (RFC 4007, 11): `fe80::1%eth0`; `undefined` when
 * the text is none.
 */
export function parseZoned(
  text: string,
): { bytes: Uint8Array<ArrayBuffer>; zone: string | undefined } | undefined {
  const [, address = "", zone] = /^([^%]*)(?:%([^]+))?$/.exec(text) ?? [];
  const bytes = parseAddress(address);
  return bytes === undefined ? undefined : { bytes, zone };
}

const DOT = 46;
const ZERO = 48;
const COLON = 58;
const LETTER_A = 97;

/** An IPv4 address as a number; character by character, as it is most of the work of building a route. */
export function ipv4Number(text: string): number | undefined {
  let address = 0;
  let parts = 0;
  let value = 0;
  let digits = 0;
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : DOT;
    if (code === DOT) {
      if (digits === 0 || value > 255 || parts === 4) return undefined;
      address = address << 8 | value;
      parts++;
      value = digits = 0;
      continue;
    }
    const digit = code - ZERO;
    // A leading zero is octal to some programs and decimal to others, so it is refused.
    if (digit < 0 || digit > 9 || digits === 3 || digits > 0 && value === 0) return undefined;
    value = value * 10 + digit;
    digits++;
  }
  return parts === 4 ? address >>> 0 : undefined;
}

function parseIpv4(text: string): Uint8Array<ArrayBuffer> | undefined {
  const address = ipv4Number(text);
  if (address === undefined) return undefined;
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address);
}

/** Character by character as well: with lists and patterns a route took nearly twice as long to build. */
function parseIpv6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const address = new Uint8Array(16);
  let length = 0;
  /** Where "::" stands; -1 without it. */
  let gap = text.startsWith("::") ? 0 : -1;
  let at = gap < 0 ? 0 : 2;
  while (at < text.length) {
    const start = at;
    let group = 0;
    for (let digit; (digit = hexDigit(text.charCodeAt(at))) >= 0; at++) group = group << 4 | digit;
    if (text.charCodeAt(at) === DOT) {
      // The very last groups may be written as IPv4.
      const ipv4 = parseIpv4(text.slice(start));
      if (ipv4 === undefined || length > 12) return undefined;
      address.set(ipv4, length);
      length += 4;
      break;
    }
    if (at === start || at > start + 4 || length > 14) return undefined;
    address[length++] = group >> 8;
    address[length++] = group;
    if (at === text.length) break;
    if (text.charCodeAt(at++) !== COLON || at === text.length) return undefined;
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return undefined;
      gap = length;
      at++;
    }
  }
  if (gap < 0) return length === 16 ? address : undefined;
  if (length > 14) return undefined;
  for (let to = 15; to >= gap; to--) address[to] = length > gap ? address[--length]! : 0;
  return address;
}

/** What a hexadecimal digit stands for; -1 for anything else, and behind the end. */
function hexDigit(code: number): number {
  if (code >= ZERO && code <= ZERO + 9) return code - ZERO;
  const letter = (code | 32) - LETTER_A;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

const OCTETS = Array.from({ length: 256 }, (_, byte) => String(byte));
/** The last address's first three bytes and their text: those of a list are neighbours. */
let lastPrefix = 0;
let lastPrefixText = "0.0.0.";

/** The text of the IPv4 address that starts there; without a copy, of which a long list would make many. */
export function formatIpv4(bytes: Uint8Array, at: number): string {
  const prefix = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
  if (prefix !== lastPrefix) {
    lastPrefix = prefix;
    lastPrefixText = `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.`;
  }
  return lastPrefixText + OCTETS[bytes[at + 3]!];
}

/** The canonical text of 4 or 16 bytes (RFC 5952; IPv4-mapped addresses end in dots). */
export function formatAddress(bytes: Uint8Array): string {
  return bytes.length === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0);
}

/** The text of the IPv6 address that starts there. */
export function formatIpv6(bytes: Uint8Array, at: number): string {
  const group = (index: number) => bytes[at + 2 * index]! << 8 | bytes[at + 2 * index + 1]!;
  // The longest run of zeros, of two groups at least, is left out; of equal ones the first.
  let from = 8;
  let to = 8;
  for (let start = 0, index = 0; index < 8; index++) {
    if (group(index) !== 0) start = index + 1;
    else if (index + 1 - start > Math.max(to - from, 1)) [from, to] = [start, index + 1];
  }
  if (from === 0 && to === 5 && group(5) === 0xffff) return `::ffff:${formatIpv4(bytes, at + 12)}`;
  let text = "";
  for (let index = 0; index < 8; index++) {
    if (index === from) {
      text += "::";
      index = to - 1;
    } else text += `${text === "" || index === to ? "" : ":"}${group(index).toString(16)}`;
  }
  return text;
}
