// Fixed parts of records, compared with bytes several at a time: every record of a log passes here.

const longWord = 8;
const shortWord = 4;

/**
 * ASCII text that is looked for at some place of other bytes.
 *
 * JavaScript has no other number of eight bytes that is as quick as a double. Two doubles are equal if and only if their bytes
 * are, but for zeros and for those that are no numbers; of eight bytes of ASCII text, without a NUL, they are neither.
 */
export class Pattern {
  readonly length: number;
  readonly #bytes: Uint8Array;
  /** Words at the begin, and one at the end that may overlap them. */
  readonly #words: Float64Array;
  readonly #lastWord: number;

  constructor(text: Uint8Array) {
    const { length } = text;
    this.length = length;
    this.#bytes = Uint8Array.from(text);
    const view = viewOf(this.#bytes);
    const isLong = length >= longWord;
    const word = isLong ? longWord : shortWord;
    const read = (at: number) => (isLong ? view.getFloat64(at) : view.getInt32(at));
    this.#words = Float64Array.from({ length: Math.max(0, Math.ceil(length / word) - 1) }, (_, n) =>
      read(n * word),
    );
    this.#lastWord = length < shortWord ? 0 : read(length - word);
  }

  static of(text: string): Pattern {
    return new Pattern(Buffer.from(text));
  }

  /** Its first byte; 0 when it has none. */
  get first(): number {
    return this.#bytes[0] ?? 0;
  }

  /**
   * Whether it stands there.
   *
   * @param end the length of the view, which costs more to ask for than all the rest
   */
  isAt(view: DataView, at: number, end: number): boolean {
    const { length } = this;
    if (at + length > end) return false;
    const words = this.#words;
    if (length >= longWord) {
      // Names differ at their ends more often than at their begins.
      if (view.getFloat64(at + length - longWord) !== this.#lastWord) return false;
      for (let n = 0; n < words.length; n++) {
        if (view.getFloat64(at + n * longWord) !== words[n]) return false;
      }
      return true;
    }
    if (length >= shortWord) {
      if (view.getInt32(at + length - shortWord) !== this.#lastWord) return false;
      return length === shortWord || view.getInt32(at) === words[0];
    }
    return this.#isShortAt(view, at);
  }

  #isShortAt(view: DataView, at: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < bytes.length; i++) if (view.getUint8(at + i) !== bytes[i]) return false;
    return true;
  }
}

/** The same bytes, to be read as words. */
export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
