import { attach, setSysctls, sweep } from "../../mod.ts";
import { ask, makeContainers } from "../network.ts";
import { batch, ip } from "../programs.ts";
import { expect, row, timed } from "../row.ts";
import { specOf } from "./attach.ts";
import { kill } from "./kill_containers.ts";

const BRIDGE = { name: "br0", addresses: ["10.0.0.1/16", "fd00::1/64"] };
const FORWARDING_OFF = { "net.ipv4.ip_forward": 0, "net.ipv6.conf.all.forwarding": 0 };
const LEFT = "bridge, forwarding, forwarding, nat table";

// What interrupted attaches left are links as the row detach deletes them.
export default row({
  work: "sweep after a kill: bridge, NAT table, forwarding (ip: bridge)",
  unit: "ms",
  sizes: [1000],
  quick: [20],
  rounds: 3,
  warmUps: 2,
  targets: [],
  async setUp(size, undo) {
    const previous = await setSysctls(FORWARDING_OFF);
    undo.defer(async () => void await setSysctls(previous));
    undo.defer(async () => void await sweep());
    // ip knows nothing else of what is left.
    return { size, lines: batch(["link delete br0"]) };
  },
  async reset({ size }) {
    // What ip has left.
    await sweep();
    const names = await makeContainers(size);
    const [first, ...rest] = names.map((name, i) => specOf(i, name));
    // It makes the bridge and the table; that has a rule for the subnet, so that more of them add nothing.
    await attach({ ...first!, bridge: BRIDGE, masquerade: true });
    await Promise.all(rest.map((spec) => attach(spec)));
    await kill(names);
  },
  ways: {
    async denolink() {
      let swept: Awaited<ReturnType<typeof sweep>> = [];
      const cost = await timed(async () => swept = await sweep());
      const kinds = swept.map(({ kind }) => kind).toSorted().join(", ");
      if (kinds !== LEFT) throw new Error(`${kinds} swept, where it should be ${LEFT}`);
      for (const family of ["-4", "-6"]) {
        const on = (await ask(family, "netconf")).filter(({ forwarding }) => forwarding);
        expect("links that forward", on.length, 0);
      }
      return cost;
    },
    ip: ({ lines }) => ip([lines]),
  },
  async check() {
    expect("bridges", (await ask("link", "show", "type", "bridge")).length, 0);
  },
});
