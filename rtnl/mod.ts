/**
 * Bytes and meaning: the messages of rtnetlink, and a connection to speak them.
 *
 * @module
 */

export { ADDRESS, type Address, address, AddressRequests } from "./address.ts";
export {
  ADDRESS_LABEL,
  type AddressLabel,
  addressLabel,
  AddressLabelRequests,
} from "./address_label.ts";
export {
  BRIDGE_VLAN,
  bridgeVlan,
  BridgeVlanRequests,
  type BridgeVlans,
  type BridgeVlanSpec,
} from "./bridge_vlan.ts";
export type {
  ArrayShape,
  Attributes,
  ByMark,
  Codec,
  Dependent,
  DependentRow,
  Dependents,
  DependentShape,
  EitherShape,
  Fields,
  FieldShape,
  FlagsShape,
  Inner,
  Input,
  Intersection,
  ItselfShape,
  ListShape,
  Message,
  MessageShape,
  NumberFormat,
  OneOfShape,
  Output,
  RecordsShape,
  RepeatedShape,
  Row,
  Shape,
  Struct,
  StructShape,
  Table,
  UnknownAttribute,
  ValueOf,
} from "./codec/shape.ts";
export {
  type BatchOptions,
  type BatchResults,
  type Bracket,
  Connection,
  type EventTransport,
  InterruptedDumpError,
  type RequestOptions,
  type Results,
  type Transport,
} from "./connection.ts";
export type { Segments } from "./encap.ts";
export { LINK, type Link, link, type LinkMessage, LinkRequests, type LinkSpec } from "./link.ts";
export {
  LINK_STATISTICS,
  type LinkStatistics,
  linkStatistics,
  LinkStatisticsRequests,
} from "./link_stats.ts";
export { decodeBody, type DecodedMessage, decodeMessages, MESSAGES } from "./messages.ts";
export {
  type ChangeEvent,
  Monitor,
  type Monitored,
  type MonitoredObject,
  type MonitorEvent,
  type MonitorOptions,
  type OverflowEvent,
} from "./monitor.ts";
export {
  GROUP_ENTRY,
  type GroupEntry,
  type MulticastGroup,
  multicastGroup,
  MulticastGroupRequests,
} from "./multicast_group.ts";
export {
  forwarding,
  ForwardingRequests,
  NEIGHBOUR,
  type Neighbour,
  neighbour,
  NeighbourRequests,
} from "./neighbour.ts";
export {
  NEIGHBOUR_TABLE,
  type NeighbourTable,
  neighbourTable,
  NeighbourTableRequests,
} from "./neighbour_table.ts";
export { NETCONF, type Netconf, netconf, NetconfRequests } from "./netconf.ts";
export { NETNS_ID, type NetnsId, netnsId, NetnsIdRequests } from "./netns_id.ts";
export {
  NEXTHOP,
  type Nexthop,
  nexthop,
  nexthopBucket,
  NexthopBucketRequests,
  NexthopRequests,
} from "./nexthop.ts";
export * from "./nft/mod.ts";
export type { PingOptions, PingReply } from "./ping.ts";
export { type AnswerForm, type Request } from "./request.ts";
export { ROUTE, type Route, route, RouteRequests } from "./route.ts";
export { type Bound, Rtnl } from "./rtnl.ts";
export { RULE, type Rule, rule, RuleRequests } from "./rule.ts";
export {
  FILTER,
  type Filter,
  filter,
  FilterRequests,
  QDISC,
  type Qdisc,
  qdisc,
  QdiscRequests,
  trafficClass,
  TrafficClassRequests,
} from "./tc/mod.ts";
