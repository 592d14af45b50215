/**
 * The small steps for links.
 *
 * @module
 */

import { ExistsError, NotFoundError } from "../ffi/errors.ts";
import { errnoOf } from "../ffi/errno.ts";
import { connect, Netns, type NetnsOptions } from "../netns/netns.ts";
import { describeTarget, type NetnsTarget } from "../netns/target.ts";
import { type Link, link, type LinkSpec, SKIP_STATS } from "../rtnl/link.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { checkLinkName } from "./input.ts";

/** Where the two ends of a pair shall be. */
export interface VethOptions extends NetnsOptions {
  /**
   * The namespace in which the peer is born, so that it is never moved.
   * @default {the same as `netns`}
   */
  peerNetns?: NetnsTarget | undefined;
}

/**
 * Creates a veth pair (veth(4)). `ExistsError` names which of the two names is taken.
 *
 * @example A pair with its other end in a container
 * ```ts
 * import { createVethPair } from "@denolink/denolink";
 *
 * await createVethPair("vh0", "eth0", { peerNetns: { pid: 4242 } });
 * ```
 */
export async function createVethPair(
  name: string,
  peerName: string,
  { netns, peerNetns }: VethOptions = {},
): Promise<void> {
  checkLinkName(name);
  checkLinkName(peerName);
  using there = peerNetns && Netns.open(peerNetns);
  using rtnl = await connect({ netns });
  try {
    await rtnl.links.add({
      name,
      linkInfo: { kind: "veth", data: { peer: { name: peerName, netnsFd: there?.fd } } },
    });
  } catch (error) {
    if (!(error instanceof ExistsError)) throw error;
    const taken = await findLink(rtnl, { name }) ? name : peerName;
    throw new ExistsError(error.operation, error.errno, {
      remedy: `there is a link ${taken} already; delete it or take another name`,
      cause: error,
    });
  }
}

/**
 * Moves a link into another namespace and gives it a name there, in one request. `NotFoundError`
 * when there is no such link, `ExistsError` when the name is taken there.
 *
 * The kernel takes about 20 ms for a move: `attach` and `createVethPair` with `peerNetns` need none.
 *
 * @example Hand a link to a container
 * ```ts
 * import { moveLinkIntoNetns } from "@denolink/denolink";
 *
 * await moveLinkIntoNetns("vp0", { pid: 4242 }, "eth0");
 * ```
 */
export async function moveLinkIntoNetns(
  name: string,
  target: NetnsTarget,
  newName: string,
  options: NetnsOptions = {},
): Promise<void> {
  checkLinkName(newName);
  using there = Netns.open(target);
  using here = options.netns === undefined ? Netns.current() : Netns.open(options.netns);
  using rtnl = await connect(options);
  const { index } = await getLink(rtnl, name);
  const operation = `move link ${name} into ${describeTarget(target)} as ${newName}`;
  try {
    await rtnl.request({ ...link.set({ index, name: newName, netnsFd: there.fd }), operation });
  } catch (error) {
    if (error instanceof ExistsError) await bringBack(name, index, there, here, rtnl);
    throw error;
  }
}

/** The kernel moves first and renames then: a link whose new name is taken is there under its old one. */
async function bringBack(
  name: string,
  index: number,
  there: Netns,
  here: Netns,
  rtnl: Rtnl,
): Promise<void> {
  if (await findLink(rtnl, { index })) return;
  using inside = await there.connect();
  const { index: newIndex } = await getLink(inside, name);
  await inside.links.set({ index: newIndex, name, netnsFd: here.fd });
}

/**
 * Deletes a link; false when there was none.
 *
 * @example Delete a pair by one of its ends
 * ```ts
 * import { deleteLink } from "@denolink/denolink";
 *
 * console.log(await deleteLink("vh0"));
 * ```
 */
export async function deleteLink(name: string, options?: NetnsOptions): Promise<boolean> {
  checkLinkName(name);
  using rtnl = await connect(options);
  return await absentIsFalse(() => rtnl.links.delete({ name }));
}

/**
 * All links of a namespace.
 *
 * @example Names and kinds
 * ```ts
 * import { listLinks } from "@denolink/denolink";
 *
 * for (const { index, name, kind, mtu } of await listLinks()) console.log(index, name, kind, mtu);
 * ```
 */
export async function listLinks(options?: NetnsOptions): Promise<Link[]> {
  using rtnl = await connect(options);
  return await Array.fromAsync(rtnl.links.list());
}

/**
 * Raises a link. `NotFoundError` when there is none of that name.
 *
 * @example Raise the loopback of a container
 * ```ts
 * import { setLinkUp } from "@denolink/denolink";
 *
 * await setLinkUp("lo", { netns: { pid: 4242 } });
 * ```
 */
export async function setLinkUp(name: string, options?: NetnsOptions): Promise<void> {
  checkLinkName(name);
  using rtnl = await connect(options);
  const { index } = await getLink(rtnl, name);
  await rtnl.request({ ...link.set({ index, up: true }), operation: `set link ${name} up` });
}

/** A link by its name; `NotFoundError` names it. */
export async function getLink(rtnl: Rtnl, name: string): Promise<Link & { index: number }> {
  checkLinkName(name);
  return await rtnl.links.get({ name, extendedMask: SKIP_STATS }) as Link & { index: number };
}

/** A link, or `undefined` when there is none. */
export async function findLink(rtnl: Rtnl, spec: LinkSpec): Promise<Link | undefined> {
  try {
    return await rtnl.links.get(spec);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** True when the change was made, false when what it was about is not there. */
export async function absentIsFalse(change: () => Promise<void>): Promise<boolean> {
  try {
    await change();
    return true;
  } catch (error) {
    if (error instanceof NotFoundError || errnoIs(error, "EADDRNOTAVAIL")) return false;
    throw error;
  }
}

/** Whether an error carries that errno. */
export function errnoIs(error: unknown, name: string): boolean {
  return (error as { errno?: unknown } | undefined)?.errno === errnoOf(name);
}
