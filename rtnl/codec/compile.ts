/**
 * Turns the tables into codecs.
 *
 * @module
 */

import { align, type AnyCodec, append, each, NLA_HEADER, NLA_TYPE_MASK } from "./payloads.ts";
import {
  type FieldToRead,
  messageReader,
  numbersReader,
  type Read,
  structReader,
} from "./reading.ts";
import { show } from "./scalars.ts";
import {
  type ArrayShape,
  type Attributes,
  type Codec,
  type DependentShape,
  type EitherShape,
  type Fields,
  type FlagsShape,
  type Input,
  type ListShape,
  type Message,
  type MessageShape,
  type OneOfShape,
  type RecordsShape,
  type RepeatedShape,
  type Shape,
  type Table,
  ValueError,
} from "./shape.ts";
import { messageWriter, type RowToWrite, structWriter, type Write } from "./writing.ts";

/** Set in the type of an attribute that holds attributes (linux/netlink.h). */
const NLA_F_NESTED = 0x8000;

type Values = Record<string, unknown>;

const compiled = new WeakMap<MessageShape, AnyCodec>();

/** The codec of a whole message: made the first time, and kept. */
export function messageCodec<M extends MessageShape>(
  shape: M,
): Codec<Message<M>> {
  return untypedCodec(shape) as Codec<Message<M>>;
}

/** The same, where the shape is known at run time only. */
export function untypedCodec(shape: MessageShape): Codec<unknown> {
  let codec = compiled.get(shape);
  if (codec === undefined) compiled.set(shape, codec = message(shape));
  return codec;
}

/** The codec of a table on its own, such as the extended ACK's. */
export function tableCodec<T extends Table>(table: T): Codec<Attributes<T>> {
  return new TableCodec(table, unreachable) as Codec<Attributes<T>>;
}

function unreachable(): never {
  throw new TypeError("A table on its own has no message around it");
}

/** `root` gives the message around, for shapes that hold it again. */
function compile(shape: Shape, root: () => AnyCodec): AnyCodec {
  if (isCodec(shape)) return shape;
  if (is<FlagsShape>(shape, "flags")) return flags(shape);
  if (is<OneOfShape>(shape, "oneOf")) return oneOf(shape);
  if (is<{ struct: Fields }>(shape, "struct")) return struct(shape.struct);
  if (is<ListShape>(shape, "listOf")) return list(shape, root);
  if (is<ArrayShape>(shape, "arrayOf")) return array(shape);
  if (is<RecordsShape>(shape, "records")) return records(shape);
  if (is<MessageShape>(shape, "header")) return message(shape);
  if (is<{ itself: true }>(shape, "itself")) return itself(root);
  return new TableCodec(shape as Table, root);
}

function isCodec(shape: Shape): shape is AnyCodec {
  return typeof (shape as AnyCodec).read === "function";
}

// The rows of a table are arrays, the marks of the other shapes are not.
function is<S>(shape: Shape, mark: keyof S & string): shape is Shape & S {
  const value = (shape as unknown as Values)[mark];
  return value !== undefined && !Array.isArray(value);
}

function itself(root: () => AnyCodec): AnyCodec {
  return {
    read: (...range) => root().read(...range),
    write: (...target) => root().write(...target),
    locate: (...place) => root().locate?.(...place),
    nameAt: (...place) => root().nameAt?.(...place),
  };
}

function flags({ flags: number, names }: FlagsShape): AnyCodec {
  const known = Object.entries(names);
  // A dump has few different sets: each is made once and shared, so it is frozen.
  const sets = new Map<number, readonly string[]>();
  return {
    ...named(number, setOf),
    write(output, value: readonly string[]) {
      if (!Array.isArray(value)) {
        throw new ValueError(`expected a list of flags, got ${show(value)}`);
      }
      number.write(
        output,
        value.reduce((bits, name) => (bits | bitOf(name)) >>> 0, 0),
      );
    },
  };

  function setOf(bits: number): readonly string[] {
    let set = sets.get(bits);
    if (set === undefined) sets.set(bits, set = Object.freeze(namesOf(bits)));
    return set;
  }

  function namesOf(bits: number): string[] {
    const set = known.filter(([, bit]) => (bits & bit) !== 0);
    const rest = set.reduce((rest, [, bit]) => rest & ~bit, bits) >>> 0;
    return [
      ...set.map(([name]) => name),
      ...(rest === 0 ? [] : [`0x${rest.toString(16)}`]),
    ];
  }

  function bitOf(name: string): number {
    const bit = Object.hasOwn(names, name)
      ? names[name]!
      : /^0x[0-9a-f]+$/i.test(name)
      ? Number(name)
      : undefined;
    if (bit === undefined) {
      throw new ValueError(
        `expected flags of ${Object.keys(names).join(", ")}, got ${show(name)}`,
      );
    }
    return bit;
  }
}

