/**
 * Readers: a table becomes the function that makes an object of a message's bytes.
 *
 * @module
 */

import { align, type AnyCodec, NLA_HEADER, NLA_TYPE_MASK } from "./payloads.ts";
import { returningObject } from "./objects.ts";
import type { Input, MessageShape, NumberFormat } from "./shape.ts";
import { getting, local, Source } from "./source.ts";

/** Reads a payload; `undefined` when these bytes are not of its kind. */
export type Read = (input: Input, start: number, end: number) => unknown;

/** A field of a struct, as it is read. */
export interface FieldToRead {
  readonly key: string;
  readonly codec: AnyCodec;
}

/** An attribute, as it is read. */
export interface RowToRead {
  readonly key: string;
  readonly number: number;
  /** How, where that depends on nothing. */
  readonly codec: AnyCodec | undefined;
  /** The key of what it depends on, and how then. */
  readonly by: { readonly key: string; codecFor(value: unknown): AnyCodec | undefined } | undefined;
  /** Each one that stands there is an entry of a list. */
  readonly repeated: boolean;
  /** Its key is also a field of the header, which it replaces. */
  readonly inHeader: boolean;
}

/** The key of what no row describes. */
const UNKNOWN = "unknown";
const KEEP_UNKNOWN = `(${
  local(UNKNOWN)
} ??= []).push({ type, bytes: input.bytes.slice(from, to) });`;

/** For attributes behind a header, or without one; `undefined` when they do not end where they should. */
export function messageReader(
  fields: readonly FieldToRead[],
  rows: readonly RowToRead[],
  also: NonNullable<MessageShape["also"]> = {},
): Read {
  const source = new Source();
  const said = new Set([...fields, ...rows].map(({ key }) => key));
  const keys = [...said, ...Object.keys(also), UNKNOWN];
  const sure = fields.filter(({ codec }) => codec.number !== undefined).map(({ key }) => key);
  const header = sizeOf(fields);
  const someWait = rows.some(({ by }) => waits(by?.key, fields));
  return source.compile(`
  function read(input, start, end) {
    ${header === 0 ? "" : `if (end - start < ${header}) return undefined;`}
    const { view } = input;
    let ${keys.map(local).join(", ")}, value${someWait ? ", later" : ""};
    ${fieldStatements(source, fields).join("\n    ")}
    let at = start + ${align(header)};
    while (at + ${NLA_HEADER} <= end) {
      const length = view.getUint16(at, true);
      const type = view.getUint16(at + 2, true);
      const from = at + ${NLA_HEADER}, to = at + length;
      if (length < ${NLA_HEADER} || to > end) break;
      at += length + 3 & ~3;
      switch (type & ${NLA_TYPE_MASK}) {
        ${rows.map((row) => caseOf(source, row, waits(row.by?.key, fields))).join("\n        ")}
      }
      ${KEEP_UNKNOWN}
    }
    if (at < end) return undefined;
    ${someWait ? laterStatements(source, rows, fields) : ""}
    ${Object.entries(also).map(onceMore).join("\n    ")}
    ${returningObject(source, keys, sure)}
  }`);
}

function onceMore([key, [attribute, inner]]: [string, readonly [string, string]]): string {
  return `${local(key)} = ${local(attribute)}?.${inner};`;
}

/** For a struct; of another kernel's, which may be shorter or longer, what is not there is absent. */
export function structReader(fields: readonly FieldToRead[]): Read {
  const source = new Source();
  const keys = fields.map(({ key }) => key);
  let size = 0;
  const statements = fieldStatements(source, fields).map((statement, index) => {
    size += fields[index]!.codec.size ?? 0;
    return `if (end - start >= ${size}) ${statement}`;
  });
  return source.compile(`
  function read(input, start, end) {
    const { view } = input;
    let ${keys.map(local).join(", ")};
    ${statements.join("\n    ")}
    ${returningObject(source, keys, [])}
  }`);
}

/** For numbers of one size, one behind the other; `undefined` when the last is cut off. */
export function numbersReader(number: NumberFormat): Read {
  return new Source().compile(`
(input, start, end) => {
  if ((end - start) % ${number.size} !== 0) return undefined;
  const { view } = input;
  const values = new Array((end - start) / ${number.size});
  for (let at = start, index = 0; at < end; at += ${number.size}) {
    values[index++] = ${getting(number, "at")};
  }
  return values;
}`);
}

/** One statement for each field, which is surely there. */
function fieldStatements(source: Source, fields: readonly FieldToRead[]): string[] {
  let at = 0;
  return fields.map(({ key, codec }) => {
    const from = `start + ${at}`;
    // A list without a count, the last field, takes the rest.
    const to = codec.size === undefined ? "end" : `start + ${at + codec.size}`;
    at += codec.size ?? 0;
    return `${local(key)} = ${valueAt(source, codec, from, to)};`;
  });
}

/** The value of a payload of the right length. */
export function valueAt(
  source: Source,
  codec: AnyCodec,
  from: string,
  to: string,
  input = "input",
  view = "view",
): string {
  if (codec.number === undefined) return `${source.name(codec)}.read(${input}, ${from}, ${to})`;
  const number = getting(codec.number, from, view);
  return codec.meaning === undefined ? number : `${source.name(codec.meaning)}(${number})`;
}

/** Takes an attribute where it fits its row, and goes on; what does not is unknown. */
function caseOf(source: Source, row: RowToRead, mayWait: boolean): string {
  const { key, number, codec, by, repeated, inHeader } = row;
  const own = local(key);
  const value = by === undefined
    ? valueAt(source, codec!, "from", "to")
    : `${source.name(by)}.codecFor(${local(by.key)})?.read(input, from, to)`;
  const format = codec?.number;
  // Any bytes of its size are a number.
  const isSure = format !== undefined && codec!.meaning === undefined;
  const conditions = [
    // The first is taken, but for what replaces a field of the header.
    ...repeated || inHeader ? [] : [`${own} === undefined`],
    ...format === undefined ? [] : [`to - from === ${format.size}`],
    ...isSure ? [] : [`(value = ${value}) !== undefined`],
  ];
  const got = isSure ? value : "value";
  const wait = mayWait
    ? `if (${local(by!.key)} === undefined) { (later ??= []).push({ type, from, to }); continue; }`
    : "";
  return `case ${number}: ${wait}
          if (${conditions.join(" && ")}) {
            ${repeated ? `(${own} ??= []).push(${got})` : `${own} = ${got}`};
            continue;
          }
          break;`;
}

/** Whether an attribute may stand before what it depends on. */
function waits(key: string | undefined, fields: readonly FieldToRead[]): boolean {
  return key !== undefined && !fields.some((field) => field.key === key);
}

/** What stood before that on which it depends. */
function laterStatements(
  source: Source,
  rows: readonly RowToRead[],
  fields: readonly FieldToRead[],
): string {
  const waiting = rows.filter(({ by }) => waits(by?.key, fields));
  return `for (const { type, from, to } of later ?? []) {
      switch (type & ${NLA_TYPE_MASK}) {
        ${waiting.map((row) => caseOf(source, row, false)).join("\n        ")}
      }
      ${KEEP_UNKNOWN}
    }`;
}

/** Bytes of a header. */
export function sizeOf(fields: readonly FieldToRead[]): number {
  return fields.reduce((sum, { codec }) => sum + (codec.size ?? 0), 0);
}
