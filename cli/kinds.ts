/**
 * What `ip link add ... type KIND` takes and `ip -d link` prints of each kind: a row for each option.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../rtnl/codec/ip.ts";
import type { LINK_KINDS, PORT_KINDS } from "../rtnl/kinds/mod.ts";
import {
  bigNumber,
  bit,
  choice,
  device,
  hex,
  ip,
  ip4,
  ip6,
  mac,
  meaning,
  number,
  only,
  onOff,
  orWord,
  presence,
  readNumber,
  timer,
  toggle,
  toggleOff,
  toggleOn,
  unlessZero,
  words,
} from "./forms.ts";
import type { Host } from "./host.ts";
import type { Form, Values, Words, WordTable } from "./words.ts";

type Kinds = typeof LINK_KINDS;
type Ports = typeof PORT_KINDS;

const isMulticast = (address: string) => /^ff/i.test(address) || /^2(2[4-9]|3\d)\./.test(address);
const group = (form: Form<string>) => unlessZero(only(form, isMulticast));
const remote = (form: Form<string>) => unlessZero(only(form, (address) => !isMulticast(address)));

/** A range of ports, typed as two words. */
const ports: Form<{ low?: number; high?: number }> = {
  name: "LOW HIGH",
  parse(words) {
    const [low, high] = [words.take(), words.take()].map((word) => readNumber(word ?? ""));
    return low === undefined || high === undefined ? undefined : { low, high };
  },
  json: (range) => range,
  text: ({ low, high }) => `${low} ${high}`,
};

/** A type of service; 1 takes over the inner packet's. */
const tos: Form<number> = { ...unlessZero(orWord("inherit", 1, hex)), name: "TOS or inherit" };
/** A hop limit; 0 is what the word says. */
const ttl = (zero: string): Form<number> => orWord(zero, 0);
/** Whether a tunnel's packets may be fragmented. */
const df: Form = {
  ...choice("unset", "set", "inherit"),
  text: (value) => value === "unset" ? undefined : String(value),
};

/** The options that the two tunnels over UDP share. */
const UDP = [
  { key: "df", word: "df", is: df },
  { key: "label", word: ["flowlabel", "label"], json: "label", is: unlessZero(hex) },
] as const;
const UDP_CHECKSUMS = [
  { key: "udpChecksum", word: ["udpcsum", "noudpcsum"], json: "udp_csum", is: toggle },
  {
    key: "udpZeroChecksum6Tx",
    word: ["udp6zerocsumtx", "noudp6zerocsumtx"],
    json: "udp_zero_csum6_tx",
    is: toggle,
  },
  {
    key: "udpZeroChecksum6Rx",
    word: ["udp6zerocsumrx", "noudp6zerocsumrx"],
    json: "udp_zero_csum6_rx",
    is: toggle,
  },
] as const;

/** The tunnel's keys come from routes and filters, so that there is nothing to learn. */
const external: Form<boolean> = {
  ...toggleOn,
  store(values, on) {
    values.collectMetadata = on;
    if (on) values.learning ??= false;
  },
};

const VXLAN: WordTable<Kinds["vxlan"]> = [
  { key: "collectMetadata", word: ["external", "noexternal"], is: external },
  { key: "vniFilter", word: ["vnifilter", "novnifilter"], is: toggleOn },
  { key: "id", word: ["id", "vni"], is: number },
  { key: "group", word: "group", is: group(ip4) },
  { key: "group", word: "remote", is: remote(ip4) },
  { key: "group6", word: "group", json: "group6", is: group(ip6) },
  { key: "group6", word: "remote", json: "remote6", is: remote(ip6) },
  { key: "local", word: "local", is: unlessZero(ip4) },
  { key: "local6", word: "local", json: "local6", is: unlessZero(ip6) },
  { key: "link", word: "dev", json: "link", is: unlessZero(device) },
  { key: "portRange", word: ["srcport", "port"], json: "port_range", is: ports },
  { key: "port", word: "dstport", json: "port", is: number },
  { key: "learning", word: ["learning", "nolearning"], is: toggleOff },
  { key: "proxy", word: ["proxy", "noproxy"], is: toggleOn },
  { key: "routeShortCircuit", word: ["rsc", "norsc"], is: toggleOn },
  { key: "l2miss", word: ["l2miss", "nol2miss"], is: toggleOn },
  { key: "l3miss", word: ["l3miss", "nol3miss"], is: toggleOn },
  { key: "tos", word: ["tos", "dsfield"], is: tos },
  { key: "ttlInherit", word: "ttl", json: "", is: unlessZero(words({ inherit: true })) },
  { key: "ttl", word: ["ttl", "hoplimit"], is: ttl("auto") },
  ...UDP,
  { key: "ageing", word: "ageing", is: orWord("none", 0) },
  { key: "limit", word: ["maxaddress"], json: "limit", text: "maxaddr", is: unlessZero(number) },
  ...UDP_CHECKSUMS,
  { key: "remoteChecksumTx", word: ["remcsumtx", "noremcsumtx"], json: "remcsum_tx", is: toggleOn },
  { key: "remoteChecksumRx", word: ["remcsumrx", "noremcsumrx"], json: "remcsum_rx", is: toggleOn },
  { key: "gbp", word: "gbp", is: presence },
  { key: "gpe", word: "gpe", is: presence },
];

