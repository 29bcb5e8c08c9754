// Who gets into the console, and what is refused.

import t, { type Test } from 'tap';
import { Brake } from '../../../src/console/access/brake.js';
import type { AuditRow, ErrorBody, Page, SessionView, WorkerView } from '../../../src/console/api.js';
import { refusalOf } from '../../../src/console/errors.js';
import { allRoutes } from '../../../src/console/routes/index.js';
import { requireKept } from '../../../src/insight/channel-messages.js';
import { StoreUnavailableError } from '../../../src/store/errors.js';
import { consoleTables, type Database, tables } from '../../../src/store/schema.js';
import { ConsoleServer } from '../../support/console-server.js';

/** Everything in the database but links that nobody has used. */
async function content({ store: { db } }: ConsoleServer): Promise<string> {
  const names = [...Object.keys(tables), ...Object.keys(consoleTables)] as Array<keyof Database>;
  const rows = await Promise.all(names.map((name) => db.selectFrom(name).selectAll().execute()));
  const isLink = (row: object) => 'purpose' in row && row.purpose === 'link';
  return JSON.stringify(rows.map((table) => table.filter((row) => !isLink(row))));
}

const pathOf = (path: string) => path.replace(/:\w+/g, '1');
const changes = allRoutes.filter((route) => route.method === 'POST');

t.test('nobody gets 401 from every route, and changes nothing', async (t) => {
  const server = await ConsoleServer.start(t);
  const before = await content(server);
  const nobody = server.client();
  for (const { method, path } of allRoutes) {
    const answer = method === 'GET' ? await nobody.get(pathOf(path)) : await nobody.post(pathOf(path));
    t.equal(answer.status, 401, `${method} ${path}`);
    t.match(answer.json<ErrorBody>(), { error: { code: 'LINOD_ERR_NOT_SIGNED_IN' } });
  }
  for (const path of ['api/sign-out', 'api/nothing']) t.match(await nobody.post(path), { status: 401 });
  t.match(await nobody.get('api/stream?topics=jobs'), { status: 401 });
  t.equal(await content(server), before);
});

t.test('whoever lacks the role gets 403 from every change, and changes nothing', async (t) => {
  const server = await ConsoleServer.start(t);
  const [viewer, operator] = [await server.signedIn('viewer'), await server.signedIn('operator')];
  const before = await content(server);
  for (const { path } of changes) t.match(await viewer.post(pathOf(path)), { status: 403 }, path);
  const forAdmins = changes.filter(({ role }) => role === 'admin');
  t.same(
    forAdmins.map(({ action }) => action),
    ['rule.set', 'rule.undo', 'socket.close', 'worker.drain'],
  );
  for (const { path } of forAdmins) {
    const answer = await operator.post(pathOf(path));
    t.equal(answer.status, 403, path);
    t.match(answer.json<ErrorBody>(), {
      error: { code: 'LINOD_ERR_ROLE', message: /needs the role admin$/ },
    });
  }
  t.equal(await content(server), before);
});

t.test('what another site sends is refused, whoever is signed in', async (t) => {
  const server = await ConsoleServer.start(t);
  const admin = await server.signedIn('admin');
  const before = await content(server);
  for (const site of ['cross-site', 'same-site', 'anything']) {
    const headers = { 'sec-fetch-site': site };
    t.equal((await admin.get('api/session', headers)).status, 403, `reading, ${site}`);
    for (const { path } of changes) t.equal((await admin.post(pathOf(path), {}, headers)).status, 403, path);
    const signIn = await server.client().signIn({ token: await server.link('admin') }, headers);
    t.equal(signIn.status, 403, 'nobody is signed in by another site');
  }
  const older = { origin: 'http://evil.example', 'content-type': 'application/json' };
  for (const origin of ['http://evil.example', 'null', `${server.console.url.slice(0, -1)}0`]) {
    const answer = await admin.send('POST', 'api/sign-out', '{}', {
      ...older,
      origin,
      'x-console-token': admin.token,
    });
    t.equal(answer.status, 403, `a browser without Sec-Fetch-Site, at ${origin}`);
  }
  t.equal((await admin.get('api/session', { 'sec-fetch-site': 'none' })).status, 200);
  t.equal((await admin.get('api/session', { origin: server.console.url.slice(0, -1) })).status, 200);
  t.equal(await content(server), before);
});

