/**
 * What a user wants done: the small steps, and attach and detach on top of them.
 *
 * @module
 */

export { addAddress, type AddressOptions, flushAddresses } from "./addresses.ts";
export { attach } from "./attach.ts";
export type { BridgeSpec } from "./attach_bridge.ts";
export type { AttachSpec, AttachStep, RouteSpec } from "./attach_input.ts";
export { type Attachment, listAttachments, type OwnerOptions } from "./attachments.ts";
export { detach, type DetachTarget } from "./detach.ts";
export { type AddressPool, PoolExhaustedError } from "./pool.ts";
export { type Rate } from "./rate.ts";
export { type Swept } from "./settle.ts";
export { sweep, type SweepOptions } from "./sweep.ts";
export { type VxlanSpec } from "./vxlan.ts";
export {
  addLinkToBridge,
  bridgeMemberCount,
  createBridge,
  deleteBridge,
  setBridgeStp,
} from "./bridges.ts";
export {
  createVethPair,
  deleteLink,
  listLinks,
  moveLinkIntoNetns,
  setLinkUp,
  type VethOptions,
} from "./links.ts";
export {
  addDefaultRouteViaDevice,
  addDefaultRouteViaGateway,
  deleteRouteViaDevice,
  type DeviceRouteOptions,
  replaceRouteViaDevice,
} from "./routes.ts";
export { type PublishedPort, type Tag } from "./tag.ts";
export * from "./topology/mod.ts";