const GENEVE: WordTable<Kinds["geneve"]> = [
  { key: "collectMetadata", word: "external", is: presence },
  { key: "id", word: ["id", "vni"], is: number },
  { key: "remote", word: "remote", is: remote(ip4) },
  { key: "remote6", word: "remote", json: "remote6", is: remote(ip6) },
  { key: "ttlInherit", word: "ttl", json: "", is: unlessZero(words({ inherit: true })) },
  { key: "ttl", word: ["ttl", "hoplimit"], is: ttl("auto") },
  { key: "tos", word: ["tos", "dsfield"], is: tos },
  ...UDP,
  { key: "port", word: "dstport", json: "port", is: number },
  ...UDP_CHECKSUMS,
  {
    key: "innerProtocolInherit",
    word: "innerprotoinherit",
    json: "inner_proto_inherit",
    is: presence,
  },
];

/** Flags, each named and meant by a word of its own: `gvrp on`. */
function vlanFlag(flag: string): Form<boolean> {
  return {
    ...onOff,
    store(values, on) {
      const { flags = [], mask = [] } = (values.flags ?? {}) as Record<string, string[]>;
      values.flags = { flags: on ? [...flags, flag] : flags, mask: [...mask, flag] };
    },
  };
}

const VLAN_FLAG_NAMES = {
  reorderHeader: "REORDER_HDR",
  gvrp: "GVRP",
  mvrp: "MVRP",
  looseBinding: "LOOSE_BINDING",
  bridgeBinding: "BRIDGE_BINDING",
} as const;

const vlanFlags: Form<{ flags?: readonly string[] }> = {
  name: "",
  json: ({ flags = [] }) => vlanFlagNames(flags),
  text: ({ flags = [] }) => `<${vlanFlagNames(flags).join(",")}>`,
};

function vlanFlagNames(flags: readonly string[]): string[] {
  return Object.entries(VLAN_FLAG_NAMES)
    .filter(([flag]) => flags.includes(flag)).map(([, name]) => name);
}

/** Priorities and what becomes of them: `0:1 2:3`. */
const qosMap: Form<{ from?: number; to?: number }[]> = {
  name: "FROM:TO...",
  parse(words) {
    const map: { from: number; to: number }[] = [];
    for (; /^\d+:\d+$/.test(words.next ?? ""); words.take()) {
      const [from, to] = words.next!.split(":").map(Number);
      map.push({ from: from!, to: to! });
    }
    return map.length === 0 ? undefined : map;
  },
  json: (map) => map,
  label: (map, label) =>
    `\n      ${label} { ${map.map(({ from, to }) => `${from}:${to}`).join(" ")} }`,
};

const VLAN: WordTable<Kinds["vlan"]> = [
  { key: "protocol", word: "protocol", is: choice("802.1Q", "802.1ad") },
  { key: "id", word: "id", is: number },
  { key: "flags", json: "flags", text: "", is: vlanFlags },
  { key: "flags", word: "reorder_hdr", json: "", text: false, is: vlanFlag("reorderHeader") },
  { key: "flags", word: "gvrp", json: "", text: false, is: vlanFlag("gvrp") },
  { key: "flags", word: "mvrp", json: "", text: false, is: vlanFlag("mvrp") },
  { key: "flags", word: "loose_binding", json: "", text: false, is: vlanFlag("looseBinding") },
  { key: "flags", word: "bridge_binding", json: "", text: false, is: vlanFlag("bridgeBinding") },
  { key: "ingressQos", word: "ingress-qos-map", json: "ingress_qos", is: qosMap },
  { key: "egressQos", word: "egress-qos-map", json: "egress_qos", is: qosMap },
];

/** One flag of a set, there or not. */
function flag(name: string, typed: boolean = true): Form {
  return {
    name: "",
    ...(typed ? { parse: () => [name] } : {}),
    store(values, value: string[], key) {
      values[key] = [...values[key] as string[] ?? [], ...value];
    },
    json: (flags: readonly string[]) => flags.includes(name) ? true : undefined,
    label: (flags: readonly string[], label) => flags.includes(name) ? label : undefined,
  };
}

