import { assert, assertEquals } from "@std/assert";
import { libc } from "../../../ffi/libc.ts";
import { umount } from "../../../ffi/system.ts";
import { MNT_DETACH } from "../../../ffi/constants.ts";
import { Netns, plan } from "../../../mod.ts";
import { kernelTest, onOpen } from "../../support.ts";

const O_WRONLY = 1;

kernelTest("a named namespace that somebody removes while it is looked at is passed over", {
  run: true,
}, async ({ netns }) => {
  const name = `look-${Deno.pid}`;
  (await Netns.create(name)).close();
  const path = `/run/netns/${name}`;
  let taken = false;
  try {
    // Half way: its file is still there, and nothing is mounted on it.
    using _ = onOpen(path, () => {
      assertEquals(umount(path, MNT_DETACH), 0);
      taken = true;
      // EACCES, as for everybody but root: no one may write this setting.
      return libc().open(new TextEncoder().encode("/proc/sys/kernel/osrelease\0"), O_WRONLY, 0);
    });
    const { changes } = await plan({ denolink: 1, name: "lab" }, { netns });
    assertEquals(changes, []);
    assert(taken);
  } finally {
    Netns.remove(name);
  }
});
