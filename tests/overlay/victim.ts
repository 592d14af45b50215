/**
 * A process that attaches, detaches and sweeps, applies topologies and destroys them, and kills itself at the
 * point that it is told: before its Nth call to the kernel that asks for something or changes it, which is
 * after the one before was carried out, before its Nth that changes something, or after a step.
 *
 * @module
 */

import {
  apply,
  attach,
  type AttachSpec,
  destroy,
  detach,
  type DetachTarget,
  listAttachments,
  type Netns,
  type NetnsTarget,
  sweep,
  type Topology,
} from "../../mod.ts";
import { watchCalls, watchChanges } from "./changes.ts";

/** When it dies: before a call, before a change, after a step, or, without a point, never. */
export type Point = { call: number } | { change: number } | { step: string } | undefined;

/** What it is told; `rounds` is how often it does all of it. */
export interface Task {
  host: NetnsTarget;
  jobs: Job[];
  point?: Point;
  rounds?: number;
}

/** What it does; a sweep must find nothing, and a list prints one JSON line. */
export type Job =
  | { list: true }
  | { attach: AttachSpec }
  | { detach: DetachTarget; owner?: string }
  | { apply: Topology }
  | { destroy: string }
  | { sweep: true };

/** How it ended. */
export interface End {
  killed: boolean;
  /** What it printed: "ready" before it begins, "done" and how much it has changed after the last round. */
  said: string;
}

/** Starts one. */
export function startVictim(task: Task): Deno.ChildProcess {
  const config = Deno.env.get("DENOLINK_CONFIG") ?? "deno.json";
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--config", config],
      ...[new URL(import.meta.url).pathname, JSON.stringify(task)],
    ],
    env: { NO_COLOR: "1" },
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
}

/** Runs one to its end; throws when it failed instead of being killed. */
export async function runVictim(task: Task): Promise<End> {
  return await endOf(startVictim(task));
}

/** How another process finds a namespace that this one holds. */
export function elsewhere({ fd }: Netns): { path: string } {
  return { path: `/proc/${Deno.pid}/fd/${fd}` };
}

/** Waits for one's end. */
export async function endOf(victim: Deno.ChildProcess): Promise<End> {
  const { signal, success, stdout, stderr } = await victim.output();
  const text = new TextDecoder();
  const killed = signal === "SIGKILL";
  if (!success && !killed) throw new Error(`A victim failed: ${text.decode(stderr)}`);
  return { killed, said: text.decode(stdout) };
}

if (import.meta.main) await die(JSON.parse(Deno.args[0]!));

async function die({ host, jobs, point, rounds = 1 }: Task): Promise<void> {
  let calls = 0;
  let changes = 0;
  using _calls = watchCalls(() => {
    if (++calls === (point && "call" in point ? point.call : 0)) end();
  });
  using _changes = watchChanges(() => {
    if (++changes === (point && "change" in point ? point.change : 0)) end();
  });
  const onStep = (step: string) => {
    if (point && "step" in point && point.step === step) end();
  };
  console.log("ready");
  for (let round = 0; round < rounds; round++) {
    for (const job of jobs) {
      if ("attach" in job) await attach({ ...job.attach, onStep }, { netns: host });
      else if ("detach" in job) await detach(job.detach, { netns: host, owner: job.owner });
      else if ("apply" in job) await apply(job.apply, { netns: host });
      else if ("destroy" in job) await destroy({ name: job.destroy }, { netns: host });
      else if ("list" in job) console.log(JSON.stringify((await listed(host)).sort()));
      else {
        const swept = await sweep({ netns: host });
        if (swept.length > 0) throw new Error(`It swept ${JSON.stringify(swept)}`);
      }
    }
  }
  console.log(`done ${changes}`);
}

async function listed(host: NetnsTarget): Promise<string[]> {
  const attachments = await listAttachments({ netns: host });
  return attachments.map(({ id, addresses }) => `${id} ${addresses}`);
}

/** Returns no more: the thread that asks for it is the first to go. */
function end(): void {
  Deno.kill(Deno.pid, "SIGKILL");
}
