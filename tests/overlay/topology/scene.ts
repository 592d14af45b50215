/**
 * What tests of topologies share: what a network looks like to `ip` and the like, what is asked of the
 * kernel, and who reaches whom.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Netns, runInNetns } from "../../../mod.ts";
import type { HostSpec, Topology } from "../../../overlay/topology/mod.ts";
import { eventually, runIn } from "../../support.ts";
import { watchSent } from "../changes.ts";
import { sorted } from "../state.ts";
import type { Received } from "../transfer.ts";
import { type KernelState, type NetnsState, netnsState } from "./kernel_state.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const TRAFFIC = import.meta.resolve("./traffic.ts");
const TRANSFER = import.meta.resolve("../transfer.ts");

/** Settings of links and of all else. */
const SETTINGS = ["net/*/*", "net/*/*/*/*"];
/** Counters, and what the kernel chooses. */
const VOLATILE = /conntrack_count|random|stable_secret|flush|inode|file-nr/;
/** What says who made something. */
const MARKS = new Set(["ifalias", "altnames", "protocol", "handle"]);

/** What a network looks like to `ip` and the like, whoever made it and whatever it is called. */
export async function lookAt(netns: Netns): Promise<NetnsState> {
  const { nft, forwarding, settings, ...state } = await netnsState(netns, SETTINGS);
  const unmarked = JSON.stringify(state, (key, value) => MARKS.has(key) ? undefined : value);
  return {
    ...JSON.parse(unmarked),
    nft: unnamed(nft),
    // What was learnt from traffic is forgotten again.
    forwarding: forwarding.filter(({ mac }: Json) => mac !== "MAC"),
    settings: settings.filter((line: string) => !VOLATILE.test(line)),
  };
}

/** Tables without the names of their owners; in those of attachments the order is that of making. */
function unnamed(nft: Json): Json {
  const text = JSON.stringify(nft)
    .replaceAll(/denolink([.-]?)[a-z0-9-]*/g, (_, of) => `OURS${of || "-"}`);
  const tables = Object.entries<Json[]>(JSON.parse(text));
  return Object.fromEntries(
    tables.map(([name, parts]) => [name, name.endsWith("OURS-") ? sorted(parts) : parts]),
  );
}

/** Which names of namespaces are a test's own. */
export type IsOwn = (name: string) => boolean;

/**
 * Looks at a host and the named namespaces beside it, to the last setting, mark and number; what is returned
 * waits until all is so again, as the kernel takes things away in the background.
 */
export async function traceOf(
  netns: Netns,
  isOwn: IsOwn,
): Promise<(message?: string) => Promise<void>> {
  const before = await look(netns, isOwn);
  return (message) =>
    eventually(async () => assertEquals(await look(netns, isOwn), before, message));
}

async function look(netns: Netns, isOwn: IsOwn): Promise<unknown> {
  const [links, { settings, ...state }] = await Promise.all([
    runIn(netns, "ip", "-j", "-d", "link", "show"),
    netnsState(netns, SETTINGS),
  ]);
  return {
    ...state,
    settings: settings.filter((line: string) => !VOLATILE.test(line)),
    links: JSON.parse(links, lasting),
    names: Netns.list().map(({ name }) => name).filter(isOwn).sort(),
  };
}

/** Removes what a test that failed has left. */
export function removingNames(isOwn: IsOwn): Disposable {
  return {
    [Symbol.dispose]() {
      for (const { name } of Netns.list()) if (isOwn(name)) Netns.remove(name);
    },
  };
}

/** Without what becomes of a link by itself. */
function lasting(key: string, value: Json): Json {
  if (key === "flags") return value.filter((flag: string) => !/CARRIER|LOWER_UP/.test(flag));
  return /_timer$|^operstate$|^state$/.test(key) ? undefined : value;
}

/** An export without what other tests have at the same time. */
export function ownOf({ namespaces = {}, ...topology }: Topology, isOwn: IsOwn): Topology {
  const own = Object.entries(namespaces).filter(([name]) => isOwn(name));
  return own.length === 0 ? topology : { ...topology, namespaces: Object.fromEntries(own) };
}

/** The names of all namespaces of a topology but the host's. */
export function namesOf({ namespaces = {}, ...host }: Topology): string[] {
  return [
    ...containersOf(host),
    ...Object.entries(namespaces).flatMap(([name, spec]) => [
      name,
      ...containersOf(spec),
    ]),
  ];
}

function containersOf({ containers = {} }: HostSpec): string[] {
  return Object.entries(containers).flatMap(([name, spec]) => [name, ...containersOf(spec)]);
}

/** What namespaces look like. */
export async function lookAtAll(
  host: Netns,
  names: readonly string[],
): Promise<KernelState> {
  const looks: KernelState = { host: await lookAt(host) };
  for (const name of names) {
    using netns = Netns.open({ name });
    looks[name] = await lookAt(netns);
  }
  return looks;
}

/** What was asked of the kernel: the numbers of the messages that change something, and how many others. */
export interface Asked<T> {
  answer: T;
  changing: number[];
  reading: number;
}

/** Counts the requests of this thread, which are all, as other threads only open sockets. */
export async function counting<T>(fn: () => Promise<T>): Promise<Asked<T>> {
  const asked = { changing: [] as number[], reading: 0 };
  const count = (bytes: Uint8Array) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // struct nlmsghdr: u32 length, u16 type, ...; each begins at a multiple of four.
    for (let at = 0; at < bytes.length; at += view.getUint32(at, true) + 3 & ~3) {
      const type = view.getUint16(at + 4, true);
      if (isReading(type)) asked.reading++;
      else asked.changing.push(type);
    }
  };
  using _ = watchSent(count);
  return { answer: await fn(), ...asked };
}

/** RTM_NEW, DEL, GET and SET come by four; in nf_tables (subsystem 10) NEW, GET and DEL by three. */
function isReading(type: number): boolean {
  return type >> 8 === 10 ? (type & 0xff) % 3 === 1 : type % 4 === 2;
}

/** Runs `fn` while somebody answers at an address. */
export async function serving<T>(
  netns: Netns,
  [hostname, port]: [hostname: string, port: number],
  fn: () => Promise<T>,
): Promise<T> {
  const { port1, port2 } = new MessageChannel();
  const listening = new Promise((resolve) => port1.onmessage = resolve);
  const stop = new AbortController();
  const served = runInNetns(netns, TRAFFIC, {
    export: "serve",
    args: [hostname, port, port2],
    transfer: [port2],
    signal: stop.signal,
  }).catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
  try {
    await Promise.race([listening, served]);
    return await fn();
  } finally {
    stop.abort();
    await served;
    port1.close();
  }
}

/** The address by which a server sees a caller, or the name of the error. */
export async function call(netns: Netns, hostname: string, port: number): Promise<string> {
  return await runInNetns<string>(netns, TRAFFIC, { export: "call", args: [hostname, port] });
}

/** How fast one receives what another sends, in bits per second. */
export async function measure(from: Netns, to: Netns, address: string): Promise<number> {
  const received = runInNetns<Received>(to, TRANSFER, { export: "receive", args: [address] });
  await runInNetns(from, TRANSFER, { export: "send", args: [address, 1.2] });
  const { bytes, seconds } = await received;
  return 8 * bytes / seconds;
}
