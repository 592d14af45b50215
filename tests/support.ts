/**
 * What kernel tests share: a namespace of their own for each, `ip` as the referee, and a count of what
 * they left open.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { libc } from "../ffi/libc.ts";
import { readDirectory, readLink } from "../ffi/system.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { O_DIRECTORY, O_RDONLY } from "../ffi/constants.ts";
import { NetlinkError } from "../ffi/errors.ts";
import { isHostsUserNamespace } from "../netns/capability.ts";
import { Netns } from "../netns/netns.ts";

/** What a test gets. */
export interface Kernel {
  /** A fresh namespace, the one to act in. */
  netns: Netns;
  /** Another fresh one, closed after the test. */
  another(): Promise<Netns>;
  /** What `ip -j ...` says inside a namespace (`netns` unless said otherwise). */
  ip(...args: string[]): Promise<Json[]>;
  ipIn(netns: Netns, ...args: string[]): Promise<Json[]>;
}

// deno-lint-ignore no-explicit-any
type Json = any;

/** What a test needs beside `--allow-ffi`. */
export interface Needs {
  /** `ip` through nsenter, or other programs: `--allow-run`. */
  run?: boolean;
  /** Files of its own: `--allow-read`. */
  read?: boolean;
  /** `--allow-write`. */
  write?: boolean;
  /** `--allow-net`. */
  net?: boolean;
  /** `--allow-env`. */
  env?: boolean;
  /** `--allow-all`: Deno's own reading of /proc. */
  all?: boolean;
  /** The host's root, who can write files under /etc. */
  root?: boolean;
}

/** A test with fresh namespaces; ignored, with the reason in its name, where it can't run. */
export function kernelTest(
  name: string,
  needs: Needs,
  fn: (kernel: Kernel, t: Deno.TestContext) => void | Promise<void>,
): void {
  const missing = missingFor(needs);
  Deno.test({
    name: missing === undefined ? name : `${name} (ignored: ${missing})`,
    ignore: missing !== undefined,
    fn: async (t) => {
      // The thread that visits has descriptors of its own, and should be there already.
      (await Netns.create()).close();
      const before = openInKernel();
      await inFreshNamespaces((kernel) => fn(kernel, t));
      await eventually(() =>
        assertEquals(openedSince(before), [], "namespaces and sockets left open")
      );
    },
  });
}

/** Waits, for three seconds at most, until an assertion holds: threads and links end in the background. */
export async function eventually(
  assertion: () => void | Promise<void>,
  milliseconds = 3000,
): Promise<void> {
  for (const end = performance.now() + milliseconds;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function inFreshNamespaces(fn: (kernel: Kernel) => void | Promise<void>): Promise<void> {
  using opened = new DisposableStack();
  const another = async () => opened.use(await Netns.create());
  const netns = await another();
  await fn({ netns, another, ip: (...args) => ip(netns, ...args), ipIn: ip });
}

async function ip(netns: Netns, ...args: string[]): Promise<Json[]> {
  const output = await runIn(netns, "ip", "-j", "-d", ...args);
  return output.trim() === "" ? [] : JSON.parse(output);
}

/** The output of a program inside a namespace; throws what it said when it fails. */
export async function runIn(netns: Netns, ...command: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [`--net=/proc/${Deno.pid}/fd/${netns.fd}`, "--", ...command],
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${command.join(" ")}: ${text(stderr)}`);
  return text(stdout);
}

/** The pinned namespaces and the sockets of this process; the visiting thread's own not counted. */
export function openInKernel(): string[] {
  const home = readLink("/proc/self/ns/net");
  return links("/proc/self/fd")
    .filter((target) => /^(net|socket):/.test(target) && target !== home).sort();
}

/** What is open now and was not before; Deno's idle threads may have closed some of their own. */
export function openedSince(before: string[]): string[] {
  const rest = [...before];
  return openInKernel().filter((target) => {
    const at = rest.indexOf(target);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

/** Where the entries of a directory point; one that is gone meanwhile is left out. */
export function links(directory: string, below = ""): string[] {
  return namesIn(directory).map((name) => readLink(`${directory}/${name}${below}`))
    .filter((target) => typeof target === "string");
}

/** The entries of a directory, without a permission to read. */
export function namesIn(directory: string): string[] {
  using opened = Descriptor.open(directory, O_RDONLY | O_DIRECTORY);
  const names = readDirectory(opened.fd);
  if (typeof names === "number") throw new Error(`Cannot list ${directory}: errno ${-names}`);
  return names;
}

/** The namespace of every thread of this process. */
export function threadNamespaces(): string[] {
  return links("/proc/self/task", "/ns/net");
}

/** Whether namespaces can be made at all. */
const canMakeNamespaces = await (async () => {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return false;
  try {
    (await Netns.create()).close();
    return true;
  } catch (error) {
    if (error instanceof NetlinkError) return false;
    throw error;
  }
})();

function missingFor({ all, root, ...needs }: Needs): string | undefined {
  const flags = (["run", "read", "write", "net", "env"] as const)
    .filter((name) => needs[name] && Deno.permissions.querySync({ name }).state !== "granted");
  if (all && !allowsAll()) return "needs --allow-all";
  if (flags.length > 0) return `needs ${flags.map((name) => `--allow-${name}`).join(" ")}`;
  if (!canMakeNamespaces) return "needs root, or deno task test";
  if (root && !isHostsUserNamespace()) return "needs the host's root";
  return undefined;
}

function allowsAll(): boolean {
  return (["run", "read", "write", "net", "env", "ffi", "sys"] as const)
    .every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

/**
 * Calls a function in the place of open(2) where this thread opens a path, until it is disposed of; it gets
 * what opens it.
 */
export function onOpen(path: string, instead: (open: () => number) => number): Disposable {
  const symbols = libc();
  const { open } = symbols;
  const patched: typeof open = (bytes, flags, mode) => {
    const opened = new TextDecoder().decode(bytes as Uint8Array<ArrayBuffer>);
    const opening = () => open(bytes, flags, mode);
    return opened === `${path}\0` ? instead(opening) : opening();
  };
  Object.assign(symbols, { open: patched });
  return { [Symbol.dispose]: () => void Object.assign(symbols, { open }) };
}
