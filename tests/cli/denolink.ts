/**
 * The command as its tests run it: as a process of its own, or in this one, which is faster.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { main } from "../../cli.ts";
import type { Netns } from "../../mod.ts";
import { type Kernel, runIn } from "../support.ts";

export const CLI = new URL("../../cli.ts", import.meta.url).pathname;

/** What became of a command. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** The arguments of deno that start it; `permissions` in place of all. */
export function invocation(args: string[], permissions: string[] = ["-A"]): string[] {
  const config = Deno.env.get("DENOLINK_CONFIG") ?? "deno.json";
  return ["run", "--no-prompt", "--config", config, ...permissions, CLI, ...args];
}

/** Runs the command as its users do. */
export async function denolink(args: string[], permissions?: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: invocation(args, permissions),
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs it in this process. */
export async function here(...args: string[]): Promise<Outcome> {
  let [stdout, stderr] = ["", ""];
  const code = await main(args, {
    out: (text) => stdout += text,
    err: (text) => stderr += text,
  });
  return { code, stdout, stderr };
}

/** A namespace as a TARGET. */
export function path(netns: Netns): string {
  return `/proc/${Deno.pid}/fd/${netns.fd}`;
}

/** Runs it in the test's namespace, and expects success. */
export async function succeed({ netns }: Kernel, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await here("--netns", path(netns), ...args);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, args.join(" "));
  return stdout;
}

/** What it prints as JSON. */
// deno-lint-ignore no-explicit-any
export async function json(kernel: Kernel, ...args: string[]): Promise<any> {
  return JSON.parse(await succeed(kernel, "--json", ...args));
}

/** What another program prints as JSON in the test's namespace. */
// deno-lint-ignore no-explicit-any
export async function others({ netns }: Kernel, ...command: string[]): Promise<any> {
  return JSON.parse(await runIn(netns, ...command) || "[]");
}

/** The lines of a text, one blank between words: how `ip` pads is its own affair. */
export function lines(text: string): string[] {
  return text.trimEnd().split("\n").map((line) => line.trim().replace(/ +/g, " "));
}
