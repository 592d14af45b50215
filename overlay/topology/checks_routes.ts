/**
 * Whether routes, rules, neighbours, firewalls and NAT can be meant.
 *
 * @module
 */

import { type Cidr, contains, isLinkLocal, parseCidr, parseHost, subnetOf } from "../input.ts";
import { type Check, type Lab, problem, type SaidLink, type Space } from "./checks_model.ts";
import type { Path, Problem } from "./problem.ts";
import type { FirewallRule, NexthopEntry, RouteEntry } from "./types.ts";
import { parseSubnet, parseTarget } from "./units.ts";

/** All about what packets meet on their way. */
export const ROUTE_CHECKS: readonly Check[] = [
  ways,
  destinations,
  routeFamilies,
  gateways,
  policyRules,
  neighbours,
  firewallRules,
  dnatRules,
];

/** Types of routes that lead nowhere (ip-route(8)). */
const DEAD_ENDS = ["blackhole", "unreachable", "prohibit", "throw"];
const FAMILY_NAMES = { inet: "IPv4", inet6: "IPv6" } as const;
/** What a routed container has for a gateway (overlay/attach_input.ts). */
const HOST_GATEWAYS = ["169.254.1.1", "fe80::1"];

type Host = Omit<Cidr, "prefixLength">;

/** The routes of all namespaces. */
function* routesOf({ spaces }: Lab): Iterable<{ route: RouteEntry; path: Path; space: Space }> {
  for (const space of spaces) {
    for (const [i, route] of (space.spec.routes ?? []).entries()) {
      yield { route, path: [...space.path, "routes", i], space };
    }
  }
}

/** The ways of a route: its own, or several. */
function waysOf(route: RouteEntry, path: Path): { way: NexthopEntry; path: Path }[] {
  return [
    { way: route, path },
    ...(route.nexthops ?? []).map((way, i) => ({ way, path: [...path, "nexthops", i] })),
  ];
}

function* ways(lab: Lab): Iterable<Problem> {
  for (const { route, path } of routesOf(lab)) {
    const { type = "unicast", via, dev, nexthops, to } = route;
    const single = via !== undefined || dev !== undefined;
    if (DEAD_ENDS.includes(String(type))) {
      // IPv6 has them on lo.
      const isOnLo = dev === "lo" && parse(to)?.family !== "inet";
      const said = [
        ...via === undefined ? [] : ["via"],
        ...dev === undefined || isOnLo ? [] : ["dev"],
        ...nexthops === undefined ? [] : ["nexthops"],
      ];
      for (const key of said) {
        yield problem([...path, key], `a route of type ${type} leads nowhere; leave it out`);
      }
    } else if (nexthops !== undefined && single) {
      yield problem([...path, "nexthops"], "they stand in place of via and dev; leave those out");
    } else if (nexthops === undefined && !single) {
      yield problem(
        path,
        "it leads nowhere; say via, dev or nexthops, or a type such as blackhole",
      );
    }
    for (const [i, { via, dev }] of (nexthops ?? []).entries()) {
      if (via !== undefined || dev !== undefined) continue;
      yield problem([...path, "nexthops", i], "it leads nowhere; say via or dev");
    }
  }
}

function* destinations(lab: Lab): Iterable<Problem> {
  for (const { route: { to }, path } of routesOf(lab)) {
    const subnet = parse(to);
    if (subnet === undefined) continue;
    const whole = subnetOf(subnet);
    if (whole === `${subnet.address}/${subnet.prefixLength}`) continue;
    yield problem([...path, "to"], `${to} is one address of a subnet; write it as ${whole}`);
  }
}

function* routeFamilies(lab: Lab): Iterable<Problem> {
  for (const { route, path } of routesOf(lab)) {
    const vias = waysOf(route, path).flatMap(({ way: { via }, path }) =>
      via === undefined ? [] : [{ host: parseHost(via, "gateway"), path: [...path, "via"] }]
    );
    const source = route.source === undefined ? undefined : parseHost(route.source, "source");
    const family = parse(route.to)?.family ?? vias[0]?.host.family ?? source?.family ?? "inet";
    for (const { host, path } of vias) {
      // An IPv4 route may have an IPv6 gateway (RFC 5549), not the other way round.
      if (family === "inet" && parse(route.to) !== undefined || host.family === family) continue;
      yield problem(path, differ(host, family));
    }
    if (source !== undefined && source.family !== family) {
      yield problem([...path, "source"], differ(source, family));
    }
  }
}

function differ({ family }: Host, wanted: Host["family"]): string {
  return `it is ${FAMILY_NAMES[family]}, and the route is ${
    FAMILY_NAMES[wanted]
  }; take one of its family`;
}

function* gateways(lab: Lab): Iterable<Problem> {
  for (const { route, path, space } of routesOf(lab)) {
    const onlink = route.flags?.includes("onlink") ?? false;
    for (const { way: { via, dev }, path: own } of waysOf(route, path)) {
      if (via === undefined) continue;
      const host = parseHost(via, "gateway");
      if (dev === undefined && isLinkLocal(host)) {
        yield problem([...own, "via"], "a link-local gateway may be on any link; say which as dev");
      } else if (dev === undefined && onlink) {
        yield problem([...own, "via"], "onlink is about one link; say which as dev");
      } else if (!onlink && !isReachable(space, host, dev, route)) {
        yield problem([...own, "via"], unreachable(space, via, dev));
      }
    }
  }
}

