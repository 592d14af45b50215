import { assert, assertEquals } from "@std/assert";
import { whyNotHere } from "../../tools/permissions.ts";
import { uncovered } from "../../tools/permissions/coverage.ts";
import { OTHERS, SOMEWHERE } from "../../tools/permissions/samples.ts";
import { deno } from "./run.ts";

const reason = (["run", "ffi"] as const)
  .filter((name) => Deno.permissions.querySync({ name }).state !== "granted")
  .map((name) => `needs --allow-${name}`)[0] ?? whyNotHere();
const name = "docs/permissions.md says what each function needs, and each error says what it lacks";

Deno.test({
  name: reason === undefined ? name : `${name} (ignored: ${reason})`,
  ignore: reason !== undefined,
  async fn() {
    const { code, stderr } = await deno(["run", "-A", "tools/permissions.ts", "--check"]);
    assertEquals([code, stderr], [0, ""]);
  },
});

Deno.test("every function and method has a sample", () => {
  assertEquals(uncovered([...SOMEWHERE, ...OTHERS]), []);
  const all = uncovered([]);
  for (const name of ["addAddress", "Netns.open", "netns.connect", "process.kill", "rtnl.ping"]) {
    assert(all.includes(name), name);
  }
  assert(!all.includes("Netns") && !all.includes("NetlinkError"));
});
