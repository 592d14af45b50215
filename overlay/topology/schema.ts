/**
 * How a format is described: as plain data, from which both the check of a value and its JSON Schema come.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import { nearest } from "./nearest.ts";
import type { Problem } from "./problem.ts";

/** What a value may be; a value that it takes is a `Value`. */
export type Form<Value = unknown> = Kind & {
  /** For TypeScript only. */
  readonly value?: Value;
};

/** What a form consists of. */
type Kind =
  | ObjectForm
  | MapForm
  | ListForm
  | TextForm
  | NumberForm
  | { readonly is: "yes or no" }
  | { readonly is: "words"; readonly words: readonly string[] }
  | { readonly is: "either"; readonly forms: readonly Form[] }
  | DependentForm
  | { readonly is: "itself"; readonly form: () => ObjectForm }
  | { readonly is: "any"; readonly text: string; readonly read: (value: unknown) => unknown };

/** Named values. */
export interface ObjectForm {
  readonly is: "object";
  /** What it is called where the schema speaks of it in several places. */
  readonly name?: string;
  readonly keys: Readonly<Record<string, Key>>;
}

/** One of several named values. */
export interface Key<Value = unknown> {
  /** What it is for. */
  readonly doc: string;
  readonly form: Form<Value>;
  readonly needed?: true;
}

/** Values by names of the user's choice. */
interface MapForm {
  readonly is: "map";
  readonly names: TextForm;
  readonly of: Form;
}

/** Values in order. */
interface ListForm {
  readonly is: "list";
  readonly of: Form;
  readonly least: number;
  readonly most?: number | undefined;
}

/** A text. */
export interface TextForm {
  readonly is: "text";
  /** What it is, in words: "an address, such as 10.0.0.2". */
  readonly text: string;
  /** What it looks like, as ECMAScript has it. */
  readonly pattern?: RegExp | undefined;
  /** Reads it; `InputError` for what the pattern lets through and can't be meant all the same. */
  readonly read?: ((text: string) => unknown) | undefined;
}

/** A number from one to another, both included. */
interface NumberForm {
  readonly is: "number";
  readonly from: number;
  readonly to: number;
  readonly whole: boolean;
  /** Whether it may be a bigint, which JSON does not have. */
  readonly long?: boolean | undefined;
}

/** A value whose form depends on another one of the same object. */
interface DependentForm {
  readonly is: "dependent";
  readonly by: string;
  readonly of: Readonly<Record<string, Form>>;
}

/** Keys that describe all of an interface, those that it needs as such. */
export type Keys<Of> = {
  readonly [
    K in keyof Of
  ]-?: Record<never, never> extends Pick<Of, K> ? Key<Of[K]>
    : Key<Of[K]> & { readonly needed: true };
};

/** An object with these keys and no others. */
export const object = <Of>(keys: Keys<Of>, name?: string): Form<Of> & ObjectForm => ({
  is: "object",
  keys: keys as ObjectForm["keys"],
  ...name === undefined ? {} : { name },
});

/** A key that may be left out. */
export const key = <Value>(form: Form<Value>, doc: string): Key<Value> => ({ form, doc });

/** A key that may not be left out. */
export const needed = <Value>(
  form: Form<Value>,
  doc: string,
): Key<Value> & { readonly needed: true } => ({ form, doc, needed: true });

/** Values by names. */
export const map = <Value>(
  names: Form<string> & TextForm,
  of: Form<Value>,
): Form<Readonly<Record<string, Value>>> => ({ is: "map", names, of });

/** A list; of at least `least` values and at most `most`. */
export const list = <Value>(
  of: Form<Value>,
  least = 0,
  most?: number,
): Form<Value[]> => ({ is: "list", of, least, most });

/** A text that is read by a function, and looks like a pattern. */
export const text = (
  text: string,
  read?: (text: string) => unknown,
  pattern?: RegExp,
): Form<string> & TextForm => ({ is: "text", text, pattern, read });

/** A whole number. */
export const whole = (from: number, to: number): Form<number> => ({
  ...{ is: "number", from, to, whole: true },
});

/** A whole number, which may also be a bigint. */
export const long = (from: number, to: number): Form<bigint> => ({
  ...{ is: "number", from, to, whole: true, long: true },
});

/** A number. */
export const number = (from: number, to: number): Form<number> => ({
  ...{ is: "number", from, to, whole: false },
});

/** true or false. */
export const yesNo: Form<boolean> = { is: "yes or no" };

/** One of some words. */
export const words = <const Word extends string>(words: readonly Word[]): Form<Word> => ({
  is: "words",
  words,
});

/** A value of one of several forms. */
export const either = <Values extends readonly unknown[]>(
  ...forms: { readonly [K in keyof Values]: Form<Values[K]> }
): Form<Values[number]> => ({ is: "either", forms });

