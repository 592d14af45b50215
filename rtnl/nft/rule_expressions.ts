/**
 * From what a rule says to its expressions, and to the sets without a name that they look into.
 *
 * @module
 */

import { ValueError } from "../codec/shape.ts";
import { show } from "../codec/scalars.ts";
import {
  dataType,
  familyOfAddress,
  type Interval,
  isSingle,
  type NftDataType,
  parseInterval,
  prefixMask,
} from "./datatypes.ts";
import type { NftExpression } from "./expressions.ts";
import {
  compared,
  masked,
  type NftField,
  type NftMappedTarget,
  type NftMatch,
  type NftReject,
  type NftRejection,
  type NftStatement,
  type NftTranslation,
  type NftTranslationTarget,
  type NftVerdictMap,
} from "./statements.ts";

type Network = "ip" | "ip6";

/** A set that one rule has for itself. */
export interface OwnSet {
  /** By which the rule finds it: it has no name yet. */
  readonly id: number;
  readonly type: NftDataType;
  readonly values: readonly (string | number)[];
  readonly intervals: boolean;
}

/** What the kernel gives a name to. */
export const OWN_SET_NAME = "__set%d";

/** The expressions of a rule in a table of this family, and its own sets; `nextId` numbers them. */
export function ruleExpressions(
  family: "inet" | Network,
  statements: readonly (NftStatement | readonly NftStatement[])[],
  nextId: () => number,
): { expressions: NftExpression[]; sets: OwnSet[] } {
  const rule = new RuleExpressions(family, nextId);
  for (const statement of statements.flat() as NftStatement[]) rule.add(statement);
  return rule;
}

/** NFPROTO_* of linux/netfilter.h. */
const NFPROTO = { ip: 2, ip6: 10 } as const;

/** Where addresses stand behind the beginning of the network header. */
const ADDRESSES = {
  sourceAddress: { ip: 12, ip6: 8 },
  destinationAddress: { ip: 16, ip6: 24 },
} as const;
/** Where ports stand behind the beginning of the transport header. */
const PORTS = { sourcePort: 0, destinationPort: 2 } as const;
/** What the kernel knows beside a packet's bytes. */
const META = {
  protocol: ["l4proto", "inet_proto"],
  inputInterface: ["iifname", "ifname"],
  outputInterface: ["oifname", "ifname"],
  mark: ["mark", "mark"],
} as const;

const FIELDS = [...Object.keys(ADDRESSES), ...Object.keys(PORTS), ...Object.keys(META)];

class RuleExpressions {
  readonly expressions: NftExpression[] = [];
  readonly sets: OwnSet[] = [];
  readonly #family: "inet" | Network;
  readonly #nextId: () => number;
  /** The family that the packet is known to be of. */
  #network: Network | undefined;
  /** The transport protocol was looked at, so ports mean something. */
  #transport = false;

  constructor(family: "inet" | Network, nextId: () => number) {
    this.#family = family;
    this.#nextId = nextId;
    this.#network = family === "inet" ? undefined : family;
  }

  add(statement: NftStatement): void {
    if ("match" in statement) this.#match(statement);
    else if ("matchFamily" in statement) this.#need(statement.matchFamily);
    else if ("translate" in statement) this.#translate(statement);
    else if ("decide" in statement) this.#decide(statement);
    else if ("reject" in statement) this.#reject(statement);
    else this.#push(statement);
  }

