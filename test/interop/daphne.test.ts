// The same exchanges with daphne and Channels' consumers, and with our server and consumers: what the clients saw, and what
// the applications were given and said, is the same but for the differences that are listed.

import t from 'tap';
import { type Application, InMemoryChannelLayer, NoRouteError } from '../../channels/index.js';
import { serve } from '../../channels/server/index.js';
import { startDaphne } from '../support/daphne.js';
import { shortText, WireClient } from '../support/wire-client.js';
import { type Difference, type DifferenceRule, differenceRules } from './daphne-differences.js';
import { exchangeApplication, type InstanceRecord } from './exchange-application.js';
import { type Call, fatalExchanges, handshake, httpExchanges, socketExchanges } from './exchanges.js';

/** So many exchanges are under way at once; daphne looks for failed applications once a second. */
const parallel = 40;

type NamedExchange = readonly [name: string, run: (call: Call) => Promise<unknown>];

const named = (prefix: string, of: Readonly<Record<string, NamedExchange[1]>>): NamedExchange[] =>
  Object.entries(of).map(([name, run]) => [`${prefix}: ${name}`, run] as const);
const exchanges = [...named('HTTP', httpExchanges), ...named('WebSocket', socketExchanges)];
const fatal = named('HTTP', fatalExchanges);

class RunningExchange implements Call {
  readonly #id: string;
  readonly #port: number;
  readonly #clients: WireClient[] = [];

  constructor(id: number, port: number) {
    this.#id = String(id);
    this.#port = port;
  }

