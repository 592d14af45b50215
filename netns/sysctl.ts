/**
 * Kernel settings under /proc/sys (proc_sys(5), sysctl(8)), per network namespace.
 *
 * @module
 */

import { O_RDONLY, O_WRONLY } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { errnoOf } from "../ffi/errno.ts";
import { check, InputError, kernelError } from "../ffi/errors.ts";
import { openBeneath, readAll, writeText } from "../ffi/system.ts";
import { Netns, type NetnsOptions } from "./netns.ts";
import { openThere } from "./visitor.ts";

/**
 * Reads a setting, without the newline at its end. `NotFoundError` when there is none of that
 * name, `InputError` for a key that is none.
 *
 * @example Whether the host routes
 * ```ts
 * import { readSysctl } from "@denolink/denolink";
 *
 * console.log(await readSysctl("net.ipv4.ip_forward") === "1");
 * ```
 */
export async function readSysctl(
  key: string,
  options?: NetnsOptions,
): Promise<string> {
  const operation = `read sysctl ${key}`;
  using file = await openSysctl(operation, key, O_RDONLY, options);
  const value = readAll(file.fd);
  if (typeof value === "number") throw kernelError(operation, -value);
  return value.replace(/\n$/, "");
}

/**
 * Writes a setting. `NotFoundError` when there is none of that name, `InputError` for a key
 * that is none or a value of more than one line, `NetlinkError` with `EINVAL` for a value that the kernel
 * does not take.
 *
 * @example Let a container route
 * ```ts
 * import { setSysctl } from "@denolink/denolink";
 *
 * await setSysctl("net.ipv4.ip_forward", "1", { netns: { pid: 4242 } });
 * ```
 */
export async function setSysctl(
  key: string,
  value: string | number,
  options?: NetnsOptions,
): Promise<void> {
  const operation = `set sysctl ${key} to ${value}`;
  const text = String(value);
  if (text.includes("\n") || text.includes("\0")) {
    throw new InputError(
      `Cannot set sysctl ${key} to ${JSON.stringify(text)}: a value is one line`,
    );
  }
  using file = await openSysctl(operation, key, O_WRONLY, options);
  check(operation, writeText(file.fd, `${text}\n`));
}

/** The file belongs to the namespace in which it was opened, whichever thread reads it. */
async function openSysctl(
  operation: string,
  key: string,
  flags: number,
  { netns }: NetnsOptions = {},
): Promise<Descriptor> {
  const path = sysctlPath(key);
  try {
    if (netns === undefined) {
      return new Descriptor(check(operation, openBeneath("/proc/sys", path, flags)));
    }
    using pinned = Netns.open(netns);
    return await openThere(operation, pinned.fd, { sysctl: path, flags });
  } catch (error) {
    throw readOnly(operation, error);
  }
}

/** Containers often have /proc/sys mounted read-only, which EROFS alone does not tell. */
function readOnly(operation: string, error: unknown): unknown {
  if ((error as { errno?: number }).errno !== errnoOf("EROFS")) return error;
  return kernelError(operation, errnoOf("EROFS"), {
    remedy: "/proc/sys is mounted read-only here: do it outside the container",
  });
}

/** Keys whose middle is the name of a link, which may itself have dots. */
const PER_LINK = /^(net)\.(ipv4|ipv6|mpls)\.(conf|neigh)\.(.+)\.([^.]+)$/;

/**
 * The file of a key. As sysctl(8) reads it: where the first separator is a slash, slashes separate;
 * else dots do, a slash then stands for a dot, and a link's name may have dots as they are.
 */
export function sysctlPath(key: string): string {
  const dotted = key.search(/[./]/) >= 0 && key[key.search(/[./]/)] === ".";
  const parts = dotted
    ? (PER_LINK.exec(key)?.slice(1) ?? key.split(".")).map((part) => part.replaceAll("/", "."))
    : key.split("/");
  const problem = key === ""
    ? "a key has at least one character"
    : parts.some((part) => part === "" || part === "." || part === "..")
    ? 'it would leave /proc/sys or has an empty part; write it as "net.ipv4.ip_forward"'
    : /[\s\p{Cc}]/u.test(key)
    ? "a key has no blanks or control characters"
    : undefined;
  if (problem) {
    throw new InputError(
      `Cannot use sysctl key ${JSON.stringify(key)}: ${problem}`,
    );
  }
  return parts.join("/");
}
