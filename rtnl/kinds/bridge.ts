/**
 * A learning switch (linux/if_link.h, IFLA_BR_* and IFLA_BRPORT_*).
 *
 * @module
 */

import { be16, bool, bytes, mac, presence, u16, u32, u64, u8 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

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
  vlanProtocol: ["IFLA_BR_VLAN_PROTOCOL", 8, be16],
  groupForwardMask: ["IFLA_BR_GROUP_FWD_MASK", 9, u16],
  rootId: ["IFLA_BR_ROOT_ID", 10, bytes],
  bridgeId: ["IFLA_BR_BRIDGE_ID", 11, bytes],
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
  rootId: ["IFLA_BRPORT_ROOT_ID", 13, bytes],
  bridgeId: ["IFLA_BRPORT_BRIDGE_ID", 14, bytes],
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
} as const satisfies Table;