const MACVLAN: WordTable<Kinds["macvlan"]> = [
  { key: "mode", word: "mode", is: choice("private", "vepa", "bridge", "passthru", "source") },
  { key: "flags", word: "nopromisc", is: flag("nopromisc") },
  { key: "flags", word: "nodst", is: flag("nodst") },
  { key: "broadcastQueueLength", word: "bcqueuelen", is: number },
  { key: "broadcastQueueLengthUsed", json: "usedbcqueuelen", text: "usedbcqueuelen", is: number },
  {
    key: "addressCount",
    json: "macaddr_count",
    text: "remotes",
    is: unlessZero({ ...number, text: (count) => `(${count})` }),
  },
];

const IPVLAN: WordTable<Kinds["ipvlan"]> = [
  { key: "mode", word: "mode", is: choice("l2", "l3", "l3s") },
  { key: "flags", word: "private", is: flag("private") },
  { key: "flags", word: "vepa", is: flag("vepa") },
  {
    key: "flags",
    word: "bridge",
    is: {
      name: "",
      parse: () => [],
      json: (flags: readonly string[]) => flags.length === 0 ? true : undefined,
      label: (flags: readonly string[], label) => flags.length === 0 ? label : undefined,
    },
  },
];

const BRIDGE: WordTable<Kinds["bridge"]> = [
  { key: "forwardDelay", word: "forward_delay", is: number },
  { key: "helloTime", word: "hello_time", is: number },
  { key: "maxAge", word: "max_age", is: number },
  { key: "ageingTime", word: "ageing_time", is: number },
  { key: "stpState", word: "stp_state", is: number },
  { key: "priority", word: "priority", is: number },
  { key: "vlanFiltering", word: "vlan_filtering", is: bit },
  { key: "vlanProtocol", word: "vlan_protocol", is: choice("802.1Q", "802.1ad") },
  { key: "bridgeId", json: "bridge_id", text: "bridge_id", is: bridgeId() },
  { key: "rootId", json: "root_id", text: "designated_root", is: bridgeId() },
  { key: "rootPort", json: "root_port", text: "root_port", is: number },
  { key: "rootPathCost", json: "root_path_cost", text: "root_path_cost", is: number },
  { key: "topologyChange", json: "topology_change", text: "topology_change", is: bit },
  {
    key: "topologyChangeDetected",
    json: "topology_change_detected",
    text: "topology_change_detected",
    is: bit,
  },
  { key: "helloTimer", json: "hello_timer", text: "hello_timer", is: timer },
  { key: "tcnTimer", json: "tcn_timer", text: "tcn_timer", is: timer },
  {
    key: "topologyChangeTimer",
    json: "topology_change_timer",
    text: "topology_change_timer",
    is: timer,
  },
  { key: "gcTimer", json: "gc_timer", text: "gc_timer", is: timer },
  { key: "fdbFlush", word: "fdb_flush", is: presence },
  { key: "vlanDefaultPvid", word: "vlan_default_pvid", is: number },
  { key: "vlanStatsEnabled", word: "vlan_stats_enabled", is: bit },
  { key: "vlanStatsPerPort", word: "vlan_stats_per_port", is: bit },
  { key: "groupForwardMask", word: "group_fwd_mask", is: hex },
  { key: "groupAddress", word: "group_address", json: "group_addr", is: mac },
  { key: "multicastSnooping", word: "mcast_snooping", is: bit },
  { key: "booleanOptions", word: "no_linklocal_learn", is: booleanOption("noLinkLocalLearn") },
  {
    key: "booleanOptions",
    word: "mcast_vlan_snooping",
    is: booleanOption("multicastVlanSnooping"),
  },
  { key: "multicastRouter", word: "mcast_router", is: number },
  { key: "multicastQueryUseIfaddr", word: "mcast_query_use_ifaddr", is: bit },
  { key: "multicastQuerier", word: "mcast_querier", is: bit },
  { key: "multicastHashElasticity", word: "mcast_hash_elasticity", is: number },
  { key: "multicastHashMax", word: "mcast_hash_max", is: number },
  {
    key: "multicastLastMemberCount",
    word: "mcast_last_member_count",
    json: "mcast_last_member_cnt",
    is: number,
  },
  {
    key: "multicastStartupQueryCount",
    word: "mcast_startup_query_count",
    json: "mcast_startup_query_cnt",
    is: number,
  },
  {
    key: "multicastLastMemberInterval",
    word: "mcast_last_member_interval",
    json: "mcast_last_member_intvl",
    is: bigNumber,
  },
  {
    key: "multicastMembershipInterval",
    word: "mcast_membership_interval",
    json: "mcast_membership_intvl",
    is: bigNumber,
  },
  {
    key: "multicastQuerierInterval",
    word: "mcast_querier_interval",
    json: "mcast_querier_intvl",
    is: bigNumber,
  },
  {
    key: "multicastQueryInterval",
    word: "mcast_query_interval",
    json: "mcast_query_intvl",
    is: bigNumber,
  },
  {
    key: "multicastQueryResponseInterval",
    word: "mcast_query_response_interval",
    json: "mcast_query_response_intvl",
    is: bigNumber,
  },
  {
    key: "multicastStartupQueryInterval",
    word: "mcast_startup_query_interval",
    json: "mcast_startup_query_intvl",
    is: bigNumber,
  },
  { key: "multicastStatsEnabled", word: "mcast_stats_enabled", is: bit },
  { key: "multicastIgmpVersion", word: "mcast_igmp_version", is: number },
  { key: "multicastMldVersion", word: "mcast_mld_version", is: number },
  { key: "nfCallIptables", word: "nf_call_iptables", is: bit },
  { key: "nfCallIp6tables", word: "nf_call_ip6tables", is: bit },
  { key: "nfCallArptables", word: "nf_call_arptables", is: bit },
];

