import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as constants from "../../ffi/constants.ts";
import { Descriptor } from "../../ffi/descriptor.ts";
import { describeErrno, errnoOf } from "../../ffi/errno.ts";
import { kernelError } from "../../ffi/errors.ts";
import { libc } from "../../ffi/libc.ts";
import { cString, identify, open, readAll, readDirectory, readLink } from "../../ffi/system.ts";
import {
  ExistsError,
  InputError,
  NetlinkError,
  NotFoundError,
  PermissionError,
} from "../../mod.ts";

// Loaded by a test, the library would count as that test's leak.
libc();

const HEADERS = "/usr/include";
const CAN_READ_HEADERS = Deno.permissions.querySync({ name: "read" }).state === "granted" &&
  await Deno.stat(`${HEADERS}/asm-generic/errno.h`).then(() => true, () => false);
const CAN_RUN = Deno.permissions.querySync({ name: "run" }).state === "granted" &&
  Deno.permissions.querySync({ name: "env" }).state === "granted";

/** The numbers that a header defines. */
async function defines(...headers: string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const header of headers) {
    const text = await Deno.readTextFile(`${HEADERS}/${header}`);
    for (
      const [, name, value] of text.matchAll(/^#\s*define\s+(\w+)\s+(0[xX][\da-fA-F]+|\d+)\b/gm)
    ) {
      // A leading 0 is octal in C.
      found.set(name!, /^0\d/.test(value!) ? parseInt(value!, 8) : Number(value));
    }
  }
  return found;
}

Deno.test({
  name: CAN_READ_HEADERS
    ? "errno names and numbers are the kernel's"
    : "errno names and numbers are the kernel's (ignored: needs --allow-read and linux-libc-dev)",
  ignore: !CAN_READ_HEADERS,
  async fn() {
    const kernel = await defines("asm-generic/errno-base.h", "asm-generic/errno.h");
    assert(kernel.size > 100);
    for (const [name, number] of kernel) {
      assertEquals(describeErrno(number)[0], name);
      assertEquals(errnoOf(name), number);
    }
  },
});

Deno.test({
  name: CAN_READ_HEADERS
    ? "constants are the kernel's"
    : "constants are the kernel's (ignored: needs --allow-read and linux-libc-dev)",
  ignore: !CAN_READ_HEADERS,
  async fn() {
    const kernel = await defines(
      "asm-generic/fcntl.h",
      "asm-generic/socket.h",
      "asm-generic/poll.h",
      "linux/fcntl.h",
      "linux/netlink.h",
      "linux/mount.h",
      "linux/sched.h",
      "linux/stat.h",
    );
    const differ = Deno.build.arch === "aarch64" ? ["O_DIRECTORY", "O_NOFOLLOW"] : [];
    const compared = Object.entries(constants).filter(([name, value]) => {
      const theirs = kernel.get(name);
      if (theirs === undefined || differ.includes(name)) return false;
      assertEquals(Number(value), theirs, name);
      return true;
    });
    assert(compared.length >= 20, `only ${compared.map(([name]) => name)}`);
  },
});

Deno.test("an error number is that of the call before it, also while garbage is collected", () => {
  let garbage: unknown[] = [];
  for (let i = 0; i < 100_000; i++) {
    const path = i % 2 === 0 ? "/no/such/file" : "/dev/null/file";
    assertEquals(open(path, 0), i % 2 === 0 ? -2 : -20);
    garbage.push(new Uint8Array(100));
    if (i % 1000 === 0) garbage = [];
  }
});

Deno.test("errors are of the class that the number asks for, and say what to do", () => {
  const kinds: [string, typeof NetlinkError][] = [
    ["ENOENT", NotFoundError],
    ["ENODEV", NotFoundError],
    ["ESRCH", NotFoundError],
    ["EEXIST", ExistsError],
    ["EPERM", PermissionError],
    ["EACCES", PermissionError],
    ["EINVAL", NetlinkError],
  ];
  for (const [code, kind] of kinds) {
    const error = kernelError("add link vh0 type veth", errnoOf(code));
    assertEquals(error.constructor, kind);
    assert(error instanceof NetlinkError);
    assertEquals([error.code, error.errno, error.name], [code, errnoOf(code), kind.name]);
    assertMatch(error.message, new RegExp(`^Cannot add link vh0 type veth: .*${code}`));
  }
  assertMatch(kernelError("x", 1).message, /CAP_NET_ADMIN.*sudo/);
  assertEquals(
    kernelError("x", 1, { kernelMessage: "because" }).message,
    "Cannot x: the kernel answered EPERM (Operation not permitted): because",
  );
  assertMatch(kernelError("x", 9999).message, /errno 9999/);
});

Deno.test("a descriptor has one owner, and closes once", () => {
  const descriptor = Descriptor.open("/proc/self/status");
  const copy = Descriptor.duplicate(descriptor.fd);
  descriptor.close();
  descriptor.close();
  assert(descriptor.closed);
  assertThrows(() => descriptor.fd, InputError, "closed");
  assertMatch(readAll(copy.fd) as string, /^Name:/);
  const { fd } = copy;
  copy[Symbol.dispose]();
  assertEquals(readAll(fd), -errnoOf("EBADF"));
  assertThrows(() => Descriptor.open("/no/such/file"), NotFoundError, "/no/such/file");
});

Deno.test("system calls give a value, or minus the errno", () => {
  assertEquals(readLink("/no/such/file"), -errnoOf("ENOENT"));
  assertEquals(readLink("/proc/self/status"), -errnoOf("EINVAL"));
  assertMatch(readLink("/proc/self/ns/net") as string, /^net:\[\d+\]$/);
  assertEquals(identify("/no/such/file"), -errnoOf("ENOENT"));
  const directory = identify("/proc");
  assert(typeof directory !== "number" && directory.type === 0o040000);
  const link = identify("/proc/self/ns/net", { follow: false });
  assert(typeof link !== "number" && link.type === 0o120000);
  using opened = Descriptor.open("/proc/self");
  const names = readDirectory(opened.fd);
  assert(Array.isArray(names) && names.includes("ns") && !names.includes("."));
  assertEquals(identify("ns", { directory: opened.fd }), identify("/proc/self/ns"));
  assertEquals(identify("no-such-file", { directory: opened.fd }), -errnoOf("ENOENT"));
});

Deno.test("text with a NUL is refused before the kernel could cut it short", () => {
  assertEquals([...cString("aé")], [97, 195, 169, 0]);
  assertThrows(() => cString("a\0b"), InputError, "NUL");
});

Deno.test({
  name: CAN_RUN
    ? "permission flags: none is one clear sentence, libc's path alone is enough"
    : "permission flags (ignored: needs --allow-run --allow-env)",
  ignore: !CAN_RUN,
  async fn() {
    const script = `
      import { listLinks } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
      try { console.log((await listLinks())[0].name); } catch (error) { console.log(error.message); }
    `;
    const run = async (...flags: string[]) => {
      const config = Deno.env.get("DENOLINK_CONFIG") ?? "deno.json";
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--no-prompt", "--no-check", "--config", config, ...flags],
          `data:text/javascript,${encodeURIComponent(script)}`,
        ],
        stdin: "null",
      }).output();
      return new TextDecoder().decode(stdout).trim();
    };
    const denied = await run();
    assertMatch(
      denied,
      /^Cannot load libc: Deno does not allow FFI; run again with --allow-ffi[^\n]*$/,
    );
    const path = /, or add (\S+) to the list/.exec(denied)![1];
    assertEquals(await run("--allow-ffi"), "lo");
    assertEquals(await run(`--allow-ffi=${path}`), "lo");
  },
});
