// A console in the process of the test, and clients that speak HTTP to it.

import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Test } from 'tap';
import { createLink } from '../../src/console/access/secrets.js';
import type { Role, SessionView } from '../../src/console/api.js';
import { Console } from '../../src/console/console.js';
import { Logger } from '../../src/log/logger.js';
import { loadSite, type Site, type SiteConfig } from '../../src/site/site.js';
import { openStore, type Store } from '../../src/store/store.js';
import { migratedDatabase } from './database.js';
import { siteDirectory } from './site.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body, read as JSON. */
  json<T>(): T;
}

export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** One browser: it keeps its cookie, and sends the token of its session with each change. */
export class ConsoleClient {
  cookie = '';
  token = '';
  /** Ends with a slash. */
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  get(path: string, headers: Headers = {}): Promise<Answer> {
    return this.send('GET', path, undefined, headers);
  }

  post(path: string, body: unknown = {}, headers: Headers = {}): Promise<Answer> {
    const own: Headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' };
    const token: Headers = this.token === '' ? {} : { 'x-console-token': this.token };
    return this.send('POST', path, JSON.stringify(body), { ...own, ...token, ...headers });
  }

  async signIn(body: unknown, headers: Headers = {}): Promise<Answer> {
    const answer = await this.post('api/sign-in', body, headers);
    if (answer.status === 200) this.token = answer.json<SessionView>().token;
    return answer;
  }

  /** Signs in by the token of a link. */
  async enter(token: string): Promise<this> {
    const { status, text } = await this.signIn({ token });
    if (status !== 200) throw new Error(`signing in was answered with ${status}: ${text}`);
    return this;
  }

  async send(method: string, path: string, body?: string, headers: Headers = {}): Promise<Answer> {
    const response = await this.open(method, path, body, headers);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    for (const cookie of response.headers['set-cookie'] ?? []) this.cookie = cookie.split(';')[0] ?? '';
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      json: () => JSON.parse(text),
    };
  }

  /** Sends a request, and returns when the head of the answer is there. */
  async open(method: string, path: string, body?: string, headers: Headers = {}): Promise<IncomingMessage> {
    const cookie = this.cookie === '' ? {} : { cookie: this.cookie };
    const sent = request(new URL(path, this.url), {
      method,
      agent: false,
      headers: Object.fromEntries(
        Object.entries({ ...cookie, ...headers }).map(([name, value]) => [
          name,
          typeof value === 'string' ? value : [...value],
        ]),
      ),
    });
    sent.end(body);
    const [response] = await once(sent, 'response');
    return response;
  }
}

export class ConsoleServer {
  readonly site: Site;
  readonly store: Store;
  readonly console: Console;
  /** What was logged: level, logger and message. */
  readonly records: readonly string[];

  /** Starts a console on a free port of the loopback; it ends with the test. */
  static async start(t: Test, config: SiteConfig = {}): Promise<ConsoleServer> {
    const { consoleUser, ...settings } = config;
    const directory = siteDirectory(t, settings);
    const databaseUrl = await migratedDatabase(t, directory);
    const flags: SiteConfig = { databaseUrl, ...(consoleUser === undefined ? {} : { consoleUser }) };
    const site = await loadSite(directory, { environment: {}, flags });
    const store = await openStore(site);
    t.teardown(() => store.close());
    const layer = await site.openLayer();
    t.teardown(() => layer.close());
    const records: string[] = [];
    const sink = {
      write: (level: string, name: string, message: string) =>
        void records.push(`${level} ${name}: ${message}`),
    };
    const logger = new Logger({ sink, name: 'console', level: 'DEBUG' });
    const listen = site.settings.console || '127.0.0.1:0';
    const console = await Console.start({ site, store, layer, logger, listen });
    t.teardown(() => console.close(0));
    return new ConsoleServer(site, store, console, records);
  }

  private constructor(site: Site, store: Store, console: Console, records: readonly string[]) {
    this.site = site;
    this.store = store;
    this.console = console;
    this.records = records;
  }

  client(): ConsoleClient {
    return new ConsoleClient(this.console.url);
  }

  /** A client that is signed in by a link. */
  async signedIn(role: Role): Promise<ConsoleClient> {
    return await this.client().enter(await this.link(role));
  }

  async link(role: Role): Promise<string> {
    return await createLink(this.store, { name: role, role });
  }
}