/** A bridge's id, whose address `ip` prints without leading zeros. */
function bridgeId(): Form<string> {
  const short = (id: string) => {
    const [priority, address = ""] = id.split(".");
    return `${priority}.${address.split(":").map((byte) => byte.replace(/^0/, "")).join(":")}`;
  };
  return { name: "", json: short, text: short };
}

/** A switch among those that a bridge has in one attribute; 0 and 1. */
function booleanOption(name: string): Form {
  type Options = { values: readonly string[]; mask: readonly string[] };
  return {
    ...bit,
    store(values, on: boolean, key) {
      const { values: set = [], mask = [] } = (values[key] ?? {}) as Partial<Options>;
      values[key] = { values: on ? [...set, name] : set, mask: [...mask, name] };
    },
    json: ({ values, mask }: Options) => mask.includes(name) ? +values.includes(name) : undefined,
    text: ({ values, mask }: Options) =>
      mask.includes(name) ? `${+values.includes(name)}` : undefined,
  };
}

const PORT_STATES = { disabled: 0, listening: 1, learning: 2, forwarding: 3, blocking: 4 } as const;
/** What the bits of a port's group_fwd_mask let through. */
const GROUPS: Readonly<Record<number, string>> = { 0: "stp", 2: "lacp", 14: "lldp" };

const groupNames: Form<number> = {
  name: "",
  json: namesOfGroups,
  text: namesOfGroups,
};

function namesOfGroups(mask: number): string {
  const bits = Array.from({ length: 16 }, (_, i) => i).filter((i) => mask & 1 << i);
  return bits.map((i) => GROUPS[i] ?? `0x${(1 << i).toString(16)}`).join(",") || "0x0";
}

const BRIDGE_PORT: WordTable<Ports["bridge"]> = [
  {
    key: "state",
    word: "state",
    is: { ...words(PORT_STATES), name: "NUMBER", parse: number.parse! },
  },
  { key: "priority", word: "priority", is: number },
  { key: "cost", word: "cost", is: number },
  { key: "hairpin", word: "hairpin", is: onOff },
  { key: "guard", word: "guard", is: onOff },
  { key: "protect", word: "root_block", is: onOff },
  { key: "fastLeave", word: "fastleave", is: onOff },
  { key: "learning", word: "learning", is: onOff },
  { key: "unicastFlood", word: "flood", is: onOff },
  { key: "id", json: "id", text: "port_id", is: hex },
  { key: "number", json: "no", text: "port_no", is: hex },
  { key: "designatedPort", json: "designated_port", text: "designated_port", is: number },
  { key: "designatedCost", json: "designated_cost", text: "designated_cost", is: number },
  { key: "bridgeId", json: "bridge_id", text: "designated_bridge", is: bridgeId() },
  { key: "rootId", json: "root_id", text: "designated_root", is: bridgeId() },
  { key: "holdTimer", json: "hold_timer", text: "hold_timer", is: timer },
  { key: "messageAgeTimer", json: "message_age_timer", text: "message_age_timer", is: timer },
  { key: "forwardDelayTimer", json: "forward_delay_timer", text: "forward_delay_timer", is: timer },
  {
    key: "topologyChangeAck",
    json: "topology_change_ack",
    text: "topology_change_ack",
    is: number,
  },
  { key: "configPending", json: "config_pending", text: "config_pending", is: number },
  { key: "proxyArp", word: "proxy_arp", is: onOff },
  { key: "proxyArpWifi", word: "proxy_arp_wifi", is: onOff },
  { key: "multicastRouter", word: "mcast_router", json: "multicast_router", is: number },
  { key: "fastLeave", word: "mcast_fast_leave", json: "", is: onOff },
  { key: "multicastFlood", word: "mcast_flood", is: onOff },
  { key: "broadcastFlood", word: "bcast_flood", is: onOff },
  { key: "multicastToUnicast", word: "mcast_to_unicast", is: onOff },
  { key: "neighbourSuppress", word: "neigh_suppress", is: onOff },
  { key: "groupForwardMask", word: "group_fwd_mask", is: hex },
  {
    key: "groupForwardMask",
    json: "group_fwd_mask_str",
    text: "group_fwd_mask_str",
    is: groupNames,
  },
  { key: "vlanTunnel", word: "vlan_tunnel", is: onOff },
  { key: "isolated", word: "isolated", is: onOff },
  { key: "locked", word: "locked", is: onOff },
  { key: "macAuthBypass", word: "mab", json: "", text: false, is: onOff },
  { key: "backupPort", word: "backup_port", is: device },
  { key: "backupPort", word: "nobackup_port", json: "", text: false, is: meaning(0) },
];

