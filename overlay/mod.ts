/**
 * What a user wants done: the small steps, and attach and detach on top of them.
 *
 * @module
 */

export { addAddress, type AddressOptions, flushAddresses } from "./addresses.ts";
export { attach } from "./attach.ts";
export type { AttachSpec, AttachStep } from "./attach_input.ts";
export { type Attachment, detach, type DetachTarget, listAttachments } from "./attachments.ts";
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
export { type Tag } from "./tag.ts";