t.test('a change needs the token of its own session', async (t) => {
  const server = await ConsoleServer.start(t);
  const [admin, other] = [await server.signedIn('admin'), await server.signedIn('admin')];
  t.not(admin.token, other.token);
  for (const token of ['', 'x', other.token]) {
    for (const path of ['api/sign-out', ...changes.map(({ path }) => pathOf(path))])
      t.match(await admin.post(path, {}, { 'x-console-token': token }), { status: 403 }, path);
  }
  const form = { 'content-type': 'text/plain' };
  for (const { path } of changes)
    t.equal((await admin.post(pathOf(path), {}, form)).status, 400, 'only JSON');
  t.equal((await admin.get('api/session')).status, 200, 'the session goes on');
});

t.test('the cookie is for this console alone, and says nothing when it is forged', async (t) => {
  const server = await ConsoleServer.start(t);
  const client = server.client();
  const answer = await client.signIn({ token: await server.link('viewer') });
  t.match(answer.headers['set-cookie']?.[0], /^linod_console_test=.*; Path=\/; HttpOnly; SameSite=Strict$/);
  t.match(answer.json<SessionView>(), {
    user: 'viewer',
    role: 'viewer',
    site: { name: 'test', timezone: 'UTC' },
  });
  const [name, value = ''] = client.cookie.split('=');
  const [content, seconds, signature] = value.split('.');
  const forged = Buffer.from(JSON.stringify({ secret: 'x', role: 'admin' })).toString('base64url');
  client.cookie = `${name}=${forged}.${seconds}.${signature}`;
  t.equal((await client.get('api/session')).status, 401);
  client.cookie = `${name}=${content}.${seconds}.${'A'.repeat(43)}`;
  t.equal((await client.get('api/session')).status, 401, 'with another signature');
  client.cookie = `${name}=${value}`;
  t.equal((await client.get('api/session')).status, 200);
});

t.test('whoever guesses has to wait, also for what is right', async (t) => {
  const server = await ConsoleServer.start(t, { httpTrustedProxies: ['127.0.0.1'] });
  const from = (address: string, body: unknown) =>
    server.client().signIn(body, { 'x-forwarded-for': address });
  for (let i = 0; i < 5; i++) t.equal((await from('192.0.2.1', { token: `wrong ${i}` })).status, 401);
  const slowed = await from('192.0.2.1', { token: await server.link('viewer') });
  t.equal(slowed.status, 429, 'from the same address');
  t.match(slowed.headers['retry-after'], /^\d+$/);
  t.equal((await from('192.0.2.2', { token: await server.link('viewer') })).status, 200, 'another one');

  const tries = [3, 4, 5, 6, 7, 8].map((n) => from(`192.0.2.${n}`, { user: 'ann', password: 'wrong' }));
  const statuses = (await Promise.all(tries)).map(({ status }) => status);
  t.same(statuses.sort(), [401, 401, 401, 401, 401, 429], 'of the same account, from many addresses at once');
});

t.test('a wait gets longer with each failure, up to a limit, and is forgotten', (t) => {
  let now = 0;
  const brake = new Brake({ free: 2, longestMs: 3000 }, () => now);
  const waitMs = () => {
    for (let ms = 0; ; ms += 500) {
      try {
        brake.begin('ann');
        return ms;
      } catch {
        now += 500;
      }
    }
  };
  t.same([waitMs(), waitMs(), waitMs(), waitMs(), waitMs(), waitMs()], [0, 0, 1000, 2000, 3000, 3000]);
  brake.begin('bob');
  brake.forget('ann');
  t.same([waitMs(), waitMs(), waitMs()], [0, 0, 1000], 'after a success');
  now += 900_000;
  t.same([waitMs(), waitMs(), waitMs()], [0, 0, 1000], 'after a quarter of an hour');
  t.end();
});

