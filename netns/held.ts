/**
 * All namespaces that something holds: threads in them, descriptors of them, files they are mounted on.
 *
 * @module
 */

import { O_DIRECTORY, O_RDONLY } from "../ffi/constants.ts";
import { close, open, readDirectory, readFile, readLink } from "../ffi/system.ts";

/** A namespace, and who holds it. */
export interface HeldNetns {
  /** The namespace's number. */
  id: bigint;
  /** Its names under /run/netns. */
  names: string[];
  /** The processes that have a thread in it, ascending. */
  pids: number[];
  /** The processes that have a descriptor of it, ascending. */
  holders: number[];
  /** The files that it is mounted on, in this or another mount namespace. */
  mounts: string[];
}

/** A namespace with the files by which it can be opened; some may be gone by now. */
export interface Found extends HeldNetns {
  files: string[];
}

/**
 * Looks through /proc (proc(5)): of processes of other users only root sees everything. A namespace that
 * only a socket keeps is not found.
 */
export function findHeld(): Found[] {
  const found = new Map<bigint, Found>();
  const of = (id: bigint) => {
    const known = found.get(id) ?? { id, names: [], pids: [], holders: [], mounts: [], files: [] };
    found.set(id, known);
    return known;
  };
  const seenMounts = new Set<string>();
  const ownMounts = linkOf("/proc/thread-self/ns/mnt");
  for (const pid of numbersIn("/proc")) {
    const process = `/proc/${pid}`;
    for (const [kind, directory, below] of PLACES) {
      for (const entry of numbersIn(`${process}/${directory}`)) {
        const file = `${process}/${directory}/${entry}${below}`;
        const id = idOf(linkOf(file));
        if (id === undefined) continue;
        const netns = of(id);
        netns.files.push(file);
        if (netns[kind].at(-1) !== pid) netns[kind].push(pid);
      }
    }
    const mountNamespace = linkOf(`${process}/ns/mnt`);
    if (mountNamespace === "" || seenMounts.has(mountNamespace)) continue;
    seenMounts.add(mountNamespace);
    for (const [id, path] of mountsOf(process)) {
      const netns = of(id);
      const isOwn = mountNamespace === ownMounts;
      const [, name] = /^\/run\/netns\/([^/]+)$/.exec(path) ?? [];
      if (isOwn && name !== undefined) netns.names.push(name);
      if (!netns.mounts.includes(path)) netns.mounts.push(path);
      netns.files.push(isOwn ? path : `${process}/root${path}`);
    }
  }
  return [...found.values()].sort((a, b) => a.id < b.id ? -1 : 1);
}

/** Where links to namespaces are in a process's folder. */
const PLACES = [["pids", "task", "/ns/net"], ["holders", "fd", ""]] as const;

/** The entries of a directory that are numbers, ascending; none when it can't be read. */
function numbersIn(directory: string): number[] {
  const fd = open(directory, O_RDONLY | O_DIRECTORY);
  if (fd < 0) return [];
  const names = readDirectory(fd);
  close(fd);
  if (typeof names === "number") return [];
  return names.filter((name) => /^\d+$/.test(name)).map(Number).sort((a, b) => a - b);
}

function linkOf(path: string): string {
  const target = readLink(path);
  return typeof target === "string" ? target : "";
}

function idOf(link: string): bigint | undefined {
  const [, id] = /^net:\[(\d+)\]$/.exec(link) ?? [];
  return id === undefined ? undefined : BigInt(id);
}

/** The mounts of network namespaces that a process sees: proc_pid_mountinfo(5). */
function mountsOf(process: string): [bigint, string][] {
  const text = readFile(`${process}/mountinfo`) ?? "";
  return text.split("\n").flatMap((line): [bigint, string][] => {
    const [, , , root = "", path = ""] = line.split(" ");
    const id = idOf(root);
    return id === undefined ? [] : [[id, unescapeOctal(path)]];
  });
}

/** Blanks and the like stand there as \040. */
function unescapeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}
