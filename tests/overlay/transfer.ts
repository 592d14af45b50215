/**
 * What runs inside two containers to measure how fast one may send and the other receive.
 *
 * @module
 */

/** What came, and how long it took. */
export interface Received {
  bytes: number;
  seconds: number;
}

const PORT = 7778;

/** Takes what one sender sends; counted from the first bytes on. */
export async function receive(hostname: string): Promise<Received> {
  using listener = Deno.listen({ hostname, port: PORT });
  using connection = await listener.accept();
  const buffer = new Uint8Array(1 << 16);
  await connection.read(buffer);
  const start = performance.now();
  let bytes = 0;
  let last = start;
  for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
    bytes += n;
    last = performance.now();
  }
  return { bytes, seconds: (last - start) / 1000 };
}

/** Sends as much as it can for some seconds. */
export async function send(hostname: string, seconds: number): Promise<void> {
  using connection = await connect(hostname);
  const buffer = new Uint8Array(1 << 14);
  for (const end = performance.now() + 1000 * seconds; performance.now() < end;) {
    await connection.write(buffer);
  }
}

/** The receiver starts at the same time, so the first attempts may come too early. */
async function connect(hostname: string): Promise<Deno.Conn> {
  for (let left = 200; left > 0; left--) {
    try {
      return await Deno.connect({ hostname, port: PORT });
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  return await Deno.connect({ hostname, port: PORT });
}
