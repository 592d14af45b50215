import { assert, assertEquals } from "@std/assert";

/** The folders in the order in which they may import: each from itself and those behind it. */
const ORDER = ["cli", "overlay", "netns", "rtnl", "ffi"];
const ROOT = new URL("../", import.meta.url);
const CAN_READ = Deno.permissions.querySync({ name: "read" }).state === "granted";

function houseTest(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: CAN_READ ? name : `${name} (ignored: needs --allow-read)`,
    ignore: !CAN_READ,
    fn,
  });
}

/** Every source file of the published folders, with its text. */
async function sources(folder: string): Promise<{ path: string; text: string }[]> {
  const found: { path: string; text: string }[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}${name}`;
    if (isDirectory) found.push(...await sources(`${path}/`));
    else if (/\.(ts|js)$/.test(name)) {
      found.push({ path, text: await Deno.readTextFile(new URL(path, ROOT)) });
    }
  }
  return found;
}

/** What a file imports at run time or for its types. */
function imports(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)\b[^;]*?from\s+"([^"]+)"/gm)].map(([, from]) =>
    from!
  );
}

function folderOf(path: string): string {
  return path === "cli.ts" ? "cli" : path === "mod.ts" ? "overlay" : path.split("/")[0]!;
}

houseTest("imports run one way: cli, overlay, netns, rtnl, ffi", async () => {
  const files = (await Promise.all(ORDER.map((folder) => sources(`${folder}/`)))).flat();
  for (const name of ["cli.ts", "mod.ts"]) {
    files.push({ path: name, text: await Deno.readTextFile(new URL(name, ROOT)) });
  }
  assert(files.length > 40);
  let arrows = 0;
  for (const { path, text } of files) {
    for (const from of imports(text)) {
      if (path === "overlay/topology/yaml.ts" && from === "@std/yaml") continue;
      if (!from.startsWith(".")) {
        assertEquals([folderOf(path), from], ["cli", "@std/cli"], path);
        continue;
      }
      const target = new URL(from, new URL(path, ROOT)).href.slice(ROOT.href.length);
      if (target === "deno.json") continue;
      const [own, other] = [folderOf(path), folderOf(target)];
      assert(ORDER.indexOf(own) <= ORDER.indexOf(other), `${path} imports ${target}`);
      arrows++;
    }
  }
  assert(arrows > 100);
});

houseTest("only cli.ts may import mod.ts, and every file says what it is for", async () => {
  for (const folder of ORDER) {
    for (const { path, text } of await sources(`${folder}/`)) {
      assert(text.includes("/**"), path);
      if (path.endsWith(".ts")) assert(/^\/\*\*[\s\S]*?@module\n \*\//.test(text), path);
      if (folder !== "cli") assert(!imports(text).some((from) => from.endsWith("../mod.ts")), path);
    }
  }
});

houseTest("errors are told apart by their class and number, never by their words", async () => {
  const byWords =
    /(?:message|kernelMessage)\??\.(?:includes|match|matchAll|search|startsWith|indexOf)\(|(?:test|exec)\([^)]*[mM]essage\)|[mM]essage [!=]==? ["'`]/;
  for (const guilty of ['error.message.includes("exists")', "/gone/.test(error.message)"]) {
    assert(byWords.test(guilty), guilty);
  }
  for (const folder of ORDER) {
    for (const { path, text } of await sources(`${folder}/`)) {
      assertEquals(byWords.exec(text)?.[0], undefined, path);
    }
  }
});

houseTest(
  "the threads' sources import what stands in front of them, and nothing else",
  async () => {
    const workers = (await sources("netns/")).filter(({ path }) => path.endsWith(".js"));
    assertEquals(workers.length, 3);
    for (const { path, text } of workers) {
      const wanted = path.endsWith("/worker_calls.js") ? [] : ["./worker_calls.js"];
      assertEquals(imports(text), wanted, path);
    }
  },
);
