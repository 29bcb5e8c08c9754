// Middleware around an application: the cookies of a client, and a session in one of them that only the server can write.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Application, Message, Scope } from '../application.js';
import { ChannelsError, InvalidOptionError, ProtocolError } from '../errors.js';
import { type HeaderList, isConnectionScope } from './protocol.js';

/**
 * Reads the client's cookies; the application finds them with `cookiesOf(scope)`. Of two with the same name the last counts.
 *
 * Source: django/channels channels/sessions.py, CookieMiddleware.
 */
export function cookies(application: Application): Application {
  return async (scope, receive, send) => {
    if (!isConnectionScope(scope)) return await application(scope, receive, send);
    await application({ ...scope, cookies: parseCookies(scope.headers) }, receive, send);
  };
}

/** The cookies of a connection. @throws ProtocolError where there is no `cookies` around the application */
export function cookiesOf(scope: Scope): Readonly<Record<string, string>> {
  return fieldOf<Readonly<Record<string, string>>>(scope, 'cookies', 'cookies');
}

export interface SessionOptions {
  /** Texts of at least 32 characters. The first key signs, all keys verify. To rotate keys, put the new one first. */
  readonly keys: readonly string[];
  /** The cookie's name. Default `session`. */
  readonly cookie?: string | undefined;
  /** Seconds for which a session is valid after it was written. Default two weeks. */
  readonly maxAgeSeconds?: number | undefined;
  /** Below which path the browser sends the cookie. Default `/`. */
  readonly path?: string | undefined;
  /** Whether the browser sends it when a link of another site leads here. Default `Lax`: yes. */
  readonly sameSite?: 'Lax' | 'Strict' | undefined;
}

/** A session as the application sees and changes it; what JSON can hold. Its client can read it. */
export type Session = Record<string, unknown>;

/**
 * Keeps a session in a cookie that is signed with HMAC-SHA256. The application reads and changes it with `sessionOf(scope)`.
 * The start of a response, or the accept of a socket, writes the changes back. An empty session is removed.
 *
 * The cookie is `HttpOnly`, `SameSite=Lax` by default, and `Secure` when the connection is.
 *
 * @throws InvalidOptionError for keys that are too short
 * @example signedSession(application, { keys: [process.env.SESSION_KEY ?? ''] })
 */
export function signedSession(application: Application, options: SessionOptions): Application {
  const { keys, cookie = 'session', maxAgeSeconds = 1_209_600, path = '/', sameSite = 'Lax' } = options;
  if (keys.length === 0 || keys.some((key) => key.length < 32))
    throw new InvalidOptionError(
      'keys',
      'texts of at least 32 characters',
      'something else, which is not shown',
    );
  return async (scope, receive, send) => {
    if (!isConnectionScope(scope)) return await application(scope, receive, send);
    const session = open(parseCookies(scope.headers)[cookie], cookie, keys, maxAgeSeconds);
    const before = JSON.stringify(session);
    const attributes = `Path=${path}; HttpOnly; SameSite=${sameSite}${/^(?:https|wss)$/.test(scope.scheme) ? '; Secure' : ''}`;
    const withCookie = <M extends Message>(message: M): M => {
      const after = JSON.stringify(session);
      if (!setsHeaders.has(message.type) || after === before) return message;
      const value = after === '{}' ? '; Max-Age=0' : `${seal(after, cookie, keys)}; Max-Age=${maxAgeSeconds}`;
      const given: unknown = Reflect.get(message, 'headers');
      const headers: unknown[] = Array.isArray(given) ? given : [];
      return { ...message, headers: [...headers, ['set-cookie', `${cookie}=${value}; ${attributes}`]] };
    };
    await application({ ...scope, session }, receive, (message) => send(withCookie(message)));
  };
}

/** The session of a connection. @throws ProtocolError where there is no `signedSession` around the application */
export function sessionOf(scope: Scope): Session {
  return fieldOf<Session>(scope, 'session', 'signedSession');
}

/** A session does not fit into a cookie; keep less in it, such as the key of a row. */
export class SessionTooLargeError extends ChannelsError {
  constructor(bytes: number) {
    super(
      'CHANNELS_ERR_SESSION_TOO_LARGE',
      `the session is ${bytes} bytes long, and a cookie holds ${maxCookieBytes}`,
    );
  }
}

const maxCookieBytes = 4000;

const setsHeaders = new Set(['http.response.start', 'websocket.http.response.start', 'websocket.accept']);

function fieldOf<T extends object>(scope: Scope, field: string, middleware: string): T {
  const value = scope[field];
  if (typeof value === 'object' && value !== null) return value as T;
  throw new ProtocolError(`the scope has no ${field}; put ${middleware}() around the application`);
}

function parseCookies(headers: HeaderList): Readonly<Record<string, string>> {
  const pairs = headers
    .filter(([name]) => name === 'cookie')
    .flatMap(([, value]) => value.split(';'))
    .map(
      (pair) =>
        [
          pair.slice(0, Math.max(0, pair.indexOf('='))).trim(),
          pair.slice(pair.indexOf('=') + 1).trim(),
        ] as const,
    )
    .filter(([name]) => name !== '')
    .map(([name, value]) => [name, value.replace(/^"(.*)"$/, '$1')] as const);
  return Object.fromEntries(pairs);
}

/** `CONTENT.SECONDS.SIGNATURE`, all of them safe in a cookie. */
function seal(json: string, cookie: string, [key = '']: readonly string[]): string {
  const signed = `${Buffer.from(json).toString('base64url')}.${Math.floor(Date.now() / 1000)}`;
  const sealed = `${signed}.${sign(signed, cookie, key).toString('base64url')}`;
  if (sealed.length > maxCookieBytes) throw new SessionTooLargeError(sealed.length);
  return sealed;
}

/** An empty session for a cookie that is missing, forged or too old. */
function open(
  sealed: string | undefined,
  cookie: string,
  keys: readonly string[],
  maxAgeSeconds: number,
): Session {
  const [, signed = '', content = '', seconds = '', signature = ''] =
    /^(([\w-]+)\.(\d{1,12}))\.([\w-]+)$/.exec(sealed ?? '') ?? [];
  const given = Buffer.from(signature, 'base64url');
  const isOurs = keys.some((key) => {
    const expected = sign(signed, cookie, key);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!isOurs || Number(seconds) + maxAgeSeconds < Date.now() / 1000) return {};
  return JSON.parse(Buffer.from(content, 'base64url').toString());
}

/** Signs the cookie's name, too, so that the value is valid in no other cookie. */
function sign(text: string, cookie: string, key: string): Buffer {
  return createHmac('sha256', key).update(`${cookie}=${text}`).digest();
}
