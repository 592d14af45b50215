/**
 * Turns the tables into codecs.
 *
 * @module
 */

import { show } from "./scalars.ts";
import {
  type Attributes,
  type Codec,
  type DependentShape,
  type Fields,
  type FlagsShape,
  type Input,
  type ListShape,
  type Message,
  type MessageShape,
  type OneOfShape,
  type Output,
  type Shape,
  type Table,
  type UnknownAttribute,
  ValueError,
} from "./shape.ts";

/** Set in the type of an attribute that holds attributes (linux/netlink.h). */
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const NLA_HEADER = 4;

type Values = Record<string, unknown>;
// deno-lint-ignore no-explicit-any
type AnyCodec = Codec<any>;

const compiled = new WeakMap<MessageShape, AnyCodec>();

/** The codec of a whole message: made the first time, and kept. */
export function messageCodec<M extends MessageShape>(
  shape: M,
): Codec<Message<M>> {
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
  if (is<MessageShape>(shape, "header")) return message(shape);
  if (is<{ itself: true }>(shape, "itself")) return itself(root);
  return new TableCodec(shape as Table, root);
}

function isCodec(shape: Shape): shape is AnyCodec {
  return typeof (shape as AnyCodec).read === "function";
}

// The rows of a table are arrays, the marks of the other shapes are not.
function is<S>(shape: Shape, mark: keyof S & string): shape is Shape & S {
  return mark in shape && !Array.isArray((shape as unknown as Values)[mark]);
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
    size: number.size!,
    read(input, start, end) {
      const bits = number.read(input, start, end);
      if (bits === undefined) return undefined;
      let set = sets.get(bits);
      if (set === undefined) sets.set(bits, set = Object.freeze(namesOf(bits)));
      return set;
    },
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
  const byNumber = new Map(
    Object.entries(names).map(([name, value]) => [value, name]),
  );
  return {
    size: number.size!,
    read(input, start, end) {
      const value = number.read(input, start, end);
      return value === undefined ? undefined : byNumber.get(value) ?? value;
    },
    write(output, value: string | number) {
      const named = typeof value === "string" && Object.hasOwn(names, value) ? names[value] : value;
      if (typeof named !== "number") {
        throw new ValueError(
          `expected a number or one of ${Object.keys(names).join(", ")}, got ${show(value)}`,
        );
      }
      number.write(output, named);
    },
  };
}

/** Other kernels' structs may be shorter or longer: what is not there is absent, what is more is passed over. */
function struct(
  fields: Fields,
): AnyCodec & {
  readStruct(input: Input, start: number, end: number, into: Values): void;
  writeStruct(output: Output, value: Values): void;
} {
  let size = 0;
  const members = Object.entries(fields).map(([key, shape]) => {
    const codec = compile(shape, unreachable);
    const member = { key, codec, at: size, size: codec.size! };
    size += member.size;
    return member;
  });
  const codec = {
    size,
    read(input: Input, start: number, end: number) {
      const value: Values = {};
      codec.readStruct(input, start, end, value);
      return value;
    },
    write(output: Output, value: Values) {
      if (typeof value !== "object" || value === null) {
        throw new ValueError(`expected an object, got ${show(value)}`);
      }
      codec.writeStruct(output, value);
    },
    readStruct(input: Input, start: number, end: number, into: Values) {
      for (const { key, codec, at, size } of members) {
        if (start + at + size > end) return;
        const value = codec.read(input, start + at, start + at + size);
        if (value !== undefined) into[key] = value;
      }
    },
    writeStruct(output: Output, value: Values) {
      inside((at) => {
        for (const { key, codec, size } of members) {
          at.key = key;
          if (value[key] === undefined) output.reserve(size);
          else codec.write(output, value[key]);
        }
      });
    },
  };
  return codec;
}

