/**
 * The few words of a picture: what a link, an attachment or a namespace is beside its name.
 *
 * @module
 */

import type { Site } from "../state.ts";
import type { AttachmentEntry, HostSpec, LinkData, LinkEntry, RouteEntry } from "../types.ts";

/** More routes than these are only counted. */
const MOST_ROUTES = 3;

/** Where a namespace is, if it is not made for the topology. */
export function netnsNote({ target }: Pick<Site, "target">): string | undefined {
  if (target === undefined || target === "host") return undefined;
  return "pid" in target
    ? `pid ${target.pid}`
    : "name" in target
    ? `netns ${target.name}`
    : target.path;
}

const FORWARDING = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/** What a namespace does. */
export function netnsBadges({ sysctls = {}, firewall, nat }: HostSpec): string[] {
  const forwards = Object.entries(sysctls).some(([key, value]) =>
    FORWARDING.includes(key.replaceAll("/", ".")) && String(value) === "1"
  );
  const dnat = nat?.dnat ?? [];
  return [
    ...forwards ? ["forwards"] : [],
    ...firewall === undefined ? [] : ["firewall"],
    ...(nat?.masquerade ?? []).length > 0 ? ["NAT"] : [],
    ...dnat.map(({ protocol, port, target }) => `${port}${suffix(protocol)} → ${target}`),
  ];
}

const suffix = (protocol: "tcp" | "udp" = "tcp") => protocol === "udp" ? "/udp" : "";

/** The routes of a namespace, as `ip route` prints them; how many there are, when they are many. */
export function routeTexts({ routes = [] }: HostSpec): string[] {
  return routes.length > MOST_ROUTES ? [`${routes.length} routes`] : routes.map(routeText);
}

function routeText({ type, to, via, dev, nexthops = [] }: RouteEntry): string {
  const kind = type === undefined || type === "unicast" ? "" : `${type} `;
  const ways = [{ via, dev }, ...nexthops].map(wayText).filter((text) => text !== "");
  return [`${kind}${to}`, ...ways].join(" ");
}

const wayText = ({ via, dev }: Pick<RouteEntry, "via" | "dev">) =>
  via !== undefined ? `via ${via}` : dev !== undefined ? `dev ${dev}` : "";

/** What of a kind's data belongs to its name. */
const DETAILS: Readonly<Record<string, string>> = {
  vlan: "id",
  vxlan: "id",
  vrf: "table",
  bond: "mode",
  macvlan: "mode",
  macvtap: "mode",
  ipvlan: "mode",
};

/** The kind of a link; ends of veth pairs and bridges are seen to be such. */
export function kindOf({ kind, data = {} }: LinkEntry): string | undefined {
  if (kind === undefined || kind === "veth" || kind === "bridge") return undefined;
  const detail = data[DETAILS[kind] ?? ""];
  return detail === undefined ? kind : `${kind} ${detail}`;
}

/** What a link does beside being there. */
export function linkBadges(entry: LinkEntry): string[] {
  const { data = {}, vlans = [], rate, delay, jitter, loss, qdisc } = entry;
  const varying = jitter === undefined ? "" : ` ±${withUnit(jitter, "ms")}`;
  return [
    ...vlans.length > 0 ? [`vlan ${vlans.map(({ id }) => id).join(", ")}`] : [],
    ...bridgeBadges(data),
    ...rate === undefined ? [] : [rateText(rate)],
    ...delay === undefined ? [] : [`${withUnit(delay, "ms")}${varying}`],
    ...loss === undefined ? [] : [`loss ${withUnit(loss, "%")}`],
    ...qdisc === undefined ? [] : [qdisc.kind],
  ];
}

function bridgeBadges({ stpState, vlanFiltering }: LinkData): string[] {
  return [
    ...stpState === undefined || stpState === 0 ? [] : ["stp"],
    ...vlanFiltering ? ["vlan filtering"] : [],
  ];
}

/** What is done for a container's link. */
export function attachmentBadges({ rate, masquerade, publish = [] }: AttachmentEntry): string[] {
  return [
    ...attachmentRates(rate),
    ...masquerade ? ["NAT"] : [],
    ...publish.map((entry) => {
      if (typeof entry === "string") return entry.replace(":", " → ").replace(/\/tcp$/, "");
      return `${entry.hostPort} → ${entry.port}${suffix(entry.protocol)}`;
    }),
  ];
}

function attachmentRates(rate: AttachmentEntry["rate"]): string[] {
  if (rate === undefined) return [];
  if (typeof rate !== "object") return [rateText(rate)];
  return [
    ...rate.receive === undefined ? [] : [`↓ ${rateText(rate.receive)}`],
    ...rate.send === undefined ? [] : [`↑ ${rateText(rate.send)}`],
  ];
}

const withUnit = (value: string | number, unit: string) =>
  typeof value === "number" ? `${value}${unit}` : value;

/** A rate as it is typed: "10mbit". */
function rateText(rate: string | number): string {
  if (typeof rate === "string") return rate;
  const [unit, worth] = ([["gbit", 1e9], ["mbit", 1e6], ["kbit", 1e3]] as const)
    .find(([, worth]) => rate >= worth) ?? ["bit", 1];
  return `${rate / worth}${unit}`;
}
