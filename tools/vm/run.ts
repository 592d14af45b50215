/**
 * Runs a command on Debian's kernel, in a virtual machine that sees this machine's files:
 * `deno run -A tools/vm/run.ts COMMAND [ARGUMENT...]`.
 *
 * What the command writes is forgotten, except under `.vm/exchange`. Emulated, so no KVM is needed.
 *
 * @module
 */

import { CACHE, type Image, prepareImage, SCRIPTS } from "./image.ts";
import { fail } from "../exec.ts";

/** The folder that both sides may write to. */
export const EXCHANGE = `${CACHE}/exchange`;

/** Printed before the command runs: what came before is the boot's. */
const STARTED = "denolink-vm-started";
/** Printed behind it: what comes then is the power-off's. */
const ENDED = "denolink-vm-ended";
const LIMIT_MINUTES = 25;
/** What the command should find as it is outside. */
const VARIABLES = ["PATH", "HOME", "NO_COLOR", "DENO_DIR", "DENOLINK_STD", "DENOLINK_CONFIG"];

/** Boots, runs the command, and gives its exit status; the output goes where this process's goes. */
export async function runInVm(command: readonly string[]): Promise<number> {
  const image = await prepareImage();
  await Deno.remove(EXCHANGE, { recursive: true }).catch(() => {});
  await Deno.mkdir(EXCHANGE, { recursive: true });
  const variables = VARIABLES.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [`export ${name}=${quote(value)}`];
  });
  await Deno.writeTextFile(
    `${EXCHANGE}/environment`,
    [...variables, `export VM_KERNEL=${quote(image.root)}`].join("\n"),
  );
  await Deno.writeTextFile(
    `${EXCHANGE}/command`,
    `cd ${quote(Deno.cwd())} && exec ${command.map(quote).join(" ")}`,
  );
  const signal = AbortSignal.timeout(LIMIT_MINUTES * 60_000);
  const machine = new Deno.Command("qemu-system-x86_64", {
    args: parameters(image),
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal,
  }).spawn();
  const boot = await showOutput(machine.stdout);
  await machine.status;
  const status = await Deno.readTextFile(`${EXCHANGE}/status`).catch(() => undefined);
  if (status !== undefined) return Number(status);
  fail(
    signal.aborted
      ? `The virtual machine was stopped after ${LIMIT_MINUTES} minutes`
      : `The virtual machine ended before its command did: ${boot.slice(-2000)}`,
  );
}

/** Shows what comes between the start and the end, and gives what came before. */
async function showOutput(output: ReadableStream<Uint8Array>): Promise<string> {
  let boot = "";
  let state: "booting" | "running" | "ended" = "booting";
  const lines = output.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) {
    if (line === STARTED) state = "running";
    else if (line === ENDED) state = "ended";
    else if (state === "booting") boot += `${line}\n`;
    else if (state === "running") await writeAll(`${line}\n`);
  }
  return boot;
}

/** Cuts text into lines; a serial line ends each as a typewriter does. */
class TextLineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(chunk, controller) {
        const lines = (rest + chunk).replaceAll("\r", "").split("\n");
        rest = lines.pop()!;
        lines.forEach((line) => controller.enqueue(line));
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}

async function writeAll(text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

function parameters({ kernel, initrd }: Image): string[] {
  const words = [
    "console=ttyS0",
    "quiet",
    "panic=-1",
    "mitigations=off",
    // Unknown words with "=" become the environment of init.
    `VM_SCRIPTS=${SCRIPTS}`,
    `VM_EXCHANGE=${EXCHANGE}`,
    `VM_STARTED=${STARTED}`,
    `VM_ENDED=${ENDED}`,
  ];
  return [
    ...["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"],
    ...["-m", "4096", "-smp", "2", "-no-reboot", "-net", "none"],
    ...["-display", "none", "-serial", "stdio", "-monitor", "none"],
    ...["-kernel", kernel, "-initrd", initrd, "-append", words.join(" ")],
    ...["-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
    ...["-virtfs", `local,path=${EXCHANGE},mount_tag=exchange,security_model=none`],
  ];
}

/** As a shell reads it back. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

if (import.meta.main) {
  if (Deno.args.length === 0) fail("Which command shall run in the virtual machine?", 2);
  Deno.exit(await runInVm(Deno.args));
}
