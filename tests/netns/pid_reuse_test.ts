import { assert, assertEquals, assertThrows } from "@std/assert";
import { Netns, NotFoundError } from "../../mod.ts";
import { kernelTest, onOpen } from "../support.ts";

const MOD = JSON.stringify(import.meta.resolve("../../mod.ts"));

kernelTest("a process id that the kernel gives again is not taken for the old one", {
  run: true,
}, async () => {
  // In a pid namespace of its own the next number can be said: proc_sys_kernel(5), ns_last_pid.
  const script = `
    import { Netns, processStartTime } from ${MOD};
    const sleep = () => new Deno.Command("unshare", { args: ["--net", "sleep", "60"] }).spawn();
    const first = sleep();
    const { pid } = first;
    const old = { pid, startTime: processStartTime(pid) };
    const before = Deno.readLinkSync("/proc/" + pid + "/ns/net");
    first.kill("SIGKILL");
    await first.status;
    // Clock ticks are hundredths of a second.
    await new Promise((resolve) => setTimeout(resolve, 50));
    let second;
    for (let i = 0; i < 200 && second?.pid !== pid; i++) {
      if (second) { second.kill("SIGKILL"); await second.status; }
      Deno.writeTextFileSync("/proc/sys/kernel/ns_last_pid", String(pid - 1));
      second = sleep();
    }
    const attempt = (target) => { try { using n = Netns.open(target); return "opened"; }
      catch (error) { return error.name + ": " + error.message; } };
    console.log(JSON.stringify([second.pid === pid, attempt(old), attempt({ pid })]));
    second.kill("SIGKILL");
    await second.status;
  `;
  const { stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      "--pid",
      "--fork",
      "--mount-proc",
      Deno.execPath(),
      "run",
      "-A",
      "--no-check",
      "--no-config",
      `data:text/javascript,${encodeURIComponent(script)}`,
    ],
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(stdout.length > 0, text(stderr));
  const [reused, old, now] = JSON.parse(text(stdout));
  assertEquals([reused, now], [true, "opened"]);
  assert(/NotFoundError.*another one now/.test(old), old);
});

kernelTest(
  "a process that ends while its namespace is opened is not taken for the next of its number",
  {
    all: true,
  },
  async () => {
    // Its parent takes note of its end, so that its number is free.
    const parent = new Deno.Command("sh", {
      args: ["-c", "sleep 60 & echo $!; wait"],
      ...{ stdin: "null", stdout: "piped" },
    }).spawn();
    const reader = parent.stdout.getReader();
    const pid = Number(new TextDecoder().decode((await reader.read()).value));
    let ended = false;
    try {
      using _ = onOpen(`/proc/${pid}/ns/net`, (open) => {
        const fd = open();
        const script = `kill -9 ${pid}; while kill -0 ${pid} 2>/dev/null; do :; done`;
        ended = new Deno.Command("sh", { args: ["-c", script] }).outputSync().success;
        return fd;
      });
      assertThrows(() => Netns.open({ pid }), NotFoundError, "no such process");
      assert(ended);
    } finally {
      await reader.cancel();
      await parent.status;
    }
  },
);
