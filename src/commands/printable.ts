// What other processes wrote, as it may be shown in a terminal.

import { escapeUnsafe } from '../log/formats/unsafe.js';

/** The text on one line, with what a terminal might act upon shown as `\x1b` or `\u202e`. */
export function printable(text: string): string {
  return escapeUnsafe(text).replaceAll('\t', '\\x09');
}

/** The text in at most so many characters, if there is a limit; what is left out is shown by an ellipsis. */
export function shortened(text: string, length = Number.POSITIVE_INFINITY): string {
  const characters = [...text.slice(0, 2 * length + 2)];
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 1)).join('')}…`;
}
