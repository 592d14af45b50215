/**
 * The format of topologies: every key, what it may be, and what it is for.
 *
 * @module
 */

import { InputError } from "../../ffi/errors.ts";
import { namedPath } from "../../netns/named.ts";
import { sysctlPath } from "../../netns/sysctl.ts";
import type { Shape } from "../../rtnl/codec/shape.ts";
import { LINK_KINDS, PORT_KINDS } from "../../rtnl/kinds/mod.ts";
import { ROUTE, ROUTE_METRICS } from "../../rtnl/route.ts";
import { RULE } from "../../rtnl/rule.ts";
import { QDISC_KINDS } from "../../rtnl/tc/qdiscs.ts";
import { readSpec } from "../attach_input.ts";
import {
  checkLinkName,
  isMulticast,
  isUnspecified,
  parseCidr,
  parseHost,
  parseHostCidr,
} from "../input.ts";
import { type AddressPool, readPool } from "../pool.ts";
import { checkId } from "../tag.ts";
import { attributesOf, formOf } from "./attributes.ts";
import {
  dependent,
  either,
  type Form,
  itself,
  type Key,
  key,
  type Keys,
  list,
  map,
  needed,
  number,
  object,
  type ObjectForm,
  text,
  whole,
  words,
  yesNo,
} from "./schema.ts";
import type {
  AttachmentEntry,
  BridgeEntry,
  ContainerSpec,
  DnatRule,
  FirewallChain,
  FirewallRule,
  FirewallSpec,
  ForwardingEntry,
  HostSpec,
  LinkData,
  LinkEntry,
  MasqueradeRule,
  NamespaceSpec,
  NatSpec,
  NeighbourEntry,
  NexthopEntry,
  PublishEntry,
  QdiscEntry,
  RouteEntry,
  RuleEntry,
  Topology,
  VlanEntry,
  VxlanEntry,
} from "./types.ts";
import {
  parseEndpoint,
  parsePercent,
  parsePublish,
  parseRate,
  parseSubnet,
  parseTarget,
  parseTime,
} from "./units.ts";

/** The name of the host's own namespace. */
export const HOST = "host";

/** Attributes of links' kinds whose values are links: numbers to the kernel, names in a topology. */
export const LINK_NUMBERS: Readonly<Record<string, readonly string[]>> = {
  bond: ["activeSlave", "primary"],
  erspan: ["link"],
  gre: ["link"],
  gretap: ["link"],
  hsr: ["port1", "port2", "interlink"],
  ip6erspan: ["link"],
  ip6gre: ["link"],
  ip6gretap: ["link"],
  ip6tnl: ["link"],
  ipip: ["link"],
  sit: ["link"],
  vti: ["link"],
  vti6: ["link"],
  vxlan: ["link"],
  xfrm: ["link"],
} satisfies LinkRows<typeof LINK_KINDS>;

/** The same of the ports of masters, by the master's kind. */
export const PORT_LINK_NUMBERS: Readonly<Record<string, readonly string[]>> = {
  bridge: ["backupPort"],
} satisfies LinkRows<typeof PORT_KINDS>;

/** Rows that the tables of kinds have. */
type LinkRows<Kinds> = { readonly [Kind in keyof Kinds]?: readonly (keyof Kinds[Kind])[] };

/** Kinds of links that have no attributes of their own. */
const PLAIN_KINDS = ["dummy", "ifb", "nlmon", "team", "wireguard"] as const;

