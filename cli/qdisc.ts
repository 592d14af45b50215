/**
 * `qdisc`: the words and the output of `tc qdisc`.
 *
 * @module
 */

import { type Qdisc, qdisc as requests } from "../rtnl/tc/mod.ts";
import { type Command, LIST, type Result } from "./command.ts";
import { UsageError } from "./errors.ts";
import { device, hexText, number, readNumber, refuseUnless, unlessZero } from "./forms.ts";
import { type Host, LOOKING, onHost } from "./host.ts";
import { listOf } from "./link.ts";
import { percent, rate, rateText, size, sizeText, time, timeText } from "./units.ts";
import {
  type Form,
  join,
  print,
  type Printed,
  printed,
  readAll,
  readWord,
  type Values,
  vocabulary,
  Words,
  type WordTable,
} from "./words.ts";

/** A kind's options: what is typed for them, and how they are printed. */
interface Kind {
  readonly words: WordTable;
  /** From what was typed to the attributes. */
  make?(typed: Values): object;
  /** What is printed, where that is not what the words say of the attributes. */
  show?(options: Values, host: Host): Printed;
}

const TICK_NANOSECONDS = 64;
const ETHERNET = "ethernet";

/** `on` where a switch is set by a word, and its opposite. */
function either(key: string, on: string): WordTable {
  const is = (value: number): Form => ({ name: "", parse: () => value });
  return [
    { key, word: on, is: is(1) },
    { key, word: `no${on}`, is: is(0) },
  ];
}

const LIMIT: Kind = { words: [{ key: "limit", word: "limit", is: number }] };

const BYTES: Kind = {
  words: [{ key: "limit", word: "limit", is: size }],
  show: ({ limit }) => printed({ limit }, `limit ${sizeText(limit as number)}`),
};

const PRIO: Kind = {
  words: [
    { key: "bands", word: "bands", is: number },
    {
      key: "priorityMap",
      word: "priomap",
      is: {
        name: "BAND (16 of them)",
        parse(words) {
          const map = Array.from({ length: 16 }, () => readNumber(words.take() ?? ""));
          return map.includes(undefined) ? undefined : map;
        },
      },
    },
  ],
  make: (typed) => ({ bands: 3, priorityMap: USUAL_PRIORITIES, ...typed }),
  show: ({ bands, priorityMap }) =>
    printed(
      { bands, priomap: priorityMap, multiqueue: false },
      `bands ${bands} priomap ${(priorityMap as number[]).join(" ")}`,
    ),
};
const USUAL_PRIORITIES = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];

const TBF: Kind = {
  words: [
    { key: "rate", word: "rate", is: rate },
    { key: "burst", word: ["burst", "buffer", "maxburst"], is: size },
    { key: "limit", word: "limit", is: size },
    { key: "latency", word: "latency", is: time },
  ],
  make({ rate, burst, limit, latency }) {
    refuseUnless(rate !== undefined && burst !== undefined, "Expected rate and burst");
    refuseUnless((limit === undefined) !== (latency === undefined), "Expected limit or latency");
    const room = limit ?? Math.floor(Number(rate) * Number(latency) / 1e6) + Number(burst);
    return {
      parameters: { rate: { rate, linkLayer: ETHERNET }, limit: room },
      burst,
    };
  },
  show(options) {
    const { rate: { rate = 0 } = {}, limit = 0, buffer = 0 } = options.parameters as {
      rate?: { rate?: number };
      limit?: number;
      buffer?: number;
    };
    const burst = Math.round(rate * buffer * TICK_NANOSECONDS / 1e9);
    const latency = Math.trunc(limit / rate * 1e6) - Math.trunc(buffer * TICK_NANOSECONDS / 1e3);
    return printed(
      { rate, burst, lat: latency },
      `rate ${rateText(rate)} burst ${sizeText(burst)} lat ${timeText(latency)}`,
    );
  },
};

/** A class's minor number, in hexadecimal as all of them. */
const minor: Form<number> = {
  name: "CLASS",
  parse(words) {
    const word = words.take()?.replace(/^0x/i, "") ?? "";
    return /^[0-9a-f]{1,4}$/i.test(word) ? parseInt(word, 16) : undefined;
  },
};

