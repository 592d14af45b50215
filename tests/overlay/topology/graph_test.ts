/** Pictures of topologies: what is where, what is said, and that no name spoils a document. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { channelOf, type Contact } from "../../../overlay/topology/graph/channels.ts";
import {
  connected,
  type Drawing,
  type Line,
  type Point,
  type Shape,
  type Text,
} from "../../../overlay/topology/graph/drawing.ts";
import type { Side } from "../../../overlay/topology/graph/layers.ts";
import { layout } from "../../../overlay/topology/graph/layout.ts";
import { drawMermaid, drawSvg } from "../../../overlay/topology/graph/mod.ts";
import { type Box, type Picture, pictureOf } from "../../../overlay/topology/graph/picture.ts";
import { sizeOf, widthOf } from "../../../overlay/topology/graph/text.ts";
import type {
  ContainerSpec,
  HostSpec,
  LinkEntry,
  NamespaceSpec,
  Topology,
} from "../../../overlay/topology/types.ts";

type Parts = Omit<Topology, "denolink" | "name">;

const topology = (parts: Parts): Topology => ({ denolink: 1, name: "lab", ...parts });
const range = <T>(count: number, item: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => item(i));
const named = <T>(entries: readonly (readonly [string, T])[]) => Object.fromEntries(entries);

/** Sites with a network of their own, around one in the middle. */
const wan = (sites: number): Parts => ({
  namespaces: {
    core: {
      sysctls: { "net.ipv4.ip_forward": 1 },
      links: named(
        range(sites, (i) => [`s${i}`, { rate: 1e7, delay: "20ms", jitter: 2, loss: 0.5 }]),
      ),
    },
    ...named(range(sites, (i) => [`site${i}`, {
      links: { wan: { peer: `core:s${i}`, address: `10.255.${i}.2/30`, delay: 10 } },
      bridges: { lan: `10.${i}.0.1/24` },
      routes: [{ to: "default", via: `10.255.${i}.1` }],
      containers: named(range(1 + i % 3, (k) => [`pc${i}-${k}`, { bridge: "lan" }])),
    }])),
  },
});

