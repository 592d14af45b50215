/**
 * The smallest meaningful use of each function of mod.ts, in a namespace where all it wants is there.
 *
 * @module
 */

import {
  addAddress,
  addDefaultRouteViaDevice,
  addDefaultRouteViaGateway,
  addLinkToBridge,
  addNftElements,
  addNftRule,
  address,
  apply,
  attach,
  bridgeMemberCount,
  checkTopology,
  createBridge,
  createVethPair,
  decodeBody,
  decodeMessages,
  deleteBridge,
  deleteLink,
  deleteNftElements,
  deleteNftTable,
  deleteRouteViaDevice,
  Descriptor,
  destroy,
  detach,
  drawMermaid,
  drawSvg,
  exportTopology,
  flushAddresses,
  link,
  listAttachments,
  listLinks,
  listSysctls,
  moveLinkIntoNetns,
  neighbour,
  Netns,
  type NetnsOptions,
  nexthop,
  Nft,
  nftCounter,
  nftLog,
  PermissionError,
  plan,
  processStartTime,
  qdisc,
  readSysctl,
  replaceNftTable,
  replaceRouteViaDevice,
  restartRootless,
  route,
  Rtnl,
  rule,
  runInNetns,
  setBridgeStp,
  setLinkUp,
  setSysctl,
  setSysctls,
  sweep,
  type Topology,
  watch,
  withNetns,
} from "../../mod.ts";

/** What there is for a sample to act on; plain data, so that it can be told to another process. */
export interface Fixture {
  /** Where to act: nothing for the process's own namespace, or another one. */
  where: NetnsOptions;
  /** A further namespace: a container. */
  container: { name: string };
  /** The number that the container has in the process's own namespace. */
  nsid: number;
  /** A process of another user. */
  stranger: number;
  /** A file that stands for the container, in a folder that is open to a stranger only. */
  file: string;
  /** The URL of a module on disk, with a default function. */
  module: string;
  /** A name that no namespace has. */
  name: string;
  /** What a program prints that takes the sample's place, to tell that it ran. */
  report: string;
}

/** A use of one function, or of several that need the same. */
export interface Sample {
  /** The functions, as they are called: `rtnl`, `netns` and `process` are instances. */
  functions: readonly string[];
  /** What is particular about this use of them, where there are others. */
  how?: string;
  /** Whether it runs in a process of its own, which may become another program. */
  alone?: boolean;
  /** Makes what it acts on, with all rights, where it will act. */
  prepare?(fixture: Fixture): unknown;
  /** The use itself. */
  run(fixture: Fixture): unknown;
}

/** A bridge and a setting, which need no namespace of their own. */
function topology({ netns }: NetnsOptions): Topology {
  const name = netns === undefined ? "here" : "there";
  return {
    denolink: 1,
    name,
    bridges: { topology0: "10.4.0.1/24" },
    sysctls: { "net.ipv4.ip_forward": 1 },
  };
}

