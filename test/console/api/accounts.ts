// Links, accounts and sessions, as the database keeps them.

import t from 'tap';
import { addAccount, removeAccount, setPassword, setRole } from '../../../src/console/access/accounts.js';
import type { AuditRow, Page, SessionView } from '../../../src/console/api.js';
import { ConsoleServer } from '../../support/console-server.js';

async function audit(server: ConsoleServer): Promise<readonly AuditRow[]> {
  const answer = await (await server.signedIn('admin')).get('api/audit');
  return answer.json<Page<AuditRow>>().rows;
}

t.test('a link signs in once', async (t) => {
  const server = await ConsoleServer.start(t);
  const token = await server.link('operator');
  const tries = await Promise.all([1, 2, 3].map(() => server.client().signIn({ token })));
  t.same(tries.map(({ status }) => status).sort(), [200, 401, 401]);
  t.match(await audit(server), [
    { user: 'admin' },
    ...Array(3).fill({ action: 'sign-in', address: '127.0.0.1' }),
  ]);
  await server.store.db
    .updateTable('console_secrets')
    .set({ expires_at: Date.now() - 1 })
    .where('purpose', '=', 'link')
    .execute();
  const late = await server.link('operator');
  await server.store.db
    .updateTable('console_secrets')
    .set({ expires_at: 1 })
    .where('purpose', '=', 'link')
    .execute();
  t.equal((await server.client().signIn({ token: late })).status, 401, 'a link that is too old');
  for (const body of [{}, { token: 1 }, { user: 'ann' }, { token: 'x', user: 'ann' }, [], 'x'])
    t.equal((await server.client().signIn(body)).status, 400, JSON.stringify(body));
});

t.test('an account signs in by its password', async (t) => {
  const server = await ConsoleServer.start(t);
  await addAccount(server.store, 'ann', 'operator', 'correct horse');
  const ann = server.client();
  t.equal((await ann.signIn({ user: 'ann', password: 'correct horse ' })).status, 401);
  t.match((await ann.signIn({ user: 'ann', password: 'correct horse' })).json<SessionView>(), {
    user: 'ann',
    role: 'operator',
  });
  t.match(await audit(server), [
    { user: 'admin' },
    { user: 'ann', role: 'operator', action: 'sign-in', detail: 'by password' },
    { user: 'ann', role: null, action: 'sign-in', detail: 'failed' },
  ]);
  await t.rejects(addAccount(server.store, 'ann', 'admin', 'correct horse'), { code: 'LINOD_ERR_ACCOUNT' });
  await t.rejects(addAccount(server.store, 'bob', 'admin', 'short'), { code: 'LINOD_ERR_USAGE' });
  await t.rejects(addAccount(server.store, 'a b', 'admin', 'correct horse'), { code: 'LINOD_ERR_USAGE' });
});

t.test('a session ends by signing out, and with every change of its account', async (t) => {
  const server = await ConsoleServer.start(t);
  const { store } = server;
  await addAccount(store, 'ann', 'viewer', 'correct horse');
  const ends: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
    ['another role', () => setRole(store, 'ann', 'operator')],
    ['another password', () => setPassword(store, 'ann', 'battery staple')],
    ['removal', () => removeAccount(store, 'ann')],
  ];
  let password = 'correct horse';
  for (const [what, end] of ends) {
    const ann = server.client();
    t.equal((await ann.signIn({ user: 'ann', password })).status, 200);
    await end();
    t.equal((await ann.get('api/session')).status, 401, what);
    if (what === 'another password') password = 'battery staple';
  }
  const admin = await server.signedIn('admin');
  const { cookie } = admin;
  t.equal((await admin.post('api/sign-out')).status, 200);
  t.match(admin.cookie, /=$/, 'the browser forgets the cookie');
  admin.cookie = cookie;
  t.equal((await admin.get('api/session')).status, 401, 'and the cookie opens nothing any more');
});
