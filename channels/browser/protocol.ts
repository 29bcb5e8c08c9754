// The scopes and messages of HTTP and WebSocket connections, as the protocol server and consumers exchange them.
//
// Source: the ASGI specification, "HTTP & WebSocket" 2.5 and "Lifespan" 2.0. docs/guides/server.md lists the differences.

import type { Message, Scope } from '../application.js';

/** Headers in their order, duplicates kept. Names are in lower case; each character of a value is one byte. */
export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>;

/** What a server knows of a connection, whatever its protocol. */
export interface ConnectionFacts {
  readonly asgi: { readonly version: '3.0'; readonly specVersion: string };
  readonly httpVersion: string;
  /** `http`, `https`, `ws` or `wss`. */
  readonly scheme: string;
  /** Percent-decoded, as UTF-8. */
  readonly path: string;
  /** The path as it came, still encoded. */
  readonly rawPath: string;
  /** What follows the first `?`, still encoded; empty when there is none. */
  readonly queryString: string;
  /** Where the application is mounted; empty for the root. */
  readonly rootPath: string;
  readonly headers: HeaderList;
  /** The client's address and port; null on a Unix socket without proxy headers. */
  readonly client: readonly [address: string, port: number] | null;
  /** The address and port that the server listens on, or the path of its socket and null. */
  readonly server: readonly [address: string, port: number | null] | null;
  /** A copy of what the application put there in its lifespan. */
  readonly state: Record<string, unknown>;
}

/** What HTTP and WebSocket scopes have in common. */
export interface ConnectionScope extends Scope, ConnectionFacts {
  readonly path: string;
  /** Abilities of the server beyond the specification. */
  readonly extensions: {
    readonly socket?: SocketExtension;
    readonly stopping?: AbortSignal;
    /** Whether the peer itself is a trusted proxy, so that its headers count. */
    readonly isProxied?: boolean;
  };
}

export interface HttpScope extends ConnectionScope {
  readonly type: 'http';
  readonly method: string;
}

export interface WebsocketScope extends ConnectionScope {
  readonly type: 'websocket';
  /** What the client offers, in its order. */
  readonly subprotocols: readonly string[];
}

/** What a consumer reports to the server about its WebSocket, for `sockets()` and for the log. */
export interface SocketExtension {
  /** The groups that the consumer has joined. */
  readonly groups: Set<string>;
  /** Bytes that wait in the consumer's queue. */
  queuedBytes: number;
  /** Messages that the consumer dropped because the client did not read. */
  dropped: number;
  /** Whether the queues of all sockets together are within the server's limit. */
  hasRoom(): boolean;
  /** Reports an error that does not end the connection. */
  report(error: Error): void;
}

/** A part of a request's body. */
export interface HttpRequest extends Message {
  readonly type: 'http.request';
  readonly body: Uint8Array;
  readonly more_body: boolean;
}

export interface HttpDisconnect extends Message {
  readonly type: 'http.disconnect';
}

/** Status and headers of a response; sent with the first part of its body. */
export interface HttpResponseStart extends Message {
  readonly type: 'http.response.start' | 'websocket.http.response.start';
  readonly status: number;
  readonly headers?: HeaderList | undefined;
}

export interface HttpResponseBody extends Message {
  readonly type: 'http.response.body' | 'websocket.http.response.body';
  readonly body?: Uint8Array | undefined;
  readonly more_body?: boolean | undefined;
}

export interface WebsocketConnect extends Message {
  readonly type: 'websocket.connect';
}

export interface WebsocketAccept extends Message {
  readonly type: 'websocket.accept';
  readonly subprotocol?: string | undefined;
  readonly headers?: HeaderList | undefined;
}

/** A message of the client: exactly one of `text` and `bytes` is set. */
export interface WebsocketReceive extends Message {
  readonly type: 'websocket.receive';
  readonly text?: string;
  readonly bytes?: Uint8Array;
}

/** A message to the client: exactly one of `text` and `bytes` is set. */
export interface WebsocketSend extends Message {
  readonly type: 'websocket.send';
  readonly text?: string | undefined;
  readonly bytes?: Uint8Array | undefined;
}

export interface WebsocketClose extends Message {
  readonly type: 'websocket.close';
  /** Default 1000. */
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
}

export interface WebsocketDisconnect extends Message {
  readonly type: 'websocket.disconnect';
  /** 1005 when the client gave none, 1006 when the connection broke. */
  readonly code: number;
  readonly reason: string;
}

/** What an application receives on a connection. */
export type ConnectionInput =
  | HttpRequest
  | HttpDisconnect
  | WebsocketConnect
  | WebsocketReceive
  | WebsocketDisconnect;

/** The first value of a header; undefined when there is none. `name` is in lower case. */
export function headerOf({ headers }: Pick<ConnectionScope, 'headers'>, name: string): string | undefined {
  return headers.find(([each]) => each === name)?.[1];
}

/** Whether a scope is that of a connection, as a server makes it. */
export function isConnectionScope(scope: Scope): scope is HttpScope | WebsocketScope {
  return (scope.type === 'http' || scope.type === 'websocket') && Array.isArray(scope.headers);
}
