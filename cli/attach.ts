/**
 * `attach`, `detach`, `list`, `sweep`: containers and their links.
 *
 * @module
 */

import {
  attach,
  type Attachment,
  type BridgeSpec,
  detach,
  listAttachments,
  type PublishedPort,
  type RouteSpec,
  sweep,
  type Swept,
} from "../mod.ts";
import type { Command } from "./command.ts";
import { numberOf, target, where } from "./host.ts";
import { UsageError } from "./errors.ts";
import type { Options, Typed } from "./options.ts";
import { parseRate } from "./units.ts";

const INTERFACE = { value: "NAME", help: "the link's name in the container (eth0)" };
const OWNER = { value: "NAME", help: "whose attachments (denolink)" };

const ATTACH_OPTIONS: Options = {
  address: {
    value: "CIDR|auto",
    many: true,
    required: true,
    help: "an address with its prefix; auto: the bridge's next free ones",
  },
  bridge: { value: "NAME", help: "the bridge to join; without one the host routes" },
  gateway: { value: "IP|auto", many: true, help: "a default route; auto: the bridge's addresses" },
  route: { value: "CIDR[,IP]", many: true, help: "a further route, and its gateway" },
  interface: INTERFACE,
  mac: { value: "MAC", help: "its MAC address" },
  mtu: { value: "BYTES", help: "the largest packet (the bridge's, or 1500)" },
  id: { value: "ID", help: "a name to find it by" },
  owner: OWNER,
  replace: { help: "take the place of what is attached under that name or id" },
  "create-netns": { help: "make the named namespace if there is none" },
  "ip-range": { value: "IP-IP", many: true, help: "the addresses that auto chooses from" },
  exclude: { value: "IP[-IP]", many: true, help: "addresses that auto leaves free" },
  "bridge-address": {
    value: "CIDR",
    many: true,
    help: "the host's address on the bridge, which is then made if there is none",
  },
  adopt: { help: "use a bridge of that name that somebody else made" },
  "vxlan-id": { value: "NUMBER", help: "the network that the bridge shares with other hosts" },
  "vxlan-local": { value: "IP", help: "this host's address for that" },
  "vxlan-remote": { value: "IP", many: true, help: "another host's address" },
  hairpin: { help: "let frames leave by the port they came in by" },
  isolated: { help: "keep it from other isolated containers" },
  "rate-receive": { value: "RATE", help: "what it may receive: 10mbit" },
  "rate-send": { value: "RATE", help: "what it may send" },
  sysctl: { value: "KEY=VALUE", many: true, help: "a kernel setting of the container" },
  masquerade: { help: "give what leaves for other networks an address of the host's" },
  publish: { value: "PORT:PORT[/udp]", many: true, help: "a port of the host that leads to it" },
};

/** The commands about attachments. */
export const ATTACH_COMMANDS: readonly Command[] = [
  {
    words: [["attach"]],
    inFull: true,
    operands: "TARGET",
    count: [1, 1],
    summary: "give a container a link, addresses and default routes",
    example: "attach blue --bridge br0 --address 10.0.0.2/24 --gateway 10.0.0.1",
    options: ATTACH_OPTIONS,
    async run(typed) {
      const attachment = await attach({
        netns: target(typed.words[0]!),
        createNetns: typed.has("create-netns"),
        addresses: typed.all("address"),
        pool: poolOf(typed),
        gateways: typed.all("gateway"),
        bridge: bridgeOf(typed),
        routes: typed.all("route").map(routeOf),
        interface: typed.one("interface"),
        mac: typed.one("mac"),
        mtu: numberOf(typed, "mtu"),
        id: typed.one("id"),
        owner: typed.one("owner"),
        replace: typed.has("replace"),
        hairpin: typed.has("hairpin"),
        isolated: typed.has("isolated"),
        rate: { receive: rateOf(typed, "rate-receive"), send: rateOf(typed, "rate-send") },
        sysctls: Object.fromEntries(typed.all("sysctl").map(settingOf)),
        masquerade: typed.has("masquerade"),
        publish: typed.all("publish").map(portOf),
      }, where(typed));
      return { json: row(attachment), text: line(attachment) };
    },
  },
  {
    words: [["detach"]],
    inFull: true,
    operands: "TARGET|--id ID",
    count: [0, 1],
    summary: "take that away again",
    example: "detach blue",
    options: {
      id: { value: "ID", help: "all that was attached with this id" },
      interface: INTERFACE,
      owner: OWNER,
    },
    async run(typed) {
      const [name] = typed.words;
      const id = typed.one("id");
      if ((name === undefined) === (id === undefined)) {
        throw new UsageError(`"detach" needs a TARGET or --id ID, one of them`);
      }
      if (id !== undefined && typed.one("interface") !== undefined) {
        throw new UsageError(`"detach --id" takes all interfaces; leave --interface out`);
      }
      const detached = await detach(
        id === undefined ? { netns: target(name!), interface: typed.one("interface") } : { id },
        { ...where(typed), owner: typed.one("owner") },
      );
      return { json: { detached }, text: detached ? "detached" : "nothing was attached" };
    },
  },
  {
    words: [["list", "ls"]],
    inFull: true,
    operands: "",
    count: [0, 0],
    summary: "what is attached",
    example: "list --json",
    options: { owner: { ...OWNER, help: "whose attachments (everybody's)" } },
    async run(typed) {
      const attachments = await listAttachments({ ...where(typed), owner: typed.one("owner") });
      return { json: attachments.map(row), text: attachments.map(line).join("\n") };
    },
  },
  {
    words: [["sweep"]],
    inFull: true,
    operands: "",
    count: [0, 0],
    summary: "take away what is left of containers that are gone",
    example: "sweep --dry-run",
    options: { "dry-run": { help: "only say what would be taken away" }, owner: OWNER },
    async run(typed) {
      const dryRun = typed.has("dry-run");
      const swept = await sweep({ ...where(typed), owner: typed.one("owner"), dryRun });
      const say = ({ kind, name }: Swept) =>
        `${dryRun ? "would remove" : "removed"} ${kind} ${name}`;
      return { json: swept, text: swept.map(say).join("\n") };
    },
  },
];

