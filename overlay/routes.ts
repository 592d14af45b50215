/**
 * The small steps for routes.
 *
 * @module
 */

import { InputError } from "../ffi/errors.ts";
import { connect, type NetnsOptions } from "../netns/netns.ts";
import { type Route, route } from "../rtnl/route.ts";
import { type Cidr, parseCidr, parseHost } from "./input.ts";
import { absentIsFalse, findLink, getLink } from "./links.ts";

/**
 * Adds a default route by a link, without a gateway. `NotFoundError` when there is no such link,
 * `ExistsError` when there is a default route of that family already.
 *
 * @example All IPv4 by one link
 * ```ts
 * import { addDefaultRouteViaDevice } from "@denolink/denolink";
 *
 * await addDefaultRouteViaDevice("eth0", "inet");
 * ```
 */
export async function addDefaultRouteViaDevice(
  name: string,
  family: "inet" | "inet6",
  options?: NetnsOptions,
): Promise<void> {
  if (family !== "inet" && family !== "inet6") {
    throw new InputError(
      `Cannot add a default route: a family is "inet" or "inet6", got ${JSON.stringify(family)}`,
    );
  }
  using rtnl = await connect(options);
  const { index } = await getLink(rtnl, name);
  await rtnl.request({
    ...route.add({ family, oif: index, scope: "link" }),
    operation: `add default route of ${family} by link ${name}`,
  });
}

/**
 * Adds a default route by a gateway, which a link's subnet must hold. `ExistsError` when there is a
 * default route of that family already, `NetlinkError` with `ENETUNREACH` when no link reaches the gateway.
 *
 * @example The usual way out
 * ```ts
 * import { addDefaultRouteViaGateway } from "@denolink/denolink";
 *
 * await addDefaultRouteViaGateway("10.0.0.1");
 * ```
 */
export async function addDefaultRouteViaGateway(
  gateway: string,
  options?: NetnsOptions,
): Promise<void> {
  const { family, address } = parseHost(gateway, "gateway");
  using rtnl = await connect(options);
  await rtnl.request({
    ...route.add({ family, gateway: address }),
    operation: `add default route by gateway ${address}`,
  });
}

/** What a route by a device may say beside its destination. */
export interface DeviceRouteOptions extends NetnsOptions {
  /**
   * The source address that packets get, of the same family.
   * @default {the link's own}
   */
  source?: string | undefined;
}

/**
 * Adds a route by a link, in place of the one to the same destination if there is one. `NotFoundError`
 * when there is no such link.
 *
 * @example Reach one host by one link
 * ```ts
 * import { replaceRouteViaDevice } from "@denolink/denolink";
 *
 * await replaceRouteViaDevice("10.0.0.2/32", "vh0");
 * ```
 */
export async function replaceRouteViaDevice(
  cidr: string,
  name: string,
  { source, ...options }: DeviceRouteOptions = {},
): Promise<void> {
  const destination = parseCidr(cidr);
  const from = source === undefined ? undefined : parseHost(source, "source address");
  if (from !== undefined && from.family !== destination.family) {
    throw new InputError(
      `Cannot route ${cidr} from ${source}: one is IPv4 and the other IPv6; take a source of the same family`,
    );
  }
  using rtnl = await connect(options);
  const { index } = await getLink(rtnl, name);
  await rtnl.request({
    ...route.replace({ ...by(destination, index), prefsrc: from?.address }),
    operation: `replace route ${cidr} by link ${name}`,
  });
}

/**
 * Deletes a route by a link, whatever its source; false when there is no such route or link.
 *
 * @example Undo the above
 * ```ts
 * import { deleteRouteViaDevice } from "@denolink/denolink";
 *
 * console.log(await deleteRouteViaDevice("10.0.0.2/32", "vh0"));
 * ```
 */
export async function deleteRouteViaDevice(
  cidr: string,
  name: string,
  options?: NetnsOptions,
): Promise<boolean> {
  const destination = parseCidr(cidr);
  using rtnl = await connect(options);
  const link = await findLink(rtnl, { name });
  if (link?.index === undefined) return false;
  const { scope: _, ...values } = by(destination, link.index);
  return await absentIsFalse(() =>
    rtnl.request({ ...route.delete(values), operation: `delete route ${cidr} by link ${name}` })
  );
}

/** A destination by a link; a default route has none. */
function by({ family, address, prefixLength }: Cidr, oif: number): Route {
  const dst = prefixLength === 0 ? undefined : address;
  return { family, dst, dstLength: prefixLength, oif, scope: "link" };
}
