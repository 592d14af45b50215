/**
 * Kernel settings under /proc/sys (proc_sys(5), sysctl(8)), per network namespace.
 *
 * @module
 */

import { O_DIRECTORY, O_RDONLY, O_WRONLY } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { errnoOf } from "../ffi/errno.ts";
import {
  type ErrorDetails,
  InputError,
  kernelError,
  NetlinkError,
  NotFoundError,
} from "../ffi/errors.ts";
import { openBeneath, readAll, readDirectory, writeText } from "../ffi/system.ts";
import {
  deniedDetails,
  hasCapability,
  isHostsRoot,
  isHostsUserNamespace,
  remedyFor,
} from "./capability.ts";
import { Netns, type NetnsOptions } from "./netns.ts";
import { openThere, readSysctlsThere } from "./visitor.ts";

/**
 * Reads a setting (proc_sys(5)), without the newline at its end; its unit is the setting's own.
 *
 * {@linkcode InputError} for a key that is none, {@linkcode NotFoundError} when there is no such
 * setting, {@linkcode PermissionError} when it is not for the caller to read, {@linkcode NetlinkError}
 * with `EISDIR` for a key that has several settings, with `ELOOP` for one that leads through a link.
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
  const path = sysctlPath(key);
  using netns = pin(options);
  return await read(`read sysctl ${key}`, path, netns);
}

/**
 * All settings below a key that can be read, sorted by their keys, as `sysctl -a` lists them
 * (sysctl(8)): of all of /proc/sys unless a key is given, and a setting's own key gives that one.
 * Values have no newline at their end.
 *
 * The keys are such that {@linkcode readSysctl} takes them: a dot that is part of a name is written as
 * a slash, as in `net.ipv4.conf.eth0/100.forwarding`. Left out are settings without a value, such as
 * `stable_secret`, and those that are not for the caller to read.
 *
 * {@linkcode InputError} for a key that is none, {@linkcode NotFoundError} when there is nothing of that
 * name.
 *
 * @example What a container's link is set to
 * ```ts
 * import { listSysctls } from "@denolink/denolink";
 *
 * const settings = await listSysctls("net.ipv4.conf.eth0", { netns: { pid: 4242 } });
 * console.log(settings["net.ipv4.conf.eth0.rp_filter"]);
 * ```
 */
export async function listSysctls(
  prefix = "",
  options?: NetnsOptions,
): Promise<Record<string, string>> {
  const paths = prefix === "" ? [""] : [sysctlPath(prefix), ...linkDirectory(prefix)];
  const operation = prefix === "" ? "list sysctls" : `list sysctls below ${prefix}`;
  using netns = pin(options);
  const [path, value] = await firstOf(operation, paths, netns);
  const found = value !== undefined
    ? { [path]: value }
    : netns === undefined
    ? readAllHere(path)
    : await readSysctlsThere(operation, netns.fd, path);
  const settings = Object.entries(found)
    .map(([path, text]) => [keyOf(path), text.replace(/\n$/, "")] as const);
  return Object.fromEntries(settings.sort(([a], [b]) => a < b ? -1 : 1));
}

/**
 * Writes a setting (proc_sys(5)); a number is written in decimal.
 *
 * {@linkcode InputError} for a key that is none or a value that is neither one line nor a whole number,
 * {@linkcode NotFoundError} when there is no such setting, {@linkcode PermissionError} when it is not
 * for the caller to write, {@linkcode NetlinkError} with `EINVAL` for a value that the kernel does not
 * take, or says that it took only the beginning of, with `EISDIR` for a key that has several settings, with
 * `ELOOP` for one that leads through a link, with `EROFS` where /proc/sys is mounted read-only.
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
  const setting = settingOf(key, value);
  using netns = pin(options);
  await write(setting, netns);
}

/**
 * Writes several settings (proc_sys(5)) in the order given, all or nothing: when one is refused, all get
 * the values back that they had. Returns those values, the last first, so that another call with them puts
 * things back.
 *
 * A setting that has the value already is not written; one that another of them changes, as
 * `net.ipv4.ip_forward` does the forwarding of each link, is written once more at the end. What the kernel
 * changes so beside the settings is not put back.
 *
 * A setting without a value to read, such as `net.ipv4.route.flush`, is left out of what is returned, and
 * can't be put back.
 *
 * The errors are those of {@linkcode setSysctl}, and name the key that was refused, and those that could
 * not be put back. Keys and values are looked at before any is written.
 *
 * @example Route in a container, for a while
 * ```ts
 * import { setSysctls } from "@denolink/denolink";
 *
 * const container = { netns: { pid: 4242 } };
 * const previous = await setSysctls({
 *   "net.ipv4.ip_forward": 1,
 *   "net.ipv6.conf.all.forwarding": 1,
 * }, container);
 * // ...
 * await setSysctls(previous, container);
 * ```
 */
