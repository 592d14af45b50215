/**
 * Where: pinned namespaces, the thread that visits them, code that runs inside one, sysctl.
 *
 * @module
 */

export { type NamedNetns } from "./named.ts";
export { Netns, type NetnsOptions, type NetnsTarget, withNetns } from "./netns.ts";
export { RemoteError, runInNetns, type RunOptions } from "./run.ts";
export { readSysctl, setSysctl } from "./sysctl.ts";
