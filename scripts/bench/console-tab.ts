// A tab of the console without a browser: it signs in, calls the API, and listens to the stream as the page does.

import type { Program } from './program.js';

export class ConsoleTab {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #ended = new AbortController();
  readonly #work: Promise<unknown>[] = [];
  /** How many calls the tab has made because something changed. */
  loads = 0;

  /** @param link as `linod console link` prints it */
  static async signIn(link: string): Promise<ConsoleTab> {
    const [url = '', token = ''] = link.split('#token=');
    const response = await fetch(`${url}api/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url.slice(0, -1) },
      body: JSON.stringify({ token }),
    });
    if (!response.ok) throw new Error(`signing in: ${response.status} ${await response.text()}`);
    const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';')[0] ?? '');
    return new ConsoleTab(url, { cookie: cookies.join('; ') });
  }

  private constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.#url = url;
    this.#headers = headers;
  }

  /** Another tab of the same browser. */
  another(): ConsoleTab {
    return new ConsoleTab(this.#url, this.#headers);
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}api/${path}`, {
      headers: this.#headers,
      signal: this.#ended.signal,
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`api/${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** How long a call takes, until its last byte. */
  async time(path: string): Promise<number> {
    const from = performance.now();
    const response = await fetch(`${this.#url}api/${path}`, { headers: this.#headers });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`api/${path}: ${response.status}`);
    return performance.now() - from;
  }

  /** Opens the stream, and gets what a page shows at each change. Resolves when the first event has come. */
  async open(query: string, paths: readonly string[] = []): Promise<void> {
    const { signal } = this.#ended;
    const response = await fetch(`${this.#url}api/stream?${query}`, { headers: this.#headers, signal });
    const reader = response.body?.getReader();
    await reader?.read();
    let isChanged = true;
    const listen = async (): Promise<void> => {
      while ((await reader?.read())?.done === false) isChanged = true;
    };
    const load = async (): Promise<void> => {
      while (!signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (!isChanged || paths.length === 0) continue;
        isChanged = false;
        const from = performance.now();
        await Promise.all(paths.map((path) => this.get(path)));
        this.loads += paths.length;
        // As the page does, so that a slow server is asked less often.
        await new Promise((resolve) => setTimeout(resolve, 9 * (performance.now() - from)));
      }
    };
    this.#work.push(
      listen().catch(() => undefined),
      load().catch(this.#onError),
    );
  }

  readonly #onError = (error: unknown): void => {
    if (!this.#ended.signal.aborted) process.stderr.write(`a tab failed: ${String(error)}\n`);
  };

  async close(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#work);
  }
}

/** The link in what a program printed. */
export function linkOf({ readyLine }: Program): string {
  return readyLine.slice(readyLine.indexOf('http'));
}