function oneOf({ oneOf: number, names }: OneOfShape): AnyCodec {
  const numbers = new Map<unknown, number>(Object.entries(names));
  // An array and not a Map: a list of routes takes a tenth less.
  const byNumber: string[] = [];
  for (const [name, value] of Object.entries(names)) byNumber[value] = name;
  return {
    ...named(number, (value) => byNumber[value] ?? value),
    names: numbers,
    write(output, value: string | number) {
      const wanted = numbers.get(value) ?? value;
      if (typeof wanted !== "number") {
        throw new ValueError(
          `expected a number or one of ${Object.keys(names).join(", ")}, got ${show(value)}`,
        );
      }
      number.write(output, wanted);
    },
  };
}

/** The reading half of a codec for numbers that stand for something. */
function named<Value>(number: Codec<number>, meaning: (number: number) => Value) {
  return {
    size: number.size!,
    ...number.number === undefined ? {} : { number: number.number, meaning },
    read(input: Input, start: number, end: number): Value | undefined {
      const value = number.read(input, start, end);
      return value === undefined ? undefined : meaning(value);
    },
  };
}

/** Other kernels' structs may be shorter or longer: what is not there is absent, what is more is passed over. */
function struct(fields: Fields): AnyCodec & { fields: readonly FieldToRead[] } {
  let size = 0;
  const members = Object.entries(fields).map(([key, shape]) => {
    const codec = compile(shape, unreachable);
    size += codec.size ?? 0;
    return { key, codec };
  });
  const codec = {
    size,
    fields: members,
    read: ((...range) => (codec.read = structReader(members))(...range)) as Read,
    write: ((...target) => (codec.write = structWriter(members))(...target)) as Write,
  };
  return codec;
}

function list({ listOf, number, counting }: ListShape, root: () => AnyCodec): AnyCodec {
  const entry = compile(listOf, root);
  const numberOf = (index: number) => number + (counting ? index : 0);
  const nested = nestedFlag(listOf);
  return {
    read(input, start, end) {
      const values: unknown[] = [];
      const whole = walk(input, start, end, (type, from, to) => {
        if ((type & NLA_TYPE_MASK) !== numberOf(values.length)) return false;
        const value = entry.read(input, from, to);
        if (value === undefined) return false;
        values.push(value);
        return true;
      });
      return whole ? values : undefined;
    },
    write(output, values: unknown[]) {
      each(values, (value, index) => append(output, value, entry, numberOf(index) | nested));
    },
    locate(input, start, end, offset) {
      let index = 0;
      let found: string[] | undefined;
      walk(input, start, end, (_type, from, to) => {
        if (offset >= from - NLA_HEADER && offset < to) {
          found = [
            String(index),
            ...(entry.locate?.(input, from, to, offset) ?? []),
          ];
        }
        index++;
        return found === undefined;
      });
      return found;
    },
  };
}

function array({ arrayOf, count }: ArrayShape): AnyCodec {
  const entry = compile(arrayOf, unreachable);
  const size = entry.size!;
  const numbers = entry.meaning === undefined ? entry.number : undefined;
  const readEach: Read = (input, start, end) => {
    if ((end - start) % size !== 0) return undefined;
    const values: unknown[] = [];
    for (let at = start; at < end; at += size) values.push(entry.read(input, at, at + size));
    return values;
  };
  const codec: AnyCodec = {
    ...(count === undefined ? {} : { size: size * count }),
    read: numbers === undefined
      ? readEach
      : (...range) => (codec.read = numbersReader(numbers))(...range),
    write(output, values: unknown[]) {
      if (count !== undefined && values.length !== count) {
        throw new ValueError(`expected a list of ${count} values, got ${show(values)}`);
      }
      each(values, (value) => entry.write(output, value));
    },
  };
  return codec;
}

function records({ records }: RecordsShape): AnyCodec {
  const entry = message(records);
  return {
    read(input, start, end) {
      const values: unknown[] = [];
      for (let at = start; at < end;) {
        const length = end - at < 2 ? 0 : input.view.getUint16(at, true);
        const value = at + length <= end ? entry.read(input, at, at + length) : undefined;
        if (value === undefined) return undefined;
        values.push(value);
        at += align(length);
      }
      return values;
    },
    write(output, values: unknown[]) {
      each(values, (value) => {
        const start = output.length;
        entry.write(output, value);
        output.view.setUint16(start, output.length - start, true);
      });
    },
  };
}

/** A codec, and the flag bits that its attribute carries. */
interface Form {
  codec: AnyCodec;
  flag: number;
}

/** Attributes as an object; what no row fits is kept under `unknown`. */
class TableCodec implements Codec<unknown> {
  readonly rows: readonly RowToWrite[];
  readonly #byNumber: Map<number, RowToWrite>;
  // Made when first used, as a program uses few of all tables; then they take their own place.
  read: Read = (input, start, end) =>
    start === end ? {} : (this.read = messageReader([], this.rows))(input, start, end);
  write: Write = (...target) => (this.write = messageWriter([], this.rows))(...target);

