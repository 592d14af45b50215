/** What the tests run inside a namespace. */

import { createSocket } from "node:dgram";
import { addAddress, createBridge, listLinks, readSysctl, setLinkUp } from "../../mod.ts";

/** The namespaces that many asynchronous reads see, each on whichever thread Deno gives it. */
export async function seen(times: number): Promise<string[]> {
  const reads = Array.from({ length: times }, () => Deno.readLink("/proc/thread-self/ns/net"));
  const own = Deno.readLinkSync("/proc/thread-self/ns/net");
  return [...new Set([own, ...await Promise.all(reads)])];
}

/** The small steps without `netns`: they act where the thread is. */
export async function steps(): Promise<string[]> {
  await createBridge("br0");
  await addAddress("br0", "10.0.0.1/24");
  await setLinkUp("br0");
  await readSysctl("net.ipv4.conf.br0.forwarding");
  return (await listLinks()).map(({ name }) => name!);
}

/** What a program started here sees. */
export async function program(): Promise<string> {
  const { stdout } = await new Deno.Command("readlink", { args: ["/proc/self/ns/net"] }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** Answers connections until it is ended; `ready` is told when it listens. */
export async function serve(hostname: string, port: number, ready: MessagePort): Promise<void> {
  using listener = Deno.listen({ hostname, port });
  ready.postMessage("listening");
  ready.close();
  for await (const connection of listener) {
    await connection.write(new TextEncoder().encode(`${here()} answers`));
    connection.close();
  }
}

/** What a server says. */
export async function call(hostname: string, port: number): Promise<string> {
  using connection = await Deno.connect({ hostname, port });
  return await new Response(connection.readable).text();
}

/** Answers one request of HTTP until it is ended. */
export async function serveHttp(port: number, ready: MessagePort): Promise<void> {
  const server = Deno.serve(
    { port, onListen: () => ready.postMessage("listening") },
    (request) => new Response(`${here()} answers ${new URL(request.url).pathname}`),
  );
  await server.finished;
}

/** What fetch gets. */
export async function get(url: string): Promise<string> {
  const response = await fetch(url);
  return await response.text();
}

/** A name server that knows one address, for every name; over UDP, as resolvers ask first. */
export async function serveNames(address: string, ready: MessagePort): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address: asker }) => {
    // RFC 1035: the header with the answer bit, the question as it was, one record that points to it.
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const header = [query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)];
    socket.send(new Uint8Array([...header, ...question, ...record]), port, asker);
  });
  socket.bind(53, () => ready.postMessage("listening"));
  await new Promise(() => {});
}

/** What a name stands for. */
export async function resolve(name: string): Promise<string[]> {
  return await Deno.resolveDns(name, "A");
}

/** The devices that asynchronous and synchronous reads of /proc and /sys see. */
export async function devices(): Promise<string[]> {
  const table = await Deno.readTextFile("/proc/thread-self/net/dev");
  const names = await Array.fromAsync(Deno.readDir("/sys/class/net"), ({ name }) => name);
  return [...table.match(/^\s*\w+(?=:)/gm)!.map((name) => name.trim()), ...names.sort()];
}

/** The namespace that nonblocking FFI calls see: each opens its thread's own. */
export async function foreign(times: number): Promise<string[]> {
  const library = Deno.dlopen("libc.so.6", {
    readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize", nonblocking: true },
  });
  const path = new TextEncoder().encode("/proc/thread-self/ns/net\0");
  const links = await Promise.all(Array.from({ length: times }, async () => {
    const buffer = new Uint8Array(64);
    const length = await library.symbols.readlink(path, buffer, 64n);
    return new TextDecoder().decode(buffer.subarray(0, Number(length)));
  }));
  library.close();
  return [...new Set(links)];
}

function here(): string {
  return Deno.readLinkSync("/proc/thread-self/ns/net");
}

let calls = 0;

/** How often this was called on the thread, and which thread it is. */
export function count(): [calls: number, thread: string] {
  return [++calls, Deno.readLinkSync("/proc/thread-self")];
}

/** The sum of an array that was handed over; it goes back in the same way. */
export function sum(numbers: Float64Array): number {
  return numbers.reduce((a, b) => a + b, 0);
}

/** Tells the thread it runs on, and goes on for a while. */
export async function busy(milliseconds: number): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return Deno.readLinkSync("/proc/thread-self");
}

export function fail(): never {
  throw Object.assign(new RangeError("no such luck"), { code: "LUCK", errno: 7 });
}

export function uncloneable(): unknown {
  return () => {};
}

/** An error that nothing catches. */
export function crash(): Promise<void> {
  setTimeout(() => {
    throw new Error("out of the blue");
  });
  return new Promise(() => {});
}

export function never(): Promise<void> {
  return new Promise(() => {});
}

export default function add(a: number, b: number): number {
  return a + b;
}
