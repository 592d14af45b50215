/**
 * A network, written down: what a topology file says, and the same as an object.
 *
 * Names of links, as "eth0", are those of the namespace that they stand in; "r1:eth0" is the link eth0 of
 * the file's namespace r1, and "host:eth0" one of the host's.
 *
 * @module
 */

import type { Route } from "../../rtnl/route.ts";
import type { Rule } from "../../rtnl/rule.ts";
import type { Qdisc } from "../../rtnl/tc/mod.ts";
import type { AddressPool } from "../pool.ts";

/** A whole network. What stands at its top is the host's: the namespace that it is applied in. */
export interface Topology extends HostSpec {
  /** The version of this format: 1. */
  denolink: 1;
  /**
   * Whose all of it is: what the kernel remembers it by. Another topology of this name is taken for a new
   * version of this one. 1 to 15 letters from a to z, digits and hyphens.
   */
  name: string;
  /** Namespaces beside the host's, by the names that they have in here, of which "host" is none. */
  namespaces?: Readonly<Record<string, NamespaceSpec>> | undefined;
}

/** What a namespace shall have, the host's too. */
export interface HostSpec {
  /** Links, by their names. */
  links?: Readonly<Record<string, LinkEntry>> | undefined;
  /** Bridges, by their names; their addresses are the short form. */
  bridges?: Readonly<Record<string, string | readonly string[] | BridgeEntry>> | undefined;
  /** Containers that are attached here, by their names. */
  containers?: Readonly<Record<string, ContainerSpec>> | undefined;
  /** Routes. */
  routes?: readonly RouteEntry[] | undefined;
  /** Rules of policy routing. */
  rules?: readonly RuleEntry[] | undefined;
  /** Neighbours that don't change. */
  neighbours?: readonly NeighbourEntry[] | undefined;
  /** Kernel settings, by their keys: "net.ipv4.ip_forward". They get their former values back in the end. */
  sysctls?: Readonly<Record<string, string | number>> | undefined;
  /** Which packets may pass. */
  firewall?: FirewallSpec | undefined;
  /** Which packets get other addresses. */
  nat?: NatSpec | undefined;
}

/** A namespace beside the host's. */
export interface NamespaceSpec extends HostSpec {
  /**
   * That of a running process, of a name that is there, or of a path, which is left where it is in the end.
   * @default {made here, under the name that it has in here}
   */
  netns?: { pid: number } | { name: string } | { path: string } | undefined;
}

/** A container: a namespace with attachments to the host that it stands in. */
export interface ContainerSpec extends NamespaceSpec, AttachmentEntry {
  /**
   * Its links by their names, where there are several.
   * @default {eth0, as the container itself says}
   */
  interfaces?: Readonly<Record<string, AttachmentEntry>> | undefined;
}

/** How a container is attached; what `attach` takes. */
export interface AttachmentEntry {
  /** The bridge of its host. Without one the host routes to it. */
  bridge?: string | undefined;
  /** One address, for `addresses`. */
  address?: string | undefined;
  /**
   * Its addresses with their prefixes; or "auto", the next free one of each of the bridge's subnets.
   * @default {["auto"]}
   */
  addresses?: readonly string[] | undefined;
  /** Which addresses "auto" chooses from. */
  pool?: AddressPool | undefined;
  /**
   * The gateways of its default routes; or "auto", the bridge's own addresses.
   * @default {["auto"] for the first interface, on a bridge to which the topology gives addresses; without
   * a bridge the host}
   */
  gateways?: readonly string[] | undefined;
  /** Its MAC address. */
  mac?: string | undefined;
  /** Largest packet in bytes, 68 to 65535. */
  mtu?: number | undefined;
  /** How fast it may receive and send: "10mbit" both, or each of them; a number is in bits per second. */
  rate?: string | number | {
    receive?: string | number | undefined;
    send?: string | number | undefined;
  } | undefined;
  /** Whether what it sends to other networks gets an address of the host's. */
  masquerade?: boolean | undefined;
  /** Ports of the host that lead to it: "8080:80", "53:5353/udp". */
  publish?: readonly (string | PublishEntry)[] | undefined;
  /** Whether frames may leave by the bridge port that they came in by. */
  hairpin?: boolean | undefined;
  /** Whether it can reach no other isolated port of the bridge. */
  isolated?: boolean | undefined;
}

/** A port of the host that leads to one of a container. */
export interface PublishEntry {
  /**
   * The transport protocol.
   * @default {"tcp"}
   */
  protocol?: "tcp" | "udp" | undefined;
  /** The host's port, 1 to 65535. */
  hostPort: number;
  /** The container's port, 1 to 65535. */
  port: number;
}

