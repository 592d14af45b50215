/**
 * The forms of values: how each is typed and printed.
 *
 * @module
 */

import { parseAddress } from "../rtnl/codec/ip.ts";
import { target } from "./host.ts";
import type { Form, Values } from "./words.ts";
import { UsageError } from "./errors.ts";

/** A form of one word. */
function oneWord<Value>(
  name: string,
  read: (word: string) => Value | undefined,
  text: (value: Value) => string = String,
): Form<Value> {
  return {
    name,
    parse(words) {
      const word = words.take();
      return word === undefined ? undefined : read(word);
    },
    json: (value) => value,
    text,
  };
}

/** A whole number, decimal or after 0x. */
export function readNumber(word: string): number | undefined {
  return /^(\d+|0x[0-9a-f]+)$/i.test(word) ? Number(word) : undefined;
}

/** A whole number. */
export const number: Form<number> = oneWord("NUMBER", readNumber);
/** One of 64 bits, which JSON knows as a number. */
export const bigNumber: Form<bigint> = {
  ...oneWord("NUMBER", (word) => /^\d+$/.test(word) ? BigInt(word) : undefined),
  json: Number,
};
/** A whole number, printed after 0x. */
export const hex: Form<number> = {
  ...number,
  json: hexText,
  text: hexText,
};

/** As printf's `%#x`. */
export function hexText(value: number): string {
  return value === 0 ? "0" : `0x${value.toString(16)}`;
}

/** Any text. */
export const text: Form<string> = oneWord("TEXT", (word) => word);
/** A link-layer address. */
export const mac: Form<string> = oneWord(
  "LLADDR",
  (word) => /^[0-9a-f]{1,2}([:][0-9a-f]{1,2})+$/i.test(word) ? padded(word) : undefined,
);
/** An IP address. */
export const ip: Form<string> = oneWord("ADDRESS", (word) => parseAddress(word) ? word : undefined);
/** An IPv4 address. */
export const ip4: Form<string> = family4(ip);
/** An IPv6 address. */
export const ip6: Form<string> = family6(ip);

function padded(word: string): string {
  return word.split(":").map((byte) => byte.padStart(2, "0")).join(":").toLowerCase();
}

function family4(form: Form<string>): Form<string> {
  return only(form, (address) => !address.includes(":"));
}

function family6(form: Form<string>): Form<string> {
  return only(form, (address) => address.includes(":"));
}

/** The same for those values that a condition holds for, typed or printed. */
export function only<Value>(form: Form<Value>, holds: (value: Value) => boolean): Form<Value> {
  return {
    ...form,
    parse(words, host, typed) {
      const value = form.parse?.(words, host, typed);
      return value !== undefined && holds(value) ? value : undefined;
    },
    json: (value, host) => holds(value) ? form.json?.(value, host) : undefined,
    text: (value, host) => holds(value) ? form.text?.(value, host) : undefined,
  };
}

/** The same, where 0 and the like are not printed. */
export function unlessZero<Value>(form: Form<Value>): Form<Value> {
  const isZero = (value: Value) =>
    value === 0 || value === false || value === "0.0.0.0" || value === "::";
  return {
    ...form,
    json: (value, host) => isZero(value) ? undefined : form.json?.(value, host),
    text: (value, host) => isZero(value) ? undefined : form.text?.(value, host),
    ...(form.label === undefined ? {} : {
      label: (value: Value, label, host) =>
        isZero(value) ? undefined : form.label!(value, label, host),
    } as Partial<Form<Value>>),
  };
}

/** A number or a word that stands for one: `ttl inherit`. Typed either way, printed as a word in text. */
export function orWord(word: string, value: number, form: Form<number> = number): Form<number> {
  return {
    ...form,
    name: `${form.name} or ${word}`,
    parse: (words, host, typed) => words.takeIf(word) ? value : form.parse?.(words, host, typed),
    text: (given, host) => given === value ? word : form.text?.(given, host),
  };
}