  #push(...expressions: NftExpression[]): void {
    for (const expression of expressions) {
      this.expressions.push(expression);
      if (expression.name === "meta" && expression.data?.key === "l4proto") this.#transport = true;
    }
  }

  /** Goes on only with packets of this family. */
  #need(network: Network): void {
    if (this.#network === network) return;
    if (this.#network !== undefined) {
      throw new ValueError(
        `nothing is of the family ${network} in a ${
          this.#family === "inet" ? "rule" : "table"
        } of the family ${this.#network}`,
      );
    }
    this.#network = network;
    this.#push(
      { name: "meta", data: { key: "nfproto", dreg: 1 } },
      compared("eq", Uint8Array.of(NFPROTO[network])),
    );
  }

  #needTransport(what: string): void {
    if (!this.#transport) {
      throw new ValueError(
        `${what} needs a protocol before it: match one, as in nftMatch.protocol("tcp")`,
      );
    }
  }

  #match({ match, value, not = false, family }: NftMatch): void {
    const fields = [match].flat() as NftField[];
    const values = [value].flat() as (string | number)[];
    const [first] = values;
    if (first === undefined) throw new ValueError("there is no value to compare with");
    if (values.length === 1 && isSetName(first)) {
      this.#load(fields, family);
      const flags = not ? ["invert"] as const : [];
      return this.#push({ name: "lookup", data: { set: setName(first), sreg: 1, flags } });
    }
    const [field] = fields;
    if (field === undefined || fields.length > 1) {
      throw new ValueError(
        `several fields are compared with a set, as "@NAME", got ${show(value)}`,
      );
    }
    this.#compare(field, values, not, family);
  }

  #compare(
    field: NftField,
    values: readonly (string | number)[],
    not: boolean,
    family: Network | undefined,
  ): void {
    const network = field in ADDRESSES ? family ?? familyOfAddress(String(values[0])) : undefined;
    const load = this.#loader(field, network);
    if (values.length === 1) {
      if (load.type === "ifname" && String(values[0]).endsWith("*")) {
        this.#push(load.into(1), compared(not ? "neq" : "eq", linkPrefix(String(values[0]))));
      } else this.#compareOne(load, parseInterval(load.type, values[0]!), not);
      return;
    }
    const intervals = values.map((value) => parseInterval(load.type, value));
    const set: OwnSet = {
      id: this.#nextId(),
      type: load.type,
      values,
      intervals: intervals.some((interval) => !isSingle(interval)),
    };
    this.sets.push(set);
    this.#push(load.into(1), {
      name: "lookup",
      data: { set: OWN_SET_NAME, setId: set.id, sreg: 1, flags: not ? ["invert"] : [] },
    });
  }

  #compareOne(load: Load, interval: Interval, not: boolean): void {
    const { first, last, prefix } = interval;
    const op = not ? "neq" : "eq";
    if (isSingle(interval)) this.#push(load.into(1), compared(op, first));
    else if (prefix !== undefined && prefix > 0 && prefix % 8 === 0) {
      // Whole bytes are compared without the rest.
      this.#push(load.into(1, prefix / 8), compared(op, first.slice(0, prefix / 8)));
    } else if (prefix !== undefined) {
      const { size } = dataType(load.type);
      this.#push(
        load.into(1),
        masked(size, prefixMask(size, prefix), new Uint8Array(size)),
        compared(op, first),
      );
    } else if (not) {
      this.#push(load.into(1), {
        name: "range",
        data: { sreg: 1, op: "neq", fromData: { value: first }, toData: { value: last } },
      });
    } else this.#push(load.into(1), compared("gte", first), compared("lte", last));
  }

  /** Loads fields one behind the other, as the keys of sets have them. */
  #load(fields: readonly NftField[], family: Network | undefined): void {
    const loads: Load[] = [];
    // A protocol that is looked up together with a port is looked at, too.
    if (fields.includes("protocol")) this.#transport = true;
    for (const field of fields) {
      const network = field in ADDRESSES ? family ?? this.#network : undefined;
      if (field in ADDRESSES && network === undefined) {
        throw new ValueError(
          `an address in a table of the family inet is IPv4 or IPv6: say which, as in { family: "ip" }`,
        );
      }
      loads.push(this.#loader(field, network));
    }
    let word = 0;
    for (const { type, into } of loads) {
      this.#push(into(register(word)));
      word += Math.ceil(dataType(type).size / 4);
    }
  }

  /** How a field is loaded; what has to be known of the packet before is asked for. */
  #loader(field: NftField, network: Network | undefined): Load {
    if (field === "sourceAddress" || field === "destinationAddress") {
      const offset = ADDRESSES[field][network!];
      this.#need(network!);
      return {
        type: addressType(network!),
        into: (dreg, len = dataType(addressType(network!)).size) => ({
          name: "payload",
          data: { dreg, base: "network_header", offset, len },
        }),
      };
    }
    if (field === "sourcePort" || field === "destinationPort") {
      const offset = PORTS[field];
      this.#needTransport("a port");
      return {
        type: "inet_service",
        into: (dreg) => ({
          name: "payload",
          data: { dreg, base: "transport_header", offset, len: 2 },
        }),
      };
    }
    if (!Object.hasOwn(META, field)) {
      throw new ValueError(`expected one of ${FIELDS.join(", ")}, got ${show(field)}`);
    }
    const [key, type] = META[field];
    return { type, into: (dreg) => ({ name: "meta", data: { key, dreg } }) };
  }

  #decide({ decide, map, family }: NftVerdictMap): void {
    this.#load([decide].flat() as NftField[], family);
    this.#push({ name: "lookup", data: { set: setName(map), sreg: 1, dreg: 0, flags: [] } });
  }

  #translate({ translate, to }: NftTranslation): void {
    const flags = [
      ...to.port === undefined || to.port === false ? [] : ["protoSpecified" as const],
      ...to.random ? ["protoRandom" as const] : [],
      ...to.fullyRandom ? ["protoRandomFully" as const] : [],
      ...to.persistent ? ["persistent" as const] : [],
    ];
    const some = flags.length > 0 ? { flags } : {};
    if ("map" in to) {
      const family = to.family ?? this.#network;
      if (family === undefined || translate !== "snat" && translate !== "dnat") {
        throw new ValueError(
          `a map of addresses is for snat and dnat, and of one family: say which, as in { family: "ip" }`,
        );
      }
      return this.#translateByMap(translate, to, family, some);
    }
    const ports = this.#ports(to);
    if (translate === "masquerade") {
      return this.#push({ name: "masq", data: { ...ports, ...some } });
    }
    if (translate === "redirect") return this.#push({ name: "redir", data: { ...ports, ...some } });
    if (to.address === undefined && to.port === undefined) {
      throw new ValueError("expected an address or a port to translate to");
    }
    const known = this.#network;
    const family = to.address === undefined ? known ?? "inet" : familyOfAddress(to.address);
    if (known !== undefined && family !== known) {
      throw new ValueError(`expected an address of the family ${known}, got ${show(to.address)}`);
    }
    const addresses = to.address === undefined ? {} : this.#addresses(to.address);
    this.#push({ name: "nat", data: { type: translate, family, ...addresses, ...ports, ...some } });
  }

  #translateByMap(
    type: "snat" | "dnat",
    { map, by, port = false, family: keys }: NftMappedTarget,
    family: Network,
    flags: object,
  ): void {
    this.#load([by].flat() as NftField[], keys);
    if (port) this.#needTransport("a port");
    const regProtoMin = register(family === "ip" ? 1 : 4);
    this.#push(
      { name: "lookup", data: { set: setName(map), sreg: 1, dreg: 1, flags: [] } },
      {
        name: "nat",
        data: { type, family, regAddrMin: 1, ...port ? { regProtoMin } : {}, ...flags },
      },
    );
  }

  /** Loads an address to translate to, or the two ends of a range. */
  #addresses(address: string): { regAddrMin: number; regAddrMax?: number } {
    const interval = parseInterval(addressType(familyOfAddress(address)), address);
    this.#pushValue(1, interval.first);
    if (isSingle(interval)) return { regAddrMin: 1 };
    this.#pushValue(2, interval.last);
    return { regAddrMin: 1, regAddrMax: 2 };
  }

  /** The same of ports. */
  #ports({ port }: NftTranslationTarget): { regProtoMin?: number; regProtoMax?: number } {
    if (port === undefined) return {};
    this.#needTransport("a port to translate to");
    const interval = parseInterval("inet_service", port);
    this.#pushValue(3, interval.first);
    if (isSingle(interval)) return { regProtoMin: 3 };
    this.#pushValue(4, interval.last);
    return { regProtoMin: 3, regProtoMax: 4 };
  }

  #pushValue(dreg: number, value: Uint8Array): void {
    this.#push({ name: "immediate", data: { dreg, data: { value } } });
  }

  #reject({ reject }: NftReject): void {
    if (reject === "tcp reset") {
      return this.#push({ name: "reject", data: { type: "tcp_rst", icmpCode: 0 } });
    }
    const codes = Object.hasOwn(REJECTIONS, reject) ? REJECTIONS[reject] : undefined;
    if (codes === undefined) {
      throw new ValueError(
        `expected one of tcp reset, ${Object.keys(REJECTIONS).join(", ")}, got ${show(reject)}`,
      );
    }
    this.#push({
      name: "reject",
      data: {
        type: this.#family === "inet" ? "icmpx_unreach" : "icmp_unreach",
        icmpCode: codes[this.#family],
      },
    });
  }
}

