/**
 * What a namespace has of a topology, or shall have: things, each with a name and a value, so that what is
 * wanted and what is there can be compared, and one be made of the other.
 *
 * @module
 */

import type { Netns, NetnsOptions } from "../../netns/netns.ts";
import type { Address } from "../../rtnl/address.ts";
import type { BridgeVlans } from "../../rtnl/bridge_vlan.ts";
import type { Link, LinkSpec } from "../../rtnl/link.ts";
import type { Neighbour } from "../../rtnl/neighbour.ts";
import type { Request } from "../../rtnl/request.ts";
import type { Route } from "../../rtnl/route.ts";
import type { Rtnl } from "../../rtnl/rtnl.ts";
import type { Rule } from "../../rtnl/rule.ts";
import type { Qdisc } from "../../rtnl/tc/mod.ts";
import type { Found } from "../attachments.ts";
import type { Difference, ThingKind } from "./change.ts";
import type { Memory, Owner } from "./memory.ts";
import type { Path } from "./problem.ts";
import type { HostSpec, LinkEntry } from "./types.ts";
import type { Endpoint } from "./units.ts";

/** Something that a namespace has or shall have. */
export interface Thing<Value = unknown> {
  /** Its name among those of its kind in its namespace. */
  name: string;
  value: Value;
  /** Where the topology says it. */
  path?: Path | undefined;
  /** Of what is there: what it joins is gone, so that it can't be made again as it is. */
  lost?: boolean | undefined;
}

/** A namespace of a topology: where it is, and what shall be in it. */
export interface Site {
  /** Its name in the topology; "host" is the host's. */
  name: string;
  /** Where it is; without, it is made under its name. */
  target: { pid: number } | { name: string } | { path: string } | "host" | undefined;
  /** The topology's name. */
  topology: string;
  spec: HostSpec;
  /** Its links in their long form, bridges and what belongs to them too. */
  links: ReadonlyMap<string, { entry: LinkEntry; path: Path }>;
  path: Path;
}

/** What a namespace has or shall have, by kind. */
export interface NetnsState {
  /** Where it is; without, it is made under its name. */
  target: Site["target"];
  /** Where the topology says it. */
  path?: Path | undefined;
  things: ReadonlyMap<ThingKind, readonly Thing[]>;
}

/** What all namespaces of a topology have or shall have, by their names. */
export type State = ReadonlyMap<string, NetnsState>;

/** A namespace that is at hand. */
export interface Place {
  readonly name: string;
  readonly owner: Owner;
  readonly netns: Netns;
  readonly rtnl: Rtnl;
  /** Where it is, for functions that act there. */
  readonly where: NetnsOptions;
  memory: Memory | undefined;
  /** The links, by their names, when they were last looked at. */
  links: ReadonlyMap<string, Link>;
}

/** What is seen in a namespace on its own. */
export interface Dump {
  readonly place: Place;
  readonly memory: Memory;
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly neighbours: readonly Neighbour[];
  readonly qdiscs: readonly Qdisc[];
  readonly vlans: readonly BridgeVlans[];
  readonly fdb: readonly Neighbour[];
  /** The topology's attachments to this namespace. */
  readonly attachments: readonly Found[];
}

/** What is looked at inside a container. */
export type Inside = Pick<Dump, "links" | "addresses" | "routes" | "qdiscs">;

/** What is seen in a namespace, with what others have to do with it. */
export interface View extends Dump {
  /** The link whose mark says that its pair's other end has this name here. */
  peerOf(link: string): Endpoint | undefined;
  /** What is seen in the namespace with this number, if it is one of the topology's. */
  inside(netns: bigint): Inside | undefined;
  /** Whether a link is there: those of a namespace that is gone end in the background. */
  isThere(end: Endpoint): boolean;
  /** The number of the namespace that has a name in the topology; `undefined` when there is none. */
  idOf(netns: string): bigint | undefined;
}

/** One kind of things: how it is said, found, compared, made and taken away. */
export interface ThingType<Value> {
  readonly kind: ThingKind;
  /** What a topology says of it for a namespace. */
  wanted(site: Site, all: readonly Site[]): Thing<Value>[];
  /** What the topology has made of it in a namespace. */
  found(view: View): Thing<Value>[] | Promise<Thing<Value>[]>;
  /** What differs, nothing when all is right. */
  compare(wanted: Value, found: Value): Difference[];
  /** The links that it is on, without which it is gone. */
  on?(value: Value, here: string): Endpoint[];
  /** What of it is another one when one of these links is gone, without being gone itself. */
  without?(value: Value, gone: (end: Endpoint) => boolean, here: string): Value;
  /** Whether it can be changed where it is; others are made anew. */
  canChange?(wanted: Value, differences: readonly Difference[]): boolean;
  /** Changes it where it is. */
  change?(work: Work, wanted: Value, found: Value, differences: readonly Difference[]): Deed;
  /** Makes it. */
  add(work: Work, value: Value): Deed;
  /** Takes it away. */
  remove(work: Work, value: Value): Deed;
}

/** What makes a thing or takes it away: requests that can go with others, or something else. */
export type Deed = readonly Request<void>[] | (() => Promise<unknown>);

/** A namespace in which something is done. */
export interface Work {
  readonly place: Place;
  /** The number of a link; `NotFoundError` when there is none. */
  index(link: string): number;
  /** Another namespace. */
  other(name: string): Place;
  /** What shall be said of the other end of a pair. */
  saysOf(peer: Endpoint): Readonly<Record<string, unknown>> | undefined;
  /** How a request names the link below, which may be in another namespace. */
  lower(end: Endpoint): LinkSpec;
}