/** Addresses typed with commas between them. */
function addresses(form: Form<string>): Form<string[]> {
  return {
    name: `${form.name},...`,
    parse(words) {
      const list = words.take()?.split(",") ?? [];
      return list.length > 0 && list.every((text) => parseAddress(text)) ? list : undefined;
    },
    json: (list) => list.length === 0 ? undefined : list,
    text: (list) => list.length === 0 ? undefined : list.join(","),
  };
}

const arpValidate: Form = {
  ...choice("none", "active", "backup", "all", "filter", "filter_active", "filter_backup"),
  json: (value) => value === "none" ? null : value,
};
const offOn = words({ off: 0, on: 1 });

const BOND: WordTable<Kinds["bond"]> = [
  {
    key: "mode",
    word: "mode",
    is: choice(
      "balance-rr",
      "active-backup",
      "balance-xor",
      "broadcast",
      "802.3ad",
      "balance-tlb",
      "balance-alb",
    ),
  },
  { key: "activeSlave", word: "active_slave", is: unlessZero(device) },
  { key: "activeSlave", word: "clear_active_slave", json: "", text: false, is: meaning(0) },
  { key: "miimon", word: "miimon", is: number },
  { key: "upDelay", word: "updelay", is: number },
  { key: "downDelay", word: "downdelay", is: number },
  { key: "peerNotificationDelay", word: "peer_notify_delay", is: number },
  { key: "useCarrier", word: "use_carrier", is: number },
  { key: "arpInterval", word: "arp_interval", is: number },
  { key: "missedMax", word: "arp_missed_max", is: number },
  { key: "arpIpTargets", word: "arp_ip_target", is: addresses(ip4) },
  { key: "nsIp6Targets", word: "ns_ip6_target", is: addresses(ip6) },
  { key: "arpValidate", word: "arp_validate", is: arpValidate },
  { key: "arpAllTargets", word: "arp_all_targets", is: choice("any", "all") },
  { key: "primary", word: "primary", is: unlessZero(device) },
  { key: "primaryReselect", word: "primary_reselect", is: choice("always", "better", "failure") },
  { key: "failOverMac", word: "fail_over_mac", is: choice("none", "active", "follow") },
  {
    key: "transmitHashPolicy",
    word: "xmit_hash_policy",
    is: choice("layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"),
  },
  { key: "resendIgmp", word: "resend_igmp", is: number },
  {
    key: "peerNotifications",
    word: ["num_grat_arp", "num_unsol_na"],
    json: "num_peer_notif",
    is: number,
  },
  { key: "allSlavesActive", word: "all_slaves_active", is: number },
  { key: "minLinks", word: "min_links", is: number },
  { key: "lpInterval", word: "lp_interval", is: number },
  { key: "packetsPerSlave", word: "packets_per_slave", is: number },
  { key: "lacpActive", word: "lacp_active", json: "ad_lacp_active", is: offOn },
  { key: "lacpRate", word: "lacp_rate", json: "ad_lacp_rate", is: choice("slow", "fast") },
  { key: "adSelect", word: "ad_select", is: choice("stable", "bandwidth", "count") },
  { key: "adActorSystemPriority", word: "ad_actor_sys_prio", is: number },
  { key: "adUserPortKey", word: "ad_user_port_key", is: number },
  { key: "adActorSystem", word: "ad_actor_system", is: mac },
  { key: "tlbDynamic", word: "tlb_dynamic_lb", is: number },
];