/** What the value of another key, which must be there, makes it. */
export const dependent = <Value>(
  by: string,
  of: Readonly<Record<string, Form<Value>>>,
): Form<Value> => ({ is: "dependent", by, of });

/** An object that holds others of its form. */
export const itself = <Of>(form: () => Form<Of> & ObjectForm): Form<Of> => ({
  is: "itself",
  form,
});

/** What only its reader tells. */
export const any = <Value>(text: string, read: (value: unknown) => unknown): Form<Value> => ({
  is: "any",
  text,
  read,
});

/** How to check. */
export interface CheckOptions {
  /**
   * Whether texts are read, beyond what they look like: what a JSON Schema can't say.
   * @default {true}
   */
  read?: boolean;
}

/** More values than any network has, and few enough to be looked at within a second. */
export const MOST_VALUES = 1_000_000;
const DEEPEST = 100;

/** All that is wrong with a value; nothing when it is of the form. */
export function check(form: Form, value: unknown, { read = true }: CheckOptions = {}): Problem[] {
  if (isTooMuch(value)) {
    return [{
      path: [],
      message: `it has more than ${MOST_VALUES} values; leave out what aliases say again and again`,
    }];
  }
  const walk: Walk = { read, path: [], within: new Set(), problems: [] };
  visit(form, value, walk);
  return walk.problems;
}

/** Whether a value holds too many, those counted again that are said again. */
function isTooMuch(root: unknown): boolean {
  let count = 0;
  const within = new Set<unknown>();
  const look = (value: unknown): void => {
    if (++count > MOST_VALUES || typeof value !== "object" || value === null) return;
    if (within.has(value) || within.size >= DEEPEST) return;
    within.add(value);
    for (const own of Array.isArray(value) ? value : Object.values(value)) {
      look(own);
      if (count > MOST_VALUES) break;
    }
    within.delete(value);
  };
  look(root);
  return count > MOST_VALUES;
}

/** A value as a message shows it. */
export function show(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "bigint") return String(value);
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length > 80 ? `${shown.slice(0, 80)}...` : shown;
}

/** Where a check is. */
interface Walk {
  readonly read: boolean;
  readonly path: (string | number)[];
  /** What the value stands in. */
  readonly within: Set<unknown>;
  problems: Problem[];
}

/** What there is to check of each kind of form. */
const CHECKS: {
  readonly [Is in Kind["is"]]: (
    form: Extract<Kind, { is: Is }>,
    value: unknown,
    walk: Walk,
  ) => void;
} = {
  object(form, value, walk) {
    if (!isObject(value)) return refuse(form, value, walk);
    const entries = Object.entries(value).filter(([, value]) => value !== undefined);
    inside(value, walk, () => {
      for (const [name, value] of entries) {
        const known = Object.hasOwn(form.keys, name) ? form.keys[name]! : undefined;
        at(name, walk, () => {
          if (known === undefined) return tell(walk, unknownKey(name, Object.keys(form.keys)));
          const { form: own } = known;
          if (own.is !== "dependent") return visit(own, value, walk);
          visitDependent(own, value, new Map(entries).get(own.by), walk);
        });
      }
    });
    for (const [name, { needed, form: own }] of Object.entries(form.keys)) {
      if (!needed || entries.some(([key]) => key === name)) continue;
      tell(walk, `the key "${name}" is missing; it is ${expected(own)}`);
    }
  },
  map(form, value, walk) {
    if (!isObject(value)) return refuse(form, value, walk);
    inside(value, walk, () => {
      for (const [name, own] of Object.entries(value)) {
        if (own === undefined) continue;
        at(name, walk, () => {
          CHECKS.text(form.names, name, walk);
          visit(form.of, own, walk);
        });
      }
    });
  },
  list(form, value, walk) {
    if (!Array.isArray(value)) return refuse(form, value, walk);
    if (value.length < form.least || value.length > (form.most ?? Infinity)) {
      tell(walk, `expected ${expected(form)}, got ${value.length}`);
    }
    inside(value, walk, () => {
      for (const [index, own] of value.entries()) at(index, walk, () => visit(form.of, own, walk));
    });
  },
  text(form, value, walk) {
    if (typeof value !== "string") return refuse(form, value, walk);
    const unread = walk.read ? unreadable(form, value) : undefined;
    if (unread !== undefined) return tell(walk, unread);
    if (form.pattern?.test(value) === false) refuse(form, value, walk);
  },
  number(form, value, walk) {
    const fits = typeof value === "number" && (!form.whole || Number.isInteger(value)) ||
      typeof value === "bigint" && form.long;
    if (!fits || !(value >= form.from && value <= form.to)) refuse(form, value, walk);
  },
  "yes or no"(form, value, walk) {
    if (typeof value !== "boolean") refuse(form, value, walk);
  },
  words(form, value, walk) {
    if (typeof value === "string" && form.words.includes(value)) return;
    const near = typeof value === "string" ? nearest(value, form.words) : undefined;
    const hint = near === undefined ? "" : `; did you mean "${near}"?`;
    tell(walk, `expected ${expected(form)}, got ${show(value)}${hint}`);
  },
  either(form, value, walk) {
    const possible = form.forms.filter((own) => isPossible(own, value));
    if (possible.length === 0) return refuse(form, value, walk);
    const { problems } = walk;
    const tried = possible.map((own) => {
      visit(own, value, Object.assign(walk, { problems: [] }));
      return walk.problems;
    });
    const [best = []] = tried.toSorted((a, b) => a.length - b.length);
    walk.problems = problems;
    // Of several forms that a text or a number may have, none is the one that was meant.
    if (best.length > 0 && possible.length > 1 && !isObject(value)) refuse(form, value, walk);
    else problems.push(...best);
  },
  // An object looks at those of its keys.
  dependent() {},
  itself({ form }, value, walk) {
    CHECKS.object(form(), value, walk);
  },
  any({ read }, value, walk) {
    if (!walk.read) return;
    const problem = problemOf(() => read(value));
    if (problem !== undefined) tell(walk, problem);
  },
};

