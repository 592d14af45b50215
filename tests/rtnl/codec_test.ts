import { assert, assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { address, InputError, link, NetlinkError, route } from "../../mod.ts";
import { ADDRESS } from "../../rtnl/address.ts";
import { Buffer, input } from "../../rtnl/codec/buffer.ts";
import { messageCodec, tableCodec, untypedCodec } from "../../rtnl/codec/compile.ts";
import { formatAddress, parseAddress } from "../../rtnl/codec/ip.ts";
import * as scalars from "../../rtnl/codec/scalars.ts";
import { type Codec, ValueError } from "../../rtnl/codec/shape.ts";
import { EXTENDED_ACK, readError } from "../../rtnl/extended_ack.ts";
import { BRIDGE } from "../../rtnl/kinds/bridge.ts";
import { LINK, LINK_INFO } from "../../rtnl/link.ts";
import { ROUTE } from "../../rtnl/route.ts";
import { acknowledgement } from "./fake_kernel.ts";

function encode<T>(codec: Codec<T>, value: T): Uint8Array<ArrayBuffer> {
  const output = new Buffer();
  codec.write(output, value);
  return output.finish();
}

function decode<T>(codec: Codec<T>, bytes: Uint8Array): T | undefined {
  return codec.read(input(bytes), 0, bytes.length);
}

const hex = (bytes: Uint8Array) => bytes.toHex();

Deno.test("what depends on another attribute is read wherever it stands, and once", () => {
  const attribute = (type: number, payload: string) => {
    const length = 4 + payload.length / 2;
    const head = [length & 0xff, length >> 8, type & 0xff, type >> 8];
    return hex(Uint8Array.from(head)) + payload + "00".repeat(-length & 3);
  };
  const kind = attribute(1, "7665746800");
  const [data, again] = [attribute(0x8002, ""), attribute(2, "01")];
  const codec = tableCodec(LINK_INFO);
  const read = (...parts: string[]) => decode(codec, Uint8Array.fromHex(parts.join("")));
  const unknown = [{ type: 2, bytes: Uint8Array.of(1) }];
  assertEquals(read(kind, data), { kind: "veth", data: {} });
  assertEquals(read(data, kind), { kind: "veth", data: {} });
  assertEquals(read(kind, data, again), { kind: "veth", data: {}, unknown });
  assertEquals(read(data, again, kind), { kind: "veth", data: {}, unknown });
  assertEquals(read(data), { unknown: [{ type: 0x8002, bytes: new Uint8Array() }] });
  // The first of a kind is taken, whatever comes behind it.
  assertEquals(read(kind, attribute(1, "7800"))?.kind, "veth");
});

Deno.test("a key may be any text, and what is repeated may depend on another attribute", () => {
  const { u8, text } = scalars;
  const codec = tableCodec({
    class: ["X_CLASS", 1, u8],
    "two words": ["X_TWO", 2, u8],
    'a"b': ["X_QUOTED", 3, { flags: u8, names: { "it's": 1 } }],
    kind: ["X_KIND", 4, text],
    each: ["X_EACH", 5, { repeated: { by: "kind", of: { n: u8, t: text } } }],
  });
  for (const [kind, each] of [["n", [1, 2]], ["t", ["a", "b", "c"]]]) {
    const value = { class: 1, "two words": 2, 'a"b': ["it's"], kind, each };
    assertEquals(decode(codec, encode(codec, value as never)), value as never);
  }
  const error = assertThrows(() => encode(codec, { 'a"b': ["no"] } as never), ValueError);
  assertEquals(error.path, ['a"b']);
});

Deno.test("an object has the keys that were said, and in the table's order, whichever those are", () => {
  const keys = Array.from({ length: 70 }, (_, index) => `key${index}`);
  const codec = tableCodec(
    Object.fromEntries(keys.map((key, index) => [key, ["X", index + 1, scalars.u8]] as const)),
  );
  // More sets than objects are made ready for; each key is in some, and missing in others.
  for (let set = 1; set < 200; set++) {
    const said = keys.filter((_, index) => (set * (index + 1)) % 199 < 90);
    const entries: [string, unknown][] = said.map((key) => [key, set]);
    if (set % 2 === 0) entries.push(["unknown", [OTHER]]);
    const read = decode(codec, encode(codec, Object.fromEntries(entries) as never))!;
    assertEquals<unknown>(Object.entries(read), entries);
    assertEquals(Object.getPrototypeOf(read), Object.prototype);
  }
});

const OTHER = { type: 100, bytes: Uint8Array.of(1) };

Deno.test("each scalar keeps its range, and refuses what is outside", () => {
  const { u8, u16, be16, u32, be32, s32, sbe32, u64, bool, text, mac, ip, bytes, presence } =
    scalars;
  const good: [Codec<never>, unknown, string][] = ([
    [u8, 255, "ff"],
    [u16, 0x1234, "3412"],
    [be16, 0x1234, "1234"],
    [u32, 0x12345678, "78563412"],
    [be32, 0x12345678, "12345678"],
    [s32, -2, "feffffff"],
    [sbe32, -2, "fffffffe"],
    [u64, 0x0102030405060708n, "0807060504030201"],
    [bool, true, "01"],
    [bool, false, "00"],
    [text, "é", "c3a900"],
    [text, "aéb", "61c3a96200"],
    [text, `a${"é".repeat(400)}`, `61${"c3a9".repeat(400)}00`],
    [text, "", "00"],
    [mac, "02:00:5e:00:53:01", "02005e005301"],
    [ip, "10.0.0.1", "0a000001"],
    [ip, "::1", `${"00".repeat(15)}01`],
    [presence, true, ""],
  ] as [Codec<unknown>, unknown, string][]) as [Codec<never>, unknown, string][];
  for (const [codec, value, wire] of good) {
    assertEquals(hex(encode(codec, value as never)), wire);
    assertEquals(decode(codec, Uint8Array.fromHex(wire)), value as never);
  }
  assertEquals(decode(bytes, new Uint8Array([1, 2])), new Uint8Array([1, 2]));
  const bad: [Codec<never>, unknown][] = [
    [u8, 256],
    [u8, -1],
    [u8, 1.5],
    [u8, "1"],
    [u16, 65536],
    [u32, 2 ** 32],
    [s32, 2 ** 31],
    [u64, 1],
    [u64, -1n],
    [bool, 1],
    [text, "a\0b"],
    [text, 7],
    [mac, "02:00" + ":zz"],
    [ip, "10.0.0.256"],
    [ip, "10.0.0.01"],
    [ip, 7],
    [bytes, [1]],
  ] as [Codec<never>, unknown][];
  for (const [codec, value] of bad) assertThrows(() => encode(codec, value as never), ValueError);
});

Deno.test("addresses are read and written as RFC 5952 wants", () => {
  const same = [
    "0.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "1::",
    "2001:db8::1",
    "fe80::1:0:0:1",
    "1:2:3:4:5:6:7:8",
    "::ffff:10.0.0.1",
    "1:0:0:2::3",
    "2001:db8:0:1:1:1:1:1",
  ];
  for (const text of same) assertEquals(formatAddress(parseAddress(text)!), text);
  const other: [string, string][] = [
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["0:0:0:0:0:ffff:a00:1", "::ffff:10.0.0.1"],
    ["2001:db8::0:1", "2001:db8::1"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
  ];
  for (const [text, canonical] of other) {
    assertEquals(formatAddress(parseAddress(text)!), canonical);
  }
  const bad = [
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "g::",
    "::1.2.3",
    "1.2.3.4::",
    "1::2:3:4:5:6:7:8",
    " ::1",
    "::1%eth0",
  ];
  for (const text of bad) assertEquals(parseAddress(text), undefined, text);
});

Deno.test("a veth with its peer in another namespace is the kernel's bytes", () => {
  const { body } = link.add({
    name: "vh0",
    linkInfo: { kind: "veth", data: { peer: { name: "eth0", netnsFd: 5 } } },
  });
  assertEquals(
    hex(body),
    [
      "00".repeat(16), // struct ifinfomsg
      "0800" + "0300" + "76683000", // IFLA_IFNAME "vh0"
      "3c00" + "1280", // IFLA_LINKINFO, nested
      "0900" + "0100" + "7665746800" + "000000", // IFLA_INFO_KIND "veth"
      "2c00" + "0280", // IFLA_INFO_DATA, nested
      "2800" + "0100" + "00".repeat(16), // VETH_INFO_PEER, struct ifinfomsg
      "0900" + "0300" + "6574683000" + "000000", // IFLA_IFNAME "eth0"
      "0800" + "1c00" + "05000000", // IFLA_NET_NS_FD
    ].join(""),
  );
});

Deno.test("what was not said is not sent, and false and 0 are values", () => {
  const codec = tableCodec(BRIDGE);
  assertEquals(encode(codec, {}).length, 0);
  assertEquals(encode(codec, { vlanFiltering: undefined }).length, 0);
  assertEquals(
    hex(encode(codec, { vlanFiltering: false, stpState: 0 })),
    "08000500000000000500070000000000",
  );
});

Deno.test("what no row describes is kept as it came, and goes out again", () => {
  const codec = tableCodec(BRIDGE);
  const wire = "0600e70301020000" + // attribute 999
    "0600050001020000"; // IFLA_BR_STP_STATE of two bytes: not its kind
  const value = decode(codec, Uint8Array.fromHex(wire))!;
  assertEquals(value, {
    unknown: [
      { type: 999, bytes: new Uint8Array([1, 2]) },
      { type: 5, bytes: new Uint8Array([1, 2]) },
    ],
  });
  assertEquals(hex(encode(codec, value)), wire);
});

Deno.test("data of a kind without a row is kept as bytes", () => {
  const codec = tableCodec(LINK_INFO);
  const wire = "080001006f646400" + "0800020001020304"; // kind "odd", data
  const value = decode(codec, Uint8Array.fromHex(wire))!;
  assertEquals(value, { kind: "odd", unknown: [{ type: 2, bytes: new Uint8Array([1, 2, 3, 4]) }] });
  assertEquals(hex(encode(codec, value)), wire);
});

Deno.test("flags have names, and bits without one are kept", () => {
  const codec = messageCodec(LINK);
  const flags = ["up", "lowerUp", "0x80000000"] as const;
  const bytes = encode(codec, { flags });
  assertEquals(decode(codec, bytes)!.flags, flags);
  assertThrows(() => encode(codec, { flags: ["upp" as "up"] }), ValueError, "upp");
  // A set is shared by all links that have it, so nobody may change it.
  assert(Object.isFrozen(decode(codec, bytes)!.flags));
});

Deno.test("a number that its header can't hold stands whole in its attribute", () => {
  const codec = messageCodec(ROUTE);
  for (const table of ["main", 100, 1000, 4294967295] as const) {
    assertEquals(decode(codec, encode(codec, { table }))!.table, table);
  }
  const ADDRESSES = messageCodec(ADDRESS);
  const flags = ["nodad", "noprefixroute"] as const;
  assertEquals(decode(ADDRESSES, encode(ADDRESSES, { flags }))!.flags, flags);
});

Deno.test("structs of other kernels may be shorter or longer", () => {
  const codec = messageCodec(LINK);
  const stats = (words: number) => {
    const attribute = new Uint8Array(16 + 4 + words * 8);
    const view = new DataView(attribute.buffer);
    view.setUint16(16, 4 + words * 8, true);
    view.setUint16(18, 23, true);
    for (let i = 0; i < words; i++) view.setBigUint64(20 + i * 8, BigInt(i + 1), true);
    return decode(codec, attribute)!.stats!;
  };
  assertEquals(Object.keys(stats(23)).length, 23);
  assertEquals([stats(23).txCompressed, stats(23).rxNohandler], [23n, undefined]);
  assertEquals(stats(40).rxOtherhostDropped, 25n);
});

Deno.test("a value that does not fit is refused with its path, before any kernel sees it", () => {
  const error = assertThrows(
    () =>
      link.add({
        name: "vh0",
        linkInfo: { kind: "veth", data: { peer: { mtu: -1 } } },
      }),
    InputError,
  );
  assertEquals(
    error.message,
    "Cannot add link vh0 type veth: linkInfo.data.peer.mtu: expected a whole number from 0 to 4294967295, got -1",
  );
  const odd = { kind: "odd" as "veth", data: {} };
  assertThrows(() => link.add({ linkInfo: odd }), InputError, "linkInfo.data");
  assertThrows(() => link.set({ name: "a", alias: "x".repeat(70000) }), InputError, "alias");
  assertThrows(
    () => link.set({ name: "a", altNames: ["ok", 7 as unknown as string] }),
    InputError,
    "altNames.1",
  );
});

Deno.test("requests say what they ask for, in ip's words", () => {
  assertEquals(
    [
      link.add({ name: "br0", linkInfo: { kind: "bridge" } }),
      link.delete({ group: 7 }),
      address.add({ index: 2, address: "fd00::1" }),
      route.replace({ dst: "10.0.0.0", dstLength: 8, gateway: "10.9.9.9", oif: 3 }),
      route.delete({ gateway: "fd00::1" }),
    ].map(({ operation }) => operation),
    [
      "add link br0 type bridge",
      "delete links of group 7",
      "add address fd00::1/128 on link number 2",
      "replace route 10.0.0.0/8 via 10.9.9.9 on link number 3",
      "delete route default via fd00::1",
    ],
  );
});

Deno.test("an extended ACK's offsets, missing attributes and policies become words", () => {
  const request = link.add({
    name: "vh0",
    linkInfo: { kind: "veth", data: { peer: { name: "eth0", mtu: 9 } } },
  });
  const read = (said: Parameters<typeof attributes>[0]) => {
    const bytes = acknowledgement(1, 22, attributes(said));
    const error = readError(request, input(bytes), 0x300, 16, bytes.length, true);
    assertInstanceOf(error, NetlinkError);
    return error;
  };
  const attributes = (said: Parameters<typeof ack.write>[1]) => encode(ack, said);
  const ack = tableCodec(EXTENDED_ACK);
  // Offsets count from the netlink header: 16 bytes, then struct ifinfomsg.
  const linkInfo = 16 + 16 + 8;
  const peer = linkInfo + 4 + 12 + 4;
  const mtu = peer + 4 + 16 + 12;
  assertEquals(read({ offset: 32 }).attribute, "name");
  assertEquals(read({ offset: linkInfo }).attribute, "linkInfo");
  assertEquals(read({ offset: mtu }).attribute, "linkInfo.data.peer.mtu");
  assertEquals(read({ offset: 9999 }).attribute, undefined);
  assertEquals(read({ missingType: 4 }).missing, "mtu");
  assertEquals(read({ missingType: 1, missingNest: linkInfo }).missing, "linkInfo.kind");
  const { policy, message } = read({
    message: "no",
    offset: mtu,
    policy: { type: 4, minUnsigned: 68n, maxUnsigned: 65535n, minSigned: 0xffffffffffffffffn },
  });
  assertEquals(policy, { type: 4, minSigned: -1n, minUnsigned: 68n, maxUnsigned: 65535n });
  assertMatch(
    message,
    /EINVAL .*: no; at attribute linkInfo\.data\.peer\.mtu; it accepts .*68 to 65535$/,
  );
});

const SAMPLES = [
  link.add({
    name: "vh0",
    flags: ["up"],
    mtu: 1500,
    altNames: ["one", "another"],
    linkInfo: {
      kind: "veth",
      data: { peer: { name: "eth0", netnsFd: 5, address: "02:00:00:00:00:01" } },
    },
  }),
  link.add({
    name: "br0",
    stats: { rxPackets: 1n, txBytes: 7n },
    linkInfo: {
      kind: "bridge",
      data: { stpState: 1, vlanFiltering: false, multicastMembershipInterval: 26000n },
      slaveKind: "bridge",
      slaveData: { hairpin: true, cost: 2 },
    },
  }),
  address.add({
    index: 2,
    address: "fd00::1",
    prefixLength: 64,
    flags: ["nodad", "noprefixroute"],
  }),
  route.add({
    dst: "10.0.0.0",
    dstLength: 8,
    oif: 3,
    table: 1000,
    metrics: { mtu: 1400, hopLimit: 3 },
  }),
];

Deno.test("what was written reads as it was, and is written again to the same bytes", () => {
  for (const { body, shape } of SAMPLES) {
    const codec = untypedCodec(shape);
    const value = decode(codec, body) as object | undefined;
    assert(value !== undefined && !("unknown" in value));
    assertEquals(hex(encode(codec, value)), hex(body));
  }
});
