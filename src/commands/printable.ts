// What other processes wrote, as it may be shown in a terminal.

/** What a terminal might act upon or an editor might hide: control characters, half characters, direction marks. */
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** The text on one line, with such characters shown as `\x1b` or `\u202e`. */
export function printable(text: string): string {
  return text.replace(unsafe, (char) => {
    const hex = char.charCodeAt(0).toString(16);
    return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
  });
}

/** The text in at most so many characters; what is left out is shown by an ellipsis. */
export function shortened(text: string, length: number): string {
  const characters = [...text.slice(0, 2 * length + 2)];
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 1)).join('')}…`;
}
