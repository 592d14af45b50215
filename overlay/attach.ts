/**
 * A container joins a network: all of it, or nothing.
 *
 * @module
 */

import { ExistsError, NetlinkError, NotFoundError } from "../ffi/errors.ts";
import { errnoOf } from "../ffi/errno.ts";
import { identify } from "../ffi/system.ts";
import { Netns, type NetnsOptions } from "../netns/netns.ts";
import { setSysctls } from "../netns/sysctl.ts";
import { describeTarget, type NetnsTarget } from "../netns/target.ts";
import { type Address, address } from "../rtnl/address.ts";
import type { Results } from "../rtnl/connection.ts";
import { type Link, link, SKIP_STATS } from "../rtnl/link.ts";
import { netconf } from "../rtnl/netconf.ts";
import type { Request } from "../rtnl/request.ts";
import { type Route, route } from "../rtnl/route.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { flagsAtOnce } from "./addresses.ts";
import { chooseAddresses } from "./attach_addresses.ts";
import { ensureBridge } from "./attach_bridge.ts";
import {
  type AttachSpec,
  type AttachStep,
  checkGateways,
  familiesOf,
  readSpec,
  type Wanted,
} from "./attach_input.ts";
import {
  type Attachment,
  deleteDead,
  deleteHalfMade,
  deleteLinks,
  findAttachments,
  type Found,
  throwFirst,
} from "./attachments.ts";
import { type Bridge, requireBridge } from "./bridges.ts";
import { type Family, startForwarding } from "./forwarding.ts";
import { type Host, openHost } from "./host.ts";
import { isLinkLocal } from "./input.ts";
import { absentIsFalse, findLink, getLink } from "./links.ts";
import { withHostLock } from "./lock.ts";
import { askMarks, marksIn } from "./marks.ts";
import { makeNetns } from "./made_netns.ts";
import { hasTable, needsNat, translateAlsoFor } from "./nat.ts";
import { PoolExhaustedError } from "./pool.ts";
import { limitRate } from "./rate.ts";
import { settle } from "./settle.ts";
import {
  addressAltName,
  formatTag,
  idAltName,
  makingAltName,
  parseTag,
  portAltName,
  type Tag,
} from "./tag.ts";
import { Undo } from "./undo.ts";

/** The links of all attachments, for `ip link show group 25708`. */
const GROUP = 0x646c;

/**
 * Gives a container a link, addresses and default routes (veth(4), rtnetlink(7)).
 *
 * The container's end is born in its namespace under its final name, so no link is ever moved, and when
 * the namespace dies the kernel takes both ends away. The addresses are usable at once (no duplicate
 * address detection), and no other container's: of a bridge, or of all that are routed. The host forwards
 * from then on where it is the gateway. `detach` puts back what was changed; `lo` stays up.
 *
 * One attach, detach or sweep at a time changes a host, of all processes. One that was killed leaves
 * nothing: the next of the same owner takes it away.
 *
 * `InputError` for what can't be meant, `NotFoundError` when the namespace or the bridge is absent,
 * `ExistsError` when the container has a link of that name, or another container the address, id or port,
 * `PoolExhaustedError` when no address is free, `PermissionError` without CAP_NET_ADMIN over both
 * namespaces. Whatever fails, nothing is left behind.
 *
 * @example A container on a bridge
 * ```ts
 * import { attach } from "@denolink/denolink";
 *
 * const attachment = await attach({
 *   netns: { pid: 4242 },
 *   bridge: "br0",
 *   addresses: ["10.0.0.2/24", "fd00::2/64"],
 *   gateways: ["10.0.0.1", "fd00::1"],
 * });
 * console.log(attachment.hostInterface);
 * ```
 *
 * @example The next free address of a bridge that is made when needed, with a way out and a way in
 * ```ts
 * import { attach } from "@denolink/denolink";
 *
 * const { addresses } = await attach({
 *   netns: { pid: 4242 },
 *   bridge: { name: "br0", addresses: ["10.0.0.1/24", "fd00::1/64"] },
 *   addresses: ["auto"],
 *   gateways: ["auto"],
 *   masquerade: true,
 *   publish: [{ protocol: "tcp", hostPort: 8080, port: 80 }],
 * });
 * console.log(addresses);
 * ```
 */