const SAMPLES: Readonly<Record<string, Parts>> = {
  pair: {
    bridges: { br0: "10.0.0.1/24" },
    containers: {
      alice: { bridge: "br0", address: "10.0.0.2/24", publish: ["8080:80", "53:5353/udp"] },
      bob: { bridge: "br0", addresses: ["auto"], rate: { receive: "10mbit", send: 1500 } },
    },
  },
  tiers: {
    bridges: { dmz: { ports: ["r-dmz"] }, app: {}, db: ["10.3.0.1/24", "fd00::1/64"] },
    links: { "r-app": { master: "app", rate: "1gbit" } },
    containers: {
      web1: { bridge: "dmz" },
      web2: { bridge: "dmz", masquerade: true },
      api: {
        interfaces: {
          eth0: { bridge: "app" },
          eth1: { bridge: "db", publish: [{ hostPort: 1, port: 2 }] },
        },
      },
      db: { bridge: "db", netns: { pid: 4242 } },
      away: { addresses: ["10.7.0.2/32"], netns: { path: "/proc/1/ns/net" } },
    },
    namespaces: {
      internet: { links: { eth0: { peer: "router:wan", address: "198.51.100.1/24" } } },
      router: {
        netns: { name: "blue" },
        links: { wan: {}, dmz: { peer: "host:r-dmz" }, app: { peer: "host:r-app" } },
        firewall: { forward: { policy: "drop" } },
        nat: {
          masquerade: [{ out: "wan" }],
          dnat: [{ in: "wan", port: 80, target: "10.1.0.2:80" }],
        },
        routes: range(4, (i) => ({ to: `10.${i}.0.0/16`, dev: "dmz" })),
      },
    },
  },
  vxlan: {
    bridges: { under: {} },
    links: named(range(3, (i) => [`n${i}`, { master: "under" }])),
    namespaces: named(range(3, (i) => [`node${i}`, {
      links: { eth0: { peer: `host:n${i}`, address: `192.0.2.${i}/24` } },
      bridges: {
        br0: {
          stp: true,
          vxlan: {
            id: 42,
            local: `192.0.2.${i}`,
            remotes: range(4, (k) => `192.0.2.${k}`).filter((_, k) => k !== i),
          },
        },
      },
      containers: named(range(2, (k) => [`c${i}${k}`, { bridge: "br0" }])),
    }])),
  },
  hundred: {
    bridges: { br0: "10.0.0.1/16" },
    containers: named(range(100, (i) => [`c${i}`, { bridge: "br0", address: `10.0.1.${i}/16` }])),
  },
  wan: wan(5),
  sites: wan(16),
  mesh: {
    namespaces: named(range(6, (i) => [`r${i}`, {
      links: named(
        range(6, (k) => [`r${k}`, i < k ? { peer: `r${k}:r${i}` } : {}] as const)
          .filter((_, k) => k !== i),
      ),
    }])),
  },
  kinds: {
    links: {
      bond0: { kind: "bond", data: { mode: "802.3ad" } },
      eth2: { master: "bond0" },
      eth3: { master: "bond0", up: false },
      "bond0.10": {
        kind: "vlan",
        link: "bond0",
        data: { id: 10 },
        vlans: [{ id: 10 }, { id: 20 }],
      },
      "bond0.20": { kind: "vlan", link: "bond0", data: { id: 20 }, master: "br20" },
      dummy0: { kind: "dummy", address: "10.9.9.9/32", qdisc: { kind: "fq_codel" } },
      loop0: { peer: "loop1" },
      loop1: { master: "red" },
      red: { kind: "vrf", data: { table: 10 } },
    },
    bridges: { br20: { vlanFiltering: true } },
    namespaces: named(range(3, (i) => [`mac${i}`, {
      links: { eth0: { kind: "macvlan", link: i < 2 ? "host:eth0" : "host:eth1" } },
    }])),
  },
  switches: {
    namespaces: {
      sw1: { bridges: { br0: { ports: ["p1", "p2", "up"] } }, links: { up: { peer: "sw2:up" } } },
      sw2: { bridges: { br0: { ports: ["p1", "p2", "up"] } } },
      ...named(range(4, (i) => [`h${i}`, {
        links: { eth0: { peer: `sw${i % 2 + 1}:p${i < 2 ? 1 : 2}` } },
      }])),
    },
  },
  nested: {
    containers: {
      outer: {
        bridge: "br0",
        bridges: { br0: {} },
        containers: { inner: { bridge: "br0", links: { eth1: { peer: "far:eth0" } } } },
      },
    },
    namespaces: { far: { links: { eth0: {} } }, empty: {} },
  },
};

Deno.test("nothing overlaps, no text is cut, and each line ends at its links", () => {
  for (const [name, parts] of Object.entries(SAMPLES)) {
    try {
      checkDrawing(topology(parts));
    } catch (error) {
      throw new Error(name, { cause: error });
    }
  }
});

/** The promises of a drawing. */
function checkDrawing(topology: Topology): void {
  const picture = pictureOf(topology);
  const drawing = layout(picture);
  const shapes = drawing.shapes.filter(({ kind }) => kind !== "badge");
  checkShapes(picture, drawing, shapes);
  checkTexts(drawing, shapes);
  checkLines(picture, drawing, shapes);
}

const edgesOf = ({ x, y, width, height }: Shape) => ({
  left: x,
  top: y,
  right: x + width,
  bottom: y + height,
});

type Edges = ReturnType<typeof edgesOf>;

const isApart = (a: Edges, b: Edges) =>
  a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
const isInside = (a: Edges, b: Edges) =>
  a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;

const boxesIn = (boxes: readonly Box[]): Box[] =>
  boxes.flatMap((box) => [box, ...boxesIn(box.boxes)]);

