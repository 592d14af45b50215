import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { nameOf, type Result } from "../../cli/command.ts";
import type { Typed } from "../../cli/options.ts";
import {
  COLOURED,
  DONE,
  driftResult,
  placed,
  PLAIN,
  PLANNED,
  planResult,
  type Source,
  TOPOLOGY_COMMANDS,
} from "../../cli/topology.ts";
import { FileError } from "../../cli/errors.ts";
import { errnoOf } from "../../ffi/errno.ts";
import { NetlinkError } from "../../mod.ts";
import {
  type Change,
  type Plan,
  type Topology,
  TopologyError,
  TopologyStepError,
} from "../../overlay/topology/mod.ts";
import { parseTopology } from "../../overlay/topology/yaml.ts";
import { eventually, type Kernel, kernelTest, runIn } from "../support.ts";
import { here, invocation, json, path, succeed } from "./denolink.ts";

const ROOT = new URL("../../", import.meta.url);
const NEEDS = { run: true, read: true, write: true, env: true };

const SOURCE: Source = {
  file: "lab.yaml",
  topology: { denolink: 1, name: "lab" },
  locate: (path) => ({ line: path.length, column: 3 }),
};
const OPTIONS = { rate: { rate: 2 }, a: [1] };
const PLAN: Plan = {
  topology: "lab",
  changes: [
    {
      ...{ action: "add", kind: "netns", netns: "r1", name: "r1", text: "add netns r1" },
      path: ["namespaces", "r1"],
    },
    {
      ...{
        action: "change",
        kind: "link",
        netns: "host",
        name: "eth0",
        text: "change link eth0 in host",
      },
      differences: [
        { key: "mtu", before: 1500, after: 9000 },
        { key: "mac", before: undefined, after: "02:00:5e:10:00:01" },
        { key: "data.key", before: 7n, after: new Uint8Array([1, 255]) },
        { key: "options", before: { rate: { rate: 1, cell: 0 }, a: [1] }, after: OPTIONS },
      ],
      path: ["links", "eth0"],
    },
    {
      ...{ action: "remove", kind: "route", netns: "r1", name: "10.0.0.0/8 via 10.1.0.1" },
      text: "remove route 10.0.0.0/8 via 10.1.0.1 in r1",
    },
  ],
};

Deno.test("a plan reads as a diff, by namespace, and says where the file says it", () => {
  assertEquals(
    planResult(PLAN, SOURCE, PLANNED, PLAIN).text,
    `r1
  + add netns r1
  - remove route 10.0.0.0/8 via 10.1.0.1
host
  ~ change link eth0
      mtu: 1500 -> 9000
      mac: none -> 02:00:5e:10:00:01
      data.key: 7 -> "01ff"
      options.rate.rate: 1 -> 2
1 to add, 1 to change, 1 to remove`,
  );
  const done = planResult(PLAN, SOURCE, DONE, COLOURED).text;
  assertStringIncludes(done, "\x1b[32m  + added netns r1\x1b[0m\n\x1b[31m  - removed route 10");
  assertStringIncludes(done, "\x1b[33m  ~ changed link eth0\x1b[0m\n      mtu: 1500 -> 9000\n");
  assertMatch(done, /\n1 added, 1 changed, 1 removed$/);
  assertEquals(planResult({ ...PLAN, changes: [] }, SOURCE, DONE, COLOURED), {
    json: { topology: "lab", changes: [] },
    text: "nothing to do",
  });

  const { json } = planResult(PLAN, SOURCE, PLANNED, COLOURED);
  const [made, changed, removed] = JSON.parse(JSON.stringify(json)).changes;
  assertEquals(made, { ...PLAN.changes[0], path: "namespaces.r1", line: 2, column: 3 });
  assertEquals(removed, { ...PLAN.changes[2] });
  assertEquals(changed.differences, [
    { key: "mtu", before: 1500, after: 9000 },
    { key: "mac", before: null, after: "02:00:5e:10:00:01" },
    { key: "data.key", before: 7, after: "01ff" },
    { key: "options", before: { rate: { rate: 1, cell: 0 }, a: [1] }, after: OPTIONS },
  ]);
});

