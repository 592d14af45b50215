/**
 * What was measured, as a page.
 *
 * @module
 */

import type { Capability } from "../../netns/capability.ts";
import { SAMPLES, type Use } from "./child.ts";
import { SOMEWHERE } from "./samples.ts";

/** What a use needs. */
export interface Needs {
  /** Deno's flags. */
  flags: readonly string[];
  /** Whether it needs to be root, whatever the capabilities. */
  root: boolean;
  /** The capabilities that an ordinary user needs; root, where only root will do. */
  capabilities: readonly Capability[];
  /** Those of them that root needs too. */
  wantedOfRoot: readonly Capability[];
}

/** The page. */
export function document(uses: readonly Use[], needs: (use: Use) => Needs): string {
  const rows = SAMPLES.map((_, number) => {
    const [here, there] = uses.filter(({ sample }) => sample === number).map(needs);
    const places = there === undefined ? [here!] : [here!, there];
    return `| ${[callOf(number), flagsOf(here!), ...places.map(privilegesOf)].join(" | ")} |`;
  });
  return `${INTRODUCTION}
## Functions that act in the calling thread's namespace, or in another one (\`{ netns }\`)

| function | Deno flag | in the thread's own namespace | in another one |
| --- | --- | --- | --- |
${rows.slice(0, SOMEWHERE.length).join("\n")}

${CONNECTIONS}
## The others

| function | Deno flag | Linux |
| --- | --- | --- |
${rows.slice(SOMEWHERE.length).join("\n")}

${NOTES}`;
}

function callOf(number: number): string {
  const { functions, how } = SAMPLES[number]!;
  const calls = functions.map((name) => `\`${name}\``).join(", ");
  return how === undefined ? calls : `${calls}: ${how}`;
}

function flagsOf({ flags }: Needs): string {
  return flags.map((flag) => `\`${flag}\``).join(", ") || "none";
}

function privilegesOf({ root, capabilities, wantedOfRoot }: Needs): string {
  const words = [
    ...root ? ["root"] : [],
    ...capabilities.map((capability) =>
      wantedOfRoot.includes(capability) ? capability : `${capability} or root`
    ),
  ];
  if (words.length < 2) return words[0] ?? "none";
  return words.map((word) => word.includes(" ") ? `(${word})` : word).join(" and ");
}

const INTRODUCTION = `# Permissions

What each function needs of Deno and of Linux. The tables are measured: \`deno task permissions\` runs
a use of each function with one permission taken away at a time, then with nothing but what was found
to be needed, and writes this page; a test compares.

**Deno**: with \`--allow-ffi\` alone everything works. \`--allow-ffi=PATH\` with the path of libc is
enough as well: the error without it names the path. A module on disk that \`runInNetns\` runs is read
with the permissions of the caller.

**Linux**: the capabilities (capabilities(7)) are those that an ordinary user needs; with "none",
anybody may. "or root": root (user id 0) needs no capability for it, because the files are root's;
"root": no capability takes its place. A capability counts in the user namespace that owns the network
namespace, so root of a private user namespace has all of them over the network namespaces made there:
\`restartRootless()\`, or \`unshare -Urnm deno run --allow-ffi ...\`.

The error for want of a permission is a \`PermissionError\` that names it; of \`apply\` and \`destroy\`,
which first put back what they have done, it is the \`cause\`.
`;

const CONNECTIONS = `\`rtnl\` is \`Rtnl.open()\` in one's own namespace, and in another one what
\`withNetns\` hands over. CAP_SYS_ADMIN is for the way in: to open the connection, and for \`monitor\`,
\`openSocket\` and \`ping\` a further socket beside it. To find the namespace of an open connection the
kernel wants CAP_NET_ADMIN (SIOCGSKNS).
`;

const NOTES =
  `\`Netns.listHeld\` tells of the processes that the caller may look into: of those of other
users only with CAP_SYS_PTRACE. \`rtnl.ping\` also works without CAP_NET_RAW where the sysctl
\`net.ipv4.ping_group_range\` of the namespace has a group of the process. \`restartRootless\` needs
unshare(1) and a system that lets users have user namespaces.
`;
