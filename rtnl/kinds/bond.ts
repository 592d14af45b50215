/**
 * Several links as one (linux/if_link.h, IFLA_BOND_*; the kernel's Documentation/networking/bonding.rst).
 *
 * @module
 */

import { ip, mac, s32, u16, u32, u8 } from "../codec/scalars.ts";
import type { Table } from "../codec/shape.ts";

/** The aggregator in use, mode "802.3ad". */
export const AD_INFO = {
  aggregator: ["IFLA_BOND_AD_INFO_AGGREGATOR", 1, u16],
  portCount: ["IFLA_BOND_AD_INFO_NUM_PORTS", 2, u16],
  actorKey: ["IFLA_BOND_AD_INFO_ACTOR_KEY", 3, u16],
  partnerKey: ["IFLA_BOND_AD_INFO_PARTNER_KEY", 4, u16],
  partnerMac: ["IFLA_BOND_AD_INFO_PARTNER_MAC", 5, mac],
} as const satisfies Table;

/** What IFLA_INFO_DATA holds for a bond. Times are in milliseconds. */
export const BOND = {
  mode: ["IFLA_BOND_MODE", 1, {
    oneOf: u8,
    names: {
      "balance-rr": 0,
      "active-backup": 1,
      "balance-xor": 2,
      broadcast: 3,
      "802.3ad": 4,
      "balance-tlb": 5,
      "balance-alb": 6,
    },
  }],
  /** The number of the port in use. */
  activeSlave: ["IFLA_BOND_ACTIVE_SLAVE", 2, u32],
  miimon: ["IFLA_BOND_MIIMON", 3, u32],
  upDelay: ["IFLA_BOND_UPDELAY", 4, u32],
  downDelay: ["IFLA_BOND_DOWNDELAY", 5, u32],
  useCarrier: ["IFLA_BOND_USE_CARRIER", 6, u8],
  arpInterval: ["IFLA_BOND_ARP_INTERVAL", 7, u32],
  arpIpTargets: ["IFLA_BOND_ARP_IP_TARGET", 8, { listOf: ip, number: 0, counting: true }],
  arpValidate: ["IFLA_BOND_ARP_VALIDATE", 9, {
    oneOf: u32,
    names: { none: 0, active: 1, backup: 2, all: 3, filter: 4, filter_active: 5, filter_backup: 6 },
  }],
  arpAllTargets: ["IFLA_BOND_ARP_ALL_TARGETS", 10, { oneOf: u32, names: { any: 0, all: 1 } }],
  /** The number of the port that is preferred. */
  primary: ["IFLA_BOND_PRIMARY", 11, u32],
  primaryReselect: ["IFLA_BOND_PRIMARY_RESELECT", 12, {
    oneOf: u8,
    names: { always: 0, better: 1, failure: 2 },
  }],
  failOverMac: ["IFLA_BOND_FAIL_OVER_MAC", 13, {
    oneOf: u8,
    names: { none: 0, active: 1, follow: 2 },
  }],
  transmitHashPolicy: ["IFLA_BOND_XMIT_HASH_POLICY", 14, {
    oneOf: u8,
    names: {
      layer2: 0,
      "layer3+4": 1,
      "layer2+3": 2,
      "encap2+3": 3,
      "encap3+4": 4,
      "vlan+srcmac": 5,
    },
  }],
  resendIgmp: ["IFLA_BOND_RESEND_IGMP", 15, u32],
  peerNotifications: ["IFLA_BOND_NUM_PEER_NOTIF", 16, u8],
  allSlavesActive: ["IFLA_BOND_ALL_SLAVES_ACTIVE", 17, u8],
  minLinks: ["IFLA_BOND_MIN_LINKS", 18, u32],
  /** Seconds. */
  lpInterval: ["IFLA_BOND_LP_INTERVAL", 19, u32],
  packetsPerSlave: ["IFLA_BOND_PACKETS_PER_SLAVE", 20, u32],
  lacpRate: ["IFLA_BOND_AD_LACP_RATE", 21, { oneOf: u8, names: { slow: 0, fast: 1 } }],
  adSelect: ["IFLA_BOND_AD_SELECT", 22, {
    oneOf: u8,
    names: { stable: 0, bandwidth: 1, count: 2, actor_port_prio: 3 },
  }],
  adInfo: ["IFLA_BOND_AD_INFO", 23, AD_INFO],
  adActorSystemPriority: ["IFLA_BOND_AD_ACTOR_SYS_PRIO", 24, u16],
  adUserPortKey: ["IFLA_BOND_AD_USER_PORT_KEY", 25, u16],
  adActorSystem: ["IFLA_BOND_AD_ACTOR_SYSTEM", 26, mac],
  tlbDynamic: ["IFLA_BOND_TLB_DYNAMIC_LB", 27, u8],
  peerNotificationDelay: ["IFLA_BOND_PEER_NOTIF_DELAY", 28, u32],
  lacpActive: ["IFLA_BOND_AD_LACP_ACTIVE", 29, u8],
  missedMax: ["IFLA_BOND_MISSED_MAX", 30, u8],
  nsIp6Targets: ["IFLA_BOND_NS_IP6_TARGET", 31, { listOf: ip, number: 0, counting: true }],
  coupledControl: ["IFLA_BOND_COUPLED_CONTROL", 32, u8],
} as const satisfies Table;

/** What IFLA_INFO_SLAVE_DATA holds for a port of a bond. */
export const BOND_PORT = {
  state: ["IFLA_BOND_SLAVE_STATE", 1, { oneOf: u8, names: { active: 0, backup: 1 } }],
  miiStatus: ["IFLA_BOND_SLAVE_MII_STATUS", 2, {
    oneOf: u8,
    names: { up: 0, goingDown: 1, down: 2, goingBack: 3 },
  }],
  linkFailureCount: ["IFLA_BOND_SLAVE_LINK_FAILURE_COUNT", 3, u32],
  permanentAddress: ["IFLA_BOND_SLAVE_PERM_HWADDR", 4, mac],
  queueId: ["IFLA_BOND_SLAVE_QUEUE_ID", 5, u16],
  adAggregatorId: ["IFLA_BOND_SLAVE_AD_AGGREGATOR_ID", 6, u16],
  adActorPortState: ["IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE", 7, u8],
  adPartnerPortState: ["IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE", 8, u16],
  priority: ["IFLA_BOND_SLAVE_PRIO", 9, s32],
  actorPortPriority: ["IFLA_BOND_SLAVE_ACTOR_PORT_PRIO", 10, u16],
} as const satisfies Table;
