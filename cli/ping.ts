/**
 * `ping`: whether a host answers, and how fast; one line of JSON for each request.
 *
 * @module
 */

import { NetlinkError } from "../ffi/errors.ts";
import type { PingOptions, PingReply } from "../rtnl/ping.ts";
import { Rtnl } from "../rtnl/rtnl.ts";
import type { Command, Result } from "./command.ts";
import { UsageError } from "./errors.ts";
import { numberOf, openHost } from "./host.ts";
import type { Typed } from "./options.ts";

/** The command that asks hosts for an echo, in the words of ping(8). */
export const PING_COMMANDS: readonly Command[] = [
  {
    words: [["ping"]],
    inFull: true,
    operands: "ADDRESS",
    count: [1, 1],
    summary:
      "ask a host for ICMP echoes; exits with 0 when one came, --json prints a line for each",
    example: "ping 10.0.0.2 --count 1 --netns blue",
    options: {
      count: { value: "N", short: "c", help: "how many requests (4)" },
      interval: { value: "SECONDS", short: "i", help: "from one request to the next (1)" },
      timeout: { value: "SECONDS", short: "W", help: "how long to wait for each reply (1)" },
      size: { value: "BYTES", help: "of payload in a request (56)" },
      ttl: {
        value: "N",
        short: "t",
        help: "routers that a request may pass, and one (the namespace's)",
      },
      interface: { value: "NAME", short: "I", help: "the link to send on" },
      source: { value: "IP", help: "the address to send from" },
    },
    run,
  },
];

const DEFAULT_COUNT = 4;

/** What became of a request. */
type Outcome = PingReply | NetlinkError | undefined;

// deno-lint-ignore require-await -- bad usage is a rejection
async function run(typed: Typed): Promise<Result> {
  const count = numberOf(typed, "count") ?? DEFAULT_COUNT;
  if (count < 1) throw new UsageError("--count is at least 1");
  const result: Result = { status: 1 };
  const interval = secondsOf(typed, "interval") ?? 1000;
  const options: PingOptions = {
    timeout: secondsOf(typed, "timeout"),
    size: numberOf(typed, "size"),
    ttl: numberOf(typed, "ttl"),
    interface: typed.one("interface"),
    source: typed.one("source"),
  };
  result.events = ping(typed, count, interval, options, result);
  return result;
}

async function* ping(
  typed: Typed,
  count: number,
  interval: number,
  options: PingOptions,
  result: Result,
): AsyncGenerator<Result> {
  const address = typed.words[0]!;
  using host = await openHost(typed);
  const rtnl = new Rtnl(host.rtnl);
  if (options.interface !== undefined) host.names.link(options.interface);
  const start = performance.now();
  const times: number[] = [];
  let next = start;
  for (let sent = 0; sent < count; sent++) {
    await until(next);
    next = performance.now() + interval;
    const sequence = (sent + 1) & 0xffff;
    const outcome = await rtnl.ping(address, { ...options, sequence })
      // What the first request could not even be sent for is no answer.
      .catch((error: unknown) => {
        const met = error instanceof NetlinkError && (sent > 0 || error.kernelMessage);
        if (!met) throw error;
        return error;
      });
    if (outcome !== undefined && !(outcome instanceof NetlinkError)) {
      times.push(outcome.milliseconds);
      result.status = 0;
    }
    yield resultOf(address, sequence, outcome);
  }
  yield summary(address, count, times, performance.now() - start);
}

function resultOf(address: string, sequence: number, outcome: Outcome): Result {
  if (outcome === undefined) {
    return {
      json: { event: "timeout", address, sequence },
      text: `no answer for icmp_seq=${sequence}`,
    };
  }
  if (outcome instanceof NetlinkError) {
    const { code, message } = outcome;
    return {
      json: { event: "error", address, sequence, code, message },
      text: `icmp_seq=${sequence} ${message}`,
    };
  }
  const { size, ttl, milliseconds } = outcome;
  const bytes = ECHO_HEADER + size;
  const time = timeText(milliseconds);
  return {
    json: { event: "reply", ...outcome },
    text: `${bytes} bytes from ${outcome.address}: icmp_seq=${sequence} ttl=${ttl} time=${time} ms`,
  };
}

/** ping(8) counts it in. */
const ECHO_HEADER = 8;

function summary(address: string, transmitted: number, times: number[], elapsed: number): Result {
  const received = times.length;
  const lossPercent = Number((100 * (transmitted - received) / transmitted).toPrecision(6));
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / received;
  const average = mean(times);
  const rtt = {
    min: Math.min(...times),
    average,
    max: Math.max(...times),
    deviation: Math.sqrt(mean(times.map((time) => (time - average) ** 2))),
  };
  const counted = `${transmitted} packets transmitted, ${received} received`;
  const milliseconds = Object.values(rtt).map((value) => value.toFixed(3)).join("/");
  return {
    json: {
      ...{ event: "summary", address, transmitted, received, lossPercent },
      ...received > 0 ? { milliseconds: rtt } : {},
    },
    text: [
      "",
      `--- ${address} ping statistics ---`,
      `${counted}, ${lossPercent}% packet loss, time ${Math.round(elapsed)}ms`,
      ...received > 0 ? [`rtt min/avg/max/mdev = ${milliseconds} ms`] : [],
    ].join("\n"),
  };
}

/** As ping(8) prints a time: the shorter, the more digits. */
function timeText(milliseconds: number): string {
  const digits = [1, 10, 100].filter((power) => milliseconds < power).length;
  return milliseconds.toFixed(digits);
}

/** The milliseconds of an option in seconds. */
function secondsOf(typed: Typed, option: string): number | undefined {
  const text = typed.one(option);
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return 1000 * Number(text);
  throw new UsageError(`--${option} is a number of seconds, got ${JSON.stringify(text)}`);
}

/** Waits until a time on the clock of `performance.now()`. */
async function until(time: number): Promise<void> {
  const rest = time - performance.now();
  if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
}
