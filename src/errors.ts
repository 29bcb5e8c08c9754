// The base of the daemon's errors, and the kinds that more than one room throws.

/** The base of all errors of `linod`. Match on `code`, never on the text. */
export class LinodError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}