/** Shapes are apart, or one is in the other as it is in the topology. */
function checkShapes(picture: Picture, { width, height }: Drawing, shapes: readonly Shape[]): void {
  const boxes = new Map(boxesIn(picture.boxes).map((box) => [box.name, box]));
  const sheet = { left: 0, top: 0, right: width, bottom: height };
  const contents = ({ kind, id }: Shape): (string | undefined)[] => {
    const box = boxes.get(id!);
    if (!["host", "namespace", "container"].includes(kind) || box === undefined) return [];
    return boxesIn([box]).flatMap(({ name, parts }) => [
      ...name === id ? [] : [name],
      ...parts.map((part) => part.id),
    ]);
  };
  for (const [i, a] of shapes.entries()) {
    assert(isInside(edgesOf(a), sheet), `${a.id} is outside`);
    for (const b of shapes.slice(i + 1)) {
      const [one, two] = [edgesOf(a), edgesOf(b)];
      const isHeld = contents(a).includes(b.id);
      assert(isHeld ? isInside(two, one) : isApart(one, two), `${a.id} and ${b.id} overlap`);
    }
  }
  for (const box of boxes.values()) assert(shapes.some(({ id }) => id === box.name), box.name);
}

function textEdges({ text, style, anchor, x, y }: Text): Edges {
  const width = widthOf(text, style);
  const left = anchor === "start" ? x : x - width / 2;
  return {
    left,
    right: left + width,
    top: y - sizeOf(style) * 0.8,
    bottom: y + sizeOf(style) * 0.2,
  };
}

/** A text is whole in one shape, in nothing that is in that, and on no other text. */
function checkTexts({ texts }: Drawing, shapes: readonly Shape[]): void {
  const all = texts.map((text) => ({ text: text.text, edges: textEdges(text) }));
  for (const [i, { text, edges }] of all.entries()) {
    assert(shapes.some((shape) => isInside(edges, edgesOf(shape))), `${text} is cut`);
    for (const shape of shapes) {
      const own = edgesOf(shape);
      assert(isInside(edges, own) || isApart(edges, own), `${text} is on ${shape.id}'s edge`);
    }
    for (const other of all.slice(i + 1)) {
      assert(isApart(edges, other.edges), `${text} is on ${other.text}`);
    }
  }
}

/** Lines of a net are all connected with what the net joins, and touch nothing else. */
function checkLines(
  picture: Picture,
  { lines, texts, ends }: Drawing,
  shapes: readonly Shape[],
): void {
  const frames = new Map(
    boxesIn(picture.boxes).flatMap((box) =>
      boxesIn([box]).flatMap(({ parts }) => parts.map(({ id }) => [id, box.name] as const))
    ).map(([id, name]) => [`${name}\n${id}`, true]),
  );
  const shapeOf = (part: string) =>
    shapes.find(({ id }) => id === part) ??
      shapes.find(({ id }) => id === part.slice(0, part.lastIndexOf(":")))!;
  const segments = lines.flatMap(({ net, points }) =>
    points.slice(1).map((point, i) => ({ net, edges: segmentEdges(points[i]!, point) }))
  );
  for (const { id, owner, members } of picture.nets) {
    const parts = [owner, ...members];
    const own = segments.filter(({ net }) => net === id).map(({ edges }) => edges);
    for (const edges of own) {
      assert(edges.left === edges.right || edges.top === edges.bottom, `${id} is not straight`);
      for (const shape of shapes) {
        if (isApart(edges, edgesOf(shape))) continue;
        const isFrame = parts.some((part) => frames.has(`${shape.id}\n${part}`)) &&
          shapes.some((other) => other !== shape && isInside(edgesOf(other), edgesOf(shape)));
        assert(isFrame, `${id} crosses ${shape.id}`);
      }
      for (const text of texts) {
        assert(isApart(edges, textEdges(text)), `${id} crosses ${text.text}`);
      }
    }
    for (const part of parts) {
      const shape = edgesOf(shapeOf(part));
      assert(own.some((edges) => touches(edges, shape)), `${id} does not reach ${part}`);
    }
    // From the first line on, over others and what they end at, all are reached.
    const pieces = [...own, ...parts.map((part) => edgesOf(shapeOf(part)))];
    const reached = new Set([pieces[0]!]);
    for (const piece of reached) {
      for (const other of pieces) if (touches(piece, other)) reached.add(other);
    }
    assertEquals(reached.size, new Set(pieces).size, `${id} is in pieces`);
    const marked = ends.filter(({ net }) => net === id).map(({ part }) => part.id);
    for (const part of members.filter((it) => shapeOf(it).kind === "link")) {
      assert(marked.includes(part), `${part} has no end`);
    }
  }
  checkApart(segments);
}

