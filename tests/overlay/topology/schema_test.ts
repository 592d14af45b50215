import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  LINK_NUMBERS,
  PORT_LINK_NUMBERS,
  TOPOLOGY_FILE,
} from "../../../overlay/topology/format.ts";
import {
  check,
  dependent,
  either,
  type Form,
  itself,
  type JsonSchema,
  jsonSchema,
  key,
  list,
  map,
  needed,
  number,
  object,
  text,
  whole,
  words,
  yesNo,
} from "../../../overlay/topology/schema.ts";
import { toAttributes } from "../../../overlay/topology/attributes.ts";
import { NETEM } from "../../../rtnl/tc/qdiscs.ts";
import { FILE, schemaText } from "../../../tools/schema.ts";

const CAN_READ = Deno.permissions.querySync({ name: "read" }).state === "granted";

Deno.test({
  name: "docs/topology.schema.json is what the format gives; deno task schema writes it anew",
  ignore: !CAN_READ,
  fn: async () => assertEquals(await Deno.readTextFile(FILE), schemaText()),
});

type Values = Record<string, unknown>;

const isObject = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const typeName = (value: unknown): string => typeof value;
const all = (values: Iterable<unknown>, takes: (value: unknown) => boolean) =>
  [...values].every(takes);

/** What each keyword that the schema uses says of a value (JSON Schema, draft 2020-12). */
const KEYWORDS: Record<
  string,
  (
    said: never,
    value: unknown,
    takes: (schema: JsonSchema, value: unknown) => boolean,
    of: Values,
  ) => boolean
> = {
  type: (said: string, value) =>
    said === "object"
      ? isObject(value)
      : said === "array"
      ? Array.isArray(value)
      : said === "integer"
      ? Number.isInteger(value)
      : typeName(value) === said,
  const: (said: unknown, value) => value === said,
  enum: (said: unknown[], value) => said.includes(value),
  pattern: (said: string, value) => typeof value !== "string" || new RegExp(said, "u").test(value),
  minimum: (said: number, value) => typeof value !== "number" || value >= said,
  maximum: (said: number, value) => typeof value !== "number" || value <= said,
  minItems: (said: number, value) => !Array.isArray(value) || value.length >= said,
  maxItems: (said: number, value) => !Array.isArray(value) || value.length <= said,
  items: (said: JsonSchema, value, takes) =>
    !Array.isArray(value) || all(value, (own) => takes(said, own)),
  properties: (said: Record<string, JsonSchema>, value, takes) =>
    !isObject(value) ||
    Object.entries(value).every(([key, own]) =>
      !Object.hasOwn(said, key) || takes(said[key]!, own)
    ),
  additionalProperties: (said: JsonSchema | false, value, takes, { properties = {} }) =>
    !isObject(value) ||
    Object.entries(value).every(([key, own]) =>
      Object.hasOwn(properties as Values, key) || said !== false && takes(said, own)
    ),
  propertyNames: (said: JsonSchema, value, takes) =>
    !isObject(value) || all(Object.keys(value), (key) => takes(said, key)),
  required: (said: string[], value) =>
    !isObject(value) || said.every((key) => Object.hasOwn(value, key)),
  dependentRequired: (said: Record<string, string[]>, value) =>
    !isObject(value) ||
    Object.entries(said).every(([key, others]) =>
      !Object.hasOwn(value, key) || others.every((other) => Object.hasOwn(value, other))
    ),
  anyOf: (said: JsonSchema[], value, takes) => said.some((own) => takes(own, value)),
  allOf: (said: JsonSchema[], value, takes) => said.every((own) => takes(own, value)),
  if: (said: JsonSchema, value, takes, { then }) =>
    !takes(said, value) || takes(then as JsonSchema, value),
  then: () => true,
  description: () => true,
  title: () => true,
  $schema: () => true,
  $defs: () => true,
};

/** Whether a schema takes a value. */
function validator(root: JsonSchema): (value: unknown) => boolean {
  const takes = (schema: JsonSchema, value: unknown): boolean =>
    Object.entries(schema).every(([keyword, said]) => {
      if (keyword === "$ref") return takes(definition(String(said)), value);
      const rule = KEYWORDS[keyword];
      assert(rule !== undefined, `an unknown keyword: ${keyword}`);
      return rule(said as never, value, takes, schema);
    });
  const definition = (reference: string) => {
    const found = (root.$defs as Record<string, JsonSchema>)[reference.replace("#/$defs/", "")];
    assert(found !== undefined, reference);
    return found;
  };
  return (value) => takes(root, value);
}

/** Texts that one form or another may take. */
const TEXTS = [
  ...["eth0", "r1:eth0", "host", "10.0.0.1", "10.0.0.1/24", "fd00::1/64", "auto", "default", "x y"],
  ...["02:00:5e:00:53:01", "10mbit", "50ms", "0.5%", "8080:80", "53:53/udp", "[fd00::1]:80", "a/b"],
  ...[
    "10.0.0.1:80",
    "0x10",
    "00ff",
    "net.ipv4.ip_forward",
    "10.0.0.1-10.0.0.9",
    "a\nb",
    "lab",
    "é",
  ],
  ...["", "/run/a"],
];
const ANYTHING = fc.oneof(
  fc.constantFrom(...TEXTS),
  fc.integer(),
  fc.constantFrom(null, true, 1.5, -1, 1e9, {}, []),
);