/** A bridge by its name, or with what it shall be like. */
function bridgeOf(typed: Typed): string | BridgeSpec | undefined {
  const name = typed.one("bridge");
  const addresses = typed.all("bridge-address");
  const [id, local] = [numberOf(typed, "vxlan-id"), typed.one("vxlan-local")];
  const adopt = typed.has("adopt");
  const shaped = addresses.length > 0 || adopt || id !== undefined;
  if (name === undefined && shaped) {
    throw new UsageError("--bridge-address, --adopt and --vxlan-id need --bridge NAME");
  }
  if ((id === undefined) !== (local === undefined)) {
    throw new UsageError("--vxlan-id and --vxlan-local go together");
  }
  if (name === undefined || !shaped) return name;
  const remotes = typed.all("vxlan-remote");
  const vxlan = id === undefined ? undefined : { id, local: local!, remotes };
  return { name, addresses, adopt, vxlan };
}

function poolOf(typed: Typed) {
  const [ranges, exclude] = [typed.all("ip-range"), typed.all("exclude")];
  return ranges.length + exclude.length === 0 ? undefined : { ranges, exclude };
}

function routeOf(text: string): RouteSpec {
  const [destination = "", gateway] = text.split(",");
  return { destination, gateway };
}

function settingOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 0) throw new UsageError(`--sysctl is KEY=VALUE, got ${JSON.stringify(text)}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `8080:80`, `53:53/udp`. */
function portOf(text: string): PublishedPort {
  const [, hostPort, port, protocol = "tcp"] = /^(\d+):(\d+)(?:\/(tcp|udp))?$/.exec(text) ?? [];
  if (hostPort === undefined || protocol !== "tcp" && protocol !== "udp") {
    throw new UsageError(`--publish is PORT:PORT or PORT:PORT/udp, got ${JSON.stringify(text)}`);
  }
  return { protocol, hostPort: Number(hostPort), port: Number(port) };
}

function rateOf(typed: Typed, option: string): number | undefined {
  const text = typed.one(option);
  if (text === undefined) return undefined;
  const bits = parseRate(text);
  if (bits === undefined) {
    throw new UsageError(`--${option} is a rate such as 10mbit, got ${JSON.stringify(text)}`);
  }
  return bits;
}

function row({ id, netns, interface: name, bridge, ...rest }: Attachment) {
  const { hostInterface, addresses, gateways, mtu, owner, masquerade, publish } = rest;
  return {
    id: id ?? null,
    netns: Number(netns),
    interface: name,
    hostInterface,
    bridge: bridge ?? null,
    addresses,
    gateways,
    mtu,
    owner,
    masquerade,
    publish,
  };
}

function line({ id, netns, interface: name, bridge, ...rest }: Attachment): string {
  const { hostInterface, addresses, gateways, mtu } = rest;
  return [
    id ?? `netns ${netns}`,
    name,
    addresses.join(" "),
    ...(gateways.length > 0 ? [`via ${gateways.join(" ")}`] : []),
    bridge === undefined ? `routed by ${hostInterface}` : `on ${bridge} by ${hostInterface}`,
    `mtu ${mtu}`,
    ...rest.publish.map((it) => `${it.hostPort}:${it.port}/${it.protocol}`),
  ].join("  ");
}
