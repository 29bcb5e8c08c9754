// Characters that a terminal might act upon or an editor might hide.

/** Control characters, half characters, direction marks. */
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;
/** Anything but printable ASCII. */
const unplain = /[^ -~]/;
const everyUnsafe = new RegExp(unsafe.source, 'gu');

/** A half character behind an even number of backslashes, which are those of the text. */
const halfInJson = /(?<!\\)((?:\\\\)*)(\\ud[89a-f][0-9a-f]{2})/g;

export function hasUnsafe(text: string): boolean {
  // Most text is plain, and a search for that takes a fifth of the time.
  return unplain.test(text) && unsafe.test(text);
}

/** Shows such characters to people, as `\x1b` or `\u202e`. A tab is left as it is. */
export function escapeUnsafe(text: string): string {
  if (!hasUnsafe(text)) return text;
  return text.replace(everyUnsafe, (char) => {
    if (char === '\t') return char;
    const code = char.charCodeAt(0);
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
  });
}

/** The text on one line; control characters appear as `\x1b` or `\u202e`. */
export function printable(text: string): string {
  return escapeUnsafe(text).replaceAll('\t', '\\x09');
}

/** A JSON string in which such characters are written as `\u202e`; whoever parses it has them back. */
export function quoteSafely(text: string): string {
  return escapeInJson(withoutHalves(JSON.stringify(text)));
}

/** JSON without such characters, and with the same meaning. */
export function escapeInJson(json: string): string {
  if (!hasUnsafe(json)) return json;
  return json.replace(everyUnsafe, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * JSON that every parser takes: half characters, which some refuse, become text such as `\ud800`.
 *
 * @param json as `JSON.stringify` makes it, which escapes half characters and no other that begin so
 */
export function withoutHalves(json: string): string {
  return json.includes('\\ud') ? json.replace(halfInJson, '$1\\$2') : json;
}
