import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../mod.ts";
import { parseCidr } from "../../overlay/input.ts";
import { type AddressPool, nextFree, readPool } from "../../overlay/pool.ts";

/** Takes one address after the other until none is left, or so many. */
function takeAll(
  subnet: string,
  pool: AddressPool = {},
  { taken = [], most = 1000 }: { taken?: string[]; most?: number } = {},
): string[] {
  const all = new Set(taken);
  const given: string[] = [];
  while (given.length < most) {
    const next = nextFree(parseCidr(subnet), readPool(pool), all);
    if (next === undefined) break;
    all.add(next);
    given.push(next);
  }
  return given;
}

Deno.test("a subnet gives its hosts in order, without its own and its broadcast address", () => {
  assertEquals(takeAll("10.0.0.1/29"), [
    ...["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"],
  ]);
  assertEquals(takeAll("10.0.0.1/29", {}, { taken: ["10.0.0.1", "10.0.0.4"] }), [
    ...["10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.6"],
  ]);
});

Deno.test("a subnet is the same by whichever of its addresses it is named", () => {
  assertEquals(takeAll("10.0.0.6/29"), takeAll("10.0.0.1/29"));
  assertEquals(takeAll("fd00::7/125"), takeAll("fd00::/125"));
});

Deno.test("a /30 has two hosts, a /31 two (RFC 3021), a /32 one", () => {
  assertEquals(takeAll("192.0.2.5/30"), ["192.0.2.5", "192.0.2.6"]);
  assertEquals(takeAll("192.0.2.5/31"), ["192.0.2.4", "192.0.2.5"]);
  assertEquals(takeAll("192.0.2.5/32"), ["192.0.2.5"]);
  assertEquals(takeAll("192.0.2.5/32", {}, { taken: ["192.0.2.5"] }), []);
});

Deno.test("IPv6 has no broadcast address, and its first is that of the routers (RFC 4291)", () => {
  assertEquals(takeAll("fd00::/126"), ["fd00::1", "fd00::2", "fd00::3"]);
  assertEquals(takeAll("fd00::/127"), ["fd00::", "fd00::1"]);
  assertEquals(takeAll("fd00::9/128"), ["fd00::9"]);
  assertEquals(takeAll("fd00::1/64", {}, { taken: ["fd00::1"], most: 3 }), [
    ...["fd00::2", "fd00::3", "fd00::4"],
  ]);
});

Deno.test("addresses are counted over the borders of their bytes", () => {
  const pool = { ranges: ["10.0.0.254-10.0.1.1"] };
  assertEquals(takeAll("10.0.0.1/16", pool), ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"]);
  assertEquals(takeAll("fd00::1/64", { ranges: ["fd00::fffe-fd00::1:1"] }), [
    ...["fd00::fffe", "fd00::ffff", "fd00::1:0", "fd00::1:1"],
  ]);
});

Deno.test("the highest subnets end where addresses end", () => {
  assertEquals(takeAll("255.255.255.252/30"), ["255.255.255.253", "255.255.255.254"]);
  assertEquals(takeAll("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127").length, 2);
});

Deno.test("ranges are cut to the subnet, sorted, and of the subnet's family only", () => {
  const ranges = ["10.0.0.6-10.0.0.20", "10.0.0.2", "fd00::5-fd00::6", "10.9.0.0/24"];
  assertEquals(takeAll("10.0.0.1/29", { ranges }), ["10.0.0.2", "10.0.0.6"]);
  assertEquals(takeAll("fd00::1/64", { ranges }), ["fd00::5", "fd00::6"]);
  // A pool that says nothing of a family doesn't limit it.
  assertEquals(takeAll("fd00::1/125", { ranges: ["10.0.0.2"] }).length, 7);
});

Deno.test("a range outside of the subnet gives nothing", () => {
  assertEquals(takeAll("10.0.0.1/24", { ranges: ["10.0.1.10-10.0.1.20"] }), []);
  assertEquals(takeAll("10.0.0.1/24", { ranges: ["9.0.0.0/8", "11.0.0.0/8"] }), []);
  // Neither the network's own nor the broadcast address, though they are in the range.
  assertEquals(takeAll("10.0.0.1/24", { ranges: ["10.0.0.0", "10.0.0.255"] }), []);
});

Deno.test("ranges that overlap give each address once", () => {
  const ranges = ["10.0.0.2-10.0.0.4", "10.0.0.3-10.0.0.5"];
  assertEquals(takeAll("10.0.0.1/24", { ranges }), [
    ...["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"],
  ]);
});

Deno.test("what is excluded is left out: addresses, ranges and subnets, also overlapping ones", () => {
  const exclude = ["10.0.0.2", "10.0.0.4-10.0.0.9", "10.0.0.8/30", "fd00::2"];
  assertEquals(takeAll("10.0.0.1/28", { exclude }), [
    ...["10.0.0.1", "10.0.0.3", "10.0.0.12", "10.0.0.13", "10.0.0.14"],
  ]);
  assertEquals(takeAll("fd00::1/126", { exclude }), ["fd00::1", "fd00::3"]);
  assertEquals(takeAll("10.0.0.1/24", { exclude: ["10.0.0.0/24"] }), []);
});

Deno.test("an exclusion as large as half of IPv6 is stepped over at once", () => {
  const exclude = ["fd00::2-fd00::7fff:ffff:ffff:ffff"];
  assertEquals(takeAll("fd00::1/64", { exclude }, { most: 2 }), [
    ...["fd00::1", "fd00::8000:0:0:0"],
  ]);
});

Deno.test("what is no range is refused, and why", () => {
  for (
    const [text, reason] of [
      ["10.0.0.9-10.0.0.1", /ends before it begins/],
      ["10.0.0.1-fd00::1", /two families/],
      ["10.0.0.1-10.0.0.2-10.0.0.3", /more than one "-"/],
      ["10.0.0.0/33", /0 to 32/],
      ["all", /no IPv4 or IPv6 address/],
      ["", /no IPv4 or IPv6 address/],
    ] as const
  ) {
    assertThrows(() => readPool({ ranges: [text] }), InputError, undefined, text);
    const error = assertThrows(() => readPool({ exclude: [text] }), InputError);
    if (!reason.test(error.message)) throw error;
  }
});
