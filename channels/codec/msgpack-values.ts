// Values that MessagePack has and JavaScript has not.

/**
 * A number that has to reach Python as a float although it may be whole. JavaScript does not tell `2.0` from `2`,
 * so a measured value that happens to be whole would change its type on the way, and a peer that calls
 * `x.is_integer()` or checks `isinstance(x, float)` would fail once in a while. Reading it back yields a plain number.
 */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A value of an extension type: kept as it came, and written again unchanged. A timestamp has code -1. */
export class ExtensionValue {
  /** -128 … 127; Python accepts 0 … 127, and -1 for a timestamp of 4, 8 or 12 bytes. */
  readonly code: number;
  readonly data: Uint8Array;

  constructor(code: number, data: Uint8Array) {
    this.code = code;
    this.data = data;
  }
}