export async function attach(spec: AttachSpec, options: NetnsOptions = {}): Promise<Attachment> {
  const wanted = readSpec(spec);
  // Before the lock: a namespace that is not there is no reason to wait.
  using pinned = wanted.createNetns === undefined ? Netns.open(spec.netns) : undefined;
  using host = await openHost(options);
  const operation = `attach ${wanted.interface} of ${describeTarget(spec.netns)}`;
  return await withHostLock(operation, host.netns, async () => {
    if (await deleteHalfMade(host.rtnl, wanted.owner)) await settle(host, wanted.owner);
    const name = wanted.createNetns;
    using made = name === undefined ? undefined : await makeNetns(name, host.netns, wanted.owner);
    using container = Netns.open(made ?? pinned ?? spec.netns);
    try {
      return await attachInside(container, { spec, wanted, host });
    } catch (error) {
      if (made !== undefined) Netns.remove(name!);
      throw error;
    }
  });
}

/** The same for who has the host's lock, for a namespace that is there; `digest` is written on the link. */
export async function attachOn(
  host: Host,
  container: Netns,
  spec: AttachSpec,
  digest: string,
): Promise<Attachment> {
  return await attachInside(container, { spec, wanted: readSpec(spec), host, digest });
}

async function attachInside(container: Netns, task: Task): Promise<Attachment> {
  try {
    return await attachTo(container, task);
  } catch (error) {
    const isTaken = error instanceof ExistsError || error instanceof PoolExhaustedError;
    if (!isTaken || !await deleteDead(task.host.rtnl)) throw error;
    return await attachTo(container, task);
  }
}

/** What an attach is about. */
interface Task {
  spec: AttachSpec;
  wanted: Wanted;
  host: Host;
  /** Of a topology's attachment. */
  digest?: string;
}

/** Attaches a namespace; the host's lock is held. */
async function attachTo(container: Netns, task: Task): Promise<Attachment> {
  const { spec, host } = task;
  const outside = host.rtnl;
  // The thread that opens it works beside this one, so it is waited for when it is needed.
  const opening = container.connect();
  await using _inside = closing(opening);
  const undo = new Undo();
  const step = async (name: AttachStep) => await spec.onStep?.(name);
  try {
    await step("pin the namespace");

    let wanted = task.wanted;
    if (wanted.bridge?.shape !== undefined) {
      const { shape } = wanted.bridge;
      undo.defer(async () => void await settle(host, wanted.owner));
      await ensureBridge(host, { ...wanted.bridge, shape }, wanted.owner);
      await step("make the bridge");
    }
    const replaced = wanted.replace ? await findReplaced(outside, container, wanted) : [];
    if (replaced.length > 0) {
      undo.defer(async () => void await settle(host, wanted.owner));
      await deleteLinks(outside, replaced);
    }
    const bridge = wanted.bridge === undefined ? undefined : await findBridge(outside, wanted);
    if (wanted.auto !== undefined || wanted.autoGateways) {
      wanted = await chooseAddresses(outside, bridge!, wanted);
      checkGateways(wanted.gateways, wanted.addresses, true);
    }
    const { forwarding, switchedOff, translates } = await survey(outside, wanted, bridge);
    const tag: Tag = {
      owner: wanted.owner,
      id: wanted.id,
      netns: container.id,
      interface: wanted.interface,
      addresses: wanted.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
      gateways: wanted.gateways.map(({ address }) => address),
      forwarding,
      masquerade: wanted.masquerade,
      publish: wanted.publish,
      digest: task.digest,
    };
    const largest = Math.min(wanted.bridge?.shape?.mtu ?? Infinity, bridge?.mtu ?? 1500);
    const mtu = wanted.mtu ?? largest;
    // 44 random bits: no look-up, no counter to share, no name that another container could hash to.
    const hostInterface = `veth${crypto.randomUUID().replaceAll("-", "").slice(0, 11)}`;
    const attachment: Attachment = { ...tag, hostInterface, bridge: bridge?.name, mtu };
    await createPair(attachment, wanted, bridge, container, outside, opening);
    undo.defer(async () => {
      await absentIsFalse(() => outside.links.delete({ name: hostInterface }));
      await settle(host, wanted.owner);
    });
    await step("create the pair");

    if (bridge === undefined || wanted.rate.receive !== undefined) {
      const { index } = await getLink(outside, hostInterface);
      if (bridge === undefined) {
        await all(outside, hostRequests(wanted, index));
        await step("route on the host");
      }
      if (wanted.rate.receive !== undefined) {
        await all(outside, forAttach(wanted, [limitRate(index, wanted.rate.receive)]));
        await step("limit the rate");
      }
    }

    const inside = await opening;
    const [own, loopback, addresses] = await all(inside, [
      link.get({ name: wanted.interface, extendedMask: SKIP_STATS }),
      link.get({ name: "lo", extendedMask: SKIP_STATS }),
      address.list({ family: "inet" }),
    ]);
    undo.defer(() => restoreLoopback(inside, loopback, addresses));
    await all(inside, [
      link.set({ index: loopback.index, up: true }),
      ...containerRequests(wanted, own.index!, bridge !== undefined),
    ]);
    await step("configure the container");

    if (Object.keys(wanted.sysctls).length > 0) {
      const previous = await setSysctls(wanted.sysctls, { netns: container });
      undo.defer(async () => void await setSysctls(previous, { netns: container }));
      await step("set sysctls");
    }

    await startForwarding(switchedOff, outside, host.where);
    await step("switch forwarding on");

    // A port that led to a container which is gone must not lead to the next with its address.
    if (needsNat(attachment) || translates) {
      await translateAlsoFor(attachment, outside);
      await step("translate addresses");
    }

    confirmAlive(spec.netns, container);
    await step("look whether the container lives");

    // From now on it is no longer half made.
    await outside.links.deleteAltNames({
      ...{ name: hostInterface, altNames: [makingAltName(wanted.owner)] },
    });
    await step("commit");
    // What the host did for those only goes last, so that what this one needs too never stops.
    if (replaced.length > 0) await settle(host, wanted.owner);
    return attachment;
  } catch (error) {
    throw await undo.after(error);
  }
}