const HTB: Kind = {
  words: [
    { key: "defaultClass", word: "default", is: minor },
    { key: "rateToQuantum", word: "r2q", is: number },
  ],
  make: (typed) => ({ init: { version: 3, rateToQuantum: 10, ...typed } }),
  show({ init, directQueueLength }) {
    const { rateToQuantum = 10, defaultClass = 0, directPackets = 0 } = init as {
      rateToQuantum?: number;
      defaultClass?: number;
      directPackets?: number;
    };
    // As tc prints it: "0x10", and 0 with its prefix too.
    const usual = defaultClass === 0 ? "0" : hexText(defaultClass);
    return printed(
      {
        ...{ r2q: rateToQuantum, default: usual, direct_packets_stat: directPackets },
        direct_qlen: directQueueLength,
      },
      `r2q ${rateToQuantum} default ${usual} direct_packets_stat ${directPackets}`,
      ...directQueueLength === undefined ? [] : [`direct_qlen ${directQueueLength}`],
    );
  },
};

const FQ_CODEL: Kind = {
  words: [
    { key: "limit", word: "limit", text: "limit", is: packets() },
    { key: "flows", word: "flows", is: number },
    { key: "quantum", word: "quantum", is: number },
    { key: "target", word: "target", is: time },
    { key: "ceThreshold", word: "ce_threshold", is: time },
    { key: "interval", word: "interval", is: time },
    { key: "memoryLimit", word: "memory_limit", is: size },
    { key: "ecn", json: "ecn", text: "ecn", is: set("ecn") },
    ...either("ecn", "ecn").map((row) => ({ ...row, json: "", text: false as const })),
    { key: "dropBatch", word: "drop_batch", is: number },
  ],
};

/** A number of packets: "500p" in text. */
function packets(): Form<number> {
  return { ...number, text: (value) => `${value}p` };
}

/** A switch that is printed where it is on. */
function set(word: string): Form<number> {
  return {
    name: "",
    json: (value) => value ? true : undefined,
    label: (value) => value ? word : undefined,
  };
}

const FQ: Kind = {
  words: [
    { key: "limit", word: "limit", is: packets() },
    { key: "flowLimit", word: "flow_limit", is: packets() },
    {
      key: "bucketsLog",
      word: "buckets",
      is: {
        ...number,
        parse(words) {
          const buckets = readNumber(words.take() ?? "");
          return buckets === undefined ? undefined : Math.round(Math.log2(buckets));
        },
        json: (log) => 2 ** log,
        text: (log) => `${2 ** log}`,
      },
    },
    { key: "orphanMask", word: "orphan_mask", is: number },
    { key: "quantum", word: "quantum", is: size },
    { key: "initialQuantum", word: "initial_quantum", is: size },
    { key: "flowMaxRate", word: "maxrate", is: unlessAll(rate) },
    { key: "lowRateThreshold", word: "low_rate_threshold", is: unlessZero(rate) },
    { key: "flowRefillDelay", word: "refill_delay", is: time },
    { key: "timerSlack", word: "timer_slack", is: { ...time, text: (ns) => `${ns / 1000}us` } },
    { key: "horizon", word: "horizon", is: time },
    ...either("pacing", "pacing").map((row) => ({ ...row, json: "", text: false as const })),
    {
      key: "horizonDrop",
      json: "*",
      text: "",
      is: {
        name: "",
        json: (drop) => drop ? { horizon_drop: null } : { horizon_cap: null },
        text: (drop) => drop ? "horizon_drop" : "horizon_cap",
      },
    },
  ],
};

/** A rate that is a limit: the highest number is none. */
function unlessAll(form: Form<number>): Form<number> {
  const isAll = (value: number) => value === 0xffffffff;
  return {
    ...form,
    json: (value, host) => isAll(value) ? undefined : form.json?.(value, host),
    text: (value, host) => isAll(value) ? undefined : form.text?.(value, host),
  };
}