/** No line runs along one of another net. */
function checkApart(segments: readonly { net: string; edges: Edges }[]): void {
  for (const [i, one] of segments.entries()) {
    for (const two of segments.slice(i + 1)) {
      const isApart = one.net === two.net || !runsAlong(one.edges, two.edges);
      assert(isApart, `${one.net} is on ${two.net}`);
    }
  }
}

const segmentEdges = ([a, b]: Point, [c, d]: Point): Edges => ({
  left: Math.min(a, c),
  top: Math.min(b, d),
  right: Math.max(a, c),
  bottom: Math.max(b, d),
});

const touches = (a: Edges, b: Edges) =>
  a.left <= b.right && b.left <= a.right && a.top <= b.bottom && b.top <= a.bottom;

/** Whether two lines have more in common than a point. */
function runsAlong(a: Edges, b: Edges): boolean {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width >= 0 && height >= 0 && width + height > 0;
}

Deno.test("texts have room in any font, and lines are joined where they go on", () => {
  // In DejaVu, which is wide: thousandths of the size.
  const widths = [
    [602 * 11, "10.0.0.2/24", "address", 11],
    [995 + 3 * 1042, "Mmmm", "name", 13],
    [837 + 774 + 682, "NAT", "badge", 10],
  ] as const;
  for (const [width, text, style, size] of widths) {
    assert(widthOf(text, style) >= width * size / 1000, text);
    assert(widthOf(text, style) <= width * size / 800, text);
  }
  const line = (...points: Point[]): Line => ({ net: "a", kind: "veth", points });
  const joined = (...lines: Line[]) => connected(lines).map(({ points }) => points);
  assertEquals(
    joined(line([0, 0], [0, 5]), line([9, 5], [0, 5]), line([0, 0], [0, -5])),
    [[[0, -5], [0, 5], [9, 5]]],
  );
  const back = [line([0, 0], [0, 5]), line([0, 5], [0, 2])];
  assertEquals(connected(back), back);
  const fork = [line([0, 0], [0, 5]), line([0, 5], [5, 5]), line([0, 5], [-5, 5])];
  assertEquals(connected(fork), fork);
});

Deno.test("between two layers no line runs along another", () => {
  const places = fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 8 });
  fc.assert(fc.property(places, places, (above, below) => {
    const count = Math.min(above.length, below.length);
    const contact = (net: string, side: Side, x: number): Contact => {
      const end = { net, side, at: 0, lo: 0, hi: 0, part: undefined };
      return { net, side, end, knot: { item: undefined, net, row: 1, x: 24 * x, width: 0 } };
    };
    const wires = range(count, (i) => {
      const [top, bottom] = [
        contact(`${i}`, "bottom", above[i]!),
        contact(`${i}`, "top", below[i]!),
      ];
      return { net: `${i}`, contacts: [top, bottom] };
    });
    const { straight, tracked, tracks } = channelOf(wires);
    assertEquals(straight.length + tracked.length, count);
    const segments = [
      ...straight.map(({ net, contacts: [it] }) => {
        const x = it!.knot.x + it!.end.at;
        return { net, edges: segmentEdges([x, -1], [x, tracks]) };
      }),
      ...tracked.flatMap(({ net, ends: [from, to], track }) => {
        const points: Point[] = [[from!.x, -1], [from!.x, track], [to!.x, track], [to!.x, tracks]];
        return range(3, (i) => ({ net, edges: segmentEdges(points[i]!, points[i + 1]!) }));
      }),
    ];
    checkApart(segments);
  }));
});

