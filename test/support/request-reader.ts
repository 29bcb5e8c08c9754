// A second reading of the bytes of a connection, written from RFC 9112 and the documented rules of the server, not from its
// code: which requests the application has to be given, and how the connection goes on.

import { METHODS } from 'node:http';

/** What the application has to be given of a request. */
export interface ReadRequest {
  readonly type: 'http' | 'websocket';
  readonly method: string;
  readonly httpVersion: string;
  readonly rawPath: string;
  readonly path: string;
  readonly queryString: string;
  readonly headers: ReadonlyArray<readonly [string, string]>;
}

export interface Reading {
  readonly requests: ReadRequest[];
  /**
   * `refused`: the server ends it for a reason of its own; `ended`: as asked; `waits`: for more bytes; `socket`: a WebSocket;
   * `cut`: another protocol behind a request, whose connection is cut unless that is answered by then; `open`: the
   * documents do not say.
   */
  readonly end: 'refused' | 'ended' | 'waits' | 'socket' | 'cut' | 'open';
}

const name = /^[!#$%&'*+\-.^`|~0-9A-Za-z]+$/;
const value = /^[\t\x20-\x7e\x80-\x84\x86-\xff]*$/;
const host = /^(?:[\w.~!$&'()*+,;=%-]*|\[[0-9a-fA-F:.]+\])(?::[0-9]{0,5})?$/;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

interface Head {
  readonly request: ReadRequest;
  readonly all: (name: string) => string[];
}

/** Reads all bytes of a client, each as one character. */
export function readConnection(bytes: string): Reading {
  const requests: ReadRequest[] = [];
  for (let at = 0; ; ) {
    // Empty lines before a request, also of half a line end, are no part of it.
    while (bytes[at] === '\r' || bytes[at] === '\n') at++;
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) return { requests, end: isBadStart(bytes.slice(at)) ? 'refused' : 'waits' };
    const head = readHead(bytes.slice(at, end));
    if (head === undefined) return { requests, end: 'refused' };
    const { request, all } = head;
    const connection = all('connection').flatMap((each) =>
      each
        .toLowerCase()
        .split(',')
        .map((part) => part.trim()),
    );
    const isUpgrade = connection.includes('upgrade') && all('upgrade').length > 0;
    const [length, encoding] = [all('content-length')[0], all('transfer-encoding')[0]];
    const hasBody = encoding !== undefined || Number(length ?? 0) > 0;
    if (isUpgrade && (hasBody || (isHandshake(head) && !isGoodHandshake(head))))
      return { requests, end: 'refused' };
    if (request.method === 'CONNECT') return { requests, end: 'ended' };
    const expect = request.httpVersion === '1.1' && !isUpgrade ? all('expect').join(', ') : '';
    const isExpected = /(?:^|\W)100-continue(?:$|\W)/i.test(expect);
    requests.push({ ...request, type: isUpgrade && isHandshake(head) ? 'websocket' : 'http' });
    if (isUpgrade && requests.length > 1) return { requests, end: 'cut' };
    if (isUpgrade) return { requests, end: isHandshake(head) ? 'socket' : 'ended' };
    const after = encoding === undefined ? end + 4 + Number(length ?? 0) : endOfChunks(bytes, end + 4);
    if (after === 'bad') return { requests, end: 'refused' };
    if (after === 'open') return { requests, end: after };
    if (after === 'more' || after > bytes.length) return { requests, end: 'waits' };
    const isKept =
      request.httpVersion === '1.1' ? !connection.includes('close') : connection.includes('keep-alive');
    // Node refuses what comes behind the end, and drops the answers that are under way.
    if (!isKept || isExpected) return { requests, end: after < bytes.length ? 'refused' : 'ended' };
    at = after;
  }
}

/** Of a head that is not whole, whether it cannot become a good one. Not everything that is wrong is found. */
function isBadStart(text: string): boolean {
  const lines = text.split('\r\n');
  return lines.length > 1 && readHead(lines.slice(0, -1).join('\r\n'), true) === undefined;
}

function readHead(text: string, isCut = false): Head | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const [, method = '', target = '', minor = ''] =
    /^([A-Z-]+) +([\x21-\x7e]+) +HTTP\/1\.([01])$/.exec(first) ?? [];
  if (!METHODS.includes(method)) return undefined;
  const headers: Array<[string, string]> = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 0) return undefined;
    const pair: [string, string] = [
      line.slice(0, colon).toLowerCase(),
      line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ''),
    ];
    if (!name.test(pair[0]) || !value.test(pair[1])) return undefined;
    headers.push(pair);
  }
  const all = (wanted: string) => headers.filter(([each]) => each === wanted).map(([, each]) => each);
  for (const single of ['host', 'content-length', 'transfer-encoding', 'origin', 'sec-websocket-key'])
    if (all(single).length > 1) return undefined;
  const [hosts, lengths, encodings] = [all('host'), all('content-length'), all('transfer-encoding')];
  if (lengths.some((each) => !/^[0-9]{1,15}$/.test(each))) return undefined;
  if (encodings.some((each) => each.toLowerCase() !== 'chunked' || minor === '0')) return undefined;
  if (lengths.length + encodings.length > 1) return undefined;
  if (!hosts.every((each) => host.test(each)) || (hosts.length === 0 && minor === '1' && !isCut))
    return undefined;
  const parts = targetOf(target, hosts[0], method);
  if (parts === undefined) return undefined;
  return { request: { type: 'http', method, httpVersion: `1.${minor}`, headers, ...parts }, all };
}

