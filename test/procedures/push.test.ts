import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import {
  maxPushBytes,
  queuePush,
  removePushSubscription,
  savePushSubscription,
} from '../../procedures/index.js';
import { sendPendingPush } from '../../procedures/send-pending-push.js';
import type { SiteConfig } from '../../src/index.js';
import { openPushService, pushSettings } from '../support/push.js';
import { openProcedureBench, type ProcedureBench } from '../support/request.js';
import { noon } from '../support/site.js';

const secondMs = 1000;
const hourMs = 3_600_000;

/** A site, a push service, and browsers by their names, each of the user with that name. */
async function open(t: Test, browsers: readonly string[], config: SiteConfig = pushSettings) {
  const { service, arrived } = await openPushService(t);
  const bench = await openProcedureBench(t, config);
  const ids: Record<string, number> = {};
  for (const name of browsers) {
    ids[name] = await savePushSubscription(bench.db, name, service.subscribe(name));
  }
  const push = (to: string | null, more: Partial<Parameters<typeof queuePush>[1]> = {}) =>
    queuePush(bench.db, { to, data: { title: 'Hello' }, at: new Date(bench.clock.now()), ...more });
  const send = () => bench.run(sendPendingPush);
  const toAnn = () => arrived.filter(({ to }) => to === 'ann').length;
  return { service, arrived, bench, ids, push, send, toAnn };
}

/** `status answer`, in order. */
async function deliveries({ db }: ProcedureBench): Promise<string[]> {
  const rows = await db.selectFrom('push_deliveries').selectAll().orderBy('id').execute();
  return rows.map((row) => `${row.status} ${row.answer ?? ''}`.trim());
}

async function subscriptions({ db }: ProcedureBench): Promise<string[]> {
  const rows = await db.selectFrom('push_subscriptions').selectAll().orderBy('id').execute();
  return rows.map((row) => `${row.user} ${row.state}`);
}

t.test('a push arrives once at its user, readable only for that browser', async (t) => {
  const { bench, arrived, push, send } = await open(t, ['ann', 'bob']);
  t.same(await push('ann', { urgency: 'high', ttlSeconds: 600, topic: 'orders' }), { id: 1, deliveries: 1 });
  t.same((await send()).lines, ['DEBUG push 1 to subscription 1 sent: 201', 'INFO 1 push sent']);
  t.match(arrived, [
    {
      to: 'ann',
      ttl: 600,
      topic: 'orders',
      urgency: 'high',
      claims: { sub: pushSettings.vapidSubject, publicKey: pushSettings.vapidPublicKey },
    },
  ]);
  t.match(JSON.parse(arrived[0]?.payload ?? ''), { title: 'Hello', id: /^[\da-f-]{36}$/ });
  t.same((await send()).lines, ['DEBUG no push is due']);
  t.equal(arrived.length, 1);
  const ann = bench.db.selectFrom('push_subscriptions').selectAll().where('user', '=', 'ann');
  const subscription = await ann.executeTakeFirst();
  t.equal(subscription?.sent_at, noon);
});

t.test('a push to all goes to every subscription; a text is sent unchanged', async (t) => {
  const { arrived, push, send } = await open(t, ['ann', 'bob', 'eve']);
  t.same(await push(null, { data: 'Grüße an alle' }), { id: 1, deliveries: 3 });
  t.same(await push('nobody'), { id: 2, deliveries: 0 });
  await send();
  t.same(arrived.map(({ to, payload }) => `${to} ${payload}`).sort(), [
    'ann Grüße an alle',
    'bob Grüße an alle',
    'eve Grüße an alle',
  ]);
  t.equal(new Set(arrived.map(({ topic }) => topic)).size, 1, 'its topic is its own');
});

t.test('a waiting push does not go to the new user of a browser', async (t) => {
  const { bench, arrived, push, send } = await open(t, ['ann']);
  await push('ann');
  await push(null);
  const [before] = await bench.db.selectFrom('push_subscriptions').selectAll().execute();
  await savePushSubscription(bench.db, 'bob', {
    endpoint: before?.endpoint ?? '',
    keys: { p256dh: before?.p256dh ?? '', auth: before?.auth ?? '' },
  });
  await push('bob');
  await send();
  t.equal(arrived.length, 2, 'the one for all, and that for bob');
  t.same(await deliveries(bench), [
    'failed its subscription belongs to another user now',
    'sent 201',
    'sent 201',
  ]);
});

