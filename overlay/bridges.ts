/**
 * The small steps for bridges.
 *
 * @module
 */

import { ExistsError, InputError } from "../ffi/errors.ts";
import { connect, type NetnsOptions } from "../netns/netns.ts";
import { type Link, link } from "../rtnl/link.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { checkLinkName } from "./input.ts";
import { absentIsFalse, findLink, getLink } from "./links.ts";

/**
 * Creates a bridge, with a MAC address that stays; its carrier comes with its first port. False when there
 * is one of that name. `ExistsError` when the name is another link's.
 *
 * @example A bridge, whether it is there or not
 * ```ts
 * import { createBridge } from "@denolink/denolink";
 *
 * console.log(await createBridge("br0"));
 * ```
 */
export async function createBridge(name: string, options?: NetnsOptions): Promise<boolean> {
  checkLinkName(name);
  using rtnl = await connect(options);
  try {
    await rtnl.links.add({ name, address: newBridgeAddress(), linkInfo: { kind: "bridge" } });
    return true;
  } catch (error) {
    if (!(error instanceof ExistsError)) throw error;
    const found = await findLink(rtnl, { name });
    if (found?.kind === "bridge") return false;
    throw new ExistsError(error.operation, error.errno, {
      remedy: `${name} is ${describeKind(found)}, no bridge; take another name`,
      cause: error,
    });
  }
}

/**
 * A MAC address for a new bridge: one that anybody may give (IEEE 802, locally administered). A bridge that
 * was given none takes the lowest of its ports', so another one as containers come and go, and those that
 * know the former lose their gateway for a while.
 */
export function newBridgeAddress(): string {
  const [first = 0, ...rest] = crypto.getRandomValues(new Uint8Array(6));
  return [first & 0xfc | 2, ...rest].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/**
 * Deletes a bridge; false when there is none of that name. `InputError` when it is another kind of
 * link. Its members stay, without a master.
 *
 * @example Away with it
 * ```ts
 * import { deleteBridge } from "@denolink/denolink";
 *
 * console.log(await deleteBridge("br0"));
 * ```
 */
export async function deleteBridge(name: string, options?: NetnsOptions): Promise<boolean> {
  checkLinkName(name);
  using rtnl = await connect(options);
  const found = await findLink(rtnl, { name });
  if (found === undefined) return false;
  requireBridge(found, `delete bridge ${name}`);
  // By its number: the name may be another link's by now.
  return await absentIsFalse(() =>
    rtnl.request({ ...link.delete({ index: found.index }), operation: `delete bridge ${name}` })
  );
}

/**
 * How many links have this bridge as their master; 0 when there is no bridge of that name. Any other
 * failure is an error, so that a 0 can be trusted.
 *
 * @example Delete a bridge that nobody uses
 * ```ts
 * import { bridgeMemberCount, deleteBridge } from "@denolink/denolink";
 *
 * if (await bridgeMemberCount("br0") === 0) await deleteBridge("br0");
 * ```
 */
export async function bridgeMemberCount(name: string, options?: NetnsOptions): Promise<number> {
  checkLinkName(name);
  using rtnl = await connect(options);
  const found = await findLink(rtnl, { name });
  if (found?.kind !== "bridge") return 0;
  const members = await Array.fromAsync(rtnl.links.list({ master: found.index }));
  return members.length;
}

/**
 * Makes a link a port of a bridge. `NotFoundError` names the one that is absent, `InputError`
 * says when the other is no bridge.
 *
 * @example Plug in
 * ```ts
 * import { addLinkToBridge } from "@denolink/denolink";
 *
 * await addLinkToBridge("vh0", "br0");
 * ```
 */
export async function addLinkToBridge(
  name: string,
  bridge: string,
  options?: NetnsOptions,
): Promise<void> {
  const operation = `add link ${name} to bridge ${bridge}`;
  using rtnl = await connect(options);
  const { index } = await getLink(rtnl, name);
  const master = await getBridge(rtnl, bridge, operation);
  await rtnl.request({ ...link.set({ index, master: master.index }), operation });
}

/**
 * Switches the spanning tree protocol of a bridge, the kernel's own, in any namespace. `NotFoundError`
 * when there is no such bridge.
 *
 * @example Guard against loops
 * ```ts
 * import { setBridgeStp } from "@denolink/denolink";
 *
 * await setBridgeStp("br0", true);
 * ```
 */
export async function setBridgeStp(
  name: string,
  on: boolean,
  options?: NetnsOptions,
): Promise<void> {
  const operation = `set STP of bridge ${name} ${on ? "on" : "off"}`;
  using rtnl = await connect(options);
  const { index } = await getBridge(rtnl, name, operation);
  await rtnl.request({
    ...link.setKind({
      index,
      linkInfo: { kind: "bridge", data: { stpState: on ? 1 : 0 } },
    }),
    operation,
  });
}

/** A link that is known to be a bridge. */
export type Bridge = Link & { index: number };

/** A bridge by its name; `NotFoundError` when there is none, `InputError` when it is none. */
async function getBridge(rtnl: Rtnl, name: string, operation: string): Promise<Bridge> {
  return requireBridge(await getLink(rtnl, name), operation);
}

/** The same link; `InputError` when it is no bridge. */
export function requireBridge(found: Link, operation: string): Bridge {
  if (found.kind === "bridge") return found as Bridge;
  throw new InputError(
    `Cannot ${operation}: ${found.name} is ${describeKind(found)}, no bridge; name a bridge`,
  );
}

function describeKind(found: Link | undefined): string {
  if (found === undefined) return "gone again";
  return found.kind === undefined ? "a device" : `a link of kind ${found.kind}`;
}