/** A link of any kind that rtnetlink knows. */
export interface LinkEntry {
  /**
   * Its kind: "dummy", "vlan", "bridge", ...
   * @default {"veth" for both ends of a pair; otherwise the link is there already, and keeps what is not
   * said}
   */
  kind?: string | undefined;
  /** The other end of a veth pair: "r2:eth0". The other end may say more, under its own name. */
  peer?: string | undefined;
  /** The link below it, for a VLAN and the like: "eth0", "host:eth0". */
  link?: string | undefined;
  /** The bridge, bond or VRF that it belongs to. */
  master?: string | undefined;
  /** One address, for `addresses`. */
  address?: string | undefined;
  /** Its addresses with their prefixes. */
  addresses?: readonly string[] | undefined;
  /** Its MAC address. */
  mac?: string | undefined;
  /** Largest packet in bytes. */
  mtu?: number | undefined;
  /**
   * Whether it shall be up.
   * @default {true}
   */
  up?: boolean | undefined;
  /** A number for acting on many links at once. */
  group?: number | undefined;
  /** Packets that wait to be sent, at most. */
  txQueueLength?: number | undefined;
  /** What its kind adds, in the words of `Link["linkInfo"]["data"]`; links are named. */
  data?: LinkData | undefined;
  /** What being the port of its master adds, in the words of `Link["linkInfo"]["slaveData"]`. */
  portData?: LinkData | undefined;
  /** VLANs of a bridge or of its port. */
  vlans?: readonly VlanEntry[] | undefined;
  /** Entries of its forwarding table, of a bridge's port or a vxlan. */
  fdb?: readonly ForwardingEntry[] | undefined;
  /** How fast it sends, 8,000 bits per second and more: "10mbit". */
  rate?: string | number | undefined;
  /** By how much what it sends is delayed: "50ms"; a number is in milliseconds. */
  delay?: string | number | undefined;
  /** By how much the delay varies: "5ms"; a number is in milliseconds. */
  jitter?: string | number | undefined;
  /** The share of packets that get lost: "0.5%"; a number is in percent. */
  loss?: string | number | undefined;
  /** Its queueing discipline, in full; in place of rate, delay, jitter and loss. */
  qdisc?: QdiscEntry | undefined;
}

/** Attributes of a kind, by the names that they have in rtnetlink's tables here. */
export type LinkData = Readonly<Record<string, unknown>>;

/** A queueing discipline: its kind, and its options in the words of `Qdisc["options"]`. */
export interface QdiscEntry {
  /** Its kind: "netem", "tbf", "fq_codel", ... */
  kind: NonNullable<Qdisc["kind"]>;
  /** What the kind takes. */
  options?: LinkData | undefined;
}

/** A VLAN of a bridge's port (bridge(8), vlan). */
export interface VlanEntry {
  /** 1 to 4094. */
  id: number;
  /** What comes in without a tag is of this VLAN. */
  pvid?: boolean | undefined;
  /** What goes out has no tag. */
  untagged?: boolean | undefined;
}

/** An entry of a forwarding table (bridge(8), fdb). */
export interface ForwardingEntry {
  /** The link-layer address; "00:00:00:00:00:00" is all that have no entry. */
  mac: string;
  /** The other host of a vxlan. */
  dst?: string | undefined;
  /** The VLAN of a bridge. */
  vlan?: number | undefined;
}

/** A bridge. */
export interface BridgeEntry extends Omit<LinkEntry, "kind" | "peer" | "link"> {
  /** Whether the spanning tree protocol runs on it. */
  stp?: boolean | undefined;
  /** Whether it heeds VLANs. */
  vlanFiltering?: boolean | undefined;
  /** Links of its namespace that belong to it. */
  ports?: readonly string[] | undefined;
  /** Other hosts' bridges that are one network with it. */
  vxlan?: VxlanEntry | undefined;
}

/** How a bridge reaches those of other hosts (RFC 7348). */
export interface VxlanEntry {
  /** The network's number, 0 to 16777215, the same on all hosts. */
  id: number;
  /** This host's address. */
  local: string;
  /** The other hosts' addresses. */
  remotes: readonly string[];
  /**
   * The UDP port, 1 to 65535.
   * @default {4789}
   */
  port?: number | undefined;
  /**
   * Largest packet in bytes that fits into it; the bridge has it too.
   * @default {1450, over IPv6 1430}
   */
  mtu?: number | undefined;
}

