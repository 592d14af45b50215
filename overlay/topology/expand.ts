/**
 * The namespaces of a topology, with its short forms written out: a bridge is a link with ports, its vxlan
 * another one.
 *
 * @module
 */

import type { Path } from "./problem.ts";
import { HOST } from "./format.ts";
import type { Site } from "./state.ts";
import type { BridgeEntry, HostSpec, LinkEntry, NamespaceSpec, Topology } from "./types.ts";
import { addressesOf, parseEndpoint } from "./units.ts";

/** All namespaces of a topology, the host's first, each before the containers in it. */
export function sitesOf(topology: Topology): Site[] {
  const { name } = topology;
  const sites = [
    ...sitesIn(name, HOST, HOST, topology, []),
    ...Object.entries(topology.namespaces ?? {}).flatMap(([key, spec]) =>
      sitesIn(name, key, spec.netns, spec, ["namespaces", key])
    ),
  ];
  return withBothEnds(sites);
}

/** A pair that one of its ends names is known to the other one too. */
function withBothEnds(sites: readonly Site[]): Site[] {
  const links = new Map(sites.map((site) => [site.name, new Map(site.links)]));
  for (const { name: here, links: own } of sites) {
    for (const [name, { entry, path }] of own) {
      if (entry.peer === undefined) continue;
      const { netns, link } = parseEndpoint(entry.peer, here);
      const other = links.get(netns)!;
      const said = other.get(link) ?? { entry: {}, path };
      other.set(link, { ...said, entry: { peer: `${here}:${name}`, ...said.entry } });
    }
  }
  return sites.map((site) => ({ ...site, links: links.get(site.name)! }));
}

function sitesIn(
  topology: string,
  name: string,
  target: Site["target"],
  spec: HostSpec,
  path: Path,
): Site[] {
  const containers = Object.entries(spec.containers ?? {}).flatMap(([key, container]) =>
    sitesIn(topology, key, container.netns, asNamespace(container), [...path, "containers", key])
  );
  return [{ topology, name, target, spec, links: linksOf(spec, path), path }, ...containers];
}

/** A container's own settings are those of a namespace, but for how it is attached. */
function asNamespace(spec: NamespaceSpec): HostSpec {
  const { links, bridges, containers, routes, rules, neighbours, sysctls, firewall, nat } = spec;
  return { links, bridges, containers, routes, rules, neighbours, sysctls, firewall, nat };
}

type Links = Map<string, { entry: LinkEntry; path: Path }>;

/** The links of a namespace in their long form. */
function linksOf({ links = {}, bridges = {} }: HostSpec, path: Path): Links {
  const all: Links = new Map();
  for (const [name, entry] of Object.entries(bridges)) {
    addBridge(all, name, asBridge(entry), [...path, "bridges", name]);
  }
  for (const [name, entry] of Object.entries(links)) {
    // A port says more where it stands itself.
    const master = all.get(name)?.entry.master;
    all.set(name, {
      entry: master === undefined ? entry : { master, ...entry },
      path: [...path, "links", name],
    });
  }
  return all;
}

function asBridge(entry: string | readonly string[] | BridgeEntry): BridgeEntry {
  return typeof entry === "string" || isList(entry) ? { addresses: addressesOf(entry) } : entry;
}

function isList(entry: object): entry is readonly string[] {
  return Array.isArray(entry);
}

function addBridge(all: Links, name: string, entry: BridgeEntry, path: Path): void {
  const { stp, vlanFiltering, ports = [], vxlan, data, ...rest } = entry;
  const mtu = entry.mtu ?? (vxlan === undefined ? undefined : vxlanMtu(vxlan));
  all.set(name, {
    entry: {
      ...rest,
      kind: "bridge",
      mtu,
      data: {
        ...stp === undefined ? {} : { stpState: stp ? 1 : 0 },
        ...vlanFiltering === undefined ? {} : { vlanFiltering },
        ...data,
      },
    },
    path,
  });
  for (const [i, port] of ports.entries()) {
    all.set(port, { entry: { master: name }, path: [...path, "ports", i] });
  }
  if (vxlan === undefined) return;
  const { id, local, remotes, port = 4789 } = vxlan;
  all.set(`vxlan${id}`, {
    entry: {
      kind: "vxlan",
      master: name,
      mtu: vxlanMtu(vxlan),
      data: { id, port, ...local.includes(":") ? { local6: local } : { local } },
      // To all that have no entry: broadcasts, and addresses that are not known yet.
      fdb: remotes.map((dst) => ({ mac: "00:00:00:00:00:00", dst })),
    },
    path: [...path, "vxlan"],
  });
}

/** An Ethernet frame in VXLAN (8), UDP (8) and IP within 1500 bytes. */
function vxlanMtu({ mtu, local }: NonNullable<BridgeEntry["vxlan"]>): number {
  return mtu ?? 1500 - (14 + 8 + 8 + (local.includes(":") ? 40 : 20));
}
