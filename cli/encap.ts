/**
 * `encap`: what a route or a nexthop wraps its packets in, in the words of `ip route`.
 *
 * @module
 */

import type { Nexthop, Route, Segments } from "../mod.ts";
import { bigNumber, choice, device, ip4, ip6, number, text } from "./forms.ts";
import type { Host } from "./host.ts";
import {
  type Form,
  print,
  type Printed,
  printed,
  readWords,
  type Values,
  type WordTable,
} from "./words.ts";

/** A bit of the tunnel's flags, as a word. */
function tunnelFlag(flag: string): Form<readonly string[]> {
  return {
    name: "",
    parse: () => [flag],
    store(values, flags, key) {
      values[key] = [...values[key] as string[] ?? [], ...flags];
    },
    json: (flags) => flags.includes(flag) ? true : undefined,
    label: (flags, label) => flags.includes(flag) ? label : undefined,
  };
}

const TUNNEL_FLAGS: WordTable = [
  { key: "flags", word: "key", is: tunnelFlag("key") },
  { key: "flags", word: "csum", is: tunnelFlag("checksum") },
  { key: "flags", word: "seq", is: tunnelFlag("sequence") },
];

const IP: WordTable = [
  { key: "id", word: "id", is: bigNumber },
  { key: "src", word: "src", is: ip4 },
  { key: "dst", word: "dst", is: ip4 },
  { key: "ttl", word: "ttl", is: number },
  { key: "tos", word: "tos", is: number },
  ...TUNNEL_FLAGS,
];

const IP6: WordTable = [
  { key: "id", word: "id", is: bigNumber },
  { key: "src", word: "src", is: ip6 },
  { key: "dst", word: "dst", is: ip6 },
  { key: "hopLimit", word: "hoplimit", is: number },
  { key: "trafficClass", word: "tc", is: number },
  ...TUNNEL_FLAGS,
];

const MPLS: WordTable = [
  { key: "dst", json: "dst", text: "", is: text },
  { key: "ttl", word: "ttl", is: number },
];

/** The segments' addresses in one word. */
const segments: Form<string[]> = {
  name: "ADDRESS[,ADDRESS...]",
  parse: (words) => words.take()?.split(","),
  json: (segments) => segments,
  text: (segments) => `${segments.length} [ ${segments.join(" ")} ]`,
};

const SEG6: WordTable<Segments> = [
  {
    key: "mode",
    word: "mode",
    is: choice("inline", "encap", "l2encap", "encap.red", "l2encap.red"),
  },
  { key: "segments", word: "segs", is: segments },
];

const ACTIONS = ["End", "End.X", "End.T", "End.DX2", "End.DX6", "End.DX4", "End.DT6", "End.DT4"];

const SEG6_LOCAL: WordTable = [
  { key: "action", word: "action", is: choice(...ACTIONS, "End.B6", "End.BPF", "End.DT46") },
  { key: "table", word: "table", is: number },
  { key: "vrfTable", word: "vrftable", is: number },
  { key: "nexthop4", word: "nh4", is: ip4 },
  { key: "nexthop6", word: "nh6", is: ip6 },
  { key: "iif", word: "iif", is: device },
  { key: "oif", word: "oif", is: device },
];

const XFRM: WordTable = [
  { key: "interfaceId", word: "if_id", is: number },
  { key: "link", word: "link_dev", is: device },
];

const KINDS: Readonly<Record<string, WordTable>> = {
  mpls: MPLS,
  ip: IP,
  ip6: IP6,
  seg6: SEG6,
  seg6local: SEG6_LOCAL,
  xfrm: XFRM,
};

/** A route's or a nexthop's encapsulation. */
type Encap = Pick<Route & Nexthop, "encapType" | "encap">;

/** Its kind and the words of the kind. */
const encap: Form<Encap> = {
  name: `${Object.keys(KINDS).join("|")} ...`,
  parse(words, host) {
    const kind = words.take() ?? "";
    const table = KINDS[kind];
    if (table === undefined) return undefined;
    const values: Values = {};
    if (kind === "mpls") values.dst = words.take();
    readWords(table, words, values, host);
    return { encapType: kind as "ip", encap: attributesOf(kind, values) };
  },
  store: (values, encap) => void Object.assign(values, encap),
};

/** Segments are one attribute. */
function attributesOf(kind: string, values: Values): NonNullable<Encap["encap"]> {
  if (kind !== "seg6") return values;
  const { mode = "encap", segments = [] } = values as Partial<Segments>;
  // The packet's own destination comes last, in a place that is left free for it.
  const all = mode === "inline" ? [...segments, "::"] : segments;
  return { srh: { mode, segments: all } };
}

/** The row that reads it. */
export const ENCAP: WordTable<Encap> = [{
  key: "encap",
  word: "encap",
  json: "",
  text: false,
  is: encap,
}];

/** What `ip route` prints of it. */
export function printEncap({ encapType, encap }: Encap, host: Host): Printed {
  if (encapType === undefined || encap === undefined) return printed({});
  const kind = String(encapType);
  const values = (kind === "seg6" ? (encap as { srh?: Segments }).srh : encap) as Values;
  const { json, text } = print(KINDS[kind] ?? [], values, host);
  return printed({ encap: kind, ...json }, `encap ${kind}`, ...text);
}
