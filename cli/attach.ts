/**
 * `attach`, `detach`, `list`: containers and their links.
 *
 * @module
 */

import { attach, type Attachment, detach, listAttachments } from "../mod.ts";
import type { Command } from "./command.ts";
import { numberOf, target, where } from "./host.ts";
import { UsageError } from "./errors.ts";

const INTERFACE = { value: "NAME", help: "the link's name in the container (eth0)" };

/** The commands about attachments. */
export const ATTACH_COMMANDS: readonly Command[] = [
  {
    words: [["attach"]],
    inFull: true,
    operands: "TARGET",
    count: [1, 1],
    summary: "give a container a link, addresses and default routes",
    example: "attach blue --bridge br0 --address 10.0.0.2/24 --gateway 10.0.0.1",
    options: {
      address: { value: "CIDR", many: true, required: true, help: "an address with its prefix" },
      bridge: { value: "NAME", help: "the bridge to join; without one the host routes" },
      gateway: { value: "IP", many: true, help: "a default route; one for each family" },
      interface: INTERFACE,
      mtu: { value: "BYTES", help: "the largest packet (the bridge's, or 1500)" },
      id: { value: "ID", help: "a name to find it by" },
    },
    async run(typed) {
      const attachment = await attach({
        netns: target(typed.words[0]!),
        addresses: typed.all("address"),
        gateways: typed.all("gateway"),
        bridge: typed.one("bridge"),
        interface: typed.one("interface"),
        mtu: numberOf(typed, "mtu"),
        id: typed.one("id"),
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
        where(typed),
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
    async run(typed) {
      const attachments = await listAttachments(where(typed));
      return { json: attachments.map(row), text: attachments.map(line).join("\n") };
    },
  },
];

function row({ id, netns, interface: name, bridge, ...rest }: Attachment) {
  const { hostInterface, addresses, gateways, mtu } = rest;
  return {
    id: id ?? null,
    netns: Number(netns),
    interface: name,
    hostInterface,
    bridge: bridge ?? null,
    addresses,
    gateways,
    mtu,
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
  ].join("  ");
}