/** Closes a connection that may still be opened, or may never be. */
function closing(opening: Promise<Rtnl>): AsyncDisposable {
  // It may fail while something else is waited for; who awaits it hears of it all the same.
  opening.catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      const [opened] = await Promise.allSettled([opening]);
      if (opened.status === "fulfilled") opened.value.close();
    },
  };
}

/** What the attach takes the place of. */
async function findReplaced(outside: Rtnl, container: Netns, wanted: Wanted): Promise<Found[]> {
  return (await findAttachments(outside)).filter((it) =>
    it.owner === wanted.owner && it.interface === wanted.interface &&
    (it.netns === container.id || wanted.id !== undefined && it.id === wanted.id)
  );
}

/** The bridge that the attach names; `NotFoundError` and `InputError` say that it was for the attach. */
async function findBridge(outside: Rtnl, wanted: Wanted): Promise<Bridge> {
  const { name } = wanted.bridge!;
  const operation = `attach ${wanted.interface} to bridge ${name}`;
  const found = await outside.request({
    ...link.get({ name, extendedMask: SKIP_STATS }),
    operation,
  });
  return requireBridge(found, operation);
}

/** For which families the host routes. */
interface Survey {
  forwarding: Family[];
  /** Those of them that it does not forward yet. */
  switchedOff: Family[];
  /** Whether it translates addresses for the owner already. */
  translates: boolean;
}

/**
 * Asks whether an address is this host's. The route to an IPv6 address of one's own is made by a worker
 * of the kernel some time after the address; that of an IPv4 address is there at once.
 */
function ownAddress(gateway: Wanted["gateways"][number]): Request<Route | Address> {
  return gateway.family === "inet6"
    ? address.get({ address: gateway.address })
    : route.get({ dst: gateway.address });
}

/** No route at all, or no such address, is an error here: the host is not the gateway. */
function isOwn(answer: Route | Address | NetlinkError): boolean {
  if (answer instanceof NetlinkError) return false;
  return !("type" in answer) || answer.type === "local";
}

