/**
 * The kinds of links that have attributes of their own: one file for each, one row here.
 *
 * A kind without a row has none (dummy, ifb, nlmon, team, wireguard), or they are kept as bytes.
 *
 * @module
 */

import type { Shape } from "../codec/shape.ts";
import { BATADV } from "./batadv.ts";
import { BOND, BOND_PORT } from "./bond.ts";
import { BRIDGE, BRIDGE_PORT } from "./bridge.ts";
import { GENEVE } from "./geneve.ts";
import { GRE } from "./gre.ts";
import { HSR } from "./hsr.ts";
import { IP6_TUNNEL, IP_TUNNEL } from "./ip_tunnel.ts";
import { IPVLAN } from "./ipvlan.ts";
import { MACVLAN } from "./macvlan.ts";
import { NETKIT } from "./netkit.ts";
import { TUN } from "./tun.ts";
import { VETH } from "./veth.ts";
import { VLAN } from "./vlan.ts";
import { VRF, VRF_PORT } from "./vrf.ts";
import { VTI } from "./vti.ts";
import { VXLAN } from "./vxlan.ts";
import { XFRM } from "./xfrm.ts";

/** What IFLA_INFO_DATA holds, by kind. */
export const LINK_KINDS = {
  batadv: BATADV,
  bond: BOND,
  bridge: BRIDGE,
  erspan: GRE,
  geneve: GENEVE,
  gre: GRE,
  gretap: GRE,
  hsr: HSR,
  ip6erspan: GRE,
  ip6gre: GRE,
  ip6gretap: GRE,
  ip6tnl: IP6_TUNNEL,
  ipip: IP_TUNNEL,
  ipvlan: IPVLAN,
  ipvtap: IPVLAN,
  macvlan: MACVLAN,
  macvtap: MACVLAN,
  netkit: NETKIT,
  sit: IP_TUNNEL,
  tun: TUN,
  veth: VETH,
  vlan: VLAN,
  vrf: VRF,
  vti: VTI,
  vti6: VTI,
  vxlan: VXLAN,
  xfrm: XFRM,
} as const satisfies Record<string, Shape>;

/** What IFLA_INFO_SLAVE_DATA holds, by the kind of the master. */
export const PORT_KINDS = {
  bond: BOND_PORT,
  bridge: BRIDGE_PORT,
  vrf: VRF_PORT,
} as const satisfies Record<string, Shape>;
