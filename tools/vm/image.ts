/**
 * Another kernel: Debian's own, unpacked from its package and never installed, and a first file system
 * for it that leads to this machine's files.
 *
 * @module
 */

import { basename } from "node:path";
import { fail } from "../exec.ts";
import { ROOT } from "../config.ts";

/** Where all of it is kept; git ignores it. */
export const CACHE = `${ROOT}/.vm`;
/** The scripts that run inside. */
export const SCRIPTS = `${ROOT}/tools/vm`;

/** Debian packages that make and run it. */
const PACKAGES = ["qemu-system-x86", "busybox-static", "kmod", "cpio"];

/** What shows this machine's files; each brings those it needs. */
const MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];

/** A kernel and what it starts with. */
export interface Image {
  /** The kernel's file. */
  kernel: string;
  /** The first file system. */
  initrd: string;
  /** The folder with `lib/modules`. */
  root: string;
}

/** Makes the image, or takes the one that is there. */
export async function prepareImage(): Promise<Image> {
  const root = `${CACHE}/kernel`;
  const initrd = `${CACHE}/initrd`;
  await installPackages();
  if (await kernelIn(root) === undefined) await unpackKernel(root);
  const release = await kernelIn(root);
  if (release === undefined) fail(`Cannot find a kernel under ${root}: remove it and try again`);
  await buildInitrd(initrd, `${root}/lib/modules/${release}`);
  return { kernel: `${root}/boot/vmlinuz-${release}`, initrd, root };
}

async function installPackages(): Promise<void> {
  const { success } = await run("dpkg", ["-s", ...PACKAGES]);
  if (success) return;
  if (Deno.uid() !== 0) {
    fail(`Cannot install ${PACKAGES.join(", ")}: run as root, or install them by hand`);
  }
  await must("apt-get", ["update", "-q"]);
  await must("apt-get", ["install", "-q", "-y", "--no-install-recommends", ...PACKAGES]);
}

/** The release of the kernel that is unpacked there. */
async function kernelIn(root: string): Promise<string | undefined> {
  try {
    for await (const { name } of Deno.readDir(`${root}/lib/modules`)) return name;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return undefined;
}

/** `linux-image-amd64` names the package that has the files. */
async function unpackKernel(root: string): Promise<void> {
  const about = await must("apt-cache", ["depends", "linux-image-amd64"]);
  const name = /Depends: (linux-image-\S+)/.exec(about)?.[1];
  if (name === undefined) fail("Cannot find Debian's linux-image-amd64: is this Debian?");
  const folder = await Deno.makeTempDir({ dir: await made(CACHE), prefix: "unpacked" });
  try {
    await must("apt-get", ["download", "-q", name], folder);
    const [file] = [...Deno.readDirSync(folder)].map(({ name }) => name);
    await must("dpkg-deb", ["-x", file!, "root"], folder);
    const release = await kernelIn(`${folder}/root`);
    await must("depmod", ["-b", `${folder}/root`, release!]);
    await Deno.rename(`${folder}/root`, root);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A shell, the modules that show the host's files, and the script that mounts them. */
async function buildInitrd(path: string, modules: string): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: await made(CACHE), prefix: "initrd" });
  try {
    for (const name of ["bin", "modules", "proc", "dev", "lower", "layer", "root"]) {
      await Deno.mkdir(`${folder}/${name}`);
    }
    await Deno.copyFile("/bin/busybox", `${folder}/bin/busybox`);
    await Deno.copyFile(`${SCRIPTS}/init.sh`, `${folder}/init`);
    await Deno.chmod(`${folder}/init`, 0o755);
    const order = loadingOrder(await Deno.readTextFile(`${modules}/modules.dep`));
    for (const file of order) {
      await Deno.copyFile(`${modules}/${file}`, `${folder}/modules/${basename(file)}`);
    }
    await Deno.writeTextFile(
      `${folder}/modules/order`,
      order.map((file) => basename(file)).join("\n"),
    );
    await must(
      "bash",
      ["-c", `find . | cpio --quiet -o -H newc | gzip -1 > "${path}.new"`],
      folder,
    );
    await Deno.rename(`${path}.new`, path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The files of the modules, those that others need first; what is built in has none. */
function loadingOrder(dependencies: string): string[] {
  const order: string[] = [];
  for (const name of MODULES) {
    const line = new RegExp(`^(\\S*/${name}\\.ko): *(.*)$`, "m").exec(dependencies);
    if (line === null) continue;
    // "a.ko: c.ko b.ko" says that c needs b: from the right.
    const needed = line[2]!.split(" ").filter((file) => file !== "").reverse();
    order.push(...[...needed, line[1]!].filter((file) => !order.includes(file)));
  }
  return order;
}

async function made(folder: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  return folder;
}

async function run(command: string, args: string[], cwd?: string) {
  return await new Deno.Command(command, { args, ...cwd === undefined ? {} : { cwd } }).output();
}

async function must(command: string, args: string[], cwd?: string): Promise<string> {
  const { success, stdout, stderr } = await run(command, args, cwd);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) fail(`Cannot make the virtual machine: ${command} ${args[0]}: ${text(stderr)}`);
  return text(stdout);
}
