/**
 * Two containers join a bridge, talk over IPv4 and IPv6, and leave without a trace:
 * `deno task demo`, which runs it in a private namespace.
 *
 * @module
 */

import {
  addAddress,
  attach,
  createBridge,
  deleteBridge,
  detach,
  listAttachments,
  listLinks,
  Netns,
  readSysctl,
  Rtnl,
  runInNetns,
  setLinkUp,
} from "../mod.ts";

const CONTAINERS = [
  { name: "alice", addresses: ["10.0.0.2/24", "fd00::2/64"] },
  { name: "bob", addresses: ["10.0.0.3/24", "fd00::3/64"] },
] as const;
const GATEWAYS = ["10.0.0.1", "fd00::1"];
const BRIDGE = "br0";
const TALK = import.meta.resolve("./talk.ts");

console.log("Two containers join a bridge, talk, and leave. No other program is started for it.\n");
const before = await everything();
const began = performance.now();

for (const { name } of CONTAINERS) {
  await step(`namespace ${name} made`, async () => (await Netns.create(name)).close());
}
await step(`bridge ${BRIDGE} made, with ${GATEWAYS.join(" and ")}`, async () => {
  await createBridge(BRIDGE);
  await addAddress(BRIDGE, `${GATEWAYS[0]}/24`);
  await addAddress(BRIDGE, `${GATEWAYS[1]}/64`);
  await setLinkUp(BRIDGE);
});
for (const { name, addresses } of CONTAINERS) {
  await step(`${name} attached as ${addresses.join(" and ")}`, () =>
    attach({
      netns: { name },
      id: name,
      bridge: BRIDGE,
      addresses: [...addresses],
      gateways: GATEWAYS,
    }));
}
console.log(`\n          ${(await listAttachments()).length} attached; now they talk\n`);

const [alice, bob] = CONTAINERS;
for (const cidr of alice.addresses) await talk(cidr.split("/")[0]!);

console.log("\n          now they leave\n");
for (const { name } of CONTAINERS) {
  await step(`${name} detached`, () => detach({ id: name }));
  await step(`namespace ${name} removed`, () => Promise.resolve(Netns.remove(name)));
}
await step(`bridge ${BRIDGE} deleted`, () => deleteBridge(BRIDGE));

const after = await everything();
const left = Object.keys(before).filter((what) => before[what] !== after[what]);
const total = (performance.now() - began).toFixed(0);
if (left.length > 0) {
  console.log(`\nLeft behind after ${total} ms, and that is a bug: ${left.join(", ")}`);
  for (const what of left) console.log(`\n${what}: ${before[what]}\n   now: ${after[what]}`);
  Deno.exit(1);
}
console.log(
  `\nDone in ${total} ms. Nothing is left: ${Object.keys(before).join(", ")} are as before.`,
);

/** Bob calls alice at one of her addresses; each runs as ordinary Deno code in its own namespace. */
async function talk(address: string): Promise<void> {
  let caller = "";
  await step(
    () => `bob, from ${caller}, called alice at ${address}; she answered "HELLO ALICE"`,
    async () => {
      const served = runInNetns<string>({ name: alice.name }, TALK, {
        export: "serve",
        args: [address],
      });
      const answer = await runInNetns<string>({ name: bob.name }, TALK, {
        export: "call",
        args: [address, "hello alice"],
      });
      caller = await served;
      if (answer !== "HELLO ALICE") throw new Error(`Alice answered ${JSON.stringify(answer)}`);
      if (!bob.addresses.some((own) => own.startsWith(`${caller}/`))) {
        throw new Error(`Alice was called from ${caller}, which is not bob`);
      }
    },
  );
}

async function step(what: string | (() => string), action: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await action();
  const time = (performance.now() - start).toFixed(1).padStart(6);
  console.log(`${time} ms ${typeof what === "string" ? what : what()}`);
}

/** All that an attach touches, as texts to compare. */
async function everything(): Promise<Record<string, string>> {
  using rtnl = Rtnl.open();
  const text = (value: unknown) =>
    JSON.stringify(value, (_key, value) => typeof value === "bigint" ? `${value}` : value);
  return {
    links: text(
      (await listLinks()).map(({ index, name, flags, alias, altNames }) => ({
        index,
        name,
        flags,
        alias,
        altNames,
      })),
    ),
    addresses: text(
      (await Array.fromAsync(rtnl.addresses.list())).map(({ index, address }) => ({
        index,
        address,
      })),
    ),
    routes: text(
      (await Array.fromAsync(rtnl.routes.list())).map(({ dst, oif, gateway, table }) => ({
        dst,
        oif,
        gateway,
        table,
      })),
    ),
    "named namespaces": text(Netns.list()),
    "IPv4 forwarding": await readSysctl("net.ipv4.ip_forward"),
    "IPv6 forwarding": await readSysctl("net.ipv6.conf.all.forwarding"),
  };
}
