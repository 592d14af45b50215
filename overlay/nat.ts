/**
 * Addresses of containers behind those of the host: what they send gets the host's, and ports of the host
 * lead to theirs (nft(8), NAT). All of it is in a table of the owner's own, which follows from what is
 * attached.
 *
 * @module
 */

import {
  deleteNftTable,
  Nft,
  type NftElementSpec,
  nftMatch,
  type NftRuleSpec,
  type NftSetSpec,
  type NftTableSpec,
  nftVerdict,
  replaceNftTable,
} from "../rtnl/nft/mod.ts";
import { NotFoundError } from "../ffi/errors.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import type { Attachment } from "./attachments.ts";
import { type Cidr, parseCidr, subnetOf } from "./input.ts";
import { isMarked, removeMark, setMark } from "./marks.ts";
import { DEFAULT_OWNER } from "./tag.ts";

/** Whether an attachment needs address translation. */
export function needsNat({ masquerade, publish }: Attachment): boolean {
  return masquerade || publish.length > 0;
}

/** The name of an owner's table; its family is "inet". */
export function tableOf(owner: string): string {
  return owner === DEFAULT_OWNER ? "denolink" : `denolink-${owner}`;
}

/** Whether an owner has a table, or has been about to make one. */
export async function hasTable(owner: string, host: Rtnl): Promise<boolean> {
  return await isMarked(markOf(owner), host);
}

/**
 * Makes an owner's table such that it translates for these attachments of its and nobody else, in one
 * transaction; without any the table is deleted. The host's lock is held.
 */
export async function translateFor(
  attachments: readonly Attachment[],
  owner: string,
  host: Rtnl,
): Promise<void> {
  using nft = await Nft.beside(host);
  const name = tableOf(owner);
  if (attachments.length === 0) {
    await nft.transaction(deleteNftTable("inet", name));
    return await removeMark(markOf(owner), host);
  }
  const table = await withDigest(tableFor(name, attachments));
  // The mark comes first, so that what is made can't be forgotten.
  await setMark(markOf(owner), host);
  if (await commentOf(nft, name) === table.comment) return;
  await nft.transaction(replaceNftTable(table));
}

function markOf(owner: string): string {
  return `denolink-nat-${owner}`;
}

/** An address of a container, with what it is attached by. */
interface Own {
  cidr: Cidr;
  attachment: Attachment;
}

/** What differs between IPv4 and IPv6. */
const KINDS = [
  {
    family: "inet",
    name: "ip",
    map: "published4",
    address: "ipv4_addr",
    loopback: "127.0.0.0/8",
  },
  { family: "inet6", name: "ip6", map: "published6", address: "ipv6_addr", loopback: "::1" },
] as const;

/** The table for some attachments: maps of published ports, and a rule for each subnet that hides. */
function tableFor(name: string, attachments: readonly Attachment[]): NftTableSpec {
  const all = attachments.flatMap((attachment) =>
    attachment.addresses.map((text): Own => ({ cidr: parseCidr(text), attachment }))
  );
  const kinds = KINDS.map((kind) => ({
    ...kind,
    own: all.filter(({ cidr }) => cidr.family === kind.family),
  }));
  const published = kinds.filter(({ own }) =>
    own.some(({ attachment }) => attachment.publish.length > 0)
  );
  const lead: NftRuleSpec[] = published.map((kind) => ({
    comment: "published ports",
    expressions: [
      nftMatch.family(kind.name),
      nftMatch.destinationIsLocal(),
      // A host's loopback addresses can't leave it.
      nftMatch.destinationAddress(kind.loopback, { not: true }),
      nftVerdict.dnat({
        map: `@${kind.map}`,
        by: ["protocol", "destinationPort"],
        port: true,
        family: kind.name,
      }),
    ],
  }));
  return {
    family: "inet",
    name,
    sets: published.map((kind): NftSetSpec => ({
      name: kind.map,
      type: ["inet_proto", "inet_service"],
      data: [kind.address, "inet_service"],
      elements: kind.own.flatMap(portsOf),
    })),
    chains: [
      { name: "prerouting", type: "nat", hook: "prerouting", rules: lead },
      { name: "output", type: "nat", hook: "output", rules: lead },
      {
        name: "postrouting",
        type: "nat",
        hook: "postrouting",
        rules: distinct(kinds.flatMap(({ own }) => own.flatMap(hidingRules))),
      },
    ],
  };
}

/** The first address of a family gets the ports. */
function portsOf({ cidr, attachment }: Own): NftElementSpec[] {
  const first = attachment.addresses.map(parseCidr).find(({ family }) => family === cidr.family);
  if (first?.address !== cidr.address) return [];
  return attachment.publish.map(({ protocol, hostPort, port }) => ({
    key: [protocol, hostPort],
    value: [cidr.address, port],
  }));
}

/** What gets an address of the host's on its way out. */
function hidingRules({ cidr, attachment }: Own): NftRuleSpec[] {
  const { bridge, hostInterface, masquerade, publish } = attachment;
  const link = bridge ?? hostInterface;
  const source = bridge === undefined ? cidr.address : subnetOf(cidr);
  const rules: NftRuleSpec[] = [];
  if (masquerade) {
    rules.push({
      comment: `leaves ${link}`,
      expressions: [
        nftMatch.sourceAddress(source),
        nftMatch.outputInterface(link, { not: true }),
        nftVerdict.masquerade(),
      ],
    });
  }
  if (publish.length > 0) {
    // A neighbour that asks the host must be answered by way of the host.
    rules.push({
      comment: `asks a neighbour on ${link}`,
      expressions: [
        nftMatch.sourceAddress(source),
        nftMatch.outputInterface(link),
        nftMatch.connectionStatus("dnat"),
        nftVerdict.masquerade(),
      ],
    });
  }
  return rules;
}

/** Containers of one bridge share their rules. */
function distinct(rules: readonly NftRuleSpec[]): NftRuleSpec[] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}

/** The table with a comment that is another one when anything of it is: counters start anew only then. */
async function withDigest(table: NftTableSpec): Promise<NftTableSpec> {
  const text = new TextEncoder().encode(JSON.stringify(table));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text)).toHex();
  return { ...table, comment: `made by denolink ${digest.slice(0, 16)}` };
}

async function commentOf(nft: Nft, name: string): Promise<string | undefined> {
  try {
    return (await nft.tables.get({ family: "inet", name })).userdata?.comment;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
