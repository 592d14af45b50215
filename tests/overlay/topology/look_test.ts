import { assert, assertEquals } from "@std/assert";
import { libc } from "../../../ffi/libc.ts";
import { umount } from "../../../ffi/system.ts";
import { MNT_DETACH } from "../../../ffi/constants.ts";
import { Netns, plan } from "../../../mod.ts";
import { kernelTest } from "../../support.ts";

const O_WRONLY = 1;

kernelTest("a named namespace that somebody removes while it is looked at is passed over", {
  run: true,
}, async ({ netns }) => {
  const name = `look-${Deno.pid}`;
  (await Netns.create(name)).close();
  const symbols = libc();
  const { open } = symbols;
  let taken = false;
  // Half way: its file is still there, and nothing is mounted on it.
  const takingAway: typeof open = (path, flags, mode) => {
    const opened = new TextDecoder().decode(path as Uint8Array<ArrayBuffer>);
    if (opened !== `/run/netns/${name}\0`) return open(path, flags, mode);
    assertEquals(umount(opened.slice(0, -1), MNT_DETACH), 0);
    taken = true;
    // EACCES, as for everybody but root: no one may write this setting.
    return open(new TextEncoder().encode("/proc/sys/kernel/osrelease\0"), O_WRONLY, 0);
  };
  try {
    Object.assign(symbols, { open: takingAway });
    const { changes } = await plan({ denolink: 1, name: "lab" }, { netns });
    assertEquals(changes, []);
    assert(taken);
  } finally {
    Object.assign(symbols, { open });
    Netns.remove(name);
  }
});
