/**
 * Writes the JSON Schema of topology files, for editors: `deno task schema`.
 *
 * @module
 */

import { TOPOLOGY_FILE } from "../overlay/topology/format.ts";
import { jsonSchema } from "../overlay/topology/schema.ts";

/** Where it is. */
export const FILE: URL = new URL("../docs/topology.schema.json", import.meta.url);

/** Its text. */
export function schemaText(): string {
  return `${JSON.stringify(jsonSchema(TOPOLOGY_FILE, "denolink topology"), null, 2)}\n`;
}

if (import.meta.main) await Deno.writeTextFile(FILE, schemaText());