async function named(t: Test, config: Parameters<typeof ConsoleServer.start>[1]) {
  const server = await ConsoleServer.start(t, config);
  return async (headers: Record<string, string | readonly string[]>) => {
    const answer = await server.client().get('api/session', headers);
    if (answer.status !== 200) return answer.status;
    const { user, role } = answer.json<SessionView>();
    return `${user} ${role}`;
  };
}

const headersOfProxy = {
  consoleUserHeader: 'X-User',
  consoleGroupHeader: 'X-Groups',
  consoleRoles: { ops: 'operator', boss: 'admin', '*': 'viewer' },
} as const;

t.test('a trusted proxy names the user and the groups', async (t) => {
  const whoIs = await named(t, { ...headersOfProxy, httpTrustedProxies: ['127.0.0.1'] });
  t.equal(await whoIs({ 'x-user': 'ann' }), 'ann viewer');
  t.equal(await whoIs({ 'x-user': 'ann', 'x-groups': 'dev, ops' }), 'ann operator');
  t.equal(await whoIs({ 'x-user': 'ann', 'x-groups': 'boss,ops' }), 'ann admin');
  t.equal(await whoIs({ 'x-user': 'ann', 'x-groups': '__proto__, constructor' }), 'ann viewer');
  t.equal(await whoIs({}), 401);
  t.equal(await whoIs({ 'x-user': '' }), 401);
  t.equal(await whoIs({ 'x-user': ['ann', 'bob'] }), 401, 'one of two may be of the client itself');
  t.equal(await whoIs({ 'x-user': 'ann', 'x-groups': ['ops', 'boss'] }), 401);
});

t.test('nobody else is believed in these headers', async (t) => {
  const whoIs = await named(t, { ...headersOfProxy, httpTrustedProxies: ['192.0.2.1'] });
  t.equal(await whoIs({ 'x-user': 'ann', 'x-groups': 'boss' }), 401);
  t.equal(await whoIs({ 'x-user': 'ann', 'x-forwarded-for': '192.0.2.1' }), 401);
});

t.test('a change of a user whom a proxy names needs the token, too', async (t) => {
  const server = await ConsoleServer.start(t, { ...headersOfProxy, httpTrustedProxies: ['127.0.0.1'] });
  const ann = { 'x-user': 'ann', 'x-groups': 'boss' };
  const client = server.client();
  t.equal((await client.post('api/sign-out', {}, ann)).status, 403);
  client.token = (await client.get('api/session', { 'x-user': 'bob' })).json<SessionView>().token;
  t.equal((await client.post('api/sign-out', {}, ann)).status, 403, 'of another user');
  client.token = (await client.get('api/session', ann)).json<SessionView>().token;
  t.equal((await client.post('api/sign-out', {}, ann)).status, 200);
});

t.test('a function of the site names the user', async (t) => {
  const whoIs = await named(t, {
    consoleUser: async ({ headers }) => {
      const [, name = ''] = headers.find(([header]) => header === 'x-site') ?? [];
      if (name === 'broken') throw new Error('the sign-in of the site is away');
      return name === '' ? null : { name, role: name === 'ann' ? 'admin' : ('root' as 'admin') };
    },
  });
  t.equal(await whoIs({ 'x-site': 'ann' }), 'ann admin');
  t.equal(await whoIs({}), 401);
  t.equal(await whoIs({ 'x-site': 'broken' }), 500);
  t.equal(await whoIs({ 'x-site': 'bob' }), 500, 'a role that does not exist lets nobody in');
});

