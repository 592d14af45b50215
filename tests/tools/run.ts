/**
 * What tests of the tools share: they start deno, and are ignored where they may not.
 *
 * @module
 */

/** The project's folder. */
export const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname);

/** How a command ended. */
export interface Ended {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

/** A test that starts programs; ignored, with the reason in its name, where it can't. */
export function runTest(
  name: string,
  fn: () => Promise<void>,
  { userNamespaces = false }: { userNamespaces?: boolean } = {},
): void {
  const reason = whyNot(userNamespaces);
  Deno.test({ name: reason ? `${name} (ignored: ${reason})` : name, ignore: reason !== "", fn });
}

function whyNot(userNamespaces: boolean): string {
  for (const name of ["run", "read", "write"] as const) {
    if (Deno.permissions.querySync({ name }).state !== "granted") return `needs --allow-${name}`;
  }
  if (!userNamespaces) return "";
  const { success } = new Deno.Command("unshare", { args: ["-Urnm", "true"] }).outputSync();
  return success ? "" : "needs user namespaces";
}

/** Runs deno in the project's folder to its end. */
export async function deno(
  args: string[],
  { env = {}, stdin = "" }: { env?: Record<string, string>; stdin?: string } = {},
): Promise<Ended> {
  return await run([Deno.execPath(), ...args], { env, stdin });
}

/** Runs a command in the project's folder to its end. */
export async function run(
  [name = "", ...args]: string[],
  { env = {}, stdin = "" }: { env?: Record<string, string>; stdin?: string } = {},
): Promise<Ended> {
  const child = new Deno.Command(name, {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin));
  await writer.close();
  const { code, signal, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, signal, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
