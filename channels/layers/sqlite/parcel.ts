// Several messages in one row. A statement costs some 5 µs and a message's bytes far less than one, so what is sent
// together lies together: as a parcel, from which receivers may take any number at a time.

/** A parcel's bytes: those of its messages one after another, and how long each of them is. */
export interface Packed {
  readonly count: number;
  /** Of each message in bytes, as 32 bits each, the lowest byte first; null for a single one. */
  readonly sizes: Uint8Array | null;
  readonly body: Uint8Array;
}

/** Bounds what a receiver of single messages reads, and writes anew, for each. A larger message travels alone. */
const maxParcelBytes = 16_384;
const bytesPerSize = 4;

/** Packs messages in their order into as few parcels as may be. */
export function pack(bodies: readonly Uint8Array[]): Packed[] {
  const parcels: Packed[] = [];
  let bytes = 0;
  let begin = 0;
  for (const [index, { length }] of bodies.entries()) {
    if (bytes + length > maxParcelBytes && index > begin) {
      parcels.push(packOne(bodies.slice(begin, index), bytes));
      begin = index;
      bytes = 0;
    }
    bytes += length;
  }
  if (begin < bodies.length) parcels.push(packOne(bodies.slice(begin), bytes));
  return parcels;
}

/** The messages of a parcel from which `skipped` were taken before; at most `limit`. They share its memory. */
export function unpack(
  { sizes, body }: Pick<Packed, 'sizes' | 'body'>,
  skipped: number,
  limit: number,
): Uint8Array[] {
  if (sizes === null) return [body];
  const lengths = new DataView(sizes.buffer, sizes.byteOffset, sizes.byteLength);
  const bodies: Uint8Array[] = [];
  let at = 0;
  const end = Math.min(sizes.length / bytesPerSize, skipped + limit);
  for (let index = 0; index < end; index++) {
    const length = lengths.getUint32(index * bytesPerSize, true);
    if (index >= skipped) bodies.push(body.subarray(at, at + length));
    at += length;
  }
  return bodies;
}

/** How many messages a parcel held in the beginning. */
export function countOf({ sizes }: Pick<Packed, 'sizes'>): number {
  return sizes === null ? 1 : sizes.length / bytesPerSize;
}

function packOne(bodies: readonly Uint8Array[], bytes: number): Packed {
  const [first] = bodies;
  if (bodies.length === 1 && first !== undefined) return { count: 1, sizes: null, body: first };
  const sizes = new Uint8Array(bodies.length * bytesPerSize);
  const lengths = new DataView(sizes.buffer);
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const [index, each] of bodies.entries()) {
    lengths.setUint32(index * bytesPerSize, each.length, true);
    body.set(each, at);
    at += each.length;
  }
  return { count: bodies.length, sizes, body };
}
