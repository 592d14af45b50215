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

/** Character by character: it is most of the work of building a route. */
function parseIpv4(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(4);
  let parts = 0;
  let value = 0;
  let digits = 0;
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : DOT;
    if (code === DOT) {
      if (digits === 0 || value > 255 || parts === 4) return;
      bytes[parts++] = value;
      value = digits = 0;
      continue;
    }
    const digit = code - ZERO;
    // A leading zero is octal to some programs and decimal to others, so it is refused.
    if (digit < 0 || digit > 9 || digits === 3 || digits > 0 && value === 0) return;
    value = value * 10 + digit;
    digits++;
  }
  return parts === 4 ? bytes : undefined;
}

function parseIpv6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return;
  const [head, tail] = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  if (head === undefined) return;
  if (halves.length === 1) {
    return head.length === 16 ? Uint8Array.from(head) : undefined;
  }
  if (tail === undefined || head.length + tail.length > 14) return;
  const address = new Uint8Array(16);
  address.set(head);
  address.set(tail, 16 - tail.length);
  return address;
}

/** The bytes of groups between colons, the very last of which may be written as IPv4. */
function parseGroups(text: string, atEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    const dotted = atEnd && index === groups.length - 1 && group.includes(".") &&
      parseIpv4(group);
    if (dotted) bytes.push(...dotted);
    else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return bytes;
}

/** The text of the IPv4 address that starts there; without a copy, of which a long list would make many. */
export function formatIpv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** The canonical text of 4 or 16 bytes (RFC 5952; IPv4-mapped addresses end in dots). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return formatIpv4(bytes, 0);
  const mapped = bytes[10] === 0xff && bytes[11] === 0xff &&
    bytes.subarray(0, 10).every((byte) => byte === 0);
  if (mapped) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from(
    { length: 8 },
    (_, i) => bytes[2 * i]! << 8 | bytes[2 * i + 1]!,
  );
  const zeros = longestZeros(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

function longestZeros(groups: number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (start + length < groups.length && groups[start + length] === 0) {
      length++;
    }
    if (length > longest.length) longest = { start, length };
    start += length;
  }
  return longest;
}
