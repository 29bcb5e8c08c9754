import t from 'tap';
import { InMemoryChannelLayer, type Peeked } from '../../../../channels/index.js';
import {
  figureColumns,
  memberColumns,
  memberRows,
  peekColumns,
  peekedJson,
} from '../../../../src/commands/channels/views.js';
import { shortened, tableLines } from '../../../../src/commands/views/output.js';
import { printable } from '../../../../src/log/format/unsafe.js';

const now = Date.UTC(2026, 10, 24, 12);

const calm = { depth: 0, capacity: 100, onLease: 0, dead: 0 };

t.test('the list of channels shows depth, fill, age, leases and dead letters', async (t) => {
  const lines = tableLines(figureColumns, [
    { ...calm, channel: 'linod_x' },
    { channel: 'mail', depth: 150, capacity: 200, onLease: 3, dead: 2, oldestAgeMs: 2500 },
    { ...calm, channel: 'fax', depth: 1 },
  ]);
  t.same(lines, [
    'channel  depth         fill  oldest  on lease  dead',
    'linod_x      0   0 % of 100       -         0     0',
    'mail       150  75 % of 200   2.5 s         3     2',
    'fax          1   1 % of 100       ?         0     0',
  ]);
});

t.test('problems stand out in a terminal', async (t) => {
  const styles = (figures: Partial<typeof calm>) =>
    figureColumns
      .map((column) => column.style?.({ ...calm, channel: 'x', ...figures }))
      .filter((style) => style !== undefined);
  t.same(styles({}), []);
  t.same(styles({ depth: 79 }), []);
  t.same(styles({ depth: 80 }), ['yellow', 'yellow']);
  t.same(styles({ depth: 100 }), ['red', 'red']);
  t.same(styles({ dead: 1 }), ['yellow']);
});

const peeked: Peeked = {
  channels: ['mail'],
  message: { type: 'mail.send', to: 'ann\u001b[2J\u202e', n: 12345678901234567890n },
  bytes: 40,
  sentAt: now - 1500,
  deliveries: 2,
};

t.test('a message is shown on one line, without control characters', async (t) => {
  const columns = peekColumns({ now, onLease: false });
  t.same(tableLines(columns, [peeked]), [
    '  age  deliveries  bytes  message',
    '1.5 s           2     40  {"type":"mail.send","to":"ann\\u001b[2J\\u202e","n":"12345678901234567890"}',
  ]);
  const [, cut] = tableLines(columns, [peeked], 46);
  t.match(cut, / {"type":"mail\.send"…$/);
});

t.test('an unreadable message is shown with its error and its channels', async (t) => {
  const { message: _message, sentAt: _sentAt, ...bad } = peeked;
  const unreadable: Peeked = { ...bad, channels: ['a!1', 'a!2'], error: new Error('bad\nbytes') };
  const [, line] = tableLines(peekColumns({ now, onLease: false }), [unreadable]);
  t.match(line, /^ *\? .* for a!1, a!2: cannot be read: bad\\x0abytes$/);
  t.same(peekedJson(unreadable), { ...bad, channels: ['a!1', 'a!2'], error: 'bad\nbytes' });
  t.match(peekedJson(peeked), { message: { type: 'mail.send', n: '12345678901234567890' } });
});

t.test('a message on lease shows when the lease ends', async (t) => {
  const lines = tableLines(peekColumns({ now, onLease: true }), [
    { ...peeked, leaseEndsAt: now + 30_000 },
    { ...peeked, leaseEndsAt: now - 1 },
  ]);
  t.match(lines, [/ lease ends /, / in 30 s /, / now /]);
});

t.test('groups have one row for each member', async (t) => {
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

t.test('text is harmless and short', async (t) => {
  t.equal(printable('a\u0000\n\u009b\u202e\ud800é✓'), 'a\\x00\\x0a\\x9b\\u202e\\ud800é✓');
  t.equal(shortened('abc', 3), 'abc');
  t.equal(shortened('abcd', 3), 'ab…');
  t.equal(shortened('😀😀😀', 2), '😀…', 'no half characters');
});

t.test('the in-memory layer fits the views', async (t) => {
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  await layer.send('mail', { type: 'x' });
  const stats = await layer.stats();
  t.match(tableLines(figureColumns, stats.channels)[1], /^mail +1 +1 % of 100 /);
});
