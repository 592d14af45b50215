/**
 * Bridges of several hosts as one network: a vxlan link as a bridge's port (RFC 7348), with an entry in its
 * forwarding table for each of the other hosts.
 *
 * @module
 */

import { ExistsError, InputError, NetlinkError } from "../ffi/errors.ts";
import { errnoOf } from "../ffi/errno.ts";
import { findHeld } from "../netns/held.ts";
import { Netns } from "../netns/netns.ts";
import { type Link, link, SKIP_STATS } from "../rtnl/link.ts";
import { forwarding, type Neighbour } from "../rtnl/neighbour.ts";
import { type Route, route } from "../rtnl/route.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import type { Bridge } from "./bridges.ts";
import { isLinkLocal, isMulticast, isUnspecified, parseHost } from "./input.ts";
import { absentIsFalse, findLink } from "./links.ts";
import { parseTag } from "./tag.ts";

/** How a bridge reaches those of other hosts. */
export interface VxlanSpec {
  /** The network's number, 0 to 16777215, the same on all hosts. */
  id: number;
  /** This host's address, that the others send to. */
  local: string;
  /** The addresses of the other hosts, all of them: what comes from one is not sent on to the next. */
  remotes: readonly string[];
  /**
   * The UDP port, the same on all hosts.
   * @default {4789}
   */
  port?: number | undefined;
}

/** A spec, read: addresses in their canonical form, all of one family. */
export interface WantedVxlan {
  id: number;
  family: "inet" | "inet6";
  local: string;
  remotes: string[];
  port: number;
}

type Vxlan = Link & { index: number };

/** What a packet grows by: its Ethernet header, VXLAN (8), UDP (8) and IP. */
const OVERHEAD = { inet: 14 + 8 + 8 + 20, inet6: 14 + 8 + 8 + 40 };
/** The MTU of most links, for an underlay that is not to be seen. */
const ETHERNET_MTU = 1500;
/** Whose entry leads to all that have none: broadcasts, and addresses that are not known yet. */
const ANYBODY = "00:00:00:00:00:00";

/** Reads a spec; `InputError` for what can't be meant. */
export function readVxlan({ id, local, remotes, port = 4789 }: VxlanSpec): WantedVxlan {
  const refuse = (problem: string): never => {
    throw new InputError(`Cannot use vxlan ${JSON.stringify(id)}: ${problem}`);
  };
  const within = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  if (!within(id, 0, 0xffffff)) refuse("an id is a whole number from 0 to 16777215");
  if (!within(port, 1, 65535)) {
    refuse(
      `a port is a whole number from 1 to 65535, got ${
        JSON.stringify(port)
      }; leave it out for 4789`,
    );
  }
  if (!Array.isArray(remotes)) refuse("remotes are the addresses of the other hosts, as an array");
  const read = (text: string, what: string) => {
    const host = parseHost(text, what);
    const problem = isUnspecified(host) || isMulticast(host)
      ? "is no single host's"
      : host.bytes[0] === 127 && host.family === "inet" || host.address === "::1"
      ? "is every host's own"
      : isLinkLocal(host)
      ? "is link-local"
      : undefined;
    if (problem) refuse(`${what} ${host.address} ${problem}; take one that the hosts route to`);
    return host;
  };
  const own = read(local, "local address");
  const others = remotes.map((remote) => read(remote, "remote address"));
  const addresses = others.map(({ address }) => address);
  for (const [i, { address, family }] of others.entries()) {
    if (family !== own.family) {
      refuse(
        `local address ${own.address} and remote address ${address} are not of one family; take two IPv4 or two IPv6 addresses`,
      );
    }
    if (address === own.address) {
      refuse(`remote address ${address} is this host's own; leave it out`);
    }
    if (addresses.indexOf(address) !== i) {
      refuse(`remote address ${address} is given twice; give it once`);
    }
  }
  return { id, family: own.family, local: own.address, remotes: addresses, port };
}

/**
 * Makes the vxlan a port of the bridge, or changes what differs. The host's lock is held.
 *
 * Its MTU is what the links to the other hosts leave it, and the bridge's is never above that, so that those
 * who attach later get it too. Attachments that are there before it get it on both ends, unless their
 * namespace can't be opened: with only the host's end lowered they would lose packets to each other.
 *
 * After an interruption the same call does the rest.
 */
