// Text of bytes that should be UTF-8, and may not be.

import { isUtf8 } from 'node:buffer';

/** The text of the bytes. What is not UTF-8 is shown byte by byte, as `\xff`: a log is no place to lose a hint. */
export function visibleText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    parts.push(bytes.toString('utf8', from, at), `\\x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`);
    from = ++at;
  }
  parts.push(bytes.toString('utf8', from));
  return parts.join('');
}

/** How many bytes the character has that begins there; 0 when none does. */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const character = bytes.subarray(at, at + length);
  return character.length === length && isUtf8(character) ? length : 0;
}
