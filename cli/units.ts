/**
 * Rates, sizes and times as `tc` types and prints them (tc(8), "UNITS").
 *
 * @module
 */

import { parseAmount, RATES, type Units } from "../overlay/topology/units.ts";
import type { Form } from "./words.ts";

const SIZES: Units = {
  "": 1,
  b: 1,
  k: 1024,
  kb: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  kbit: 128,
  mbit: 128 * 1024,
};
/** In microseconds. */
const TIMES: Units = {
  "": 1,
  us: 1,
  usec: 1,
  usecs: 1,
  ms: 1e3,
  msec: 1e3,
  msecs: 1e3,
  s: 1e6,
  sec: 1e6,
  secs: 1e6,
};

/** Bits in a second: "10mbit"; `undefined` for what is none. */
export function parseRate(text: string): number | undefined {
  return parseAmount(text, RATES);
}

function withUnit(
  name: string,
  units: Units,
  text: (value: number) => string,
  scale = 1,
): Form<number> {
  return {
    name,
    parse(words) {
      const value = parseAmount(words.take() ?? "", units);
      return value === undefined ? undefined : Math.round(value * scale);
    },
    json: (value) => value,
    text,
  };
}

/** Bytes in a second; typed and printed in bits. */
export const rate: Form<number> = withUnit("RATE", RATES, rateText, 1 / 8);
/** Bytes. */
export const size: Form<number> = withUnit("SIZE", SIZES, sizeText);
/** Microseconds. */
export const time: Form<number> = withUnit("TIME", TIMES, timeText);

/** A part of a whole: `50%`; 2^32 is all. */
export const percent: Form<number> = {
  name: "PERCENT",
  parse(words) {
    const [, digits] = /^(\d+(?:\.\d+)?)%?$/.exec(words.take() ?? "") ?? [];
    const part = Number(digits) / 100;
    return digits === undefined || part > 1
      ? undefined
      : Math.min(0xffffffff, Math.round(part * 0x100000000));
  },
  // As printf's %g.
  json: (value) => Number((value / 0xffffffff).toPrecision(6)),
  text: (value) => `${Number((100 * value / 0xffffffff).toPrecision(6))}%`,
};

/** As tc prints a rate: 125000 bytes in a second are "1Mbit". */
export function rateText(bytes: number): string {
  let value = bytes * 8;
  let unit = 0;
  while (unit < 4 && value >= 1000 && (value % 1000 === 0 || value >= 1000 * 1000)) {
    value /= 1000;
    unit++;
  }
  return `${Math.round(value)}${["", "K", "M", "G", "T"][unit]}bit`;
}

/** As tc prints a size. */
export function sizeText(bytes: number): string {
  const round = (unit: number) => unit * Math.round(bytes / unit);
  if (bytes >= 2 ** 20 && Math.abs(round(2 ** 20) - bytes) < 1024) {
    return `${general(bytes / 2 ** 20)}Mb`;
  }
  if (bytes >= 1024 && Math.abs(round(1024) - bytes) < 16) return `${general(bytes / 1024)}Kb`;
  return `${bytes}b`;
}

/** As tc prints a time. */
export function timeText(microseconds: number): string {
  if (microseconds >= 1e6) return `${threeDigits(microseconds / 1e6)}s`;
  if (microseconds >= 1e3) return `${threeDigits(microseconds / 1e3)}ms`;
  return `${microseconds}us`;
}

/** printf's %g. */
function general(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** printf's %.3g, for what is below 1000. */
function threeDigits(value: number): string {
  return String(Number(value.toPrecision(3)));
}
