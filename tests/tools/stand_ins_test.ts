/**
 * What the project uses of `@std`, as the stand-ins and the real packages both have it:
 * `DENOLINK_STD=npm` and `DENOLINK_STD=<folder of the real sources>` must both pass.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertExists,
  assertGreater,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unreachable,
} from "@std/assert";
import { parseArgs } from "@std/cli";
import { parse, stringify } from "@std/yaml";

function refused(fn: () => unknown, ...words: string[]): void {
  const error = assertThrows(fn, AssertionError);
  for (const word of words) assertStringIncludes(error.message, word);
}

Deno.test("assertions narrow types and pass", () => {
  const text: string | undefined = ["a"][0];
  assert(text !== undefined);
  assertStrictEquals(text.length, 1);
  const value: unknown = new TypeError("t");
  assertInstanceOf(value, Error);
  assertStrictEquals(value.message, "t");
  const maybe: string | null = ["b"][0] ?? null;
  assertExists(maybe);
  assertStrictEquals(maybe.length, 1);
  assertMatch("eth0", /^eth\d$/);
  assertGreater(2n, 1n);
  assertLess("a", "b");
});

Deno.test("assertions refuse, and say the caller's words", () => {
  refused(() => assert(0, "why"), "why");
  refused(() => assertEquals(1, 2, "why"), "why", "1", "2");
  refused(() => assertNotEquals([1], [1], "why"), "why");
  refused(() => assertStrictEquals<unknown>({}, {}, "why"), "why");
  refused(() => assertMatch("x", /y/, "why"), "why");
  refused(() => assertStringIncludes("x", "y", "why"), "why", "x", "y");
  refused(() => assertInstanceOf({}, Date, "why"), "why", "Date");
  refused(() => assertExists(null, "why"), "why");
  refused(() => assertGreater(1, 1, "why"), "why");
  refused(() => assertLess(1, 1, "why"), "why");
  refused(() => fail("why"), "why");
  refused(() => unreachable("why"), "why");
});

Deno.test("assertEquals compares deeply", () => {
  const same: [unknown, unknown][] = [
    [{ a: [1n, "x", null, undefined] }, { a: [1n, "x", null, undefined] }],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    [new Map([["a", { b: 1 }]]), new Map([["a", { b: 1 }]])],
    [new Set([1, 2]), new Set([2, 1])],
    [new Date(5), new Date(5)],
    [NaN, NaN],
    [/a/g, /a/g],
  ];
  for (const [a, b] of same) {
    assertEquals(a, b);
    refused(() => assertNotEquals(a, b));
  }
});

Deno.test("assertEquals tells apart", () => {
  const different: [unknown, unknown][] = [
    [1, "1"],
    [1, 1n],
    [null, undefined],
    [{ a: undefined }, {}],
    [[1, 2], [2, 1]],
    [[1], { 0: 1 }],
    [new Uint8Array([1]), new Uint16Array([1])],
    [new Map([["a", 1]]), new Map([["a", 2]])],
    [new Set([1]), new Set([2])],
    [new Date(5), new Date(6)],
    [{ a: { b: 1 } }, { a: { b: 2 } }],
    [
      { a: 1 },
      new (class A {
        a = 1;
      })(),
    ],
  ];
  for (const [a, b] of different) {
    assertNotEquals(a, b);
    refused(() => assertEquals(a, b));
  }
});

Deno.test("assertThrows returns what was thrown", () => {
  const error = assertThrows(() => raise(new RangeError("too far")), RangeError, "far");
  assertStrictEquals(error.message, "too far");
  assertStrictEquals(assertThrows(() => raise("text")), "text");
  assertStrictEquals(assertThrows(() => raise("text"), "why"), "text");
  assertInstanceOf(assertThrows(() => raise(new RangeError()), Error), RangeError);
});

Deno.test("assertThrows refuses another error, another message, none", () => {
  refused(() => assertThrows(() => raise(new Error("x")), RangeError, "", "why"), "why");
  refused(() => assertThrows(() => raise(new Error("x")), Error, "y", "why"), "why", "x", "y");
  refused(() => assertThrows(() => raise("text"), Error, "", "why"), "why");
  refused(() => assertThrows(() => 1, Error, "", "why"), "why");
  refused(() => assertThrows(() => 1, "why"), "why");
});

Deno.test("assertRejects gives the reason", async () => {
  const error = await assertRejects(() => reject(new RangeError("too far")), RangeError, "far");
  assertStrictEquals(error.message, "too far");
  assertStrictEquals(await assertRejects(() => reject("text")), "text");
});

Deno.test("assertRejects refuses another error, another message, none, a throw", async () => {
  const wrong: [() => Promise<unknown>, string][] = [
    [() => assertRejects(() => reject(new Error("x")), RangeError, "", "why"), "why"],
    [() => assertRejects(() => reject(new Error("x")), Error, "y", "why"), "why"],
    [() => assertRejects(() => reject("text"), Error, "", "why"), "why"],
    [() => assertRejects(() => Promise.resolve(), Error, "", "why"), "why"],
    [() => assertRejects(() => Promise.resolve(), "why"), "why"],
    [() => assertRejects(() => raise(new Error("x")), "why"), "why"],
  ];
  for (const [fn, word] of wrong) await assertRejects(fn, AssertionError, word);
});

Deno.test("parseArgs reads declared options", () => {
  const args = parseArgs(
    ["attach", "--address", "10.0.0.1/24", "--address=fd00::1/64", "-j", "12", "--mtu=1400"],
    {
      string: ["address", "mtu", "interface", "id", "_"],
      boolean: ["json", "help"],
      collect: ["address"],
      default: { interface: "eth0" },
      alias: { json: "j", help: "h" },
    },
  );
  const addresses: string[] = args.address;
  const json: boolean = args.j;
  const id: string | undefined = args.id;
  const name: string = args.interface;
  assertEquals(addresses, ["10.0.0.1/24", "fd00::1/64"]);
  assertEquals([json, args.json, args.help, args.h], [true, true, false, false]);
  assertEquals([id, name, args.mtu], [undefined, "eth0", "1400"]);
  assertEquals(args._.map(String), ["attach", "12"]);
});

Deno.test("parseArgs: the last value counts, and gathering options are never absent", () => {
  const options = { string: ["a", "b"], collect: ["b"] } as const;
  assertEquals<unknown>(parseArgs(["--a", "1", "--a", "2"], options), { _: [], a: "2", b: [] });
  assertEquals<unknown>(parseArgs(["--b", "1"], options), { _: [], b: ["1"] });
});

Deno.test("parseArgs: an option takes no empty value and no other option", () => {
  const options = { string: ["a", "_"], boolean: ["f"] } as const;
  assertEquals<unknown>(parseArgs(["--a", "--f"], options), { _: [], a: "", f: true });
  assertEquals<unknown>(parseArgs(["--a", ""], options), { _: [""], a: "", f: false });
  assertEquals<unknown>(parseArgs(["--a", "-"], options), { _: ["-"], a: "", f: false });
  assertEquals<unknown>(parseArgs(["--a="], options), { _: [], a: "", f: false });
  assertEquals<unknown>(parseArgs(["--f", "x"], options), { _: ["x"], f: true });
});

Deno.test("parseArgs: --no- negates only what is negatable", () => {
  const options = {
    boolean: ["up", "no-forward"],
    negatable: ["up"],
    default: { up: true },
  } as const;
  assertEquals<unknown>(parseArgs([], options), { _: [], up: true, "no-forward": false });
  assertEquals<unknown>(parseArgs(["--no-up"], options), { _: [], up: false, "no-forward": false });
  assertEquals<unknown>(parseArgs(["--no-forward"], options), {
    _: [],
    up: true,
    "no-forward": true,
  });
});

Deno.test("parseArgs stops early and at --", () => {
  const options = { boolean: ["f"], string: ["_"], stopEarly: true } as const;
  assertEquals<unknown>(parseArgs(["--f", "exec", "--no-x", "--f", "-"], options), {
    _: ["exec", "--no-x", "--f", "-"],
    f: true,
  });
  const split = parseArgs(["a", "--", "--f", "1"], { ...options, "--": true });
  const rest: string[] = split["--"];
  assertEquals([split._.map(String), rest, split.f], [["a"], ["--f", "1"], false]);
  assertEquals<unknown>(parseArgs(["--", "--f"], options), { _: ["--f"], f: false });
});

Deno.test("parseArgs tells of what is not declared", () => {
  const told: unknown[] = [];
  const args = parseArgs(["x", "--bogus=1", "-z", "--no-thing", "--known", "v"], {
    string: ["known"],
    unknown: (arg, key) => {
      told.push([arg, key]);
      return key === undefined;
    },
  });
  assertEquals(told, [
    ["x", undefined],
    ["--bogus=1", "bogus"],
    ["-z", "z"],
    ["--no-thing", "no-thing"],
  ]);
  assertEquals<unknown>(args, { _: ["x"], known: "v" });
});

Deno.test("yaml is parsed", () => {
  const topology = `
bridge: br0 # the only one
containers:
  - { name: a, addresses: [10.0.0.2/24, "fd00::2/64"], mtu: 1400 }
  - name: b
    mac: 00:11:22:33:44:55
    up: true
    none: ~
`;
  assertEquals(parse(topology), {
    bridge: "br0",
    containers: [
      { name: "a", addresses: ["10.0.0.2/24", "fd00::2/64"], mtu: 1400 },
      { name: "b", mac: "00:11:22:33:44:55", up: true, none: null },
    ],
  });
  assertEquals(parse(""), null);
  assertEquals(parse("day: 2020-01-01", { schema: "json" }), { day: "2020-01-01" });
  assertEquals(parse("a: 1\na: 2", { allowDuplicateKeys: true }), { a: 2 });
});

Deno.test("yaml that is none is a SyntaxError", () => {
  for (const bad of ["a: [1", "a: 1\na: 2", "a: b: c", "- 1\nb: 2", "a: 1\n---\nb: 2"]) {
    assertThrows(() => parse(bad), SyntaxError);
  }
});

Deno.test("yaml is written", () => {
  const value = { name: "a", list: [1, { b: "x y" }], none: null, yes: true, text: "1" };
  assertEquals(
    stringify(value),
    "name: a\nlist:\n  - 1\n  - b: x y\nnone: null\n'yes': true\ntext: '1'\n",
  );
  assertEquals(stringify({ b: 1, a: 2 }, { sortKeys: true }), "a: 2\nb: 1\n");
  assertEquals(stringify({ a: 1, b: undefined }, { skipInvalid: true }), "a: 1\n");
  assertThrows(() => stringify({ a: undefined }), TypeError);
  assertThrows(() => stringify({ a: () => 1 }), TypeError);
});

function raise(error: unknown): never {
  throw error;
}

function reject(reason: unknown): Promise<never> {
  return Promise.reject(reason);
}