export async function setSysctls(
  settings: Readonly<Record<string, string | number>>,
  options?: NetnsOptions,
): Promise<Record<string, string>> {
  const wanted = Object.entries(settings).map(([key, value]) => settingOf(key, value));
  using netns = pin(options);
  const previous: Setting[] = [];
  for (const setting of wanted) {
    const value = await currentValue(setting, netns);
    if (value !== undefined) previous.push({ ...setting, value });
  }
  const written: Setting[] = [];
  try {
    await writeAll(wanted, netns, written);
  } catch (error) {
    const lasting = written.filter(({ key }) => previous.every((setting) => setting.key !== key));
    const left = [...lasting, ...await putBack(previous, netns)].map(({ key }) => key);
    if (error instanceof Error && left.length > 0) {
      error.message += `; could not be put back: ${left.join(", ")}`;
    }
    throw error;
  }
  // The last first, because one may be allowed its old value only when those behind it have theirs.
  return Object.fromEntries(previous.reverse().map(({ key, value }) => [key, value]));
}

/** A setting and its value, both looked at. */
interface Setting {
  operation: string;
  key: string;
  path: string;
  value: string;
}

function settingOf(key: string, value: string | number): Setting {
  const fits = typeof value === "string" ? !/[\n\0]/.test(value) : Number.isSafeInteger(value);
  if (!fits) {
    const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
    throw new InputError(
      `Cannot set sysctl ${key} to ${shown}: a value is one line, or a whole number`,
    );
  }
  const operation = `set sysctl ${key} to ${value}`;
  return { operation, key, path: sysctlPath(key), value: String(value) };
}

/** Pins the namespace that the options name; `undefined` stands for the calling thread's own. */
function pin({ netns }: NetnsOptions = {}): Netns | undefined {
  return netns === undefined ? undefined : Netns.open(netns);
}

async function read(operation: string, path: string, netns: Netns | undefined): Promise<string> {
  using file = await openSysctl(operation, path, O_RDONLY, netns);
  const value = readAll(file.fd);
  if (typeof value === "number") throw refused(operation, -value, path, O_RDONLY);
  return value.replace(/\n$/, "");
}

async function write({ operation, path, value }: Setting, netns: Netns | undefined): Promise<void> {
  using file = await openSysctl(operation, path, O_WRONLY, netns);
  const line = `${value}\n`;
  const taken = writeText(file.fd, line);
  if (taken < 0) throw refused(operation, -taken, path, O_WRONLY);
  const size = new TextEncoder().encode(line).length;
  if (taken < size) {
    // Of "1 2" a setting that is one number takes the 1, without complaint.
    throw kernelError(operation, errnoOf("EINVAL"), {
      kernelMessage: `it took only the first ${taken} of ${size} bytes`,
    });
  }
}

/** What a setting is; `undefined` when that can't be read: it is write-only, or has no value yet (EIO). */
async function currentValue(
  { operation, path }: Setting,
  netns: Netns | undefined,
): Promise<string | undefined> {
  try {
    return await read(operation, path, netns);
  } catch (error) {
    const unreadable = error instanceof NetlinkError &&
      ["EACCES", "EPERM", "EIO"].includes(error.code);
    if (!unreadable) throw error;
  }
}

/** Writes those that have other values, in order, and adds them to `written` as it goes. */
async function writeAll(
  settings: readonly Setting[],
  netns: Netns | undefined,
  written: Setting[],
): Promise<void> {
  const settled: [Setting, string | undefined][] = [];
  for (const setting of settings) {
    if (await currentValue(setting, netns) !== setting.value) {
      await write(setting, netns);
      written.push(setting);
    }
    // The kernel's spelling of the value, which may be another.
    settled.push([setting, await currentValue(setting, netns)]);
  }
  // A setting of all links has set those of each, so some may have to be written again.
  for (const [setting, value] of settled) {
    if (await currentValue(setting, netns) !== value) await write(setting, netns);
  }
}

/**
 * Gives settings their values back, whatever fails on the way, and returns those that have others: the
 * last first, as a value may be allowed only then, and in order, as a setting of all links sets those of
 * each.
 */
async function putBack(settings: readonly Setting[], netns: Netns | undefined): Promise<Setting[]> {
  const differs = async (setting: Setting) => {
    const value = await currentValue(setting, netns).catch(() => undefined);
    return value !== setting.value;
  };
  for (const setting of [...settings.toReversed(), ...settings]) {
    if (await differs(setting)) await write(setting, netns).catch(() => {});
  }
  const left: Setting[] = [];
  for (const setting of settings) {
    if (await differs(setting)) left.push(setting);
  }
  return left;
}

/** The first of several paths that exists, with its value unless it is a directory. */
async function firstOf(
  operation: string,
  [path = "", ...others]: readonly string[],
  netns: Netns | undefined,
): Promise<[path: string, value: string | undefined]> {
  try {
    return [path, await read(operation, path, netns)];
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    if (error.code === "EISDIR") return [path, undefined];
    if (others.length === 0 || !(error instanceof NotFoundError)) throw error;
    return await firstOf(operation, others, netns);
  }
}

