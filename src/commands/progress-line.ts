// How far something has come, in one line of a terminal that is written over and over.

/** A terminal is written to no oftener than this. */
const everyMs = 100;

const beginOfLine = '\r';
const clearToEnd = '\x1b[K';

/** Writes nothing where there is no terminal. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #isShown = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(done: number, total: number | null = null, text: string | null = null): void {
    if (!this.#stream.isTTY) return;
    const now = performance.now();
    if (now - this.#writtenAt < everyMs) return;
    this.#writtenAt = now;
    this.#isShown = true;
    this.#stream.write(beginOfLine + progressText({ done, total, text }) + clearToEnd);
  }

  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#stream.write(beginOfLine + clearToEnd);
  }
}

/** `5000 of 20000 (25 %) orders_are_paid`. */
export function progressText({ done, total, text }: Progress): string {
  const count =
    total === null || total <= 0
      ? String(done)
      : `${done} of ${total} (${Math.floor((100 * done) / total)} %)`;
  return text === null ? count : `${count} ${text}`;
}

interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly text: string | null;
}