/** Those that act in the calling thread's namespace, or in another one. */
export const SOMEWHERE: readonly Sample[] = [
  {
    functions: ["listLinks"],
    run: ({ where }) => listLinks(where),
  },
  {
    functions: ["createVethPair"],
    run: ({ where }) => createVethPair("create0", "create1", where),
  },
  {
    functions: ["createVethPair"],
    how: "with `peerNetns`",
    run: ({ where, container: peerNetns }) =>
      createVethPair("outer0", "inner0", { ...where, peerNetns }),
  },
  {
    functions: ["moveLinkIntoNetns"],
    prepare: ({ where }) => createVethPair("move0", "move1", where),
    run: ({ where, container }) => moveLinkIntoNetns("move0", container, "moved0", where),
  },
  {
    functions: ["deleteLink"],
    prepare: ({ where }) => createBridge("delete0", where),
    run: ({ where }) => deleteLink("delete0", where),
  },
  {
    functions: ["setLinkUp"],
    prepare: ({ where }) => createBridge("up0", where),
    run: ({ where }) => setLinkUp("up0", where),
  },
  {
    functions: ["addAddress"],
    prepare: ({ where }) => createBridge("address0", where),
    run: ({ where }) => addAddress("address0", "10.0.0.1/24", where),
  },
  {
    functions: ["flushAddresses"],
    prepare: ({ where }) => bridge("flush0", "10.0.1.1/24", where),
    run: ({ where }) => flushAddresses("flush0", where),
  },
  {
    functions: ["addDefaultRouteViaDevice"],
    prepare: ({ where }) => bridge("device0", "fd02::1/64", where),
    run: ({ where }) => addDefaultRouteViaDevice("device0", "inet6", where),
  },
  {
    functions: ["addDefaultRouteViaGateway"],
    prepare: ({ where }) => bridge("gateway0", "10.0.3.1/24", where),
    run: ({ where }) => addDefaultRouteViaGateway("10.0.3.2", where),
  },
  {
    functions: ["replaceRouteViaDevice"],
    prepare: ({ where }) => bridge("replace0", "10.0.4.1/24", where),
    run: ({ where }) => replaceRouteViaDevice("10.4.0.0/16", "replace0", where),
  },
  {
    functions: ["deleteRouteViaDevice"],
    prepare: ({ where }) => bridge("unroute0", "10.0.5.1/24", where),
    run: ({ where }) => deleteRouteViaDevice("10.0.5.0/24", "unroute0", where),
  },
  {
    functions: ["createBridge"],
    run: ({ where }) => createBridge("bridge0", where),
  },
  {
    functions: ["deleteBridge"],
    prepare: ({ where }) => createBridge("unbridge0", where),
    run: ({ where }) => deleteBridge("unbridge0", where),
  },
  {
    functions: ["bridgeMemberCount"],
    prepare: ({ where }) => createBridge("count0", where),
    run: ({ where }) => bridgeMemberCount("count0", where),
  },
  {
    functions: ["addLinkToBridge"],
    async prepare({ where }) {
      await createBridge("switch0", where);
      await createVethPair("port0", "port1", where);
    },
    run: ({ where }) => addLinkToBridge("port0", "switch0", where),
  },
  {
    functions: ["setBridgeStp"],
    prepare: ({ where }) => createBridge("stp0", where),
    run: ({ where }) => setBridgeStp("stp0", true, where),
  },
  {
    functions: ["attach"],
    run: ({ where, container: netns }) =>
      attach({ netns, interface: "attach0", addresses: ["10.1.0.2/24"] }, where),
  },
  {
    functions: ["detach"],
    prepare: ({ where, container: netns }) =>
      attach({ netns, interface: "detach0", addresses: ["fd01::2/64"] }, where),
    run: ({ where, container: netns }) => detach({ netns, interface: "detach0" }, where),
  },
  {
    functions: ["attach", "detach"],
    how: "with `masquerade` or `publish`",
    async run({ where, container: netns }) {
      const spec = { netns, interface: "hidden0" };
      const bridge = { name: "hidden1", addresses: ["10.2.0.1/24"] };
      await attach({ ...spec, bridge, addresses: ["auto"], masquerade: true }, where);
      await detach(spec, where);
    },
  },
  {
    functions: ["sweep"],
    run: ({ where }) => sweep(where),
  },
  {
    functions: ["listAttachments"],
    run: ({ where }) => listAttachments(where),
  },
  {
    functions: ["plan"],
    run: ({ where }) => plan(topology(where), where),
  },
  {
    functions: ["apply", "destroy"],
    how: "without namespaces",
    async run({ where }) {
      await apply(topology(where), where);
      await destroy(topology(where), where);
    },
  },
  {
    functions: ["apply", "destroy"],
    how: "with a namespace that is made",
    async run({ where, name }) {
      const { denolink, name: own } = topology(where);
      await apply({ denolink, name: own, namespaces: { [name]: {} } }, where);
      await destroy({ name: own }, where);
    },
  },
  {
    functions: ["exportTopology"],
    how: "of one namespace",
    run: ({ where }) => exportTopology({ ...where, single: true }),
  },
  {
    functions: ["watch"],
    async run({ where }) {
      for await (const _ of watch(topology(where), where)) break;
    },
  },
  {
    functions: ["readSysctl"],
    run: ({ where }) => readSysctl("net.ipv4.ip_default_ttl", where),
  },
  {
    functions: ["listSysctls"],
    run: ({ where }) => listSysctls("net.ipv4.conf.lo", where),
  },
  {
    functions: ["setSysctl", "setSysctls"],
    how: "of a namespace: `net.*`",
    async run({ where }) {
      await setSysctl("net.ipv4.ip_default_ttl", 65, where);
      await setSysctls({ "net.ipv4.ip_default_ttl": 66 }, where);
    },
  },
  {
    functions: ["setSysctl", "setSysctls"],
    how: "of the system",
    async run({ where }) {
      // To what it is.
      await setSysctl("vm.swappiness", await readSysctl("vm.swappiness"), where);
    },
  },
  {
    functions: ["rtnl.request", "rtnl.requestSync", "rtnl.batch", "rtnl.batchSync"],
    how: "for reading",
    run: (fixture) =>
      connected(fixture, async (rtnl) => {
        await rtnl.request(link.list());
        rtnl.requestSync(link.list());
        await rtnl.batch([link.list()]);
        rtnl.batchSync([link.list()]);
      }),
  },
  {
    functions: ["rtnl.request", "rtnl.requestSync", "rtnl.batch", "rtnl.batchSync"],
    how: "for changing something",
    run: (fixture) =>
      connected(fixture, async (rtnl) => {
        await rtnl.request(link.set({ name: "lo", group: 1 }));
        rtnl.requestSync(link.set({ name: "lo", group: 2 }));
        unlessRefused(await rtnl.batch([link.set({ name: "lo", group: 3 })]));
        unlessRefused(rtnl.batchSync([link.set({ name: "lo", group: 4 })]));
      }),
  },
  {
    functions: ["rtnl.links.list", "rtnl.links.get"],
    how: "likewise of the other objects",
    run: (fixture) => connected(fixture, readEverything),
  },
  {
    functions: ["rtnl.links.add", "rtnl.links.set", "rtnl.links.delete"],
    how: "likewise of the other objects",
    async prepare({ where }) {
      await bridge("change0", "10.0.6.1/24", where);
      // With a port it has a carrier, as a nexthop's link must.
      await createVethPair("carrier0", "carrier1", where);
      await addLinkToBridge("carrier0", "change0", where);
      for (const name of ["carrier0", "carrier1"]) await setLinkUp(name, where);
    },
    run: (fixture) => connected(fixture, changeEverything),
  },
  {
    functions: ["rtnl.monitor", "Monitor"],
    run: (fixture) =>
      connected(fixture, async (rtnl) => {
        using monitor = rtnl.monitor(["link"]);
        await monitor.started;
      }),
  },
  {
    functions: ["rtnl.monitor"],
    how: "with `allNamespaces`",
    run: (fixture) =>
      connected(fixture, async (rtnl) => {
        using monitor = rtnl.monitor(["link"], { allNamespaces: true });
        await monitor.started;
      }),
  },
  {
    functions: ["rtnl.openSocket"],
    how: "of UDP",
    run: (fixture) =>
      connected(fixture, async (rtnl) => (await rtnl.openSocket(AF_INET, SOCK_DGRAM, 0)).close()),
  },
  {
    functions: ["rtnl.openSocket"],
    how: "of packets",
    run: (fixture) =>
      connected(fixture, async (rtnl) => (await rtnl.openSocket(AF_PACKET, SOCK_RAW, 0)).close()),
  },
  {
    functions: ["rtnl.ping"],
    prepare: ({ where }) => setLinkUp("lo", where),
    run: (fixture) =>
      connected(fixture, async (rtnl) => {
        if (await rtnl.ping("127.0.0.1") === undefined) throw new Error("no reply");
      }),
  },
  {
    functions: ["netns.nsid"],
    async run({ where }) {
      using netns = Netns.current();
      await netns.nsid(where);
    },
  },
  {
    functions: ["netns.setNsid"],
    async run({ where }) {
      using netns = Netns.current();
      await netns.setNsid("auto", where);
    },
  },
];

