/**
 * A stand-in for `@std/yaml` 1.x over `js-yaml`: what the project uses, and of
 * the entry points only the root (no `@std/yaml/parse`).
 *
 * The two read numbers with a leading zero or with underscores differently
 * (`012`, `0o14`, `1_000`), the real one lets tabs indent, and `stringify` quotes
 * other strings: write none of the former, compare none of the latter as text.
 *
 * @module
 */

import yaml from "npm:js-yaml@4.3.2";

/** Sets of types to read and write. */
export type SchemaType = "core" | "default" | "failsafe" | "json";

/** How to {@linkcode parse}. */
export interface ParseOptions {
  /** @default {"default"} */
  schema?: SchemaType;
  /** Whether the last of several equal keys counts; otherwise it is an error. */
  allowDuplicateKeys?: boolean;
}

/** How to {@linkcode stringify}. */
export type StringifyOptions = {
  /** Blanks per level. */
  indent?: number;
  /** Characters per line. */
  lineWidth?: number;
  /** Level from which on the flow style is used. */
  flowLevel?: number;
  /** Whether to leave out what YAML can't say. */
  skipInvalid?: boolean;
  /** Whether, or how, to sort keys. */
  sortKeys?: boolean | ((a: string, b: string) => number);
  /** @default {"default"} */
  schema?: SchemaType;
};

const SCHEMAS = {
  core: yaml.CORE_SCHEMA,
  default: yaml.DEFAULT_SCHEMA,
  failsafe: yaml.FAILSAFE_SCHEMA,
  json: yaml.JSON_SCHEMA,
};

/** The value of the one document in `content`; a `SyntaxError` if it is none. */
export function parse(content: string, options: ParseOptions = {}): unknown {
  const { schema = "default", allowDuplicateKeys = false } = options;
  try {
    return yaml.load(content, {
      schema: SCHEMAS[schema],
      json: allowDuplicateKeys,
    }) ?? null;
  } catch (error) {
    throw new SyntaxError((error as Error).message);
  }
}

/** A YAML document that says `data`; a `TypeError` if YAML can't. */
export function stringify(
  data: unknown,
  { schema = "default", ...options }: StringifyOptions = {},
): string {
  try {
    return yaml.dump(data, {
      ...options,
      schema: SCHEMAS[schema],
      replacer: options.skipInvalid ? undefined : sayable,
    });
  } catch (error) {
    throw new TypeError((error as Error).message);
  }
}

/** Refuses what js-yaml would leave out in silence. */
function sayable(_key: string, value: unknown): unknown {
  if (value !== undefined && typeof value !== "function") return value;
  throw new TypeError(`Cannot stringify ${typeof value}`);
}