export async function ensureVxlan(
  rtnl: Rtnl,
  bridge: Bridge,
  wanted: WantedVxlan,
): Promise<void> {
  const all = await listVxlans(rtnl);
  const ours = all.filter((it) => isOurs(it, bridge));
  const kept = ours.find((it) => it.master === bridge.index && isAsWanted(it, wanted));
  const stale = ours.filter((it) => it !== kept);
  const mtu = await tunnelMtu(rtnl, bridge, wanted) ?? kept?.mtu ??
    ETHERNET_MTU - OVERHEAD[wanted.family];
  if (kept === undefined) {
    await refuseTaken(rtnl, bridge, wanted, all.filter((it) => !stale.includes(it)));
    await refuseForeign(rtnl, bridge, wanted);
  }
  // First of all: a vxlan that has its MTU says that the other ports were lowered to it.
  if (mtu < (kept?.mtu ?? Infinity)) await lowerAttachments(rtnl, bridge, mtu);
  const index = kept === undefined
    ? await create(rtnl, bridge, wanted, mtu, stale)
    : await change(rtnl, kept, mtu, stale);
  await setRemotes(rtnl, index, wanted.remotes);
  await lowerBridge(rtnl, bridge, mtu);
}

/** Deletes the vxlan that is a bridge's port, if it was made for it. */
export async function removeVxlan(rtnl: Rtnl, bridge: number): Promise<void> {
  for (const { index, name, master, alias } of await listVxlans(rtnl)) {
    if (master !== bridge || parseVxlanTag(alias) === undefined) continue;
    await absentIsFalse(() =>
      rtnl.request({ ...link.delete({ index }), operation: `delete vxlan ${name}` })
    );
  }
}

/** Whether a link with this alias is a vxlan that was made for a bridge. */
export function isOwnVxlan(alias: string | undefined): boolean {
  return parseVxlanTag(alias) !== undefined;
}

async function listVxlans(rtnl: Rtnl): Promise<Vxlan[]> {
  const links = await Array.fromAsync(rtnl.links.list({ linkInfo: { kind: "vxlan" } }));
  // A kernel that has not loaded the kind yet lists all links.
  return links.filter(({ kind }) => kind === "vxlan") as Vxlan[];
}

/** Whether a vxlan was made for this bridge: it is its port, or was the port of one that is gone. */
function isOurs({ alias, master }: Vxlan, bridge: Bridge): boolean {
  const tag = parseVxlanTag(alias);
  if (tag === undefined) return false;
  return master ? master === bridge.index : tag.bridge === bridge.name;
}

function isAsWanted(vxlan: Vxlan, { id, family, local, port }: WantedVxlan): boolean {
  const data = dataOf(vxlan);
  const [own, group] = family === "inet"
    ? [data?.local, data?.group]
    : [data?.local6, data?.group6];
  return data?.id === id && data.port === port && own === local && group === undefined;
}

function dataOf({ linkInfo }: Vxlan) {
  return linkInfo?.kind === "vxlan" ? linkInfo.data : undefined;
}

/** Refuses a name or an id that is in use, before anything is deleted. */
async function refuseTaken(
  rtnl: Rtnl,
  bridge: Bridge,
  { id, family, port }: WantedVxlan,
  others: readonly Vxlan[],
): Promise<void> {
  const refuse = (remedy: string): never => {
    throw new ExistsError(operationOf(id, bridge), errnoOf("EEXIST"), { remedy });
  };
  const twin = others.find((other) => {
    const data = dataOf(other);
    return data?.id === id && data.port === port &&
      (data.local6 !== undefined) === (family === "inet6");
  });
  if (twin !== undefined) {
    refuse(
      `link ${twin.name} has this id on port ${port} already, and is not this bridge's; delete it, or take another id or port`,
    );
  }
  const name = nameOf(id);
  const found = await findLink(rtnl, { name, extendedMask: SKIP_STATS });
  if (found === undefined || isOurs(found as Vxlan, bridge)) return;
  refuse(
    `there is a link ${name} already, and it is not this bridge's; delete it, or take another id`,
  );
}

