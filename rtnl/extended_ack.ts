/**
 * The kernel's refusal and its reasons: NLMSG_ERROR with the extended ACK's attributes (linux/netlink.h).
 *
 * @module
 */

import { errnoOf } from "../ffi/errno.ts";
import { type AttributePolicy, kernelError, NetlinkError } from "../ffi/errors.ts";
import { input } from "./codec/buffer.ts";
import { messageCodec, tableCodec } from "./codec/compile.ts";
import { text, u32, u64 } from "./codec/scalars.ts";
import type { Attributes, Input, Table } from "./codec/shape.ts";
import { HEADER, type Request } from "./request.ts";

/** What the kernel says of a policy. */
export const POLICY = {
  type: ["NL_POLICY_TYPE_ATTR_TYPE", 1, u32],
  minSigned: ["NL_POLICY_TYPE_ATTR_MIN_VALUE_S", 2, u64],
  maxSigned: ["NL_POLICY_TYPE_ATTR_MAX_VALUE_S", 3, u64],
  minUnsigned: ["NL_POLICY_TYPE_ATTR_MIN_VALUE_U", 4, u64],
  maxUnsigned: ["NL_POLICY_TYPE_ATTR_MAX_VALUE_U", 5, u64],
  minLength: ["NL_POLICY_TYPE_ATTR_MIN_LENGTH", 6, u32],
  maxLength: ["NL_POLICY_TYPE_ATTR_MAX_LENGTH", 7, u32],
  mask: ["NL_POLICY_TYPE_ATTR_MASK", 12, u64],
} as const satisfies Table;

/** The attributes of an extended ACK. */
export const EXTENDED_ACK = {
  message: ["NLMSGERR_ATTR_MSG", 1, text],
  offset: ["NLMSGERR_ATTR_OFFS", 2, u32],
  policy: ["NLMSGERR_ATTR_POLICY", 4, POLICY],
  missingType: ["NLMSGERR_ATTR_MISS_TYPE", 5, u32],
  missingNest: ["NLMSGERR_ATTR_MISS_NEST", 6, u32],
} as const satisfies Table;

const codec = tableCodec(EXTENDED_ACK);

/** Set in an error message's header when the request behind it is cut to its header. */
const NLM_F_CAPPED = 0x100;
/** Set when attributes follow. */
const NLM_F_ACK_TLVS = 0x200;

const EACCES = errnoOf("EACCES");

/** The error of an NLMSG_ERROR or NLMSG_DONE payload that starts with minus an errno; `undefined` for success. */
export function readError(
  request: Request<unknown>,
  answer: Input,
  flags: number,
  start: number,
  end: number,
  echo: boolean,
): NetlinkError | undefined {
  const errno = start + 4 <= end ? -answer.view.getInt32(start, true) : 0;
  if (errno === 0) return undefined;
  // Of a route this is what a rule or a route prohibits; for a missing capability it has EPERM.
  if (errno === EACCES) {
    return new NetlinkError(request.operation, errno, { remedy: "a rule or a route prohibits it" });
  }
  if (!(flags & NLM_F_ACK_TLVS)) return kernelError(request.operation, errno);
  const said = readExtendedAck(answer, flags, start, end, echo);
  const body = input(request.body);
  const path = (keys: string[] | undefined) => keys?.join(".");
  const message = messageCodec(request.shape);
  // Offsets count from the netlink header, which the body does not have.
  return kernelError(request.operation, errno, {
    kernelMessage: said.message,
    attribute: said.offset === undefined ? undefined : path(
      message.locate?.(body, 0, request.body.length, said.offset - HEADER),
    ),
    missing: said.missingType === undefined ? undefined : path(
      message.nameAt?.(
        body,
        0,
        request.body.length,
        said.missingNest === undefined ? undefined : said.missingNest - HEADER,
        said.missingType,
      ),
    ),
    policy: said.policy && policy(said.policy),
  });
}

/** The attributes of such a payload; `echo`: the request's header, or all of it, stands before them. */
export function readExtendedAck(
  answer: Input,
  flags: number,
  start: number,
  end: number,
  echo: boolean,
): Attributes<typeof EXTENDED_ACK> {
  const attributes = echo ? start + 4 + echoedLength(answer, flags, start + 4, end) : start + 4;
  return attributes <= end ? codec.read(answer, attributes, end) ?? {} : {};
}

function echoedLength(
  { view }: Input,
  flags: number,
  at: number,
  end: number,
): number {
  if (flags & NLM_F_CAPPED || at + 4 > end) return HEADER;
  return Math.max(HEADER, (view.getUint32(at, true) + 3) & ~3);
}

function policy(
  { unknown: _, minSigned, maxSigned, ...rest }: Attributes<typeof POLICY>,
): AttributePolicy {
  const signed = (value: bigint | undefined) =>
    value === undefined ? undefined : BigInt.asIntN(64, value);
  const known = { ...rest, minSigned: signed(minSigned), maxSigned: signed(maxSigned) };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}