const linkName = text(
  "a link's name, such as eth0",
  checkLinkName,
  /^[^\s/:%]{1,15}$/u,
);
const linkReference = text(
  "a link's name, such as eth0 or r1:eth0",
  (text) => parseEndpoint(text, HOST),
  /^(?:.+:)?[^\s/:%]{1,15}$/u,
);
const namespaceName = text("a namespace's name", checkNamespaceName, /^[^/]+$/u);
const containerName = text(
  "a container's name",
  (name) => checkNamespaceName(checkId(name)),
  /^[^/\s]+$/u,
);
const owner = text(
  "a name of 1 to 15 letters from a to z, digits and hyphens",
  undefined,
  // As checkOwner of overlay/tag.ts has it.
  /^[a-z0-9-]{1,15}$/u,
);
const cidr = text(
  "an address with its prefix, such as 10.0.0.2/24",
  parseCidr,
  /^[0-9a-fA-F:.]+\/\d{1,3}$/u,
);
const ownCidr = text(cidr.text, readOwnAddress, cidr.pattern);
const host = text(
  "an IPv4 or IPv6 address",
  (text) => parseHost(text, "address"),
  /^[0-9a-fA-F:.]+$/u,
);
const subnet = text(
  "an address or a subnet, such as 10.0.0.0/8",
  parseSubnet,
  /^[0-9a-fA-F:.]+(?:\/\d{1,3})?$/u,
);
const destination = text(
  "a subnet, such as 10.9.0.0/16, or default",
  (text) => text === "default" || parseCidr(text),
  /^(?:default|[0-9a-fA-F:.]+\/\d{1,3})$/u,
);
const mac = text(
  "a link-layer address such as 02:00:5e:10:00:01",
  undefined,
  /^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/u,
);
const ownMac = text(
  mac.text,
  // What `attach` takes as a container's.
  (mac) => readSpec({ netns: { name: "any" }, addresses: ["10.0.0.2/32"], mac }),
  mac.pattern,
);
const rate = either(
  text('a rate such as "10mbit"', parseRate, /^\d+(?:\.\d+)?[a-zA-Z]*$/u),
  whole(8000, 34e9),
);
const time = either(
  text('a time such as "50ms"', parseTime, /^\d+(?:\.\d+)?[a-zA-Z]+$/u),
  number(0, Number.MAX_SAFE_INTEGER / 1e6),
);
const share = either(
  text('a share such as "0.5%"', parsePercent, /^\d+(?:\.\d+)?%$/u),
  number(0, 100),
);
const range = text(
  "addresses such as 10.0.0.100-10.0.0.199 or 10.0.0.128/25",
  (text) => readPool({ ranges: [text] }),
  /^[\s\-0-9a-fA-F:./]+$/u,
);
const port = whole(1, 65535);
const mtu = whole(68, 65535);
const u32 = whole(0, 0xffffffff);

/** The attributes of each kind, as forms. */
function kindForms(
  kinds: Readonly<Record<string, Shape>>,
  links: Readonly<Record<string, readonly string[]>>,
  what: string,
): Record<string, Form<LinkData>> {
  return Object.fromEntries(
    Object.entries(kinds).map(([kind, shape]) => [
      kind,
      attributesOf(shape, links[kind] ?? [], linkName, `${kind}-${what}`),
    ]),
  );
}

const DATA = kindForms(
  { ...LINK_KINDS, ...Object.fromEntries(PLAIN_KINDS.map((kind) => [kind, {}])) },
  LINK_NUMBERS,
  "data",
);

/** What a port of a master of a kind may be told. */
export const PORT_DATA: Readonly<Record<string, Form<LinkData>>> = kindForms(
  PORT_KINDS,
  PORT_LINK_NUMBERS,
  "port-data",
);

const OPTIONS = kindForms(QDISC_KINDS, {}, "options");

const vlan = object<VlanEntry>({
  id: needed(whole(1, 4094), "The VLAN's number"),
  pvid: key(yesNo, "What comes in without a tag is of this VLAN"),
  untagged: key(yesNo, "What goes out has no tag"),
}, "VLAN");

const forwardingEntry = object<ForwardingEntry>({
  mac: needed(mac, "The link-layer address; 00:00:00:00:00:00 is all that have no entry"),
  dst: key(host, "The other host of a vxlan"),
  vlan: key(whole(1, 4094), "The VLAN of a bridge"),
}, "forwarding-entry");

const qdisc = object<QdiscEntry>({
  kind: needed(words(Object.keys(QDISC_KINDS)), "Its kind"),
  options: key(dependent("kind", OPTIONS), "What the kind takes"),
}, "qdisc");