const BOND_PORT: WordTable<Ports["bond"]> = [
  {
    key: "state",
    json: "state",
    text: "state",
    is: choiceInCapitals({ active: "ACTIVE", backup: "BACKUP" }),
  },
  {
    key: "miiStatus",
    json: "mii_status",
    text: "mii_status",
    is: choiceInCapitals({
      up: "UP",
      goingDown: "GOING_DOWN",
      down: "DOWN",
      goingBack: "GOING_BACK",
    }),
  },
  { key: "linkFailureCount", json: "link_failure_count", text: "link_failure_count", is: number },
  { key: "permanentAddress", json: "perm_hwaddr", text: "perm_hwaddr", is: mac },
  { key: "queueId", word: "queue_id", is: number },
  { key: "priority", word: "prio", is: { ...number, parse: signed } },
];

/** A word of the rtnl table, printed as `ip` writes it. */
function choiceInCapitals(capitals: Readonly<Record<string, string>>): Form<string | number> {
  const shown = (state: string | number) => capitals[state] ?? String(state);
  return { name: "", json: shown, text: shown };
}

function signed(words: Parameters<NonNullable<Form["parse"]>>[0]): number | undefined {
  const word = words.take() ?? "";
  return /^-?\d+$/.test(word) ? Number(word) : undefined;
}

const VRF: WordTable<Kinds["vrf"]> = [{ key: "table", word: "table", is: number }];

/** An end of a tunnel; unspecified is `any`. */
const endpoint: Form<string> = {
  name: "ADDRESS or any",
  parse: (words, host, typed) => words.takeIf("any") ? "0.0.0.0" : ip.parse!(words, host, typed),
  json: orAny,
  text: orAny,
};

function orAny(address: string): string {
  return address === "0.0.0.0" || address === "::" ? "any" : address;
}

/** The ends of a tunnel and the link it uses. */
const ENDS = [
  { key: "remote", word: "remote", is: endpoint },
  { key: "local", word: "local", is: endpoint },
  { key: "link", word: "dev", json: "link", is: unlessZero(device) },
] as const;
const TTL_TOS = [
  { key: "ttl", word: ["ttl", "hoplimit", "hlim"], is: ttl("inherit") },
  { key: "tos", word: ["tos", "dsfield", "tclass", "tc"], is: tos },
] as const;
const FWMARK = [{ key: "fwmark", word: "fwmark", is: unlessZero(hex) }] as const;

const TUNNEL_MODES = {
  ipip: "ipip",
  "ipv4/ipv4": "ipip",
  ip4ip4: "ipip",
  ip6ip: "ipv6",
  "ipv6/ipv4": "ipv6",
  mplsip: "mpls",
  "mpls/ipv4": "mpls",
  any: "any",
  "any/ipv4": "any",
} as const;

const IP_TUNNEL: WordTable<Kinds["ipip"]> = [
  { key: "collectMetadata", word: "external", is: presence },
  { key: "protocol", word: "mode", json: "proto", text: "", is: words(TUNNEL_MODES) },
  ...ENDS,
  ...TTL_TOS,
  { key: "pathMtuDiscovery", word: ["pmtudisc", "nopmtudisc"], is: toggle },
  { key: "flags", word: "isatap", is: flag("isatap") },
  { key: "sixRdPrefix", json: "prefix", text: "6rd-prefix", is: unlessZero(ip6) },
  { key: "sixRdPrefixLength", json: "prefixlen", text: "6rd-prefixlen", is: unlessZero(number) },
  ...FWMARK,
];

/** A key of 32 bits, typed as a number or as an address, printed as one. */
const greKey: Form<number> = {
  name: "KEY",
  parse(words) {
    const word = words.take() ?? "";
    const address = word.includes(":") ? undefined : parseAddress(word);
    return address === undefined ? readNumber(word) : new DataView(address.buffer).getUint32(0);
  },
  json: dotted,
  text: dotted,
};

function dotted(key: number): string | undefined {
  if (key === 0) return undefined;
  return formatAddress(Uint8Array.of(key >>> 24, key >>> 16, key >>> 8, key));
}

/** A key for these directions, and the flags that make it count. */
function keyFor(...directions: ("input" | "output")[]): Form<number> {
  return {
    ...greKey,
    store(values, key) {
      for (const direction of directions) {
        values[`${direction}Key`] = key;
        addFlag(values, `${direction}Flags`, "key");
      }
    },
  };
}

/** A flag for these directions, typed without a value. */
function greFlag(name: string, ...directions: ("input" | "output")[]): Form {
  return {
    ...flag(name),
    parse: () => true,
    store(values) {
      for (const direction of directions) addFlag(values, `${direction}Flags`, name);
    },
  };
}