/** All settings below a directory, by their path, as the calling thread sees them. */
function readAllHere(path: string): Record<string, string> {
  const opened = openBeneath("/proc/sys", path || ".", O_RDONLY | O_DIRECTORY);
  if (opened < 0) return readOneHere(path);
  using directory = new Descriptor(opened);
  const names = readDirectory(directory.fd);
  // It may be gone meanwhile, with its link.
  if (typeof names === "number") return {};
  return Object.assign(
    {},
    ...names.map((name) => readAllHere(path === "" ? name : `${path}/${name}`)),
  );
}

/** A setting by its path; nothing when it can't be read. */
function readOneHere(path: string): Record<string, string> {
  const opened = openBeneath("/proc/sys", path, O_RDONLY);
  if (opened < 0) return {};
  using file = new Descriptor(opened);
  const value = readAll(file.fd);
  return typeof value === "number" ? {} : { [path]: value };
}

/** The file belongs to the namespace in which it was opened, whichever thread reads it. */
async function openSysctl(
  operation: string,
  path: string,
  flags: number,
  netns: Netns | undefined,
): Promise<Descriptor> {
  if (netns === undefined) {
    const opened = openBeneath("/proc/sys", path || ".", flags);
    if (opened < 0) throw refused(operation, -opened, path, flags);
    return new Descriptor(opened);
  }
  try {
    return await openThere(operation, netns.fd, { sysctl: path || ".", flags });
  } catch (error) {
    // EPERM is about entering the namespace: a setting that may not be opened is EACCES.
    const known = error instanceof NetlinkError && error.code !== "EPERM";
    throw known ? refused(operation, error.errno, path, flags) : error;
  }
}

/** What a refusal means here, and what to do about it, which the number alone does not tell. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such setting here; listSysctls gives those that there are",
  ENOTDIR: "there is no such setting here; listSysctls gives those that there are",
  EISDIR: "it has several settings; name one of those that listSysctls gives",
  ELOOP: "the key leads out of /proc/sys through a link; name the setting itself",
  EXDEV: "the key leads out of /proc/sys through a link; name the setting itself",
  // Containers often have it so, which EROFS alone does not tell.
  EROFS: "/proc/sys is mounted read-only here: do it outside the container",
};

function refused(operation: string, errno: number, path: string, flags: number): NetlinkError {
  const known = Object.entries(REMEDIES).find(([code]) => errnoOf(code) === errno);
  const details = known === undefined ? deniedSysctl(errno, path, flags) : { remedy: known[1] };
  return errno === errnoOf("ENOTDIR")
    ? new NotFoundError(operation, errno, details)
    : kernelError(operation, errno, details);
}

/** What to tell with EPERM or EACCES: whose privilege the setting wants, if any is enough. */
function deniedSysctl(errno: number, path: string, flags: number): ErrorDetails {
  const capability = path.startsWith("net/") ? "CAP_NET_ADMIN" : "CAP_SYS_ADMIN";
  const details = deniedDetails(errno, capability);
  if (details.remedy === undefined) return details;
  const writing = flags === O_WRONLY;
  const oneWay = writing ? "it can only be read" : "it can only be written";
  const capable = hasCapability(capability);
  // All but those of a namespace are files of root's, which no capability opens for others.
  if (capability === "CAP_SYS_ADMIN" && !(capable && isHostsRoot())) {
    return {
      remedy:
        "it needs the host's root (CAP_SYS_ADMIN and user id 0, outside of any user namespace): run it there, under sudo",
    };
  }
  if (capable && isHostsUserNamespace()) {
    return { remedy: writing ? `${oneWay}, or can't be changed any more` : oneWay };
  }
  return capable ? { remedy: `${oneWay} here, or ${remedyFor(capability)}` } : details;
}

/** Keys whose middle is the name of a link, which may itself have dots. */
const PER_LINK = /^(net)\.(ipv4|ipv6|mpls)\.(conf|neigh)\.(.+)\.([^.]+)$/;

/**
 * The path of a key below /proc/sys. As sysctl(8) reads it: where the first separator is a slash, slashes
 * separate; else dots do, a slash then stands for a dot, and a link's name may have dots as they are.
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

/** The key of a path, as sysctl(8) prints it: a dot in a name becomes a slash. */
function keyOf(path: string): string {
  return path.split("/").map((part) => part.replaceAll(".", "/")).join(".");
}

/** What a key is when all of its end is the name of a link: the settings of eth0.100. */
function linkDirectory(key: string): string[] {
  const [, start, name] = /^(net\.(?:ipv4|ipv6|mpls)\.(?:conf|neigh)\.)(.+\..+)$/.exec(key) ?? [];
  if (start === undefined || name === undefined) return [];
  return [start.replaceAll(".", "/") + name.replaceAll("/", ".")];
}
