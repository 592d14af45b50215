import { assert, assertEquals, assertMatch } from "@std/assert";
import { createVethPair, listSysctls, readSysctl } from "../../mod.ts";
import { kernelTest } from "../support.ts";
import { here, json, path, succeed } from "./denolink.ts";

const NEEDS = { run: true, env: true };
const TTL = "net.ipv4.ip_default_ttl";
const FORWARD = "net.ipv4.ip_forward";
const FLUSH = "net.ipv4.route.flush";

kernelTest("sysctl lists what is below a key, and all", NEEDS, async (kernel) => {
  const { netns } = kernel;
  await createVethPair("eth0.100", "vp0", { netns });
  const all = await listSysctls("", { netns });
  const below = await listSysctls("net.ipv4.conf.eth0.100", { netns });
  for (const key of ["net.ipv4.conf.eth0.100", "net/ipv4/conf/eth0.100"]) {
    assertEquals(await json(kernel, "sysctl", key), below);
  }
  const text = Object.entries(below).map(([key, value]) => `${key} = ${value}\n`).join("");
  assertEquals(await succeed(kernel, "sysctl", "net.ipv4.conf.eth0.100"), text);
  assert(Object.keys(below).length > 9);
  // Keys as they were typed, those of a directory as they are listed.
  assertEquals(await json(kernel, "sysctl", "net/ipv4/ip_forward", "net.ipv4.conf.eth0.100"), {
    "net/ipv4/ip_forward": "0",
    ...below,
  });
  for (const option of ["-a", "--all"]) {
    const listed = await json(kernel, "sysctl", option);
    // Others change while they are read: those of the host's kernel.
    assertEquals(Object.keys(listed), Object.keys(all));
    for (const [key, value] of Object.entries(all)) {
      if (key.startsWith("net.ipv")) assertEquals(listed[key], value, key);
    }
  }
});

kernelTest("sysctl sets several, all or nothing", NEEDS, async (kernel) => {
  const { netns } = kernel;
  const set = await json(kernel, "sysctl", `${FORWARD}=1`, `${FLUSH} = 1`, TTL, `${TTL}=77`);
  assertEquals(set, { [FORWARD]: "1", [FLUSH]: "1", [TTL]: "77" });
  const refusals: [args: string[], code: 1 | 2, message: RegExp][] = [
    [[`${FORWARD}=0`, `${TTL}=0`], 1, /set sysctl net\.ipv4\.ip_default_ttl to 0: .*EINVAL/],
    [[`${FORWARD}=0`, "net.no=1"], 1, /set sysctl net\.no to 1: .*ENOENT/],
    [[`${FORWARD}=0`, "net.ipv4=1"], 1, /set sysctl net\.ipv4 to 1: .*EISDIR.*several settings/],
    [[`${FORWARD}=0`, "net/../../etc/x=1"], 1, /leave \/proc\/sys/],
    [["net.no"], 1, /sysctls? .*net\.no: .*ENOENT/],
    [[FLUSH], 1, /EACCES.*can only be written/],
    [[], 2, /needs KEY/],
    [["--all", TTL], 2, /--all without/],
  ];
  for (const [args, code, message] of refusals) {
    const outcome = await here("--netns", path(netns), "sysctl", ...args);
    assertMatch(outcome.stderr, message, args.join(" "));
    assertMatch(outcome.stderr, /^denolink: [^\n]+\n$/);
    assertEquals({ code: outcome.code, stdout: outcome.stdout }, { code, stdout: "" });
    assertEquals(await readSysctl(FORWARD, { netns }), "1", args.join(" "));
  }
});

kernelTest("a setting of several lines has its key on each", NEEDS, async (kernel) => {
  const all = await listSysctls("", kernel);
  const text = await succeed(kernel, "sysctl", "--all");
  const lines = text.trimEnd().split("\n");
  assertEquals(lines.filter((line) => !/^[^ ]+ = /.test(line)), []);
  const expected = Object.values(all).reduce((sum, value) => sum + value.split("\n").length, 0);
  assertEquals(lines.length, expected);
});