  constructor(table: Table, root: () => AnyCodec, header: Fields = {}) {
    this.rows = Object.entries(table).map(([key, [, number, shape]]) => ({
      ...compileRow(shape, root),
      key,
      number,
      inHeader: key in header,
    }));
    this.#byNumber = new Map(this.rows.map((row) => [row.number, row]));
  }

  locate(
    input: Input,
    start: number,
    end: number,
    offset: number,
    values = this.read(input, start, end) as Values ?? {},
  ): string[] | undefined {
    return this.#descend(
      input,
      start,
      end,
      offset,
      values,
      (codec, from, to) => codec?.locate?.(input, from, to, offset) ?? [],
    );
  }

  nameAt(
    input: Input,
    start: number,
    end: number,
    nest: number | undefined,
    number: number,
    values = this.read(input, start, end) as Values ?? {},
  ): string[] | undefined {
    if (nest === undefined) {
      const row = this.#byNumber.get(number);
      return [row?.key ?? String(number)];
    }
    return this.#descend(
      input,
      start,
      end,
      nest,
      values,
      (codec, from, to) =>
        codec?.nameAt?.(
          input,
          from,
          to,
          nest === from - NLA_HEADER ? undefined : nest,
          number,
        ) ??
          [String(number)],
    );
  }

  /** The key of the attribute around an offset, and what `inner` says of its inside. */
  #descend(
    input: Input,
    start: number,
    end: number,
    offset: number,
    values: Values,
    inner: (codec: AnyCodec | undefined, from: number, to: number) => string[],
  ): string[] | undefined {
    let path: string[] | undefined;
    walk(input, start, end, (type, from, to) => {
      if (offset < from - NLA_HEADER || offset >= to) return true;
      const row = this.#byNumber.get(type & NLA_TYPE_MASK);
      path = [
        row?.key ?? String(type & NLA_TYPE_MASK),
        ...inner(row?.formFor(values)?.codec, from, to),
      ];
      return false;
    });
    return path;
  }
}

function compileRow(
  shape: Shape,
  root: () => AnyCodec,
): Pick<RowToWrite, "codec" | "by" | "formFor" | "repeated"> {
  if (is<RepeatedShape>(shape, "repeated")) {
    return { ...compileRow(shape.repeated, root), repeated: true };
  }
  const formOf = (shape: Shape): Form => ({
    codec: compile(shape, root),
    flag: nestedFlag(shape),
  });
  const depending = (
    key: string,
    shapes: { readonly [value: string]: Shape },
    otherwise?: Shape,
  ) => {
    const forms = new Map<string, Form>();
    const other = otherwise === undefined ? undefined : formOf(otherwise);
    const formOn = (value: unknown) => {
      const name = String(value);
      let form = forms.get(name);
      if (form === undefined && Object.hasOwn(shapes, name)) {
        forms.set(name, form = formOf(shapes[name]!));
      }
      return form ?? other;
    };
    return {
      codec: undefined,
      by: { key, codecFor: (value: unknown) => formOn(value)?.codec },
      formFor: (values: unknown) => formOn((values as Values)[key]),
      repeated: false,
    };
  };
  if (is<EitherShape>(shape, "either")) {
    return depending(shape.either, shape.when, shape.otherwise);
  }
  if (is<DependentShape>(shape, "by")) return depending(shape.by, shape.of);
  const form = formOf(shape);
  return { codec: form.codec, by: undefined, formFor: () => form, repeated: false };
}

const NOT_NESTED = ["flags", "oneOf", "struct", "header", "itself", "arrayOf", "records"];

function nestedFlag(shape: Shape): number {
  const nested = !isCodec(shape) && !NOT_NESTED.some((mark) => is(shape, mark as never));
  return nested ? NLA_F_NESTED : 0;
}

function message({ header, attributes, also }: MessageShape): AnyCodec {
  const head = struct(header);
  const body: TableCodec = new TableCodec(attributes, () => codec, header);
  const valuesOf = (...range: Parameters<Read>) => (codec.read(...range) ?? {}) as Values;
  const codec: AnyCodec = {
    read: (...range) => (codec.read = messageReader(head.fields, body.rows, also))(...range),
    write: (...target) => (codec.write = messageWriter(head.fields, body.rows))(...target),
    locate: (input, start, end, offset) =>
      body.locate(input, start + align(head.size!), end, offset, valuesOf(input, start, end)),
    nameAt: (input, start, end, nest, number) =>
      body.nameAt(input, start + align(head.size!), end, nest, number, valuesOf(input, start, end)),
  };
  return codec;
}

/** Visits the attributes between two offsets; false when the visitor says so, or when they are cut off. */
function walk(
  { view }: Input,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => boolean,
): boolean {
  let at = start;
  while (at + NLA_HEADER <= end) {
    const length = view.getUint16(at, true);
    if (length < NLA_HEADER || at + length > end) return false;
    if (!visit(view.getUint16(at + 2, true), at + NLA_HEADER, at + length)) {
      return false;
    }
    at += align(length);
  }
  return at >= end;
}