/** Looks at the host, with one system call; `ExistsError` for addresses and ports that are another container's. */
async function survey(
  outside: Rtnl,
  wanted: Wanted,
  bridge: Bridge | undefined,
): Promise<Survey> {
  const { owner, addresses, gateways, masquerade, publish } = wanted;
  const own = ownNames(wanted, bridge);
  const [conf4, conf6, lo, ...found] = await outside.batch([
    netconf.get({ family: "inet" }),
    netconf.get({ family: "inet6" }),
    askMarks(),
    ...gateways.map(ownAddress),
    ...own.map(({ altName }) => link.get({ altName, extendedMask: SKIP_STATS })),
  ]);
  const holders = found.splice(gateways.length) as (Link | NetlinkError)[];
  for (const [index, holder] of holders.entries()) {
    if (!(holder instanceof NetlinkError)) throw taken(wanted.interface, own[index]!, holder);
  }
  const routing = gateways.filter((_, i) => isOwn(found[i] as Route | Address | NetlinkError));
  const routed = bridge === undefined || masquerade || publish.length > 0;
  const forwarding = familiesOf(routed ? addresses : routing);
  // A kernel without that family answers with an error.
  const isOff = (conf: typeof conf4) => !(conf instanceof NetlinkError) && conf.forwarding === 0;
  const off: Record<Family, boolean> = { inet: isOff(conf4), inet6: isOff(conf6) };
  return {
    forwarding,
    switchedOff: forwarding.filter((family) => off[family]),
    translates: !(lo instanceof NetlinkError) && hasTable(owner, marksIn(lo)),
  };
}

/** What only one container can have: it is a further name of its link, so the kernel keeps it. */
interface OwnName {
  altName: string;
  what: string;
  /** What to take when it is another's. */
  other: string;
}

function ownNames({ addresses, publish }: Wanted, bridge: Bridge | undefined): OwnName[] {
  return [
    ...addresses.map(({ address }) => ({
      altName: addressAltName(bridge?.index ?? 0, address),
      what: `address ${address} is that of`,
      other: "take another address",
    })),
    ...publish.map((port) => ({
      altName: portAltName(port),
      what: `${port.protocol} port ${port.hostPort} of the host leads to`,
      other: "publish another port",
    })),
  ];
}

function taken(name: string, { what, other }: OwnName, { alias, name: link }: Link): ExistsError {
  const tag = parseTag(alias);
  const holder = tag?.id ?? (tag === undefined ? `link ${link}` : `network namespace ${tag.netns}`);
  return new ExistsError(`attach ${name}`, errnoOf("EEXIST"), {
    remedy: `${what} ${holder}; detach that, or ${other}`,
  });
}

/** Creates both ends where they belong, and writes on the host's what it is for. */
async function createPair(
  attachment: Attachment,
  wanted: Wanted,
  bridge: Bridge | undefined,
  container: Netns,
  outside: Rtnl,
  inside: Promise<Rtnl>,
): Promise<void> {
  const { hostInterface: name, interface: peer, mtu } = attachment;
  const { mac, hairpin, isolated, owner } = wanted;
  const id = idAltName(attachment);
  const altNames = [
    makingAltName(owner),
    ...id === undefined ? [] : [id],
    ...ownNames(wanted, bridge).map(({ altName }) => altName),
  ];
  const port = hairpin || isolated;
  // The kernel takes no alias at creation; in one system call with it, no kill comes in between.
  const [made, ...marked] = await outside.batch([
    link.add({
      name,
      mtu,
      up: true,
      group: GROUP,
      master: bridge?.index,
      linkInfo: {
        kind: "veth",
        data: { peer: { name: peer, mtu, address: mac, netnsFd: container.fd } },
      },
    }),
    link.set({ name, alias: formatTag(attachment) }),
    link.addAltNames({ name, altNames }),
    ...port
      ? [link.setKind({
        name,
        linkInfo: { slaveKind: "bridge", slaveData: { hairpin, isolated } },
      })]
      : [],
  ]);
  if (made instanceof NetlinkError) throw await explainCreation(made, peer, inside);
  const refused = marked.find((result) => result instanceof NetlinkError);
  if (refused === undefined) return;
  await absentIsFalse(() => outside.links.delete({ name }));
  throw refused instanceof ExistsError ? idTaken(attachment, refused) : refused;
}