/** The type of a field's value, and what loads it, or its first bytes, into a register. */
interface Load {
  readonly type: NftDataType;
  readonly into: (dreg: number, bytes?: number) => NftExpression;
}

/** NFT_REJECT_ICMPX_* for both families; the codes of ICMP and ICMPv6. */
const REJECTIONS: Readonly<
  Record<Exclude<NftRejection, "tcp reset">, Readonly<Record<"inet" | Network, number>>>
> = {
  "no-route": { inet: 0, ip: 0, ip6: 0 },
  "port-unreachable": { inet: 1, ip: 3, ip6: 4 },
  "host-unreachable": { inet: 2, ip: 1, ip6: 3 },
  "admin-prohibited": { inet: 3, ip: 13, ip6: 1 },
};

/** The register that begins with this one of the 16 words; four of them have a number for all. */
function register(word: number): number {
  return word % 4 === 0 ? 1 + word / 4 : 8 + word;
}

function addressType(family: Network): NftDataType {
  return family === "ip" ? "ipv4_addr" : "ipv6_addr";
}

function isSetName(value: unknown): value is string {
  return typeof value === "string" && value.startsWith("@");
}

function setName(value: unknown): string {
  if (!isSetName(value) || value.length === 1) {
    throw new ValueError(`expected the name of a set, as "@NAME", got ${show(value)}`);
  }
  return value.slice(1);
}

/** What the names of links begin with, from "eth*". */
function linkPrefix(pattern: string): Uint8Array {
  const [{ first }, length] = [
    parseInterval("ifname", pattern.slice(0, -1)),
    new TextEncoder().encode(pattern).length - 1,
  ];
  return first.slice(0, length);
}
