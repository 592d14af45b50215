/**
 * Everything without the host's root: the program again, as root of namespaces of its own.
 *
 * @module
 */

import { MS_NODEV, MS_NOSUID, O_RDWR, O_TMPFILE } from "../ffi/constants.ts";
import { errnoOf } from "../ffi/errno.ts";
import { kernelError, PermissionError, UnsupportedError } from "../ffi/errors.ts";
import { close, mount, open, readFile, readLink } from "../ffi/system.ts";
import {
  hasCapability,
  isHostsRoot,
  isHostsUserNamespace,
  refusedCall,
  remedyFor,
} from "./capability.ts";
import { become, spawn } from "./process.ts";
import { HERE } from "./residents.ts";

/** unshare(1) of util-linux: a process with several threads can't enter a user namespace by itself. */
const UNSHARE = ["--user", "--map-root-user", "--net", "--mount", "--propagation", "private"];

/** Settings that forbid namespaces: name, value that does, value that doesn't. */
const LIMITS = [
  ["user.max_user_namespaces", "0", "10000"],
  ["user.max_net_namespaces", "0", "10000"],
  ["user.max_mnt_namespaces", "0", "10000"],
];
/** Those that root is exempt from. */
const USER_LIMITS = [
  ["kernel.unprivileged_userns_clone", "0", "1"],
  ["kernel.apparmor_restrict_unprivileged_userns", "1", "0"],
];

/**
 * Lets a program do everything without root: starts it again, by the command line it was started with, as
 * root of user, network and mount namespaces of its own (user_namespaces(7)). Returns once it is there,
 * and at once in a program that has CAP_NET_ADMIN and CAP_SYS_ADMIN already.
 *
 * The process stays the same one, so its number, signals, standard streams and exit status do; what it
 * did before is forgotten, so call it first. In there the network is empty but for `lo`, which is down;
 * /run is empty and can be written, so that namespaces can have names; files are those of the user. The
 * host's network can't be reached from there.
 *
 * {@linkcode PermissionError} where the system forbids user namespaces, with the setting that does;
 * {@linkcode UnsupportedError} where util-linux's unshare(1), which does the work, is not installed.
 *
 * @example A lab for everybody
 * ```ts
 * import { createBridge, restartRootless } from "@denolink/denolink";
 *
 * await restartRootless();
 * await createBridge("br0");
 * ```
 */
export async function restartRootless(): Promise<void> {
  if (hasCapability("CAP_NET_ADMIN") && hasCapability("CAP_SYS_ADMIN")) return makeRunWritable();
  const operation = "start this program again in namespaces of its own";
  const refusal = await tryOut(operation);
  if (refusal !== "") {
    throw new PermissionError(operation, {
      denied: "unshare(1) is refused",
      // Root may not be root of a user namespace without (user_namespaces(7)).
      remedy: isHostsRoot() && !hasCapability("CAP_SETFCAP")
        ? remedyFor("CAP_SETFCAP")
        : explain(refusal, false, setting),
    });
  }
  const program = readLink("/proc/self/exe");
  if (typeof program === "number") throw kernelError(operation, -program);
  const args = ["--", program, ...(readFile("/proc/self/cmdline") ?? "").split("\0").slice(1, -1)];
  await become("unshare", HERE, "unshare", { args: [...UNSHARE, ...args] });
}

/** What forbids namespaces, in a sentence, and what to do; `refusal` is what unshare(1) said. */
export function explain(
  refusal: string,
  isRoot: boolean,
  setting: (name: string) => string | undefined,
): string {
  const limits = isRoot ? LIMITS : [...LIMITS, ...USER_LIMITS];
  for (const [name = "", value, remedy] of limits) {
    if (setting(name) !== value) continue;
    return `${name} is ${value}; as root, run "sysctl -w ${name}=${remedy}"`;
  }
  return `(${refusal}) a container or chroot forbids it, most likely; run outside of it, or start the container with "--privileged"`;
}

/** What unshare(1) complains of, "" if nothing. */
async function tryOut(operation: string): Promise<string> {
  try {
    const child = await spawn("unshare", HERE, "unshare", {
      args: [...UNSHARE, "true"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }, undefined);
    const { success, stderr } = await child.output();
    return success ? "" : new TextDecoder().decode(stderr).trim() || "it failed";
  } catch (error) {
    if ((error as { errno?: number }).errno !== errnoOf("ENOENT")) throw error;
    throw new UnsupportedError(
      `Cannot ${operation}: there is no "unshare" here; install util-linux`,
      { cause: error },
    );
  }
}

/** In a user namespace the host's /run belongs to somebody without a number there. */
function makeRunWritable(): void {
  // It is the host's own, which must not be hidden from others.
  if (isHostsUserNamespace()) return;
  const probe = open("/run", O_TMPFILE | O_RDWR, 0o600);
  if (probe >= 0) close(probe);
  if (probe !== -errnoOf("EACCES")) return;
  const mounted = mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
  if (mounted < 0) throw refusedCall("make /run writable", "mount /run", -mounted);
}

function setting(name: string): string | undefined {
  return readFile(`/proc/sys/${name.replaceAll(".", "/")}`)?.trim();
}