/** One of a few words, which the rtnl table knows by the same names. */
export function choice(...names: string[]): Form<string | number> {
  return oneWord<string | number>(
    names.join("|"),
    (word) => names.find((name) => name.toLowerCase() === word.toLowerCase()),
  );
}

/** One of a few words that stand for other values. */
export function words<Value extends string | number | boolean>(
  meanings: Readonly<Record<string, Value>>,
): Form<Value> {
  const names = Object.keys(meanings);
  const nameOf = (value: Value) => names.find((name) => meanings[name] === value) ?? value;
  return {
    ...oneWord(
      names.join("|"),
      (word) => Object.hasOwn(meanings, word) ? meanings[word] : undefined,
    ),
    json: nameOf,
    text: (value) => String(nameOf(value)),
  };
}

const ONS = ["on", "1", "true", "yes"];
const OFFS = ["off", "0", "false", "no"];
const readSwitch = (word: string) =>
  ONS.includes(word) ? true : OFFS.includes(word) ? false : undefined;

/** A switch, printed as `on` and `off`, in JSON as a boolean. */
export const onOff: Form<boolean> = oneWord(
  "on|off",
  readSwitch,
  (value) => value ? "on" : "off",
);
/** A switch, printed as 0 and 1. */
export const bit: Form<boolean> = {
  ...oneWord("0|1", readSwitch, (value) => value ? "1" : "0"),
  json: Number,
};
/** A switch that is typed as a word or as `no` and that word, and printed so. */
export const toggle: Form<boolean> = {
  name: "",
  parse: (_words, _host, typed) => !typed.startsWith("no"),
  json: (value) => value,
  label: (value, label) => value ? label : `no${label}`,
};
/** The same, printed only when it is on. */
export const toggleOn: Form<boolean> = unlessZero(toggle);
/** The same, in text printed only when it is off. */
export const toggleOff: Form<boolean> = {
  ...toggle,
  label: (value, label) => value ? undefined : `no${label}`,
};
/** A word that is there or not. */
export const presence: Form<boolean> = {
  name: "",
  parse: () => true,
  json: (value) => value ? true : undefined,
  label: (value, label) => value ? label : undefined,
};

/** A word that stands for a value, without one of its own: `nomaster`. */
export function meaning(value: unknown): Form {
  return { name: "", parse: () => value };
}

/** A link, typed and printed by its name. */
export const device: Form<number> = {
  name: "DEV",
  parse(words, host) {
    const name = words.take();
    return name === undefined ? undefined : host.names.index(name);
  },
  json: (index, host) => host.names.name(index),
  text: (index, host) => host.names.name(index),
};

/** A namespace, opened for as long as the command runs. */
export const netns: Form<number> = {
  name: "TARGET",
  parse(words, host) {
    const word = words.take();
    if (word === undefined) return undefined;
    return host.open(/^\d+$/.test(word) ? { pid: Number(word) } : target(word)).fd;
  },
};

/** A value typed as one, which comes into a list with the others of its key. */
export function listed(form: Form): Form {
  return {
    ...form,
    store(values: Values, value: unknown, key: string) {
      values[key] = [...values[key] as unknown[] ?? [], value];
    },
  };
}

/** Seconds of which the kernel counts hundredths, printed with two digits. */
export const timer: Form<bigint> = {
  name: "SECONDS",
  json: (value) => Number(value) / 100,
  text: (value) => (Number(value) / 100).toFixed(2),
};

/** Refuses what can't be, in words. */
export function refuseUnless(holds: unknown, message: string): asserts holds {
  if (!holds) throw new UsageError(message);
}

/** A flag typed as a word, in JSON a key without a value. */
export function flag(name: string): Form {
  return {
    name: "",
    parse: () => name,
    store(values, name, key) {
      values[key] = [...values[key] as string[] ?? [], name];
    },
    json: (flags: readonly string[]) => flags.includes(name) ? null : undefined,
    label: (flags: readonly string[], label) => flags.includes(name) ? label : undefined,
  };
}
