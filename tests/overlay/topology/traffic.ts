/**
 * What tests run inside namespaces to see who reaches whom.
 *
 * @module
 */

/** Tells everybody who connects by which address it sees him; until it is ended. */
export async function serve(hostname: string, port: number, ready: MessagePort): Promise<void> {
  using listener = Deno.listen({ hostname, port });
  ready.postMessage("listening");
  ready.close();
  for await (const connection of listener) {
    const { hostname } = connection.remoteAddr as Deno.NetAddr;
    await connection.write(new TextEncoder().encode(hostname));
    connection.close();
  }
}

/** The address by which a server sees who calls, or the name of the error. */
export async function call(hostname: string, port: number): Promise<string> {
  try {
    using connection = await Deno.connect({ hostname, port });
    return await new Response(connection.readable).text();
  } catch (error) {
    return (error as Error).name;
  }
}
