// Text from bytes of which nobody knows whether they are UTF-8.

import { isUtf8 } from 'node:buffer';

/**
 * The text of some bytes. Each byte that is not UTF-8 becomes `\xff`, so nothing is lost. A text that contains
 * `\xff` itself looks the same.
 */
export function decodeVisibly(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isUtf8(buffer)) return buffer.toString();
  let text = '';
  for (let at = 0; at < buffer.length; ) {
    const size = sizeOf(buffer[at] ?? 0);
    const part = buffer.subarray(at, at + size);
    const isWhole = part.length === size && isUtf8(part);
    text += isWhole ? part.toString() : `\\x${(buffer[at] ?? 0).toString(16).padStart(2, '0')}`;
    at += isWhole ? size : 1;
  }
  return text;
}

/** Bytes of the character that begins with this byte, if it begins one. */
function sizeOf(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
