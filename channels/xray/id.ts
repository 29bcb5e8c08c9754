// Where a message's id comes from: eight bytes that travel with it, or else what it consists of.

/** How many bytes an id has. */
export const idBytes = 8;

/** Reads one half of an id. DataView and Buffer would check what is known to be there. */
export function uint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  );
}

const prime = 0x01000193;

/**
 * One half of the id of bytes that carry none: FNV-1a from one of two seeds. Equal bytes have equal ids, so equal
 * messages cannot be told apart.
 */
export function contentHash(bytes: Uint8Array, seed: number): number {
  let hash = seed;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, prime);
  return hash >>> 0;
}

/** The seeds for both halves. */
export const highSeed = 0x811c9dc5;
export const lowSeed = 0x9e3779b9;
