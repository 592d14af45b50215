/**
 * `decode`: netlink messages in words.
 *
 * @module
 */

import { decodeBody, type DecodedMessage, decodeMessages, InputError, MESSAGES } from "../mod.ts";
import { readCapture } from "./capture.ts";
import type { Command, Result } from "./command.ts";
import { hint, UsageError } from "./errors.ts";
import type { Typed } from "./options.ts";
import { linesOf, plain } from "./plain.ts";

/** The command that reads captures. */
export const DECODE_COMMANDS: readonly Command[] = [
  {
    words: [["decode"]],
    inFull: true,
    operands: "[HEX...|-|FILE]",
    summary: "say what netlink messages say: hex, output of strace, a pcap of an nlmon link",
    example: "decode 1400000012000103010000000000000000000000",
    options: {
      type: { value: "TYPE", help: "the hex is a message of this type without its header" },
    },
    run: async (typed) => await decode(typed),
  },
];

async function decode(typed: Typed): Promise<Result> {
  const capture = readCapture(await source(typed.words));
  const type = typed.one("type");
  const messages = type === undefined
    ? capture.flatMap((datagram) => decodeMessages(datagram))
    : capture.map((body) => decodeAs(type, body));
  if (messages.length === 0) {
    throw new InputError(
      "Cannot decode this: no netlink message begins here; say --type if it has no header",
    );
  }
  const rows = messages.map(row);
  return { json: rows, text: rows.map(rowText).join("\n") };
}

/** The bytes of the operands, of a file, or of standard input. */
async function source(words: readonly string[]): Promise<Uint8Array> {
  const [first = "-"] = words;
  if (first === "-") return await new Response(Deno.stdin.readable).bytes();
  const isFile = words.length === 1 && /[^0-9a-fx:\s]/i.test(first);
  if (!isFile) return new TextEncoder().encode(words.join(" "));
  try {
    return await Deno.readFile(first);
  } catch (error) {
    throw new InputError(`Cannot read ${first}: ${(error as Error).message}`);
  }
}

function decodeAs(typed: string, bytes: Uint8Array): DecodedMessage {
  const type = typed.toUpperCase();
  const names = Object.keys(MESSAGES);
  if (!names.includes(type)) {
    throw new UsageError(`There is no message type ${typed}${hint(type, names)}`);
  }
  const message = decodeBody(type, bytes);
  return {
    ...{ type, flags: [], sequence: 0, port: 0 },
    ...message === undefined ? { bytes } : { message },
  };
}

/** A message as JSON can say it, with the attributes that no table knows listed by their paths. */
function row({ message, bytes, ...header }: DecodedMessage): Record<string, unknown> {
  const unknown = unknownIn(message, []);
  return {
    ...header,
    ...message === undefined ? {} : { message: plain(message) },
    ...bytes === undefined ? {} : { bytes: bytes.toHex() },
    ...unknown.length > 0 ? { unknown } : {},
  };
}

function rowText(row: Record<string, unknown>): string {
  const { type, flags, sequence, port, message, bytes, unknown } = row;
  const head = [type, ...flags as string[], `sequence ${sequence}`, `port ${port}`].join(" ");
  return [
    head,
    ...message === undefined ? [] : linesOf(message as object, 1),
    ...bytes === undefined ? [] : [`  bytes ${bytes}`],
    ...unknown === undefined ? [] : [`  unknown attributes: ${(unknown as string[]).join(", ")}`],
  ].join("\n");
}

/** "linkInfo.data 47": where, and which number. */
function unknownIn(value: unknown, path: string[]): string[] {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "unknown"
      ? (inner as { type: number }[]).map(({ type }) =>
        [path.join("."), String(type & 0x3fff)].join(" ").trim()
      )
      : unknownIn(inner, [...path, key])
  );
}
