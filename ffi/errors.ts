/**
 * Errors: what was asked, what the kernel answered, what to do.
 *
 * @module
 */

import { describeErrno, errnoOf } from "./errno.ts";

/** What a refusal can tell beside its number; all of it comes from the kernel's extended ACK. */
export interface ErrorDetails {
  /** The kernel's own sentence (NLMSGERR_ATTR_MSG). */
  kernelMessage?: string | undefined;
  /** The attribute that it objects to, as a path such as `linkInfo.data.peer.name`. */
  attribute?: string | undefined;
  /** The attribute that it misses, as a path. */
  missing?: string | undefined;
  /** What it would have accepted there (NLMSGERR_ATTR_POLICY). */
  policy?: AttributePolicy | undefined;
  /** What to do about it, in words; added to the message. */
  remedy?: string | undefined;
  /**
   * The capability that is missing where the refusal is for want of one and no remedy is given.
   * @default {"CAP_NET_ADMIN"}
   */
  capability?: string | undefined;
  /** The error underneath. */
  cause?: unknown;
}

/** What the kernel accepts for an attribute (linux/netlink.h, NL_POLICY_TYPE_ATTR_*). */
export interface AttributePolicy {
  /** NL_ATTR_TYPE_*: 1 flag, 2 u8, 3 u16, 4 u32, 5 u64, 10 binary, 11 string, 13 nested, ... */
  type?: number;
  /** Least value, for signed numbers. */
  minSigned?: bigint;
  /** Greatest value, for signed numbers. */
  maxSigned?: bigint;
  /** Least value, for unsigned numbers. */
  minUnsigned?: bigint;
  /** Greatest value, for unsigned numbers. */
  maxUnsigned?: bigint;
  /** Shortest payload in bytes. */
  minLength?: number;
  /** Longest payload in bytes. */
  maxLength?: number;
  /** The bits that may be set. */
  mask?: bigint;
}

/**
 * The kernel refused a request or a system call (netlink(7), errno(3)).
 *
 * @example Tell errors apart by their code
 * ```ts
 * import { createBridge, NetlinkError } from "@denolink/denolink";
 *
 * try {
 *   await createBridge("br0");
 * } catch (error) {
 *   if (error instanceof NetlinkError) console.log(error.code, error.attribute);
 * }
 * ```
 */
export class NetlinkError extends Error {
  /** The class's name. */
  override name = "NetlinkError";
  /** What was asked, in the words of `ip`: "add link vh0 type veth". */
  readonly operation: string;
  /** The kernel's error number, positive; 0 when Deno itself refused. */
  readonly errno: number;
  /** The name of that number: "EEXIST". */
  readonly code: string;
  /** The kernel's own sentence, where it gave one. */
  readonly kernelMessage: string | undefined;
  /** The attribute it objects to, as a path such as `linkInfo.data.peer.name`. */
  readonly attribute: string | undefined;
  /** The attribute it misses, as a path. */
  readonly missing: string | undefined;
  /** What it would have accepted there. */
  readonly policy: AttributePolicy | undefined;

  /** Builds the error from what was asked, the errno and the kernel's further words. */
  constructor(operation: string, errno: number, details: ErrorDetails = {}) {
    super(sentence(operation, errno, details), { cause: details.cause });
    this.operation = operation;
    this.errno = errno;
    this.code = describeErrno(errno)[0];
    this.kernelMessage = details.kernelMessage;
    this.attribute = details.attribute;
    this.missing = details.missing;
    this.policy = details.policy;
  }
}

/** The thing that was named is not there: ENOENT, ENODEV, ESRCH, ENXIO. */
export class NotFoundError extends NetlinkError {
  /** The class's name. */
  override name = "NotFoundError";
}

/** A thing of that name or number is there already: EEXIST. */
export class ExistsError extends NetlinkError {
  /** The class's name. */
  override name = "ExistsError";
}

/** A privilege is missing: a Deno flag, or a capability (EPERM, EACCES); the message says which. */
export class PermissionError extends NetlinkError {
  /** The class's name. */
  override name = "PermissionError";

  /** Builds the error from the kernel's refusal, or from Deno's (`denied`). */
  constructor(
    operation: string,
    refusal: number | { denied: string; remedy: string; cause?: unknown },
    details: ErrorDetails = {},
  ) {
    super(
      operation,
      typeof refusal === "number" ? refusal : 0,
      typeof refusal === "number"
        ? { ...missingCapability(details), ...details }
        : { kernelMessage: refusal.denied, ...refusal },
    );
  }
}

/** Bad input, refused before the kernel is asked. */
export class InputError extends TypeError {
  /** The class's name. */
  override name = "InputError";
}

/** This system can't do it at all: not Linux, no usable libc. */
export class UnsupportedError extends Error {
  /** The class's name. */
  override name = "UnsupportedError";
}

const NOT_FOUND = new Set(["ENOENT", "ENODEV", "ESRCH", "ENXIO"].map(errnoOf));
const EXISTS = errnoOf("EEXIST");
const DENIED = new Set(["EPERM", "EACCES"].map(errnoOf));

/** The error of the class that fits the errno. */
export function kernelError(
  operation: string,
  errno: number,
  details: ErrorDetails = {},
): NetlinkError {
  if (NOT_FOUND.has(errno)) return new NotFoundError(operation, errno, details);
  if (errno === EXISTS) return new ExistsError(operation, errno, details);
  if (DENIED.has(errno)) return new PermissionError(operation, errno, details);
  return new NetlinkError(operation, errno, details);
}

/** The value of a system call (ffi/system.ts), or its error thrown. */
export function check(
  operation: string,
  answer: number,
  details?: ErrorDetails,
): number {
  if (answer < 0) throw kernelError(operation, -answer, details);
  return answer;
}

function sentence(
  operation: string,
  errno: number,
  details: ErrorDetails,
): string {
  const [code, meaning] = describeErrno(errno);
  const said = errno === 0
    ? details.kernelMessage
    : `the kernel answered ${code} (${meaning})${
      details.kernelMessage ? `: ${details.kernelMessage}` : ""
    }`;
  const parts = [said];
  if (details.attribute) parts.push(`at attribute ${details.attribute}`);
  if (details.missing) parts.push(`attribute ${details.missing} is missing`);
  if (details.policy) {
    parts.push(`it accepts ${describePolicy(details.policy)}`);
  }
  if (details.remedy) parts.push(details.remedy);
  return `Cannot ${operation}: ${parts.join("; ")}`;
}

function describePolicy(policy: AttributePolicy): string {
  const range = (least: unknown, most: unknown, unit: string) =>
    least === undefined && most === undefined ? [] : [`${least ?? 0} to ${most ?? "any"}${unit}`];
  return [
    ...range(policy.minSigned, policy.maxSigned, ""),
    ...range(policy.minUnsigned, policy.maxUnsigned, ""),
    ...range(policy.minLength, policy.maxLength, " bytes"),
    ...(policy.mask === undefined ? [] : [`bits of 0x${policy.mask.toString(16)}`]),
  ].join(", ") || `type ${policy.type}`;
}

/** What to do for a capability. */
export function capabilityRemedy(capability: string): string {
  return `it needs ${capability}: run it under sudo, or in a private user namespace (unshare -Urnm)`;
}

// Where the kernel gave a reason of its own, a guess at a capability would mislead.
function missingCapability(
  { kernelMessage, capability = "CAP_NET_ADMIN" }: ErrorDetails,
): ErrorDetails {
  return kernelMessage ? {} : { remedy: capabilityRemedy(capability) };
}
