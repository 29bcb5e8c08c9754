// When something happened, as other programs and libraries say it.

/** What is less is in seconds: as ms since 1970 it would lie before 1974. */
const leastMs = 1e11;
const lastInstant = Date.UTC(9999, 11, 30);
/** Only what names its zone: other texts are read in this process's, and may mean another. */
const zoned = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)$/;
const decimal = /^\d+(\.\d+)?$/;

/**
 * Reads seconds or milliseconds since 1970, also as text, an ISO text with its zone, or a Date.
 *
 * @returns ms since 1970; undefined for anything else, and for what no line of the log can hold
 */
export function readGivenTime(given: unknown): number | undefined {
  const number = numberOf(given);
  const ms = number < leastMs ? number * 1000 : number;
  return ms >= 0 && ms < lastInstant ? ms : undefined;
}

function numberOf(given: unknown): number {
  if (typeof given === 'number') return given;
  if (given instanceof Date) return given.getTime();
  if (typeof given !== 'string') return Number.NaN;
  if (decimal.test(given)) return Number(given);
  return zoned.test(given) ? Date.parse(given.replace(' ', 'T').replace(',', '.')) : Number.NaN;
}
