/**
 * A container joins a network: all of it, or nothing.
 *
 * @module
 */

import { ExistsError, NetlinkError, NotFoundError } from "../ffi/errors.ts";
import { errnoOf } from "../ffi/errno.ts";
import { identify } from "../ffi/system.ts";
import { connect, Netns, type NetnsOptions } from "../netns/netns.ts";
import { describeTarget, type NetnsTarget } from "../netns/target.ts";
import { type Address, address } from "../rtnl/address.ts";
import { type Link, link, SKIP_STATS } from "../rtnl/link.ts";
import type { Request } from "../rtnl/request.ts";
import type { Results } from "../rtnl/connection.ts";
import { netconf } from "../rtnl/netconf.ts";
import { type Route, route } from "../rtnl/route.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import {
  type AttachSpec,
  type AttachStep,
  familiesOf,
  readSpec,
  type Wanted,
} from "./attach_input.ts";
import { flagsAtOnce } from "./addresses.ts";
import { type Attachment, attachmentsOf, removeAttachments } from "./attachments.ts";
import { type Bridge, requireBridge } from "./bridges.ts";
import { type Family, forwardingMark, startForwarding } from "./forwarding.ts";
import { isLinkLocal } from "./input.ts";
import { absentIsFalse, findLink, getLink } from "./links.ts";
import { formatTag, idAltName, type Tag } from "./tag.ts";
import { Undo } from "./undo.ts";

/** The links of all attachments, for deleting many at once. */
const GROUP = 0x646c;

/**
 * Gives a container a link, addresses and default routes (veth(4), rtnetlink(7)).
 *
 * The container's end is born in its namespace under its final name, so no link is ever moved, and when
 * the namespace dies the kernel takes both ends away. The addresses are usable at once (no duplicate
 * address detection). The host forwards from then on where it is the gateway. `detach` puts back what
 * was changed; `lo` stays up.
 *
 * `InputError` for what can't be meant, `NotFoundError` when the namespace or the bridge is absent,
 * `ExistsError` when the container has a link of that name, `PermissionError` without CAP_NET_ADMIN over
 * both namespaces. Whatever fails, nothing is left behind.
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
 */