t.test('the largest payload is accepted, and one more byte is refused', async (t) => {
  const { arrived, push, send } = await open(t, ['ann']);
  await push('ann', { data: 'x'.repeat(maxPushBytes) });
  await t.rejects(push('ann', { data: 'x'.repeat(maxPushBytes + 1) }), {
    code: 'LINOD_ERR_INVALID_PUSH',
    message: 'push: expected at most 3993 bytes of data, got: 3994',
  });
  await send();
  t.equal(arrived[0]?.payload.length, maxPushBytes);
});

t.test('404 and 410 remove the subscription, and its other pushes are given up later', async (t) => {
  const { service, bench, push, send } = await open(t, ['ann', 'bob', 'eve']);
  service.behave('ann', (_push, response) => void response.writeHead(410).end('unsubscribed'));
  service.behave('bob', (_push, response) => void response.writeHead(404).end());
  await push('ann');
  await push('ann', { at: new Date(noon + hourMs) });
  await push('bob');
  await push('eve');
  const { lines } = await send();
  t.ok(
    lines.includes(
      'WARNING push 1 to subscription 1: failed (attempt 1), the subscription is removed: 410 unsubscribed',
    ),
  );
  t.same(await subscriptions(bench), ['eve active']);
  t.same(await deliveries(bench), ['failed 410 unsubscribed', 'pending', 'failed 404', 'sent 201']);
  bench.clock.advance(hourMs);
  await send();
  t.equal((await deliveries(bench))[1], 'failed its subscription was removed');
});

t.test('429 and 503 postpone a delivery as the push service says; the others continue', async (t) => {
  const { service, bench, push, send, toAnn, arrived } = await open(t, ['ann', 'bob']);
  let busy = 429;
  service.behave('ann', (_push, response) => {
    if (busy === 429) response.writeHead(429, { 'retry-after': '120' }).end();
    else if (busy === 201) response.writeHead(201).end();
    else response.writeHead(503, { 'retry-after': new Date(noon + 180 * secondMs).toUTCString() }).end();
  });
  await push('ann');
  const { lines } = await send();
  t.ok(
    lines.includes(
      'WARNING push 1 to subscription 1: failed (attempt 1), postponed until 2026-11-24T12:02:00.000Z: 429',
    ),
  );
  await push('bob');
  bench.clock.advance(119 * secondMs);
  await send();
  t.same([toAnn(), arrived.length], [1, 2], 'bob does not wait for ann');
  bench.clock.advance(secondMs);
  busy = 503;
  await send();
  t.equal(toAnn(), 2);
  bench.clock.advance(59 * secondMs);
  busy = 201;
  await send();
  t.equal(toAnn(), 2);
  bench.clock.advance(secondMs);
  await send();
  t.equal(toAnn(), 3);
  const rows = await bench.db.selectFrom('push_deliveries').select('attempts').execute();
  t.same(
    rows.map((row) => row.attempts),
    [1, 1],
    'a postponed push is not a failure',
  );
});

t.test('other failures are retried with growing pauses, and finally given up', async (t) => {
  const { service, bench, push, send, toAnn } = await open(t, ['ann']);
  service.behave('ann', (_push, response) => void response.writeHead(500).end('out of order'));
  await push('ann', { ttlSeconds: 7 * 86_400 });
  const pauses: number[] = [];
  for (;;) {
    await send();
    const row = await bench.db.selectFrom('push_deliveries').selectAll().executeTakeFirstOrThrow();
    if (row.status !== 'pending') break;
    pauses.push((row.next_attempt_at - bench.clock.now()) / secondMs);
    bench.clock.advance(row.next_attempt_at - bench.clock.now() - 1);
    await send();
    bench.clock.advance(1);
  }
  t.same(pauses, [15, 60, 240, 960, 3600, 3600, 3600, 3600, 3600]);
  t.equal(toAnn(), 10);
  t.same(await deliveries(bench), ['failed 500 out of order']);
  t.same(await subscriptions(bench), ['ann active']);
});

