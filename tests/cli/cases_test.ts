/**
 * The words of the tests' cases, typed to denolink: it makes what `ip`, `bridge` and `tc` make of them,
 * and prints of it what they print.
 */

import { assert, assertEquals } from "@std/assert";
import { main } from "../../cli.ts";
import type { Netns } from "../../mod.ts";
import { kernelTest, runIn } from "../support.ts";
import { lackedByKernel, stable } from "../rtnl/referee.ts";
import { type Case, LINKS, OBJECTS, SETTING } from "../rtnl/cases.ts";

/** What denolink has words for. */
const NOUNS = /^(ip( -[46d])* (link|address|route|nexthop|neighbour|rule)|bridge|tc qdisc) /;
const CASES = [...LINKS, ...OBJECTS].filter(({ words, show }) =>
  [...words, show].every((line) => NOUNS.test(`${line} `))
);
assert(CASES.length > 45);

for (const thing of CASES) {
  const lacking = await lackedByKernel(thing);
  const name =
    `${thing.name}: denolink makes of ip's words what ip makes, and prints what ip prints`;
  if (lacking !== undefined) {
    Deno.test({ name: `${name} (ignored: this kernel: ${lacking})`, ignore: true, fn() {} });
    continue;
  }
  kernelTest(name, { run: true }, async (kernel) => {
    const other = await kernel.another();
    for (const netns of [kernel.netns, other]) {
      using rtnl = await netns.connect();
      for (const request of SETTING) await rtnl.request(request);
    }
    for (const words of thing.words) {
      await runIn(kernel.netns, ...words.trim().split(/\s+/));
      await denolink(other, words);
    }
    const theirs = await show(kernel.netns, thing);
    assertEquals(await show(other, thing), theirs, "what it makes");
    for (const netns of [kernel.netns, other]) {
      assertEquals(
        stable(JSON.parse(await denolink(netns, thing.show, "--json"))),
        await show(netns, thing),
        "what it prints",
      );
    }
  });
}

async function show(netns: Netns, { show }: Case): Promise<unknown> {
  const [program, ...rest] = show.split(" ");
  return stable(JSON.parse(await runIn(netns, program!, "-j", ...rest) || "[]"));
}

/** Runs the command with the words of one of the other programs. */
async function denolink(netns: Netns, words: string, ...options: string[]): Promise<string> {
  const said = { out: "", err: "" };
  const argv = words.replace(/^(ip|tc) /, "").split(" ");
  const where = `--netns=/proc/${Deno.pid}/fd/${netns.fd}`;
  const status = await main([where, ...options, ...argv], {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
  });
  assertEquals([status, said.err], [0, ""], words);
  return said.out;
}
