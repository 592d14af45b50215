/**
 * The kernel's door: what the rest of the library hands on of it.
 *
 * @module
 */

export { Descriptor } from "./descriptor.ts";
export {
  type AttributePolicy,
  type ErrorDetails,
  ExistsError,
  InputError,
  NetlinkError,
  NotFoundError,
  PermissionError,
  UnsupportedError,
} from "./errors.ts";
