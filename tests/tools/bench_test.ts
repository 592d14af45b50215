import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { measure, type Result } from "../../bench/measure.ts";
import { plot } from "../../bench/plot.ts";
import { table } from "../../bench/report.ts";
import { type AnyRow, type Peer, PEERS, row } from "../../bench/row.ts";
import { deno, runTest } from "./run.ts";

const all = new Set<Peer>(PEERS);
const quietly = { quick: false, peers: all, cleanUp: () => Promise.resolve() };

/** A row whose costs are known: of denolink 1400, 1, 2, 3 ms; what is slower than a second is warmed once. */
function fake(seen: string[], spec: Partial<AnyRow> = {}): AnyRow {
  const own = [1400, 1, 2, 3];
  const cost = (peer: string, milliseconds: number) => {
    seen.push(peer);
    return Promise.resolve(milliseconds * 1e6);
  };
  return row({
    ...{ work: "nothing <at all>", unit: "ms", sizes: [1, 10], quick: [1], rounds: 3 },
    targets: [{ most: 1.5, times: "floor" }, { most: 1 / 20, times: "go" }, { most: 3 }],
    setUp: () => Promise.resolve(own.values()),
    ways: {
      denolink: (costs) => cost("denolink", costs.next().value!),
      floor: () => cost("floor", 1350),
      go: () => cost("go", 20),
      rust: () => cost("rust", 1),
    },
    ...spec,
  });
}

Deno.test("rounds go in turn, the first is not counted, and whoever is missing has no result", async () => {
  const seen: string[] = [];
  const present = new Set(PEERS.filter((peer) => peer !== "rust" && peer !== "go"));
  const [first, second] = await measure("fake", fake(seen), present, quietly);
  assertEquals(seen.slice(0, 8).join(" "), "denolink floor ".repeat(4).trim());
  assertEquals(first?.results, { denolink: 2, floor: 1350 });
  assertEquals(first?.spread.denolink, [1.5, 2.5]);
  assertEquals([first?.missing, first?.size, second?.size], [["go", "rust"], 1, 10]);
});

Deno.test("what was not done is an error and no result", async () => {
  const check = () => Promise.reject(new Error("1 route, where 2 should be"));
  const [result] = await measure("fake", fake([], { check }), all, quietly);
  assertEquals(result?.results, {});
  assertEquals(Object.keys(result!.errors), ["denolink", "floor", "go", "rust"]);
  assertStringIncludes(table([result!], new Map()), "fake 1, go: 1 route, where 2 should be");
});

Deno.test("the table has ratios, who is missing, and what became of the targets", async () => {
  const present = new Set(PEERS.filter((peer) => peer !== "rust"));
  const row = fake([]);
  const results = await measure("fake", row, present, quietly);
  const lines = table(results, new Map([["fake", row]])).split("\n");
  assertMatch(
    lines[2]!,
    /\| 1 +\| ms +\| 2 ±25% +\| 1350 ±0% 675x \|[ |-]+\| 20 ±0% 10x \| missing/,
  );
  assertEquals(lines.slice(-3), [
    "yes  fake 10: at most 1.5 times floor; it is 0.00148",
    " NO  fake 10: at most 1/20 times go; it is 1/10",
    "yes  fake 10: at most 3 ms; it is 2",
  ]);
  const picture = plot(results);
  assertMatch(picture, /^<svg [^]*nothing &lt;at all>, ms[^]*<polyline [^]*<\/svg>\n$/);
});

runTest("the quick bench prints JSON of denolink and the floor", async () => {
  const rows = ["attach", "insert_routes"];
  const { code, stdout, stderr } = await deno([
    ...["run", "-A", "bench/main.ts", "--quick", "--json", "--peer", "denolink", "--peer", "floor"],
    ...rows.flatMap((name) => ["--only", name]),
  ]);
  assertEquals(code, 0, stderr);
  const results: Result[] = JSON.parse(stdout);
  assertEquals(results.map(({ unit, size }) => `${size}, ${unit}`), [
    "20, µs/attach",
    "1000, µs/route",
  ]);
  for (const { work, results: { denolink, floor, ...others }, missing } of results) {
    assert(typeof work === "string" && denolink! > 0);
    // Without a C compiler there is no floor.
    assertEquals(missing, floor === undefined ? ["floor"] : []);
    assert(floor === undefined || floor > 0 && floor < denolink!);
    assertEquals(others, {});
  }
}, { userNamespaces: true });

runTest("in the host's network nothing is measured", async () => {
  const outside = `--outside=${Deno.readLinkSync("/proc/self/ns/net")}`;
  for (const args of [[], [outside]]) {
    const { code, stderr } = await deno(["run", "-A", "bench/bench.ts", ...args]);
    assertEquals(code, 2);
    assertMatch(stderr, /deno task bench\n$/);
  }
});
