/**
 * Bytes and meaning: the messages of rtnetlink, and a connection to speak them.
 *
 * @module
 */

export { ADDRESS, type Address, address, AddressRequests } from "./address.ts";
export type {
  Attributes,
  Codec,
  Dependent,
  Dependents,
  DependentShape,
  Fields,
  FieldShape,
  FlagsShape,
  Input,
  Intersection,
  ItselfShape,
  ListShape,
  Message,
  MessageShape,
  OneOfShape,
  Output,
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
  Connection,
  InterruptedDumpError,
  type Results,
  type Transport,
} from "./connection.ts";
export { LINK, type Link, link, type LinkMessage, LinkRequests, type LinkSpec } from "./link.ts";
export { NETCONF, type Netconf, netconf, NetconfRequests } from "./netconf.ts";
export { type AnswerForm, type Request } from "./request.ts";
export { ROUTE, type Route, route, RouteRequests } from "./route.ts";
export { type Bound, Rtnl } from "./rtnl.ts";
