import { assert, assertEquals } from "@std/assert";
import type { MessageShape, Row, Table } from "../../mod.ts";
import { MESSAGES, NFT_MESSAGES } from "../../mod.ts";
import { BRIDGE_VLAN } from "../../rtnl/bridge_vlan.ts";
import { EXTENDED_ACK } from "../../rtnl/extended_ack.ts";
import { MULTICAST_GROUP_CHANGE } from "../../rtnl/multicast_group.ts";
import { NFT_BATCH } from "../../rtnl/nft/message.ts";

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
  "netfilter/nfnetlink.h",
  "netfilter/nf_tables.h",
  "netfilter/nf_tables_compat.h",
];
// Address families and not attributes: the C library's headers have them.
const FAMILIES: Readonly<Record<string, number>> = {
  AF_INET: 2,
  AF_INET6: 10,
  AF_MPLS: 28,
  AF_MCTP: 45,
};

/** Rows of nf_tables whose numbers have names, and how the kernel's names for them begin. */
const NAMED: Readonly<Record<string, string>> = {
  NFTA_BITWISE_OP: "NFT_BITWISE_",
  NFTA_BYTEORDER_OP: "NFT_BYTEORDER_",
  NFTA_CMP_OP: "NFT_CMP_",
  NFTA_CT_KEY: "NFT_CT_",
  NFTA_DYNSET_OP: "NFT_DYNSET_OP_",
  NFTA_EXTHDR_OP: "NFT_EXTHDR_OP_",
  NFTA_FIB_RESULT: "NFT_FIB_RESULT_",
  NFTA_HASH_TYPE: "NFT_HASH_",
  NFTA_LIMIT_TYPE: "NFT_LIMIT_",
  NFTA_LOG_LEVEL: "NFT_LOGLEVEL_",
  NFTA_META_KEY: "NFT_META_",
  NFTA_NAT_TYPE: "NFT_NAT_",
  NFTA_NG_TYPE: "NFT_NG_",
  NFTA_OBJ_TYPE: "NFT_OBJECT_",
  NFTA_PAYLOAD_BASE: "NFT_PAYLOAD_",
  NFTA_PAYLOAD_CSUM_TYPE: "NFT_PAYLOAD_CSUM_",
  NFTA_RANGE_OP: "NFT_RANGE_",
  NFTA_REJECT_TYPE: "NFT_REJECT_",
  NFTA_RT_KEY: "NFT_RT_",
  NFTA_SET_FLAGS: "NFT_SET_",
  NFTA_SET_POLICY: "NFT_SET_POL_",
  NFTA_SOCKET_KEY: "NFT_SOCKET_",
  NFTA_VERDICT_CODE: "NFT_",
};

const canRead = Deno.permissions.querySync({ name: "read" }).state === "granted" &&
  await Deno.stat(`${INCLUDE}/if_link.h`).then(() => true, () => false);

Deno.test({
  name: canRead
    ? "every row and every message type has the kernel's number"
    : "every row and every message type has the kernel's number (ignored: needs --allow-read and linux-libc-dev)",
  ignore: !canRead,
  async fn() {
    const enums = await allEnums();
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
    assert(compared > 1000, `only ${compared} rows were compared`);
    for (const [name, [number]] of Object.entries(MESSAGES)) {
      // RTM_GETNEXTHOPBUCKET and others are all in the one enum.
      assertEquals(number, numbers.get(name), name);
    }
    const subsystem = numbers.get("NFNL_SUBSYS_NFTABLES")!;
    for (const [name, [number]] of Object.entries(NFT_MESSAGES)) {
      assertEquals(number, subsystem << 8 | numbers.get(name)!, name);
    }
  },
});

Deno.test({
  name: canRead
    ? "the names of nf_tables' numbers are the kernel's"
    : "the names of nf_tables' numbers are the kernel's (ignored: needs --allow-read and linux-libc-dev)",
  ignore: !canRead,
  async fn() {
    const numbers = new Map((await allEnums()).flatMap((found) => [...found]));
    const found = new Set<string>();
    let compared = 0;
    for (const [kernelName, , shape] of [...allTables()].flatMap((table) => Object.values(table))) {
      const prefix = NAMED[kernelName];
      if (prefix === undefined) continue;
      found.add(kernelName);
      for (const [name, number] of Object.entries((shape as { names: object }).names)) {
        const known = numbers.get(prefix + name.toUpperCase());
        if (known === undefined) continue;
        assertEquals(number, known, prefix + name);
        compared++;
      }
    }
    assertEquals([...found].sort(), Object.keys(NAMED));
    assert(compared > 130, `only ${compared} names were compared`);
  },
});

async function allEnums(): Promise<Map<string, number>[]> {
  const enums: Map<string, number>[] = [];
  for (const header of HEADERS) {
    enums.push(...enumerators(await Deno.readTextFile(`${INCLUDE}/${header}`)));
  }
  return enums;
}

/** All tables that any message leads to, each once. */
function allTables(): Set<Table> {
  const shapes: unknown[] = Object.values(MESSAGES).map(([, shape]) => shape);
  shapes.push(BRIDGE_VLAN, MULTICAST_GROUP_CHANGE, EXTENDED_ACK);
  shapes.push(NFT_BATCH, ...Object.values(NFT_MESSAGES).map(([, shape]) => shape));
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
