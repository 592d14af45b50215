import { fileURLToPath } from "node:url";
import { listAttachments } from "../../mod.ts";
import { addressesOf, ask, makeBridge, makeContainers } from "../network.ts";
import { program, run, temporary } from "../programs.ts";
import { record } from "../record.ts";
import { expect, row, timed } from "../row.ts";
import { atOnce } from "./attach_batched.ts";
import { deno } from "./cli.ts";

const LIST = fileURLToPath(import.meta.resolve("../list.ts"));
/** The kernel picks them by their kind for ip as it does for denolink. */
const LINKS = ["-d", "link", "show", "type", "veth"];

/** Starts a process that writes into a file, so that nobody has to read along. */
const start = (command: readonly string[], output: string) =>
  timed(() => run(["sh", "-c", 'exec "$@" > "$0"', output, ...command]));

/** The lines of list.ts for what `ip` says: it has id and addresses in the alias. */
// deno-lint-ignore no-explicit-any
function linesOf(links: any[]): string[] {
  return links.map(({ ifname, ifalias }) => {
    const [, id, addresses] = / id=(\S+) .* addresses=(\S+)/.exec(ifalias)!;
    return `${id} ${addresses} ${ifname}`;
  });
}

/** Throws unless both are the same in some order; what was attached may lack the links' names. */
function same(what: string, seen: string[], wanted: string[]): void {
  expect(what, seen.length, wanted.length);
  const lines = wanted.toSorted();
  const odd = seen.toSorted().find((line, i) => !line.startsWith(lines[i]!));
  if (odd !== undefined) throw new Error(`${what}: "${odd}" is not what was attached`);
}

export default row({
  work: "list attachments, a new process (ip: veths; floor: the same bytes)",
  unit: "ms",
  sizes: [1000],
  quick: [20],
  targets: [],
  async setUp(size) {
    await makeBridge();
    const names = await makeContainers(size);
    await atOnce(names);
    const wanted = linesOf(await ask(...LINKS));
    same("links", wanted, names.map((name, i) => `${name} ${addressesOf(i).join()} `));
    return { wanted, output: temporary(), file: await record(() => listAttachments()) };
  },
  ways: {
    async denolink({ wanted, output }) {
      const cost = await start([...deno, LIST], output);
      same("attachments", (await Deno.readTextFile(output)).trimEnd().split("\n"), wanted);
      return cost;
    },
    floor: ({ file }) => timed(() => program("floor", undefined, "replay", file)),
    async ip({ wanted, output }) {
      const cost = await start(["ip", "-j", ...LINKS], output);
      same("links", linesOf(JSON.parse(await Deno.readTextFile(output))), wanted);
      return cost;
    },
  },
});
