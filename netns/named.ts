/**
 * Names for namespaces, the way `ip netns` keeps them: a file under /run/netns with the namespace
 * mounted on it.
 *
 * @module
 */

import {
  LOCK_EX,
  MNT_DETACH,
  MS_BIND,
  MS_REC,
  MS_SHARED,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
} from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { errnoOf } from "../ffi/errno.ts";
import { check, InputError, kernelError } from "../ffi/errors.ts";
import {
  type FileIdentity,
  identify,
  identifyDescriptor,
  linkDescriptor,
  lock,
  mkdir,
  mount,
  open,
  readDirectory,
  readFile,
  umount,
  unlink,
  writeText,
} from "../ffi/system.ts";
import { deniedDetails, refusedCall } from "./capability.ts";
import { findHeld } from "./held.ts";

const DIRECTORY = "/run/netns";
const EEXIST = errnoOf("EEXIST");
const EINVAL = errnoOf("EINVAL");
const ENOENT = errnoOf("ENOENT");
const EOPNOTSUPP = errnoOf("EOPNOTSUPP");

/** A namespace that has a name. */
export interface NamedNetns {
  /** The name under /run/netns. */
  name: string;
  /** The namespace's number; `undefined` when its creation was interrupted and nothing is mounted there. */
  id: bigint | undefined;
}

/** The file that stands for a name. */
export function namedPath(name: string): string {
  const problem = typeof name !== "string" || name === ""
    ? "a name has at least one character"
    : name.includes("/")
    ? 'a name has no "/"; for a file give { path }'
    : name === "." || name === ".."
    ? "that is a directory"
    : /\p{Cc}/u.test(name)
    ? "a name has no control characters"
    : new TextEncoder().encode(name).length > 255
    ? "a name has at most 255 bytes"
    : undefined;
  if (problem) {
    throw new InputError(
      `Cannot use network namespace name ${JSON.stringify(name)}: ${problem}`,
    );
  }
  return `${DIRECTORY}/${name}`;
}

/**
 * Gives a namespace a name; nothing of it is left when that fails. A name whose making was interrupted,
 * so that its file is there and nothing mounted on it, is taken over. Before something is mounted on the
 * file, and after, it says who made it: see `findLeftBehind`.
 */
export async function createNamed(name: string, netns: number, maker = ""): Promise<void> {
  const path = namedPath(name);
  const operation = `create network namespace ${name}`;
  using _lock = await prepareDirectory(operation);
  const created = createFile(operation, path, maker);
  if (created !== -EEXIST || !await isOrphan(name)) checkFile(operation, created);
  const mounted = mount(`/proc/self/fd/${netns}`, path, "none", MS_BIND);
  if (mounted < 0) {
    unlink(path);
    throw refusedCall(operation, `mount ${path}`, -mounted);
  }
}

/** Makes a file with its content: at once, where the file system has files without a name. */
function createFile(operation: string, path: string, content: string): number {
  const unnamed = open(DIRECTORY, O_TMPFILE | O_RDWR, 0o400);
  const fd = unnamed === -EOPNOTSUPP ? open(path, O_CREAT | O_EXCL | O_RDWR, 0o400) : unnamed;
  if (fd === -EEXIST) return fd;
  using file = new Descriptor(checkFile(operation, fd));
  check(operation, writeText(file.fd, content));
  return fd === unnamed ? linkDescriptor(fd, path) : fd;
}

/**
 * The names whose making or removal a crash has interrupted: their files are there, say that they are this
 * maker's, and no namespace is mounted on them, in no mount namespace. Only one process at a time may give
 * names for a maker.
 */
export function findLeftBehind(maker: string): string[] {
  const bare = listNamed().filter(({ name, id }) =>
    id === undefined && readFile(namedPath(name)) === maker
  );
  if (bare.length === 0) return [];
  const mounts = new Set(findHeld().flatMap(({ mounts }) => mounts));
  return bare.map(({ name }) => name).filter((name) => !mounts.has(namedPath(name)));
}

/** How long `ip netns add` may take from making the file to mounting the namespace on it. */
const MAKING_MILLISECONDS = 1000;

/** Whether a name's file stays without a namespace, here and in every other mount namespace. */
async function isOrphan(name: string): Promise<boolean> {
  for (const end = performance.now() + MAKING_MILLISECONDS; performance.now() < end;) {
    if (findNamed(name) !== undefined) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return !findHeld().some(({ mounts }) => mounts.includes(namedPath(name)));
}

/** Makes /run/netns a mount that other mount namespaces share, so that names come and go there too. */
async function prepareDirectory(operation: string): Promise<Disposable> {
  const made = mkdir(DIRECTORY, 0o755);
  if (made < 0 && made !== -EEXIST) checkFile(operation, made);
  const directory = Descriptor.open(DIRECTORY, O_RDONLY | O_DIRECTORY);
  try {
    // `ip netns add` takes the same lock.
    check(operation, await lock(directory.fd, LOCK_EX));
    const share = () => mount("", DIRECTORY, "none", MS_SHARED | MS_REC);
    let shared = share();
    if (shared === -EINVAL) {
      shared = mount(DIRECTORY, DIRECTORY, "none", MS_BIND | MS_REC);
      if (shared >= 0) shared = share();
    }
    if (shared < 0) throw refusedCall(operation, `mount ${DIRECTORY}`, -shared);
    return directory;
  } catch (error) {
    directory.close();
    throw error;
  }
}

/** The names there are, sorted. */
export function listNamed(): NamedNetns[] {
  const opened = open(DIRECTORY, O_RDONLY | O_DIRECTORY);
  if (opened === -ENOENT) return [];
  using directory = new Descriptor(checkFile("list network namespaces", opened));
  const names = readDirectory(directory.fd);
  if (typeof names === "number") {
    throw kernelError("list network namespaces", -names);
  }
  const own = identifyDescriptor(directory.fd);
  return names.sort().map((name) => {
    const identity = identify(name, { directory: directory.fd });
    return { name, id: mountedOn(identity, own) };
  });
}

/** Takes a name away; false when there is none. */
export function removeNamed(name: string): boolean {
  const path = namedPath(name);
  const operation = `delete network namespace ${name}`;
  // As often as something was mounted there: no more than once, but for accidents.
  for (let mounts = 0; mounts < 100; mounts++) {
    const unmounted = umount(path, MNT_DETACH);
    // EINVAL: nothing is mounted there.
    if (unmounted === -EINVAL || unmounted === -ENOENT) break;
    check(operation, unmounted, deniedDetails(-unmounted, "CAP_SYS_ADMIN"));
  }
  const unlinked = unlink(path);
  if (unlinked === -ENOENT) return false;
  checkFile(operation, unlinked);
  return true;
}

/** The value of a call about a file under /run, which is root's, or its error thrown. */
function checkFile(operation: string, answer: number): number {
  return check(operation, answer, deniedDetails(-answer, "CAP_DAC_OVERRIDE"));
}

/** The number of the namespace that has a name, as long as one is mounted there. */
export function findNamed(name: string): bigint | undefined {
  return mountedOn(identify(namedPath(name)), identify(DIRECTORY));
}

/** The number of the namespace that is mounted on a file, if one is. */
function mountedOn(
  file: FileIdentity | number,
  directory: FileIdentity | number,
): bigint | undefined {
  if (typeof file === "number" || typeof directory === "number") return undefined;
  return file.device === directory.device ? undefined : file.inode;
}
