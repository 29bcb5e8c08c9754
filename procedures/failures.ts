// Failures of an application's functions: told, counted, and at some point enough.

/** So many failures of one function in one run, and the rest of its work is left for the next run. */
export const maxFailures = 100;

/** The first line of what was thrown, for messages and tables. */
export function headline(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split('\n', 1)[0]?.slice(0, 1000) ?? '';
}
