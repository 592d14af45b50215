/**
 * What a process may be given or not: the capabilities that something in the library asks for, and to be
 * root, whose the files are.
 *
 * @module
 */

import type { Capability } from "../../netns/capability.ts";

/** The capabilities (capabilities(7)); that no others are needed is measured too. */
export const CAPABILITIES: readonly Capability[] = [
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_NET_BROADCAST",
  "CAP_SYS_ADMIN",
  "CAP_SYS_PTRACE",
  "CAP_DAC_OVERRIDE",
  "CAP_SETFCAP",
];

/** What a process has. */
export interface Privileges {
  /** Whether it is root (user id 0), or else an ordinary user. */
  readonly root: boolean;
  /** Its capabilities, and no others. */
  readonly capabilities: readonly Capability[];
}

/** All there is. */
export const ALL: Privileges = { root: true, capabilities: CAPABILITIES };

/** The user id of the ordinary user ("nobody"), and of a stranger to it. */
export const USER = 65534;
/** Another one. */
export const STRANGER = 65533;

/** The same without one capability. */
export function without(privileges: Privileges, capability: Capability): Privileges {
  const capabilities = privileges.capabilities.filter((other) => other !== capability);
  return { ...privileges, capabilities };
}

/** The command line that gives them to the command behind it (setpriv(1)). */
export function setpriv({ root, capabilities }: Privileges): string[] {
  const set = ["-all", ...capabilities.map((name) => `+${name.slice("CAP_".length).toLowerCase()}`)]
    .join(",");
  // Root has what bounds it; others have what is ambient.
  return root ? ["setpriv", `--bounding-set=${set}`, "--inh-caps=-all"] : [
    ...["setpriv", ...asUser(USER)],
    ...["bounding-set", "inh-caps", "ambient-caps"].map((which) => `--${which}=${set}`),
  ];
}

/** The options of setpriv(1) that make a user of root. */
export function asUser(id: number): string[] {
  return [`--reuid=${id}`, `--regid=${id}`, "--clear-groups"];
}