t.test('a dropped or failed connection is retried', async (t) => {
  const { service, bench, push, send, arrived } = await open(t, ['ann', 'bob']);
  let drop = true;
  service.behave('ann', (_push, response) => {
    if (drop) response.destroy();
    else response.writeHead(201).end();
  });
  await push('ann');
  await bench.db
    .updateTable('push_subscriptions')
    .set({ endpoint: 'http://127.0.0.1:1/push/bob' })
    .where('user', '=', 'bob')
    .execute();
  await push('bob');
  await send();
  t.same(
    (await deliveries(bench)).map((text) => text.replace(/(ECONNREFUSED).*/, '$1')),
    ['pending Error: socket hang up', 'pending Error: connect ECONNREFUSED'],
  );
  drop = false;
  bench.clock.advance(15 * secondMs);
  await send();
  const [first, second] = arrived.filter(({ to }) => to === 'ann');
  t.same(
    [second?.topic, second?.payload],
    [first?.topic, first?.payload],
    'receivers can recognise a repeat',
  );
  t.match(await deliveries(bench), ['sent 201', /^pending/]);
});

t.test('a permanently refused push is not retried', async (t) => {
  const names = ['400', '401', '403', '413', '301'];
  const { service, bench, push, send, arrived } = await open(t, names);
  for (const name of names) {
    service.behave(
      name,
      (_push, response) => void response.writeHead(Number(name), { location: '/push/400' }).end(),
    );
  }
  await push(null);
  await send();
  bench.clock.advance(hourMs);
  await send();
  t.equal(arrived.length, names.length);
  t.same(
    await deliveries(bench),
    names.map((name) => `failed ${name}`),
  );
  t.same(
    await subscriptions(bench),
    names.map((name) => `${name} active`),
  );
});

t.test('an expired push is not sent', async (t) => {
  const { bench, push, send, arrived } = await open(t, ['ann']);
  await push('ann', { ttlSeconds: 60 });
  await push('ann', { ttlSeconds: 61 });
  await push('ann', { ttlSeconds: 0 });
  bench.clock.advance(60 * secondMs);
  await send();
  t.same(
    arrived.map(({ ttl }) => ttl),
    [1],
    'the push service gets the remaining lifetime',
  );
  const over = 'failed its lifetime ended before it could be sent';
  t.same(await deliveries(bench), [over, 'sent 201', over]);
});

t.test(
  'an invalid key is reported in the row of its subscription, and the others get their pushes',
  async (t) => {
    const { bench, push, send, arrived, service, ids } = await open(t, ['ann', 'bob']);
    const p256dh = Buffer.alloc(65, 4).toString('base64url');
    await bench.db.updateTable('push_subscriptions').set({ p256dh }).where('user', '=', 'ann').execute();
    await push(null);
    await push('ann', { at: new Date(noon + hourMs) });
    await send();
    t.same(
      arrived.map(({ to }) => to),
      ['bob'],
    );
    t.same(await subscriptions(bench), ['ann broken', 'bob active']);
    const { problem } = await bench.db
      .selectFrom('push_subscriptions')
      .select('problem')
      .where('user', '=', 'ann')
      .executeTakeFirstOrThrow();
    t.match(problem, /public key/i);
    bench.clock.advance(hourMs);
    await send();
    t.match(await deliveries(bench), [/^failed .*public key/i, 'sent 201', /^failed .*public key/i]);
    t.same((await push('ann')).deliveries, 0, 'nothing is queued for it any more');
    t.equal(await savePushSubscription(bench.db, 'ann', service.subscribe('ann')), ids.ann);
    t.same(await subscriptions(bench), ['ann active', 'bob active'], 'subscribing anew mends it');
  },
);

t.test('an invalid subscription is refused with the field, without its secrets', async (t) => {
  const { bench, service } = await open(t, []);
  const good = service.subscribe('ann');
  for (const [subscription, message] of [
    [null, 'push subscription: value: expected an object, got: null'],
    [{ ...good, endpoint: 'ann' }, 'push subscription: endpoint: expected a URL of at most 2048 characters'],
    [
      { ...good, endpoint: `https://a/${'x'.repeat(2048)}` },
      /endpoint: expected a URL of at most 2048 characters/,
    ],
    [
      { ...good, endpoint: 'http://push.example.org/1' },
      /expected a URL that begins with https:, got: http:\/\/push\.example\.org$/,
    ],
    [{ ...good, endpoint: 'file:///etc/passwd' }, /expected a URL that begins with https:/],
    [
      { ...good, endpoint: 'https://ann:secret@push.example.org/1' },
      /endpoint: expected a URL without a user$/,
    ],
    [
      { ...good, keys: undefined },
      /keys\.p256dh: expected a public key on P-256, 65 bytes, as base64url; got 0 bytes$/,
    ],
    [
      { ...good, keys: { ...good.keys, auth: 'c2VjcmV0' } },
      /keys\.auth: expected a secret of 16 bytes, as base64url; got 6 bytes$/,
    ],
  ] as const) {
    await t.rejects(savePushSubscription(bench.db, 'ann', subscription as unknown as typeof good), {
      code: 'LINOD_ERR_INVALID_SUBSCRIPTION',
      message,
    });
  }
  await t.rejects(savePushSubscription(bench.db, '', good), { message: /user: expected a user, got: ""/ });
});

