/**
 * The peers, which are programs: `ip` as it is, and one of our own for each library. Those take a work and
 * its arguments, time themselves, and print the nanoseconds and how many there were:
 *
 * - `attach N`, `attach-born N`: containers c0, c1, ... to the bridge br0; a pair's end is moved into its
 *   namespace and renamed, or made there
 * - `delete FILE`: the links named in it, one after the other
 * - `insert-routes N`: 10.0.0.0/32, 10.0.0.1/32, ... by the link v0
 * - `dump-routes`, `dump-links`: IPv4 routes by v0; all links
 * - `lookup FILE`: the links named in it, by their names
 * - `monitor N BYTES`: with a receive buffer of that size, where it can be set: prints "ready", and counts
 *   new routes
 *
 * @module
 */

import { type Peer, PEERS, timed } from "./row.ts";

/** Where everything is built that has to be. */
const BUILD = `${import.meta.dirname}/.build`;
const SOURCES = `${import.meta.dirname}/peers`;

/** A peer that is a program of ours. */
export type Program = Exclude<Peer, "denolink" | "ip">;

const COMMANDS: Record<Program, readonly string[]> = {
  floor: [`${BUILD}/floor`],
  // Debian's package is for Debian's Python.
  pyroute2: ["/usr/bin/python3", `${SOURCES}/peer.py`],
  go: [`${BUILD}/go`],
  rust: [`${BUILD}/rust`],
};

/** Those that can be used here; the floor is built if it has to. */
export async function findPeers(): Promise<Set<Peer>> {
  const found: Record<Peer, boolean> = {
    denolink: true,
    floor: await buildFloor(),
    ip: await succeeds("ip", "-V"),
    pyroute2: await succeeds("/usr/bin/python3", "-c", "import pyroute2"),
    go: isBuilt("go", "peer.go"),
    rust: isBuilt("rust", "rust/src/main.rs"),
  };
  return new Set(PEERS.filter((peer) => found[peer]));
}

async function buildFloor(): Promise<boolean> {
  if (isBuilt("floor", "floor.c")) return true;
  await Deno.mkdir(BUILD, { recursive: true });
  return await succeeds("gcc", "-O2", "-o", COMMANDS.floor[0]!, `${SOURCES}/floor.c`);
}

/** Whether it was built from the source as it is now. */
function isBuilt(peer: Program, source: string): boolean {
  return modified(COMMANDS[peer][0]!) > modified(`${SOURCES}/${source}`);
}

function modified(path: string): number {
  try {
    return Deno.statSync(path).mtime!.getTime();
  } catch {
    return 0;
  }
}

async function succeeds(...command: string[]): Promise<boolean> {
  return await run(command).then(() => true, () => false);
}

/** The output of a command; throws what it complained of when it fails. */
export async function run([name = "", ...args]: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${name} ${args.join(" ")}: ${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}

/** What a program of ours takes for a work; throws unless it says that there were `count`. */
export async function program(
  peer: Program,
  count: number | undefined,
  ...args: (string | number)[]
): Promise<number> {
  return read(await run([...COMMANDS[peer], ...args.map(String)]), count);
}

function read(output: string, wanted: number | undefined): number {
  const [nanoseconds = NaN, count] = output.trim().split(" ").map(Number);
  if (wanted !== undefined && count !== wanted) throw new Error(`${count} instead of ${wanted}`);
  return nanoseconds;
}

/** A program of ours that watches while something happens; it must have seen `count`. */
export async function watching(
  peer: Program,
  count: number,
  args: readonly (string | number)[],
  happen: () => Promise<unknown>,
): Promise<number> {
  const [name, ...first] = COMMANDS[peer];
  const child = new Deno.Command(name!, {
    args: [...first, ...args.map(String)],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const patience = setTimeout(() => child.kill(), 60_000);
  let output = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const readOn = async () => {
    const { value, done } = await reader.read();
    output += value ?? "";
    return !done;
  };
  while (!output.includes("ready\n") && await readOn());
  await happen();
  while (await readOn());
  clearTimeout(patience);
  const { success } = await child.status;
  const complaint = (await new Response(child.stderr).text()).trim();
  if (!success) throw new Error(complaint.split("\n").at(-1) || `not all ${count} were seen`);
  return read(output.replace("ready\n", ""), count);
}

/** What `ip` takes for lines in files, a process for each file: to start it is part of the work. */
export async function ip(batches: readonly Batch[]): Promise<number> {
  return await timed(async () => {
    for (const { options, file } of batches) await run(["ip", ...options, "-batch", file]);
  });
}

/** Lines for `ip`, in a file. */
export interface Batch {
  options: string[];
  file: string;
}

/** Writes the lines for one run of `ip`. */
export function batch(lines: readonly string[], ...options: string[]): Batch {
  return { options, file: temporary(lines.join("\n") + "\n") };
}

/** A file with this text, or an empty one; it goes with the private `/run`. */
export function temporary(text = ""): string {
  const file = Deno.makeTempFileSync({ dir: "/run" });
  Deno.writeTextFileSync(file, text);
  return file;
}
