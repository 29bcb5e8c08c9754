// Values of MessagePack that JavaScript lacks.

/**
 * A number that reaches Python as a float even if it is whole. JavaScript does not distinguish `2.0` from
 * `2`, but a Python peer may check for `float`. Decoding returns a plain number.
 */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A value of an extension type. It is encoded again unchanged. A timestamp has code -1. */
export class ExtensionValue {
  /** -128 … 127; Python accepts 0 … 127, and -1 for a timestamp of 4, 8 or 12 bytes. */
  readonly code: number;
  readonly data: Uint8Array;

  constructor(code: number, data: Uint8Array) {
    this.code = code;
    this.data = data;
  }
}
