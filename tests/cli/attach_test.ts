import { assert, assertEquals, assertMatch } from "@std/assert";
import { Netns } from "../../mod.ts";
import { eventually, kernelTest } from "../support.ts";
import { here, path, succeed } from "./denolink.ts";

const words = (text: string) => text.split(" ");

kernelTest("attach takes all that the library does, and sweep what it leaves", {
  run: true,
  env: true,
}, async (kernel) => {
  const { netns, ip, ipIn, another } = kernel;
  const container = await another();
  const attached = JSON.parse(
    await succeed(
      kernel,
      "attach",
      path(container),
      ...words("--bridge br0 --bridge-address 10.0.0.1/24 --bridge-address fd00::1/64"),
      ...words(
        "--address auto --gateway auto --ip-range 10.0.0.100-10.0.0.199 --exclude 10.0.0.100",
      ),
      ...words("--route 10.9.0.0/16,10.0.0.254 --mac 02:00:5e:10:00:01 --id web --owner lab"),
      ...words("--hairpin --isolated --rate-receive 10mbit --rate-send 5mbit"),
      ...words("--sysctl net.ipv4.conf.eth0.rp_filter=2 --publish 8080:80 --publish 53:53/udp"),
      ...words("--masquerade --json"),
    ),
  );
  assertEquals(attached, {
    ...{ id: "web", netns: Number(container.id), interface: "eth0", owner: "lab" },
    hostInterface: attached.hostInterface,
    bridge: "br0",
    addresses: ["10.0.0.101/24", "fd00::2/64"],
    gateways: ["10.0.0.1", "fd00::1"],
    mtu: 1500,
    masquerade: true,
    publish: [
      { protocol: "tcp", hostPort: 8080, port: 80 },
      { protocol: "udp", hostPort: 53, port: 53 },
    ],
  });
  const [eth0] = await ipIn(container, "link", "show", "eth0");
  assertEquals(eth0.address, "02:00:5e:10:00:01");
  const [route] = await ipIn(container, "route", "show", "10.9.0.0/16");
  assertEquals(route.gateway, "10.0.0.254");
  const [host] = await ip("link", "show", attached.hostInterface);
  const { hairpin, isolated } = host.linkinfo.info_slave_data;
  assertEquals([hairpin, isolated], [true, true]);

  assertMatch(await succeed(kernel, "list"), /^web .* 8080:80\/tcp {2}53:53\/udp$/m);
  assertEquals(await succeed(kernel, "list", "--owner", "other"), "");
  assertEquals(await succeed(kernel, "detach", "--id", "web"), "nothing was attached\n");
  assertEquals(await succeed(kernel, "sweep", "--owner", "lab"), "");
  assertEquals(await succeed(kernel, "detach", "--id", "web", "--owner", "lab"), "detached\n");
  assertEquals((await ip("link", "show", "type", "bridge")).length, 0);
  assertEquals(await succeed(kernel, "sweep", "--owner", "lab", "--json"), "[]\n");
  assert(netns.id !== container.id);
});

kernelTest("a namespace made for a container goes with it, and sweep tells what is left", {
  run: true,
  env: true,
}, async (kernel) => {
  const name = `denolink-test-${crypto.randomUUID().slice(0, 8)}`;
  const attach = () =>
    succeed(
      kernel,
      "attach",
      name,
      "--create-netns",
      ...words("--bridge br0 --bridge-address 10.0.0.1/24 --address auto"),
    );
  try {
    assertMatch(await attach(), /10\.0\.0\.2\/24/);
    assertEquals(await succeed(kernel, "detach", name), "detached\n");
    assert(!Netns.list().some((named) => named.name === name));
    // The container dies without a word: the bridge is left.
    await attach();
    Netns.remove(name);
    // The kernel takes both ends away some moments later.
    await eventually(async () =>
      assertEquals((await kernel.ip("link", "show", "master", "br0")).length, 0)
    );
    const dry = await succeed(kernel, "sweep", "--dry-run");
    assertMatch(dry, /^would remove bridge br0$/m);
    assertEquals(dry.replaceAll("would remove", "removed"), await succeed(kernel, "sweep"));
    assertEquals(await succeed(kernel, "sweep"), "");
  } finally {
    Netns.remove(name);
  }
});

kernelTest("what can't be meant is bad usage", {}, async ({ netns }) => {
  const refusals: [string, RegExp][] = [
    ["attach x --address auto --bridge-address 10.0.0.1/24", /need --bridge NAME/],
    ["attach x --address auto --bridge b --vxlan-id 7", /go together/],
    ["attach x --address auto --bridge b --publish 80", /PORT:PORT/],
    ["attach x --address auto --bridge b --rate-send fast", /such as 10mbit/],
    ["attach x --address auto --bridge b --sysctl a.b", /KEY=VALUE/],
    ["sweep now", /does not take "now"/],
  ];
  for (const [line, message] of refusals) {
    const { code, stderr } = await here("--netns", path(netns), ...words(line));
    assertMatch(stderr, message, line);
    assertEquals(code, 2, line);
  }
});
