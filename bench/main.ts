/**
 * Measures denolink beside its peers, in namespaces of its own:
 * `deno task bench [--only ROW] [--peer PEER] [--quick] [--json] [--plot FILE.svg]`; with `--profile` deno
 * writes where denolink's time goes into the current directory (`--cpu-prof`).
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { denoCommand } from "../tools/deno.ts";
import { become } from "../tools/exec.ts";
import { privateCommand } from "../tools/private.ts";

const bench = fileURLToPath(import.meta.resolve("./bench.ts"));
const args = Deno.args.filter((arg) => arg !== "--profile");
const outside = `--outside=${Deno.readLinkSync("/proc/self/ns/net")}`;
const flags = args.length < Deno.args.length ? ["-A", "--cpu-prof", "--cpu-prof-md"] : ["-A"];
// As root with real capabilities: a monitor's receive buffer may then be as large as it asks for.
become(
  await privateCommand(await denoCommand(["run", ...flags, bench, outside, ...args]), {
    keepRoot: true,
  }),
);
