/**
 * One difference between a topology and the kernel.
 *
 * @module
 */

import type { Path } from "./problem.ts";

/** What kinds of things a topology consists of. */
export type ThingKind =
  | "netns"
  | "link"
  | "address"
  | "qdisc"
  | "vlan"
  | "fdb"
  | "sysctl"
  | "attachment"
  | "neighbour"
  | "route"
  | "rule"
  | "nft table";

/** Something to make, to change or to take away. */
export interface Change {
  /** What becomes of it. */
  action: "add" | "change" | "remove";
  /** What it is. */
  kind: ThingKind;
  /** The namespace it is in, by its name in the topology; "host" is the host's. */
  netns: string;
  /** Its name among those of its kind in the namespace: "eth0", "10.0.0.2/24 dev eth0". */
  name: string;
  /** The change in words: "add address 10.0.0.2/24 dev eth0 in r1". */
  text: string;
  /** Of a change: what differs, with what it is and what it shall be. */
  differences?: Difference[] | undefined;
  /** Where the topology says it; what is taken away stands nowhere any more. */
  path?: Path | undefined;
}

/** One value that differs; `undefined` is not there. */
export interface Difference {
  /** Its name: "mtu", "data.stpState". */
  key: string;
  /** What it is. */
  before: unknown;
  /** What it shall be. */
  after: unknown;
}

/** What a topology and the kernel differ in. */
export interface Plan {
  /** The topology's name. */
  topology: string;
  /** What is to do, or was done, in order; empty when all is right. */
  changes: Change[];
}