async function explainCreation(
  error: NetlinkError,
  name: string,
  inside: Promise<Rtnl>,
): Promise<NetlinkError> {
  if (!(error instanceof ExistsError) || !await findLink(await inside, { name })) return error;
  return new ExistsError(`attach ${name}`, error.errno, {
    remedy: `the container has a link ${name} already; detach it or use another name`,
    cause: error,
  });
}

function idTaken({ id, interface: name }: Attachment, cause: ExistsError): ExistsError {
  return new ExistsError(`attach ${name}${id === undefined ? "" : ` of ${id}`}`, cause.errno, {
    remedy: "that id is attached under this name already; detach it, replace it or use another id",
    cause,
  });
}

/** Without a bridge: the host is the gateway, and routes to each address. */
function hostRequests(wanted: Wanted, host: number): Request<void>[] {
  const { addresses, gateways } = wanted;
  return forAttach(wanted, [
    ...gateways.map((gateway) =>
      address.add({
        index: host,
        address: gateway.address,
        ...(isLinkLocal(gateway) ? { prefixLength: 64 } : {}),
        flags: flagsAtOnce(gateway.family),
      })
    ),
    ...addresses.map(({ address: dst }) => route.add({ dst, oif: host, scope: "link" })),
  ]);
}

function containerRequests(
  wanted: Wanted,
  index: number,
  onBridge: boolean,
): Request<void>[] {
  const { addresses, gateways, routes, rate } = wanted;
  const flags = onBridge ? [] : ["onlink" as const];
  return forAttach(wanted, [
    // Before the addresses: their routes are then made with memory that the kernel waits for where it is short.
    link.set({ index, up: true }),
    ...addresses.map(({ family, address: own, prefixLength }) =>
      address.add({
        index,
        address: own,
        prefixLength,
        // Without a bridge no neighbour is on the link: all goes by the gateway.
        flags: [...flagsAtOnce(family), ...(onBridge ? [] : ["noprefixroute" as const])],
      })
    ),
    ...rate.send === undefined ? [] : [limitRate(index, rate.send)],
    ...gateways.map((gateway) => route.add({ gateway: gateway.address, oif: index, flags })),
    ...routes.map(({ destination: { family, address: dst, prefixLength }, gateway }) =>
      route.add({
        ...{ family, dst, dstLength: prefixLength, oif: index },
        ...gateway === undefined ? { scope: "link" } : { gateway: gateway.address, flags },
      })
    ),
  ]);
}

/** The same requests; their errors tell what they were part of. */
function forAttach({ interface: name }: Wanted, requests: Request<void>[]): Request<void>[] {
  return requests.map((request) => ({
    ...request,
    operation: `attach ${name}: ${request.operation}`,
  }));
}

/** Lowers `lo` if it was down, and takes away the 127.0.0.1 that the kernel gave it when it was raised. */
async function restoreLoopback(
  inside: Rtnl,
  { index, flags }: Link,
  addresses: Address[],
): Promise<void> {
  if (flags?.includes("up")) return;
  await inside.links.set({ index, up: false });
  if (addresses.some((address) => address.index === index)) return;
  await absentIsFalse(() =>
    inside.addresses.delete({ index, address: "127.0.0.1", prefixLength: 8 })
  );
}

/** Sends all, and throws the first error. */
async function all<const Requests extends readonly Request<unknown>[]>(
  rtnl: Rtnl,
  requests: Requests,
): Promise<{ [I in keyof Requests]: Exclude<Results<Requests>[I], NetlinkError> }> {
  const results: unknown = await rtnl.batch(requests);
  throwFirst(results as unknown[]);
  return results as { [I in keyof Requests]: Exclude<Results<Requests>[I], NetlinkError> };
}

/** A process that has ended, or whose number is another's by now, was attached for nothing. */
function confirmAlive(target: NetnsTarget, container: Netns): void {
  if (!("pid" in target)) return;
  const identity = identify(`/proc/${target.pid}/ns/net`);
  if (typeof identity !== "number" && identity.inode === container.id) return;
  throw new NotFoundError(`attach ${describeTarget(target)}`, errnoOf("ESRCH"), {
    remedy: "the process ended, or left its namespace, while it was attached; nothing is left",
  });
}
