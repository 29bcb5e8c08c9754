// The WebSocket handshake: what a client may ask, and the switch of protocols by `ws`.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Message } from '../../application.js';
import { ProtocolError } from '../../errors.js';
import { hasBody } from '../http-connection.js';
import type { ServerLimits } from '../options.js';
import type { Refusal } from './head.js';
import { readHeaderList } from './response.js';

/** Whether a request that asks for another protocol asks for a WebSocket. */
export function asksForWebSocket({ headers, method }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** What is wrong with a handshake; undefined when nothing is. Source: RFC 6455, section 4.2.1. */
export function handshakeProblem(request: IncomingMessage): Refusal | undefined {
  const { headers, httpVersion } = request;
  const { 'sec-websocket-key': key, 'sec-websocket-version': version } = headers;
  // A proxy could read a body where this server reads frames.
  if (hasBody(request)) return { status: 400, reason: 'a handshake has no body' };
  if (httpVersion !== '1.1') return { status: 400, reason: 'a WebSocket needs HTTP/1.1' };
  if (key === undefined || !/^[+/\dA-Za-z]{22}==$/.test(key))
    return { status: 400, reason: 'the sec-websocket-key is missing or malformed' };
  if (version !== '13') return { status: 426, reason: 'only version 13 of WebSocket is spoken here' };
  const offered = subprotocolsOf(headers['sec-websocket-protocol']);
  const isClean = offered.every((name) => token.test(name)) && new Set(offered).size === offered.length;
  return isClean ? undefined : { status: 400, reason: 'the sec-websocket-protocol is malformed' };
}

const token = /^[!#$%&'*+.^_`|~\w-]+$/;

/** The subprotocols that a client offers. */
export function subprotocolsOf(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',').map((name) => name.trim());
}

/** Headers that make a handshake what it is. */
const ownHeaders = /^(?:connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i;

/** How a WebSocket is compressed where compression is on: without memory between messages, a few at a time. */
const boundedDeflate = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 12,
  concurrencyLimit: 8,
  threshold: 1024,
  zlibDeflateOptions: { level: 3, memLevel: 6 },
};

/** Switches connections to the WebSocket protocol. */
export class Upgrader {
  readonly #server: WebSocketServer;
  // The state of the current handshake, which ws reads through callbacks.
  #subprotocol: string | undefined;
  #headers: readonly string[] = [];
  #problem = '';

  constructor({ maxMessageBytes }: Pick<ServerLimits, 'maxMessageBytes'>, compression: boolean) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: maxMessageBytes,
      maxFragments: 1024,
      perMessageDeflate: compression ? boundedDeflate : false,
      handleProtocols: () => this.#subprotocol ?? false,
    });
    this.#server.on('headers', (lines) => {
      for (let i = 0; i < this.#headers.length; i += 2)
        lines.push(`${this.#headers[i]}: ${this.#headers[i + 1]}`);
    });
    this.#server.on('wsClientError', (error) => {
      this.#problem = error.message;
    });
  }

  /**
   * Answers the handshake as a `websocket.accept` says.
   *
   * @throws ProtocolError when the message is malformed, names a subprotocol that was not offered, or the client offers
   *   malformed extensions
   */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, message: Message): WebSocket {
    this.#subprotocol = readSubprotocol(message, subprotocolsOf(request.headers['sec-websocket-protocol']));
    this.#headers = readHeaderList(message);
    if (this.#headers.some((name, i) => i % 2 === 0 && ownHeaders.test(name)))
      throw new ProtocolError('websocket.accept has a header of the handshake itself');
    // Both are called before it returns.
    const opened: WebSocket[] = [];
    this.#problem = 'the client has left';
    this.#server.handleUpgrade(request, socket, head, (wire) => opened.push(wire));
    if (opened[0] !== undefined) return opened[0];
    throw new ProtocolError(`the handshake is refused: ${this.#problem}`);
  }
}

function readSubprotocol(message: Message, offered: readonly string[]): string | undefined {
  const subprotocol: unknown = Reflect.get(message, 'subprotocol') ?? undefined;
  if (subprotocol === undefined) return undefined;
  if (typeof subprotocol === 'string' && offered.includes(subprotocol)) return subprotocol;
  throw new ProtocolError(
    `expected subprotocol to be one that the client offers (${offered.join(', ') || 'none'}), got: ${String(subprotocol)}`,
  );
}