/** The others. */
export const OTHERS: readonly Sample[] = [
  {
    functions: ["Rtnl.open", "rtnl.close"],
    run: () => Rtnl.open().close(),
  },
  {
    functions: ["withNetns", "netns.connect"],
    run: ({ container }) => withNetns(container, () => {}),
  },
  {
    functions: ["runInNetns"],
    run: ({ container }) => runInNetns(container, "data:text/javascript,export default () => 1"),
  },
  {
    functions: ["runInNetns"],
    how: "of a module on disk",
    run: ({ container, module }) => runInNetns(container, module),
  },
  {
    functions: ["Netns.spawn", "process.output", "process.kill"],
    async run({ container }) {
      const child = await Netns.spawn(container, "sleep", { args: ["9"], stdin: "null" });
      child.kill();
      await child.output();
    },
  },
  {
    functions: ["Netns.exec"],
    alone: true,
    run: ({ container, report }) => Netns.exec(container, "echo", { args: [report] }),
  },
  {
    functions: ["restartRootless"],
    alone: true,
    run: () => restartRootless(),
  },
  {
    functions: ["Netns.open", "netns.equals", "netns.close"],
    how: "by `name`, `path`, `fd`, `nsid`, or `pid` of a process of the same user",
    run({ container, nsid }) {
      using netns = Netns.open(container);
      for (const target of [{ path: `/run/netns/${container.name}` }, { fd: netns.fd }, { nsid }]) {
        using same = Netns.open(target);
        if (!same.equals(netns)) throw new Error("opened another one");
      }
      Netns.open({ pid: Deno.pid }).close();
    },
  },
  {
    functions: ["Netns.open"],
    how: "by `pid` of a process of another user",
    run: ({ stranger }) => Netns.open({ pid: stranger }).close(),
  },
  {
    functions: ["Netns.open"],
    how: "by `path`, in a folder that is closed to this user",
    run: ({ file }) => Netns.open({ path: file }).close(),
  },
  {
    functions: ["Netns.current"],
    run: () => Netns.current().close(),
  },
  {
    functions: ["Netns.create"],
    run: async () => (await Netns.create()).close(),
  },
  {
    functions: ["Netns.create"],
    how: "with a name",
    run: async ({ name }) => (await Netns.create(name)).close(),
  },
  {
    functions: ["Netns.remove"],
    prepare: async ({ name }) => (await Netns.create(`${name}-old`)).close(),
    run({ name }) {
      if (!Netns.remove(`${name}-old`)) throw new Error("there was none");
    },
  },
  {
    functions: ["Netns.list", "Netns.listHeld"],
    run() {
      Netns.list();
      Netns.listHeld();
    },
  },
  {
    functions: ["processStartTime"],
    run: ({ stranger }) => processStartTime(stranger),
  },
  {
    functions: ["Descriptor"],
    run: () => Descriptor.open("/proc/self/status").close(),
  },
  {
    functions: ["Descriptor"],
    how: "of a file that is closed to this user",
    run: ({ file }) => Descriptor.open(file).close(),
  },
  {
    functions: ["Nft"],
    how: "all of it",
    async run() {
      using nft = Nft.open();
      const table = { family: "inet", name: "sample" } as const;
      await nft.transaction(replaceNftTable(table));
      await Array.fromAsync(nft.tables.list());
      await nft.transaction(deleteNftTable(table.family, table.name));
    },
  },
  {
    functions: [
      ...["replaceNftTable", "deleteNftTable", "addNftRule"],
      ...["addNftElements", "deleteNftElements", "nftCounter", "nftLimit", "nftLog"],
    ],
    run() {
      const table = { family: "inet", name: "sample" } as const;
      const set = { name: "ports", type: "inet_service" } as const;
      const chains = [{ name: "empty" }];
      replaceNftTable({ ...table, chains, sets: [set] });
      addNftRule(table, "empty", { expressions: [nftCounter(), nftLog()] });
      addNftElements(table, set, [80]);
      deleteNftElements(table, set, [80]);
    },
  },
  {
    functions: ["checkTopology", "drawSvg", "drawMermaid"],
    run() {
      drawSvg(checkTopology(topology({})));
      drawMermaid(topology({}));
    },
  },
  {
    functions: ["decodeMessages", "decodeBody"],
    run() {
      decodeMessages(new Uint8Array());
      decodeBody("RTM_GETLINK", link.list().body);
    },
  },
  {
    functions: ["link.add", "link.list"],
    how: "and all other makers of requests",
    run() {
      link.add({ name: "x", linkInfo: { kind: "bridge" } });
      link.list();
    },
  },
];

