// An option that may be given several times.

/** For commander: appends a value to the previous ones. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