/** Values that a form takes, nearly all of them. */
function valuesOf(form: Form, depth = 0): fc.Arbitrary<unknown> {
  switch (form.is) {
    case "object":
      return objectsOf(form, depth);
    case "itself":
      return depth > 4 ? fc.constant({}) : valuesOf(form.form(), depth);
    case "map": {
      const names = fc.oneof(
        { weight: 9, arbitrary: valuesOf(form.names) as fc.Arbitrary<string> },
        { weight: 1, arbitrary: fc.constantFrom(...TEXTS) },
      );
      const options = { maxKeys: 2, noNullPrototype: true };
      return fc.dictionary(names, valuesOf(form.of, depth + 1), options);
    }
    case "list": {
      const { least, most = least + 1 } = form;
      const length = { minLength: Math.max(0, least - 1), maxLength: most + 1 };
      return fc.array(valuesOf(form.of, depth + 1), length);
    }
    case "text": {
      const { pattern } = form;
      const fitting = TEXTS.filter((text) => pattern?.test(text) !== false);
      assert(fitting.length > 0, `no text here looks like ${pattern}: add one`);
      return fc.constantFrom(...fitting);
    }
    case "number":
      return fc.constantFrom(form.from, form.to, Math.ceil((form.from + form.to) / 2));
    case "yes or no":
      return fc.boolean();
    case "words":
      return fc.constantFrom(...form.words);
    case "either":
      return fc.oneof(...form.forms.map((own) => valuesOf(own, depth)));
    default:
      return ANYTHING;
  }
}

function objectsOf({ keys }: Extract<Form, { is: "object" }>, depth: number) {
  const names = Object.keys(keys);
  const required = names.filter((name) => keys[name]!.needed);
  return fc.subarray(names, { maxLength: Math.min(names.length, Math.max(1, 5 - depth)) }).chain(
    (some) => {
      const plain = [...new Set([...required, ...some])]
        .filter((name) => keys[name]!.form.is !== "dependent");
      const record = fc.record(
        Object.fromEntries(plain.map((name) => [name, valuesOf(keys[name]!.form, depth + 1)])),
        { noNullPrototype: true },
      );
      const bound = some.flatMap((name) => {
        const { form } = keys[name]!;
        if (form.is !== "dependent") return [];
        return fc.constantFrom(...Object.entries(form.of)).chain(([value, own]) =>
          fc.record(
            { [form.by]: fc.constant(value), [name]: valuesOf(own, depth + 1) },
            { requiredKeys: [name] },
          )
        );
      });
      return fc.tuple(record, ...bound).map((parts) => Object.assign({}, ...parts));
    },
  );
}

/** The value with something else somewhere in it. */
function changed(value: unknown, dice: readonly number[], instead: unknown): unknown {
  const [first = 0, ...rest] = dice;
  if (typeof value !== "object" || value === null) return instead;
  const keys = Object.keys(value);
  const key = keys[first % (keys.length + 1)];
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Values;
  if (key === undefined) {
    if (Array.isArray(copy)) copy.push(instead);
    else copy[first % 2 === 0 ? "mtu" : "kind"] = instead;
  } else if (rest.length === 0 && first % 3 === 0 && !Array.isArray(copy)) delete copy[key];
  else copy[key] = rest.length === 0 ? instead : changed(copy[key], rest, instead);
  return copy;
}

/** All that a form can be, within reach of a few throws of the dice. */
const SMALL = object<Values>({
  kind: key(words(["a", "b"]), "A kind"),
  data: key(
    dependent<unknown>("kind", { a: list(yesNo, 1, 2), b: object<Values>({}, "b-data") }),
    "What the kind takes",
  ),
  list: key(list(whole(1, 3), 1, 3), "Some numbers"),
  either: key(
    either(number(0, 1), map(text("a text", undefined, /^[a-z]/u), yesNo)),
    "This or that",
  ),
  nested: needed(
    itself(() => object<Values>({ name: needed(text("a name"), "A name") }, "inner")),
    "More",
  ),
});

Deno.test("the schema takes what the check takes, and nothing else", () => {
  for (const form of [SMALL, TOPOLOGY_FILE]) {
    const takes = validator(jsonSchema(form, "a title"));
    const seen = { taken: 0, refused: 0 };
    const same = (value: unknown) => {
      const problems = check(form, value, { read: false });
      seen[problems.length === 0 ? "taken" : "refused"]++;
      assertEquals(takes(value), problems.length === 0, JSON.stringify(problems));
    };
    const dice = fc.array(fc.nat(), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(valuesOf(form), dice, ANYTHING, (value, dice, instead) => {
        same(value);
        same(changed(value, dice, instead));
      }),
      { numRuns: 400 },
    );
    assert(seen.taken > 50 && seen.refused > 50, JSON.stringify(seen));
  }
});

Deno.test("the names of links are rows of the tables, and numbers become what the kernel takes", () => {
  assertEquals(LINK_NUMBERS.hsr, ["port1", "port2", "interlink"]);
  assertEquals(PORT_LINK_NUMBERS.bridge, ["backupPort"]);
  const options = { latency64: 5, limit: 7, delayDistribution: "00ff", slot: { mostDelay: 9 } };
  assertEquals(toAttributes(NETEM, options), {
    latency64: 5n,
    limit: 7,
    delayDistribution: new Uint8Array([0, 255]),
    slot: { mostDelay: 9n },
  });
});
