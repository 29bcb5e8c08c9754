// A push service on this machine with its browsers: takes pushes, checks their sender, and decrypts them.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { checkVapid, PushReceiver, type ReceiverSubscription, type VapidClaims } from './push-receiver.js';

/** A push that has arrived. */
export interface ArrivedPush {
  /** The name of the browser. */
  readonly to: string;
  readonly payload: string;
  readonly ttl: number;
  readonly topic: string | undefined;
  readonly urgency: string | undefined;
  readonly claims: VapidClaims;
}

/** How the service answers a push: by a status with headers, or otherwise. */
export type PushBehaviour = (push: ArrivedPush, response: ServerResponse) => void | Promise<void>;

const take: PushBehaviour = (_push, response) => {
  response.writeHead(201).end();
};

export interface PushServiceOptions {
  /** Called with each valid push, before the answer. */
  readonly onPush?: (push: ArrivedPush) => void;
}

export class PushService {
  readonly #server: Server;
  readonly #onPush: (push: ArrivedPush) => void;
  readonly #browsers = new Map<string, PushReceiver>();
  readonly #behaviours = new Map<string, PushBehaviour>();
  /** Pushes that a service would refuse or a browser could not read. */
  readonly faults: string[] = [];

  /** Listens on a free port of 127.0.0.1. */
  static async open(options: PushServiceOptions = {}): Promise<PushService> {
    const service = new PushService(options);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  private constructor({ onPush = () => undefined }: PushServiceOptions) {
    this.#onPush = onPush;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.faults.push(error instanceof Error ? error.message : String(error));
        response.writeHead(400).end('bad push');
      });
    });
  }

  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the push service is closed');
    return `http://127.0.0.1:${address.port}`;
  }

  /** A new browser with its subscription. */
  subscribe(name: string): ReceiverSubscription {
    const browser = new PushReceiver();
    this.#browsers.set(name, browser);
    return browser.subscription(`${this.origin}/push/${name}`);
  }

  /** Changes the answer to pushes for a browser; default 201. */
  behave(name: string, behaviour: PushBehaviour): void {
    this.#behaviours.set(name, behaviour);
  }

  /** Safe to call twice. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const to = request.url?.replace('/push/', '') ?? '';
    const browser = this.#browsers.get(to);
    if (request.method !== 'POST' || browser === undefined) {
      response.writeHead(404).end();
      return;
    }
    const claims = checkVapid(request.headers.authorization, this.origin, Date.now());
    if (request.headers['content-encoding'] !== 'aes128gcm') throw new Error('expected aes128gcm');
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    const body = Buffer.concat(parts);
    if (body.length > 4096) throw new Error(`a push of ${body.length} bytes is too large`);
    const ttl = Number(request.headers.ttl);
    if (!Number.isSafeInteger(ttl)) throw new Error(`expected a TTL, got: ${request.headers.ttl}`);
    const push = {
      to,
      payload: browser.decrypt(body),
      ttl,
      topic: single(request.headers.topic),
      urgency: single(request.headers.urgency),
      claims,
    };
    this.#onPush(push);
    await (this.#behaviours.get(to) ?? take)(push, response);
  }
}

function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}