/** What links and bridges have in common. */
const LINK_KEYS: Keys<Omit<LinkEntry, "kind" | "peer" | "link" | "data">> = {
  master: key(linkReference, "The bridge, bond or VRF that it belongs to"),
  address: key(ownCidr, "One address, for addresses"),
  addresses: key(list(ownCidr), "Its addresses with their prefixes"),
  mac: key(ownMac, "Its MAC address"),
  mtu: key(whole(68, 0x7fffffff), "Largest packet in bytes"),
  up: key(yesNo, "Whether it is up; unless said, it is"),
  group: key(u32, "A number for acting on many links at once"),
  txQueueLength: key(u32, "Packets that wait to be sent, at most"),
  portData: key(
    either(...Object.values(PORT_DATA)),
    "What being the port of its master adds, by the master's kind",
  ),
  vlans: key(list(vlan), "VLANs of a bridge or of its port"),
  fdb: key(
    list(forwardingEntry),
    "Entries of its forwarding table, of a bridge's port or a vxlan",
  ),
  rate: key(rate, "How fast it sends; a number is in bits per second"),
  delay: key(time, "By how much what it sends is delayed; a number is in milliseconds"),
  jitter: key(time, "By how much the delay varies; a number is in milliseconds"),
  loss: key(share, "The share of packets that get lost; a number is in percent"),
  qdisc: key(qdisc, "Its queueing discipline, in place of rate, delay, jitter and loss"),
};

const link = object<LinkEntry>({
  kind: key(
    words(Object.keys(DATA)),
    "Its kind; veth where a peer is named, otherwise the link is there already",
  ),
  peer: key(linkReference, "The other end of a veth pair, such as r2:eth0"),
  link: key(linkReference, "The link below it, for a VLAN and the like"),
  ...LINK_KEYS,
  data: key(dependent("kind", DATA), "What its kind adds; links are named"),
}, "link");

const vxlan = object<VxlanEntry>({
  id: needed(whole(0, 0xffffff), "The network's number, the same on all hosts"),
  local: needed(host, "This host's address"),
  remotes: needed(list(host), "The other hosts' addresses"),
  port: key(port, "The UDP port; 4789 unless said"),
  mtu: key(mtu, "Largest packet in bytes that fits into it"),
}, "vxlan");

const bridge = object<BridgeEntry>({
  ...LINK_KEYS,
  data: key(DATA.bridge!, "What a bridge can be told"),
  stp: key(yesNo, "Whether the spanning tree protocol runs on it"),
  vlanFiltering: key(yesNo, "Whether it heeds VLANs"),
  ports: key(list(linkReference), "Links of its namespace that belong to it"),
  vxlan: key(vxlan, "Other hosts' bridges that are one network with it"),
}, "bridge");

const pool = object<AddressPool>({
  ranges: key(list(range), "The addresses to choose from"),
  exclude: key(list(range), "Addresses to leave free"),
}, "pool");

const publish = object<PublishEntry>({
  protocol: key(words(["tcp", "udp"]), "tcp unless said"),
  hostPort: needed(port, "The host's port"),
  port: needed(port, "The container's port"),
}, "published-port");

const attachedAddress = text(
  "an address with its prefix, such as 10.0.0.2/24, or auto",
  (text) => text === "auto" || parseHostCidr(text),
  /^(?:auto|[0-9a-fA-F:.]+\/\d{1,3})$/u,
);

/** What says how a container is attached. */
export const ATTACHMENT_KEYS: Keys<AttachmentEntry> = {
  bridge: key(linkName, "The bridge of its host; without one the host routes to it"),
  address: key(attachedAddress, "One address, for addresses"),
  addresses: key(
    list(attachedAddress, 1),
    "Its addresses with their prefixes; auto is the next free one of each of the bridge's subnets",
  ),
  pool: key(pool, "Which addresses auto chooses from"),
  gateways: key(
    list(text(
      "an IPv4 or IPv6 address, or auto",
      (text) => text === "auto" || parseHost(text, "gateway"),
      /^(?:auto|[0-9a-fA-F:.]+)$/u,
    )),
    "The gateways of its default routes; auto is the bridge's own addresses",
  ),
  mac: key(ownMac, "Its MAC address"),
  mtu: key(mtu, "Largest packet in bytes"),
  rate: key(
    either(
      rate,
      object<{ receive?: string | number | undefined; send?: string | number | undefined }>({
        receive: key(rate, "What it may receive"),
        send: key(rate, "What it may send"),
      }),
    ),
    "How fast it may receive and send; a number is in bits per second",
  ),
  masquerade: key(
    yesNo,
    "Whether what it sends to other networks gets an address of the host's",
  ),
  publish: key(
    list(either(
      text(
        'ports such as "8080:80" or "53:5353/udp"',
        parsePublish,
        /^\d+:\d+(?:\/(?:tcp|udp))?$/u,
      ),
      publish,
    )),
    "Ports of the host that lead to it",
  ),
  hairpin: key(yesNo, "Whether frames may leave by the bridge port that they came in by"),
  isolated: key(yesNo, "Whether it can reach no other isolated port of the bridge"),
};

