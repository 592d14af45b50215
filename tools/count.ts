/**
 * Prints the totals of JUnit reports together: `deno run -R tools/count.ts report.xml...`.
 *
 * @module
 */

/** Totals of one test run; steps count as tests. */
export interface Totals {
  /** Neither failed nor skipped. */
  passed: number;
  /** Failed or broke. */
  failed: number;
  /** Ignored. */
  skipped: number;
}

/** Counts the test cases of a report, in which deno escapes all other angle brackets. */
export function count(report: string): Totals {
  const cases = report.split("<testcase ").slice(1);
  const failed = cases.filter((text) => /<(failure|error)\b/.test(text)).length;
  const skipped = cases.filter((text) => /<skipped\b/.test(text)).length;
  return { passed: cases.length - failed - skipped, failed, skipped };
}

/** "3 passed, 0 failed, 1 skipped". */
export function summary({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

if (import.meta.main) {
  // A run that broke off early has left no report, and nothing to count.
  const reports = Deno.args.map((file) => Deno.readTextFile(file).catch(() => ""));
  console.log(summary(count((await Promise.all(reports)).join(""))));
}
