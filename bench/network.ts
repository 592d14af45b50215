/**
 * What the works are done to: containers, links, routes.
 *
 * @module
 */

import {
  addAddress,
  createBridge,
  deleteLink,
  link,
  listLinks,
  NetlinkError,
  Netns,
  type Request,
  route,
  Rtnl,
  setLinkUp,
  setSysctls,
  type Topology,
} from "../mod.ts";
import { run } from "./programs.ts";
import { expect } from "./row.ts";

/** The bridge that containers are attached to, and a host that forwards already. */
export async function makeBridge(): Promise<void> {
  await createBridge("br0");
  await addAddress("br0", "10.0.0.1/16");
  await addAddress("br0", "fd00::1/64");
  await setLinkUp("br0");
  await setSysctls({ "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1 });
}

/** Namespaces c0, c1, ...; their loopback is up. */
export async function makeContainers(count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, i) => `c${i}`);
  for (const name of names) {
    using netns = await Netns.create(name);
    await setLinkUp("lo", { netns });
  }
  return names;
}

/** The addresses of a container, as all peers give them. */
export function addressesOf(container: number): [string, string] {
  const number = container + 2;
  return [`10.0.${number >> 8}.${number & 255}/16`, `fd00::${number.toString(16)}/64`];
}

/** The same bridge and containers as a topology. */
export function topologyOf(count: number): Topology {
  const containers = Array.from({ length: count }, (_, i) => [
    `c${i}`,
    { bridge: "br0", addresses: addressesOf(i) },
  ]);
  return {
    ...{ denolink: 1, name: "bench", bridges: { br0: ["10.0.0.1/16", "fd00::1/64"] } },
    containers: Object.fromEntries(containers),
  };
}

/** The destination of a route, as all peers have it. */
export function destinationOf(route: number): string {
  return `10.${route >> 16}.${route >> 8 & 255}.${route & 255}`;
}

/** The pair v0 and v1, both up; resolves to the number of v0. */
export async function makePair(rtnl: Rtnl): Promise<number> {
  await rtnl.links.add({
    ...{ name: "v0", up: true, linkInfo: { kind: "veth", data: { peer: { name: "v1" } } } },
  });
  await setLinkUp("v1");
  return (await rtnl.links.get({ name: "v0" })).index!;
}

/** Adds routes by a link, up to a number. */
export async function insertRoutes(rtnl: Rtnl, to: number, oif: number, from = 0): Promise<void> {
  function* requests() {
    for (let i = from; i < to; i++) yield route.add({ dst: destinationOf(i), oif });
  }
  await all(rtnl, requests());
}

/** Takes all IPv4 routes away, as the kernel does when their link goes down. */
export async function flushRoutes(rtnl: Rtnl): Promise<void> {
  await rtnl.links.set({ name: "v0", up: false });
  await rtnl.links.set({ name: "v0", up: true });
}

/** Sends all; throws the first error. */
export async function all(rtnl: Rtnl, requests: Iterable<Request<void>>): Promise<void> {
  const refused = (await rtnl.batch(requests)).find((answer) => answer instanceof NetlinkError);
  if (refused !== undefined) throw refused;
}

/** Deletes all veth pairs of the host at once. */
export async function deleteVeths(): Promise<void> {
  using rtnl = Rtnl.open();
  const links = await rtnl.request(link.list({ linkInfo: { kind: "veth" } }));
  if (links.length === 0) return;
  const group = 4711;
  // An end that is gone with its other end meanwhile needs no group.
  await rtnl.batch(links.map(({ index }) => link.set({ index, group })));
  await rtnl.links.delete({ group });
}

/** Waits until the host has no veth any more: the kernel deletes those of a namespace that is gone. */
export async function untilNoVeths(): Promise<void> {
  using rtnl = Rtnl.open();
  const veths = link.list({ linkInfo: { kind: "veth" } });
  // To look takes the lock that the kernel needs for it, so it is not looked without a rest.
  while ((await rtnl.request(veths)).length > 0) await new Promise((go) => setTimeout(go, 10));
}

/** Takes all pairs, bridges and named namespaces away. */
export async function cleanUp(): Promise<void> {
  await deleteVeths();
  for (const { name, kind } of await listLinks()) if (kind === "bridge") await deleteLink(name!);
  for (const { name } of Netns.list()) Netns.remove(name);
}

/** What `ip -j` says. */
// deno-lint-ignore no-explicit-any
export async function ask(...args: string[]): Promise<any[]> {
  return JSON.parse(await run(["ip", "-j", ...args]) || "[]");
}

/** Throws unless so many containers are attached; of one of them all is looked at. */
export async function checkAttached(names: readonly string[]): Promise<void> {
  expect("bridge ports", (await ask("link", "show", "master", "br0")).length, names.length);
  const number = Math.floor(Math.random() * names.length);
  const inside = ["-n", names[number]!];
  const [link] = await ask(...inside, "address", "show", "dev", "eth0", "scope", "global");
  // deno-lint-ignore no-explicit-any
  const addresses = link?.addr_info.filter(({ local }: any) => local !== undefined)
    // deno-lint-ignore no-explicit-any
    .map(({ local, prefixlen }: any) => `${local}/${prefixlen}`);
  const wanted = addressesOf(number).join(" ");
  if (addresses?.join(" ") !== wanted || !link.flags.includes("UP")) {
    throw new Error(`${names[number]} has ${addresses}, where ${wanted} should be`);
  }
  for (const family of ["-4", "-6"]) {
    const routes = await ask(...inside, family, "route", "show", "default");
    expect(`default routes of ${names[number]}`, routes.length, 1);
  }
}