function targetOf(target: string, given: string | undefined, method: string) {
  if (target.includes('#')) return undefined;
  if (method === 'CONNECT') return { rawPath: '', path: '', queryString: '' };
  const [, named, rest = ''] = /^[a-zA-Z]+:\/\/([^/?]*)(.*)$/.exec(target) ?? [];
  if (named === undefined && !/^[/*]/.test(target)) return undefined;
  if (named !== undefined && given !== undefined && named.toLowerCase() !== given.toLowerCase())
    return undefined;
  const [before = '', ...query] = (named === undefined ? target : rest).split('?');
  const rawPath = before === '' ? '/' : before;
  const bytes: number[] = [];
  for (let i = 0; i < rawPath.length; i++) {
    const hex = rawPath.slice(i + 1, i + 3);
    const isEscape = rawPath[i] === '%' && /^[0-9a-fA-F]{2}$/.test(hex);
    bytes.push(isEscape ? Number.parseInt(hex, 16) : rawPath.charCodeAt(i));
    if (isEscape) i += 2;
  }
  const path = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  return { rawPath, path, queryString: query.join('?') };
}

const isHandshake = ({ request, all }: Head) =>
  request.method === 'GET' && all('upgrade').join(', ').toLowerCase() === 'websocket';

function isGoodHandshake({ request, all }: Head): boolean {
  const protocols = all('sec-websocket-protocol')
    .join(', ')
    .split(',')
    .map((each) => each.trim());
  const isOffer = all('sec-websocket-protocol').length > 0;
  return (
    request.httpVersion === '1.1' &&
    /^[+/0-9A-Za-z]{22}==$/.test(all('sec-websocket-key')[0] ?? '') &&
    all('sec-websocket-version').join(', ') === '13' &&
    (!isOffer ||
      (protocols.every((each) => token.test(each)) && new Set(protocols).size === protocols.length))
  );
}

/** Where the chunks end. Of extensions only one form is looked at. */
function endOfChunks(bytes: string, start: number): number | 'bad' | 'more' | 'open' {
  for (let at = start; ; ) {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return 'more';
    const [, hex, extension] = /^([0-9a-fA-F]{1,12})(;.*)?$/s.exec(bytes.slice(at, end)) ?? [];
    if (hex === undefined) return 'bad';
    if (extension !== undefined && !/^;a=b$/.test(extension)) return 'open';
    const length = Number.parseInt(hex, 16);
    at = end + 2;
    if (length > 0) {
      at += length;
      if (at + 2 > bytes.length) return 'more';
      if (bytes.slice(at, at + 2) !== '\r\n') return 'bad';
      at += 2;
    } else {
      if (bytes.startsWith('\r\n', at)) return at + 2;
      const trailers = bytes.indexOf('\r\n\r\n', at);
      if (trailers < 0) return 'more';
      const lines = bytes.slice(at, trailers).split('\r\n');
      const isGood = lines.every(
        (line) => name.test(line.slice(0, line.indexOf(':'))) && !/[\0\r\n]/.test(line),
      );
      return isGood ? trailers + 4 : 'bad';
    }
  }
}
