import t from 'tap';
import { InMemoryChannelLayer, type LayerStats, type Peeked } from '../../../../channels/index.js';
import { countColumns, fillColumn, stateColumns } from '../../../../src/commands/channels/figures-view.js';
import { memberColumns, memberRows } from '../../../../src/commands/channels/groups-view.js';
import { peekColumns, peekedJson } from '../../../../src/commands/channels/peek-view.js';
import { rateText, withRates } from '../../../../src/commands/channels/rates.js';
import { plainLines, screenLines, sightJson } from '../../../../src/commands/channels/top-view.js';
import { tableLines } from '../../../../src/commands/output.js';
import { printable, shortened } from '../../../../src/commands/printable.js';

const now = Date.UTC(2026, 10, 24, 12);

const calm = {
  ...{ depth: 0, capacity: 100, receivers: 1, onLease: 0 },
  ...{ sent: 0, received: 0, refused: 0, dropped: 0, redelivered: 0 },
};

t.test('the list of channels tells depth, fill, age, receivers and counts', async (t) => {
  const lines = tableLines(
    [...stateColumns(fillColumn), ...countColumns],
    [
      { ...calm, channel: 'linod_x' },
      {
        ...{ channel: 'mail', depth: 150, capacity: 200, receivers: 0, onLease: 3, oldestAgeMs: 2500 },
        ...{ sent: 1000, received: 847, refused: 4, dropped: 2, redelivered: 1 },
      },
      { ...calm, channel: 'fax', depth: 1 },
    ],
  );
  t.same(lines, [
    'channel  depth         fill  oldest  receivers  on lease  sent  received  refused  dropped  redelivered',
    'linod_x      0   0 % of 100       -          1         0     0         0        0        0            0',
    'mail       150  75 % of 200   2.5 s          0         3  1000       847        4        2            1',
    'fax          1   1 % of 100       ?          1         0     0         0        0        0            0',
  ]);
});

t.test('what ought to be looked after stands out in a terminal', async (t) => {
  const styles = (figures: Partial<typeof calm>) =>
    [...stateColumns(fillColumn), ...countColumns]
      .map((column) => column.style?.({ ...calm, channel: 'x', ...figures }))
      .filter((style) => style !== undefined);
  t.same(styles({}), []);
  t.same(styles({ depth: 79 }), []);
  t.same(styles({ depth: 80 }), ['yellow', 'yellow']);
  t.same(styles({ depth: 100 }), ['red', 'red']);
  t.same(styles({ depth: 1, receivers: 0 }), ['yellow'], 'messages that nobody receives');
  t.same(styles({ refused: 1, dropped: 1, redelivered: 1 }), ['yellow', 'yellow']);
});

const peeked: Peeked = {
  id: '0123456789abcdef',
  channels: ['mail'],
  message: { type: 'mail.send', to: 'ann\u001b[2J\u202e', n: 12345678901234567890n },
  bytes: 40,
  sentAt: now - 1500,
  deliveries: 2,
};

