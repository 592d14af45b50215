import { assertEquals } from "@std/assert";
import { count, summary } from "../../tools/count.ts";
import { deno, runTest } from "./run.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="6" failures="2" errors="0" time="0.107">
    <testsuite name="./a_test.ts" tests="6" disabled="2" errors="0" failures="2">
        <testcase name="leak" classname="./a_test.ts" time="0.022" line="2" col="6">
            <failure message="Leaks detected">Leaks detected</failure>
        </testcase>
        <testcase name="ignored" classname="./a_test.ts" time="0.000" line="4" col="11">
            <skipped/>
        </testcase>
        <testcase name="&lt;failure &lt;skipped/&gt;" classname="./a_test.ts" time="0.002">
        </testcase>
        <testcase name="bad" classname="./a_test.ts" time="0.000" line="7" col="6">
            <failure message="Error: ]]&gt; &lt;testcase &gt; &lt;skipped/&gt;">Error</failure>
        </testcase>
        <testcase name="steps &gt; one" classname="./a_test.ts" time="0.000">
        </testcase>
        <testcase name="steps &gt; two" classname="./a_test.ts" time="0.000">
            <skipped/>
        </testcase>
    </testsuite>
</testsuites>
`;

Deno.test("a report is counted, whatever words its tests use", () => {
  assertEquals(count(REPORT), { passed: 2, failed: 2, skipped: 2 });
  assertEquals(count(""), { passed: 0, failed: 0, skipped: 0 });
});

Deno.test("the summary is one line", () => {
  assertEquals(summary({ passed: 12, failed: 0, skipped: 3 }), "12 passed, 0 failed, 3 skipped");
});

runTest("a report that is absent counts as none", async () => {
  const { stdout, code } = await deno(["run", "-R", "tools/count.ts", "/nonexistent.xml"]);
  assertEquals([stdout, code], ["0 passed, 0 failed, 0 skipped\n", 0]);
});

runTest("deno's own report of a run is counted", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/a_test.ts`,
      `Deno.test("<testcase>", async (t) => { await t.step("<failure>", () => {}); });
Deno.test("bad", () => { throw new Error("<skipped/>"); });
Deno.test.ignore("later", () => {});`,
    );
    const report = `${folder}/report.xml`;
    const flags = ["--no-config", `--junit-path=${report}`];
    const { code } = await deno(["test", ...flags, folder]);
    assertEquals([code, count(await Deno.readTextFile(report))], [
      1,
      { passed: 2, failed: 1, skipped: 1 },
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
