import { assert, assertEquals, assertThrows } from "@std/assert";
import { parse, stringify } from "@std/yaml";
import fc from "fast-check";
import { findPlaces, positionsIn } from "../../../overlay/topology/positions.ts";
import { type Path, TopologyError } from "../../../overlay/topology/problem.ts";
import type { Topology } from "../../../overlay/topology/types.ts";
import { formatTopology, parseTopology } from "../../../overlay/topology/yaml.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const SCALARS = {
  keyOf: (text: string) => isYaml(`- ${text}`) ? String((parse(`- ${text}`) as Json[])[0]) : text,
  isOdd: () => false,
};

/** Texts that YAML may take for something else. */
const strings = fc.oneof(
  fc.constantFrom("eth0", "r1", "10.0.0.1/24", "fd00::1/64", "true", "~", "- a", "a: b", "x #y"),
  fc.constantFrom("", " a", "a ", "it's", '"', "[x]", "{", "*a", "&b", "!c", "%d", "@e", "`f", "|"),
  fc.constantFrom(
    "two\nlines",
    "\n\nthree\n",
    "  deep\n  er\nout",
    "tab\tbed",
    "é",
    "😀",
    "\\",
    "?",
  ),
  fc.constantFrom("1", "0x10", "-", ":", "a:", "# c", "---", "...", ">", "long ".repeat(30)),
  fc.string({ maxLength: 12 }),
);
const keys = strings.filter((key) => key !== "__proto__");
const { value: values } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    strings,
    fc.constantFrom<Json>(null, true, false, 0, -1, 12.5, 1e21),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(keys, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** Writes YAML in more ways than `stringify` does: as the dice fall. */
class Writer {
  readonly #dice: () => number;
  #anchors = 0;

  constructor(seed: number) {
    let state = seed;
    this.#dice = () => {
      state = (Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9) | 0;
      return (state >>> 8) / 2 ** 24;
    };
  }

  document(value: Json): string {
    const start = this.#one("", "", "---\n", "# c: d\n", "%YAML 1.2\n---\n", "\n\n");
    const column = this.#count(3);
    return `${start}${pad(column)}${this.#block(value, column)}${this.#one("", "\n", "\n...\n")}`;
  }

  /** A value whose first line is begun, `column` characters in. */
  #block(value: Json, column: number, beside = false): string {
    if (!isCollection(value) || size(value) === 0 || !beside && this.#chance(0.2)) {
      return this.#properties(value) + this.#flow(value, column + 1) + this.#end();
    }
    const line = `${this.#between()}${pad(column)}`;
    if (Array.isArray(value)) {
      return value.map((own) => `-${this.#behind(own, column, column + 1)}`).join(line);
    }
    return Object.entries(value)
      .map(([key, own]) => {
        const typed = `${this.#one("", "", "", this.#anchor())}${this.#scalar(key)}`;
        return `${typed}${this.#one("", "", " ")}:${this.#behind(own, column, undefined)}`;
      }).join(line);
  }

  /** A value behind "-" or "key:". */
  #behind(value: Json, column: number, compact: number | undefined): string {
    const blocky = isCollection(value) && size(value) > 0;
    if (blocky && compact !== undefined && this.#chance(0.6)) {
      const gap = 1 + this.#count(3);
      return `${pad(gap)}${this.#block(value, compact + gap)}`;
    }
    if (!blocky || this.#chance(0.2)) {
      return ` ${this.#properties(value)}${this.#flow(value, column + 1)}${this.#end()}`;
    }
    const beside = Array.isArray(value) && compact === undefined && this.#chance(0.4);
    const inner = column + (beside ? 0 : 1 + this.#count(3));
    const properties = this.#one("", ` ${this.#anchor().trim()}`);
    const block = this.#block(value, inner, beside);
    return `${properties}${this.#one("", " # c")}${this.#between()}${pad(inner)}${block}`;
  }

  /** A value in one line, or in brackets in several. */
  #flow(value: Json, column: number): string {
    if (!isCollection(value)) return this.#scalar(value);
    const gap = () =>
      this.#one("", " ", `\n${pad(column + this.#count(9))}`, ` # ]\n${pad(column)}`);
    const parts = Array.isArray(value)
      ? value.map((own) => this.#flow(own, column))
      : Object.entries(value).map(([key, own]) =>
        own === null && this.#chance(0.3)
          ? this.#scalar(key)
          : `${this.#scalar(key)}: ${gap()}${this.#flow(own, column)}`
      );
    const [open, close] = Array.isArray(value) ? "[]" : "{}";
    const last = parts.length > 0 ? this.#one("", ",") : "";
    return `${open}${gap()}${
      parts.map((part) => `${part}${gap()}`).join(`,${gap()}`)
    }${last}${gap()}${close}`;
  }

  #scalar(value: Exclude<Json, object> | null): string {
    if (typeof value !== "string") return String(value);
    const double = JSON.stringify(value).replaceAll(
      /[\x7f-\uffff]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    const single = /^[\x20-\x7e]*$/.test(value) ? `'${value.replaceAll("'", "''")}'` : double;
    return this.#one(
      double,
      single,
      isPlain(value) ? value : double,
      isPlain(value) ? value : single,
    );
  }

  #properties(value: Json): string {
    return this.#one("", "", "", this.#anchor(), typeof value === "string" ? "!!str " : "");
  }

  #anchor(): string {
    return `&a${this.#anchors++} `;
  }

  #end(): string {
    return this.#one("", "", " ", " # it's: [");
  }

  #between(): string {
    return this.#one("\n", "\n", "\n\n", "\n   # - a: b\n", "\r\n");
  }

  #one(...choices: string[]): string {
    return choices[this.#count(choices.length)]!;
  }

  #count(below: number): number {
    return Math.floor(this.#dice() * below);
  }

  #chance(part: number): boolean {
    return this.#dice() < part;
  }
}

