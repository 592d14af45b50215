/**
 * Writers: a table becomes the function that makes a message's bytes of an object.
 *
 * @module
 */

import { align, type AnyCodec, append, close, each, expectObject, NLA_HEADER } from "./payloads.ts";
import { type FieldToRead, type RowToRead, sizeOf, valueAt } from "./reading.ts";
import { type NumberFormat, type Output, ValueError } from "./shape.ts";
import { local, property, setting, Source } from "./source.ts";

/** Appends a payload; throws {@linkcode ValueError}, with the key in its path, for what does not fit. */
export type Write = (output: Output, value: unknown) => void;

/** An attribute, as it is written. */
export interface RowToWrite extends RowToRead {
  /** A codec, and the flag bits that its attribute carries, which may depend on the values beside it. */
  formFor(values: unknown): { codec: AnyCodec; flag: number } | undefined;
}

/** For attributes behind a header, or without one. */
export function messageWriter(fields: readonly FieldToRead[], rows: readonly RowToWrite[]): Write {
  const source = new Source();
  const padding = align(sizeOf(fields)) - sizeOf(fields);
  return writer(source, [
    ...fields.map((field) => fieldStatement(source, field)),
    `output.reserve(${padding});`,
    ...rows.map((row) => rowStatement(source, row, fields)),
    `if (values.unknown !== undefined) {
      key = "unknown";
      ${source.name(writeUnknown)}(output, values.unknown);
    }`,
  ]);
}

/** For a struct: what is not said is 0. */
export function structWriter(fields: readonly FieldToRead[]): Write {
  const source = new Source();
  return writer(source, fields.map((field) => fieldStatement(source, field)));
}

/** The key that was reached goes into the path of a value that does not fit. */
function writer(source: Source, statements: readonly string[]): Write {
  return source.compile(`
function write(output, values) {
  ${source.name(expectObject)}(values);
  const start = output.length;
  let key, at, number;
  try {
    ${statements.join("\n    ")}
  } catch (error) {
    if (error instanceof ${source.name(ValueError)}) error.path.unshift(key);
    throw error;
  }
}`);
}

function fieldStatement(source: Source, { key, codec }: FieldToRead): string {
  const said = `values${property(key)}`;
  return `key = ${JSON.stringify(key)};
    if (${said} === undefined) output.reserve(${codec.size ?? 0});
    else ${
    written(source, codec, said, (value, size, format) =>
      `{ at = output.reserve(${size}); ${set(format, "at", value)} }`)
  }`;
}

function rowStatement(source: Source, row: RowToWrite, fields: readonly FieldToRead[]): string {
  const { key, number, codec, repeated, inHeader } = row;
  const said = `values${property(key)}`;
  const own = local(key);
  // What the header has said already is not said again.
  const isNews = inHeader ? ` && ${own} !== ${inHeaderOf(source, key, fields)}` : "";
  const statement = codec === undefined || repeated
    ? `${source.name(writeRow)}(output, ${own}, ${source.name(row)}, values);`
    : codec.omits === undefined
    ? written(source, codec, own, (value, size, format) =>
      `{
        at = output.reserve(${NLA_HEADER + align(size)});
        output.view.setUint32(at, ${NLA_HEADER + size | number << 16}, true);
        ${set(format, `at + ${NLA_HEADER}`, value)}
      }`, (value) => appended(source, row, value))
    : `if (!${source.name(codec)}.omits(${own})) { ${appended(source, row, own)} }`;
  return `const ${own} = ${said};
    if (${own} !== undefined${isNews}) {
      key = ${JSON.stringify(key)};
      ${statement}
    }`;
}

/** A number is set where it is in range; whatever else, and what does not fit, is for the codec. */
function written(
  source: Source,
  codec: AnyCodec,
  said: string,
  inline: (value: string, size: number, format: NumberFormat) => string,
  call = (value: string) => `${source.name(codec)}.write(output, ${value});`,
): string {
  const { number, names, meaning } = codec;
  const isInline = number?.range !== undefined && (meaning === undefined || names !== undefined);
  if (!isInline) return call(said);
  const [least, most] = number.range!;
  const value = names === undefined ? said : `${source.name(names)}.get(${said}) ?? ${said}`;
  return `if (Number.isInteger(number = ${value}) && number >= ${least} && number <= ${most}) ${
    inline("number", number.size, number)
  } else ${call(said)}`;
}

function set(format: NumberFormat, at: string, value: string): string {
  return `${setting(format, at, value, "output.view")};`;
}

function appended(source: Source, { formFor, number }: RowToWrite, value: string): string {
  const { codec, flag } = formFor({})!;
  return `${source.name(append)}(output, ${value}, ${source.name(codec)}, ${number | flag});`;
}

/** What has been written of it as a field of the header. */
function inHeaderOf(source: Source, key: string, fields: readonly FieldToRead[]): string {
  const index = fields.findIndex((field) => field.key === key);
  const from = sizeOf(fields.slice(0, index));
  const { codec } = fields[index]!;
  return valueAt(
    source,
    codec,
    `start + ${from}`,
    `start + ${from + codec.size!}`,
    "output",
    "output.view",
  );
}

/** Rows of which a program has few. */
function writeRow(
  output: Output,
  value: unknown,
  { number, repeated, formFor }: RowToWrite,
  values: unknown,
): void {
  const form = formFor(values);
  if (form === undefined) throw new ValueError("nothing is known of it for this kind");
  if (form.codec.omits?.(value)) return;
  const write = (value: unknown) => append(output, value, form.codec, number | form.flag);
  if (repeated) each(value as unknown[], write);
  else write(value);
}

function writeUnknown(
  output: Output,
  unknown: readonly { type: number; bytes: Uint8Array }[],
): void {
  for (const { type, bytes } of unknown) {
    const start = output.reserve(NLA_HEADER + bytes.length);
    output.bytes.set(bytes, start + NLA_HEADER);
    close(output, start, type);
  }
}
