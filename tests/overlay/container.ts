/**
 * Containers that can really be killed: processes in network namespaces of their own.
 *
 * @module
 */

import { assert } from "@std/assert";
import { readLink } from "../../ffi/system.ts";
import { eventually } from "../support.ts";

/** A process in a network namespace of its own; it ends with the test. */
export interface Container extends AsyncDisposable {
  pid: number;
  /** Ends it; returns when it is no more. */
  kill(): Promise<void>;
  /** The same, before anything else runs here. */
  end(): void;
}

/** Starts one, and waits until it is in its namespace. */
export async function startContainer(): Promise<Container> {
  const child = new Deno.Command("unshare", { args: ["--net", "sleep", "300"], stdin: "null" })
    .spawn();
  const home = readLink("/proc/self/ns/net");
  await eventually(() => assert(readLink(`/proc/${child.pid}/ns/net`) !== home));
  let ended = false;
  child.status.then(() => ended = true);
  const kill = async () => {
    if (!ended) child.kill("SIGKILL");
    await child.status;
  };
  const end = () => {
    child.kill("SIGKILL");
    const isThere = () => typeof readLink(`/proc/${child.pid}/ns/net`) === "string";
    for (const late = performance.now() + 5000; isThere();) assert(performance.now() < late);
  };
  return { pid: child.pid, kill, end, [Symbol.asyncDispose]: kill };
}
