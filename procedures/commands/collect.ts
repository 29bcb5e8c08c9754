// An option that may be given several times.

/** For commander: adds a value to those before it. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