const nexthop = object<NexthopEntry>({
  via: key(host, "The gateway"),
  dev: key(linkName, "The link"),
  weight: key(whole(1, 256), "Its share; 1 unless said"),
}, "nexthop");

const route = object<RouteEntry>({
  to: needed(destination, "The destination with its prefix, or default"),
  via: key(host, "The gateway, of either family"),
  dev: key(linkName, "The link that it goes out by"),
  source: key(host, "The address that packets get as their source"),
  nexthops: key(list(nexthop, 1), "Several ways, shared by weight"),
  type: key(formOf(ROUTE.header.type), "What becomes of the packets; unicast unless said"),
  table: key(formOf(ROUTE.attributes.table[2]), "The routing table; main unless said"),
  scope: key(formOf(ROUTE.header.scope), "How far the destination is"),
  priority: key(u32, "The metric: the lowest is taken"),
  metrics: key(formOf(ROUTE_METRICS), "What TCP and others assume of the path"),
  tos: key(formOf(ROUTE.header.tos), "The type of service that packets have"),
  flags: key(formOf(ROUTE.header.flags), "onlink takes the gateway to be on the link"),
}, "route");

const rule = object<RuleEntry>({
  family: key(words(["inet", "inet6"]), "That of from or to, or inet"),
  from: key(cidr, "The source with its prefix"),
  to: key(cidr, "The destination with its prefix"),
  priority: key(u32, "Rules are tried in ascending order"),
  table: key(formOf(RULE.attributes.table[2]), "The routing table to look in"),
  action: key(formOf(RULE.header.action), "table unless said"),
  iif: key(linkName, "The link that a packet came in by"),
  oif: key(linkName, "The link that a socket is bound to"),
  fwmark: key(u32, "The packet's mark"),
  fwmask: key(u32, "The bits of the mark that count"),
  ipProtocol: key(formOf(RULE.attributes.ipProtocol[2]), "6 TCP, 17 UDP"),
  sport: key(formOf(RULE.attributes.sport[2]), "Source ports"),
  dport: key(formOf(RULE.attributes.dport[2]), "Destination ports"),
  uidRange: key(formOf(RULE.attributes.uidRange[2]), "Users whose sockets they are"),
  suppressPrefixLength: key(
    formOf(RULE.attributes.suppressPrefixLength[2]),
    "A route with so short a prefix does not count",
  ),
  goto: key(u32, "The priority of the rule to go on with"),
  l3mdev: key(yesNo, "The table is that of the packet's VRF"),
}, "rule");

const neighbour = object<NeighbourEntry>({
  to: needed(host, "Its address"),
  dev: needed(linkName, "The link"),
  mac: key(mac, "Its link-layer address; left out of one that is proxied for"),
  proxy: key(yesNo, "Whether this host answers for it"),
}, "neighbour");

const firewallRule = object<FirewallRule>({
  in: key(linkName, "The link that the packet came in by"),
  out: key(linkName, "The link that it goes out by"),
  from: key(either(subnet, list(subnet, 1)), "The source: subnets of one family"),
  to: key(either(subnet, list(subnet, 1)), "The destination"),
  protocol: key(words(["tcp", "udp", "icmp", "icmpv6", "sctp"]), "The protocol"),
  port: key(either(port, list(port, 1)), "The destination's port, or several"),
  state: key(
    list(words(["new", "established", "related", "invalid"]), 1),
    "What its connection is",
  ),
  verdict: needed(words(["accept", "drop", "reject"]), "What becomes of the packet"),
}, "firewall-rule");

const chain = object<FirewallChain>({
  policy: key(
    words(["accept", "drop"]),
    "What becomes of packets that no rule decides; accept unless said",
  ),
  rules: key(list(firewallRule), "Rules, tried in order"),
}, "firewall-chain");

const masquerade = object<MasqueradeRule>({
  out: key(linkName, "The link that they go out by"),
  from: key(subnet, "Their source: an address or a subnet"),
}, "masquerade-rule");

