// The structured part of a record as JSON, whatever it holds.

/** What a record says to machines: any values that JSON has; others are told as text. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * JSON of the fields in one line. Never throws: what JSON does not have (big integers, cycles, errors, what
 * throws when it is read) is told in its place.
 */
export function stringifyFields(fields: Fields): string {
  try {
    // A replacer makes JSON three times as slow, and mostly fields are numbers and text.
    return JSON.stringify(fields, hasObjects(fields) ? tellErrors : undefined) ?? '{}';
  } catch {
    // Cycles, big integers and throwing getters are rare: only they pay for the careful way.
    return stringifyCarefully(fields);
  }
}

function hasObjects(fields: Fields): boolean {
  for (const key in fields) if (typeof fields[key] === 'object') return true;
  return false;
}

/** An Error has no enumerable fields, so JSON would make `{}` of it. */
function tellErrors(_key: string, value: unknown): unknown {
  return value instanceof Error ? { ...value, name: value.name, message: value.message } : value;
}

function stringifyCarefully(fields: Fields): string {
  try {
    return JSON.stringify(copy(fields, []));
  } catch (error) {
    return JSON.stringify({ unreadable: String(error) });
  }
}

function copy(value: unknown, above: readonly object[]): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (above.includes(value)) return '[circular]';
  if (above.length >= 20) return '[too deep]';
  const inside = [...above, value];
  if (Array.isArray(value)) return value.map((item) => copy(item, inside));
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value;
  return Object.fromEntries(Object.keys(value).map((key) => [key, copy(read(value, key), inside)]));
}

function read(object: object, key: string): unknown {
  try {
    return Reflect.get(object, key);
  } catch (error) {
    return `[unreadable: ${String(error)}]`;
  }
}
