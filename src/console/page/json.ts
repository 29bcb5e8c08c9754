// JSON with exact integers: those that a number cannot hold are bigint.

/** Reads JSON. Integers beyond 2^53 become bigint. */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  // Such an integer is first marked as a text. Texts are matched too, so that digits in them stay as they are.
  const mark = `integer-${Math.random()}:`;
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    isLargeInteger(token) ? `"${mark}${token}"` : token,
  );
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  );
}

/** Writes JSON, with bigint as an integer. */
export function writeJson(value: unknown, indent = 0): string {
  const mark = `integer-${Math.random()}:`;
  const text = JSON.stringify(
    value,
    (_key, inner: unknown) => (typeof inner === 'bigint' ? mark + inner : inner),
    indent,
  );
  return (text ?? 'null').replaceAll(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1');
}

function isLargeInteger(token: string): boolean {
  return /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token));
}
