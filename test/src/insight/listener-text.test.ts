import t from 'tap';
import { listenersText } from '../../../src/insight/listener-text.js';
import type { ListenerHealth, WorkerHealth } from '../../../src/membership/worker-health.js';

const now = Date.UTC(2026, 10, 24, 12);

function listener(channel: string, state: ListenerHealth['state'], more: Partial<ListenerHealth> = {}) {
  return { channel, state, heardMsAgo: 2000, dueMs: 11_000, lastError: null, dropped: 0, ...more };
}

function text(listeners: readonly ListenerHealth[], ageMs = 1000, more: Partial<WorkerHealth> = {}): string {
  const health = JSON.stringify({ tasks: 'running', logger: 'writing', listeners, ...more });
  return listenersText({ health, heartbeat_at: now - ageMs }, now);
}

t.test('healthy listeners are only counted', async (t) => {
  const waiting = ['linod_x', 'linod_x.log', 'linod.0!1'].map((channel) => listener(channel, 'waiting'));
  t.equal(text(waiting), '3 waiting');
  t.equal(
    text([...waiting, listener('mail', 'busy'), listener('fax', 'paused')]),
    '1 busy, 1 paused, 3 waiting',
  );
});

t.test('problems are named, and come first', async (t) => {
  const listeners = [
    listener('linod_x', 'waiting'),
    listener('mail', 'restarting', { lastError: 'wrong password' }),
    listener('fax', 'deaf', { heardMsAgo: 13_000 }),
    listener('linod.0123!4567', 'deaf', { heardMsAgo: null }),
  ];
  t.equal(
    text(listeners),
    'fax deaf for 14 s, its own channel deaf, mail restarting: wrong password, 1 waiting',
  );
});

t.test('a paused worker is shown as such', async (t) => {
  t.equal(text([listener('linod_x', 'waiting')], 0, { tasks: 'paused' }), '1 waiting, no new work is taken');
});

t.test('an old heartbeat says nothing about the present', async (t) => {
  t.equal(text([listener('linod_x', 'waiting')], 15_000), '1 waiting');
  t.equal(text([listener('linod_x', 'waiting')], 16_000), 'unknown, no heartbeat for 16 s');
});

t.test('without a report, or with one of another version, nothing is known', async (t) => {
  for (const health of ['', '{', '{"listeners":[]}', '{"tasks":"asleep","logger":"off","listeners":[]}'])
    t.equal(listenersText({ health, heartbeat_at: now }, now), 'not known yet', health);
});
