/**
 * Which Linux capability a refused system call wanted, and where to get it (capabilities(7),
 * user_namespaces(7)).
 *
 * @module
 */

import { errnoOf } from "../ffi/errno.ts";
import { capabilityRemedy, type ErrorDetails, kernelError } from "../ffi/errors.ts";
import { readFile } from "../ffi/system.ts";

/** The capabilities that something in the library asks for, with their bit. */
const CAPABILITIES = {
  CAP_DAC_OVERRIDE: 1,
  CAP_NET_BROADCAST: 11,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
  CAP_SETFCAP: 31,
} as const;

/** One of them. */
export type Capability = keyof typeof CAPABILITIES;

/** What each system call wants of those who may not make it. */
const WANTED: Readonly<Record<string, Capability>> = {
  setns: "CAP_SYS_ADMIN",
  unshare: "CAP_SYS_ADMIN",
  mount: "CAP_SYS_ADMIN",
  socket: "CAP_NET_RAW",
};

/** The error of a refused call; for want of a privilege it names the capability. */
export function refusedCall(operation: string, call: string, errno: number): Error {
  const wanted = WANTED[call.replace(/ .*/, "")];
  const details = wanted === undefined ? {} : deniedDetails(errno, wanted);
  return kernelError(`${operation} (${call})`, errno, details);
}

/** What to tell with EPERM or EACCES; with other refusals nothing. */
export function deniedDetails(errno: number, capability: Capability): ErrorDetails {
  const denied = errno === errnoOf("EPERM") || errno === errnoOf("EACCES");
  return denied ? { remedy: remedyFor(capability) } : {};
}

/** What to do for a capability; root of a user namespace is told that it isn't the host's. */
export function remedyFor(capability: Capability): string {
  if (!hasCapability(capability)) return capabilityRemedy(capability);
  return isHostsUserNamespace()
    ? `it needs more than ${capability}, which this process has: a security module or a container forbids it; run it outside`
    : `it needs ${capability} of the host, and this process has it in a user namespace only; run it outside, under sudo`;
}

/** Whether the calling thread has a capability in its user namespace. */
export function hasCapability(capability: Capability): boolean {
  const effective = ownStatus(/^CapEff:\s*([\da-f]+)$/m);
  return effective !== undefined &&
    (BigInt(`0x${effective}`) >> BigInt(CAPABILITIES[capability]) & 1n) === 1n;
}

/** Whether the calling thread is the host's root, whose are the files under /proc/sys. */
export function isHostsRoot(): boolean {
  return ownStatus(/^Uid:\s*\d+\s+(\d+)/m) === "0" && isHostsUserNamespace();
}

/** A value of proc_pid_status(5). */
function ownStatus(line: RegExp): string | undefined {
  return line.exec(readFile("/proc/thread-self/status") ?? "")?.[1];
}

/** The host's maps every user to itself; others can't. */
export function isHostsUserNamespace(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFile("/proc/thread-self/uid_map") ?? "");
}