const pad = (count: number) => " ".repeat(count);
const size = (value: object) => Object.keys(value).length;
const isCollection = (value: Json): value is Json[] | { [key: string]: Json } =>
  typeof value === "object" && value !== null;

function isYaml(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether a text may stand without quotes. */
function isPlain(text: string): boolean {
  if (!/^[\w/.]([\w ./:#-]*[\w./-])?$/.test(text) || /: | #/.test(text)) return false;
  return (parse(`[${text}]`) as unknown[])[0] === text && !/^(---|\.\.\.)/.test(text);
}

/** Looks whether every part of a value is where it is said to be. */
function assertPlaced(text: string, value: Json): void {
  const places = findPlaces(text, SCALARS);
  const look = (path: Path, own: Json) => {
    const at = text.slice(places.offsetOf(path));
    const step = path.at(-1);
    const wanted: Json = typeof step === "string" ? step : own;
    if (path.length > 0) {
      assert(
        startsWith(at, wanted),
        `${JSON.stringify(path)} is at ${JSON.stringify(at.slice(0, 40))} of\n${text}`,
      );
    }
    if (!isCollection(own)) return;
    for (const [key, inner] of Object.entries(own)) {
      look([...path, Array.isArray(own) ? Number(key) : key], inner);
    }
  };
  look([], value);
}

/** Whether a text begins with what says a value, or with its first part. */
function startsWith(text: string, value: Json): boolean {
  if (Array.isArray(value)) return /^[-[]/.test(text);
  if (isCollection(value)) {
    return /^(\{|\? )/.test(text) || Object.keys(value).some((key) => startsWith(text, key));
  }
  if (value === null) return /^(-|null|~|,|\]|$)/.test(text);
  if (value === "null" && /^[~:]/.test(text)) return true;
  if (typeof value !== "string") return parse(/^[^\s,\]}]*/.exec(text)![0]) === value;
  if (/^[|>]/.test(text) && /\n/.test(text)) return true;
  if (text.startsWith('"')) {
    return parse(/^"(?:[^"\\]|\\[^])*"/.exec(text)![0]) === value;
  }
  if (text.startsWith("'")) return parse(/^'(?:[^']|'')*'/.exec(text)![0]) === value;
  const words = (text: string) =>
    text.split(/\s+/).filter((word) => word !== "").slice(0, 8).join(" ");
  return words(text).startsWith(words(value).slice(0, 30));
}

Deno.test("every part of a file is where it is said to be, however it is written", () => {
  const runs = { numRuns: 400 };
  const style = fc.record({
    indent: fc.integer({ min: 1, max: 6 }),
    flowLevel: fc.constantFrom(-1, 0, 1, 2, 3),
    lineWidth: fc.constantFrom(-1, 10, 40, 80),
    sortKeys: fc.boolean(),
  });
  fc.assert(
    fc.property(values, style, (value, options) => {
      const text = stringify(value, options);
      // What it writes is not always YAML: "(:{" in brackets.
      if (isYaml(text)) assertPlaced(text, parse(text) as Json);
    }),
    runs,
  );
  fc.assert(
    fc.property(values, fc.integer(), (value, seed) => {
      const text = new Writer(seed).document(value);
      // Not every parser takes "- &a b: 1".
      if (!isYaml(text)) return;
      assertEquals(parse(text), value, text);
      assertPlaced(text, value);
    }),
    runs,
  );
});

Deno.test("whatever a text is, places are looked for in it without harm", () => {
  const pieces = [
    "a",
    "1",
    "'",
    '"',
    ":",
    ": ",
    "- ",
    "? ",
    "#",
    " #",
    "&b ",
    "*b",
    "!t ",
    "\\",
    "\n",
  ]
    .concat([
      "\n  ",
      "\n\n",
      "\r\n",
      "\t",
      " ",
      "[",
      "]",
      "{",
      "}",
      ",",
      "|",
      ">-",
      "---",
      "...",
      "%",
      "<<: ",
    ]);
  const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 40 })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(texts, (text) => {
      const places = findPlaces(text, SCALARS);
      const { line, column } = positionsIn(text)(places.offsetOf(["a", 0, "b"]));
      assert(line >= 1 && column >= 1 && line <= text.split(/\r\n|\n|\r/).length, text);
    }),
    { numRuns: 2000 },
  );
});

