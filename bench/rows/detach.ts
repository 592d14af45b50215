import { attach, detach, listAttachments } from "../../mod.ts";
import { ask, deleteVeths, makeBridge, makeContainers } from "../network.ts";
import { type Batch, batch, ip, program, temporary } from "../programs.ts";
import { expect, row, timed } from "../row.ts";
import { specOf } from "./attach.ts";

export default row({
  work: "detach, all at once (others: single deletes; floor: by group)",
  unit: "ms",
  sizes: [200],
  quick: [20],
  rounds: 3,
  targets: [
    { most: 1 / 20, times: "ip" },
    { most: 1 / 20, times: "go" },
    { most: 1 / 20, times: "rust" },
    { most: 1 / 20, times: "pyroute2" },
  ],
  async setUp(size) {
    await makeBridge();
    const names = await makeContainers(size);
    return { names, file: temporary(), lines: batch([]) };
  },
  async reset(state: { names: string[]; file: string; lines: Batch }) {
    await deleteVeths();
    for (const [i, name] of state.names.entries()) await attach(specOf(i, name));
    const links = (await listAttachments()).map(({ hostInterface }) => hostInterface);
    Deno.writeTextFileSync(state.file, links.join("\n"));
    state.lines = batch(links.map((link) => `link delete ${link}`));
  },
  ways: {
    denolink: ({ names }) => timed(() => Promise.all(names.map((id) => detach({ id })))),
    floor: ({ names }) => program("floor", names.length, "detach"),
    ip: ({ lines }) => ip([lines]),
  },
  libraries: ({ names, file }) => [names.length, "delete", file],
  async check() {
    expect("links", (await ask("link", "show", "type", "veth")).length, 0);
  },
});