const NAME = fc.oneof(
  fc.constantFrom("<&\"'>", "a]b", "end", "名前", "\0", "x".repeat(70)),
  fc.string(),
);
const LINK = fc.constantFrom("eth0", "eth1", "br0", "veth0", "bond0", "a-long-name.100");
const ADDRESS = fc.constantFrom("10.0.0.1/24", "2001:db8:1234:5678:9abc:def0:1234:5678/64");

/** Whole topologies, most of them senseless. */
const TOPOLOGY: fc.Arbitrary<Topology> = fc.uniqueArray(
  NAME.filter((name) => name !== "" && name !== "host"),
  {
    minLength: 1,
    maxLength: 12,
  },
).chain((names) => {
  const end = fc.tuple(fc.constantFrom("host", ...names), LINK).map((pair) => pair.join(":"));
  const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined, freq: 2 });
  const link: fc.Arbitrary<LinkEntry> = fc.record({
    kind: maybe(fc.constantFrom("vlan", "bond", "bridge", "dummy", "veth")),
    peer: maybe(end),
    link: maybe(end),
    master: maybe(LINK),
    address: maybe(ADDRESS),
    rate: maybe(fc.integer({ min: 8000 })),
    up: maybe(fc.boolean()),
  });
  const vxlan = fc.record({
    id: fc.constantFrom(1, 2),
    local: fc.constantFrom("192.0.2.1", "192.0.2.2"),
    remotes: fc.subarray(["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
  });
  const attachment = fc.record({ bridge: maybe(LINK), address: maybe(ADDRESS) });
  const netns = fc.record({
    links: fc.dictionary(LINK, link, { maxKeys: 4 }),
    bridges: fc.dictionary(LINK, fc.oneof(ADDRESS, fc.record({ vxlan: maybe(vxlan) })), {
      maxKeys: 2,
    }),
    interfaces: maybe(fc.dictionary(LINK, attachment, { minKeys: 1, maxKeys: 3 })),
    bridge: maybe(LINK),
    routes: fc.constantFrom([], [{ to: "default", via: "10.0.0.1" }]),
    /** Which of the namespaces before it it stands in; none of them is at the top. */
    around: fc.nat({ max: names.length }),
  });
  return fc.tuple(netns, fc.tuple(...names.map(() => netns))).map(([host, list]) => {
    type Built = HostSpec & { containers: Record<string, ContainerSpec> };
    const specs = list.map((it): Built => ({ ...it, containers: {} }));
    const { links, bridges, routes } = host;
    const all: Built = { links, bridges, routes, containers: {} };
    const namespaces: Record<string, NamespaceSpec> = {};
    for (const [i, { around }] of list.entries()) {
      const target = around === i
        ? all.containers
        : around > i
        ? namespaces
        : specs[around]!.containers;
      Object.defineProperty(target, names[i]!, { value: specs[i], enumerable: true });
    }
    return topology({ ...all, namespaces });
  });
});

Deno.test("so it is for any topology, and any name is legal", () => {
  const property = fc.property(TOPOLOGY, (topology) => {
    checkDrawing(topology);
    assertEquals(textsOf(drawSvg(topology), "title"), ["lab"]);
    for (const line of drawMermaid(topology).split("\n")) assertMatch(line, MERMAID_LINE);
  });
  fc.assert(property, { numRuns: 60 });
});

/** Each line that a flowchart may have here; in a label nothing that Mermaid could take for something else. */
const MERMAID_LINE = (() => {
  const label = String.raw`"(?:<br\/>|#\d+;|(?![.+-] )[\p{L}\p{N} .:\/@±·→↓↑,+-])*"`;
  const node = String.raw`n\d+(?:\[${label}\]|\(\[${label}\]\)|\{\{${label}\}\})(?::::\w+)?`;
  const edge = String.raw`n\d+ (?:---|-\.-) n\d+`;
  const other = String
    .raw`end|flowchart TB|accTitle: lab|classDef [\w:,# -]+|subgraph n\d+\[${label}\]`;
  return new RegExp(String.raw`^ *(?:${node}|${edge}|${other})?$`, "u");
})();

