/**
 * Containers' connections to a host. What they are is written on the host's links, as `attach` does it,
 * with a digest of what the topology says; the rest is looked at inside the container.
 *
 * @module
 */

import { attachOn } from "../../attach.ts";
import type { AttachSpec } from "../../attach_input.ts";
import type { Link } from "../../../rtnl/link.ts";
import type { Found } from "../../attachments.ts";
import type { Rate } from "../../rate.ts";
import { digestOf, said } from "../canonical.ts";
import type { Difference } from "../change.ts";
import type { Dump, Inside, Site, Thing, ThingType } from "../state.ts";
import type { AttachmentEntry, ContainerSpec } from "../types.ts";
import { addressesOf, parsePublish, parseRate } from "../units.ts";

/** An attachment: what `attach` is given, and what it has written. */
export interface AttachmentValue {
  container: string;
  interface: string;
  /** What `attach` is given, but for the namespace. */
  spec: Omit<AttachSpec, "netns">;
  digest: string;
  /** Of one that is there. */
  found?: Found | undefined;
  /** Of one that is there: what is not as it was made. */
  broken?: Difference[] | undefined;
}

/** Containers' connections to their host. */
export const ATTACHMENTS: ThingType<AttachmentValue> = {
  kind: "attachment",
  wanted: (site, all) => {
    const containers = Object.entries(site.spec.containers ?? {});
    const taken = containers.flatMap(([, spec]) => explicitAddresses(spec));
    return containers.flatMap(([container, spec]) =>
      Object.entries(interfacesOf(spec)).map(
        ([name, { entry, key }], i): Thing<AttachmentValue> => {
          const given = specOf(site, container, name, entry, taken, i === 0);
          const value = {
            container,
            interface: name,
            spec: given,
            digest: digestOf({ ...given, pool: entry.pool, subnets: subnetsOf(site, entry) }).slice(
              0,
              8,
            ),
          };
          const path = all.find((it) => it.name === container)!.path;
          return { name: nameIt(value), value, path: [...path, ...key] };
        },
      )
    );
  },
  found: (view) => {
    const links = new Map(view.links.map((link) => [link.index!, link]));
    return view.attachments.filter(({ making }) => !making).map((found) => {
      const inside = view.inside(found.netns);
      const host = links.get(found.index);
      const container = found.id ?? String(found.netns);
      // A namespace that is gone may have left it for a while, and another one may have its name.
      const lost = view.idOf(container) !== found.netns;
      const value: AttachmentValue = {
        container,
        interface: found.interface,
        spec: specFound(view, found, host, inside),
        digest: found.digest ?? "",
        found,
        broken: [...lost ? [missing("netns", container)] : [], ...brokenOf(found, host, inside)],
      };
      return { name: nameIt(value), value, lost };
    });
  },
  compare(wanted, found) {
    if (wanted.found !== undefined) return compareFound(wanted.found, found);
    const digest = wanted.digest === found.digest ? [] : explain(wanted, found);
    const excluded = wanted.spec.pool?.exclude ?? [];
    const taken = found.spec.addresses.find((it) =>
      excluded.includes(it.slice(0, it.indexOf("/")))
    );
    const given = taken === undefined ? [] : [{ key: "address", before: taken, after: "auto" }];
    return [...digest, ...given, ...found.broken ?? []];
  },
  without(value, gone, netns) {
    const { bridge } = value.spec;
    if (typeof bridge !== "string" || !gone({ netns, link: bridge })) return value;
    const lost = { key: "bridge", before: undefined, after: bridge };
    return { ...value, broken: [...value.broken ?? [], lost] };
  },
  add: ({ place, other }, { container, spec, digest }) => async () => {
    const inside = other(container).netns;
    await attachOn(place, inside, { ...spec, netns: inside }, digest);
  },
  // Together with the others of its host, and what the host did for them: see perform.ts.
  remove: () => [],
};

function nameIt({ container, interface: name }: Pick<AttachmentValue, "container" | "interface">) {
  return `${container}:${name}`;
}

/** The interfaces of a container, long form or short, and where they stand in it. */
export function interfacesOf(
  spec: ContainerSpec,
): Record<string, { entry: AttachmentEntry; key: string[] }> {
  if (spec.interfaces === undefined) return { eth0: { entry: spec, key: [] } };
  return Object.fromEntries(
    Object.entries(spec.interfaces).map((
      [name, entry],
    ) => [name, { entry, key: ["interfaces", name] }]),
  );
}

function explicitAddresses(spec: ContainerSpec): string[] {
  return Object.values(interfacesOf(spec)).flatMap(({ entry }) => addressesOf(entry))
    .filter((text) => text !== "auto").map((text) => text.slice(0, text.indexOf("/")));
}

