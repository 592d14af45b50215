/**
 * The bridge that an attachment is on: one that is there, or one that is made with its first container and
 * goes with its last.
 *
 * @module
 */

import { ExistsError, InputError, NetlinkError } from "../ffi/errors.ts";
import { errnoOf } from "../ffi/errno.ts";
import type { NetnsOptions } from "../netns/netns.ts";
import { setSysctl } from "../netns/sysctl.ts";
import { address } from "../rtnl/address.ts";
import { type Link, link, SKIP_STATS } from "../rtnl/link.ts";
import type { Request } from "../rtnl/request.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { flagsAtOnce } from "./addresses.ts";
import { type Attachment, throwFirst } from "./attachments.ts";
import { type Bridge, newBridgeAddress, requireBridge } from "./bridges.ts";
import type { Host } from "./host.ts";
import { checkLinkName, type Cidr, parseCidr } from "./input.ts";
import { absentIsFalse, findLink } from "./links.ts";
import { type BridgeTag, formatBridgeTag, makingAltName, parseBridgeTag } from "./tag.ts";
import {
  ensureVxlan,
  isOwnVxlan,
  readVxlan,
  removeVxlan,
  type VxlanSpec,
  type WantedVxlan,
} from "./vxlan.ts";

/** What a bridge shall be like. */
export interface BridgeSpec {
  /** Its name, 1 to 15 bytes. */
  name: string;
  /**
   * The host's addresses on it, with their prefixes: the gateways of its containers. Those that an
   * earlier attach gave it and that are not among them are taken away; all others stay.
   * @default {[]}
   */
  addresses?: readonly string[] | undefined;
  /**
   * Whether a bridge of that name that nobody attached to yet may be used; it then stays when the last
   * container leaves.
   * @default {false}
   */
  adopt?: boolean | undefined;
  /**
   * Largest packet in bytes.
   * @default {the smallest of its ports'}
   */
  mtu?: number | undefined;
  /**
   * Whether the kernel's spanning tree protocol runs on it.
   * @default {false}
   */
  stp?: boolean | undefined;
  /**
   * Whether it heeds VLANs.
   * @default {false}
   */
  vlanFiltering?: boolean | undefined;
  /** Other hosts' bridges that are one network with it. */
  vxlan?: VxlanSpec | undefined;
}

/** A bridge's spec, read; without `shape` the bridge has to be there. */
export interface WantedBridge {
  name: string;
  shape: Shape | undefined;
}

interface Shape {
  addresses: Cidr[];
  adopt: boolean;
  mtu: number | undefined;
  stp: boolean | undefined;
  vlanFiltering: boolean | undefined;
  vxlan: WantedVxlan | undefined;
}

/** Reads a bridge's name or spec; `InputError` for what can't be meant. */
export function readBridgeSpec(spec: string | BridgeSpec): WantedBridge {
  if (typeof spec === "string") return { name: checkLinkName(spec), shape: undefined };
  const { addresses = [], adopt = false, mtu, stp, vlanFiltering, vxlan } = spec;
  if (mtu !== undefined && !(Number.isInteger(mtu) && mtu >= 68 && mtu <= 65535)) {
    throw new InputError(`Cannot use MTU ${mtu}: it is a whole number from 68 to 65535`);
  }
  return {
    name: checkLinkName(spec.name),
    shape: {
      ...{ addresses: addresses.map(parseCidr), adopt, mtu, stp, vlanFiltering },
      vxlan: vxlan === undefined ? undefined : readVxlan(vxlan),
    },
  };
}

/** The bridge as it is wanted; made, or changed where it differs. The host's lock is held. */
export async function ensureBridge(
  { rtnl, where }: Host,
  { name, shape }: WantedBridge & { shape: Shape },
  owner: string,
): Promise<void> {
  const operation = `make bridge ${name}`;
  const found = await findLink(rtnl, { name });
  const tag = parseBridgeTag(found?.alias);
  const wanted = shape.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
  if (found === undefined) await create(rtnl, name, shape, { owner, addresses: wanted });
  else {
    requireBridge(found, operation);
    if (tag?.owner !== owner && !shape.adopt) {
      const whose = tag === undefined ? "somebody else's" : `${tag.owner}'s`;
      throw new ExistsError(operation, errnoOf("EEXIST"), {
        remedy:
          `there is a bridge ${name} already, and it is ${whose}; take another name, or adopt it`,
      });
    }
  }
  const bridge = found ?? await rtnl.links.get({ name, extendedMask: SKIP_STATS });
  await differ(rtnl, bridge as Bridge, shape, tag?.owner === owner ? tag : undefined, where);
  if (shape.vxlan !== undefined) await ensureVxlan(rtnl, bridge as Bridge, shape.vxlan);
}

