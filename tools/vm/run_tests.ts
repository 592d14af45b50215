/**
 * Runs the tests on Debian's kernel: `deno run -A tools/vm/run_tests.ts [paths] [--filter text] [...]`.
 *
 * @module
 */

import { chooseConfig } from "../config.ts";
import { runInVm } from "./run.ts";

/** What a kernel has a say in; tests/cli starts a hundred processes, which takes long in an emulation. */
const PATHS = ["tests/ffi", "tests/rtnl", "tests/netns", "tests/overlay"];

if (import.meta.main) {
  // Chosen here: the virtual machine has no network.
  Deno.env.set("DENOLINK_STD", (await chooseConfig()).std);
  const chosen = Deno.args.some((argument) => argument.startsWith("tests"));
  const paths = chosen ? [] : PATHS;
  // Types were checked outside, where that does not take a minute.
  const test = [Deno.execPath(), "run", "-A", "tools/run_tests.ts", "--no-check"];
  Deno.exit(await runInVm([...test, ...paths, ...Deno.args]));
}
