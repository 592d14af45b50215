/**
 * Which ports of a bridge want a multicast group (bridge(8), linux/if_bridge.h, MDBA_*).
 *
 * @module
 */

import { parseAddress } from "./codec/ip.ts";
import { bytes, ip, mac, padding, show, u16, u32, u8 } from "./codec/scalars.ts";
import {
  type Codec,
  type Message,
  type MessageShape,
  type Table,
  ValueError,
} from "./codec/shape.ts";
import { FAMILY, ROUTE_PROTOCOL } from "./names.ts";
import {
  changing,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
  request,
} from "./request.ts";

// Ethertypes (linux/if_ether.h); 0 is a link-layer address.
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

/** The address of struct br_mdb_entry: 16 bytes, of which its protocol says how many count. */
const groupAddress: Codec<string> = {
  size: 20,
  read(input, start) {
    const protocol = input.view.getUint16(start + 16);
    if (protocol === ETH_P_IP) return ip.read(input, start, start + 4);
    return protocol === ETH_P_IPV6
      ? ip.read(input, start, start + 16)
      : mac.read(input, start, start + 6);
  },
  write(output, value) {
    const start = output.length;
    const length = parseAddress(value)?.length;
    if (length === undefined) mac.write(output, value);
    else ip.write(output, value);
    if (length === undefined && output.length !== start + 6) {
      throw new ValueError(`expected an IP or Ethernet address, got ${show(value)}`);
    }
    output.reserve(start + 20 - output.length);
    const protocol = length === 4 ? ETH_P_IP : length === 16 ? ETH_P_IPV6 : 0;
    output.view.setUint16(start + 16, protocol);
  },
};

const ENTRY = {
  /** The number of the port. */
  port: u32,
  state: { oneOf: u8, names: { temporary: 0, permanent: 1 } },
  flags: {
    flags: u8,
    names: { offload: 1, fastLeave: 2, starExclude: 4, blocked: 8, offloadFailed: 0x10 },
  },
  /** 0 where the bridge does not filter VLANs. */
  vid: u16,
  /** The group: an IP address or a link-layer address. */
  group: groupAddress,
} as const;

const SOURCE = {
  address: ["MDBA_MDB_SRCATTR_ADDRESS", 1, ip],
  /** Hundredths of a second. */
  timer: ["MDBA_MDB_SRCATTR_TIMER", 2, u32],
} as const satisfies Table;

const FILTER_MODE = { oneOf: u8, names: { exclude: 0, include: 1 } } as const;

/** MDBA_MDB_ENTRY_INFO: struct br_mdb_entry and the MDBA_MDB_EATTR_* attributes. */
export const GROUP_ENTRY = {
  header: ENTRY,
  attributes: {
    /** Hundredths of a second. */
    timer: ["MDBA_MDB_EATTR_TIMER", 1, u32],
    sources: ["MDBA_MDB_EATTR_SRC_LIST", 2, { listOf: SOURCE, number: 1 }],
    mode: ["MDBA_MDB_EATTR_GROUP_MODE", 3, FILTER_MODE],
    source: ["MDBA_MDB_EATTR_SOURCE", 4, ip],
    protocol: ["MDBA_MDB_EATTR_RTPROT", 5, ROUTE_PROTOCOL],
  },
} as const satisfies MessageShape;

const HEADER = { family: FAMILY, padding1: padding, padding2: u16, bridge: u32 } as const;

/** RTM_GETMDB: struct br_port_msg and what a bridge's table holds. */
export const MULTICAST_GROUPS = {
  header: HEADER,
  attributes: {
    groups: ["MDBA_MDB", 1, {
      entries: ["MDBA_MDB_ENTRY", 1, {
        repeated: { infos: ["MDBA_MDB_ENTRY_INFO", 1, { repeated: GROUP_ENTRY }] },
      }],
    }],
    /** The ports behind which multicast routers are. */
    routers: ["MDBA_ROUTER", 2, bytes],
  },
} as const satisfies MessageShape;

/** RTM_NEWMDB, RTM_DELMDB as a request: struct br_port_msg and the MDBA_SET_ENTRY* attributes. */
export const MULTICAST_GROUP_CHANGE = {
  header: HEADER,
  attributes: {
    entry: ["MDBA_SET_ENTRY", 1, { struct: ENTRY }],
    details: ["MDBA_SET_ENTRY_ATTRS", 2, {
      source: ["MDBE_ATTR_SOURCE", 1, ip],
      sources: ["MDBE_ATTR_SRC_LIST", 2, {
        listOf: { address: ["MDBE_SRCATTR_ADDRESS", 1, ip] },
        number: 1,
      }],
      mode: ["MDBE_ATTR_GROUP_MODE", 3, FILTER_MODE],
      protocol: ["MDBE_ATTR_RTPROT", 4, ROUTE_PROTOCOL],
    }],
  },
} as const satisfies MessageShape;

/** What a bridge's table says of a group. */
export interface GroupEntry extends Message<typeof GROUP_ENTRY> {}

/** A group and one port of a bridge that wants it; what is `undefined` was not said. */
export interface MulticastGroup extends GroupEntry {
  /** The number of the bridge. */
  bridge?: number | undefined;
}

/** What one bridge answers. */
interface GroupTable {
  bridge: number;
  groups?: { entries?: { infos?: GroupEntry[] }[] };
}

// linux/rtnetlink.h
const RTM_NEWMDB = 84;
const RTM_DELMDB = 85;
const RTM_GETMDB = 86;

/** The requests about multicast groups of bridges. */
export class MulticastGroupRequests {
  /** The groups of all bridges. */
  list(_filter: MulticastGroup = {}): Request<MulticastGroup[]> {
    return request({
      operation: "list multicast groups",
      type: RTM_GETMDB,
      form: "dump",
      shape: MULTICAST_GROUPS,
      values: { family: "bridge" },
      read: (tables) => (tables as GroupTable[]).flatMap(groupsOf),
    });
  }

  /** Has the port `port` of `bridge` get a `group`, "permanent" unless said. */
  add(spec: MulticastGroup): Request<void> {
    return change("add", RTM_NEWMDB, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** The same, or changes the entry that is there. */
  replace(spec: MulticastGroup): Request<void> {
    return change("replace", RTM_NEWMDB, spec, NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** Takes it away. */
  delete(spec: MulticastGroup): Request<void> {
    return change("delete", RTM_DELMDB, spec);
  }
}

/** The requests about multicast groups of bridges, ready to be sent or batched. */
export const multicastGroup: MulticastGroupRequests = new MulticastGroupRequests();

function groupsOf({ bridge, groups }: GroupTable): MulticastGroup[] {
  const infos = groups?.entries?.flatMap(({ infos }) => infos ?? []) ?? [];
  return infos.map((info) => ({ ...info, bridge }));
}

function change(verb: string, type: number, spec: MulticastGroup, flags = 0): Request<void> {
  const { bridge, port, group, vid, state = "permanent", source, sources, mode, protocol } = spec;
  const detailed = [source, sources, mode, protocol].some((detail) => detail !== undefined);
  const values = {
    family: "bridge",
    bridge,
    entry: { port, state, vid, group },
    ...detailed ? { details: { source, sources, mode, protocol } } : {},
  };
  const operation = `${verb} multicast group ${group} of bridge number ${bridge}`;
  return changing(operation, type, MULTICAST_GROUP_CHANGE, values, flags);
}
