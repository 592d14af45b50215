/**
 * A learning switch (linux/if_link.h, IFLA_BR_* and IFLA_BRPORT_*).
 *
 * @module
 */

import { be16, bool, ip, mac, presence, u16, u32, u64, u8 } from "../codec/scalars.ts";
import { type Codec, type Table, ValueError } from "../codec/shape.ts";

/** struct ifla_bridge_id: a priority and an address, as text. */
const bridgeId: Codec<string> = {
  read(input, start, end) {
    if (end - start !== 8) return undefined;
    const priority = input.view.getUint16(start).toString(16).padStart(4, "0");
    return `${priority}.${mac.read(input, start + 2, end)}`;
  },
  write(output, value) {
    const parts = typeof value === "string" ? /^([0-9a-f]{4})\.(.{17})$/i.exec(value) : null;
    if (parts === null) {
      throw new ValueError(
        `expected a bridge id such as 8000.02:00:5e:00:53:01, got ${JSON.stringify(value)}`,
      );
    }
    be16.write(output, parseInt(parts[1]!, 16));
    mac.write(output, parts[2]!);
  },
};

/** enum br_boolopt_id of linux/if_bridge.h, as bits. */
const BOOLEAN_OPTIONS = {
  flags: u32,
  names: {
    noLinkLocalLearn: 1,
    multicastVlanSnooping: 2,
    mstEnable: 4,
    mdbOffloadFailNotification: 8,
    fdbLocalVlan0: 0x10,
  },
} as const;

/** Who asks for multicast members on this network, and for how long that still holds. */
const QUERIER = {
  address: ["BRIDGE_QUERIER_IP_ADDRESS", 1, ip],
  port: ["BRIDGE_QUERIER_IP_PORT", 2, u32],
  otherTimer: ["BRIDGE_QUERIER_IP_OTHER_TIMER", 3, u64],
  address6: ["BRIDGE_QUERIER_IPV6_ADDRESS", 5, ip],
  port6: ["BRIDGE_QUERIER_IPV6_PORT", 6, u32],
  otherTimer6: ["BRIDGE_QUERIER_IPV6_OTHER_TIMER", 7, u64],
} as const satisfies Table;

