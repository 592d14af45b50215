/**
 * Addresses of containers behind those of the host: what they send gets the host's, and ports of the host
 * lead to theirs (nft(8), NAT). All of it is in a table of the owner's own, which follows from what is
 * attached.
 *
 * @module
 */

import {
  addNftElements,
  addNftRule,
  deleteNftElements,
  deleteNftTable,
  Nft,
  type NftElement,
  nftMatch,
  nftRule,
  type NftRuleSpec,
  type NftSetSpec,
  type NftTableName,
  nftVerdict,
  replaceNftTable,
} from "../rtnl/nft/mod.ts";
import { NotFoundError } from "../ffi/errors.ts";
import { formatAddress } from "../rtnl/codec/ip.ts";
import type { Request } from "../rtnl/request.ts";
import type { Rtnl } from "../rtnl/rtnl.ts";
import { type Attachment, findAttachments } from "./attachments.ts";
import { type Cidr, parseCidr, subnetOf } from "./input.ts";
import { removeMark, setMark } from "./marks.ts";
import { DEFAULT_OWNER, type PublishedPort } from "./tag.ts";

/** Whether an attachment needs address translation. */
export function needsNat({ masquerade, publish }: Attachment): boolean {
  return masquerade || publish.length > 0;
}

/** The name of an owner's table; its family is "inet". */
export function tableOf(owner: string): string {
  return owner === DEFAULT_OWNER ? "denolink" : `denolink-${owner}`;
}

/** Whether an owner has a table, or has been about to make one, by the marks of a host. */
export function hasTable(owner: string, marks: ReadonlySet<string>): boolean {
  return marks.has(markOf(owner));
}

/**
 * Makes an owner's table such that it translates for these attachments of its and nobody else, in one
 * transaction with what is to be changed; without any the table is deleted. The host's lock is held.
 */
export async function translateFor(
  attachments: readonly Attachment[],
  owner: string,
  host: Rtnl,
): Promise<void> {
  using nft = await Nft.beside(host);
  const table: NftTableName = { family: "inet", name: tableOf(owner) };
  if (attachments.length === 0) {
    await nft.transaction(deleteNftTable(table.family, table.name));
    return await removeMark(markOf(owner), host);
  }
  // The mark comes first, so that what is made can't be forgotten.
  await setMark(markOf(owner), host);
  const wanted = contentFor(attachments);
  const found = await contentIn(nft, table);
  const isChanged = found !== undefined &&
    await change(nft, table, without(found, wanted), without(wanted, found));
  if (!isChanged) await nft.transaction(make(table, wanted));
}

/**
 * The same for one more, whoever else is attached: the others are looked at only where something is in the
 * way, such as ports that led to its addresses when they were another's.
 */
export async function translateAlsoFor(attachment: Attachment, host: Rtnl): Promise<void> {
  const { owner } = attachment;
  using nft = await Nft.beside(host);
  const table: NftTableName = { family: "inet", name: tableOf(owner) };
  const found = await contentIn(nft, table);
  const wanted = contentFor([attachment]);
  const addresses = attachment.addresses.map((it) => parseCidr(it).address);
  const isInTheWay = ({ key: [protocol, hostPort], value: [address] }: Port) =>
    addresses.includes(address) ||
    attachment.publish.some((it) => it.protocol === protocol && it.hostPort === hostPort);
  const isClear = found !== undefined && !without(found, wanted).ports.some(isInTheWay);
  if (isClear && await change(nft, table, NOTHING, without(wanted, found))) return;
  const all = await findAttachments(host);
  await translateFor(all.filter((it) => it.owner === owner && needsNat(it)), owner, host);
}

function markOf(owner: string): string {
  return `denolink-nat-${owner}`;
}

/** What differs between IPv4 and IPv6. */
const KINDS = [
  {
    family: "inet",
    name: "ip",
    published: publishedPorts("published4", "ipv4_addr"),
    loopback: "127.0.0.0/8",
  },
  {
    family: "inet6",
    name: "ip6",
    published: publishedPorts("published6", "ipv6_addr"),
    loopback: "::1",
  },
] as const;

