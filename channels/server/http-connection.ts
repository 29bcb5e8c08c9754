// One HTTP request and its response, as an application sees them.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Message, Receive, Send } from '../application.js';
import type { HttpRequest } from '../browser/protocol.js';
import { StopConsumer } from '../errors.js';
import type { Connection } from './application-instances.js';
import type { Response } from './response.js';

/** The body is read from the client when the application asks for it, and no sooner. */
export class HttpExchange {
  readonly #request: IncomingMessage;
  readonly #response: Response;
  readonly #isGone: () => boolean;
  readonly #waiting = new Set<() => void>();
  #isBodyRead = false;
  #isDisconnectReceived = false;
  #isStopped = false;
  readonly #sendContinue: (() => void) | undefined;
  #isReading = false;

  /**
   * @param isGone whether the connection is closed
   * @param sendContinue for a client that sends its body only after `100 Continue`
   */
  constructor(
    request: IncomingMessage,
    response: Response,
    isGone: () => boolean,
    sendContinue?: () => void,
  ) {
    this.#request = request;
    this.#response = response;
    this.#isGone = isGone;
    this.#sendContinue = sendContinue;
  }

  readonly receive: Receive = async () => {
    for (;;) {
      if (this.#isStopped || this.#isDisconnectReceived) throw new StopConsumer();
      if (!this.#isBodyRead && !this.#isGone()) {
        const part = this.#readBody();
        if (part !== undefined) return part;
      } else if (this.#isGone() || this.#response.isDone) {
        this.#isDisconnectReceived = true;
        return { type: 'http.disconnect' };
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  };

  readonly send: Send = async <M extends Message>(message: M): Promise<void> => {
    await this.#response.take(message);
    if (this.#response.isDone) this.wake();
  };

  /** Something changed that `receive` may wait for. */
  readonly wake = (): void => {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  };

  /** From now on `receive` ends the application. */
  stop(): void {
    this.#isStopped = true;
    this.wake();
  }

  /** The response is over: what the client still sends of the body is thrown away. */
  discardBody(): void {
    if (!this.#isReading || this.#isBodyRead) return;
    this.#request.off('readable', this.wake);
    this.#request.resume();
  }

  /** Undefined while there is nothing to be read yet. */
  #readBody(): HttpRequest | undefined {
    const request = this.#request;
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
    // That the client left shows in the response; without a listener the error would end the process.
    this.#request.on('error', this.wake);
    this.#request.on('readable', this.wake).on('end', this.wake);
    this.#sendContinue?.();
  }
}

/** Whether a body follows the head. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** The connection of an exchange, as long as its application runs. */
export class HttpConnection implements Connection {
  readonly path: string;
  goneAt: number | undefined;
  readonly #exchange: HttpExchange;
  readonly #response: ServerResponse;

  constructor(path: string, exchange: HttpExchange, response: ServerResponse) {
    this.path = path;
    this.#exchange = exchange;
    this.#response = response;
  }

  stop(): void {
    this.#exchange.stop();
  }

  /** What is sent from now on ends the connection. */
  shutDown(): void {
    this.#response.shouldKeepAlive = false;
  }

  terminate(): void {
    this.#response.destroy();
  }
}
