import { fileURLToPath } from "node:url";
import { run } from "../programs.ts";
import { row, timed } from "../row.ts";

/** A new process of deno, with the same packages. */
export const deno = [Deno.execPath(), "run", "-A", "--config", Deno.env.get("DENOLINK_CONFIG")!];
const EMPTY = fileURLToPath(import.meta.resolve("../empty.ts"));
const CLI = fileURLToPath(import.meta.resolve("../../cli.ts"));

const starts = (...command: string[]) => (size: number) =>
  timed(async () => {
    for (let i = 0; i < size; i++) await run(command);
  });

export default row({
  work: "deno run cli.ts link list (floor: of an empty file that imports @std/cli)",
  unit: "ms",
  each: "start",
  sizes: [5],
  quick: [1],
  targets: [{ most: 1.3, times: "floor" }],
  setUp: (size) => Promise.resolve(size),
  ways: {
    denolink: starts(...deno, CLI, "link", "list"),
    floor: starts(...deno, EMPTY),
    ip: starts("ip", "link"),
  },
});