function visit(form: Form, value: unknown, walk: Walk): void {
  // deno-lint-ignore no-explicit-any
  CHECKS[form.is](form as any, value, walk);
}

function visitDependent({ by, of }: DependentForm, value: unknown, other: unknown, walk: Walk) {
  if (other === undefined) return tell(walk, `it needs the key "${by}", which says what it may be`);
  // What the other one can't be is its own problem.
  if (typeof other === "string" && Object.hasOwn(of, other)) visit(of[other]!, value, walk);
}

/** Looks at what a value holds, unless it holds itself. */
function inside(value: unknown, walk: Walk, look: () => void): void {
  if (walk.within.has(value)) return tell(walk, "it contains itself; write it out");
  if (walk.within.size >= DEEPEST) {
    return tell(walk, `it is nested too deeply; ${DEEPEST} levels are the most`);
  }
  walk.within.add(value);
  look();
  walk.within.delete(value);
}

function at(step: string | number, walk: Walk, look: () => void): void {
  walk.path.push(step);
  look();
  walk.path.pop();
}

function tell(walk: Walk, message: string): void {
  walk.problems.push({ path: [...walk.path], message });
}

function refuse(form: Form, value: unknown, walk: Walk): void {
  const wanted = expected(form);
  const hint = value !== null
    ? ""
    : wanted.startsWith("a mapping")
    ? "; write {} where nothing is to be said"
    : wanted.startsWith("a list")
    ? "; write [] for none"
    : "";
  tell(walk, `expected ${wanted}, got ${show(value)}${hint}`);
}

function unreadable({ read }: TextForm, value: string): string | undefined {
  return read === undefined ? undefined : problemOf(() => read(value));
}

/** What an `InputError` says; anything else is thrown on. */
export function problemOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

