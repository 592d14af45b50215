/**
 * Netlink messages out of what people have them in: hexadecimal digits, the output of strace, a pcap of
 * an nlmon link.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";

/** The datagrams of a capture, each one or more messages. */
export function readCapture(bytes: Uint8Array): Uint8Array[] {
  if (isPcap(bytes)) return readPcap(bytes);
  const text = new TextDecoder().decode(bytes);
  const dumps = readHexDumps(text);
  if (dumps.length > 0) return dumps;
  const escaped = readEscaped(text);
  return escaped.length > 0 ? escaped : [readHex(text)];
}

/** Digits, with or without spaces, colons, `0x` and line ends between them. */
function readHex(text: string): Uint8Array {
  const digits = text.replace(/0x|[\s:,]/gi, "");
  if (!/^([0-9a-f]{2})+$/i.test(digits)) {
    throw new InputError(
      "Cannot decode this: it is no hexadecimal digits in pairs, no output of strace and no pcap of an nlmon link",
    );
  }
  return Uint8Array.fromHex(digits);
}

/** `strace -e read=all -e write=all`: each buffer as lines of an offset and up to 16 bytes. */
function readHexDumps(text: string): Uint8Array[] {
  const buffers: string[] = [];
  for (const line of text.split("\n")) {
    const [, offset, digits] = /^\s*\|\s([0-9a-f]{5,})\s{2}((?:[0-9a-f]{2}\s+)+)/.exec(line) ?? [];
    if (offset === undefined || digits === undefined) continue;
    // At most 16 pairs: the letters behind them may look like digits.
    const pairs = digits.trim().split(/\s+/).slice(0, 16).join("");
    if (parseInt(offset, 16) === 0) buffers.push(pairs);
    else buffers[buffers.length - 1] += pairs;
  }
  return buffers.map((digits) => Uint8Array.fromHex(digits));
}

/** `strace -xx` of a program whose messages it does not know: each string as `"\x14\x00..."`. */
function readEscaped(text: string): Uint8Array[] {
  return [...text.matchAll(/"((?:\\x[0-9a-f]{2})+)"/gi)]
    .map(([, escaped]) => Uint8Array.fromHex(escaped!.replaceAll("\\x", "")))
    .filter(({ length }) => length >= NETLINK_HEADER);
}

const NETLINK_HEADER = 16;

// The file's header (pcap-savefile(5)): magic number, versions, ..., link type.
const PCAP_HEADER = 24;
const PCAP_LINK_TYPE = 20;
const MAGICS = [0xa1b2c3d4, 0xa1b23c4d];
/** LINKTYPE_NETLINK: each packet has a "cooked" header of 16 bytes before its messages. */
const LINKTYPE_NETLINK = 253;
const COOKED_HEADER = 16;
// A packet's header: seconds, fraction, bytes here, bytes there.
const PACKET_HEADER = 16;
const PACKET_LENGTH = 8;

function isPcap(bytes: Uint8Array): boolean {
  return bytes.length >= PCAP_HEADER && endianness(bytes) !== undefined;
}

/** Whether its numbers are little-endian; undefined when it is no pcap. */
function endianness(bytes: Uint8Array): boolean | undefined {
  const view = viewOf(bytes);
  return [true, false].find((little) => MAGICS.includes(view.getUint32(0, little)));
}

function readPcap(bytes: Uint8Array): Uint8Array[] {
  const view = viewOf(bytes);
  const little = endianness(bytes)!;
  const linkType = view.getUint32(PCAP_LINK_TYPE, little) & 0xffff;
  if (linkType !== LINKTYPE_NETLINK) {
    throw new InputError(
      `Cannot decode this pcap: its link type is ${linkType}, not that of netlink (253); capture on an nlmon link`,
    );
  }
  const packets: Uint8Array[] = [];
  for (let at = PCAP_HEADER; at + PACKET_HEADER <= bytes.length;) {
    const start = at + PACKET_HEADER;
    const end = start + view.getUint32(at + PACKET_LENGTH, little);
    if (end > bytes.length) break;
    packets.push(bytes.subarray(start + COOKED_HEADER, end));
    at = end;
  }
  return packets;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