/** A map from ports of the host to those of containers. */
function publishedPorts(name: string, address: "ipv4_addr" | "ipv6_addr"): NftSetSpec {
  return { name, type: ["inet_proto", "inet_service"], data: [address, "inet_service"] };
}

const CHAINS = ["prerouting", "output", "postrouting"] as const;
type Chain = typeof CHAINS[number];

/** What is in a table: each rule by its chain and its comment, each port by what it says. */
interface Content<Rule> {
  rules: Map<string, Rule>;
  ports: Map<string, Port>;
}

/** A rule that a table shall have. Most containers have the same, so it is made when it is missing. */
interface Wanted {
  chain: Chain;
  comment: string;
  expressions(): NftRuleSpec["expressions"];
}

/** A rule that a table has. */
interface Found {
  chain: string | undefined;
  handle: bigint | undefined;
}

/** A port of the host that leads to a container; in the map of its address's family. */
interface Port {
  published: NftSetSpec;
  key: [protocol: string, port: number];
  value: [address: string, port: number];
}

/** What a table of attachments has. */
function contentFor(attachments: readonly Attachment[]): Content<Wanted> {
  const content: Content<Wanted> = { rules: new Map(), ports: new Map() };
  for (const attachment of attachments) {
    const addresses = attachment.addresses.map(parseCidr);
    for (const kind of KINDS) {
      const own = addresses.filter(({ family }) => family === kind.family);
      for (const rule of own.flatMap((cidr) => hidingRules(attachment, cidr))) {
        addRule(content, rule);
      }
      // The first address of a family gets the ports.
      const [first] = own;
      if (first === undefined || attachment.publish.length === 0) continue;
      for (const rule of leadingRules(kind)) addRule(content, rule);
      for (const port of attachment.publish) {
        addPort(content, portOf(kind.published, port, first.address));
      }
    }
  }
  return content;
}

function addRule({ rules }: Content<Wanted>, rule: Wanted): void {
  rules.set(ruleText(rule.chain, rule.comment), rule);
}

function ruleText(chain: string | undefined, comment: string | undefined): string {
  return `${chain} ${comment}`;
}

function addPort({ ports }: Content<unknown>, port: Port): void {
  ports.set(`${port.key.join(" ")} ${port.value.join(" ")}`, port);
}

function portOf(
  published: NftSetSpec,
  { protocol, hostPort, port }: PublishedPort,
  address: string,
): Port {
  return { published, key: [protocol, hostPort], value: [address, port] };
}

/** What leads ports of the host to containers. */
function leadingRules({ name, published, loopback }: typeof KINDS[number]): Wanted[] {
  return (["prerouting", "output"] as const).map((chain) => ({
    chain,
    comment: `published ports, ${name}`,
    expressions: () => [
      nftMatch.family(name),
      nftMatch.destinationIsLocal(),
      // A host's loopback addresses can't leave it.
      nftMatch.destinationAddress(loopback, { not: true }),
      nftVerdict.dnat({
        map: `@${published.name}`,
        by: ["protocol", "destinationPort"],
        port: true,
        family: name,
      }),
    ],
  }));
}

/** What gets an address of the host's on its way out; containers of one bridge share it. */
function hidingRules(
  { bridge, hostInterface, masquerade, publish }: Attachment,
  cidr: Cidr,
): Wanted[] {
  const link = bridge ?? hostInterface;
  const source = bridge === undefined ? cidr.address : subnetOf(cidr);
  const rules: Wanted[] = [];
  if (masquerade) {
    rules.push({
      chain: "postrouting",
      comment: `${source} leaves ${link}`,
      expressions: () => [
        nftMatch.sourceAddress(source),
        nftMatch.outputInterface(link, { not: true }),
        nftVerdict.masquerade(),
      ],
    });
  }
  if (publish.length > 0) {
    rules.push({
      chain: "postrouting",
      comment: `${source} asks a neighbour on ${link}`,
      // A neighbour that asks the host must be answered by way of the host.
      expressions: () => [
        nftMatch.sourceAddress(source),
        nftMatch.outputInterface(link),
        nftMatch.connectionStatus("dnat"),
        nftVerdict.masquerade(),
      ],
    });
  }
  return rules;
}

/** Says that a table has the chains and maps that `make` gives it. */
const COMMENT = "made by denolink";