/** What is wrong with a file. */
function wrong(text: string): string {
  return assertThrows(() => parseTopology(text, "lab.yaml"), TopologyError).message;
}

const LAB = `# A comment: [not, this]
denolink: 1
"name": lab
links:
  a: &base { kind: dummy,
    mtu: 1400 }
  b: { <<: *base, mtu: 1500 }
  c:
    <<: [*base, { up: false, kind: bridge }]
    'group': 7
bridges: {br0: [10.0.0.1/24,
  "fd00::1/64"], br1: 10.1.0.1/24}
`;

Deno.test("merge keys and anchors mean what they stand for, and stand where that is", () => {
  const { topology, locate } = parseTopology(LAB, "other.yaml");
  assertEquals(topology, {
    denolink: 1,
    name: "lab",
    links: {
      a: { kind: "dummy", mtu: 1400 },
      b: { mtu: 1500, kind: "dummy" },
      c: { group: 7, kind: "dummy", mtu: 1400, up: false },
    },
    bridges: { br0: ["10.0.0.1/24", "fd00::1/64"], br1: "10.1.0.1/24" },
  });
  const places: [Path, number, number][] = [
    [[], 2, 1],
    [["name"], 3, 1],
    [["links", "a", "mtu"], 6, 5],
    [["links", "b", "mtu"], 7, 19],
    [["links", "b", "kind"], 5, 14],
    [["links", "c", "mtu"], 6, 5],
    [["links", "c", "up"], 9, 19],
    [["links", "c", "group"], 10, 5],
    [["links", "c", "nothing", "at", "all"], 8, 3],
    [["bridges", "br0", 1], 12, 3],
    [["bridges", "br1"], 12, 18],
    [["bridges", "br0", 7], 11, 11],
  ];
  for (const [path, line, column] of places) {
    assertEquals(locate(path), { line, column }, path.join());
    assertEquals(
      parseTopology(`\uFEFF${LAB.replaceAll("\n", "\r\n")}`, "x").locate(path),
      { line, column },
    );
  }
});

Deno.test("what is no file of a topology is refused, and where", () => {
  const cases: [text: string, message: string | RegExp][] = [
    ["", 'lab.yaml:1:1: the file is empty; a topology has at least "denolink: 1"'],
    ["# nothing\n", 'lab.yaml:1:1: the file is empty; a topology has at least "denolink: 1"'],
    ["- denolink\n", "lab.yaml:1:1: expected a mapping, got a list"],
    ["\n  hello world\n", 'lab.yaml:2:3: expected a mapping, got "hello world"'],
    ["denolink: 1\nlinks:\n\ta: {}\n", "lab.yaml:3:1: a tab indents here; use blanks"],
    ["denolink: 1\nroutes:\n  -\tto: default\n", "lab.yaml:3:4: a tab indents here; use blanks"],
    [
      "denolink: 1\nlinks:\n  a: {}\n  'a': {}\nroutes: []\nlinks: {}\n",
      'lab.yaml:4:3: links.a: the key "a" is there twice, first in line 3; leave one out\n' +
      'lab.yaml:6:1: links: the key "links" is there twice, first in line 2; leave one out',
    ],
    [
      "---\ndenolink: 1\n--- # another\nname: a\n",
      "lab.yaml:3:1: a second document starts here; a topology is one document",
    ],
    [
      "denolink: 1\nroutes: [{ table: 010 }, { table: 1_000 }, { tos: 0o7 }]\n",
      ["2:19: routes[0].table: 010", "2:35: routes[1].table: 1_000", "2:51: routes[2].tos: 0o7"]
        .map(
          (start) =>
            `lab.yaml:${start} is not the same number to everybody; leave out leading zeros and underscores, or quote what is a text`,
        ).join("\n"),
    ],
    [
      "denolink: 1\nlinks: { a: { <<: [{}, 5] } }\n",
      'lab.yaml:2:15: links.a["<<"]: expected a mapping whose keys are taken over, got 5',
    ],
    ["denolink: 1\nlinks: [\n", /^lab\.yaml:3:1: this is no YAML: unexpected end of the stream/],
    ["denolink: 1\nlinks: *none\n", /^lab\.yaml:2:13: this is no YAML: unidentified alias "none"$/],
    [
      `denolink: ${"[".repeat(5000)}`,
      /^lab\.yaml:\d+:\d+: .*nest/,
    ],
    [
      "#".repeat(16 * 2 ** 20 + 1),
      /^lab\.yaml:1:1: the file has 16777217 characters, and 16777216 are/,
    ],
    [
      `denolink: 1\nx: &a0 {}\n${
        Array.from({ length: 8 }, (_, i) => `${i}: &a${i + 1} [${Array(10).fill(`*a${i}`)}]\n`)
          .join("")
      }`,
      "lab.yaml:1:1: it has more than 1000000 values; leave out what aliases say again and again",
    ],
    [
      `denolink: 1\nlinks: &a\n  x: { kind: dummy }\n  y: *a\n`,
      /^lab\.yaml:4:3: links\.y: it contains itself; write it out$/m,
    ],
  ];
  for (const [text, message] of cases) {
    const said = wrong(text);
    if (typeof message === "string") assertEquals(said, message);
    else assert(message.test(said), said);
  }
});

