// A client that writes bytes and reads responses and frames from what comes back; it waits for no time.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { patientMs } from './patience.js';

/** A response in normal form: without its date, names in lower case, values of the same name in one list. */
export interface WireResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** How the end of the body is marked. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly body: string;
}

export interface WireFrame {
  readonly isFinal: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** What became of a WebSocket. */
export interface WireEnd {
  readonly messages: string[];
  /** Undefined when the connection ended without a close frame. */
  readonly code: number | undefined;
  readonly reason: string;
}

export class WireClient {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #isClosed = false;
  /** Whether the last body of chunks had no end. */
  #isCut = false;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake?.();
    });
  }

  static async open(port: number): Promise<WireClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new this(socket);
  }

  write(data: string | Uint8Array): void {
    this.#socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  /** Breaks the connection off. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** From now on it reads what has come, and waits for nothing more. @returns whether the server had closed the connection */
  giveUp(): 'closed' | 'open' {
    const was = this.#isClosed ? 'closed' : 'open';
    this.#isClosed = true;
    return was;
  }

  /** Ends it with a reset, as a client does that is gone. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Reads the next response; undefined when the connection was closed instead. */
  async response(method = 'GET'): Promise<WireResponse | undefined> {
    const head = await this.#takeUntil('\r\n\r\n');
    if (head === undefined) return undefined;
    const [statusLine = '', ...lines] = head.split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1]);
    const headers: Record<string, string> = {};
    for (const line of lines.filter((each) => each !== '')) {
      const [, name = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
      const key = name.toLowerCase();
      headers[key] = headers[key] === undefined ? value : `${headers[key]} | ${value}`;
    }
    const { 'content-length': length, 'transfer-encoding': encoding } = headers;
    delete headers.date;
    delete headers['transfer-encoding'];
    const isBare = method === 'HEAD' || status < 200 || status === 204 || status === 304;
    if (isBare) return { status, headers, framing: 'none', body: '' };
    if (encoding === 'chunked')
      return { status, headers, framing: 'chunked', body: await this.#shortChunks() };
    if (length === undefined) return { status, headers, framing: 'close', body: short(await this.rest()) };
    const body = await this.#take(Number(length));
    // It shows in the body.
    if (body !== undefined) delete headers['content-length'];
    const text = body === undefined ? `${short(this.#received)} and no more` : short(body);
    return { status, headers, framing: 'length', body: text };
  }

  /** The body of the next response as it is. */
  async wholeBody(): Promise<Buffer> {
    const head = (await this.#takeUntil('\r\n\r\n')) ?? '';
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    return length === undefined
      ? await this.#chunks()
      : ((await this.#take(Number(length))) ?? Buffer.alloc(0));
  }

  /** All that comes until the connection is closed. */
  async rest(): Promise<Buffer> {
    await this.#until(() => this.#isClosed);
    return this.#received.subarray();
  }

  /** The next frame; undefined when the connection was closed instead. */
  async frame(): Promise<WireFrame | undefined> {
    const head = await this.#peek(2);
    if (head === undefined) return undefined;
    const code = (head[1] ?? 0) & 127;
    const lengthBytes = code === 126 ? 2 : code === 127 ? 8 : 0;
    const whole = await this.#peek(2 + lengthBytes);
    if (whole === undefined) return undefined;
    const length =
      lengthBytes === 0 ? code : lengthBytes === 2 ? whole.readUInt16BE(2) : Number(whole.readBigUInt64BE(2));
    const bytes = await this.#take(2 + lengthBytes + length);
    if (bytes === undefined) return undefined;
    const first = bytes[0] ?? 0;
    return {
      isFinal: first >= 128,
      opcode: first & 15,
      payload: bytes.subarray(2 + lengthBytes),
    };
  }

  /** The same without the server's pings. */
  async frameBesidesPings(): Promise<WireFrame | undefined> {
    for (;;) {
      const frame = await this.frame();
      if (frame?.opcode !== 9) return frame;
    }
  }

  /** The next message, or what comes instead, as text. */
  async message(): Promise<string> {
    const frame = await this.frameBesidesPings();
    if (frame === undefined) return 'closed';
    if (frame.opcode === 8) return `closed with ${frame.payload.readUInt16BE()}`;
    return messageText(frame);
  }

  /** Sends one frame, masked as a client's. */
  send(opcode: number, payload: string | Uint8Array, isFinal = true): void {
    this.write(clientFrame(opcode, payload, isFinal));
  }

  sendClose(code?: number, reason = ''): void {
    const text = Buffer.from(reason);
    const payload = Buffer.alloc(code === undefined ? 0 : 2 + text.length);
    if (code !== undefined) {
      payload.writeUInt16BE(code);
      text.copy(payload, 2);
    }
    this.send(8, payload);
  }

  /** Reads until the server has closed, and answers its close frame. */
  async end(): Promise<WireEnd> {
    const messages: string[] = [];
    for (;;) {
      const frame = await this.frameBesidesPings();
      if (frame === undefined) return { messages, code: undefined, reason: '' };
      if (frame.opcode !== 8) {
        messages.push(messageText(frame));
        continue;
      }
      const { payload } = frame;
      const code = payload.length >= 2 ? payload.readUInt16BE() : 1005;
      this.sendClose(code === 1005 ? undefined : code);
      await this.rest();
      return { messages, code, reason: payload.subarray(2).toString() };
    }
  }

  async #shortChunks(): Promise<string> {
    const bytes = await this.#chunks();
    return this.#isCut ? `${short(bytes)} and no more` : short(bytes);
  }

  async #chunks(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const size = await this.#takeUntil('\r\n');
      const length = Number.parseInt(size ?? '', 16);
      const chunk = size === undefined ? undefined : await this.#take(length + 2);
      this.#isCut = chunk === undefined;
      if (chunk === undefined || length === 0) return Buffer.concat(parts);
      parts.push(chunk.subarray(0, -2));
    }
  }

  async #takeUntil(mark: string): Promise<string | undefined> {
    await this.#until(() => this.#received.includes(mark) || this.#isClosed);
    const at = this.#received.indexOf(mark);
    return at < 0 ? undefined : (await this.#take(at + mark.length))?.toString('latin1');
  }

  async #take(length: number): Promise<Buffer | undefined> {
    const bytes = await this.#peek(length);
    if (bytes !== undefined) this.#received = this.#received.subarray(length);
    return bytes;
  }

  async #peek(length: number): Promise<Buffer | undefined> {
    await this.#until(() => this.#received.length >= length || this.#isClosed);
    return this.#received.length >= length ? this.#received.subarray(0, length) : undefined;
  }

  async #until(condition: () => boolean): Promise<void> {
    const giveUp = new Error(`waited in vain; received so far: ${this.#received.toString('latin1')}`);
    while (!condition())
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(giveUp), patientMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
  }
}

