/**
 * How a message is described: tables of plain data, from which the builder, the parser, the paths in
 * errors and the TypeScript types all come.
 *
 * @module
 */

/** Reads and writes one kind of payload. */
export interface Codec<Value> {
  /** Its size in bytes where that is fixed; such a codec may be a field of a struct. */
  readonly size?: number;
  /** How its bytes are a number, where any bytes of its size are. */
  readonly number?: NumberFormat;
  /** What such a number stands for, where it is not the value itself. */
  readonly meaning?: (number: number) => Value;
  /** The numbers of what has a name. */
  readonly names?: ReadonlyMap<unknown, number>;
  /** The value of a payload, or `undefined` when these bytes are not of this kind. */
  read(input: Input, start: number, end: number): Value | undefined;
  /** Appends the payload; throws {@linkcode ValueError} for a value that it can't hold. */
  write(output: Output, value: Value): void;
  /** Whether a value is said by leaving the attribute out. */
  omits?(value: Value): boolean;
  /** The path of the attribute at this offset, inside this payload; `undefined` when there is none. */
  locate?(
    input: Input,
    start: number,
    end: number,
    offset: number,
  ): string[] | undefined;
  /** The name of the attribute with this number, in the nest that starts at this offset. */
  nameAt?(
    input: Input,
    start: number,
    end: number,
    nest: number | undefined,
    number: number,
  ): string[] | undefined;
}

/** A number as bytes: which of a DataView's methods it takes. */
export interface NumberFormat {
  /** The method, without its "get" and "set". */
  readonly method:
    | `${"Int" | "Uint"}${8 | 16 | 32}`
    | `Big${"Int" | "Uint"}64`;
  /** Bytes. */
  readonly size: number;
  /** Whether the host's byte order (little on x86-64 and aarch64) and not the network's. */
  readonly little: boolean;
  /** The least and the most that it holds; without it, the codec's own `write` knows. */
  readonly range?: readonly [least: number, most: number];
}

/** Received bytes, and a view of the same. */
export interface Input {
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** A view of them. */
  readonly view: DataView;
}