Deno.test("what is wrong, what failed and what drifted are said with their places", () => {
  const lines = (error: Error, source?: Source) => {
    const found = placed(error, "lab.yaml", source);
    assert(found instanceof FileError);
    return [found.status, ...found.lines];
  };
  const problems = [
    { path: ["links", "a b"], message: "one" },
    { path: [], message: "two", position: { line: 9, column: 1 } },
  ];
  assertEquals(lines(new TopologyError(problems), SOURCE), [
    2,
    'lab.yaml:2:3: links["a b"]: one',
    "lab.yaml:9:1: two",
  ]);
  assertEquals(lines(new TopologyError(problems)), [
    2,
    'lab.yaml: links["a b"]: one',
    "lab.yaml:9:1: two",
  ]);
  const failed = (change: Change) =>
    new TopologyStepError(
      change,
      new NetlinkError("do so", errnoOf("EPERM"), { remedy: "ask" }),
    );
  const [, change, remove] = PLAN.changes as [Change, Change, Change];
  const [status, line] = lines(failed(change), SOURCE);
  assertEquals(status, 1);
  assertMatch(String(line), /^lab\.yaml:2:3: links\.eth0: Cannot change link eth0 in host: .*ask$/);
  assertMatch(String(lines(failed(remove), SOURCE)[1]), /^lab\.yaml: Cannot remove route/);
  const other = new RangeError("a bug");
  assertEquals(placed(other, "lab.yaml", SOURCE), other);

  const drift = (repaired: boolean | Error) =>
    driftResult({ changes: [change], repaired }, SOURCE, PLAIN);
  assertMatch(drift(false).text!, /~ change link[^]*\n0 to add, 1 to change, 0 to remove$/);
  assertMatch(drift(true).text!, /~ changed link[^]*\n0 added, 1 changed, 0 removed$/);
  const broken = drift(failed(change));
  assertMatch(broken.text!, /to remove\nnot repaired: lab\.yaml:2:3: links\.eth0: Cannot change/);
  const { repaired, error } = broken.json as { repaired: boolean; error: string };
  assertEquals(repaired, false);
  assertMatch(error, /^lab\.yaml:2:3: links\.eth0: Cannot change/);
});

/** A file that is gone after the test. */
async function withFile(text: string, fn: (file: string) => Promise<void>): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, text);
    await fn(file);
  } finally {
    await Deno.remove(file);
  }
}

/** A name that no namespace of the machine has. */
const unique = () => `t${crypto.randomUUID().slice(0, 8)}`;

kernelTest("examples and documentation are topologies", { read: true }, async () => {
  const names = (await Array.fromAsync(Deno.readDir(new URL("examples", ROOT)), ({ name }) => name))
    .filter((name) => name.endsWith(".yaml"));
  assertEquals(names.length, 5);
  for (const name of names) {
    const text = await Deno.readTextFile(new URL(`examples/${name}`, ROOT));
    const [first, ...lines] = text.split("\n");
    assertEquals(first, "# yaml-language-server: $schema=../docs/topology.schema.json");
    const { topology } = parseTopology(text, name);
    assertStringIncludes(text, `denolink up examples/${name}`);
    assertStringIncludes(text, `denolink down examples/${name}`);
    const said = lines.filter((line) => line !== "" && !line.startsWith("#"));
    if (name === "two_containers.yaml") assert(said.length < 12);
    if (name === "hundred_containers.yaml") {
      assertEquals(Object.keys(topology.containers!).length, 100);
      assertEquals(topology.containers!.n100, { bridge: "farm", rate: "10mbit" });
    }
  }
  for (const name of ["docs/topology.md", "README.md"]) {
    const text = await Deno.readTextFile(new URL(name, ROOT));
    const blocks = [...text.matchAll(/```yaml\n([^]*?)```/g)].map(([, yaml]) => yaml!);
    assert(blocks.length > 0);
    for (const yaml of blocks) {
      const head = yaml.startsWith("denolink: 1\n") ? "" : "denolink: 1\nname: part\n";
      parseTopology(head + yaml, name);
    }
  }
});

