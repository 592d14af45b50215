/**
 * Routes. Who made them says their protocol number (rtnetlink(7), rtm_protocol).
 *
 * @module
 */

import { type Route, route } from "../../../rtnl/route.ts";
import { familyOf } from "../../../rtnl/names.ts";
import { parseCidr } from "../../input.ts";
import { decode, differ, said } from "../canonical.ts";
import { nameOf } from "../place.ts";
import type { ThingType } from "../state.ts";
import type { NexthopEntry, RouteEntry } from "../types.ts";

/** A route in its one form: what is the kernel's default is left out, but for the metric. */
export interface RouteValue extends RouteEntry {
  family: NonNullable<Route["family"]>;
}

/** The metric that IPv6 routes have unless said (linux/ipv6_route.h, IP6_RT_PRIO_USER). */
const IPV6_METRIC = 1024;

/** Routes. */
export const ROUTES: ThingType<RouteValue> = {
  kind: "route",
  wanted: ({ spec, path }) =>
    (spec.routes ?? []).map((entry, i) => {
      const value = canonical(entry);
      return { name: nameIt(value), value, path: [...path, "routes", i] };
    }),
  found: ({ routes, memory, place }) =>
    routes.filter(({ protocol }) => protocol === memory.protocol).map((it) => {
      const value = valueOf(it, (index) => nameOf(place, index));
      return { name: nameIt(value), value };
    }),
  compare: (wanted, found) => differ(wanted, withoutUnsaid(found, wanted)),
  on: ({ dev, nexthops = [] }, netns) =>
    [dev, ...nexthops.map((it) => it.dev)].flatMap((link) =>
      link === undefined ? [] : { netns, link }
    ),
  add: (work, value) => [
    route.add({ ...requestOf(value, work.index), protocol: work.place.memory!.protocol }),
  ],
  remove: (work, value) => [
    route.delete({ ...requestOf(value, work.index), protocol: work.place.memory!.protocol }),
  ],
};

/** The kernel finds the link that a gateway is on, where it is not said. */
function withoutUnsaid({ dev, nexthops, ...rest }: RouteValue, wanted: RouteValue): RouteValue {
  return said({
    ...rest,
    dev: wanted.dev === undefined ? undefined : dev,
    nexthops: nexthops?.map((hop, i) =>
      said({ ...hop, dev: wanted.nexthops?.[i]?.dev === undefined ? undefined : hop.dev })
    ),
  });
}

function nameIt({ to, table, priority, tos, family }: RouteValue): string {
  return [
    to === "default" && family === "inet6" ? "default inet6" : to,
    ...table === undefined ? [] : [`table ${table}`],
    ...priority === undefined || priority === IPV6_METRIC && family === "inet6"
      ? []
      : [`metric ${priority}`],
    ...tos === undefined ? [] : [`tos ${tos}`],
  ].join(" ");
}

/** What an entry says, through the kernel's own form. */
function canonical(entry: RouteEntry): RouteValue {
  // Numbers stand for the names of links meanwhile.
  const devs = [entry.dev, ...(entry.nexthops ?? []).map(({ dev }) => dev)];
  const asked = route.add(requestOf(entry, (dev) => devs.indexOf(dev) + 1));
  return valueOf(decode<Route>(asked), (index) => devs[index - 1]!);
}

/** A route of the kernel's as an entry. */
export function valueOf(it: Route, nameOf: (index: number) => string): RouteValue {
  const family = it.family ?? "inet";
  const isIpv6 = family === "inet6";
  const way = (hop: Pick<Route, "gateway" | "via" | "oif">): NexthopEntry =>
    said({
      via: hop.gateway ?? hop.via,
      dev: hop.oif ? nameOf(hop.oif) : undefined,
    });
  const ways = (it.multipath ?? []).map((hop) =>
    said({ ...way(hop), weight: hop.weight === 1 ? undefined : hop.weight })
  );
  const sends = (it.type ?? "unicast") === "unicast" || it.type === "local" ||
    it.type === "broadcast" ||
    it.type === "anycast";
  const scope = isIpv6 || it.scope === defaultScope(it) ? undefined : it.scope;
  const onlink = [it.flags, ...(it.multipath ?? []).map(({ flags }) => flags)]
    .some((flags) => flags?.includes("onlink"));
  return said({
    family,
    to: it.dst === undefined ? "default" : `${it.dst}/${it.dstLength}`,
    type: it.type === "unicast" ? undefined : it.type,
    table: it.table === "main" ? undefined : it.table,
    scope,
    tos: it.tos || undefined,
    priority: it.priority || (isIpv6 ? IPV6_METRIC : undefined),
    source: it.prefsrc,
    metrics: it.metrics,
    flags: onlink ? ["onlink"] : undefined,
    ...ways.length > 1 ? { nexthops: ways } : ways[0] ?? (sends ? way(it) : {}),
  }) as RouteValue;
}

function defaultScope({ type, gateway, via, multipath }: Route): Route["scope"] {
  if (type === "local") return "host";
  if (type === "broadcast" || type === "anycast" || type === "multicast") return "link";
  const direct = gateway === undefined && via === undefined && multipath === undefined;
  return direct && (type ?? "unicast") === "unicast" ? "link" : "global";
}

/** The request's values; a gateway of another family goes into RTA_VIA. */
function requestOf(
  entry: RouteEntry & { family?: Route["family"] },
  index: (dev: string) => number,
): Route {
  const { to, via, dev, source, nexthops, type, table, scope, priority, metrics, tos, flags } =
    entry;
  const gateways = [via, source, ...(nexthops ?? []).map((hop) => hop.via)];
  const cidr = to === "default"
    ? undefined
    : parseCidr(to.includes("/") ? to : `${to}/${to.includes(":") ? 128 : 32}`);
  const family = cidr?.family ?? entry.family ??
    (gateways.some((it) => it?.includes(":")) ? "inet6" : "inet");
  const way = (hop: NexthopEntry) => ({
    ...hop.via === undefined
      ? {}
      : familyOf(hop.via) === family
      ? { gateway: hop.via }
      : { via: hop.via },
    ...hop.dev === undefined ? {} : { oif: index(hop.dev) },
  });
  return said({
    ...{ family, type, table, scope, priority, metrics, tos },
    prefsrc: source,
    dst: cidr && cidr.prefixLength > 0 ? cidr.address : undefined,
    dstLength: cidr?.prefixLength ?? 0,
    ...nexthops === undefined ? { ...way({ via, dev }), flags } : {
      multipath: nexthops.map((hop) => ({
        ...way(hop),
        weight: hop.weight ?? 1,
        flags: flags ?? [],
      })),
    },
  }) as Route;
}