Deno.test("problems come in the order of the file, with their places", () => {
  const text = `denolink: 1
name: lab
namespaces:
  r1:
    links: { d0: { kind: dummy, mtu: 10 } }
    routes:
      - { via: 300.0.0.1, to: default }
containers: { web: { brigde: br0 } }
`;
  const error = assertThrows(() => parseTopology(text, "lab.yaml"), TopologyError);
  assertEquals(
    error.message,
    `lab.yaml:5:33: namespaces.r1.links.d0.mtu: expected a whole number from 68 to 2147483647, got 10
lab.yaml:7:11: namespaces.r1.routes[0].via: Cannot read address "300.0.0.1": that is no IPv4 or IPv6 address
lab.yaml:8:22: containers.web.brigde: unknown key; did you mean "bridge"?`,
  );
  assertEquals(error.problems[1]?.position, { line: 7, column: 11 });
});

Deno.test("a topology without a name has that of its file", () => {
  const nameOf = (file: string) => parseTopology("denolink: 1", file).topology.name;
  assertEquals(nameOf("lab.yaml"), "lab");
  assertEquals(nameOf("/a.b/My Lab_2.v1.yml"), "my-lab-2-v1");
  assertEquals(nameOf("a-name-that-is-too-long.yaml"), "a-name-that-is-");
  assertThrows(() => nameOf("-"), TopologyError, 'the key "name" is missing');
});

Deno.test("a topology is written in the order of the format, and read as it was", () => {
  const address = { address: "10.0.0.2/24" };
  const topology: Topology = {
    containers: { web: { mtu: undefined, bridge: "br0" }, a: address, b: { ...address } },
    bridges: { br0: { ports: [], stp: true, addresses: ["10.9.0.1/24"] } },
    links: {
      zz: { qdisc: { options: { rate64: 5n, limit: 3 }, kind: "netem" }, kind: "dummy" },
      aa: { data: { id: 7 }, link: "lo", kind: "vlan" },
      "1": { kind: "dummy" },
    },
    name: "lab",
    denolink: 1,
  };
  topology.containers = { ...topology.containers, b: { address: "10.0.0.3/24" } };
  const text = formatTopology(topology);
  assertEquals(
    text.replaceAll(/'/g, ""),
    `denolink: 1
name: lab
links:
  1:
    kind: dummy
  zz:
    kind: dummy
    qdisc:
      kind: netem
      options:
        limit: 3
        rate64: 5
  aa:
    kind: vlan
    link: lo
    data:
      id: 7
bridges:
  br0:
    addresses:
      - 10.9.0.1/24
    stp: true
    ports: []
containers:
  web:
    bridge: br0
  a:
    address: 10.0.0.2/24
  b:
    address: 10.0.0.3/24
`,
  );
  assertEquals(formatTopology(parseTopology(text, "x").topology), text);
  const shared = { kind: "dummy" };
  assert(
    !/[&*]/.test(formatTopology({ denolink: 1, name: "lab", links: { a: shared, b: shared } })),
  );
});
