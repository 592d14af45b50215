/**
 * Runs the tests in private namespaces; root keeps its capabilities there:
 * `deno run -A tools/run_tests.ts [paths] [--filter text] [...]`.
 *
 * Not called `test.ts`, which deno would take for a test.
 *
 * @module
 */

import { denoCommand } from "./deno.ts";
import { become } from "./exec.ts";
import { privateCommand } from "./private.ts";

if (import.meta.main) {
  const command = await denoCommand(["test", "-A", ...Deno.args]);
  become(await privateCommand(command, { keepRoot: true }));
}
