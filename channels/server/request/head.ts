// The head of a request: refused when another program on the way could read it differently, else made a scope.

import type { IncomingMessage } from 'node:http';
import type { HeaderList } from '../../browser/protocol.js';

/** A request that is refused before any application sees it. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

/** Whether reading a head ended in a refusal. */
export function isRefusal(value: HeaderList | Refusal): value is Refusal {
  return 'status' in value;
}

/** Control characters, and NEL, at which some programs break lines. Node's parser lets a few of them pass. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsafeBytes = /[\x00-\x08\x0a-\x1f\x7f\x85]/;

/** Headers that may come once. Of two, a proxy may believe one and the application the other. */
const singles = new Set(['host', 'content-length', 'transfer-encoding', 'origin', 'sec-websocket-key']);

/** Reads the headers; names become lower case. */
export function readHeaders(request: IncomingMessage): HeaderList | Refusal {
  const { rawHeaders: raw, httpVersion } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return { status: 505, reason: 'only HTTP/1.0 and HTTP/1.1 are spoken here' };
  const headers: Array<readonly [string, string]> = [];
  let seen: Set<string> | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    if (name.includes('_')) return refuse('a header name has an underscore');
    if (unsafeBytes.test(value)) return refuse('a header has a control character');
    if (singles.has(name)) {
      seen ??= new Set();
      if (seen.has(name)) return refuse(`there are several ${name} headers`);
      seen.add(name);
    }
    headers.push([name, value]);
  }
  return problemOf(request) ?? headers;
}

/**
 * A body or a host that two programs could read differently. Node's parser refuses a malformed content-length, several of
 * them, and one beside a transfer-encoding.
 */
function problemOf({ headers, httpVersion, url = '/' }: IncomingMessage): Refusal | undefined {
  const { 'transfer-encoding': encoding, 'content-length': length, host } = headers;
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== 'chunked') return refuse('the transfer-encoding is not "chunked"');
    if (httpVersion === '1.0') return refuse('HTTP/1.0 has no transfer-encoding');
  }
  // Node takes lengths that other programs cannot hold in a number.
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return refuse('the content-length is too long');
  if (url.includes('#')) return refuse('the target has a fragment');
  if (host === undefined) return httpVersion === '1.1' ? refuse('there is no host header') : undefined;
  if (!validHost.test(host)) return refuse('the host is malformed');
  const named = authority.exec(url)?.[1] ?? host;
  return named.toLowerCase() === host.toLowerCase() ? undefined : refuse('the target names another host');
}

/** A name, an IPv4 address or a bracketed IPv6 address, with a port or without; HTTP/1.0 may leave it empty. */
const validHost = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-fA-F:.]+\])(?::\d{0,5})?$/;

function refuse(reason: string): Refusal {
  return { status: 400, reason };
}

/** The parts of a request's target. */
export interface Target {
  readonly path: string;
  readonly rawPath: string;
  readonly queryString: string;
}

const authority = /^[a-zA-Z][\w+.-]*:\/\/([^/?]*)/;

/** Splits a request target: `/path?query`, `http://host/path?query` or `*`. */
export function readTarget(url: string): Target {
  const local = url.startsWith('/') ? url : url.replace(authority, '');
  const mark = local.indexOf('?');
  const rawPath = (mark < 0 ? local : local.slice(0, mark)) || '/';
  const queryString = mark < 0 ? '' : local.slice(mark + 1);
  return { path: unquote(rawPath), rawPath, queryString };
}

/** Plain ASCII without escapes: decoded, it is the same. */
const plain = /^[!-$&-~]*$/;

/**
 * Decodes percent escapes as UTF-8. An escape that is none stays as it is; bytes that are no UTF-8 become U+FFFD. Node
 * gives each byte of the target as one character.
 */
function unquote(text: string): string {
  if (plain.test(text)) return text;
  const bytes = text.replace(/%([\da-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