  async open(): Promise<WireClient> {
    const client = await WireClient.open(this.#port);
    this.#clients.push(client);
    return client;
  }

  head(line: string, ...headers: string[]): string {
    const first = / HTTP\//.test(line) ? line : `${line} HTTP/1.1`;
    return `${[first, 'Host: test', ...headers, `X-Exchange: ${this.#id}`].join('\r\n')}\r\n\r\n`;
  }

  async recorded(condition: (instances: InstanceRecord[]) => boolean): Promise<void> {
    await this.#recordsWhen(condition);
  }

  async later(): Promise<void> {
    const client = await WireClient.open(this.#port);
    client.write(`GET /ws/plain HTTP/1.1\r\nHost: test\r\n${handshake.join('\r\n')}\r\n\r\n`);
    await client.response();
    // daphne looks for applications that failed once a second, and pings every two seconds.
    for (let pings = 0; pings < 2; ) {
      const frame = await client.frame();
      if (frame?.opcode !== 9) continue;
      pings++;
      client.send(10, frame.payload);
    }
    client.destroy();
  }

  async run(exchange: (call: Call) => Promise<unknown>): Promise<unknown> {
    let client: unknown;
    try {
      client = await exchange(this);
    } catch (error) {
      client = String(error);
    }
    for (const each of this.#clients) each.destroy();
    const application = await this.#recordsWhen((all) => all.every(({ end }) => end !== undefined));
    return { client, application: application.map(normal) };
  }

  async #recordsWhen(condition: (instances: InstanceRecord[]) => boolean): Promise<InstanceRecord[]> {
    const client = await WireClient.open(this.#port);
    try {
      for (;;) {
        client.write(`GET /records?${this.#id} HTTP/1.1\r\nHost: test\r\n\r\n`);
        const records: InstanceRecord[] = JSON.parse((await client.wholeBody()).toString());
        if (condition(records)) return records;
        // The server has other things to do.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } finally {
      client.destroy();
    }
  }
}

async function runAll(exchanges: readonly NamedExchange[], port: number): Promise<Map<string, unknown>> {
  const results = new Map<string, unknown>();
  const waiting = [...exchanges.entries()];
  const runSome = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [id, [name, exchange]] = next;
      results.set(name, await new RunningExchange(id, port).run(exchange));
    }
  };
  await Promise.all(Array.from({ length: parallel }, runSome));
  return results;
}

/** Names as in the specification, its defaults filled in, and what differs in every run left out. */
function normal({ scope, received, sent, end }: InstanceRecord) {
  const fields = Object.entries(scope as object).map(([key, value]) => [snakeCase(key), value] as const);
  const { asgi, url_route: _route, ...given } = Object.fromEntries(fields);
  const headers = (given.headers as string[][]).filter(([name]) => name !== 'x-exchange');
  return {
    scope: {
      ...{ http_version: '1.1', scheme: given.type === 'http' ? 'http' : 'ws', root_path: '' },
      ...given,
      headers: Object.fromEntries(
        headers.map(([name = '', value = ''], i) => [`${i} ${name}`, shortText(value)]),
      ),
      'spec version': asgi.specVersion ?? asgi.spec_version ?? '2.0',
      client: withoutPort(given.client),
      server: withoutPort(given.server),
      state: Object.hasOwn(given, 'state'),
    },
    received: mergeBodies(received.map(withDefaults)),
    sent: sent.map(withDefaults),
    end,
  };
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function withoutPort(address: unknown): unknown {
  if (!Array.isArray(address)) return address;
  return `${address[0]} ${Number(address[1]) > 1024 && address[1] !== 4711 ? 'PORT' : address[1]}`;
}

type Fields = Record<string, unknown>;

/** Source: the ASGI specification; what may be missing is what it is then. */
const defaults: Readonly<Record<string, Fields>> = {
  'http.request': { body: '', more_body: false },
  'http.response.start': { headers: [] },
  'http.response.body': { body: '', more_body: false },
  'websocket.accept': { subprotocol: null, headers: [] },
  'websocket.close': { code: 1000, reason: '' },
  'websocket.disconnect': { code: 1005, reason: '' },
};

function withDefaults(message: unknown): Fields {
  const given = Object.entries(message as Fields).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  const { type } = message as Fields;
  const fields: Fields = { ...defaults[String(type)], ...Object.fromEntries(given) };
  const texts = Object.entries(fields).map(([key, value]) => [
    key,
    typeof value === 'string' && !(type === 'http.request' && key === 'body') ? shortText(value) : value,
  ]);
  return Object.fromEntries(texts);
}

/** In how many parts a body comes is chance. */
function mergeBodies(messages: Fields[]): Fields[] {
  const parts = messages.filter(({ type }) => type === 'http.request');
  const others = messages.filter(({ type }) => type !== 'http.request');
  if (parts.length === 0) return others;
  const body = parts.map((each) => each.body).join('');
  return [{ type: 'http.request', body: shortText(body), more_body: parts.at(-1)?.more_body }, ...others];
}

/** Where two results differ; what one side does not have at all is one difference. */
function* differences(exchange: string, here: unknown, daphne: unknown, path = ''): Generator<Difference> {
  if (isMap(here) && isMap(daphne) && here.type === daphne.type) {
    for (const key of new Set([...Object.keys(here), ...Object.keys(daphne)]))
      yield* differences(exchange, here[key], daphne[key], path === '' ? key : `${path}.${key}`);
  } else if (here !== daphne) {
    const where = path
      .replace(/\.\d+(?=\.|$)/g, '')
      .replace(/(headers)\.\d+ /, '$1.')
      .replace(/^client\.(?:response|first|second)\./, 'client.');
    yield { exchange, value: `${where}: ${brief(here)} / ${brief(daphne)}` };
  }
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function brief(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (!isMap(value)) return JSON.stringify(value);
  const { type, status, scope, messages } = value;
  if (scope !== undefined) return 'an instance';
  return String(type ?? status ?? (messages === undefined ? JSON.stringify(value) : 'an end'));
}

/** What a rule says: that an exchange shows it, or that this is what is shown. */
function claim({ what }: DifferenceRule, part: string): string {
  return `${what}: ${part}`;
}

/** An application without a lifespan. */
function withoutLifespan(application: Application): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'lifespan') throw new NoRouteError('no lifespan');
    await application(scope, receive, send);
  };
}

t.test('our server does what daphne does, but for what is listed', async (t) => {
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  const server = await serve(withoutLifespan(exchangeApplication(layer)), {
    listen: '127.0.0.1:0',
    trustedProxies: ['127.0.0.1'],
    limits: { pingMs: 500 },
  });
  t.teardown(() => server.close({ graceMs: 0 }));
  const ourPort = Number(server.addresses[0]?.split(':').at(-1));
  const about = {
    directory: '../interop/',
    application: 'daphne_app:application',
    options: ['--proxy-headers', '--ping-interval', '1'],
  };
  const all = [...exchanges, ...fatal];
  const [ours, ...theirs] = await Promise.all([
    runAll(all, ourPort),
    startDaphne(t, about).then((port) => runAll(exchanges, port)),
    startDaphne(t, about).then((port) => runAll(fatal, port)),
  ]);
  const expected = new Map(theirs.flatMap((each) => [...each]));
  const found = all.flatMap(([name]) => [...differences(name, ours.get(name), expected.get(name))]);
  const unused = new Set(
    differenceRules.flatMap((rule) => [...rule.exchanges, ...rule.values].map((each) => claim(rule, each))),
  );
  const unlisted: Difference[] = [];
  for (const each of found) {
    const rules = differenceRules.filter(
      ({ exchanges, values }) =>
        (exchanges.includes('many') || exchanges.includes(each.exchange)) && values.includes(each.value),
    );
    if (rules.length === 0) unlisted.push(each);
    for (const rule of rules)
      for (const part of ['many', each.exchange, each.value]) unused.delete(claim(rule, part));
  }
  t.comment(`${all.length} exchanges, ${found.length} differences, ${differenceRules.length} rules`);
  t.same(unlisted, [], 'no difference is unlisted');
  t.same([...unused], [], 'every listed difference exists');
});
