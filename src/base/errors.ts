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

/** Something that a person configured makes no sense. Commands print the sentence and exit with 2. */
export class BadConfigError extends LinodError {
  /** The file, environment variable or flag that it stands in. */
  readonly source: string;
  readonly key: string | undefined;

  constructor(source: string, key: string | undefined, problem: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_BAD_CONFIG', `${source}: ${key === undefined ? '' : `${key}: `}${problem}`, options);
    this.source = source;
    this.key = key;
  }
}

/** No site was found where one was looked for. */
export class NoSiteError extends LinodError {
  constructor(message: string) {
    super('LINOD_ERR_NO_SITE', message);
  }
}

/** A command or an action was asked for something that does not exist, or in a way that it does not know. */
export class UsageError extends LinodError {
  /** @param code of a kind of its own, which somebody may handle differently */
  constructor(message: string, code = 'LINOD_ERR_USAGE') {
    super(code, message);
  }
}

/** Errors of the caller, who has to change the words or the configuration. */
export const misuseCodes: ReadonlySet<string> = new Set([
  'LINOD_ERR_BAD_CONFIG',
  'LINOD_ERR_NO_SITE',
  'LINOD_ERR_USAGE',
  'LINOD_ERR_UNKNOWN_RULE',
  'LINOD_ERR_UNKNOWN_REQUEST',
  'LINOD_ERR_UNKNOWN_WORKER',
  'LINOD_ERR_AMBIGUOUS_RULE',
  'LINOD_ERR_UNKNOWN_LEVEL',
  'LINOD_ERR_LOGGER_NAME',
  'LINOD_ERR_INVALID_RECURRENCE',
  'LINOD_ERR_NOTATION',
  'LINOD_ERR_INVALID_RULE',
  'LINOD_ERR_BAD_RULES_FILE',
  'LINOD_ERR_INVALID_PROCEDURE',
  'LINOD_ERR_DUPLICATE_PROCEDURE',
  'CHANNELS_ERR_INVALID_OPTION',
  'CHANNELS_ERR_INVALID_NAME',
  'CHANNELS_ERR_INVALID_MESSAGE',
]);

/** `, did you mean "x"?` for the known word nearest to a mistyped or shortened one, or nothing. */
export function suggestion(found: string, known: Iterable<string>): string {
  const words = [...known];
  const best = nearest(found, words) ?? lengthened(found, words);
  return best === undefined ? '' : `, did you mean ${JSON.stringify(best)}?`;
}

function nearest(found: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(found.length / 3)) + 1;
  for (const word of words) {
    const distance = editDistance(found.toLowerCase(), word.toLowerCase());
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * `timeoutSeconds` for `timeout`, `Europe/Tallinn` for `tallinn`: the first that begins so, or else ends so.
 */
function lengthened(found: string, words: readonly string[]): string | undefined {
  const part = found.toLowerCase();
  if (part.length < 3) return undefined;
  return (
    words.find((word) => word.toLowerCase().startsWith(part)) ??
    words.find((word) => word.toLowerCase().endsWith(part))
  );
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
