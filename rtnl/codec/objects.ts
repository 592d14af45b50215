/**
 * The objects that readers make: a constructor for each set of keys that is met.
 *
 * So they have few hidden classes, each as large as it must be. V8 drops a class of which no object is
 * left, and the code that was made for it, so one object of each is kept: without it, a list of links
 * after a pause took three times as long.
 *
 * @module
 */

import { local, property, Source } from "./source.ts";

/** What somebody sends may have any set of keys; those beyond so many get no constructor. */
const MOST_SETS = 64;
/** A set gets its constructor when it is met so often: to compile those of a short list takes longer than the list. */
const OFTEN = 8;
/** Bits of a small integer. */
const MASK_BITS = 30;

/**
 * Statements that return an object of the keys' variables, without those that are undefined, which `sure`
 * ones never are.
 */
export function returningObject(
  source: Source,
  keys: readonly string[],
  sure: readonly string[],
): string {
  const unsure = keys.filter((key) => !sure.includes(key));
  const masks = Array.from({ length: Math.ceil(unsure.length / MASK_BITS) }, (_, index) => {
    const some = unsure.slice(index * MASK_BITS, (index + 1) * MASK_BITS);
    return some.map((key, bit) => `(${local(key)} === undefined ? 0 : ${1 << bit})`).join(" | ");
  });
  const names = masks.map((_, index) => `mask${index}`);
  const differs = names.map((name, index) => `set.masks[${index}] !== ${name}`).join(" || ");
  const sets = new KeySets(keys, unsure);
  const known = source.name(sets.known);
  return `
    const ${names.map((name, index) => `${name} = ${masks[index]}`).join(", ")};
    let index = 0, set;
    while ((set = ${known}[index]) !== undefined && (${differs})) index++;
    set ??= ${source.name(sets)}.another(${names.join(", ")});
    return set.make(${keys.map(local).join(", ")});`;
}

/** A set of keys, as bits, and what makes an object of the values of all keys. */
interface KeySet {
  readonly masks: readonly number[];
  make: (...values: unknown[]) => object;
}

/** The sets that were met. */
class KeySets {
  readonly known: KeySet[] = [];
  readonly #keys: readonly string[];
  readonly #unsure: readonly string[];
  readonly #other: KeySet;

  constructor(keys: readonly string[], unsure: readonly string[]) {
    this.#keys = keys;
    this.#unsure = unsure;
    this.#other = { masks: [], make: makerOfAny(keys) };
  }

  another(...masks: number[]): KeySet {
    if (this.known.length === MOST_SETS) return this.#other;
    const { make } = this.#other;
    let met = 0;
    const set: KeySet = {
      masks,
      make: (...values) => {
        if (++met === OFTEN) set.make = makerOf(this.#keys, this.#keysOf(masks));
        return make(...values);
      },
    };
    this.known.push(set);
    return set;
  }

  #keysOf(masks: readonly number[]): string[] {
    return this.#keys.filter((key) => {
      const bit = this.#unsure.indexOf(key);
      return bit < 0 || (masks[Math.floor(bit / MASK_BITS)]! >> bit % MASK_BITS & 1) === 1;
    });
  }
}

/** A constructor and not a literal, whose objects V8 soon takes for long-lived: a list of links took half as long again. */
function makerOf(keys: readonly string[], there: readonly string[]): KeySet["make"] {
  const names = keys.map(local).join(", ");
  const sets = there.map((key) => `this${property(key)} = ${local(key)};`).join(" ");
  return new Source().compile(`
(() => {
  function Value(${names}) { ${sets} }
  Value.prototype = Object.prototype;
  const make = (${names}) => new Value(${names});
  make.kept = make();
  return make;
})()`);
}

function makerOfAny(keys: readonly string[]): KeySet["make"] {
  return (...values) => {
    const object: Record<string, unknown> = {};
    for (let index = 0; index < keys.length; index++) {
      if (values[index] !== undefined) object[keys[index]!] = values[index];
    }
    return object;
  };
}