/** Bytes under construction. */
export interface Output {
  /** Where the next byte goes. */
  readonly length: number;
  /** Makes room for `size` bytes, zeroed, and says where they start. */
  reserve(size: number): number;
  /** A view of everything; good until the next `reserve`. */
  readonly view: DataView;
  /** Everything; good until the next `reserve`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A value that does not fit its row; the codec that called adds the path. */
export class ValueError extends Error {
  /** The class's name. */
  override name = "ValueError";
  /** Where it is, outermost key first. */
  readonly path: string[] = [];
}

/** One attribute: the kernel's name, its number, what its payload is. */
export type Row = readonly [kernelName: string, number: number, shape: Shape];

/** Attributes by the key that denolink gives them. */
export interface Table {
  /** The row of a key. */
  readonly [key: string]: Row;
}

/** A struct of fixed-size fields, in order, with no padding but what is written. */
export interface StructShape {
  /** Its fields. */
  readonly struct: Fields;
}

/** Fields of a struct, in order. */
export interface Fields {
  /** A field's payload. */
  readonly [key: string]: FieldShape;
}

/** What a field of a struct may be; all of them have a fixed size. */
// deno-lint-ignore no-explicit-any
export type FieldShape = Codec<any> | FlagsShape | OneOfShape | StructShape | ArrayShape;

/** A number whose bits have names. */
export interface FlagsShape {
  /** The number. */
  readonly flags: Codec<number>;
  /** What stands for what. */
  readonly names: { readonly [name: string]: number };
}

/** A number that stands for one name; numbers without a name stay numbers. */
export interface OneOfShape {
  /** The number. */
  readonly oneOf: Codec<number>;
  /** What stands for what. */
  readonly names: { readonly [name: string]: number };
}

/** A nest whose attributes are the entries of a list. */
export interface ListShape {
  /** An entry's payload. */
  readonly listOf: Shape;
  /** The attribute number of each entry, or of the first where they count up. */
  readonly number: number;
  /** Each entry's number is one more than the one before. */
  readonly counting?: true;
}

/** Values of one fixed size, one behind the other. */
export interface ArrayShape {
  /** One value. */
  readonly arrayOf: FieldShape;
  /** How many there are; without it, as many as fit the payload. */
  readonly count?: number;
}

/** Messages one behind the other, each starting with its own length (struct rtnexthop). */
export interface RecordsShape {
  /** One of them; the first 16 bits of its header are the length. */
  readonly records: MessageShape;
}

/** An attribute that may stand there several times: its values are a list. */
export interface RepeatedShape {
  /** One of them. */
  readonly repeated: Shape;
}

/** A payload whose form depends on another field or attribute of the same table, where the type need not. */
export interface EitherShape {
  /** The key of the other one. */
  readonly either: string;
  /** The payload for some of its values. */
  readonly when: { readonly [value: string]: Shape };
  /** The payload for all other values; without it, those keep their bytes. */
  readonly otherwise?: Shape;
}

/** A payload that depends on the value of another attribute of the same table. */
export interface DependentShape {
  /** The key of the other attribute. */
  readonly by: string;
  /** The payload for each of its values. */
  readonly of: { readonly [value: string]: Shape };
}

/** A fixed struct with attributes behind it. */
export interface MessageShape {
  /** The struct. */
  readonly header: Fields;
  /** What stands behind it. */
  readonly attributes: Table;
  /** What a reader says once more, under a key of its own: the attribute in which it is, and its key there. */
  readonly also?: { readonly [key: string]: readonly [attribute: string, key: string] };
}

/** The message in which this stands, again: a veth link holds the whole message of its peer. */
export interface ItselfShape {
  /** A mark. */
  readonly itself: true;
  /** The key that makes no sense there; its type would have no end. */
  readonly without: string;
}

/** What a payload may be. */
export type Shape =
  // deno-lint-ignore no-explicit-any
  | Codec<any>
  | FlagsShape
  | OneOfShape
  | StructShape
  | ListShape
  | ArrayShape
  | RecordsShape
  | RepeatedShape
  | EitherShape
  | DependentShape
  | MessageShape
  | ItselfShape
  | Table;

/** An attribute that no row describes, kept as it came and sent as it is. */
export interface UnknownAttribute {
  /** Its number, with the flag bits NLA_F_NESTED (0x8000) and NLA_F_NET_BYTEORDER (0x4000). */
  type: number;
  /** Its payload. */
  bytes: Uint8Array;
}

// What follows asks only for the marks of shapes, and looks the rest up: TypeScript gives up on types
// that it has to compare to their last table.

/** The TypeScript type of a payload; `Root` is the message around it. */
export type ValueOf<S, Root> = S extends Codec<infer Value> ? Value
  : S[keyof S] extends readonly unknown[] ? Attributes<S, Root>
  : ByMark<S, Root>[Extract<keyof S, keyof ByMark<S, Root>>];

/** The type of a payload by the key that marks its shape. */
export interface ByMark<S, Root> {
  /** The message around, again. */
  itself: S extends { readonly without: infer Without } ? Inner<Root, Without> : never;
  /** Names of bits. */
  flags: S extends { readonly names: infer Names }
    ? readonly (keyof Names & string | `0x${string}`)[]
    : never;
  /** A name, or a number without one. */
  oneOf: S extends { readonly names: infer Names } ? (keyof Names & string) | number : never;
  /** Fields. */
  struct: S extends { readonly struct: infer F } ? Struct<F> : never;
  /** Entries. */
  listOf: S extends { readonly listOf: infer Entry } ? ValueOf<Entry, Root>[] : never;
  /** Values of one size. */
  arrayOf: S extends { readonly arrayOf: infer Entry } ? ValueOf<Entry, never>[] : never;
  /** Messages, one behind the other. */
  records: S extends { readonly records: infer M } ? Message<M>[] : never;
  /** One for each time that it stands there. */
  repeated: S extends { readonly repeated: infer Entry } ? ValueOf<Entry, Root>[] : never;
  /** One of several. */
  either:
    | (S extends { readonly when: infer Forms } ? ValueOf<Forms[keyof Forms], Root> : never)
    | (S extends { readonly otherwise: infer Other } ? ValueOf<Other, Root> : never);
  /** A message. */
  header: Message<S>;
}

/** The type of a message: header fields and attributes side by side. */
export type Message<M> = M extends { readonly header: infer H; readonly attributes: infer T }
  ? Struct<H> & Attributes<T, M>
  : never;

/** The type of a message inside one of its kind. */
export type Inner<Root, Without> = Root extends
  { readonly header: infer H; readonly attributes: infer T }
  ? Struct<H> & Attributes<Omit<T, Without & string>>
  : never;

/** The type of a struct's fields; a kernel that knows fewer leaves the last ones out. */
export type Struct<F> = {
  -readonly [Key in keyof F]?: ValueOf<F[Key], never> | undefined;
};

/** A row whose payload depends on another attribute. */
export type DependentRow = readonly [
  string,
  number,
  { readonly by: string; readonly of: object },
];

/** The type of a table's attributes; what is absent was not said. */
export type Attributes<T, Root = never> =
  & {
    -readonly [Key in keyof T as T[Key] extends DependentRow ? never : Key]?:
      | (T[Key] extends readonly [string, number, infer S] ? ValueOf<S, Root> : never)
      | undefined;
  }
  & Dependents<T, Root>
  & {
    /** What no row describes, as it came. */
    unknown?: UnknownAttribute[] | undefined;
  };

/** The types of the attributes that depend on another one, as one union for each. */
export type Dependents<T, Root> = Intersection<
  {
    [Key in keyof T]: T[Key] extends DependentRow ? [Dependent<Key & string, T[Key][2], Root>]
      : never;
  }[keyof T]
>;

/** One such union: `{ kind: "veth", data?: ... } | { kind: "bridge", data?: ... } | { kind?: string }`. */
export type Dependent<Key extends string, D extends DependentRow[2], Root> =
  | {
    [Value in keyof D["of"] & string]:
      & { [K in D["by"]]: Value }
      & { [K in Key]?: ValueOf<D["of"][Value], Root> | undefined };
  }[keyof D["of"] & string]
  // Of a kind without a row nothing is known; its bytes are among the unknown.
  | ({ [K in D["by"]]?: string | undefined } & { [K in Key]?: undefined });

/** All members of a union of one-tuples at once. */
export type Intersection<U> = [U] extends [never] ? unknown
  : (U extends [infer Member] ? (member: Member) => void : never) extends (all: infer All) => void
    ? All
  : unknown;