const dnat = object<DnatRule>({
  in: key(linkName, "The link that they came in by"),
  to: key(subnet, "Their destination; unless said, any address of the namespace's own"),
  protocol: key(words(["tcp", "udp"]), "tcp unless said"),
  port: needed(port, "Their port"),
  target: needed(
    text(
      "an address and a port, such as 10.2.0.2:80 or [fd00::2]:80",
      parseTarget,
      /^(?:\[[0-9a-fA-F:.]+\]|[0-9.]+):\d+$/u,
    ),
    "Where they are led",
  ),
}, "dnat-rule");

const HOST_KEYS: Keys<HostSpec> = {
  links: key(map(linkName, link), "Links, by their names"),
  bridges: key(
    map(linkName, either<[string, string[], BridgeEntry]>(ownCidr, list(ownCidr), bridge)),
    "Bridges, by their names; their addresses are the short form",
  ),
  containers: key(
    map(containerName, itself(() => CONTAINER)),
    "Containers that are attached here, by their names",
  ),
  routes: key(list(route), "Routes"),
  rules: key(list(rule), "Rules of policy routing"),
  neighbours: key(list(neighbour), "Neighbours that don't change"),
  sysctls: key(
    map(
      text("a setting's key, such as net.ipv4.ip_forward", sysctlPath, /^[^\s]+$/u),
      either(
        text("a line", undefined, /^[^\n\0]*$/u),
        whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      ),
    ),
    "Kernel settings, by their keys",
  ),
  firewall: key(
    object<FirewallSpec>({
      input: key(chain, "What comes in"),
      forward: key(chain, "What goes through"),
      output: key(chain, "What goes out"),
    }, "firewall"),
    "Which packets may pass",
  ),
  nat: key(
    object<NatSpec>({
      masquerade: key(list(masquerade), "What gets the address of the link that it leaves by"),
      dnat: key(list(dnat), "What is led elsewhere"),
    }, "nat"),
    "Which packets get other addresses",
  ),
};

const NAMESPACE_KEYS: Keys<NamespaceSpec> = {
  netns: key(
    either(
      object<{ pid: number }>({ pid: needed(whole(1, 0x7fffffff), "A running process's") }),
      object<{ name: string }>({
        name: needed(text("a namespace's name", namedPath, /^[^/]+$/u), "One with a name"),
      }),
      object<{ path: string }>({
        path: needed(text("a path that starts with /", undefined, /^\//u), "That of a file"),
      }),
    ),
    "One that is there already; unless said, it is made here, under the name that it has in here",
  ),
  ...HOST_KEYS,
};

const namespace = object<NamespaceSpec>(NAMESPACE_KEYS, "namespace");

const CONTAINER: Form<ContainerSpec> & ObjectForm = object<ContainerSpec>({
  ...ATTACHMENT_KEYS,
  interfaces: key(
    map(linkName, object<AttachmentEntry>(ATTACHMENT_KEYS, "attachment")),
    "Its links by their names, where there are several",
  ),
  ...NAMESPACE_KEYS,
}, "container");

const DENOLINK: Key<1> & { readonly needed: true } = needed(
  whole(1, 1) as Form<1>,
  "The version of this format",
);
const NAME = "Whose all of it is: what the kernel remembers it by";
const NAMESPACES = key(
  map(namespaceName, namespace),
  "Namespaces beside the host's, by the names that they have in here",
);

/** A topology. */
export const TOPOLOGY: Form<Topology> & ObjectForm = object<Topology>({
  denolink: DENOLINK,
  name: needed(owner, NAME),
  namespaces: NAMESPACES,
  ...HOST_KEYS,
});

/** A topology's file, which has its name from the file where it doesn't say one. */
export const TOPOLOGY_FILE: Form<FileTopology> & ObjectForm = object<FileTopology>({
  denolink: DENOLINK,
  name: key(owner, `${NAME}; unless said, the file's name`),
  namespaces: NAMESPACES,
  ...HOST_KEYS,
});

type FileTopology = Omit<Topology, "name"> & { name?: string | undefined };

function checkNamespaceName(name: string): string {
  namedPath(name);
  if (name !== HOST) return name;
  throw new InputError(`Cannot use namespace name "${HOST}": that is the host's own namespace`);
}

/** An address of a link, with its prefix. */
function readOwnAddress(text: string): unknown {
  const read = parseCidr(text);
  if (!isUnspecified(read) && !isMulticast(read)) return read;
  const problem = isUnspecified(read) ? "stands for no host" : "is a multicast or reserved address";
  throw new InputError(`Cannot give address ${text} to a link: it ${problem}; take another one`);
}