/** Refuses to send from an address that the kernel would not send from. */
async function refuseForeign(
  rtnl: Rtnl,
  bridge: Bridge,
  { id, family, local }: WantedVxlan,
): Promise<void> {
  if (await linkOf(rtnl, family, local) !== undefined) return;
  throw new InputError(
    `Cannot ${
      operationOf(id, bridge)
    }: local address ${local} is not this host's; take one of its own`,
  );
}

/** In the place of those that are not as wanted; written on it in the same system call. */
async function create(
  rtnl: Rtnl,
  bridge: Bridge,
  { id, family, local, port }: WantedVxlan,
  mtu: number,
  stale: readonly Vxlan[],
): Promise<number> {
  const name = nameOf(id);
  const own = family === "inet" ? { local } : { local6: local };
  const results = await rtnl.batch([
    ...stale.map(({ index }) => link.delete({ index })),
    {
      ...link.add({
        name,
        mtu,
        up: true,
        master: bridge.index,
        linkInfo: { kind: "vxlan", data: { id, port, learning: true, ...own } },
      }),
      operation: operationOf(id, bridge),
    },
    link.set({ name, alias: formatVxlanTag({ id, bridge: bridge.name! }) }),
  ]);
  const [made, tagged] = results.slice(stale.length);
  if (made instanceof NetlinkError) throw made;
  if (tagged instanceof NetlinkError) {
    await absentIsFalse(() => rtnl.links.delete({ name }));
    throw tagged;
  }
  return (await rtnl.links.get({ name, extendedMask: SKIP_STATS })).index!;
}

/** Changes what differs, and nothing else: containers are talking. */
async function change(
  rtnl: Rtnl,
  { index, mtu: current, flags }: Vxlan,
  mtu: number,
  stale: readonly Vxlan[],
): Promise<number> {
  for (const { index } of stale) await absentIsFalse(() => rtnl.links.delete({ index }));
  const differs = {
    ...mtu === current ? {} : { mtu },
    ...flags?.includes("up") ? {} : { up: true },
  };
  if (Object.keys(differs).length > 0) await rtnl.links.set({ index, ...differs });
  return index;
}

/** Whom the vxlan sends to what it has no other entry for; entries of other making stay. */
async function setRemotes(rtnl: Rtnl, index: number, remotes: readonly string[]): Promise<void> {
  const entries = (await Array.fromAsync(rtnl.forwarding.list({ index }))).filter(isPlain);
  const isToAnybody = ({ address }: Neighbour) => address === ANYBODY;
  const current = entries.filter(isToAnybody).map(({ dst }) => dst!);
  const gone = entries.filter(({ dst }) => current.includes(dst!) && !remotes.includes(dst!));
  const learned = gone.filter((it) => !isToAnybody(it) && !it.state?.includes("permanent"));
  const results = await rtnl.batch([
    ...remotes.filter((dst) => !current.includes(dst))
      .map((dst) => forwarding.append({ index, address: ANYBODY, dst })),
    // First what was learned: it is looked for only as long as the other entry is there.
    ...[...learned, ...gone.filter(isToAnybody)]
      .map(({ address, dst }) => forwarding.delete({ index, address, dst })),
  ]);
  // What was learned may have been forgotten meanwhile.
  const error = results.find((it) => it instanceof NetlinkError && it.code !== "ENOENT");
  if (error !== undefined) throw error;
}

/** An entry of the vxlan's own table that says a remote address and nothing more of the way there. */
function isPlain({ dst, flags, port, vni, via }: Neighbour): boolean {
  return dst !== undefined && flags?.includes("self") === true &&
    [port, vni, via].every((it) => it === undefined);
}