/** Written on it in the same system call, so that no crash leaves one that is nobody's. */
async function create(rtnl: Rtnl, name: string, shape: Shape, tag: BridgeTag): Promise<void> {
  const results = await rtnl.batch([
    link.add({
      name,
      up: true,
      address: newBridgeAddress(),
      linkInfo: { kind: "bridge", data: data(shape) },
    }),
    link.set({ name, alias: formatBridgeTag(tag) }),
  ]);
  const error = results.find((result) => result instanceof NetlinkError);
  if (error === undefined) return;
  if (!(results[0] instanceof NetlinkError)) await absentIsFalse(() => rtnl.links.delete({ name }));
  throw error;
}

function data({ stp, vlanFiltering }: Shape) {
  return {
    ...stp === undefined ? {} : { stpState: stp ? 1 : 0 },
    ...vlanFiltering === undefined ? {} : { vlanFiltering },
  };
}

/** Changes what differs, and nothing else: containers are talking. */
async function differ(
  rtnl: Rtnl,
  { index, name }: Bridge,
  shape: Shape,
  tag: BridgeTag | undefined,
  where: NetnsOptions,
): Promise<void> {
  const [now, addresses] = await rtnl.batch([
    link.get({ index, extendedMask: SKIP_STATS }),
    address.list({ index }),
  ]);
  if (now instanceof NetlinkError) throw now;
  if (addresses instanceof NetlinkError) throw addresses;
  const has = addresses.map((it) => `${it.local ?? it.address}/${it.prefixLength}`);
  const wanted = shape.addresses.map((it) => `${it.address}/${it.prefixLength}`);
  const former = (tag?.addresses ?? []).map(parseCidr)
    .map((it) => ({ ...it, text: `${it.address}/${it.prefixLength}` }))
    .filter(({ text }) => !wanted.includes(text) && has.includes(text));
  if (former.some(({ family }) => family === "inet")) {
    // Or the kernel takes all others of the subnet away with its first one (ip-sysctl).
    await setSysctl(`net/ipv4/conf/${name}/promote_secondaries`, 1, where);
  }
  const current = now.linkInfo?.kind === "bridge" ? now.linkInfo.data : undefined;
  const changes: Request<void>[] = [
    // In one system call with the addresses: what is written is what a crash leaves.
    ...tag === undefined || tag.addresses.join() === wanted.join() ? [] : [
      link.set({ index, alias: formatBridgeTag({ owner: tag.owner, addresses: wanted }) }),
    ],
    ...shape.addresses.filter((_, i) => !has.includes(wanted[i]!)).map((it) =>
      address.add({
        ...{ index, family: it.family, address: it.address, prefixLength: it.prefixLength },
        flags: flagsAtOnce(it.family),
      })
    ),
    ...former.map((it) =>
      address.delete({
        ...{ index, family: it.family, address: it.address, prefixLength: it.prefixLength },
      })
    ),
    ...now.flags?.includes("up") ? [] : [link.set({ index, up: true })],
    // Given at creation it would not last; and with a vxlan it can't be more than that lets through.
    ...shape.mtu === undefined || shape.mtu === now.mtu || shape.vxlan !== undefined
      ? []
      : [link.set({ index, mtu: shape.mtu })],
    ...shape.stp === undefined || (current?.stpState !== 0) === shape.stp ? [] : [
      link.setKind({ index, linkInfo: { kind: "bridge", data: { stpState: shape.stp ? 1 : 0 } } }),
    ],
    ...shape.vlanFiltering === undefined || current?.vlanFiltering === shape.vlanFiltering ? [] : [
      link.setKind({
        index,
        linkInfo: { kind: "bridge", data: { vlanFiltering: shape.vlanFiltering } },
      }),
    ],
  ];
  throwFirst(await rtnl.batch(changes));
}

/**
 * The bridges that an owner's attachments made and that have none of these attachments and no other port,
 * but what is half made. The host's lock is held.
 */
export async function findEmptyBridges(
  rtnl: Rtnl,
  owner: string,
  attachments: readonly Attachment[],
): Promise<Bridge[]> {
  const used = new Set(attachments.map(({ bridge }) => bridge));
  const halfMade = makingAltName(owner);
  const empty: Bridge[] = [];
  for await (const bridge of rtnl.links.list({ linkInfo: { kind: "bridge" } })) {
    if (parseBridgeTag(bridge.alias)?.owner !== owner || used.has(bridge.name)) continue;
    const ports = await Array.fromAsync(rtnl.links.list({ master: bridge.index }));
    const isNobodys = ({ alias, altNames }: Link) =>
      isOwnVxlan(alias) || altNames?.includes(halfMade) === true;
    if (ports.every(isNobodys)) empty.push(bridge as Bridge);
  }
  return empty;
}

/** Deletes a bridge with the vxlan that belongs to it. */
export async function removeBridge(rtnl: Rtnl, { index, name }: Bridge): Promise<void> {
  await removeVxlan(rtnl, index);
  await absentIsFalse(() =>
    rtnl.request({ ...link.delete({ index }), operation: `delete bridge ${name}` })
  );
}