t.test('an invalid push is refused with the field', async (t) => {
  const { push } = await open(t, []);
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  for (const [changes, message] of [
    [{ to: '' }, /^push: expected to to be /],
    [{ data: '' }, /^push: expected data to be /],
    [{ data: [1] }, 'push: expected data to be a text or an object, got a list'],
    [{ data: 5 }, 'push: expected data to be a text or an object, got: 5'],
    [{ data: circle }, /^push: expected data that JSON can express: .*circular/],
    [
      { urgency: 'now' },
      'push: expected urgency to be one of very-low, low, normal, high, got: "now", did you mean "low"?',
    ],
    [{ topic: 'a\r\nb' }, /^push: expected topic to be .*, got: "a\\r\\nb"/],
    [{ ttlSeconds: 1e9 }, 'push: expected ttlSeconds to be at most 2419200, got: 1000000000'],
  ] as const) {
    await t.rejects(push('ann', changes as object), { code: 'LINOD_ERR_INVALID_PUSH', message });
  }
});

t.test('no push is posted to a private address unless that is allowed', async (t) => {
  const { bench, push, send, arrived, service } = await open(t, ['ann'], {
    ...pushSettings,
    pushToPrivateAddresses: false,
  });
  const { port } = new URL(service.origin);
  await savePushSubscription(bench.db, 'bob', {
    ...service.subscribe('bob'),
    endpoint: `http://localhost:${port}/push/bob`,
  });
  await push(null);
  await send();
  t.same(arrived, []);
  const rest = 'is not a public address; allow private ones with the setting pushToPrivateAddresses';
  t.same((await deliveries(bench))[0], `failed 127.0.0.1 ${rest}`);
  t.match((await deliveries(bench))[1], new RegExp(`^failed localhost \\((127\\.0\\.0\\.1|::1)\\) ${rest}$`));
  t.same(await subscriptions(bench), ['ann broken', 'bob broken']);
});

t.test('without a valid pair of keys pushes wait, and one warning is logged', async (t) => {
  const other = {
    vapidPublicKey: pushSettings.vapidPublicKey.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
  };
  for (const [config, message] of [
    [
      {},
      'push needs vapidSubject, vapidPublicKey, vapidPrivateKey; create a pair of keys with `linod push keys`',
    ],
    [
      { ...pushSettings, ...other },
      'vapidPublicKey: is not the public key of vapidPrivateKey; create a pair of keys with `linod push keys`',
    ],
  ] as const) {
    const { bench, push, send, arrived } = await open(t, ['ann'], config);
    await push('ann');
    t.same((await send()).lines, [`WARNING 1 push waits: the settings: ${message}`]);
    t.same((await send()).lines, [`DEBUG 1 push waits: the settings: ${message}`]);
    t.same(arrived, []);
    t.same(await deliveries(bench), ['pending']);
    // After a success, the problem is logged again.
    const well = await open(t, ['ann']);
    await well.push('ann');
    await well.send();
    t.equal(well.arrived.length, 1);
  }
});

