/**
 * Sockets in a namespace that is pinned.
 *
 * @module
 */

import { SIOCGSKNS } from "../ffi/constants.ts";
import { Descriptor } from "../ffi/descriptor.ts";
import { check } from "../ffi/errors.ts";
import { NetlinkSocket, ROUTE_SOCKET, type SocketArguments } from "../ffi/netlink_socket.ts";
import { ioctl } from "../ffi/system.ts";
import { Connection } from "../rtnl/connection.ts";
import { openThere } from "./visitor.ts";

/** A connection to the rtnetlink of the namespace with this descriptor; the caller closes it. */
export async function connectIn(netns: number): Promise<Connection> {
  const socket = await openSocketIn(netns, ROUTE_SOCKET);
  return new Connection(new NetlinkSocket(socket, openBeside));
}

function openSocketIn(netns: number, socket: SocketArguments): Promise<Descriptor> {
  return openThere("open a socket in the network namespace", netns, { socket });
}

/** A socket in the namespace of another socket, which keeps it alive. */
async function openBeside(other: number, socket: SocketArguments): Promise<Descriptor> {
  using netns = new Descriptor(
    check("find the network namespace of a connection", ioctl(other, SIOCGSKNS)),
  );
  return await openSocketIn(netns.fd, socket);
}
