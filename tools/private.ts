/**
 * Runs deno in network and mount namespaces of its own and with a `/run` of its
 * own, so that nothing reaches the host's network:
 * `deno run -A tools/private.ts <deno arguments>`.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { explain } from "../netns/rootless.ts";
import { denoCommand } from "./deno.ts";
import { become, cString, errorName, fail, requireLinux } from "./exec.ts";

/** How to enter. */
export interface PrivateOptions {
  /**
   * Whether root keeps its real capabilities. Everybody else, and otherwise root
   * too, becomes root of a new user namespace.
   *
   * @default {false}
   */
  keepRoot?: boolean;
}

/** Says that the tool runs inside, and which mount namespace is outside. */
const OUTSIDE = "--outside=";
const MS_NOSUID = 2n;
const MS_NODEV = 4n;

/** The command line that runs `command` in there; ends with a sentence where that is forbidden. */
export async function privateCommand(
  command: readonly string[],
  { keepRoot = false }: PrivateOptions = {},
): Promise<string[]> {
  requireLinux();
  const again = ["run", "-A", "--no-config", fileURLToPath(import.meta.url)];
  const unshare = await wayIn(keepRoot && Deno.uid() === 0);
  return [...unshare, Deno.execPath(), ...again, OUTSIDE + mountNamespace(), ...command];
}

/** The `unshare` that works here; in some containers root must do as others do. */
async function wayIn(keepRoot: boolean): Promise<string[]> {
  let refusal = "";
  for (const flags of keepRoot ? ["-nm", "-Urnm"] : ["-Urnm"]) {
    const unshare = ["unshare", flags, "--propagation", "private"];
    refusal = await tryOut([...unshare, "true"]);
    if (refusal === "") return unshare;
  }
  fail(`Cannot make a private namespace: ${explain(refusal, Deno.uid() === 0, readSetting)}`);
}

/** What the command complains of, "" if nothing. */
async function tryOut([name = "", ...args]: string[]): Promise<string> {
  try {
    const { success, stderr } = await new Deno.Command(name, { args }).output();
    return success ? "" : new TextDecoder().decode(stderr).trim() || `${name} failed`;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    fail(`Cannot make a private namespace: no "${name}" here; install util-linux`);
  }
}

function readSetting(name: string): string | undefined {
  try {
    const path = `/proc/sys/${name.replaceAll(".", "/")}`;
    return Deno.readTextFileSync(path).trim();
  } catch {
    return undefined; // This kernel has no such setting.
  }
}

/** Hides the host's `/run`, above all `/run/netns`, which an ordinary user couldn't write. */
function mountRun(): void {
  const libc = Deno.dlopen("libc.so.6", {
    // int mount(const char *source, const char *target, const char *fstype,
    //           unsigned long flags, const void *data);
    mount: {
      parameters: ["buffer", "buffer", "buffer", "usize", "buffer"],
      result: "i32",
    },
    // int *__errno_location(void);
    __errno_location: { parameters: [], result: "pointer" },
  });
  const tmpfs = cString("tmpfs");
  const options = cString("mode=755");
  const flags = MS_NOSUID | MS_NODEV;
  if (libc.symbols.mount(tmpfs, cString("/run"), tmpfs, flags, options) === 0) return;
  const reason = errorName(libc.symbols.__errno_location());
  fail(`Cannot mount a private /run: ${reason}`);
}

function mountNamespace(): string {
  return Deno.readLinkSync("/proc/self/ns/mnt");
}

if (import.meta.main) {
  const [first = "", ...rest] = Deno.args;
  if (first.startsWith(OUTSIDE)) {
    if (first === OUTSIDE + mountNamespace()) fail("Cannot hide /run: this is the host's own");
    mountRun();
    become(rest);
  }
  become(await privateCommand(await denoCommand(Deno.args)));
}