function addFlag(values: Values, key: string, flag: string): void {
  values[key] = [...values[key] as string[] ?? [], flag];
}

const GRE: WordTable<Kinds["gre"]> = [
  { key: "collectMetadata", word: "external", is: presence },
  ...ENDS,
  ...TTL_TOS,
  { key: "pathMtuDiscovery", word: ["pmtudisc", "nopmtudisc"], is: toggleOff },
  { key: "ignoreDf", word: ["ignore-df", "noignore-df"], json: "ignore_df", is: toggleOn },
  { key: "inputKey", word: "key", json: "", text: false, is: keyFor("input", "output") },
  { key: "inputKey", word: "ikey", is: keyFor("input") },
  { key: "outputKey", word: "okey", is: keyFor("output") },
  {
    key: "inputFlags",
    word: "seq",
    json: "",
    text: false,
    is: greFlag("sequence", "input", "output"),
  },
  {
    key: "inputFlags",
    word: "csum",
    json: "",
    text: false,
    is: greFlag("checksum", "input", "output"),
  },
  { key: "inputFlags", word: "iseq", is: greFlag("sequence", "input") },
  { key: "outputFlags", word: "oseq", is: greFlag("sequence", "output") },
  { key: "inputFlags", word: "icsum", is: greFlag("checksum", "input") },
  { key: "outputFlags", word: "ocsum", is: greFlag("checksum", "output") },
  ...FWMARK,
  { key: "erspanIndex", word: ["erspan_index", "erspan"], is: number },
  { key: "erspanVersion", word: "erspan_ver", is: number },
  { key: "erspanDirection", word: "erspan_dir", is: words({ ingress: 0, egress: 1 }) },
  { key: "erspanHardwareId", word: "erspan_hwid", is: hex },
];

const VTI: WordTable<Kinds["vti"]> = [
  ...ENDS,
  { key: "inputKey", word: "key", json: "", text: false, is: vtiKey("input", "output") },
  { key: "inputKey", word: "ikey", is: vtiKey("input") },
  { key: "outputKey", word: "okey", is: vtiKey("output") },
  ...FWMARK,
];

function vtiKey(...directions: ("input" | "output")[]): Form<number> {
  return {
    ...greKey,
    store(values, key) {
      for (const direction of directions) values[`${direction}Key`] = key;
    },
  };
}

/** Some bits of the word that holds the traffic class and the flow label (RFC 8200). */
function flowBits(shift: number, bits: number, digits: number): Form<number> {
  const mask = 2 ** bits - 1;
  const shown = (info: number) =>
    `0x${((info >>> shift) & mask).toString(16).padStart(digits, "0")}`;
  return {
    name: "NUMBER",
    parse(words) {
      const value = readNumber(words.take() ?? "");
      return value === undefined || value > mask ? undefined : value;
    },
    store: (values, value, key) =>
      void (values[key] = (values[key] as number ?? 0) + value * 2 ** shift),
    json: shown,
    text: shown,
  };
}

const FLOW = [
  {
    key: "flowInfo",
    word: ["tclass", "tc", "tos", "dsfield"],
    json: "tclass",
    is: flowBits(20, 8, 2),
  },
  { key: "flowInfo", word: ["flowlabel", "fl"], json: "flowlabel", is: flowBits(0, 20, 5) },
] as const;

/** How deep tunnels may be in tunnels; `none` is a flag, which makes the number count for nothing. */
const ENCAP_LIMIT = [
  {
    key: "encapLimit",
    word: "encaplimit",
    json: "encap_limit",
    is: {
      ...number,
      name: "NUMBER or none",
      parse: (words: Words, host: Host, typed: string) =>
        words.takeIf("none") ? NO_LIMIT : number.parse!(words, host, typed),
      store(values: Values, limit: number, key: string) {
        if (limit === NO_LIMIT) addFlag(values, "flags", "ignoreEncapLimit");
        else values[key] = limit;
      },
    },
  },
  {
    key: "flags",
    json: "ip6_tnl_f_ign_encap_limit",
    text: "encaplimit none",
    is: flag("ignoreEncapLimit", false),
  },
] as const;
const NO_LIMIT = -1;

const IP6_TUNNEL: WordTable<Kinds["ip6tnl"]> = [
  { key: "collectMetadata", word: "external", is: presence },
  {
    key: "protocol",
    word: "mode",
    json: "proto",
    text: "",
    is: words({
      ip6ip6: "ipv6",
      "ipv6/ipv6": "ipv6",
      ipip6: "ipip",
      "ipv4/ipv6": "ipip",
      any: "any",
      "any/ipv6": "any",
    }),
  },
  ...ENDS,
  { key: "ttl", word: ["hoplimit", "ttl", "hlim"], json: "ttl", is: ttl("inherit") },
  ...ENCAP_LIMIT,
  ...FLOW,
  ...FWMARK,
];

