/**
 * Values of the library as they are, for what `ip` has no words for.
 *
 * @module
 */

/** The same with bytes as hexadecimal digits and 64-bit numbers as decimal ones. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.toHex();
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : `${value}`;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** A value as lines of a key and what it says, those inside further in. */
export function linesOf(value: object, depth: number): string[] {
  const indent = "  ".repeat(depth);
  return Object.entries(value).flatMap(([key, inner]) => {
    const nested = typeof inner === "object" && inner !== null;
    const short = Array.isArray(inner) && inner.every((entry) => typeof entry !== "object");
    if (nested && !short) return [`${indent}${key}`, ...linesOf(inner, depth + 1)];
    return [`${indent}${key} ${short ? inner.join(",") : inner}`.trimEnd()];
  });
}