export async function attach(spec: AttachSpec, options: NetnsOptions = {}): Promise<Attachment> {
  const wanted = readSpec(spec);
  using container = Netns.open(spec.netns);
  using here = options.netns && Netns.open(options.netns);
  const host: NetnsOptions = { netns: here };
  using outside = await connect(host);
  // The thread that opens it works beside this one, so it is waited for when it is needed.
  const opening = container.connect();
  await using _inside = closing(opening);
  const undo = new Undo();
  const step = async (name: AttachStep) => await spec.onStep?.(name);
  try {
    await step("pin the namespace");

    const { bridge, forwarding, forwardingWasOff, switchedOff } = await survey(
      outside,
      wanted,
      spec.bridge,
    );
    const tag: Tag = {
      id: wanted.id,
      netns: container.id,
      interface: wanted.interface,
      addresses: wanted.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
      gateways: wanted.gateways.map(({ address }) => address),
      forwarding,
      forwardingWasOff,
    };
    const mtu = wanted.mtu ?? bridge?.mtu ?? 1500;
    // 44 random bits: no look-up, no counter to share, no name that another container could hash to.
    const hostInterface = `veth${crypto.randomUUID().replaceAll("-", "").slice(0, 11)}`;
    const attachment: Attachment = { ...tag, hostInterface, bridge: spec.bridge, mtu };
    await createPair(attachment, bridge, container, outside, opening);
    undo.defer(async () => {
      await removeAttachments([attachment], await attachmentsOf(outside), outside, host);
    });
    await step("create the pair");

    // The link that remembers whether the host forwarded before.
    let bearer = bridge?.index;
    if (bearer === undefined) {
      bearer = (await getLink(outside, hostInterface)).index;
      await all(outside, hostRequests(wanted, bearer));
      await step("route on the host");
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

    await startForwarding(switchedOff, bearer, outside, host);
    await step("switch forwarding on");

    confirmAlive(spec.netns, container);
    await step("look whether the container lives");

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

/** What there is on the host. */
interface Survey {
  bridge: Bridge | undefined;
  /** The families for which this host is the gateway. */
  forwarding: Family[];
  /** Those of them that it did not forward before its first attachment. */
  forwardingWasOff: Family[];
  /** Those of them that it does not forward yet. */
  switchedOff: Family[];
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

/** Looks at the host, with one system call. */
async function survey(
  outside: Rtnl,
  { interface: name, addresses, gateways }: Wanted,
  bridgeName: string | undefined,
): Promise<Survey> {
  const [conf4, conf6, mark4, mark6, ...found] = await outside.batch([
    netconf.get({ family: "inet" }),
    netconf.get({ family: "inet6" }),
    link.get({ altName: forwardingMark("inet"), extendedMask: SKIP_STATS }),
    link.get({ altName: forwardingMark("inet6"), extendedMask: SKIP_STATS }),
    ...gateways.map(ownAddress),
    ...(bridgeName === undefined ? [] : [{
      ...link.get({ name: bridgeName, extendedMask: SKIP_STATS }),
      operation: `attach ${name} to bridge ${bridgeName}`,
    }]),
  ]);
  const state = {
    inet: { conf: conf4, mark: mark4 },
    inet6: { conf: conf6, mark: mark6 },
  };
  // A kernel without that family, or without a mark, answers with an error.
  const isOff = (family: Family) => {
    const { conf } = state[family];
    return !(conf instanceof NetlinkError) && conf.forwarding === 0;
  };
  const isMarked = (family: Family) => !(state[family].mark instanceof NetlinkError);
  const routed = (forwarding: Family[], bridge?: Bridge): Survey => ({
    bridge,
    forwarding,
    forwardingWasOff: forwarding.filter((family) => isOff(family) || isMarked(family)),
    switchedOff: forwarding.filter(isOff),
  });
  if (bridgeName === undefined) return routed(familiesOf(addresses));
  const bridge = found.pop() as Link | NetlinkError;
  if (bridge instanceof NetlinkError) throw bridge;
  const own = gateways.filter((_, i) => isOwn(found[i] as Route | Address | NetlinkError));
  return routed(familiesOf(own), requireBridge(bridge, `attach ${name} to bridge ${bridgeName}`));
}

/** Creates both ends where they belong, and writes on the host's what it is for. */
async function createPair(
  attachment: Attachment,
  bridge: Bridge | undefined,
  container: Netns,
  outside: Rtnl,
  inside: Promise<Rtnl>,
): Promise<void> {
  const { hostInterface: name, interface: peer, mtu } = attachment;
  const altName = idAltName(attachment);
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
        data: { peer: { name: peer, mtu, netnsFd: container.fd } },
      },
    }),
    link.set({ name, alias: formatTag(attachment) }),
    ...(altName === undefined ? [] : [link.addAltNames({ name, altNames: [altName] })]),
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
  return new ExistsError(`attach ${name} of ${id}`, cause.errno, {
    remedy: "that id is attached under this name already; detach it or use another id",
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
  const { addresses, gateways } = wanted;
  return forAttach(wanted, [
    ...addresses.map(({ family, address: own, prefixLength }) =>
      address.add({
        index,
        address: own,
        prefixLength,
        // Without a bridge no neighbour is on the link: all goes by the gateway.
        flags: [...flagsAtOnce(family), ...(onBridge ? [] : ["noprefixroute" as const])],
      })
    ),
    link.set({ index, up: true }),
    ...gateways.map((gateway) =>
      route.add({
        gateway: gateway.address,
        oif: index,
        flags: onBridge ? [] : ["onlink"],
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
  const error = (results as unknown[]).find((result) => result instanceof NetlinkError);
  if (error !== undefined) throw error;
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
