import { attach } from "../../mod.ts";
import { addressesOf, checkAttached, deleteVeths, makeBridge, makeContainers } from "../network.ts";
import { batch, ip, program } from "../programs.ts";
import { record } from "../record.ts";
import { row, timed } from "../row.ts";

const GATEWAYS = ["10.0.0.1", "fd00::1"];

/** What `attach` is asked for. */
export function specOf(container: number, name: string) {
  return {
    netns: { name },
    bridge: "br0",
    addresses: addressesOf(container),
    gateways: GATEWAYS,
    id: name,
  };
}

/** The same for `ip`: the pairs, and then a process for each container. */
export function linesFor(names: readonly string[]) {
  return [
    batch(
      names.map((name, i) => `link add h${i} up master br0 type veth peer name eth0 netns ${name}`),
    ),
    ...names.map((name, i) => {
      const [own4, own6] = addressesOf(i);
      return batch(
        [
          "link set lo up",
          `address add ${own4} dev eth0`,
          `address add ${own6} dev eth0 nodad`,
          "link set eth0 up",
          "route add default via 10.0.0.1",
          "route add default via fd00::1",
        ],
        "-n",
        name,
      );
    }),
  ];
}

async function oneByOne(names: readonly string[]): Promise<void> {
  for (const [i, name] of names.entries()) await attach(specOf(i, name));
}

export default row({
  work: "attach, one after the other (go, rust: create, move, rename)",
  unit: "µs",
  each: "attach",
  sizes: [200],
  quick: [20],
  targets: [
    { most: 1.15, times: "floor" },
    { most: 1 / 15, times: "go" },
    { most: 1 / 15, times: "rust" },
    { most: 1, times: "ip" },
    { most: 1, times: "pyroute2" },
  ],
  async setUp(size) {
    await makeBridge();
    const names = await makeContainers(size);
    return { names, file: await record(() => oneByOne(names)), lines: linesFor(names) };
  },
  reset: deleteVeths,
  ways: {
    denolink: ({ names }) => timed(() => oneByOne(names)),
    floor: ({ file }) => program("floor", undefined, "replay", file),
    ip: ({ lines }) => ip(lines),
  },
  libraries: ({ names }) => [names.length, "attach", names.length],
  check: ({ names }) => checkAttached(names),
});
