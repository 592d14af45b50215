/**
 * A request as a value: what is asked, its bytes, how to read the answer. It needs no socket, so it can
 * be tested, batched, printed and compared.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import { Buffer } from "./codec/buffer.ts";
import { untypedCodec } from "./codec/compile.ts";
import { type Input, type MessageShape, ValueError } from "./codec/shape.ts";

/** Size of struct nlmsghdr (linux/netlink.h): u32 length, u16 type, u16 flags, u32 sequence, u32 port. */
export const HEADER = 16;

// linux/netlink.h
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

/** What the kernel sends back: nothing but success, one message, or any number of them. */
export type AnswerForm = "ack" | "reply" | "dump";

/** One rtnetlink request; `Answer` is what it resolves to. */
export interface Request<Answer> {
  /** What it asks for, in the words of `ip`: "add link vh0 type veth". */
  readonly operation: string;
  /** The message type, RTM_* of linux/rtnetlink.h. */
  readonly type: number;
  /** NLM_F_* of linux/netlink.h, beside NLM_F_REQUEST and what `form` implies. */
  readonly flags: number;
  /** What stands behind the netlink header. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The table the body was made from; an error's offset becomes a path through it. */
  readonly shape: MessageShape;
  /** What the kernel sends back. */
  readonly form: AnswerForm;
  /** Makes the answer of the messages that came back; a "dump" calls it once, with all of them. */
  readonly read: (messages: unknown[]) => Answer;
}

/** Builds a request; values that don't fit their rows are refused here, before any kernel sees them. */
export function request<Answer>(
  { operation, type, flags = 0, form, shape, read, values }:
    & Pick<Request<Answer>, "operation" | "type" | "form" | "read" | "shape">
    & {
      flags?: number;
      /** A message of this shape. */
      values: object;
    },
): Request<Answer> {
  return { operation, type, flags, body: encode(operation, shape, values), shape, form, read };
}

/** A request for all entries that a message, as a filter, asks for. */
export function listing<Entry>(
  operation: string,
  type: number,
  shape: MessageShape,
  values: object,
): Request<Entry[]> {
  return request({
    operation,
    type,
    form: "dump",
    shape,
    values,
    read: (entries) => entries as Entry[],
  });
}

/** A request for one entry. */
export function getting<Entry>(
  operation: string,
  type: number,
  shape: MessageShape,
  values: object,
): Request<Entry> {
  return request({
    operation,
    type,
    form: "reply",
    shape,
    values,
    read: ([entry]) => entry as Entry,
  });
}

/** A request that changes something. */
export function changing(
  operation: string,
  type: number,
  shape: MessageShape,
  values: object,
  flags = 0,
): Request<void> {
  return request({ operation, type, flags, form: "ack", shape, values, read: nothing });
}

function nothing(): void {}

/** The same for what is there already: it is not made anew. */
export function ofExisting<Answer>(request: Request<Answer>): Request<Answer> {
  return { ...request, flags: request.flags & ~NLM_F_CREATE };
}

/** All messages are built in the same memory, one after the other. */
const building = new Buffer();

function encode(
  operation: string,
  shape: MessageShape,
  values: unknown,
): Uint8Array<ArrayBuffer> {
  try {
    untypedCodec(shape).write(building, values);
    return building.take();
  } catch (error) {
    building.clear();
    if (!(error instanceof ValueError)) throw error;
    throw new InputError(
      `Cannot ${operation}: ${error.path.join(".")}: ${error.message}`,
    );
  }
}

/** How many bytes a message takes with its netlink header, up to the next one. */
export function framedSize(body: Uint8Array): number {
  return HEADER + body.length + 3 & ~3;
}

/** A request with its netlink header, as bytes: what `sendmsg` is given. */
export function frame(
  output: Buffer,
  request: Request<unknown>,
  sequence: number,
  acknowledge: boolean,
): void {
  const at = output.reserve(HEADER + request.body.length);
  const form = request.form === "dump" ? NLM_F_DUMP : acknowledge ? NLM_F_ACK : 0;
  output.view.setUint32(at, HEADER + request.body.length, true);
  output.view.setUint16(at + 4, request.type, true);
  output.view.setUint16(at + 6, NLM_F_REQUEST | request.flags | form, true);
  output.view.setUint32(at + 8, sequence, true);
  output.bytes.set(request.body, at + HEADER);
  output.align();
}

/** One netlink message inside a datagram. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  /** Where the payload starts. */
  readonly start: number;
  /** Where it ends. */
  readonly end: number;
}

/** Takes the messages of a datagram, one after the other; a length that can't be ends it. A list of them first cost 7 %. */
export function eachFrame({ bytes, view }: Input, take: (frame: Frame) => void): void {
  for (let at = 0; at + HEADER <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER || at + length > bytes.length) return;
    take({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      start: at + HEADER,
      end: at + length,
    });
    at += (length + 3) & ~3;
  }
}

/** The messages of a datagram. */
export function frames(datagram: Input): Frame[] {
  const all: Frame[] = [];
  eachFrame(datagram, (frame) => all.push(frame));
  return all;
}
