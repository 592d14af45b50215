/**
 * Firewall and translation of addresses: one nf_tables table for each namespace.
 *
 * @module
 */

import { deleteNftTable, Nft, replaceNftTable } from "../../../rtnl/nft/mod.ts";
import { NotFoundError } from "../../../ffi/errors.ts";
import { differ } from "../canonical.ts";
import {
  canonicalTable,
  readTopologyTable,
  sameTable,
  type TableSpec,
  topologyTable,
  topologyTableName,
} from "../firewall.ts";
import { forgetMark, rememberMark } from "../memory.ts";
import type { Place, ThingType } from "../state.ts";

/** The tables of namespaces. */
export const NFT_TABLES: ThingType<TableSpec> = {
  kind: "nft table",
  wanted({ spec, path }) {
    const value = canonicalTable(spec);
    if (Object.keys(value).length === 0) return [];
    const key = "firewall" in value ? "firewall" : "nat";
    return [{ name: "firewall and NAT", value, path: [...path, key] }];
  },
  async found({ memory, place }) {
    if (!memory.table) return [];
    using nft = await Nft.beside(place.rtnl);
    const value = await readTopologyTable(nft, place.owner.topology);
    // Without one it was about to be made, or was taken away by somebody else.
    return [{ name: "firewall and NAT", value: value ?? {} }];
  },
  compare(wanted, found) {
    if (sameTable(wanted, found)) return [];
    const differences = differ(wanted, found).filter(({ key }) => key in wanted);
    if (differences.length > 0) return differences;
    return [{ key: "rules", before: "changed by somebody else", after: "as said" }];
  },
  canChange: () => true,
  change: ({ place }, value) => () => put(place, value),
  add: ({ place }, value) => async () => {
    await place.rtnl.request(rememberMark(place.owner, "table"));
    await put(place, value);
  },
  remove: ({ place }) => async () => {
    using nft = await Nft.beside(place.rtnl);
    const { topology } = place.owner;
    try {
      await nft.transaction(deleteNftTable("inet", topologyTableName(topology)));
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
    await place.rtnl.request(forgetMark(place.owner, "table"));
  },
};

async function put(place: Place, value: TableSpec): Promise<void> {
  using nft = await Nft.beside(place.rtnl);
  await nft.transaction(replaceNftTable(topologyTable(place.owner.topology, value)!));
}
