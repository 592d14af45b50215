import { link, Rtnl } from "../../mod.ts";
import { all, ask, makeBridge } from "../network.ts";
import { program, run, temporary } from "../programs.ts";
import { record } from "../record.ts";
import { expect, row, timed } from "../row.ts";

const dump = (rtnl: Rtnl) => rtnl.request(link.list({ extendedMask: 0 }));

/** Pairs whose first ends are on the bridge, until there are so many links. */
export async function makeLinks(rtnl: Rtnl, count: number): Promise<string[]> {
  await makeBridge();
  const { index: master } = await rtnl.links.get({ name: "br0" });
  const pairs = Array.from({ length: (count - 2) / 2 }, (_, i) => [`h${i}`, `p${i}`] as const);
  await all(
    rtnl,
    pairs.map(([name, peer]) =>
      link.add({
        ...{ name, up: true, master, linkInfo: { kind: "veth", data: { peer: { name: peer } } } },
      })
    ),
  );
  await all(rtnl, pairs.map(([name]) => link.set({ name, alias: `container of ${name}` })));
  return pairs.flat();
}

export default row({
  work: "dump links with all attributes into typed objects",
  unit: "ms",
  sizes: [10, 100, 1000],
  quick: [100],
  // The compiler optimises what reads a link after some 20,000 of them.
  warmUps: 100,
  targets: [
    { most: 2, times: "floor" },
    { most: 1, times: "ip" },
    { most: 1, times: "pyroute2" },
    { most: 1, times: "go" },
    { most: 1, times: "rust" },
  ],
  async setUp(size, undo) {
    const rtnl = undo.use(Rtnl.open());
    await makeLinks(rtnl, size);
    expect("links", (await ask("link")).length, size);
    return { size, rtnl, output: temporary(), file: await record(() => dump(rtnl)) };
  },
  ways: {
    denolink: ({ size, rtnl }) =>
      timed(async () => {
        const named = (await dump(rtnl)).filter(({ name }) => name !== undefined);
        expect("links", named.length, size);
      }),
    floor: ({ size, file }) => program("floor", size, "replay", file),
    async ip({ size, output }) {
      const cost = await timed(() => run(["sh", "-c", `exec ip -d -s -j link > ${output}`]));
      expect("links", JSON.parse(await Deno.readTextFile(output)).length, size);
      return cost;
    },
  },
  libraries: ({ size }) => [size, "dump-links"],
});