/** A route. Beside these words it takes those of `Route`, with links by their names. */
export interface RouteEntry
  extends Pick<Route, "type" | "table" | "scope" | "priority" | "metrics" | "tos" | "flags"> {
  /** The destination with its prefix: "10.9.0.0/16"; or "default". */
  to: string;
  /** The gateway, of either family. */
  via?: string | undefined;
  /** The link that it goes out by. */
  dev?: string | undefined;
  /** The address that packets get as their source. */
  source?: string | undefined;
  /** Several ways, shared by weight. */
  nexthops?: readonly NexthopEntry[] | undefined;
}

/** One of several ways. */
export interface NexthopEntry {
  /** The gateway. */
  via?: string | undefined;
  /** The link. */
  dev?: string | undefined;
  /**
   * Its share, 1 to 256.
   * @default {1}
   */
  weight?: number | undefined;
}

/** A rule of policy routing (ip-rule(8)). Beside these words it takes those of `Rule`. */
export interface RuleEntry extends
  Pick<
    Rule,
    | "priority"
    | "table"
    | "action"
    | "iif"
    | "oif"
    | "fwmark"
    | "fwmask"
    | "ipProtocol"
    | "sport"
    | "dport"
    | "uidRange"
    | "suppressPrefixLength"
    | "goto"
    | "l3mdev"
  > {
  /**
   * Needed where neither `from` nor `to` says it.
   * @default {that of `from` or `to`, or "inet"}
   */
  family?: "inet" | "inet6" | undefined;
  /** The source with its prefix. */
  from?: string | undefined;
  /** The destination with its prefix. */
  to?: string | undefined;
}

/** A neighbour that doesn't change (ip-neighbour(8)). */
export interface NeighbourEntry {
  /** Its address. */
  to: string;
  /** The link. */
  dev: string;
  /** Its link-layer address; left out of one that is proxied for. */
  mac?: string | undefined;
  /** Whether this host answers for it. */
  proxy?: boolean | undefined;
}

/** Which packets may pass: a chain for each of what comes in, goes through and goes out. */
export interface FirewallSpec {
  /** What comes in for the namespace itself. */
  input?: FirewallChain | undefined;
  /** What goes through it. */
  forward?: FirewallChain | undefined;
  /** What it sends itself. */
  output?: FirewallChain | undefined;
}

/** Rules, tried in order. */
export interface FirewallChain {
  /**
   * What becomes of packets that no rule decides.
   * @default {"accept"}
   */
  policy?: "accept" | "drop" | undefined;
  /**
   * Its rules.
   * @default {[]}
   */
  rules?: readonly FirewallRule[] | undefined;
}

/** A rule of a firewall: all that it says must hold. */
export interface FirewallRule {
  /** The link that the packet came in by. */
  in?: string | undefined;
  /** The link that it goes out by. */
  out?: string | undefined;
  /** The source: an address or a subnet, or several of one family. */
  from?: string | readonly string[] | undefined;
  /** The destination. */
  to?: string | readonly string[] | undefined;
  /** The protocol. */
  protocol?: "tcp" | "udp" | "icmp" | "icmpv6" | "sctp" | undefined;
  /** The destination's port, 1 to 65535, or several; only with "tcp", "udp" or "sctp". */
  port?: number | readonly number[] | undefined;
  /** What its connection is. */
  state?: readonly ("new" | "established" | "related" | "invalid")[] | undefined;
  /** What becomes of the packet. */
  verdict: "accept" | "drop" | "reject";
}

/** Which packets get other addresses. */
export interface NatSpec {
  /** What gets the address of the link that it leaves by. */
  masquerade?: readonly MasqueradeRule[] | undefined;
  /** What is led elsewhere. */
  dnat?: readonly DnatRule[] | undefined;
}

/** Packets that get the address of the link that they leave by. */
export interface MasqueradeRule {
  /** The link that they go out by. */
  out?: string | undefined;
  /** Their source: an address or a subnet. */
  from?: string | undefined;
}

/** Packets that are led elsewhere. */
export interface DnatRule {
  /** The link that they came in by. */
  in?: string | undefined;
  /** Their destination; unless said, any address of the namespace's own. */
  to?: string | undefined;
  /**
   * Their protocol.
   * @default {"tcp"}
   */
  protocol?: "tcp" | "udp" | undefined;
  /** Their port, 1 to 65535. */
  port: number;
  /** Where they are led: "10.2.0.2:80", "[fd00::2]:80". */
  target: string;
}
