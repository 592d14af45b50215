/**
 * What nft(8) notes on its objects for itself, such as comments: rows of type, length and payload in
 * NFTA_*_USERDATA, of which the kernel knows nothing (libnftnl's udata.h).
 *
 * @module
 */

import { Buffer } from "../codec/buffer.ts";
import { bytes, show, text, u32 } from "../codec/scalars.ts";
import {
  type Attributes,
  type Codec,
  type Input,
  type Output,
  type Table,
  type UnknownAttribute,
  ValueError,
} from "../codec/shape.ts";

const HEADER = 2;

/** Rows of user data as an object. */
export type Userdata<T extends Table> = Attributes<T>;

/** The codec of such rows, whose shapes are all scalars. */
function userdata<T extends Table>(table: T): Codec<Userdata<T>> {
  const rows = Object.entries(table).map(([key, [, number, shape]]) => ({
    key,
    number,
    codec: shape as Codec<unknown>,
  }));

  function read(input: Input, start: number, end: number): Values | undefined {
    const values: Values = {};
    const unknown: UnknownAttribute[] = [];
    for (let at = start; at < end;) {
      const stop = at + HEADER + (at + HEADER <= end ? input.bytes[at + 1]! : 0);
      if (stop > end) return undefined;
      const type = input.bytes[at]!;
      const row = rows.find(({ number }) => number === type);
      const value = row?.codec.read(input, at + HEADER, stop);
      if (row === undefined || value === undefined || values[row.key] !== undefined) {
        unknown.push({ type, bytes: input.bytes.slice(at + HEADER, stop) });
      } else values[row.key] = value;
      at = stop;
    }
    if (unknown.length > 0) values.unknown = unknown;
    // What would not come out again as it came is better kept as bytes.
    const again = new Buffer();
    write(again, values);
    const same = again.length === end - start &&
      again.finish().every((byte, i) => byte === input.bytes[start + i]);
    return same ? values : undefined;
  }

  function write(output: Output, values: Values): void {
    if (typeof values !== "object" || values === null) {
      throw new ValueError(`expected an object, got ${show(values)}`);
    }
    for (const { key, number, codec } of rows) {
      if (values[key] !== undefined) append(output, key, number, codec, values[key]);
    }
    for (const { type, bytes: payload } of values.unknown ?? []) {
      append(output, "unknown", type, bytes, payload);
    }
  }

  return { read: read as Codec<Userdata<T>>["read"], write: write as Codec<Userdata<T>>["write"] };
}

interface Values {
  [key: string]: unknown;
  unknown?: UnknownAttribute[];
}

function append(
  output: Output,
  key: string,
  type: number,
  codec: Codec<unknown>,
  value: unknown,
): void {
  const start = output.reserve(HEADER);
  try {
    codec.write(output, value);
    const length = output.length - start - HEADER;
    if (length > 0xff) throw new ValueError(`${length} bytes are more than user data holds`);
    output.bytes.set([type, length], start);
  } catch (error) {
    if (error instanceof ValueError) error.path.unshift(key);
    throw error;
  }
}

const TABLE_ROWS = {
  comment: ["NFTNL_UDATA_TABLE_COMMENT", 0, text as Codec<string>],
} as const satisfies Table;

const CHAIN_ROWS = {
  comment: ["NFTNL_UDATA_CHAIN_COMMENT", 0, text as Codec<string>],
} as const satisfies Table;

const RULE_ROWS = {
  comment: ["NFTNL_UDATA_RULE_COMMENT", 0, text as Codec<string>],
} as const satisfies Table;

const OBJECT_ROWS = {
  comment: ["NFTNL_UDATA_OBJ_COMMENT", 0, text as Codec<string>],
} as const satisfies Table;

const ELEMENT_ROWS = {
  comment: ["NFTNL_UDATA_SET_ELEM_COMMENT", 0, text as Codec<string>],
  flags: ["NFTNL_UDATA_SET_ELEM_FLAGS", 1, u32 as Codec<number>],
} as const satisfies Table;

const SET_ROWS = {
  /** How keys are shown: 0 unknown, 1 in the host's byte order, 2 in that of the network. */
  keyByteOrder: ["NFTNL_UDATA_SET_KEYBYTEORDER", 0, u32 as Codec<number>],
  dataByteOrder: ["NFTNL_UDATA_SET_DATABYTEORDER", 1, u32 as Codec<number>],
  mergeElements: ["NFTNL_UDATA_SET_MERGE_ELEMENTS", 2, u32 as Codec<number>],
  keyTypeof: ["NFTNL_UDATA_SET_KEY_TYPEOF", 3, bytes as Codec<Uint8Array>],
  dataTypeof: ["NFTNL_UDATA_SET_DATA_TYPEOF", 4, bytes as Codec<Uint8Array>],
  expressions: ["NFTNL_UDATA_SET_EXPR", 5, bytes as Codec<Uint8Array>],
  dataInterval: ["NFTNL_UDATA_SET_DATA_INTERVAL", 6, u32 as Codec<number>],
  comment: ["NFTNL_UDATA_SET_COMMENT", 7, text as Codec<string>],
} as const satisfies Table;

/** A table's. */
export const TABLE_USERDATA: Codec<Userdata<typeof TABLE_ROWS>> = userdata(TABLE_ROWS);
/** A chain's. */
export const CHAIN_USERDATA: Codec<Userdata<typeof CHAIN_ROWS>> = userdata(CHAIN_ROWS);
/** A rule's. */
export const RULE_USERDATA: Codec<Userdata<typeof RULE_ROWS>> = userdata(RULE_ROWS);
/** A stateful object's. */
export const OBJECT_USERDATA: Codec<Userdata<typeof OBJECT_ROWS>> = userdata(OBJECT_ROWS);
/** A set's. */
export const SET_USERDATA: Codec<Userdata<typeof SET_ROWS>> = userdata(SET_ROWS);
/** A set element's. */
export const ELEMENT_USERDATA: Codec<Userdata<typeof ELEMENT_ROWS>> = userdata(ELEMENT_ROWS);