kernelTest("plan, up, export, graph and down, as text and as JSON", NEEDS, async (kernel) => {
  const { netns, ip } = kernel;
  const [web, router] = [unique(), unique()];
  const lab = (mtu: number) =>
    `denolink: 1
name: lab
bridges:
  br0: 10.77.0.1/24
containers:
  ${web}: { bridge: br0 }
namespaces:
  ${router}:
    links:
      eth0: { peer: host:up0, address: 10.78.0.2/30, mtu: ${mtu} }
    routes:
      - { to: default, via: 10.78.0.1 }
links:
  up0: { address: 10.78.0.1/30 }
`;
  const links = async () => (await ip("link", "show")).map(({ ifname }) => ifname).sort();
  await withFile(lab(1500), async (file) => {
    const before = await links();
    const planned = await json(kernel, "plan", file);
    assertEquals(planned.topology, "lab");
    const link = planned.changes.find(({ kind, netns, name }: Change) =>
      kind === "link" && netns === router && name === "eth0"
    );
    assertEquals([link.action, link.path, link.line, link.column], [
      "add",
      `namespaces.${router}.links.eth0`,
      10,
      7,
    ]);
    const text = await succeed(kernel, "plan", file);
    assertMatch(text, new RegExp(`^${router}\n(  \\+ add .*\n)+`, "m"));
    assertMatch(text, /^\d+ to add, 0 to change, 0 to remove\n$/m);
    assertEquals(await links(), before, "plan changes nothing");

    assertMatch(await succeed(kernel, "up", file), /^\d+ added, 0 changed, 0 removed\n$/m);
    assertEquals(await succeed(kernel, "up", file), "nothing to do\n");
    assertEquals(await json(kernel, "plan", file), { topology: "lab", changes: [] });
    await succeed(kernel, "ping", "10.78.0.2", "--count", "1");

    await Deno.writeTextFile(file, lab(1400));
    const differs = await succeed(kernel, "plan", file);
    assertMatch(differs, /^ {2}~ change link eth0.*\n {6}mtu: 1500 -> 1400$/m);
    assertMatch(differs, /^0 to add, 1 to change, 0 to remove\n$/m);
    const [change] = (await json(kernel, "up", file)).changes;
    assertEquals(change.differences, [{ key: "mtu", before: 1500, after: 1400 }]);

    const exported: Topology = await json(kernel, "export", "--name", "copy");
    assertEquals(exported.name, "copy");
    assert(exported.bridges?.br0 !== undefined);
    const yaml = await succeed(kernel, "export", "--name", "copy");
    assertEquals(parseTopology(yaml, "copy.yaml").topology, exported);
    const single: Topology = await json(kernel, "export", "--single");
    assertEquals(single.name, "exported");
    assert(!(router in (single.namespaces ?? {})));

    const svg = await succeed(kernel, "graph", file);
    assertMatch(svg, /^<svg[^]*<\/svg>\n$/);
    assertStringIncludes(svg, router);
    const mermaid = await succeed(kernel, "graph", file, "--mermaid");
    assertStringIncludes(mermaid, web);
    assert(!mermaid.includes("<svg"));
    await runIn(netns, "ip", "link", "set", "up0", "down");
    assertEquals(await succeed(kernel, "graph", "--live", "--output", file), "");
    const live = await Deno.readTextFile(file);
    assertMatch(live, /^<svg[^]*<\/svg>\n$/);
    assertStringIncludes(live, "no carrier");
    await Deno.writeTextFile(file, lab(1400));

    assertMatch(await succeed(kernel, "down", file), /^0 added, 0 changed, \d+ removed\n$/m);
    await eventually(async () => assertEquals(await links(), before));
    assertEquals(await succeed(kernel, "down", file), "nothing to do\n");
    assertEquals(await json(kernel, "down", file), { topology: "lab", changes: [] });
  });
});

