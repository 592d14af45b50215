/**
 * Attributes of the kernel as a topology writes them, from the same tables as the messages: a new row is
 * known here at once.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import { Buffer } from "../../rtnl/codec/buffer.ts";
import * as scalars from "../../rtnl/codec/scalars.ts";
import {
  type Codec,
  type Fields,
  type Shape,
  type Table,
  ValueError,
} from "../../rtnl/codec/shape.ts";
import { parseHost } from "../input.ts";
import {
  any,
  either,
  type Form,
  type Key,
  key,
  type Keys,
  list,
  long,
  object,
  text,
  whole,
  words,
  yesNo,
} from "./schema.ts";

type Values = Record<string, unknown>;
// deno-lint-ignore no-explicit-any
type AnyCodec = Codec<any>;

const address = text(
  "an IPv4 or IPv6 address",
  (text) => parseHost(text, "address"),
  /^[0-9a-fA-F:.]+$/u,
);
/** A 64-bit number; JSON and YAML hold those up to 2^53 whole. */
const u64 = long(0, Number.MAX_SAFE_INTEGER);

/** What the payloads are that are not made of others. */
const SCALARS = new Map<AnyCodec, Form>([
  [scalars.u8, whole(0, 0xff)],
  [scalars.s8, whole(-0x80, 0x7f)],
  [scalars.u16, whole(0, 0xffff)],
  [scalars.be16, whole(0, 0xffff)],
  [scalars.s16, whole(-0x8000, 0x7fff)],
  [scalars.u32, whole(0, 0xffffffff)],
  [scalars.be32, whole(0, 0xffffffff)],
  [scalars.s32, whole(-0x80000000, 0x7fffffff)],
  [scalars.sbe32, whole(-0x80000000, 0x7fffffff)],
  [scalars.lowByte, whole(0, 0xffffffff)],
  [scalars.tableByte, whole(0, 0xffffffff)],
  [scalars.u64, u64],
  [scalars.be64, u64],
  [scalars.uint, u64],
  [scalars.s64, long(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)],
  [scalars.bool, yesNo],
  [scalars.presence, yesNo],
  [scalars.flag, yesNo],
  [scalars.text, text("a text without NUL", undefined, /^[^\0]*$/u)],
  [scalars.bytes, text("bytes in hexadecimal", undefined, /^(?:[0-9a-fA-F]{2})*$/u)],
  [
    scalars.mac,
    text(
      "a link-layer address such as 02:00:5e:00:53:01",
      undefined,
      /^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2})*$/u,
    ),
  ],
  [scalars.ip, address],
  [scalars.via, address],
]);

/** The form of what a payload holds; values of 64 bits may be numbers, bytes are text. */
export function formOf<Value>(shape: Shape): Form<Value> {
  return describe(shape) as Form<Value>;
}

/**
 * The form of a table's attributes, those named as links by their names; `name` is the schema's for it. It
 * is made when it is first looked at: most topologies have few kinds.
 */
export function attributesOf(
  shape: Shape,
  links: readonly string[],
  link: Form<string>,
  name: string,
): Form<Values> {
  let keys: Record<string, Key> | undefined;
  const make = () => {
    const plain = keysOf(shape);
    const named = links.map((own) => [own, key(link, plain[own]!.doc)] as const);
    return { ...plain, ...Object.fromEntries(named) };
  };
  return {
    is: "object",
    name,
    get keys() {
      return keys ??= make();
    },
  };
}

/** A value of a topology as the payload's codec takes it: numbers of 64 bits as bigints, bytes as bytes. */
export function toAttributes(shape: Shape, value: unknown): unknown {
  const plain = shape as unknown as Values;
  if (isCodec(shape)) return LEAVES.get(shape)?.(value) ?? value;
  if (Array.isArray(value)) {
    const [inner] = entryOf(plain);
    return inner === undefined ? value : value.map((own) => toAttributes(inner, own));
  }
  if (typeof value !== "object" || value === null) return value;
  const shapes = shapesOf(shape);
  return Object.fromEntries(
    Object.entries(value).map(([key, own]) => [
      key,
      Object.hasOwn(shapes, key) ? toAttributes(shapes[key]!, own) : own,
    ]),
  );
}

