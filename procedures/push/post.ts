// Posts to push services over kept-alive connections, with a time limit, and not to private addresses.

import http from 'node:http';
import https from 'node:https';
import { publicLookup, refusePrivateEndpoint } from './addresses.js';
import type { PushRequest } from './web-push.js';

/** A push service's answer. */
export interface PushAnswer {
  readonly status: number;
  /** The header `Retry-After`, unparsed. */
  readonly retryAfter: string | undefined;
  /** The beginning of the body. */
  readonly text: string;
}

/** The rest of a longer answer is ignored. */
const maxAnswerCharacters = 500;

export interface PosterOptions {
  /** Whether endpoints may lead to private addresses. */
  readonly allowPrivate: boolean;
  /** The maximum number of connections to one push service. */
  readonly connections: number;
  /** The time limit of one request, in ms. */
  readonly timeoutMs: number;
}

/** Posts to push services. */
export class Poster {
  readonly #options: PosterOptions;
  readonly #agents: { readonly 'http:': http.Agent; readonly 'https:': https.Agent };

  constructor(options: PosterOptions) {
    this.#options = options;
    const pool = { keepAlive: true, maxSockets: options.connections };
    this.#agents = { 'http:': new http.Agent(pool), 'https:': new https.Agent(pool) };
  }

  /**
   * Posts one request. Does not follow redirections, which could lead anywhere.
   *
   * @param signal aborts the request
   * @throws PrivateAddressError (`LINOD_ERR_PRIVATE_ADDRESS`); connection errors; the signal's reason
   */
  async post({ url, headers, body }: PushRequest, signal: AbortSignal): Promise<PushAnswer> {
    const { allowPrivate, timeoutMs } = this.#options;
    if (!allowPrivate) refusePrivateEndpoint(url);
    const isPlain = url.protocol === 'http:';
    const limit = AbortSignal.timeout(timeoutMs);
    const options = {
      method: 'POST',
      headers,
      agent: this.#agents[isPlain ? 'http:' : 'https:'],
      signal: AbortSignal.any([signal, limit]),
      ...(allowPrivate ? {} : { lookup: publicLookup }),
    };
    try {
      return await new Promise<PushAnswer>((resolve, reject) => {
        const request = isPlain ? http.request(url, options) : https.request(url, options);
        request.once('error', reject);
        request.once('response', (response) => readAnswer(response).then(resolve, reject));
        request.end(body);
      });
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) throw new Error(`no answer within ${timeoutMs} ms`, { cause: error });
      throw error;
    }
  }

  /** Closes the connections. Safe to call twice. */
  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }
}

async function readAnswer(response: http.IncomingMessage): Promise<PushAnswer> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += String(chunk);
    // Leaving the loop ends the connection.
    if (text.length > maxAnswerCharacters) break;
  }
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'],
    text: text.slice(0, maxAnswerCharacters).replace(/\s+/g, ' ').trim(),
  };
}
