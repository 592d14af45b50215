/**
 * What runs inside the two containers of the demo: an ordinary Deno server, an ordinary Deno client.
 *
 * @module
 */

const PORT = 7777;

/** Answers one caller in capitals; says who called. */
export async function serve(hostname: string): Promise<string> {
  using listener = Deno.listen({ hostname, port: PORT });
  using connection = await listener.accept();
  const said = await read(connection);
  await connection.write(new TextEncoder().encode(said.toUpperCase()));
  return (connection.remoteAddr as Deno.NetAddr).hostname;
}

/** Says something to the server, and returns its answer. */
export async function call(hostname: string, words: string, port = PORT): Promise<string> {
  using connection = await patiently(() => Deno.connect({ hostname, port }));
  await connection.write(new TextEncoder().encode(words));
  return await read(connection);
}

async function read(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(1024);
  const length = await connection.read(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** The server starts at the same time, so the first attempts may come too early. */
async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 200; left > 0; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  return await attempt();
}
