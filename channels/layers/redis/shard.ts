// Which of several hosts a name belongs to.

/**
 * The index of the host for a name: its CRC-32, of which the lower twelve bits are shared out evenly.
 *
 * Source: docs/wire.md section 7; `_consistent_hash` of channels_redis.
 */
export function shardOf(name: string, hosts: number): number {
  return hosts === 1 ? 0 : Math.floor(((crc32(Buffer.from(name)) & 0xfff) * hosts) / 4096);
}

/** Not zlib's, which is younger than Node.js 20. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}

const table = Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value;
});