/** What IFLA_INFO_DATA holds for a bridge. Times are in hundredths of a second (USER_HZ). */
export const BRIDGE = {
  forwardDelay: ["IFLA_BR_FORWARD_DELAY", 1, u32],
  helloTime: ["IFLA_BR_HELLO_TIME", 2, u32],
  maxAge: ["IFLA_BR_MAX_AGE", 3, u32],
  ageingTime: ["IFLA_BR_AGEING_TIME", 4, u32],
  /** 0 off, 1 the kernel's own, 2 a daemon's. */
  stpState: ["IFLA_BR_STP_STATE", 5, u32],
  priority: ["IFLA_BR_PRIORITY", 6, u16],
  vlanFiltering: ["IFLA_BR_VLAN_FILTERING", 7, bool],
  vlanProtocol: ["IFLA_BR_VLAN_PROTOCOL", 8, {
    oneOf: be16,
    names: { "802.1Q": 0x8100, "802.1ad": 0x88a8 },
  }],
  groupForwardMask: ["IFLA_BR_GROUP_FWD_MASK", 9, u16],
  /** Priority in hexadecimal, then address: "8000.02:00:5e:00:53:01". */
  rootId: ["IFLA_BR_ROOT_ID", 10, bridgeId],
  bridgeId: ["IFLA_BR_BRIDGE_ID", 11, bridgeId],
  rootPort: ["IFLA_BR_ROOT_PORT", 12, u16],
  rootPathCost: ["IFLA_BR_ROOT_PATH_COST", 13, u32],
  topologyChange: ["IFLA_BR_TOPOLOGY_CHANGE", 14, bool],
  topologyChangeDetected: ["IFLA_BR_TOPOLOGY_CHANGE_DETECTED", 15, bool],
  helloTimer: ["IFLA_BR_HELLO_TIMER", 16, u64],
  tcnTimer: ["IFLA_BR_TCN_TIMER", 17, u64],
  topologyChangeTimer: ["IFLA_BR_TOPOLOGY_CHANGE_TIMER", 18, u64],
  gcTimer: ["IFLA_BR_GC_TIMER", 19, u64],
  groupAddress: ["IFLA_BR_GROUP_ADDR", 20, mac],
  fdbFlush: ["IFLA_BR_FDB_FLUSH", 21, presence],
  multicastRouter: ["IFLA_BR_MCAST_ROUTER", 22, u8],
  multicastSnooping: ["IFLA_BR_MCAST_SNOOPING", 23, bool],
  multicastQueryUseIfaddr: ["IFLA_BR_MCAST_QUERY_USE_IFADDR", 24, bool],
  multicastQuerier: ["IFLA_BR_MCAST_QUERIER", 25, bool],
  multicastHashElasticity: ["IFLA_BR_MCAST_HASH_ELASTICITY", 26, u32],
  multicastHashMax: ["IFLA_BR_MCAST_HASH_MAX", 27, u32],
  multicastLastMemberCount: ["IFLA_BR_MCAST_LAST_MEMBER_CNT", 28, u32],
  multicastStartupQueryCount: ["IFLA_BR_MCAST_STARTUP_QUERY_CNT", 29, u32],
  multicastLastMemberInterval: ["IFLA_BR_MCAST_LAST_MEMBER_INTVL", 30, u64],
  multicastMembershipInterval: ["IFLA_BR_MCAST_MEMBERSHIP_INTVL", 31, u64],
  multicastQuerierInterval: ["IFLA_BR_MCAST_QUERIER_INTVL", 32, u64],
  multicastQueryInterval: ["IFLA_BR_MCAST_QUERY_INTVL", 33, u64],
  multicastQueryResponseInterval: [
    "IFLA_BR_MCAST_QUERY_RESPONSE_INTVL",
    34,
    u64,
  ],
  multicastStartupQueryInterval: ["IFLA_BR_MCAST_STARTUP_QUERY_INTVL", 35, u64],
  nfCallIptables: ["IFLA_BR_NF_CALL_IPTABLES", 36, bool],
  nfCallIp6tables: ["IFLA_BR_NF_CALL_IP6TABLES", 37, bool],
  nfCallArptables: ["IFLA_BR_NF_CALL_ARPTABLES", 38, bool],
  vlanDefaultPvid: ["IFLA_BR_VLAN_DEFAULT_PVID", 39, u16],
  vlanStatsEnabled: ["IFLA_BR_VLAN_STATS_ENABLED", 41, bool],
  multicastStatsEnabled: ["IFLA_BR_MCAST_STATS_ENABLED", 42, bool],
  multicastIgmpVersion: ["IFLA_BR_MCAST_IGMP_VERSION", 43, u8],
  multicastMldVersion: ["IFLA_BR_MCAST_MLD_VERSION", 44, u8],
  vlanStatsPerPort: ["IFLA_BR_VLAN_STATS_PER_PORT", 45, bool],
  /** Further switches, and which of them are meant. */
  booleanOptions: ["IFLA_BR_MULTI_BOOLOPT", 46, {
    struct: { values: BOOLEAN_OPTIONS, mask: BOOLEAN_OPTIONS },
  }],
  multicastQuerierState: ["IFLA_BR_MCAST_QUERIER_STATE", 47, QUERIER],
  /** How many learned entries the forwarding table has. */
  learnedCount: ["IFLA_BR_FDB_N_LEARNED", 48, u32],
  /** How many it may have; 0 is no limit. */
  learnedMax: ["IFLA_BR_FDB_MAX_LEARNED", 49, u32],
} as const satisfies Table;

