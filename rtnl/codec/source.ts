/**
 * Functions that are written for one table each: the tables stay the one source, and what comes of them
 * has no loop over rows, no closure for an attribute, and objects of few shapes.
 *
 * @module
 */

import type { NumberFormat } from "./shape.ts";

/** Source text in the making: it refers by name to values that are known when it is compiled. */
export class Source {
  readonly #values: unknown[] = [];

  /** The name under which the text has a value. */
  name(value: unknown): string {
    const known = this.#values.indexOf(value);
    return `c${known < 0 ? this.#values.push(value) - 1 : known}`;
  }

  /** Compiles an expression; what it is made of are the tables alone, never what a message or a user says. */
  compile<Value>(expression: string): Value {
    const names = this.#values.map((_, index) => `c${index}`).join(", ");
    // As constants, and not as parameters, they are part of what V8 optimises.
    const body = `"use strict"; const [${names}] = values; return (${expression});`;
    return new Function("values", body)(this.#values);
  }
}

/** An expression for a number in a DataView. */
export function getting(
  { method, size, little }: NumberFormat,
  at: string,
  view = "view",
): string {
  const number = `${view}.get${method}(${at}${size > 1 ? `, ${little}` : ""})`;
  // Each bigint takes memory, and most counters are 0: a list of links takes a tenth less.
  return size === 8
    ? `((${view}.getUint32(${at}) | ${view}.getUint32(${at} + 4)) === 0 ? 0n : ${number})`
    : number;
}

/** The same for writing it. */
export function setting(
  { method, size, little }: NumberFormat,
  at: string,
  value: string,
  view = "view",
): string {
  return `${view}.set${method}(${at}, ${value}${size > 1 ? `, ${little}` : ""})`;
}

/** The variable of a key, whatever that is made of. */
export function local(key: string): string {
  return `_${key.replace(/\W/g, (char) => `$${char.charCodeAt(0)}`)}`;
}

/** The access to a property. */
export function property(key: string): string {
  return `[${JSON.stringify(key)}]`;
}