t.test('a message is shown on one line, with nothing that a terminal acts upon', async (t) => {
  const view = { now, onLease: false, textLength: undefined };
  t.same(tableLines(peekColumns(view), [peeked]), [
    'id                  age  deliveries  bytes  message',
    '0123456789abcdef  1.5 s           2     40  {"type":"mail.send","to":"ann\\u001b[2J\\u202e","n":"12345678901234567890"}',
  ]);
  const [, cut] = tableLines(peekColumns({ ...view, textLength: 20 }), [peeked]);
  t.match(cut, / {"type":"mail\.send"…$/);
});

t.test('what cannot be read says why, and who it is for', async (t) => {
  const { message: _message, sentAt: _sentAt, ...bad } = peeked;
  const unreadable: Peeked = { ...bad, channels: ['a!1', 'a!2'], error: new Error('bad\nbytes') };
  const [, line] = tableLines(peekColumns({ now, onLease: false, textLength: undefined }), [unreadable]);
  t.match(line, /^\S+ {4}\? .* for a!1, a!2: cannot be read: bad\\x0abytes$/);
  t.same(peekedJson(unreadable), { ...bad, channels: ['a!1', 'a!2'], error: 'bad\nbytes' });
  t.match(peekedJson(peeked), { message: { type: 'mail.send', n: '12345678901234567890' } });
});

t.test('a lease tells when it ends', async (t) => {
  const lines = tableLines(peekColumns({ now, onLease: true, textLength: undefined }), [
    { ...peeked, leaseEndsAt: now + 30_000 },
    { ...peeked, leaseEndsAt: now - 1 },
  ]);
  t.match(lines, [/ lease ends /, / in 30 s /, / now /]);
});

t.test('groups are a row a member', async (t) => {
  const groups = [
    { group: 'one', members: [{ channel: 'a!1', renewedAt: now - 60_000 }, { channel: 'b!2' }] },
    { group: 'two', members: [] },
  ];
  t.same(tableLines(memberColumns(now), memberRows(groups)), [
    'group  member  last renewed',
    'one    a!1     1 min ago',
    'one    b!2     not known',
  ]);
});

function statsAt(at: number, channels: LayerStats['channels']): LayerStats {
  return { at, channels, processes: [] };
}

t.test('rates are what came in a second since the look before', async (t) => {
  const first = statsAt(now, [
    { ...calm, channel: 'a', sent: 100, received: 90 },
    { ...calm, channel: 'again', sent: 50 },
  ]);
  t.match(withRates(first, undefined), [{ rates: { sent: null, dropped: null } }, {}], 'not known at first');
  const second = statsAt(now + 2000, [
    { ...calm, channel: 'a', sent: 110, received: 91 },
    { ...calm, channel: 'again', sent: 3 },
    { ...calm, channel: 'new', sent: 7000 },
  ]);
  t.match(withRates(second, first), [
    { channel: 'a', rates: { sent: 5, received: 0.5, refused: 0 } },
    { channel: 'again', rates: { sent: null } },
    { channel: 'new', rates: { sent: 3500 } },
  ]);
  t.same([null, 0, 0.02, 0.44, 9.94, 9.96, 3500.4].map(rateText), [
    '-',
    '0',
    '0.0',
    '0.4',
    '9.9',
    '10',
    '3500',
  ]);
});

t.test(
  'a screen shows as many channels as it has rows, the busiest first, and counts the rest',
  async (t) => {
    const names = Array.from({ length: 30 }, (_, i) => `c${i}`);
    const before = statsAt(
      now,
      names.map((channel) => ({ ...calm, channel })),
    );
    const stats = statsAt(
      now + 1000,
      names.map((channel, i) => ({ ...calm, channel, sent: i === 7 ? 500 : 0, depth: i === 9 ? 5 : 0 })),
    );
    const sight = { stats, channels: withRates(stats, before) };
    const view = { layer: 'sqlite:x.db\u001b', time: '12:00:01', everyMs: 2000, problem: undefined };
    const lines = screenLines(sight, { ...view, rows: 10 });
    t.equal(lines.length, 10);
    t.equal(lines[0], 'linod channels  sqlite:x.db\\x1b  12:00:01  every 2 s');
    t.equal(lines[1], '30 channels, 0 processes; q to end');
    t.match(lines[3], /^channel .* fill .* sent\/s /);
    t.match(lines.slice(4, 7), [/^c7 .* 500 /, /^c9 /, /^c0 /]);
    t.equal(lines[9], '… and 25 more');
    t.match(screenLines(sight, { ...view, rows: 40 })[33], /^c8 /, 'all of them');
    t.match(screenLines(sight, { ...view, rows: 40, problem: 'Redis is away' })[1], 'Redis is away');
    t.match(screenLines({ stats: statsAt(now, []), channels: [] }, { ...view, rows: 3 }), [
      /linod/,
      /0 channels/,
      '',
    ]);
    t.equal(screenLines(sight, { ...view, rows: 2 }).length, 2);
  },
);

t.test('in a pipe each row has its time', async (t) => {
  const stats = statsAt(now, [{ ...calm, channel: 'a' }]);
  const sight = { stats, channels: withRates(stats, undefined) };
  t.match(plainLines(sight, '12:00:00'), [/^time {6}channel /, /^12:00:00 {2}a .* - /]);
  t.match(sightJson(sight), { at: now, channels: [{ channel: 'a', rates: { sent: null } }], processes: [] });
});

t.test('text is made harmless and short', async (t) => {
  t.equal(printable('a\u0000\n\u009b\u202e\ud800é✓'), 'a\\x00\\x0a\\x9b\\u202e\\ud800é✓');
  t.equal(shortened('abc', 3), 'abc');
  t.equal(shortened('abcd', 3), 'ab…');
  t.equal(shortened('😀😀😀', 2), '😀…', 'no half characters');
});

t.test('the layer in memory gives what the views show', async (t) => {
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  await layer.send('mail', { type: 'x' });
  const stats = await layer.stats();
  t.match(
    tableLines([...stateColumns(fillColumn), ...countColumns], stats.channels)[1],
    /^mail +1 +1 % of 100 /,
  );
});
