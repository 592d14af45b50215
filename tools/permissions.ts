/**
 * Measures which Deno permissions and Linux capabilities each function needs, and writes it down:
 * `deno run -A tools/permissions.ts`, as root; `--check` compares it with what is written.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { hasCapability, isHostsRoot } from "../netns/capability.ts";
import { become, fail, requireLinux } from "./exec.ts";
import { CAPABILITIES } from "./permissions/privileges.ts";
import { privateCommand } from "./private.ts";

/** Why it can't be measured here: only the host's root has all there is to take away. */
export function whyNotHere(): string | undefined {
  if (!isHostsRoot()) return "needs root, outside of any user namespace";
  const missing = CAPABILITIES.filter((capability) => !hasCapability(capability));
  if (missing.length > 0) return `needs ${missing.join(", ")}`;
  // The programs of util-linux that take away, and that enter the prepared namespaces.
  const absent = ["setpriv", "nsenter"].filter((program) => !isThere(program));
  return absent.length > 0 ? `needs ${absent.join(" and ")} of util-linux` : undefined;
}

function isThere(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  requireLinux();
  const reason = whyNotHere();
  if (reason !== undefined) fail(`Cannot measure permissions: it ${reason}`);
  const unknown = Deno.args.find((word) => word !== "--check");
  if (unknown !== undefined) fail(`Cannot measure permissions: there is no option ${unknown}`, 2);
  const measure = fileURLToPath(import.meta.resolve("./permissions/measure.ts"));
  const command = [Deno.execPath(), "run", "-A", "--no-config", measure, ...Deno.args];
  become(await privateCommand(command, { keepRoot: true }));
}
