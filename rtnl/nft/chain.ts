/**
 * Chains of rules, and the hooks that send packets there (nft(8), linux/netfilter/nf_tables.h).
 *
 * @module
 */

import { be32, be64, sbe32, text } from "../codec/scalars.ts";
import type { Message, MessageShape, Table } from "../codec/shape.ts";
import { changing, getting, NLM_F_CREATE, NLM_F_EXCL, type Request, request } from "../request.ts";
import { COUNTER } from "./expressions.ts";
import { NFGENMSG, nftType } from "./message.ts";
import { CHAIN_USERDATA } from "./userdata.ts";

const DEVICES = { listOf: text, number: 1 } as const;

/** Where packets of IPv4, IPv6 and bridges come from (NF_INET_* of linux/netfilter.h). */
const INET_HOOKS = {
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
  ingress: 5,
} as const;

const PLACE = {
  priority: ["NFTA_HOOK_PRIORITY", 2, sbe32],
  devs: ["NFTA_HOOK_DEVS", 4, DEVICES],
  dev: ["NFTA_HOOK_DEV", 3, text],
} as const satisfies Table;

const INET_HOOK = {
  hooknum: ["NFTA_HOOK_HOOKNUM", 1, { oneOf: be32, names: INET_HOOKS }],
  ...PLACE,
} as const satisfies Table;

const NETDEV_HOOK = {
  hooknum: ["NFTA_HOOK_HOOKNUM", 1, { oneOf: be32, names: { ingress: 0, egress: 1 } }],
  ...PLACE,
} as const satisfies Table;

const ARP_HOOK = {
  hooknum: ["NFTA_HOOK_HOOKNUM", 1, {
    oneOf: be32,
    names: { input: 0, output: 1, forward: 2 },
  }],
  ...PLACE,
} as const satisfies Table;

/** NFT_MSG_NEWCHAIN, NFT_MSG_GETCHAIN, NFT_MSG_DELCHAIN. */
export const NFT_CHAIN = {
  header: NFGENMSG,
  attributes: {
    table: ["NFTA_CHAIN_TABLE", 1, text],
    name: ["NFTA_CHAIN_NAME", 3, text],
    handle: ["NFTA_CHAIN_HANDLE", 2, be64],
    /** Where packets come from; without it only rules jump here. */
    hook: ["NFTA_CHAIN_HOOK", 4, {
      either: "family",
      when: { netdev: NETDEV_HOOK, arp: ARP_HOOK },
      otherwise: INET_HOOK,
    }],
    /** What becomes of packets that no rule decides on. */
    policy: ["NFTA_CHAIN_POLICY", 5, { oneOf: be32, names: { drop: 0, accept: 1 } }],
    /** "filter", "nat" or "route". */
    type: ["NFTA_CHAIN_TYPE", 7, text],
    counters: ["NFTA_CHAIN_COUNTERS", 8, COUNTER],
    flags: ["NFTA_CHAIN_FLAGS", 10, {
      flags: be32,
      names: { base: 0x1, hw_offload: 0x2, binding: 0x4 },
    }],
    /** How many rules and elements it has or lead here. */
    use: ["NFTA_CHAIN_USE", 6, be32],
    id: ["NFTA_CHAIN_ID", 11, be32],
    userdata: ["NFTA_CHAIN_USERDATA", 12, CHAIN_USERDATA],
  },
} as const satisfies MessageShape;

/** A chain, as the kernel lists it and as a request describes it; what is `undefined` was not said. */
export interface NftChain extends Message<typeof NFT_CHAIN> {}

const NFT_MSG_NEWCHAIN = nftType(3);
const NFT_MSG_GETCHAIN = nftType(4);
const NFT_MSG_DELCHAIN = nftType(5);

/** The requests about chains. */
export class NftChainRequests {
  /** All chains, or those of a `family` or a `table`. */
  list(filter: NftChain = {}): Request<NftChain[]> {
    const { table } = filter;
    return request({
      operation: "list chains",
      type: NFT_MSG_GETCHAIN,
      form: "dump",
      shape: NFT_CHAIN,
      values: filter,
      // The kernel does not look at the table.
      read: (chains) =>
        (chains as NftChain[]).filter((chain) => table === undefined || chain.table === table),
    });
  }

  /** The chain of a `family`, a `table` and a `name`. */
  get(spec: NftChain): Request<NftChain> {
    return getting(asked("get", spec), NFT_MSG_GETCHAIN, NFT_CHAIN, spec);
  }

  /** Adds a chain; of one that is there already the policy is set. */
  add(spec: NftChain): Request<void> {
    return change("add", NFT_MSG_NEWCHAIN, spec, NLM_F_CREATE);
  }

  /** The same, but one that is there already is an error. */
  create(spec: NftChain): Request<void> {
    return change("create", NFT_MSG_NEWCHAIN, spec, NLM_F_CREATE | NLM_F_EXCL);
  }

  /** Takes a chain away, with its rules; an error while a rule jumps there. */
  delete(spec: NftChain): Request<void> {
    return change("delete", NFT_MSG_DELCHAIN, spec);
  }
}

/** The requests about chains, ready to be sent in a transaction. */
export const nftChain: NftChainRequests = new NftChainRequests();

function change(verb: string, type: number, spec: NftChain, flags = 0): Request<void> {
  return changing(asked(verb, spec), type, NFT_CHAIN, spec, flags);
}

function asked(verb: string, { family = "unspec", table, name, handle }: NftChain): string {
  return `${verb} chain ${family} ${table} ${name ?? `handle ${handle}`}`;
}
