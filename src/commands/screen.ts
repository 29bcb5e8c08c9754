// A terminal that a command has for itself for a while, and gives back as it was.

const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';
/** Lines that are longer than the terminal is wide are cut, and not continued in the next. */
const noWrap = '\x1b[?7l';
const wrap = '\x1b[?7h';

const endKeys = new Set(['q', 'Q', '\x03']);
/** Alone; other keys send it with more behind it. */
const escapeKey = '\x1b';

export interface ScreenStreams {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** The alternate screen. Whatever way the process ends, the terminal is given back. */
export class Screen {
  readonly #input: NodeJS.ReadStream;
  readonly #output: NodeJS.WriteStream;
  readonly #onEnd: () => void;
  readonly #onResize: () => void;
  readonly #onExit = () => this.close();
  #isOpen = true;

  /**
   * @param onEnd called for q, Ctrl-C or Escape
   * @param onResize called when the terminal has another size
   */
  constructor({ input, output }: ScreenStreams, onEnd: () => void, onResize: () => void) {
    this.#input = input;
    this.#output = output;
    this.#onEnd = onEnd;
    this.#onResize = onResize;
    process.once('exit', this.#onExit);
    output.on('resize', onResize);
    output.write(enter + noWrap);
    if (!input.isTTY) return;
    input.setRawMode(true);
    input.on('data', this.#onKeys);
    input.resume();
  }

  get rows(): number {
    return this.#output.rows || 24;
  }

  /** Shows these lines in the place of all that was shown. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    const text = lines.map((line) => line + clearLine).join('\r\n');
    this.#output.write(home + text + clearBelow);
  }

  /** Gives the terminal back. Safe to call twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.removeListener('exit', this.#onExit);
    this.#output.removeListener('resize', this.#onResize);
    this.#output.write(wrap + leave);
    if (!this.#input.isTTY) return;
    this.#input.removeListener('data', this.#onKeys);
    this.#input.setRawMode(false);
    this.#input.pause();
  }

  readonly #onKeys = (keys: Buffer): void => {
    const text = keys.toString();
    if (text === escapeKey || [...text].some((key) => endKeys.has(key))) this.#onEnd();
  };
}