/** What IFLA_INFO_SLAVE_DATA holds for a port of a bridge. */
export const BRIDGE_PORT = {
  /** 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking. */
  state: ["IFLA_BRPORT_STATE", 1, u8],
  priority: ["IFLA_BRPORT_PRIORITY", 2, u16],
  cost: ["IFLA_BRPORT_COST", 3, u32],
  /** Frames may leave by the port they came in (hairpin). */
  hairpin: ["IFLA_BRPORT_MODE", 4, bool],
  guard: ["IFLA_BRPORT_GUARD", 5, bool],
  protect: ["IFLA_BRPORT_PROTECT", 6, bool],
  fastLeave: ["IFLA_BRPORT_FAST_LEAVE", 7, bool],
  learning: ["IFLA_BRPORT_LEARNING", 8, bool],
  unicastFlood: ["IFLA_BRPORT_UNICAST_FLOOD", 9, bool],
  proxyArp: ["IFLA_BRPORT_PROXYARP", 10, bool],
  learningSync: ["IFLA_BRPORT_LEARNING_SYNC", 11, bool],
  proxyArpWifi: ["IFLA_BRPORT_PROXYARP_WIFI", 12, bool],
  rootId: ["IFLA_BRPORT_ROOT_ID", 13, bridgeId],
  bridgeId: ["IFLA_BRPORT_BRIDGE_ID", 14, bridgeId],
  designatedPort: ["IFLA_BRPORT_DESIGNATED_PORT", 15, u16],
  designatedCost: ["IFLA_BRPORT_DESIGNATED_COST", 16, u16],
  id: ["IFLA_BRPORT_ID", 17, u16],
  number: ["IFLA_BRPORT_NO", 18, u16],
  topologyChangeAck: ["IFLA_BRPORT_TOPOLOGY_CHANGE_ACK", 19, u8],
  configPending: ["IFLA_BRPORT_CONFIG_PENDING", 20, u8],
  messageAgeTimer: ["IFLA_BRPORT_MESSAGE_AGE_TIMER", 21, u64],
  forwardDelayTimer: ["IFLA_BRPORT_FORWARD_DELAY_TIMER", 22, u64],
  holdTimer: ["IFLA_BRPORT_HOLD_TIMER", 23, u64],
  flush: ["IFLA_BRPORT_FLUSH", 24, presence],
  multicastRouter: ["IFLA_BRPORT_MULTICAST_ROUTER", 25, u8],
  multicastFlood: ["IFLA_BRPORT_MCAST_FLOOD", 27, bool],
  multicastToUnicast: ["IFLA_BRPORT_MCAST_TO_UCAST", 28, bool],
  vlanTunnel: ["IFLA_BRPORT_VLAN_TUNNEL", 29, bool],
  broadcastFlood: ["IFLA_BRPORT_BCAST_FLOOD", 30, bool],
  groupForwardMask: ["IFLA_BRPORT_GROUP_FWD_MASK", 31, u16],
  neighbourSuppress: ["IFLA_BRPORT_NEIGH_SUPPRESS", 32, bool],
  isolated: ["IFLA_BRPORT_ISOLATED", 33, bool],
  backupPort: ["IFLA_BRPORT_BACKUP_PORT", 34, u32],
  mrpRingOpen: ["IFLA_BRPORT_MRP_RING_OPEN", 35, bool],
  mrpInOpen: ["IFLA_BRPORT_MRP_IN_OPEN", 36, bool],
  multicastHostsLimit: ["IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT", 37, u32],
  multicastHostsCount: ["IFLA_BRPORT_MCAST_EHT_HOSTS_CNT", 38, u32],
  /** Only frames of senders in the forwarding table are let in. */
  locked: ["IFLA_BRPORT_LOCKED", 39, bool],
  /** Senders that a locked port refused are learned as locked entries (MAC authentication bypass). */
  macAuthBypass: ["IFLA_BRPORT_MAB", 40, bool],
  multicastGroupsCount: ["IFLA_BRPORT_MCAST_N_GROUPS", 41, u32],
  multicastGroupsMax: ["IFLA_BRPORT_MCAST_MAX_GROUPS", 42, u32],
  neighbourVlanSuppress: ["IFLA_BRPORT_NEIGH_VLAN_SUPPRESS", 43, bool],
  backupNexthopId: ["IFLA_BRPORT_BACKUP_NHID", 44, u32],
} as const satisfies Table;
