// A WebSocket client that reads and writes the bytes itself. It costs less than a server, so that it does not limit one.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A text as a frame of a client, masked with zeros. */
export function frameOf(payload: string): Buffer {
  const bytes = Buffer.from(payload);
  const length =
    bytes.length < 126 ? [bytes.length | 128] : [126 | 128, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), bytes]);
}

/** A WebSocket, or one with Socket.IO on it. */
export class Wire {
  readonly socket: Socket;
  onText: () => void = () => undefined;
  readonly #isSocketIo: boolean;
  #rest: Buffer = Buffer.alloc(0);
  #onOpen: (() => void) | undefined;

  private constructor(socket: Socket, isSocketIo: boolean) {
    this.socket = socket;
    this.#isSocketIo = isSocketIo;
  }

  static async open(port: number, path: string, isSocketIo: boolean): Promise<Wire> {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    const wire = new Wire(socket, isSocketIo);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    const head: Buffer[] = [];
    let end = -1;
    while (end < 0) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      head.push(chunk);
      end = Buffer.concat(head).indexOf('\r\n\r\n');
    }
    const all = Buffer.concat(head);
    if (!all.toString('latin1').startsWith('HTTP/1.1 101 '))
      throw new Error(`no WebSocket: ${all.toString()}`);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => wire.#read(chunk));
    const opened = isSocketIo ? new Promise<void>((resolve) => (wire.#onOpen = resolve)) : undefined;
    wire.#read(all.subarray(end + 4));
    await opened;
    return wire;
  }

  end(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      if (bytes.length < at + 4) break;
      const short = (bytes[at + 1] ?? 0) & 127;
      const start = at + (short === 126 ? 4 : 2);
      const end = start + (short === 126 ? bytes.readUInt16BE(at + 2) : short);
      if (bytes.length < end) break;
      const opcode = (bytes[at] ?? 0) & 15;
      if (opcode === 8) throw new Error(`a socket was closed with ${bytes.readUInt16BE(start)}`);
      if (opcode === 1) this.#take(bytes, start);
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  #take(bytes: Buffer, start: number): void {
    const type = this.#isSocketIo ? bytes.toString('latin1', start, start + 2) : '42';
    if (type === '42') this.onText();
    else if (type.startsWith('0')) this.socket.write(frameOf('40'));
    else if (type.startsWith('2')) this.socket.write(frameOf('3'));
    else if (type === '40') this.#onOpen?.();
  }
}