const toBigInt = (value: unknown) => typeof value === "number" ? BigInt(value) : value;
const toBytes = (value: unknown) => typeof value === "string" ? Uint8Array.fromHex(value) : value;

const LEAVES = new Map<AnyCodec, (value: unknown) => unknown>([
  [scalars.u64, toBigInt],
  [scalars.s64, toBigInt],
  [scalars.be64, toBigInt],
  [scalars.uint, toBigInt],
  [scalars.bytes, toBytes],
]);

function describe(shape: Shape): Form {
  if (isCodec(shape)) return SCALARS.get(shape) ?? byCodec(shape);
  const plain = shape as unknown as Values;
  if (has(plain, "flags")) return list(flagOf(Object.keys(plain.names as Values)));
  if (has(plain, "oneOf")) {
    return either(words(Object.keys(plain.names as Values)), describe(plain.oneOf as Shape));
  }
  const [entry, count] = entryOf(plain);
  if (entry !== undefined) return list(describe(entry), count ?? 0, count);
  return object(keysOf(shape) as Keys<Values>);
}

/** A bit's name, or bits in hexadecimal. */
function flagOf(names: string[]): Form<string> {
  return either(words(names), text("bits such as 0x10", undefined, /^0x[0-9a-fA-F]{1,8}$/u));
}

/** What a codec of a single table takes, it alone knows. */
function byCodec(codec: AnyCodec): Form {
  return any("a value of its own kind", (value) => {
    try {
      codec.write(new Buffer(), value);
    } catch (error) {
      if (error instanceof ValueError) throw new InputError(error.message);
      throw error;
    }
  });
}

/** The keys of a table, a struct or a message, with the kernel's names as what they are for. */
function keysOf(shape: Shape): Record<string, Key> {
  const kernelNames = kernelNamesOf(shape);
  const keys = Object.entries(shapesOf(shape)).filter(([, own]) => isOffered(own))
    .map(([name, own]) => [name, key(describe(own), kernelNames[name] ?? name)]);
  return Object.fromEntries(keys);
}

/** The shapes of what a table, a struct or a message holds; an attribute says more than a header's field. */
function shapesOf(shape: Shape): Record<string, Shape> {
  const { header = {}, attributes = {}, struct, ...table } = shape as {
    header?: Fields;
    attributes?: Table;
    struct?: Fields;
  } & Record<string, unknown>;
  if (struct !== undefined) return { ...struct };
  const rows = isTable(shape) ? table as Table : attributes;
  const attributeShapes = Object.entries(rows).map(([key, [, , own]]) => [key, own]);
  return { ...header, ...Object.fromEntries(attributeShapes) };
}

function kernelNamesOf(shape: Shape): Record<string, string> {
  const rows = isTable(shape) ? shape as Table : (shape as { attributes?: Table }).attributes ?? {};
  return Object.fromEntries(Object.entries(rows).map(([key, [name]]) => [key, name]));
}

function isTable(shape: Shape): boolean {
  const plain = shape as unknown as Values;
  return !["header", "struct"].some((mark) => has(plain, mark));
}

/** What a list's shape is a list of, and how many where that is fixed. */
function entryOf(plain: Values): [Shape | undefined, number?] {
  const mark = ["listOf", "arrayOf", "repeated"].find((mark) => has(plain, mark));
  return mark === undefined ? [undefined] : [plain[mark] as Shape, plain.count as number];
}

/** A message within a message, what depends on another attribute, and padding are left out. */
function isOffered(shape: Shape): boolean {
  const plain = shape as unknown as Values;
  return shape !== scalars.padding &&
    !["itself", "records", "by", "either"].some((mark) => has(plain, mark));
}

function isCodec(shape: Shape): shape is AnyCodec {
  return typeof (shape as AnyCodec).read === "function";
}

// The rows of a table are arrays, the marks of the other shapes are not.
function has(plain: Values, mark: string): boolean {
  return plain[mark] !== undefined && !Array.isArray(plain[mark]);
}