function unknownKey(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `unknown key; did you mean "${near}"?`;
  if (known.length === 0) return "unknown key; there are none here";
  return `unknown key; the keys here are ${known.join(", ")}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is of the type that a form has. */
function isPossible(form: Form, value: unknown): boolean {
  switch (form.is) {
    case "object":
    case "map":
    case "itself":
      return isObject(value);
    case "list":
      return Array.isArray(value);
    case "text":
    case "words":
      return typeof value === "string";
    case "number":
      return typeof value === "number" || typeof value === "bigint";
    case "yes or no":
      return typeof value === "boolean";
    case "either":
      return form.forms.some((own) => isPossible(own, value));
    default:
      return true;
  }
}

/** What a form takes, in words. */
function expected(form: Form): string {
  switch (form.is) {
    case "list":
      return countOf(form);
    case "text":
    case "any":
      return form.text;
    case "number":
      return form.from === form.to
        ? String(form.from)
        : `a ${form.whole ? "whole " : ""}number from ${form.from} to ${form.to}`;
    case "yes or no":
      return "true or false";
    case "words":
      return form.words.length === 1 ? `"${form.words[0]}"` : `one of ${form.words.join(", ")}`;
    case "either":
      return form.forms.map(expected).join(", or ");
    default:
      return "a mapping";
  }
}

function countOf({ least, most }: ListForm): string {
  if (least === most) return `a list of ${least}`;
  if (least === 0) return "a list";
  return `a list of ${least} or more`;
}

/** A value of a form with its keys in the form's order, as JSON can say it, nothing in it shared. */
export function arrange(form: Form, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) return value.toHex();
  if (Array.isArray(value)) {
    const of = formFor(form, value);
    return value.map((own) => arrange(of.is === "list" ? of.of : ANYTHING, own));
  }
  if (!isObject(value)) return value;
  const of = formFor(form, value);
  const keys = of.is === "object" ? Object.keys(of.keys) : [];
  const rank = (name: string) => keys.includes(name) ? keys.indexOf(name) : keys.length;
  return Object.fromEntries(
    Object.entries(value).filter(([, own]) => own !== undefined)
      .sort(([a], [b]) => rank(a) - rank(b))
      .map(([name, own]) => [name, arrange(formAt(of, name, value), own)]),
  );
}

const ANYTHING: Form = { is: "any", text: "a value", read: () => {} };

/** The form that a value has of those that it may have. */
function formFor(form: Form, value: unknown): Form {
  if (form.is === "itself") return form.form();
  if (form.is !== "either") return form;
  const possible = form.forms.filter((own) => isPossible(own, value));
  return possible.find((own) => check(own, value, { read: false }).length === 0) ??
    possible[0] ?? ANYTHING;
}

/** The form of what an object has under a name. */
function formAt(form: Form, name: string, value: Record<string, unknown>): Form {
  if (form.is === "map") return form.of;
  if (form.is !== "object" || !Object.hasOwn(form.keys, name)) return ANYTHING;
  const { form: own } = form.keys[name]!;
  if (own.is !== "dependent") return own;
  const other = String(value[own.by]);
  return Object.hasOwn(own.of, other) ? own.of[other]! : ANYTHING;
}

/** A JSON Schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The JSON Schema of a form (draft 2020-12): what `check` accepts without reading texts, and nothing else. */
export function jsonSchema(form: Form, title: string): JsonSchema {
  const named: Named = new Map();
  const { $ref: _, ...whole } = schemaOf(form, named);
  const root = form.is === "object" ? objectSchema(form, named) : whole;
  const defs = [...named].filter(([own]) => own !== form)
    .map(([own, schema]) => [own.name!, schema] as const)
    .sort(([a], [b]) => a < b ? -1 : 1);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title,
    ...root,
    $defs: Object.fromEntries(defs),
  };
}

/** The schemas of forms with names. */
type Named = Map<ObjectForm, JsonSchema>;

function schemaOf(form: Form, named: Named): JsonSchema {
  switch (form.is) {
    case "object":
      return form.name === undefined ? objectSchema(form, named) : referTo(form, named);
    case "itself":
      return referTo(form.form(), named);
    case "map":
      return {
        type: "object",
        propertyNames: schemaOf(form.names, named),
        additionalProperties: schemaOf(form.of, named),
      };
    case "list":
      return {
        type: "array",
        items: schemaOf(form.of, named),
        ...form.least > 0 ? { minItems: form.least } : {},
        ...form.most === undefined ? {} : { maxItems: form.most },
      };
    case "text":
      return { type: "string", ...form.pattern ? { pattern: form.pattern.source } : {} };
    case "number":
      return {
        ...form.from === form.to ? { const: form.from } : {
          type: form.whole ? "integer" : "number",
          minimum: form.from,
          maximum: form.to,
        },
      };
    case "yes or no":
      return { type: "boolean" };
    case "words":
      return { enum: form.words };
    case "either":
      return { anyOf: form.forms.map((own) => schemaOf(own, named)) };
    case "dependent":
    case "any":
      return {};
  }
}

function referTo(form: ObjectForm, named: Named): JsonSchema {
  if (!named.has(form)) {
    // First of all, for the form may hold itself.
    named.set(form, {});
    named.set(form, objectSchema(form, named));
  }
  return { $ref: `#/$defs/${form.name}` };
}

function objectSchema({ keys }: ObjectForm, named: Named): JsonSchema {
  const entries = Object.entries(keys);
  const required = entries.filter(([, { needed }]) => needed).map(([name]) => name);
  const dependents = entries.flatMap(([name, { form }]) =>
    form.is === "dependent" ? [{ name, form }] : []
  );
  return {
    type: "object",
    properties: Object.fromEntries(
      entries.map(([name, { doc, form }]) => [
        name,
        { description: doc, ...schemaOf(form, named) },
      ]),
    ),
    additionalProperties: false,
    ...required.length > 0 ? { required } : {},
    ...dependents.length === 0 ? {} : {
      dependentRequired: Object.fromEntries(dependents.map(({ name, form }) => [name, [form.by]])),
      allOf: dependents.flatMap(({ name, form: { by, of } }) =>
        Object.entries(of).map(([value, own]) => ({
          if: { properties: { [by]: { const: value } }, required: [by] },
          then: { properties: { [name]: schemaOf(own, named) } },
        }))
      ),
    },
  };
}