const GRE6: WordTable<Kinds["ip6gre"]> = [
  ...GRE.filter(({ key }) => !["ttl", "tos", "pathMtuDiscovery", "ignoreDf"].includes(key)),
  { key: "ttl", word: ["hoplimit", "ttl", "hlim"], json: "ttl", is: ttl("inherit") },
  ...ENCAP_LIMIT,
  ...FLOW,
];

/** Where a flag makes a number count for nothing, only the flag is shown. */
export function shownOf(data: object): object {
  const { flags, encapLimit: _, ...rest } = data as {
    flags?: readonly string[];
    encapLimit?: number;
  };
  return Array.isArray(flags) && flags.includes("ignoreEncapLimit") ? { ...rest, flags } : data;
}

/** What `ip` says of a kind where nothing is typed, and the kernel would take something else. */
export const KIND_DEFAULTS: Readonly<Record<string, object>> = {
  ipip: { protocol: "any" },
  sit: { ttl: 0 },
};

const XFRM: WordTable<Kinds["xfrm"]> = [
  { key: "collectMetadata", word: "external", is: presence },
  { key: "link", word: "dev", json: "", text: false, is: device },
  { key: "interfaceId", word: "if_id", is: unlessZero(hex) },
];

const NETKIT: WordTable<Kinds["netkit"]> = [
  { key: "mode", word: "mode", is: choice("l2", "l3") },
  {
    key: "primary",
    json: "type",
    text: "type",
    is: words({ primary: true, peer: false }),
  },
  { key: "policy", word: "policy", is: choice("forward", "blackhole") },
  { key: "scrub", word: "scrub", is: choice("default", "none") },
  { key: "headroom", word: "headroom", is: number },
  { key: "tailroom", word: "tailroom", is: number },
];

const HSR: WordTable<Kinds["hsr"]> = [
  { key: "port1", word: "slave1", is: device },
  { key: "port2", word: "slave2", is: device },
  { key: "interlink", word: "interlink", is: device },
  { key: "multicastSpec", word: "supervision", json: "", text: false, is: number },
  { key: "sequence", json: "seq_nr", text: "sequence", is: number },
  { key: "supervisionAddress", json: "supervision_addr", text: "supervision", is: mac },
  { key: "protocol", word: "proto", is: { ...words({ 0: "hsr", 1: "prp" }), json: protoNumber } },
  { key: "version", word: "version", json: "version", is: number },
];

function protoNumber(protocol: string): number {
  return protocol === "hsr" ? 0 : 1;
}

const TUN: WordTable<Kinds["tun"]> = [
  { key: "type", json: "type", text: "type", is: choice("tun", "tap") },
  { key: "packetInfo", json: "pi", text: "pi", is: onOff },
  { key: "virtioHeader", json: "vnet_hdr", text: "vnet_hdr", is: onOff },
  { key: "multiQueue", json: "multi_queue", text: "multi_queue", is: onOff },
  { key: "queues", json: "numqueues", text: "numqueues", is: number },
  { key: "disabledQueues", json: "numdisabled", text: "numdisabled", is: number },
  { key: "persist", json: "persist", text: "persist", is: onOff },
  { key: "owner", json: "user", text: "user", is: number },
  { key: "group", json: "group", text: "group", is: number },
];

/** The options of each kind; a kind that isn't here has none. */
export const KIND_WORDS: Readonly<Record<string, WordTable>> = {
  bond: BOND,
  bridge: BRIDGE,
  erspan: GRE,
  geneve: GENEVE,
  gre: GRE,
  gretap: GRE,
  hsr: HSR,
  ip6erspan: GRE6,
  ip6gre: GRE6,
  ip6gretap: GRE6,
  ip6tnl: IP6_TUNNEL,
  ipip: IP_TUNNEL,
  ipvlan: IPVLAN,
  ipvtap: IPVLAN,
  macvlan: MACVLAN,
  macvtap: MACVLAN,
  netkit: NETKIT,
  sit: IP_TUNNEL,
  tun: TUN,
  vlan: VLAN,
  vrf: VRF,
  vti: VTI,
  vti6: VTI,
  vxlan: VXLAN,
  xfrm: XFRM,
};

/** The options of the ports of masters of each kind: `type bridge_slave`. */
export const PORT_WORDS: Readonly<Record<string, WordTable>> = {
  bond: BOND_PORT,
  bridge: BRIDGE_PORT,
  vrf: VRF,
};
