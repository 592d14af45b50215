/**
 * What may have been meant.
 *
 * @module
 */

/** The candidate that is at most two edits away, and fewer than it has letters, if there is one. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  // The distance is at least the difference of the lengths.
  const near = candidates.filter(({ length }) => Math.abs(length - word.length) <= 2);
  const [best] = near.map((candidate) => ({ candidate, edits: distance(word, candidate) }))
    .filter(({ candidate, edits }) => edits <= 2 && edits < candidate.length)
    .sort((a, b) => a.edits - b.edits);
  return best?.candidate;
}

/** Levenshtein's distance: insertions, deletions and replacements of one letter. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length]!;
}