function specOf(
  site: Site,
  id: string,
  name: string,
  entry: AttachmentEntry,
  taken: readonly string[],
  isFirst: boolean,
): Omit<AttachSpec, "netns"> {
  const { bridge, mac, mtu, masquerade, hairpin, isolated, pool } = entry;
  const given = addressesOf(entry);
  const addresses = given.length === 0 ? ["auto"] : given;
  // There is one default route, and the first interface has it.
  const isWayOut = isFirst && subnetsOf(site, entry).length > 0;
  return said({
    ...{ id, interface: name, bridge, addresses, mtu, mac: mac?.toLowerCase() },
    owner: site.topology,
    gateways: entry.gateways?.slice() ??
      (isWayOut ? ["auto"] : undefined),
    pool: addresses.includes("auto")
      ? { ...pool, exclude: [...pool?.exclude ?? [], ...taken] }
      : undefined,
    rate: entry.rate === undefined ? undefined : rateOf(entry.rate),
    publish: entry.publish?.map(parsePublish),
    ...{ masquerade, hairpin, isolated },
  }) as Omit<AttachSpec, "netns">;
}

/** The addresses of its bridge, which "auto" follows from. */
function subnetsOf({ links }: Site, { bridge }: AttachmentEntry): string[] {
  return addressesOf(links.get(bridge ?? "")?.entry ?? {});
}

function rateOf(rate: NonNullable<AttachmentEntry["rate"]>): Rate {
  if (typeof rate !== "object") return { receive: parseRate(rate), send: parseRate(rate) };
  const { receive, send } = rate;
  return said({
    receive: receive === undefined ? undefined : parseRate(receive),
    send: send === undefined ? undefined : parseRate(send),
  });
}

/** What would make the same attachment again. */
export function specFound(
  view: Pick<Dump, "qdiscs">,
  found: Found,
  host: Link | undefined,
  inside: Pick<Inside, "links" | "qdiscs"> | undefined,
): Omit<AttachSpec, "netns"> {
  const { id, owner, interface: name, bridge, addresses, gateways, mtu, masquerade, publish } =
    found;
  const port = host?.linkInfo;
  const data = port?.slaveKind === "bridge" ? port.slaveData : undefined;
  const own = inside?.links.find((link) => link.name === name);
  const rates = said({
    receive: limitOf(view, found.index),
    send: inside && own && limitOf(inside, own.index!),
  });
  return said({
    ...{ id, owner, interface: name, bridge, addresses, gateways, mtu, publish },
    mac: own?.address,
    masquerade: masquerade || undefined,
    hairpin: data?.hairpin || undefined,
    isolated: data?.isolated || undefined,
    rate: Object.keys(rates).length > 0 ? rates : undefined,
  }) as Omit<AttachSpec, "netns">;
}

/** The rate, in bits per second, of what an attach has limited. */
function limitOf({ qdiscs }: Pick<Dump, "qdiscs">, index: number): number | undefined {
  const limit = qdiscs.find((it) => it.index === index && it.handle === "1:" && it.kind === "tbf");
  const parameters = (limit?.options as { parameters?: { rate?: { rate?: number } } } | undefined)
    ?.parameters;
  return parameters?.rate?.rate === undefined ? undefined : parameters.rate.rate * 8;
}

function missing(key: string, after: unknown): Difference {
  return { key, before: undefined, after };
}

/** What has been taken from an attachment since it was made. */
function brokenOf(found: Found, host: Link | undefined, inside: Inside | undefined): Difference[] {
  const lost: Difference[] = host?.flags?.includes("up") ? [] : [missing("up on the host", true)];
  if (inside === undefined) return [missing("network namespace", found.id)];
  const own = inside.links.find(({ name }) => name === found.interface);
  if (own === undefined) return [missing("interface", found.interface)];
  if (!own.flags?.includes("up")) lost.push(missing("up", true));
  const has = inside.addresses.filter(({ index }) => index === own.index)
    .map((it) => `${it.local ?? it.address}/${it.prefixLength}`);
  for (const address of found.addresses) {
    if (!has.includes(address)) lost.push(missing("address", address));
  }
  const ways = inside.routes.filter(({ dst, oif }) => dst === undefined && oif === own.index)
    .map(({ gateway }) => gateway);
  for (const gateway of found.gateways) {
    if (!ways.includes(gateway)) lost.push(missing("gateway", gateway));
  }
  return lost;
}

/** Two that were found, of which one shall be put back. */
function compareFound(wanted: Found, { found, broken = [] }: AttachmentValue): Difference[] {
  const text = ({ addresses, gateways, bridge, digest }: Partial<Found> = {}) =>
    [addresses, gateways, bridge, digest].join(" ");
  return text(wanted) === text(found)
    ? broken
    : [{ key: "attachment", before: text(found), after: text(wanted) }];
}

/** Which of what a topology says differs from what was made. */
function explain(wanted: AttachmentValue, found: AttachmentValue): Difference[] {
  const [after, before] = [wanted.spec, found.spec] as Record<string, unknown>[];
  const isAuto = (value: unknown) => Array.isArray(value) && value.includes("auto");
  const keys = [...new Set([...Object.keys(after!), ...Object.keys(before!)])].filter((key) =>
    !["id", "owner", "interface", "pool"].includes(key) && !isAuto(after![key]) &&
    (after![key] !== undefined || !["mac", "mtu", "gateways"].includes(key)) &&
    digestOf(after![key] ?? []) !== digestOf(before![key] ?? [])
  );
  if (keys.length === 0) return [{ key: "as said", before: "otherwise", after: "so" }];
  return keys.map((key) => ({ key, before: before![key], after: after![key] }));
}