t.test('the pushes of a dead job are sent once more, but not a third time', async (t) => {
  const { bench, push, send, arrived, service } = await open(t, ['ann', 'bob']);
  await push('ann');
  const die = async () => {
    const ar = await bench.request();
    const running = sendPendingPush.run(ar);
    const response = await new Promise<ServerResponse>((resolve) => {
      service.behave('ann', (_push, response) => resolve(response));
    });
    await bench.lose(ar);
    return async () => {
      response.destroy();
      await running;
    };
  };
  const first = await die();
  service.behave('ann', (_push, response) => void response.writeHead(201).end());
  await push('bob');
  const { lines } = await send();
  t.equal(
    lines[0],
    'WARNING push 1 to subscription 1: it may have been sent, and is sent again: job 1 ended while it was sending it',
  );
  t.same(arrived.map(({ to }) => to).sort(), ['ann', 'ann', 'bob']);
  t.equal(new Set(arrived.filter(({ to }) => to === 'ann').map(({ topic }) => topic)).size, 1);
  t.same(await deliveries(bench), ['sent 201', 'sent 201']);
  await first();
  t.same(await deliveries(bench), ['sent 201', 'sent 201'], 'the job that was given up changes nothing');

  await push('ann');
  const second = await die();
  const third = await die();
  await send();
  t.match((await deliveries(bench)).at(-1), /^failed given up: it may have been sent 2 times/);
  await second();
  await third();
});

t.test('two jobs send nothing twice', async (t) => {
  const names = Array.from({ length: 60 }, (_, i) => `user${i}`);
  const { bench, push, arrived, service } = await open(t, names);
  for (const name of names) {
    service.behave(name, (_push, response) => void setImmediate(() => response.writeHead(201).end()));
  }
  await push(null);
  const [one, two] = [await bench.request(), await bench.request()];
  await Promise.all([sendPendingPush.run(one), sendPendingPush.run(two)]);
  t.same(arrived.map(({ to }) => to).sort(), [...names].sort());
  const counts = [one, two].map(({ lines }) => Number(/INFO (\d+) push/.exec(lines.at(-1) ?? '')?.[1] ?? 0));
  t.equal((counts[0] ?? 0) + (counts[1] ?? 0), names.length);
});

t.test('an aborted run waits for started pushes, and leaves the rest', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `user${i}`);
  const { bench, push, send, arrived, service } = await open(t, names);
  await push(null);
  const ar = await bench.request();
  // The others are answered after the abort, so that there are some which never began.
  const aborted = once(ar.signal, 'abort');
  for (const name of names)
    service.behave(name, (_push, response) => void aborted.then(() => response.writeHead(201).end()));
  service.behave('user3', (_push, response) => {
    ar.abort();
    setImmediate(() => response.writeHead(201).end());
  });
  await sendPendingPush.run(ar);
  for (const name of names) service.behave(name, (_push, response) => void response.writeHead(201).end());
  const sent = arrived.length;
  t.ok(sent >= 4 && sent < names.length, `${sent} were sent`);
  t.equal((await deliveries(bench)).filter((text) => text === 'sent 201').length, sent);
  await send();
  t.same(arrived.map(({ to }) => to).sort(), [...names].sort());
});

t.test('a push without an answer is aborted at the end of the run, and sent once more', async (t) => {
  const { bench, push, send, arrived, service } = await open(t, ['ann']);
  await push('ann');
  const ar = await bench.request();
  service.behave('ann', () => ar.abort());
  await sendPendingPush.run(ar);
  t.same(await deliveries(bench), [
    'pending it may have been sent, and is sent again: the run ended during the attempt',
  ]);
  service.behave('ann', (_push, response) => void response.writeHead(201).end());
  bench.clock.advance(15 * secondMs);
  await send();
  t.equal(arrived.length, 2);
  t.same(await deliveries(bench), ['sent 201']);
});

t.test('a removed subscription gets no more pushes; old pushes are deleted', async (t) => {
  const { bench, push, send, arrived, ids } = await open(t, ['ann', 'bob']);
  await push(null);
  t.equal(await removePushSubscription(bench.db, ids.ann ?? 0), true);
  t.equal(await removePushSubscription(bench.db, 'http://127.0.0.1/none'), false);
  await send();
  t.same(
    arrived.map(({ to }) => to),
    ['bob'],
  );
  t.same(await deliveries(bench), ['failed its subscription was removed', 'sent 201']);
  bench.clock.advance(6 * 24 * hourMs);
  await push('nobody');
  await send();
  t.equal((await deliveries(bench)).length, 2);
  bench.clock.advance(24 * hourMs + 1);
  await send();
  t.same(await deliveries(bench), []);
  t.equal((await bench.db.selectFrom('push_messages').selectAll().execute()).length, 1, 'the newer stays');
});