function list({ listOf, number }: ListShape, root: () => AnyCodec): AnyCodec {
  const entry = compile(listOf, root);
  return {
    read(input, start, end) {
      const values: unknown[] = [];
      const whole = walk(input, start, end, (_type, from, to) => {
        const value = entry.read(input, from, to);
        if (value === undefined) return false;
        values.push(value);
        return true;
      });
      return whole ? values : undefined;
    },
    write(output, values: unknown[]) {
      if (!Array.isArray(values)) {
        throw new ValueError(`expected a list, got ${show(values)}`);
      }
      inside((at) => {
        for (const [index, value] of values.entries()) {
          at.key = String(index);
          const start = output.reserve(NLA_HEADER);
          entry.write(output, value);
          close(output, start, number | nestedFlag(listOf));
        }
      });
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

interface CompiledRow {
  key: string;
  type: number;
  codecFor(values: Values): AnyCodec | undefined;
  dependent: boolean;
}

/** Attributes as an object; what no row fits is kept under `unknown`. */
class TableCodec implements Codec<Values> {
  readonly #rows: CompiledRow[];
  readonly #byNumber: Map<number, CompiledRow>;

  constructor(table: Table, root: () => AnyCodec) {
    this.#rows = Object.entries(table).map(([key, [, number, shape]]) =>
      compileRow(key, number, shape, root)
    );
    this.#byNumber = new Map(
      this.#rows.map((row) => [row.type & NLA_TYPE_MASK, row]),
    );
  }

  read(input: Input, start: number, end: number): Values | undefined {
    const values: Values = {};
    return this.readInto(input, start, end, values) ? values : undefined;
  }

  /** False when the attributes do not end where they should; what was whole before that is read. */
  readInto(input: Input, start: number, end: number, values: Values): boolean {
    const dependents: [
      row: CompiledRow,
      type: number,
      from: number,
      to: number,
    ][] = [];
    const unknown: UnknownAttribute[] = [];
    const keep = (type: number, from: number, to: number) =>
      unknown.push({ type, bytes: input.bytes.slice(from, to) });
    const read = (row: CompiledRow, type: number, from: number, to: number) => {
      const value = row.codecFor(values)?.read(input, from, to);
      if (value === undefined) keep(type, from, to);
      else values[row.key] = value;
    };
    const whole = walk(input, start, end, (type, from, to) => {
      const row = this.#byNumber.get(type & NLA_TYPE_MASK);
      if (row === undefined) keep(type, from, to);
      else if (row.dependent) dependents.push([row, type, from, to]);
      else read(row, type, from, to);
      return true;
    });
    for (const dependent of dependents) read(...dependent);
    if (unknown.length > 0) values.unknown = unknown;
    return whole;
  }

  write(output: Output, values: Values): void {
    if (typeof values !== "object" || values === null) {
      throw new ValueError(`expected an object, got ${show(values)}`);
    }
    inside((at) => {
      for (const row of this.#rows) {
        const value = values[row.key];
        if (value === undefined) continue;
        at.key = row.key;
        const codec = row.codecFor(values);
        if (codec === undefined) throw new ValueError("nothing is known of it for this kind");
        const start = output.reserve(NLA_HEADER);
        codec.write(output, value);
        close(output, start, row.type);
      }
      at.key = "unknown";
      for (const { type, bytes } of values.unknown as UnknownAttribute[] ?? []) {
        const start = output.reserve(NLA_HEADER + bytes.length);
        output.bytes.set(bytes, start + NLA_HEADER);
        close(output, start, type);
      }
    });
  }

  locate(
    input: Input,
    start: number,
    end: number,
    offset: number,
  ): string[] | undefined {
    return this.#descend(
      input,
      start,
      end,
      offset,
      (codec, from, to) => codec?.locate?.(input, from, to, offset) ?? [],
    );
  }

  nameAt(
    input: Input,
    start: number,
    end: number,
    nest: number | undefined,
    number: number,
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
    inner: (codec: AnyCodec | undefined, from: number, to: number) => string[],
  ): string[] | undefined {
    const values = this.read(input, start, end) ?? {};
    let path: string[] | undefined;
    walk(input, start, end, (type, from, to) => {
      if (offset < from - NLA_HEADER || offset >= to) return true;
      const row = this.#byNumber.get(type & NLA_TYPE_MASK);
      path = [
        row?.key ?? String(type & NLA_TYPE_MASK),
        ...inner(row?.codecFor(values), from, to),
      ];
      return false;
    });
    return path;
  }
}

function compileRow(
  key: string,
  number: number,
  shape: Shape,
  root: () => AnyCodec,
): CompiledRow {
  if (!is<DependentShape>(shape, "by")) {
    const codec = compile(shape, root);
    return {
      key,
      type: number | nestedFlag(shape),
      codecFor: () => codec,
      dependent: false,
    };
  }
  const { by, of } = shape as unknown as DependentShape;
  const codecs = new Map(
    Object.entries(of).map(([value, shape]) => [value, compile(shape, root)]),
  );
  return {
    key,
    type: number | NLA_F_NESTED,
    codecFor: (values) => codecs.get(String(values[by])),
    dependent: true,
  };
}

function nestedFlag(shape: Shape): number {
  const nested = !isCodec(shape) &&
    !["flags", "oneOf", "struct", "header", "itself"].some((mark) => is(shape, mark as never));
  return nested ? NLA_F_NESTED : 0;
}

function message({ header, attributes }: MessageShape): AnyCodec {
  const head = struct(header);
  const body: TableCodec = new TableCodec(attributes, () => codec);
  const codec: AnyCodec = {
    read(input, start, end) {
      const value: Values = {};
      if (end - start < head.size!) return undefined;
      head.readStruct(input, start, start + head.size!, value);
      return body.readInto(input, start + align(head.size!), end, value) ? value : undefined;
    },
    write(output, value: Values) {
      head.writeStruct(output, value);
      output.reserve(-output.length & 3);
      body.write(output, value);
    },
    locate: (input, start, end, offset) =>
      body.locate(input, start + align(head.size!), end, offset),
    nameAt: (input, start, end, nest, number) =>
      body.nameAt(input, start + align(head.size!), end, nest, number),
  };
  return codec;
}

function align(size: number): number {
  return (size + 3) & ~3;
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

/** Ends the attribute that starts there: its length, its type, and zeros up to the next one. */
function close(output: Output, start: number, type: number): void {
  const length = output.length - start;
  if (length > 0xffff) throw new ValueError(`${length} bytes are more than an attribute holds`);
  output.view.setUint16(start, length, true);
  output.view.setUint16(start + 2, type, true);
  output.reserve(-output.length & 3);
}

/** Writes something; where a value does not fit, the key that was reached goes into its path. */
function inside(write: (at: { key: string }) => void): void {
  const at = { key: "" };
  try {
    write(at);
  } catch (error) {
    if (error instanceof ValueError) error.path.unshift(at.key);
    throw error;
  }
}
