// The stream of a tab: what has changed, and when it ends.

import type { IncomingMessage } from 'node:http';
import t, { type Test } from 'tap';
import { addAccount, removeAccount } from '../../../src/console/access/accounts.js';
import type { ChangedEvent, Topic } from '../../../src/console/api.js';
import { type ConsoleClient, ConsoleServer } from '../../support/console-server.js';
import { until } from '../../support/until.js';

/** What comes on a stream. */
class Tab {
  readonly response: IncomingMessage;
  text = '';
  isOver = false;

  static async open(t: Test, client: ConsoleClient, path: string): Promise<Tab> {
    const response = await client.open('GET', path);
    t.teardown(() => response.destroy());
    return new Tab(response);
  }

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
    });
    response.on('close', () => {
      this.isOver = true;
    });
    response.on('error', () => undefined);
  }

  /** The topics of each event so far. */
  get changes(): ReadonlyArray<readonly Topic[]> {
    return Array.from(this.text.matchAll(/^event: changed\ndata: (.*)\n\n/gm), ([, data = '']) => {
      const event: ChangedEvent = JSON.parse(data);
      return event.topics;
    });
  }

  async hasChanges(count: number): Promise<void> {
    await until(`there are ${count} events`, () => this.changes.length >= count);
  }
}

async function insertAudit({ store }: ConsoleServer): Promise<void> {
  const row = { user_name: 'x', role: null, address: null, action: 'x', target: '', detail: '' };
  await store.db
    .insertInto('console_audit')
    .values({ ...row, at: 1, rule_id: null, revision: null })
    .execute();
}

async function insertWorker({ store }: ConsoleServer): Promise<void> {
  const row = { id: 'w', host: 'h', pid: 1, pid_start: '1', channels: '', version: '' };
  await store.db
    .insertInto('workers')
    .values({ ...row, started_at: 1, heartbeat_at: 1 })
    .execute();
}

t.test('each tab hears of what it asked for', async (t) => {
  const server = await ConsoleServer.start(t);
  const viewer = await server.signedIn('viewer');
  const all = await Tab.open(t, viewer, 'api/stream?topics=audit,workers,nothing');
  const audit = await Tab.open(t, viewer, 'api/stream?topics=audit');
  t.match(all.response.headers, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-frame-options': 'DENY',
  });
  await all.hasChanges(1);
  await audit.hasChanges(1);
  t.same(all.changes, [['workers', 'audit']], 'the first event names all topics');
  t.same(audit.changes, [['audit']]);
  await insertWorker(server);
  await all.hasChanges(2);
  await insertAudit(server);
  await all.hasChanges(3);
  await audit.hasChanges(2);
  t.same(all.changes.slice(1), [['workers'], ['audit']]);
  t.same(audit.changes, [['audit'], ['audit']], 'and of nothing else');
});

t.test('a job that begins, goes on and ends is a change each time', async (t) => {
  const server = await ConsoleServer.start(t);
  const { db } = server.store;
  const tab = await Tab.open(t, await server.signedIn('viewer'), 'api/stream?topics=jobs');
  await tab.hasChanges(1);
  const rule = { seqno: 1, name: 'r', procedure: 'p', suggestion: '{}', created_at: 1, revision: 1 };
  await db
    .insertInto('job_rules')
    .values({ ...rule, id: 1 })
    .execute();
  const job = { rule_id: 1, procedure: 'p', start_datetime: 1, message: '', worker_id: 'w' };
  await db
    .insertInto('jobs')
    .values({ ...job, id: 1, status: 'running' })
    .execute();
  await tab.hasChanges(2);
  const change = (columns: { readonly progress: string } | { readonly status: string }) =>
    db.updateTable('jobs').set(columns).where('id', '=', 1).execute();
  await change({ progress: '{"done":1}' });
  await tab.hasChanges(3);
  await change({ status: 'done' });
  await tab.hasChanges(4);
  t.ok(tab.changes.every((topics) => topics.join() === 'jobs'));
});

t.test('a stream ends with its session', async (t) => {
  const server = await ConsoleServer.start(t);
  await addAccount(server.store, 'ann', 'viewer', 'correct horse');
  const ann = server.client();
  await ann.signIn({ user: 'ann', password: 'correct horse' });
  const viewer = await server.signedIn('viewer');
  const tabs = await Promise.all([ann, viewer].map((each) => Tab.open(t, each, 'api/stream?topics=jobs')));
  const [ofAnn, ofViewer] = tabs;
  await removeAccount(server.store, 'ann');
  await until('the stream of the removed user is over', () => ofAnn?.isOver === true);
  t.equal(ofViewer?.isOver, false, 'another goes on');
  await viewer.post('api/sign-out');
  await until('so does that of who signs out', () => ofViewer?.isOver === true);
});

t.test('the console stops although streams are open, and polls nothing any more', async (t) => {
  const server = await ConsoleServer.start(t);
  const tab = await Tab.open(t, await server.signedIn('viewer'), 'api/stream?topics=jobs');
  await tab.hasChanges(1);
  await server.console.close();
  await until('the stream is over', () => tab.isOver);
  t.equal(tab.response.errored, null, 'it ended in good order');
});