Deno.test("a document says what it shows, and in what state", () => {
  const states = new Map(
    [
      ["alice:eth0", "up"],
      ["bob:eth0", "no carrier"],
      ["host:br0", "down"],
    ] as const,
  );
  const pair = topology(SAMPLES.pair!);
  const svg = drawSvg(pair, { states });
  assertEquals(drawSvg(structuredClone(pair), { states }), svg);
  assertEquals(textsOf(svg, "desc"), ["1 namespace, 2 containers, 1 bridge"]);
  assertEquals(textsOf(svg, "text"), [
    ...["host", "br0", "10.0.0.1/24", "down"],
    ...["alice", "eth0", "10.0.0.2/24", "8080 → 80", "53 → 5353/udp"],
    ...["bob", "eth0", "auto", "↓ 10mbit", "↑ 1.5kbit"],
    // What the dots mean.
    ...["up", "no carrier"],
  ]);
  const elements = parseXml(svg);
  const dots = elements.filter(({ name }) => name === "circle");
  assertEquals(dots.map((it) => it.attributes.class), [
    ...["end up", "end no-carrier"],
    ...["end up", "end no-carrier"],
  ]);
  const [style] = elements.filter(({ name }) => name === "style");
  assertMatch(style!.text, /@media \(prefers-color-scheme:dark\)/);
  assert(!/NaN|undefined|Infinity|href|url\(|@import/.test(svg));
  // Without states there are none.
  assertEquals(textsOf(drawSvg(pair), "text").includes("no carrier"), false);
});

Deno.test("a picture leaves nothing out", () => {
  const shown = (parts: Parts) => textsOf(drawSvg(topology(parts)), "text");
  const missing = (parts: Parts, ...texts: string[]) => {
    const all = shown(parts);
    return texts.filter((text) => !all.includes(text));
  };
  const containers = Object.keys(SAMPLES.hundred!.containers!);
  assertEquals(shown(SAMPLES.hundred!).filter((text) => containers.includes(text)), containers);
  assertEquals(
    missing(
      SAMPLES.tiers!,
      ...["pid 4242", "netns blue", "/proc/1/ns/net", "firewall", "NAT", "4 routes", "routed"],
      // A bridge's port is the other end of a pair, which says what it does.
      ...["80 → 10.1.0.2:80", "dmz@r-dmz", "app@r-app", "1gbit", "1 → 2"],
    ),
    [],
  );
  assertEquals(
    missing(
      SAMPLES.kinds!,
      ...[
        "bond 802.3ad",
        "vlan 10",
        "vlan 10, 20",
        "vrf 10",
        "dummy",
        "fq_codel",
        "vlan filtering",
      ],
      ...["macvlan", "eth0", "eth1", "down", "on top of"],
    ),
    [],
  );
  assertEquals(
    missing(SAMPLES.wan!, "forwards", "10mbit", "20ms ±2ms", "loss 0.5%", "default via 10.255.3.1"),
    [],
  );
  // Bridges that name each other are one network; what leads to other hosts is said at each.
  const { nets, vxlans } = pictureOf(topology(SAMPLES.vxlan!));
  assertEquals(vxlans.map(({ name }) => name), ["vxlan 42"]);
  assertEquals(nets.find(({ kind }) => kind === "vxlan")?.members, [
    ...["node0:br0", "node1:br0", "node2:br0"],
  ]);
  assertEquals(shown(SAMPLES.vxlan!).filter((text) => text === "vxlan 42").length, 4);
  // A pair is one, whichever of its ends says so.
  const pairs = (a: LinkEntry, b: LinkEntry) => {
    const namespaces = { a: { links: { eth0: a } }, b: { links: { eth0: b } } };
    return pictureOf(topology({ namespaces })).nets.length;
  };
  assertEquals([pairs({ peer: "b:eth0" }, {}), pairs({ peer: "b:eth0" }, { peer: "a:eth0" })], [
    1,
    1,
  ]);
});

Deno.test("names are what they are, in SVG and in Mermaid", () => {
  const names = [
    "<&\"'>",
    "&lt;",
    "]]>",
    "<!--",
    "1. a",
    "- b",
    "a]b[c",
    "#quot;",
    "`c`",
    "$$d$$",
    "end",
  ];
  const parts = {
    bridges: { br0: {} },
    containers: named([...names, "\0\n\ud800"].map((name) => [name, { bridge: "br0" }] as const)),
  };
  const texts = textsOf(drawSvg(topology(parts)), "text");
  assertEquals([...names, "\ufffd\ufffd\ufffd"].filter((name) => !texts.includes(name)), []);
  const chart = drawMermaid(topology(parts));
  for (const line of chart.split("\n")) assertMatch(line, MERMAID_LINE);
  const labels = [...chart.matchAll(/\["([^"]*)<br\/>eth0<br\/>auto"\]/g)].map(([, label]) =>
    label!.replace(/#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
  );
  assertEquals(labels, [
    ...names.map((name) => name.replace("$$", "$\u2060$").replace(/\$\$$/, "$\u2060$")),
    "\ufffd\ufffd\ufffd",
  ]);
  const states = new Map([["b:eth0", "down"]] as const);
  const namespaces = {
    a: {
      links: { eth0: { peer: "b:eth0" }, eth1: { kind: "vlan", link: "eth0", data: { id: 7 } } },
    },
    b: { netns: { pid: 1 }, links: { eth0: { address: "10.0.0.2/24", rate: "1mbit" } } },
  };
  assertEquals(
    drawMermaid(topology({ namespaces }), { states }),
    `flowchart TB
  accTitle: lab
  subgraph n0["a"]
    n1["eth0"]
    n2["eth1 vlan 7"]
  end
  n3["b, pid 1<br/>eth0<br/>10.0.0.2/24<br/>1mbit"]:::down
  n1 --- n3
  n1 -.- n2
  classDef down stroke:#cf222e,stroke-width:2px
`,
  );
});

const textsOf = (svg: string, element: string) =>
  parseXml(svg).filter(({ name }) => name === element).map(({ text }) => text);

interface Element {
  name: string;
  attributes: Record<string, string | undefined>;
  text: string;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
};

/** What a text of a document stands for; throws for what may not be in one. */
function readXml(text: string): string {
  // deno-lint-ignore no-control-regex
  assert(text.isWellFormed() && !/[\x00-\x09\x0b-\x1f\ufffe\uffff]/.test(text), text);
  return text.replace(/&[^;]*;?/g, (entity) => {
    assert(ENTITIES[entity] !== undefined, `${entity} is no entity`);
    return ENTITIES[entity];
  });
}

/** The elements of a document that is no more than elements and texts; throws where it is not well-formed. */
function parseXml(document: string): Element[] {
  const all: Element[] = [];
  const open: Element[] = [{ name: "document", attributes: {}, text: "" }];
  for (const [token] of document.matchAll(/<[^>]*>|[^<]+/g)) {
    if (!token.startsWith("<")) {
      open.at(-1)!.text += readXml(token);
      continue;
    }
    const [, close, name = "", list = "", empty] =
      /^<(\/?)(\w+)((?: [\w:-]+="[^"<]*")*)(\/?)>$/.exec(token) ?? [];
    assert(name !== "", `${token} is no tag`);
    if (close) {
      assertEquals(open.pop()!.name, name);
      continue;
    }
    const pairs = [...list.matchAll(/([\w:-]+)="([^"]*)"/g)]
      .map(([, key, value]) => [key!, readXml(value!)] as const);
    assertEquals(new Set(pairs.map(([key]) => key)).size, pairs.length, `${token} says one twice`);
    const element = { name, attributes: named(pairs), text: "" };
    all.push(element);
    if (!empty) open.push(element);
  }
  assertEquals(open.map(({ name, text }) => [name, text.trim()]), [["document", ""]]);
  assertEquals(all.filter(({ name }) => name === "svg").length, 1);
  return all;
}