/** The requests for a whole table, in the place of the one that is there. */
function make(table: NftTableName, wanted: Content<Wanted>): Request<void>[] {
  const empty = replaceNftTable({
    ...table,
    comment: COMMENT,
    sets: KINDS.map(({ published }) => published),
    chains: CHAINS.map((hook) => ({ name: hook, type: "nat", hook })),
  });
  const all = { rules: [...wanted.rules.values()], ports: [...wanted.ports.values()] };
  return [...empty, ...additions(table, all)];
}

/**
 * Takes some of a table's content away and adds some; a port that leads elsewhere from now on is taken away
 * first. False when somebody has taken away a chain or a map that it has to be in.
 */
async function change(
  nft: Nft,
  table: NftTableName,
  gone: Part<Found>,
  come: Part<Wanted>,
): Promise<boolean> {
  const requests = [...removals(table, gone), ...additions(table, come)];
  try {
    if (requests.length > 0) await nft.transaction(requests);
    return true;
  } catch (error) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
}

function removals({ family, name }: NftTableName, { rules, ports }: Part<Found>): Request<void>[] {
  return [
    ...rules.map(({ chain, handle }) => nftRule.delete({ family, table: name, chain, handle })),
    ...inMaps(ports, (map, own) => deleteNftElements({ family, name }, map, own)),
  ];
}

function additions(table: NftTableName, { rules, ports }: Part<Wanted>): Request<void>[] {
  return [
    ...inMaps(ports, (map, own) => addNftElements(table, map, own)),
    ...rules.flatMap(({ chain, comment, expressions }) =>
      addNftRule(table, chain, { comment, expressions: expressions() })
    ),
  ];
}

function inMaps(
  ports: readonly Port[],
  requestsOf: (map: NftSetSpec, own: readonly Port[]) => Request<void>[],
): Request<void>[] {
  return KINDS.flatMap(({ published: map }) =>
    requestsOf(map, ports.filter(({ published }) => published === map))
  );
}

/** Some of a table's content. */
interface Part<Rule> {
  rules: Rule[];
  ports: Port[];
}

const NOTHING: Part<never> = { rules: [], ports: [] };

/** What one content has and another has not. */
function without<Rule>(content: Content<Rule>, other: Content<unknown>): Part<Rule> {
  const rest = <T>(own: Map<string, T>, others: Map<string, unknown>) =>
    own.entries().filter(([text]) => !others.has(text)).map(([, it]) => it).toArray();
  return {
    rules: rest(content.rules, other.rules),
    ports: rest(content.ports, other.ports),
  };
}

/** What is in a table; `undefined` when there is none, or another one than `make` makes. */
async function contentIn(
  nft: Nft,
  { family, name }: NftTableName,
): Promise<Content<Found> | undefined> {
  const inTable = { family, table: name };
  try {
    const { userdata } = await nft.tables.get({ family, name });
    if (userdata?.comment !== COMMENT) return undefined;
    const content: Content<Found> = { rules: new Map(), ports: new Map() };
    for await (const { chain, handle, userdata } of nft.rules.list(inTable)) {
      const text = ruleText(chain, userdata?.comment);
      // One that says the same as another is one too many.
      content.rules.set(content.rules.has(text) ? `${text} ${handle}` : text, { chain, handle });
    }
    for (const { published } of KINDS) {
      const set = published.name;
      for await (const element of nft.elements.list({ ...inTable, set })) {
        addPort(content, readPort(published, element));
      }
    }
    return content;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

const PROTOCOLS = new Map<number, string>([[6, "tcp"], [17, "udp"]]);

/** Numbers stand in the order of the network, each part filled up to four bytes. */
function readPort(published: NftSetSpec, { key, data }: NftElement): Port {
  const [from, to] = [key?.value, data?.value] as [Uint8Array, Uint8Array];
  const portAt = (bytes: Uint8Array, at: number) => bytes[at]! << 8 | bytes[at + 1]!;
  const end = to.length - 4;
  return {
    published,
    key: [PROTOCOLS.get(from[0]!) ?? String(from[0]), portAt(from, 4)],
    value: [formatAddress(to.subarray(0, end)), portAt(to, end)],
  };
}
