/**
 * Taking steps back.
 *
 * @module
 */

/** What has to be taken back when a later step fails. */
export class Undo {
  readonly #steps: (() => Promise<void>)[] = [];

  /** Remembers how to take a step back. */
  defer(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Takes all back, the last first, whatever fails on the way; the error then says what is left. */
  async after(error: unknown): Promise<unknown> {
    for (const step of this.#steps.reverse()) {
      try {
        await step();
      } catch (left) {
        if (error instanceof Error) {
          error.message += `; undoing it failed too: ${(left as Error).message}`;
        }
      }
    }
    return error;
  }
}