const NETEM: Kind = {
  words: [
    { key: "limit", word: "limit", is: number },
    {
      key: "delay",
      word: ["delay", "latency"],
      is: {
        name: "TIME [JITTER]",
        parse(words, host) {
          const delay = time.parse!(words, host, "");
          const next = words.next;
          const jitter = next !== undefined && /^\d/.test(next)
            ? time.parse!(words, host, "")
            : undefined;
          return delay === undefined ? undefined : { delay, jitter };
        },
      },
    },
    { key: "loss", word: ["loss", "drop"], is: percent },
    { key: "duplicate", word: "duplicate", is: percent },
    { key: "rate64", word: "rate", is: rate },
  ],
  make({ delay, loss, duplicate, rate64, limit = 1000 }) {
    const { delay: latency, jitter } = (delay ?? {}) as { delay?: number; jitter?: number };
    const nanoseconds = (microseconds: number) => BigInt(Math.round(microseconds * 1000));
    return {
      ...{ limit, loss, duplicate },
      ...latency === undefined ? {} : { latency64: nanoseconds(latency) },
      ...jitter === undefined ? {} : { jitter64: nanoseconds(jitter) },
      ...rate64 === undefined ? {} : { rate: { rate: rate64 } },
    };
  },
  show(options) {
    const { limit, loss = 0, duplicate = 0, gap = 0, ecn = 0, latency64 = 0n, jitter64 = 0n } =
      options as Record<string, number> & { latency64?: bigint; jitter64?: bigint };
    const { rate: { rate = 0 } = {}, correlation = {} } = options as {
      rate?: { rate?: number };
      correlation?: { delay?: number; loss?: number; duplicate?: number };
    };
    const part = (chance = 0) => percent.json!(chance, undefined as never);
    const seconds = (ns: bigint) => Number(ns) / 1e9;
    const shown = (ns: bigint) => timeText(Number(ns) / 1e3);
    const delays = latency64 !== 0n || jitter64 !== 0n;
    return printed(
      {
        limit,
        ...delays
          ? {
            delay: {
              delay: seconds(latency64),
              jitter: seconds(jitter64),
              correlation: part(correlation.delay),
            },
          }
          : {},
        ...loss === 0
          ? {}
          : { "loss-random": { loss: part(loss), correlation: part(correlation.loss) } },
        ...duplicate === 0
          ? {}
          : { duplicate: { duplicate: part(duplicate), correlation: part(correlation.duplicate) } },
        ...rate === 0 ? {} : { rate: { rate, packetoverhead: 0, cellsize: 0, celloverhead: 0 } },
        ecn: ecn !== 0,
        gap,
      },
      `limit ${limit}`,
      ...delays
        ? [`delay ${shown(latency64)}${jitter64 === 0n ? "" : `  ${shown(jitter64)}`}`]
        : [],
      ...loss === 0 ? [] : [`loss ${percent.text!(loss, undefined as never)}`],
      ...duplicate === 0 ? [] : [`duplicate ${percent.text!(duplicate, undefined as never)}`],
      ...rate === 0 ? [] : [`rate ${rateText(rate)}`],
    );
  },
};

const NONE: Kind = { words: [] };

const KINDS: Readonly<Record<string, Kind>> = {
  bfifo: BYTES,
  clsact: NONE,
  fq: FQ,
  fq_codel: FQ_CODEL,
  htb: HTB,
  ingress: NONE,
  mq: NONE,
  netem: NETEM,
  noqueue: NONE,
  pfifo: { ...LIMIT, show: ({ limit }) => printed({ limit }, `limit ${limit}p`) },
  pfifo_fast: { words: [], show: PRIO.show! },
  prio: PRIO,
  tbf: TBF,
};

/** `1:`, `1:10`, or a name that tc has for one. */
const handle: Form<string> = {
  name: "HANDLE",
  parse(words) {
    const word = words.take() ?? "";
    return /^[0-9a-f]{0,4}:[0-9a-f]{0,4}$/i.test(word) ? word : undefined;
  },
};

function fixed(value: string): Form<string> {
  return { name: "", parse: () => value };
}

const PLACE: WordTable = [
  { key: "index", word: "dev", is: device },
  { key: "parent", word: "root", is: fixed("root") },
  { key: "parent", word: "parent", is: handle },
  { key: "handle", word: "handle", is: handle },
];

