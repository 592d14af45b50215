import { assert, assertEquals, assertMatch } from "@std/assert";
import { addAddress, createVethPair, setLinkUp } from "../../mod.ts";
import { type Kernel, kernelTest } from "../support.ts";
import { here, lines, type Outcome, path, succeed } from "./denolink.ts";

/** The test's namespace with 10.0.0.1, and another with 10.0.0.2. */
async function pair({ netns, another }: Kernel): Promise<void> {
  const other = await another();
  await createVethPair("a0", "b0", { netns, peerNetns: other });
  await addAddress("a0", "10.0.0.1/24", { netns });
  await addAddress("b0", "10.0.0.2/24", { netns: other });
  for (const name of ["lo", "a0"]) await setLinkUp(name, { netns });
  await setLinkUp("b0", { netns: other });
}

async function ping({ netns }: Kernel, ...args: string[]): Promise<Outcome> {
  return await here("ping", "--netns", path(netns), ...args);
}

/** Lines of JSON. */
// deno-lint-ignore no-explicit-any
function events(stdout: string): any[] {
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

kernelTest("ping prints a line for each reply, and how many there were", {}, async (kernel) => {
  await pair(kernel);
  const out = await succeed(kernel, ..."ping 10.0.0.2 -c 3 -i 0.01 -W 10 --size 100".split(" "));
  const [first, second, third, blank, title, counts, times, ...rest] = lines(out);
  for (const [index, line] of [first, second, third].entries()) {
    const start = `108 bytes from 10\\.0\\.0\\.2: icmp_seq=${index + 1} ttl=64`;
    assertMatch(line!, new RegExp(`^${start} time=\\d+(\\.\\d+)? ms$`));
  }
  assertEquals([blank, title], ["", "--- 10.0.0.2 ping statistics ---"]);
  assertMatch(counts!, /^3 packets transmitted, 3 received, 0% packet loss, time \d+ms$/);
  const number = "\\d+\\.\\d{3}";
  assertMatch(times!, new RegExp(`^rtt min/avg/max/mdev = (${number}/){3}${number} ms$`));
  assertEquals(rest, []);
});

kernelTest("ping --json prints a line of JSON for each", {}, async (kernel) => {
  await pair(kernel);
  const args =
    "ping -j 10.0.0.2 --count 2 --interval 0 --timeout 10 --ttl 9 -I a0 --source 10.0.0.1";
  const [one, two, summary, ...rest] = events(await succeed(kernel, ...args.split(" ")));
  assertEquals(rest, []);
  for (const [index, { milliseconds, ...reply }] of [one, two].entries()) {
    assertEquals(reply, {
      ...{ event: "reply", address: "10.0.0.2", sequence: index + 1, size: 56, ttl: 64 },
    });
    assert(milliseconds >= 0);
  }
  const { milliseconds, ...counts } = summary;
  assertEquals(counts, {
    ...{ event: "summary", address: "10.0.0.2", transmitted: 2, received: 2, lossPercent: 0 },
  });
  assertEquals(Object.keys(milliseconds), ["min", "average", "max", "deviation"]);
  assert(milliseconds.min <= milliseconds.average && milliseconds.average <= milliseconds.max);
});

kernelTest("ping's exit status says whether one came", {}, async (kernel) => {
  await pair(kernel);
  const silent = await ping(kernel, ..."10.0.0.9 -c 2 -i 0 -W 0.05".split(" "));
  assertEquals([silent.code, silent.stderr], [1, ""]);
  const [one, two, , , counts, ...rest] = lines(silent.stdout);
  assertEquals([one, two], ["no answer for icmp_seq=1", "no answer for icmp_seq=2"]);
  assertMatch(counts!, /^2 packets transmitted, 0 received, 100% packet loss, time \d+ms$/);
  assertEquals(rest, []);

  const unreachable = await ping(kernel, ..."10.0.0.9 -c1 -W 60 -j".split(" "));
  assertEquals([unreachable.code, unreachable.stderr], [1, ""]);
  const [error, summary] = events(unreachable.stdout);
  const { message, ...known } = error;
  assertEquals(known, {
    ...{ event: "error", address: "10.0.0.9", sequence: 1, code: "EHOSTUNREACH" },
  });
  assertMatch(message, /10\.0\.0\.1 says host unreachable/);
  assertEquals([summary.received, summary.milliseconds], [0, undefined]);
});

kernelTest("ping refuses what can't be sent in one sentence", {}, async (kernel) => {
  await pair(kernel);
  const refusals: [args: string[], code: 1 | 2, message: RegExp][] = [
    [["10.9.0.1"], 1, /ENETUNREACH/],
    [["example.com"], 1, /no IPv4 or IPv6 address/],
    [["10.0.0.2", "--size", "70000"], 1, /0 to 65507/],
    [["10.0.0.2", "--ttl", "0"], 1, /1 to 255/],
    [["10.0.0.2", "--timeout", "0"], 1, /timeout/],
    [["10.0.0.2", "-I", "a1"], 1, /Cannot find link a1: there is none; did you mean/],
    [["10.0.0.2", "--source", "10.0.0.3"], 1, /EADDRNOTAVAIL/],
    [["10.0.0.2", "--count", "0"], 2, /at least 1/],
    [["10.0.0.2", "--count", "x"], 2, /whole number/],
    [["10.0.0.2", "--interval", "soon"], 2, /number of seconds/],
    [["10.0.0.2", "--timeout", "1s"], 2, /number of seconds/],
    [[], 2, /needs ADDRESS/],
    [["10.0.0.2", "10.0.0.3"], 2, /does not take "10\.0\.0\.3"/],
  ];
  for (const [args, code, message] of refusals) {
    const outcome = await ping(kernel, ...args);
    assertMatch(outcome.stderr, message, args.join(" "));
    assertMatch(outcome.stderr, /^denolink: [^\n]+\n$/);
    assertEquals([outcome.code, outcome.stdout], [code, ""], args.join(" "));
  }
});
