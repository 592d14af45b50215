import { assert, assertEquals } from "@std/assert";
import type { MessageShape, Row, Table } from "../../mod.ts";
import { MESSAGES } from "../../mod.ts";
import { BRIDGE_VLAN } from "../../rtnl/bridge_vlan.ts";
import { EXTENDED_ACK } from "../../rtnl/extended_ack.ts";
import { MULTICAST_GROUP_CHANGE } from "../../rtnl/multicast_group.ts";

const INCLUDE = "/usr/include/linux";
const HEADERS = [
  "netlink.h",
  "rtnetlink.h",
  "if_link.h",
  "if_tunnel.h",
  "if_addr.h",
  "if_addrlabel.h",
  "if_bridge.h",
  "veth.h",
  "batman_adv.h",
  "neighbour.h",
  "nexthop.h",
  "fib_rules.h",
  "net_namespace.h",
  "netconf.h",
  "lwtunnel.h",
  "mpls_iptunnel.h",
  "seg6_iptunnel.h",
  "seg6_local.h",
  "gen_stats.h",
  "pkt_sched.h",
  "pkt_cls.h",
  "tc_act/tc_gact.h",
  "tc_act/tc_mirred.h",
  "tc_act/tc_bpf.h",
  "tc_act/tc_vlan.h",
  "tc_act/tc_skbedit.h",
];
// Address families and not attributes: the C library's headers have them.
const FAMILIES: Readonly<Record<string, number>> = {
  AF_INET: 2,
  AF_INET6: 10,
  AF_MPLS: 28,
  AF_MCTP: 45,
};

const canRead = Deno.permissions.querySync({ name: "read" }).state === "granted" &&
  await Deno.stat(`${INCLUDE}/if_link.h`).then(() => true, () => false);

Deno.test({
  name: canRead
    ? "every row and every message type has the kernel's number"
    : "every row and every message type has the kernel's number (ignored: needs --allow-read and linux-libc-dev)",
  ignore: !canRead,
  async fn() {
    const enums: Map<string, number>[] = [];
    for (const header of HEADERS) {
      enums.push(...enumerators(await Deno.readTextFile(`${INCLUDE}/${header}`)));
    }
    const numbers = new Map(enums.flatMap((found) => [...found]));
    let compared = 0;
    for (const table of allTables()) {
      const rows: Row[] = Object.values(table);
      const own = enums.find((found) => rows.some(([name]) => found.has(name)));
      for (const [name, number] of rows) {
        const known = numbers.get(name) ?? FAMILIES[name];
        if (known !== undefined) {
          assertEquals(number, known, name);
          compared++;
          continue;
        }
        // A newer kernel's: these headers have given its number to nothing else.
        const last = Math.max(-1, ...own?.values() ?? []);
        assert(number > last, `${name} is not in the headers, and ${number} is taken`);
      }
    }
    assert(compared > 800, `only ${compared} rows were compared`);
    for (const [name, [number]] of Object.entries(MESSAGES)) {
      // RTM_GETNEXTHOPBUCKET and others are all in the one enum.
      assertEquals(number, numbers.get(name), name);
    }
  },
});

/** All tables that any message leads to, each once. */
function allTables(): Set<Table> {
  const shapes: unknown[] = Object.values(MESSAGES).map(([, shape]) => shape);
  shapes.push(BRIDGE_VLAN, MULTICAST_GROUP_CHANGE, EXTENDED_ACK);
  const seen = new Set<unknown>();
  const tables = new Set<Table>();
  const visit = (shape: unknown) => {
    if (typeof shape !== "object" || shape === null || seen.has(shape)) return;
    seen.add(shape);
    const values = Object.values(shape);
    if (values.length > 0 && values.every(isRow)) tables.add(shape as Table);
    values.forEach((value) => visit(isRow(value) ? value[2] : value));
  };
  shapes.forEach(visit);
  assert((MESSAGES.RTM_NEWLINK![1] as MessageShape).attributes !== undefined);
  return tables;
}

function isRow(value: unknown): value is Row {
  return Array.isArray(value) && value.length === 3 && typeof value[1] === "number";
}

/** The enums of a header: `enum { A, B = 7, C = B }`, and the defines that stand for a number. */
function enumerators(text: string): Map<string, number>[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\\\n/g, " ");
  const all = new Map<string, number>();
  const defined = new Map<string, number>();
  for (const [, name, value] of code.matchAll(/^#define\s+(\w+)\s+(\d+)\s*$/gm)) {
    defined.set(name!, Number(value));
    all.set(name!, Number(value));
  }
  const enums = [...code.replace(/^\s*#.*$/gm, "").matchAll(/enum[^{;]*\{([^}]*)\}/g)]
    .map(([, list]) => {
      const found = new Map<string, number>();
      let next = 0;
      for (const entry of list!.split(",")) {
        const [name, value] = entry.split("=").map((part) => part.trim());
        if (!name || name.startsWith("__")) continue;
        if (value !== undefined) next = all.get(value) ?? Number(value);
        all.set(name, next);
        found.set(name, next++);
      }
      return found;
    });
  return [...enums, defined];
}
