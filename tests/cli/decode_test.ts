import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { main } from "../../cli.ts";
import { kernelTest, runIn } from "../support.ts";

/** What the command prints, and its exit status. */
async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const said = { out: "", err: "" };
  const status = await main(argv, {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
  });
  return { status, ...said };
}

const LINK = "20000000100001000100000000000000" + "00000000020000000000000000000000";

Deno.test("decode takes hex as people have it", async () => {
  const spaced = LINK.replace(/(..)/g, "$1 ");
  for (const argv of [[LINK], spaced.trim().split(" "), [`0x${LINK}`], [LINK.toUpperCase()]]) {
    const { status, out } = await run("decode", ...argv);
    assertEquals(status, 0);
    assertStringIncludes(out, "RTM_NEWLINK NLM_F_REQUEST sequence 1 port 0\n  family unspec");
  }
  const { out } = await run("decode", "--json", LINK + LINK);
  const [first, second] = JSON.parse(out);
  assertEquals([first.type, first.message.index], ["RTM_NEWLINK", 2]);
  assertEquals(second, first);
});

Deno.test("decode says what it does not know, and where", async () => {
  // An attribute 999 inside of IFLA_LINKINFO, and a message type that there is not.
  const nested = "0c001280" + "0800e703" + "01020304";
  const link = "2c000000" + LINK.slice(8) + nested;
  const odd = "14000000" + "e7030000" + "0200000000000000" + "cafecafe";
  const { out } = await run("decode", "--json", link + odd);
  const [first, second] = JSON.parse(out);
  assertEquals(first.unknown, ["linkInfo 999"]);
  assertEquals([second.type, second.bytes], [999, "cafecafe"]);
  assertStringIncludes((await run("decode", link)).out, "unknown attributes: linkInfo 999");
});

Deno.test("decode reads a body without its header, and errors with their reasons", async () => {
  const route = "0218000000000000" + "00000000" + "08000100" + "0a000000";
  const { out } = await run("decode", "--json", "--type", "rtm_newroute", route);
  assertEquals(JSON.parse(out)[0].message.dst, "10.0.0.0");
  const refused = await run("decode", "--type", "RTM_NEWROUT", route);
  assertEquals(refused.status, 2);
  assertStringIncludes(refused.err, 'did you mean "RTM_NEWROUTE"');
  const error = "2c000000" + "02000003" + "0100000000000000" + "eaffffff" + LINK.slice(0, 32) +
    "07000100" + "6e6f0000";
  const [{ message }] = JSON.parse((await run("decode", "--json", error)).out);
  assertEquals(message, { errno: "EINVAL", request: "RTM_NEWLINK", message: "no" });
});

Deno.test("decode refuses in a sentence what is no netlink", async () => {
  for (const argv of [["zz"], ["abc"], ["00"], ["--type", "RTM_NEWLINK", "xyz"], ["/dev/null"]]) {
    const { status, err, out } = await run("decode", ...argv);
    assertEquals([status, out], [1, ""], argv.join(" "));
    assert(/^denolink: Cannot [^\n]+\n$/.test(err), err);
  }
});

kernelTest(
  "decode reads what strace shows of ip",
  { run: true, read: true, write: true },
  async (kernel) => {
    const log = await Deno.makeTempFile();
    try {
      const calls = ["-e", "trace=sendmsg,recvmsg", "-e", "read=all", "-e", "write=all", "-o", log];
      await runIn(kernel.netns, "strace", ...calls, "ip", "link", "show", "lo");
      const { out } = await run("decode", "--json", log);
      const messages = JSON.parse(out) as { type: string; message: { name?: string } }[];
      assert(messages.some(({ type }) => type === "RTM_GETLINK"));
      assert(messages.some(({ type, message }) => type === "RTM_NEWLINK" && message.name === "lo"));
      const text = (await Deno.readTextFile(log)).replace(/^ \|.*$/gm, "");
      await Deno.writeTextFile(
        log,
        `${text}\nrecvmsg(3, "${LINK.replace(/(..)/g, "\\x$1")}", 0)\n`,
      );
      assertStringIncludes((await run("decode", log)).out, "RTM_NEWLINK");
    } finally {
      await Deno.remove(log);
    }
  },
);

kernelTest("decode reads a pcap of an nlmon link", { read: true, write: true }, async () => {
  const file = await Deno.makeTempFile();
  try {
    const header = "d4c3b2a1" + "0200" + "0400" + "00000000".repeat(2) + "00000400" + "fd000000";
    const cooked = "0004" + "0338" + "00".repeat(10) + "0000";
    const packet = "00".repeat(8) + "30000000" + "30000000" + cooked + LINK;
    await Deno.writeFile(file, Uint8Array.fromHex(header + packet + packet));
    const { out } = await run("decode", "--json", file);
    assertEquals(JSON.parse(out).map(({ type }: { type: string }) => type), [
      "RTM_NEWLINK",
      "RTM_NEWLINK",
    ]);
  } finally {
    await Deno.remove(file);
  }
});

kernelTest(
  "monitor prints what happens, a line of JSON for each event",
  { run: true },
  async (kernel) => {
    const netns = `/proc/${Deno.pid}/fd/${kernel.netns.fd}`;
    using rtnl = await kernel.netns.connect();
    const lines: string[] = [];
    // It runs until its reader has seen enough.
    const enough = new Error("enough");
    const running = main(["monitor", "--netns", netns, "--json", "link", "address"], {
      out: (text) => {
        lines.push(text);
        if (text.includes('"deleted","object":"link"')) throw enough;
      },
      err: () => {},
    }).catch((error) => {
      if (error !== enough) throw error;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await rtnl.links.add({
      name: "a",
      linkInfo: { kind: "veth", data: { peer: { name: "b" } } },
    });
    await rtnl.links.set({ name: "a", mtu: 1400 });
    const { index } = await rtnl.links.get({ name: "a" });
    await rtnl.addresses.add({ index, local: "10.0.0.1", prefixLength: 24 });
    await rtnl.links.delete({ name: "a" });
    await running;
    const events = lines.map((line) => JSON.parse(line));
    const mtu = events.find(({ event, value }) => event === "changed" && value.mtu === 1400);
    assertEquals([mtu.object, mtu.value.ifname, mtu.old.mtu], ["link", "a", 1500]);
    const address = events.find(({ object, event }) => object === "address" && event === "new");
    assertEquals([address.value.dev, address.value.local], ["a", "10.0.0.1"]);
  },
);
