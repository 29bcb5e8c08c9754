// Whether bytes hold control characters, found four at a time since every byte of the log is looked at.

const newline = 0x0a;
const space = 0x20;
const tab = 0x09;
const del = 0x7f;

/** Whether there is a control character of ASCII that is neither a tab nor a newline. */
export function hasControls(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return hasControl(bytes, 0, bytes.length);
  const begin = (4 - (bytes.byteOffset % 4)) % 4;
  const count = (bytes.length - begin) >> 2;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + begin, count);
  for (let i = 0; i < count; i++) {
    const word = words[i] ?? 0;
    const inverse = word ^ 0x7f7f7f7f;
    // The top bit of a byte is set here when it is below a space, or DEL; see "Bit Twiddling Hacks", haszero and hasless
    // (https://graphics.stanford.edu/~seander/bithacks.html). Rarely also of a byte above such a one.
    const isMarked = ((word - 0x20202020) & ~word) | ((inverse - 0x01010101) & ~inverse);
    if ((isMarked & 0x80808080) !== 0 && hasControl(bytes, begin + i * 4, begin + i * 4 + 4)) return true;
  }
  return hasControl(bytes, 0, begin) || hasControl(bytes, begin + count * 4, bytes.length);
}

function hasControl(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? space;
    if (byte === del || (byte < space && byte !== tab && byte !== newline)) return true;
  }
  return false;
}