// linux/socket.h
const AF_INET = 2;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;

/** A link that is up and has an address. */
async function bridge(name: string, cidr: string, where: NetnsOptions): Promise<void> {
  await createBridge(name, where);
  await addAddress(name, cidr, where);
  await setLinkUp(name, where);
}

/** Runs `fn` with a connection to where the sample acts. */
async function connected(
  { where: { netns } }: Fixture,
  fn: (rtnl: Rtnl) => Promise<void>,
): Promise<void> {
  if (netns !== undefined) return await withNetns(netns, fn);
  using rtnl = Rtnl.open();
  await fn(rtnl);
}

/** Lists all objects there are, and gets one of those that can be had alone. */
async function readEverything(rtnl: Rtnl): Promise<void> {
  for (const object of Object.values(rtnl) as Listed[]) {
    if (object.list !== undefined) await Array.fromAsync(object.list({}));
  }
  await rtnl.links.get({ name: "lo" });
  await rtnl.linkStatistics.get({ index: 1 });
  await rtnl.netconf.get({ family: "inet" });
}

interface Listed {
  list?(filter: object): AsyncIterable<unknown>;
}

/** A change of each object that every kernel has: all are refused, or none is. */
async function changeEverything(rtnl: Rtnl): Promise<void> {
  const { index } = await rtnl.links.get({ name: "change0" });
  const results = await rtnl.batch([
    link.add({ name: "change1", linkInfo: { kind: "bridge" } }),
    link.set({ index, group: 1 }),
    address.add({ index, address: "10.0.7.1", prefixLength: 24 }),
    route.add({ dst: "10.7.0.0", dstLength: 16, oif: index }),
    neighbour.add({ index, dst: "10.0.6.2", address: "02:00:00:00:00:01" }),
    nexthop.add({ id: 1, oif: index, family: "inet" }),
    rule.add({ family: "inet", table: 7 }),
    qdisc.add({ index, kind: "pfifo" }),
    link.delete({ name: "change1" }),
  ]);
  const refused = results.filter((result) => result instanceof PermissionError);
  if (refused.length > 0 && refused.length < results.length) {
    throw new Error(`only ${refused.length} of ${results.length} changes were refused`);
  }
  unlessRefused(results);
}

function unlessRefused(results: readonly unknown[]): void {
  const error = results.find((result) => result instanceof Error);
  if (error !== undefined) throw error;
}