function readQdisc(words: Words, host: Host, withKind: boolean): Qdisc {
  const spec: Values = {};
  const kinds = Object.keys(KINDS);
  while (words.next !== undefined) {
    const kind = words.next;
    if (Object.hasOwn(KINDS, kind)) {
      words.take();
      spec.kind = kind;
      const { words: table, make } = KINDS[kind]!;
      const typed = readAll(table, words, {} as Values, host);
      const options = make === undefined ? typed : make(typed);
      if (table.length > 0) spec.options = options;
    } else if (!readWord(PLACE, words, spec, host)) {
      words.end([...vocabulary(PLACE), ...kinds]);
    }
  }
  refuseUnless(spec.index !== undefined, "Expected dev and a link's name");
  if (withKind && spec.kind === undefined) {
    throw new UsageError(`Expected a kind of qdisc: ${kinds.join(", ")}`);
  }
  return spec as Qdisc;
}

/** A qdisc as `tc qdisc` prints it; `dev` is left out where a filter says it. */
function printQdisc(qdisc: Qdisc, host: Host, withDevice: boolean): Printed {
  const { kind = "", handle = "0:", parent, info = 0, index = 0 } = qdisc;
  const shown = handle === "none" ? "0:" : handle;
  const root = parent === "root";
  const above = root || parent === undefined || parent === "none"
    ? undefined
    : parent === "ingress"
    ? "ffff:fff1"
    : parent;
  const dev = host.names.name(index);
  const options = (qdisc.options ?? {}) as Values;
  const { words = [], show } = KINDS[kind] ?? NONE;
  const said = show === undefined ? print(words, options, host) : show(options, host);
  return join(
    printed({ kind, handle: shown }, `qdisc ${kind} ${shown}`),
    withDevice ? printed({ dev }, `dev ${dev}`) : printed({}),
    root ? printed({ root: true }, "root") : printed({}),
    above === undefined ? printed({}) : printed({ parent: above }, `parent ${above}`),
    info > 1 ? printed({ refcnt: info }, `refcnt ${info}`) : printed({}),
    printed({ options: said.json }, ...said.text),
  );
}

async function list(words: Words, host: Host): Promise<Result> {
  const filter = readAll([PLACE[0]!], words, {} as { index?: number }, host);
  const all = await host.rtnl.request(requests.list(filter as Qdisc));
  const wanted = all.filter(({ index }) => filter.index === undefined || filter.index === index);
  return listOf(wanted.map((qdisc) => printQdisc(qdisc, host, filter.index === undefined)));
}

const CHANGES = {
  add: "add a queueing discipline",
  replace: "add one, or put it in place of the one that is there",
  change: "change the options of one",
  delete: "delete one, with its classes and filters",
} as const;

async function change(verb: keyof typeof CHANGES, words: Words, host: Host): Promise<Result> {
  const spec = readQdisc(words, host, verb !== "delete");
  await host.rtnl.request(requests[verb === "change" ? "set" : verb](spec));
  return {};
}

/** The commands about queueing disciplines. */
export const QDISC_COMMANDS: readonly Command[] = [
  {
    words: [["qdisc"], LIST],
    operands: "[dev NAME]",
    summary: "the queueing disciplines",
    example: "qdisc list dev eth0",
    options: LOOKING,
    grammar: () => [PLACE[0]!],
    run: (typed) => onHost(typed, (host) => list(new Words(typed.words), host)),
  },
  ...Object.entries(CHANGES).map(([verb, summary]): Command => ({
    words: [["qdisc"], [verb]],
    operands: "dev NAME [root|parent HANDLE] [handle HANDLE] KIND [OPTIONS]",
    summary,
    example: `qdisc ${verb} dev eth0 root handle 1: tbf rate 1mbit burst 10000 latency 50ms`,
    grammar: (words) => {
      const kind = words.find((word) => Object.hasOwn(KINDS, word));
      return [...PLACE, ...kind === undefined ? [] : KINDS[kind]!.words];
    },
    run: (typed) =>
      onHost(typed, (host) => change(verb as keyof typeof CHANGES, new Words(typed.words), host)),
  })),
];
