/**
 * Where: pinned namespaces, the thread that visits them, code that runs inside one, sysctl.
 *
 * @module
 */

export { type HeldNetns } from "./held.ts";
export { type NamedNetns } from "./named.ts";
export { Netns, type NetnsOptions, withNetns } from "./netns.ts";
export { NetnsProcess, type ProcessOutput, type SpawnOptions } from "./process.ts";
export { restartRootless } from "./rootless.ts";
export { RemoteError, runInNetns, type RunOptions } from "./run.ts";
export { listSysctls, readSysctl, setSysctl, setSysctls } from "./sysctl.ts";
export { type NetnsTarget, processStartTime } from "./target.ts";
