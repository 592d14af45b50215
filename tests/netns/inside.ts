/** What the tests run inside a namespace. */

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

/** What a program started here sees, and a listener and a connection. */
export async function all(): Promise<Record<string, string>> {
  const { stdout } = await new Deno.Command("readlink", { args: ["/proc/self/ns/net"] }).output();
  await setLinkUp("lo");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 7000 });
  const accepted = listener.accept();
  using _connection = await Deno.connect({ hostname: "127.0.0.1", port: 7000 });
  using connection = await accepted;
  return {
    command: new TextDecoder().decode(stdout).trim(),
    caller: (connection.remoteAddr as Deno.NetAddr).hostname,
    devices: (await Deno.readTextFile("/proc/thread-self/net/dev")).match(/^\s*\w+:/gm)!.join(""),
  };
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