/** The largest packet that fits the ways to the remotes; `undefined` when none is known. */
async function tunnelMtu(
  rtnl: Rtnl,
  bridge: Bridge,
  { id, family, local, remotes }: WantedVxlan,
): Promise<number | undefined> {
  const srcLength = family === "inet" ? 32 : 128;
  const answers = await rtnl.batch(
    remotes.map((dst) => route.get({ family, dst, src: local, srcLength })),
  );
  // One that can't be reached now is no reason to cut off the others.
  const routes = answers.filter((it) => !(it instanceof NetlinkError)) as Route[];
  const ways = routes.filter(({ type, oif }) => type === "unicast" && oif !== undefined);
  const loop = ways.find(({ oif }) => oif === bridge.index);
  if (loop !== undefined) {
    throw new InputError(
      `Cannot ${
        operationOf(id, bridge)
      }: the route to ${loop.dst} leads through that bridge itself; route it by another link`,
    );
  }
  const own = ways.length > 0 ? undefined : await linkOf(rtnl, family, local);
  const indexes = [...new Set(ways.map(({ oif }) => oif!)), ...own === undefined ? [] : [own]];
  const links = await rtnl.batch(
    indexes.map((index) => link.get({ index, extendedMask: SKIP_STATS })),
  );
  const mtus = [
    ...links.flatMap((it) =>
      it instanceof NetlinkError || it.flags?.includes("loopback") ? [] : [it.mtu!]
    ),
    // What was found out about a path expires; what an administrator said of it does not.
    ...ways.flatMap(({ metrics, cacheInfo }) => cacheInfo?.expires ? [] : metrics?.mtu ?? []),
  ];
  return mtus.length === 0 ? undefined : Math.min(...mtus) - OVERHEAD[family];
}

/** The link that has an address. */
async function linkOf(
  rtnl: Rtnl,
  family: WantedVxlan["family"],
  wanted: string,
): Promise<number | undefined> {
  for await (const { index, local, address } of rtnl.addresses.list({ family })) {
    if ((local ?? address) === wanted) return index;
  }
  return undefined;
}

/** Lowers the MTU of a bridge to that of its vxlan: the kernel does so unless it was set. */
async function lowerBridge(rtnl: Rtnl, { index }: Bridge, mtu: number): Promise<void> {
  const now = await rtnl.links.get({ index, extendedMask: SKIP_STATS });
  if (now.mtu! > mtu) await rtnl.links.set({ index, mtu });
}

/** Lowers the MTU of the attachments that are on a bridge, on both ends. */
async function lowerAttachments(rtnl: Rtnl, { index }: Bridge, mtu: number): Promise<void> {
  const ports = await Array.fromAsync(rtnl.links.list({ master: index }));
  const larger = ports.filter((port) => port.mtu! > mtu && parseTag(port.alias) !== undefined);
  if (larger.length === 0) return;
  const held = findHeld();
  for (const port of larger) {
    const { netns } = parseTag(port.alias)!;
    const files = held.find(({ id }) => id === netns)?.files ?? [];
    if (!await lowerInside(files, netns, port, mtu)) continue;
    await absentIsFalse(() => rtnl.links.set({ index: port.index, mtu }));
  }
}

/** Lowers the MTU of a port's other end; false when its namespace can't be opened. */
async function lowerInside(
  files: readonly string[],
  id: bigint,
  port: Link,
  mtu: number,
): Promise<boolean> {
  for (const path of files) {
    try {
      using netns = Netns.open({ path });
      // A file of a process that has ended meanwhile may be another's.
      if (netns.id !== id) continue;
      using inside = await netns.connect();
      const peer = await findLink(inside, { index: port.link, extendedMask: SKIP_STATS });
      if (peer?.kind !== "veth" || peer.link !== port.index) return false;
      if (peer.mtu! > mtu) await inside.links.set({ index: peer.index, mtu });
      return true;
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
    }
  }
  return false;
}

/** What is written on a vxlan: what it is, and whose port. */
interface VxlanTag {
  id: number;
  bridge: string;
}

/** The text on a vxlan: `denolink vxlan=42 master=br0`. */
function formatVxlanTag({ id, bridge }: VxlanTag): string {
  return `denolink vxlan=${id} master=${bridge}`;
}

/** Reads a link's alias; `undefined` when it is no vxlan of ours. */
function parseVxlanTag(alias: string | undefined): VxlanTag | undefined {
  const [, id, bridge] = /^denolink vxlan=(\d+) master=(\S+)$/.exec(alias ?? "") ?? [];
  return id === undefined || bridge === undefined ? undefined : { id: Number(id), bridge };
}

function nameOf(id: number): string {
  return `vx${id}`;
}

function operationOf(id: number, { name }: Bridge): string {
  return `make vxlan ${id} a port of bridge ${name}`;
}
