/**
 * Captures what `ip`, `bridge` and `tc` send for each of the tests' cases, what the kernel answers, and
 * what they show of it: `deno run -A tools/capture.ts FILE`, as root.
 *
 * Run once on each kernel, `deno run -A tools/vm/run.ts deno run -A tools/capture.ts FILE` for Debian's;
 * a case that the kernel lacks is left out. The result is a file under tests/vectors.
 *
 * @module
 */

import { decodeMessages, NetlinkError, Netns, type Rtnl } from "../mod.ts";
import { readCapture } from "../cli/capture.ts";
import { type Case, LINKS, OBJECTS, SETTING } from "../tests/rtnl/cases.ts";
import { fail } from "./exec.ts";

/** A case as it went over the socket. */
export interface Vector {
  name: string;
  /** The programs that were run. */
  words: string[];
  /** What they sent to change something, each a message. */
  sent: string[];
  /** The program that showed the result. */
  show: string;
  /** What the kernel answered to it, each a datagram. */
  received: string[];
  /** What it printed with `-j`. */
  shown: unknown;
}

/** One case in a namespace of its own; undefined where this kernel lacks something. */
async function capture(thing: Case): Promise<Vector | undefined> {
  using netns = await Netns.create();
  using rtnl = await netns.connect();
  await carryOut(rtnl, SETTING);
  if (thing.before !== undefined && !(await run(netns, thing.before.split(" "))).success) return;
  const sent: string[] = [];
  for (const words of thing.words) {
    const { success, datagrams } = await traced(netns, words.trim().split(/\s+/));
    if (!success) return undefined;
    sent.push(...changesIn(datagrams.sent));
  }
  const [program, ...rest] = thing.show.split(" ");
  const { datagrams, output } = await traced(netns, [program!, "-j", ...rest]);
  const shown = /^\s*\[/.test(output) ? JSON.parse(output) : output;
  const received = datagrams.received.map((bytes) => bytes.toHex());
  return { name: thing.name, words: thing.words, sent, show: thing.show, received, shown };
}

async function carryOut(rtnl: Rtnl, requests: Case["requests"]): Promise<void> {
  for (const request of requests) await rtnl.request(request);
}

/** The messages that ask for a change, each on its own. */
function changesIn(datagrams: Uint8Array[]): string[] {
  return datagrams.flatMap((datagram) =>
    decodeMessages(datagram).some(({ type }) => /_(NEW|DEL|SET)/.test(String(type)))
      ? [datagram.toHex()]
      : []
  );
}

async function run(netns: Netns, command: string[]) {
  const { success, stdout } = await new Deno.Command("nsenter", {
    args: [`--net=/proc/${Deno.pid}/fd/${netns.fd}`, "--", ...command],
    stdin: "null",
  }).output();
  return { success, output: new TextDecoder().decode(stdout) };
}

/** Runs a program and takes what goes over its sockets from strace. */
async function traced(netns: Netns, command: string[]) {
  const log = await Deno.makeTempFile();
  try {
    const calls = ["-e", "trace=sendmsg,recvmsg", "-e", "read=all", "-e", "write=all"];
    const result = await run(netns, ["strace", "-f", "-qq", ...calls, "-o", log, ...command]);
    const text = await Deno.readTextFile(log);
    // Each call with the dump of its buffers behind it.
    const parts = text.split(/^(?=\d+ +(?:sendmsg|recvmsg)\()/m);
    const of = (name: string) =>
      parts.filter((part) => new RegExp(`^\\d+ +${name}\\(`).test(part) && / \| 00000 /.test(part))
        .flatMap((part) => readCapture(new TextEncoder().encode(part)));
    return { ...result, datagrams: { sent: of("sendmsg"), received: of("recvmsg") } };
  } finally {
    await Deno.remove(log);
  }
}

if (import.meta.main) {
  const [file] = Deno.args;
  if (file === undefined) fail("Which file shall hold the captures?", 2);
  const vectors: Vector[] = [];
  for (const thing of [...LINKS, ...OBJECTS]) {
    try {
      const vector = await capture(thing);
      if (vector !== undefined) vectors.push(vector);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
    }
  }
  const kernel = /^[\d.]*\d/.exec(Deno.osRelease())?.[0] ?? "";
  await Deno.writeTextFile(file, JSON.stringify({ kernel, vectors }, null, 1) + "\n");
  console.log(`${vectors.length} captures of Linux ${kernel}`);
}
