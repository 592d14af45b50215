/**
 * A file descriptor with one owner.
 *
 * @module
 */

import { F_DUPFD_CLOEXEC, O_RDONLY } from "./constants.ts";
import { check, InputError } from "./errors.ts";
import { close, fcntl, open } from "./system.ts";

// A backstop for owners that were forgotten; `using` is the plan.
const forgotten = new FinalizationRegistry<number>((fd) => void close(fd));

/** An open file descriptor; closed once, by `close()`, `using`, or at last by the garbage collector. */
export class Descriptor implements Disposable {
  #fd: number;

  /** Takes ownership of an open descriptor. */
  constructor(fd: number) {
    this.#fd = fd;
    forgotten.register(this, fd, this);
  }

  /** Opens a path, or throws what the kernel answered. */
  static open(path: string, flags: number = O_RDONLY): Descriptor {
    const opened = open(path, flags);
    return new Descriptor(check(`open ${path}`, opened, { capability: "CAP_DAC_OVERRIDE" }));
  }

  /** Takes a descriptor of its own for what another one refers to. */
  static duplicate(fd: number): Descriptor {
    return new Descriptor(
      check(`duplicate descriptor ${fd}`, fcntl(fd, F_DUPFD_CLOEXEC, 3)),
    );
  }

  /** The descriptor's number; an error once it is closed. */
  get fd(): number {
    if (this.#fd < 0) {
      throw new InputError("Cannot use a descriptor that is closed");
    }
    return this.#fd;
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#fd < 0;
  }

  /** Closes it; again is no error. */
  close(): void {
    if (this.#fd < 0) return;
    forgotten.unregister(this);
    close(this.#fd);
    this.#fd = -1;
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
