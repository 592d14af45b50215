import { Rtnl } from "../../mod.ts";
import { batch, ip, program, temporary } from "../programs.ts";
import { record } from "../record.ts";
import { row, timed } from "../row.ts";
import { makeLinks } from "./dump_links.ts";

async function lookUp(rtnl: Rtnl, names: readonly string[]): Promise<void> {
  for (const name of names) await rtnl.links.get({ name });
}

export default row({
  work: "look up a link by its name, among so many",
  unit: "µs",
  each: "look-up",
  sizes: [1000],
  quick: [100],
  targets: [{ most: 15 }],
  async setUp(size, undo) {
    const rtnl = undo.use(Rtnl.open());
    const made = await makeLinks(rtnl, size);
    // As many look-ups as there are links.
    const names = [...made, made[0]!, made[1]!];
    return {
      ...{ rtnl, names, list: temporary(names.join("\n")) },
      file: await record(() => lookUp(rtnl, names)),
      lines: batch(names.map((name) => `link show dev ${name}`), "-d", "-s"),
    };
  },
  ways: {
    denolink: ({ rtnl, names }) => timed(() => lookUp(rtnl, names)),
    floor: ({ names, file }) => program("floor", names.length, "replay", file),
    ip: ({ lines }) => ip([lines]),
  },
  libraries: ({ names, list }) => [names.length, "lookup", list],
});
