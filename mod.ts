/**
 * Networks for containers, from Deno: what `ip`, `nsenter` and `sysctl` do, without starting one of them.
 *
 * @example A container joins a bridge, and leaves without a trace
 * ```ts
 * import { addAddress, attach, createBridge, detach, setLinkUp } from "@denolink/denolink";
 *
 * await createBridge("br0");
 * await addAddress("br0", "10.0.0.1/24");
 * await setLinkUp("br0");
 * await attach({ netns: { pid: 4242 }, bridge: "br0", addresses: ["10.0.0.2/24"], gateways: ["10.0.0.1"] });
 * await detach({ netns: { pid: 4242 } });
 * ```
 *
 * @module
 */

export * from "./overlay/mod.ts";
export * from "./netns/mod.ts";
export * from "./rtnl/mod.ts";
export * from "./ffi/mod.ts";
