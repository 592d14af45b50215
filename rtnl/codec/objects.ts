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

/** A set of keys, as bits, and what makes an object of the values of all keys. */
interface Form {
  readonly masks: readonly number[];
  make: (...values: unknown[]) => object;
}

/** What somebody sends may have any set; those beyond so many get no constructor. */
const MOST_FORMS = 64;
/** A set gets its constructor when it is met so often: to compile those of a short list takes longer than the list. */
const OFTEN = 8;
/** Bits of a small integer. */
const MASK_BITS = 30;

/**
 * Statements that put an object of the keys' variables into the variable `value`, without those that are
 * undefined, which `sure` ones never are.
 */
export function makingObject(
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
  const known: Form[] = [];
  const forms = source.name(known);
  const makeAny = anyMaker(keys);
  const another = source.name((...masks: number[]) => {
    const isThere = unsure.map((_, bit) =>
      (masks[Math.floor(bit / MASK_BITS)]! & 1 << bit % MASK_BITS) !== 0
    );
    const there = keys.filter((key) => isThere[unsure.indexOf(key)] ?? true);
    let met = 0;
    const form: Form = {
      masks,
      make(...values) {
        if (++met === OFTEN) form.make = maker(keys, there);
        return makeAny(...values);
      },
    };
    known.push(form);
    return form;
  });
  const any = source.name({ masks: [], make: makeAny });
  const differs = names.map((name, index) => `form.masks[${index}] !== ${name}`).join(" || ");
  return `
    const ${names.map((name, index) => `${name} = ${masks[index]}`).join(", ")};
    let index = 0, form;
    while ((form = ${forms}[index]) !== undefined && (${differs})) index++;
    form ??= index < ${MOST_FORMS} ? ${another}(${names.join(", ")}) : ${any};
    value = form.make(${keys.map(local).join(", ")});`;
}

/** A constructor and not a literal, whose objects V8 soon takes for long-lived: a list of links took half as long again. */
function maker(keys: readonly string[], there: readonly string[]): Form["make"] {
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

function anyMaker(keys: readonly string[]): Form["make"] {
  return (...values) => {
    const object: Record<string, unknown> = {};
    for (let index = 0; index < keys.length; index++) {
      if (values[index] !== undefined) object[keys[index]!] = values[index];
    }
    return object;
  };
}
