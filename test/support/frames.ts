// WebSocket frames as bytes, as a client writes them and a server answers them, without a library.

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly reserved?: number;
  readonly isMasked?: boolean;
  /** How many bytes hold the length; the fewest that can, by default. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** The length that the frame claims; that of its payload by default. */
  readonly length?: number | bigint;
}

/** One frame of a client. */
export function frame({ opcode, fin = true, reserved = 0, isMasked = true, ...rest }: FrameOptions): Buffer {
  const payload = Buffer.from(rest.payload ?? '');
  const length = BigInt(rest.length ?? payload.length);
  const { lengthBytes = length < 126n ? 0 : length < 65_536n ? 2 : 8 } = rest;
  const size = Buffer.alloc(lengthBytes);
  if (lengthBytes === 2) size.writeUInt16BE(Number(length));
  if (lengthBytes === 8) size.writeBigUInt64BE(BigInt.asUintN(64, length));
  const short = lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127;
  const start = [(fin ? 128 : 0) | (reserved << 4) | opcode, (isMasked ? 128 : 0) | short];
  if (!isMasked) return Buffer.concat([Buffer.from(start), size, payload]);
  const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  const masked = payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  return Buffer.concat([Buffer.from(start), size, mask, masked]);
}

/** The payload of a close frame. */
export function closePayload(code: number, reason: Uint8Array | string = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/** A frame of a server. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The frames in what a server has sent; the last one may be cut. @throws Error for a frame that a server must not send */
export function readFrames(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [first = 0, second = 0] = bytes.subarray(at, at + 2);
    if ((first & 0xf0) !== 0x80 || second > 127) throw new Error(`the server sent ${first} ${second}`);
    const lengthBytes = second === 127 ? 8 : second === 126 ? 2 : 0;
    const start = at + 2 + lengthBytes;
    if (start > bytes.length) break;
    const length =
      lengthBytes === 0
        ? second
        : bytes.readUIntBE(start - Math.min(lengthBytes, 6), Math.min(lengthBytes, 6));
    if (start + length > bytes.length) break;
    frames.push({ opcode: first & 15, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}