/** A frame as a client writes it, masked unless it is told otherwise. */
export function clientFrame(
  opcode: number,
  payload: string | Uint8Array,
  isFinal = true,
  isMasked = true,
): Buffer {
  const data = Buffer.from(typeof payload === 'string' ? Buffer.from(payload) : payload);
  const lengthBytes = data.length < 126 ? 0 : data.length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (isFinal ? 128 : 0) | opcode;
  head[1] = (isMasked ? 128 : 0) | (lengthBytes === 0 ? data.length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(data.length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(data.length), 2);
  if (!isMasked) return Buffer.concat([head, data]);
  const mask = randomBytes(4);
  for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return Buffer.concat([head, mask, data]);
}

function messageText({ opcode, payload, isFinal }: WireFrame): string {
  const names: Readonly<Record<number, string>> = { 0: 'more', 2: 'bytes', 10: 'pong' };
  const text = opcode === 2 ? payload.toString('hex') : payload.toString();
  const name = names[opcode] ?? (opcode === 1 ? '' : `opcode ${opcode}`);
  return `${isFinal ? '' : 'a fragment '}${name === '' ? '' : `${name} `}${shortText(text)}`;
}

/** Bytes in normal form: as text, or as a digest when they are many. */
export function short(bytes: Uint8Array): string {
  return shortText(Buffer.from(bytes).toString('latin1'));
}

export function shortText(text: string): string {
  if (text.length <= 100) return text;
  if (text.includes('<footer>Daphne</footer>')) return `daphne: ${/<p>(.*)<\/p>/.exec(text)?.[1] ?? ''}`;
  return `${text.length} bytes ${createHash('sha1').update(text).digest('hex').slice(0, 8)}`;
}
