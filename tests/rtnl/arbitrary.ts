/**
 * Random messages, made from the same tables as the codecs.
 *
 * @module
 */

import fc from "fast-check";
import { formatAddress } from "../../rtnl/codec/ip.ts";
import * as scalars from "../../rtnl/codec/scalars.ts";
import type { Codec, Shape, Table } from "../../mod.ts";

type Values = Record<string, unknown>;
type Arbitrary = fc.Arbitrary<unknown>;
// deno-lint-ignore no-explicit-any
type AnyCodec = Codec<any>;

const integer = (min: number, max: number) => fc.integer({ min, max });
const hexBytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":"));
const ip4 = fc.ipV4();
const ip6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => formatAddress(bytes));
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });

const SCALARS = new Map<AnyCodec, Arbitrary>([
  [scalars.u8, integer(0, 0xff)],
  [scalars.s8, integer(-0x80, 0x7f)],
  [scalars.u16, integer(0, 0xffff)],
  [scalars.s16, integer(-0x8000, 0x7fff)],
  [scalars.be16, integer(0, 0xffff)],
  [scalars.u32, integer(0, 0xffffffff)],
  [scalars.be32, integer(0, 0xffffffff)],
  [scalars.s32, integer(-0x80000000, 0x7fffffff)],
  [scalars.sbe32, integer(-0x80000000, 0x7fffffff)],
  [scalars.u64, u64],
  [scalars.be64, u64],
  [scalars.uint, u64],
  [scalars.s64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  [scalars.lowByte, integer(0, 0xff)],
  [scalars.tableByte, integer(0, 0xff)],
  [scalars.bool, fc.boolean()],
  [scalars.presence, fc.constant(true)],
  [scalars.flag, fc.constant(true)],
  [scalars.text, fc.string({ unit: "grapheme", maxLength: 20 }).filter(isPlain)],
  [scalars.bytes, fc.uint8Array({ maxLength: 20 })],
  [scalars.mac, hexBytes(6)],
  [scalars.ip, fc.oneof(ip4, ip6)],
  [scalars.via, fc.oneof(ip4, ip6)],
  [
    scalars.labels,
    fc.array(integer(0, 0xfffff), { minLength: 1, maxLength: 4 }).map((stack) => stack.join("/")),
  ],
  [scalars.padding, fc.constant(undefined)],
]);

/** What the scalars of single tables may be, told by whether they take it. */
const SPECIAL: Arbitrary[] = [
  fc.record({ comment: fc.string({ maxLength: 20 }).filter(isPlain) }, { noNullPrototype: true }),
  integer(1, 256),
  fc.tuple(integer(1, 0xff), integer(1, 0xff))
    .map(([major, minor]) => `${major.toString(16)}:${minor.toString(16)}`),
  fc.tuple(integer(0, 0xffff), hexBytes(6))
    .map(([priority, mac]) => `${priority.toString(16).padStart(4, "0")}.${mac}`),
  fc.record({
    mode: fc.constantFrom("inline", "encap", "l2encap"),
    segments: fc.array(ip6, { minLength: 1, maxLength: 4 }),
  }),
  fc.oneof(ip4, ip6, hexBytes(6)),
];

function isPlain(text: string): boolean {
  return !/[\0\ufffd]/.test(text) && text.isWellFormed();
}

/** A value that fits a shape; `takes` says whether a codec takes it. */
export function arbitrary(
  shape: Shape,
  takes: (codec: AnyCodec, value: unknown) => boolean,
  depth = 0,
): Arbitrary {
  const inner = (shape: Shape) => arbitrary(shape, takes, depth + 1);
  const scalar = SCALARS.get(shape as AnyCodec);
  if (scalar !== undefined) return scalar;
  if (isCodec(shape)) {
    const fitting = SPECIAL.find((special) => fc.sample(special, 5).every((v) => takes(shape, v)));
    if (fitting === undefined) throw new Error("a codec that no random value fits: add one here");
    return fitting;
  }
  const plain = shape as unknown as Values;
  if (has(plain, "flags")) return fc.subarray(Object.keys(plain.names as Values));
  if (has(plain, "oneOf")) return fc.constantFrom(...Object.keys(plain.names as Values));
  if (has(plain, "struct")) return struct(plain.struct as Values, inner);
  if (has(plain, "listOf")) return fc.array(inner(plain.listOf as Shape), { maxLength: 3 });
  if (has(plain, "repeated")) {
    return fc.array(inner(plain.repeated as Shape), { minLength: 1, maxLength: 3 });
  }
  if (has(plain, "arrayOf")) {
    const count = plain.count as number | undefined;
    const length = count === undefined ? { maxLength: 3 } : { minLength: count, maxLength: count };
    return fc.array(inner(plain.arrayOf as Shape), length);
  }
  if (has(plain, "records")) {
    // Its length is not the caller's to say.
    const record = inner(plain.records as Shape).map((value) => ({
      ...value as Values,
      length: undefined,
    }));
    return fc.array(record, { maxLength: 3 });
  }
  if (has(plain, "itself")) return fc.constant({ name: "peer", mtu: 1400 });
  if (has(plain, "header")) {
    return attributes(plain.attributes as Table, inner, plain.header as Values, depth);
  }
  return attributes(shape as Table, inner, {}, depth);
}

function struct(fields: Values, inner: (shape: Shape) => Arbitrary): fc.Arbitrary<Values> {
  const known = Object.entries(fields).filter(([key]) => !key.startsWith("padding"));
  return fc.record(
    Object.fromEntries(known.map(([key, shape]) => [key, inner(shape as Shape)])),
    { noNullPrototype: true },
  );
}

/** Some of the attributes, those that depend on another together with it. */
function attributes(
  table: Table,
  inner: (shape: Shape) => Arbitrary,
  header: Values,
  depth: number,
): fc.Arbitrary<Values> {
  const free: Record<string, Arbitrary> = {};
  const bound: fc.Arbitrary<Values>[] = [];
  for (const [key, [, , shape]] of Object.entries(table)) {
    const { by, of, either, when, otherwise } = shape as unknown as Values;
    const [other, forms] = typeof by === "string" ? [by, of] : [either, when];
    if (typeof other !== "string") {
      free[key] = inner(shape);
      continue;
    }
    const pairs = Object.entries(forms as Record<string, Shape>).map(([value, form]) =>
      inner(form).map((payload): Values => ({ [other]: value, [key]: payload }))
    );
    if (otherwise !== undefined) {
      pairs.push(
        inner(otherwise as Shape).map((payload) => ({ [other]: "inet", [key]: payload })),
      );
    }
    bound.push(fc.oneof(...pairs));
  }
  for (const key of Object.keys(header)) delete free[key];
  const some = fc.record(free, { requiredKeys: [], noNullPrototype: true });
  // Deep down few are enough, or a message would not fit its length.
  const few = depth < 2
    ? some
    : some.map((values) => Object.fromEntries(Object.entries(values).slice(0, 4)));
  return fc.tuple(struct(header, inner), few, ...bound.map((pair) => fc.option(pair, { nil: {} })))
    .map((parts) => Object.assign({}, ...parts));
}

function isCodec(shape: Shape): shape is AnyCodec {
  return typeof (shape as AnyCodec).read === "function";
}

function has(plain: Values, mark: string): boolean {
  return plain[mark] !== undefined && !Array.isArray(plain[mark]);
}