kernelTest("bad files and failed steps name the line", NEEDS, async (kernel) => {
  const { netns, ip } = kernel;
  const run = (...args: string[]) => here("--netns", path(netns), ...args);
  await withFile(
    "denolink: 1\nname: lab\nlniks: {}\nbridges: { br0: 10.0.0.300/24 }\n",
    async (file) => {
      for (const command of ["plan", "up", "down", "watch", "graph"]) {
        const { code, stdout, stderr } = await run(command, file);
        assertEquals([code, stdout], [2, ""], command);
        const [unknown = "", address = "", ...rest] = stderr.trimEnd().split("\n");
        assert(unknown.startsWith(`${file}:3:1: lniks: `), unknown);
        assertStringIncludes(unknown, "links");
        assert(address.startsWith(`${file}:4:`), address);
        assertStringIncludes(address, ": bridges.br0: ");
        assertEquals(rest, []);
      }
      // The same by standard input, in a process of its own.
      const child = new Deno.Command(Deno.execPath(), {
        args: invocation(["plan", "-", "--netns", path(netns)]),
        stdin: "piped",
        stderr: "piped",
      }).spawn();
      await ReadableStream.from([await Deno.readFile(file)]).pipeTo(child.stdin);
      const { code, stderr } = await child.output();
      assertEquals(code, 2);
      assertMatch(new TextDecoder().decode(stderr), /^<stdin>:3:1: lniks: .*\n<stdin>:4:/);

      await Deno.writeTextFile(
        file,
        "denolink: 1\nname: lab\nlinks:\n  d0: { kind: bridge, address: 10.0.0.1/24 }\nroutes:\n  - { to: 10.9.0.0/16, via: 10.8.0.1 }\n",
      );
      const failed = await run("up", file);
      assertEquals([failed.code, failed.stdout], [1, ""]);
      assert(failed.stderr.startsWith(`${file}:6:5: routes[0]: Cannot add route 10.9.0.0/16 `));
      assertMatch(failed.stderr, /; everything was put back\n$/);
      assertEquals((await ip("link", "show")).map(({ ifname }) => ifname), ["lo"]);
    },
  );
  const refusals: [args: string[], code: 1 | 2, message: RegExp][] = [
    [["up", "/no/such.yaml"], 2, /^\/no\/such\.yaml: Cannot read this file: No such file [^(]*\n$/],
    [["graph"], 2, /needs FILE or --live/],
    [["graph", "a.yaml", "--live"], 2, /needs FILE or --live/],
    [["graph", "a.yaml", "--json"], 2, /no JSON/],
    [["plan"], 2, /needs FILE/],
    [["up", "a.yaml", "b.yaml"], 2, /does not take "b\.yaml"/],
    [["up", "a.yaml", "--repair"], 2, /no option --repair/],
    [["pan", "a.yaml"], 2, /did you mean "plan"/],
  ];
  for (const [args, code, message] of refusals) {
    const outcome = await run(...args);
    assertMatch(outcome.stderr, message);
    assertEquals([outcome.code, outcome.stdout], [code, ""]);
  }
});

kernelTest("watch tells of drift and mends it", NEEDS, async (kernel) => {
  const { netns, ip } = kernel;
  const setMtu = (mtu: number) => runIn(netns, "ip", "link", "set", "d0", "mtu", `${mtu}`);
  const yaml = "denolink: 1\nname: lab\nlinks:\n  d0: { kind: bridge, mtu: 1400 }\n";
  await withFile(yaml, async (file) => {
    await succeed(kernel, "up", file);
    await setMtu(1300);
    await watching(kernel, file, [], async (next) => {
      assertMatch(
        (await next()).text!,
        /^host\n {2}~ change link d0\n {6}mtu: 1300 -> 1400\n0 to add, 1 to change/,
      );
      await setMtu(1400);
      assertEquals(await next(), {
        json: { topology: "lab", changes: [], repaired: false },
        text: "all is as the file says again",
      });
    });
    await watching(kernel, file, ["repair"], async (next) => {
      await setMtu(1300);
      const { changes, repaired } = (await next()).json as { changes: Change[]; repaired: boolean };
      assertEquals([repaired, changes.map(({ name }) => name)], [true, ["d0"]]);
      assertEquals((await ip("link", "show", "d0"))[0].mtu, 1400);
    });
    await succeed(kernel, "down", file);
  });
});

/** Runs the command until the function has seen enough. */
async function watching(
  { netns }: Kernel,
  file: string,
  switches: string[],
  fn: (next: () => Promise<Result>) => Promise<void>,
): Promise<void> {
  const typed: Typed = {
    words: [file],
    all: () => [],
    one: (option) => option === "netns" ? path(netns) : undefined,
    has: (option) => switches.includes(option),
  };
  const watch = TOPOLOGY_COMMANDS.find((command) => nameOf(command) === "watch")!;
  const events = (await watch.run(typed)).events![Symbol.asyncIterator]();
  await fn(async () => (await events.next()).value);
  await events.return!();
}
