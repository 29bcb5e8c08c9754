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

  show(done: number, total?: number, text?: string): void {
    if (!this.#stream.isTTY) return;
    const now = performance.now();
    if (now - this.#writtenAt < everyMs) return;
    this.#writtenAt = now;
    this.#isShown = true;
    this.#stream.write(beginOfLine + progressText(done, total, text) + clearToEnd);
  }

  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#stream.write(beginOfLine + clearToEnd);
  }
}

/** `orders_are_paid: 5000 of 20000, 25 %`. */
export function progressText(done: number, total?: number, text?: string): string {
  const percent = total === undefined || total <= 0 ? '' : `, ${Math.floor((done / total) * 100)} %`;
  const count = total === undefined ? String(done) : `${done} of ${total}${percent}`;
  return text === undefined ? count : `${text}: ${count}`;
}
