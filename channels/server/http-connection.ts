// One HTTP request and its response, as an application receives and sends them.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Message, Receive, Send } from '../application.js';
import type { HttpRequest } from '../browser/protocol.js';
import { StopConsumer } from '../errors.js';
import type { Connection } from './application-instances.js';
import { Response } from './request/response.js';

export interface HttpConnectionOptions {
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** How long the client may read nothing before the connection is ended. */
  readonly stalledMs: number;
  /** For a client that sends its body only after `100 Continue`. */
  readonly sendContinue: (() => void) | undefined;
}

/** The server reads the body when the application asks for it, and not before. */
export class HttpConnection implements Connection {
  readonly path: string;
  readonly response: Response;
  goneAt: number | undefined;
  readonly #options: HttpConnectionOptions;
  /** Calls of `receive` that wait. */
  readonly #waiting = new Set<() => void>();
  #isReading = false;
  #isBodyRead = false;
  #isDisconnectReceived = false;
  #isStopped = false;

  constructor(options: HttpConnectionOptions) {
    const { path, response, stalledMs } = options;
    this.path = path;
    this.response = new Response(response, 'http.response', stalledMs);
    this.#options = options;
    response.once('close', () => {
      this.goneAt = Date.now();
      this.#wake();
      this.#discardBody();
    });
  }

  readonly receive: Receive = async () => {
    for (;;) {
      if (this.#isStopped || this.#isDisconnectReceived) throw new StopConsumer();
      const { closed, destroyed } = this.#options.response;
      const isGone = closed || destroyed;
      if (!this.#isBodyRead && !isGone) {
        const part = this.#readBody();
        if (part !== undefined) return part;
      } else if (isGone || this.response.isDone) {
        this.#isDisconnectReceived = true;
        return { type: 'http.disconnect' };
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  };

  readonly send: Send = async <M extends Message>(message: M): Promise<void> => {
    await this.response.take(message);
    if (this.response.isDone) this.#wake();
  };

  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  /** A response that ends from now on ends the connection, too. */
  shutDown(): void {
    this.#options.response.shouldKeepAlive = false;
  }

  terminate(): void {
    this.#options.response.destroy();
  }

  readonly #wake = (): void => {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  };

  /** Undefined while there is nothing to read yet. */
  #readBody(): HttpRequest | undefined {
    const { request } = this.#options;
    if (!hasBody(request)) {
      this.#isBodyRead = true;
      return { type: 'http.request', body: new Uint8Array(), more_body: false };
    }
    if (!this.#isReading) this.#beginReading();
    const chunk: Buffer | null = request.read();
    const isLast = request.complete && request.readableLength === 0;
    if (chunk === null && !isLast) return undefined;
    this.#isBodyRead = isLast;
    // A stream ends only when it is read once more; without its end the connection is not used again.
    if (isLast) request.read();
    return { type: 'http.request', body: chunk ?? new Uint8Array(), more_body: !isLast };
  }

  #beginReading(): void {
    this.#isReading = true;
    // The response closes when the client leaves. Without a listener the error would end the process.
    this.#options.request.on('error', this.#wake).on('readable', this.#wake).on('end', this.#wake);
    this.#options.sendContinue?.();
  }

  /** After the response, the server reads the rest of the body and drops it, so that the connection can be used again. */
  #discardBody(): void {
    if (!this.#isReading || this.#isBodyRead) return;
    this.#options.request.off('readable', this.#wake).resume();
  }
}

/** Whether a body follows the head. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}