/** Whether a gateway is on a link, as far as the file tells. */
function isReachable(space: Space, via: Host, dev: string | undefined, route: RouteEntry): boolean {
  if (space.open || isLinkLocal(via)) return true;
  if (subnetsOn(space, dev).some((subnet) => contains(subnet, via))) return true;
  const isOn = (name: string | undefined) => dev === undefined || name === dev;
  const attached = space.attachments.some(({ link, bridge, auto, entry }) => {
    if (!isOn(link.name)) return false;
    // Of a bridge that is there already the subnets are not known.
    if (auto && (bridge === undefined || bridge.addresses.length === 0)) return true;
    return entry.bridge === undefined &&
      [...entry.gateways ?? [], ...HOST_GATEWAYS].includes(via.address);
  });
  return attached || (space.spec.routes ?? []).some((other) => {
    const subnet = parse(other.to);
    const leads = other.via === undefined && other.nexthops === undefined && isOn(other.dev);
    return other !== route && leads && subnet !== undefined && contains(subnet, via);
  });
}

/** The subnets of a namespace's links, or of one of them. */
function subnetsOn({ links, attachments }: Space, dev: string | undefined): Cidr[] {
  const isOn = ({ name }: SaidLink) => dev === undefined || name === dev;
  return [
    ...links.filter(isOn),
    ...attachments.flatMap(({ auto, link, bridge }) =>
      auto && isOn(link) && bridge !== undefined ? [bridge] : []
    ),
  ].flatMap(({ addresses }) => addresses.map(({ cidr }) => cidr));
}

function unreachable(space: Space, via: string, dev: string | undefined): string {
  const subnets = [...new Set(subnetsOn(space, dev).map(subnetOf))];
  const where = dev ?? space.name;
  return subnets.length === 0
    ? `${via} can't be reached: ${where} has no address; give it one of the gateway's subnet`
    : `${via} is in no subnet of ${where}; take a gateway in ${subnets.join(", ")}`;
}

/** A destination; `undefined` for the default. */
function parse(to: string): Cidr | undefined {
  return to === "default" ? undefined : parseCidr(to);
}

function* policyRules({ spaces }: Lab): Iterable<Problem> {
  for (const { spec, path } of spaces) {
    for (const [i, { from, to, family, action, goto }] of (spec.rules ?? []).entries()) {
      const own = [...path, "rules", i];
      const said = [from, to].flatMap((text) => text === undefined ? [] : [parseCidr(text)]);
      const wanted = family ?? said[0]?.family;
      const other = said.find((it) => it.family !== wanted);
      if (other !== undefined) {
        yield problem(
          [...own, other === said[0] && from !== undefined ? "from" : "to"],
          `it is ${FAMILY_NAMES[other.family]}, and the rule is ${
            FAMILY_NAMES[wanted!]
          }; make two rules of it`,
        );
      }
      if (action === "goto" && goto === undefined) {
        yield problem(own, 'it goes on with another rule; say the priority of that as "goto"');
      }
    }
  }
}

function* neighbours({ spaces }: Lab): Iterable<Problem> {
  for (const { spec, path } of spaces) {
    for (const [i, { mac, proxy }] of (spec.neighbours ?? []).entries()) {
      if (mac !== undefined || proxy) continue;
      yield problem([...path, "neighbours", i], "it needs mac, its address on the link; or proxy");
    }
  }
}

const listOf = <Value>(value: Value | readonly Value[] | undefined): readonly Value[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as Value];

function* firewallRules({ spaces }: Lab): Iterable<Problem> {
  for (const { spec: { firewall = {} }, path } of spaces) {
    for (const [name, chain] of Object.entries(firewall)) {
      for (const [i, rule] of (chain?.rules ?? []).entries()) {
        const own = [...path, "firewall", name, "rules", i];
        if (name === "input" && rule.out !== undefined) {
          yield problem([...own, "out"], "what comes in goes out by no link; leave it out");
        }
        if (name === "output" && rule.in !== undefined) {
          yield problem([...own, "in"], "what goes out came in by no link; leave it out");
        }
        yield* firewallRule(rule, own);
      }
    }
  }
}

const WITH_PORTS = ["tcp", "udp", "sctp"];
const OF_FAMILY: Readonly<Record<string, Host["family"]>> = { icmp: "inet", icmpv6: "inet6" };

function* firewallRule({ from, to, protocol, port }: FirewallRule, path: Path): Iterable<Problem> {
  if (port !== undefined && !WITH_PORTS.includes(protocol ?? "")) {
    yield problem(
      [...path, "port"],
      `${protocol ?? "a packet of any protocol"} has no port; say one of ${
        WITH_PORTS.join(", ")
      } as its protocol`,
    );
  }
  let family = OF_FAMILY[protocol ?? ""];
  for (const [key, said] of [["from", from], ["to", to]] as const) {
    for (const text of listOf(said)) {
      const subnet = parseSubnet(text);
      family ??= subnet.family;
      if (subnet.family === family) continue;
      yield problem(
        [...path, key],
        `${text} is ${FAMILY_NAMES[subnet.family]}, and the rule is ${
          FAMILY_NAMES[family]
        }; make two rules of it`,
      );
    }
  }
}

function* dnatRules({ spaces }: Lab): Iterable<Problem> {
  for (const { spec, path } of spaces) {
    const first = new Map<string, number>();
    for (const [i, rule] of (spec.nat?.dnat ?? []).entries()) {
      const own = [...path, "nat", "dnat", i];
      const { family } = parseTarget(rule.target);
      if (rule.to !== undefined && parseSubnet(rule.to).family !== family) {
        yield problem(
          [...own, "target"],
          `it is ${FAMILY_NAMES[family]}, and ${rule.to} is not; take one of its family`,
        );
      }
      const key = JSON.stringify([rule.in, rule.to, rule.protocol ?? "tcp", rule.port, family]);
      const other = first.get(key);
      if (other === undefined) first.set(key, i);
      else yield problem([...own, "port"], `rule ${other} leads this port elsewhere already`);
    }
  }
}