t.test('on the loopback only its own hosts are served, and those that the site names', async (t) => {
  const plain = await ConsoleServer.start(t);
  const port = new URL(plain.console.url).port;
  for (const host of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
    t.equal((await plain.client().get('', { host })).status, 200, host);
  for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example'])
    t.equal((await plain.client().get('api/session', { host })).status, 400, host);
  const behind = await ConsoleServer.start(t, { consoleHosts: ['.example.org'] });
  t.equal((await behind.client().get('', { host: 'linod.example.org' })).status, 200);
  t.equal((await behind.client().get('', { host: 'evil.example' })).status, 400);
});

t.test('other machines reach a console only where somebody can sign in', async (t) => {
  await t.rejects(ConsoleServer.start(t, { console: '0.0.0.0:0' }), {
    code: 'LINOD_ERR_BAD_CONFIG',
    message: /other machines reach 0\.0\.0\.0:0, and there are no accounts/,
  });
  await t.rejects(ConsoleServer.start(t, { ...headersOfProxy }), { message: /httpTrustedProxies is empty/ });
  const server = await ConsoleServer.start(t, { console: '0.0.0.0:0', consoleUser: () => null });
  t.match(server.console.url, /^http:\/\/0\.0\.0\.0:\d+\/$/);
});

t.test('behind a prefix everything is below it', async (t) => {
  const server = await ConsoleServer.start(t, { consolePrefix: '/ops/linod' });
  t.match(server.console.url, /\/ops\/linod\/$/);
  const client = server.client();
  t.match((await client.get('rules/3')).text, /data-prefix="\/ops\/linod"/);
  t.match(await client.get('/ops/linod'), { status: 308, headers: { location: '/ops/linod/' } });
  for (const path of ['/', '/rules', '/api/session', '/ops/linodx', '/ops/'])
    t.equal((await client.get(path)).status, 404, path);
  const answer = await client.signIn({ token: await server.link('viewer') });
  t.match(answer.headers['set-cookie']?.[0], /; Path=\/ops\/linod; /);
  t.equal((await client.get('api/session')).status, 200);
});

t.test('no answer can be framed, sniffed or kept by a cache, and files of the page are', async (t) => {
  const server = await ConsoleServer.start(t);
  const viewer = await server.signedIn('viewer');
  for (const path of ['', 'rules', 'api/session', 'api/nothing', 'nothing.js']) {
    const { headers } = await viewer.get(path);
    t.match(headers, {
      'content-security-policy': /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/,
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    if (path.startsWith('api/')) t.equal(headers['cache-control'], 'no-store');
  }
  const index = await viewer.get('rules/1');
  t.equal(index.headers['cache-control'], 'no-cache');
  const again = await viewer.get('rules/2', { 'if-none-match': index.headers.etag ?? '' });
  t.match(again, { status: 304, text: '' });
  t.equal((await viewer.send('PUT', 'rules')).status, 405);
  t.equal((await viewer.get('..%2f..%2fpackage.json')).status, 404);
});

t.test('a database that is away is not described to whoever asks', (t) => {
  const { status, message } = refusalOf(
    new StoreUnavailableError('shop at db.example.org as ann', new Error('it is down')),
  );
  t.equal(status, 503);
  t.notMatch(message, /example|it is down/);
  t.end();
});

t.test('a layer that keeps no messages is no failure of the console', async (t) => {
  const { site } = await ConsoleServer.start(t);
  const layer = await site.openLayer();
  t.teardown(() => layer.close());
  const passing: typeof layer = Object.create(layer, { extensions: { value: new Set(['groups']) } });
  try {
    requireKept(passing, 'redis');
    t.fail('it is refused');
  } catch (error) {
    t.match(refusalOf(error), { status: 404, message: /keeps no messages/ });
  }
});

t.test('an order to a worker that does not run is refused, and stands in the audit', async (t) => {
  const server = await ConsoleServer.start(t);
  const admin = await server.signedIn('admin');
  const refused = await admin.post('api/workers/nobody[1]@x/drain');
  t.match(refused, { status: 404 });
  t.match(refused.json<ErrorBody>(), { error: { code: 'LINOD_ERR_UNKNOWN_WORKER' } });
  const [row] = (await admin.get('api/audit')).json<Page<AuditRow>>().rows;
  t.match(row, { user: 'admin', action: 'worker.drain', target: 'worker nobody[1]@x' });
  const viewer = await server.signedIn('viewer');
  t.same((await viewer.get('api/workers')).json<WorkerView[]>(), []);
});
