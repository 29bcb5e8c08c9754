import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import t, { type Test } from 'tap';
import { encode } from '../../../../channels/codec/msgpack.js';
import type { DroppedMessage } from '../../../../channels/index.js';
import { explain } from '../../../../channels/layers/sqlite/errors.js';
import { SqliteChannelLayer, type SqliteLayerOptions } from '../../../../channels/layers/sqlite/layer.js';
import { LayerFile } from '../../../../channels/layers/sqlite/layer-file.js';
import { wakeFilePath } from '../../../../channels/layers/sqlite/wake-file.js';
import { Writer } from '../../../../channels/layers/sqlite/writer.js';
import { batchContract } from '../../../contracts/batches.js';
import { layerContract } from '../../../contracts/layer.js';
import { leaseContract } from '../../../contracts/leases.js';
import type { LayerContractOptions } from '../../../contracts/run.js';
import { testDirectory } from '../../../support/directory.js';
import { LayerProcess } from '../../../support/layer-process.js';
import { eventually } from '../../../support/programs.js';
import { Random } from '../../../support/random.js';
import { turns, until } from '../../../support/until.js';

// On a busy machine all that is in here takes longer than a file of tests may take otherwise.
t.setTimeout(400_000);

const require = createRequire(import.meta.url);
const message = { type: 'test.message' };
const unavailable = { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE' };

t.test('importing the layer does not load SQLite', async (t) => {
  t.notOk(Object.keys(require.cache).some((file) => file.includes('better-sqlite3')));
});

const medium: LayerContractOptions['medium'] = async (t) => {
  const path = freshPath(t);
  return { open: async (options = {}) => new SqliteChannelLayer({ ...options, path }) };
};

layerContract('the SQLite layer keeps the contract', { medium });
batchContract('batches on the SQLite layer', { medium });
leaseContract('leases on the SQLite layer', { medium });

t.test('among several processes', async (t) => {
  // One directory for all, since a process would make a file that was deleted anew.
  const directory = testDirectory(t);
  const processes = await Promise.all(Array.from({ length: 8 }, LayerProcess.start));
  t.teardown(() => Promise.all(processes.map((process) => process.kill())));
  let files = 0;
  const [first] = processes;
  if (first === undefined) throw new Error('expected a process');

  const share = async (t: Test, options: Partial<SqliteLayerOptions> = {}) => {
    const path = join(directory, `${files++}.db`);
    await Promise.all(
      processes.map((process) => process.tell('open', { path, capacity: options.capacity ?? 100 })),
    );
    return open(t, { path, ...options });
  };

  await t.test('each message is received by one, and those of one sender in their order', async (t) => {
    const layer = await share(t, { capacity: 10_000 });
    const count = 200;
    const collected = processes.map((process) => process.tell('collect', { channel: 'shared' }));
    await Promise.all(
      processes.map((process, i) => process.tell('send', { channel: 'shared', from: i * count, count })),
    );
    for (const _ of processes) await layer.send('shared', { type: 'test.end' });
    const received = await Promise.all(collected);
    t.same(
      received.flat().sort((a, b) => a - b),
      Array.from({ length: processes.length * count }, (_, n) => n),
    );
    for (const numbers of received) {
      for (const sender of processes.keys()) {
        const fromOne = numbers.filter((n) => Math.floor(n / count) === sender);
        t.same(
          fromOne,
          fromOne.toSorted((a, b) => a - b),
        );
      }
    }
  });

  await t.test('the capacity is exact', async (t) => {
    const layer = await share(t, { capacity: 100 });
    const accepted = await Promise.all(
      processes.map((process) => process.tell('send', { channel: 'narrow', from: 0, count: 30 })),
    );
    t.equal(
      accepted.reduce((sum, n) => sum + n),
      100,
    );
    await t.rejects(layer.send('narrow', message), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
  });

  await t.test('a waiting process is woken, however often', { timeout: 30_000 }, async (t) => {
    const layer = await share(t);
    beside(t, first.tell('echo', { from: 'ping', to: 'pong' }));
    for (let n = 0; n < 200; n++) {
      await layer.send('ping', { type: 'test.ping', n } as typeof message);
      t.match(await layer.receive('pong'), { n });
    }
  });

  await t.test(
    'what pours in from all at once comes in the order of each, and then a single one',
    async (t) => {
      const layer = await share(t, { capacity: 100_000 });
      const count = 400;
      const sent = processes.map((process, i) =>
        process.tell('send', { channel: 'poured', from: i * count, count }),
      );
      const last = processes.map(() => -1);
      for (let n = 0; n < processes.length * count; n++) {
        const { n: number } = await layer.receive('poured');
        const sender = Math.floor(Number(number) / count);
        if (Number(number) % count !== (last[sender] ?? 0) + 1) t.fail(`${number} after ${last[sender]}`);
        last[sender] = Number(number) % count;
      }
      await Promise.all(sent);
      t.same(
        last,
        processes.map(() => count - 1),
      );
      const waiting = layer.receive('poured');
      await first.tell('send', { channel: 'poured', from: 7, count: 1 });
      t.match(await waiting, { n: 7 });
    },
  );

  await t.test(
    'who takes other numbers than are sent at once loses none, whoever writes meanwhile',
    async (t) => {
      const layer = await share(t, { capacity: 100_000 });
      const [senders, receivers] = [processes.slice(0, 2), processes.slice(2, 4)];
      const count = 6000;
      const scooped = receivers.map((process) => process.tell('scoop', { channel: 'sixties', max: 100 }));
      const poured = senders.map((process, i) =>
        process.tell('pour', { channel: 'sixties', from: i * count, count, batch: 60 }),
      );
      t.same(await Promise.all(poured), [count, count], 'all are accepted');
      const lying = raw(t, layer.path).prepare('SELECT count(*) FROM message').pluck();
      await eventually('all is taken', () => lying.get() === 0);
      // Ends the receives of the processes.
      await share(t);
      const received = [...(await Promise.all(scooped)).flat(), ...(await takeAll(layer, 'sixties'))];
      const different = new Set(received);
      t.equal(senders.length * count - different.size, 0, 'none is lost');
      t.equal(received.length - different.size, 0, 'none comes twice');
    },
  );

  await t.test('those that are killed in the middle of their writes lock nobody out', async (t) => {
    const random = new Random();
    t.comment(`SEED=${random.seed}`);
    const layer = await share(t, { capacity: 1000 });
    let living = processes.filter((process) => process !== first);
    for (const process of living) beside(t, process.tell('burst', { channel: 'burst' }));
    beside(t, first.tell('echo', { from: 'ping', to: 'pong' }));
    while (living.length > 0) {
      for (let n = random.whole(0, 40); n > 0; n--) await layer.receive('burst');
      const [one = first, ...others] = living;
      const killed = [one, ...random.some(others)];
      await Promise.all(killed.map((process) => process.kill()));
      living = living.filter((process) => !killed.includes(process));
      await layer.send('ping', message);
      t.match(await layer.receive('pong'), message);
    }
    await layer.close();
    const db = raw(t, layer.path);
    t.equal(db.pragma('integrity_check', { simple: true }), 'ok');
  });
});

t.test('a process whose layer is idle ends by itself', async (t) => {
  const process = await LayerProcess.start();
  t.teardown(() => process.kill());
  await process.tell('open', { path: freshPath(t) });
  await process.tell('send', { channel: 'idle', from: 0, count: 1 });
  t.equal(await process.release(), 0);
});

t.test('a chain of sends and receives that are awaited lets timers have their turn', async (t) => {
  const layer = open(t);
  let ticked = false;
  setTimeout(() => {
    ticked = true;
  }, 1);
  for (let n = 0; n < 100_000 && !ticked; n++) {
    await layer.send('chain', message);
    await layer.receive('chain');
  }
  t.ok(ticked);
});

t.test('receives of one turn get the messages in their order', async (t) => {
  const layer = open(t);
  for (let n = 0; n < 20; n++) await layer.send('turn', { type: `test.${n}` });
  const received = await Promise.all(Array.from({ length: 20 }, () => layer.receive('turn')));
  t.same(
    received.map(({ type }) => type),
    Array.from({ length: 20 }, (_, n) => `test.${n}`),
  );
});

t.test('a message whose notice was lost is found all the same', async (t) => {
  const layer = open(t);
  await layer.send('other', message);
  const waiting = layer.receive('quiet');
  await turns();
  const body = encode(message);
  raw(t, layer.path)
    .prepare('INSERT INTO message VALUES (?, 1, ?, NULL, ?)')
    .run('quiet', Date.now() + 60_000, body);
  t.match(await waiting, message);
});

t.test('who opens the file through a symbolic link wakes and is woken as others are', async (t) => {
  const layer = open(t);
  await layer.send('channel', message);
  const link = join(testDirectory(t), 'link.db');
  symlinkSync(layer.path, link);
  const linked = open(t, { path: link });
  t.strictSame(await linked.receive('channel'), message);
  t.equal(wakeFilePath(link), wakeFilePath(layer.path));
  t.notOk(existsSync(`${link}-wake`));
  for (const [sender, receiver] of [
    [layer, linked],
    [linked, layer],
  ] as const) {
    const waiting = receiver.receive('channel');
    await sender.send('channel', message);
    t.strictSame(await waiting, message);
  }
});

t.test('a pending receive keeps the process alive, and nothing else does', async (t) => {
  const timeouts = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const layer = open(t);
  const before = timeouts();
  await layer.send('other', message);
  t.equal(timeouts(), before);
  const patience = new AbortController();
  const waiting = layer.receive('channel', { signal: patience.signal });
  await turns(2);
  t.equal(timeouts(), before + 1);
  patience.abort();
  await t.rejects(waiting);
  t.equal(timeouts(), before);
});

t.test('what was sent before a close is written', async (t) => {
  const path = freshPath(t);
  const layer = open(t, { path });
  const sends = Array.from({ length: 1200 }, () =>
    layer.send('channel', message).catch((error) => error.code),
  );
  await layer.close();
  const results = await Promise.all(sends);
  t.equal(results.filter((result) => result === undefined).length, 100);
  t.equal(rows(t, path, 'channel'), 100);
});

t.test('the file does not grow under steady traffic', async (t) => {
  const layer = open(t, { capacity: 1000 });
  const sizes: number[] = [];
  for (let round = 0; round < 12; round++) {
    for (let n = 0; n < 300; n++) await layer.send('steady', { type: 'x'.repeat(2000) });
    for (let n = 0; n < 300; n++) await layer.receive('steady');
    sizes.push(statSync(layer.path).size + statSync(`${layer.path}-wal`).size);
  }
  const [early = 0, late = 0] = [sizes[3], sizes.at(-1)];
  t.ok(late < early * 1.1, `sizes by round: ${sizes.join(', ')}`);
});

t.test('what a flood left behind is given back', async (t) => {
  let now = Date.now();
  const layer = open(t, { capacity: 1000, now: () => now });
  for (let n = 0; n < 300; n++) await layer.send('flood', { type: 'x'.repeat(70_000) });
  for (let n = 0; n < 300; n++) await layer.receive('flood');
  const db = raw(t, layer.path);
  const pages = () => Number(db.pragma('page_count', { simple: true }));
  const flooded = pages();
  for (let n = 0; n < 20; n++) {
    now += 6000;
    await layer.send('drip', message);
    await layer.receive('drip');
  }
  t.ok(flooded > 4000, `${flooded} pages`);
  t.ok(pages() < 2000, `${pages()} pages`);
});

t.test('what a flood of batches left behind is given back, and the -wal stays within bounds', async (t) => {
  let now = Date.now();
  const layer = open(t, { capacity: 100_000, now: () => now });
  const batch = Array.from({ length: 1000 }, () => ({ type: 'x'.repeat(1000) }));
  for (let n = 0; n < 30; n++) await layer.sendMany('flood', batch);
  for (let left = 30_000; left > 0; )
    left -= (await layer.receiveMany('flood', { max: Math.min(left, 500) })).length;
  const db = raw(t, layer.path);
  const pages = () => Number(db.pragma('page_count', { simple: true }));
  const flooded = pages();
  for (let n = 0; n < 20; n++) {
    now += 6000;
    await layer.send('drip', message);
    await layer.receive('drip');
  }
  t.ok(flooded > 7000, `${flooded} pages`);
  t.ok(pages() < 2000, `${pages()} pages`);
  const walBytes = statSync(`${layer.path}-wal`).size;
  t.ok(walBytes < 64 * 1024 * 1024, `${walBytes} bytes of -wal`);
});

t.test('what expired is given back, though nobody sends any more', async (t) => {
  let now = Date.now();
  const layer = open(t, { capacity: 100_000, expiry: 10, now: () => now });
  const batch = Array.from({ length: 1000 }, () => ({ type: 'x'.repeat(1000) }));
  for (let n = 0; n < 30; n++) await layer.sendMany('flood', batch);
  const db = raw(t, layer.path);
  const pages = () => Number(db.pragma('page_count', { simple: true }));
  const flooded = pages();
  now += 11_000;
  await layer.send('drip', message);
  t.ok(flooded > 7000, `${flooded} pages`);
  await eventually('the pages are given back', () => pages() < 4000);
});

const canMount = process.platform === 'linux' && process.geteuid?.() === 0;
t.test(
  'a small disk that the -wal fills up takes messages on and on',
  { skip: canMount ? false : 'mounting a small disk needs root on Linux' },
  async (t) => {
    const disk = testDirectory(t);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
    t.teardown(() => execFileSync('umount', ['--lazy', disk]));
    const layer = open(t, { path: join(disk, 'channels.db') });
    const sent = { type: 'test', text: 'x'.repeat(20_000) };
    for (let n = 0; n < 500; n++) {
      await layer.send('channel', sent);
      t.equal((await layer.receive('channel')).type, 'test');
    }
    const large = Array.from({ length: 100 }, () => ({ ...sent, text: 'x'.repeat(100_000) }));
    await t.rejects(layer.sendMany('channel', large), { ...unavailable, sqliteCode: 'SQLITE_FULL' });
    await layer.send('channel', sent);
    t.equal((await layer.receive('channel')).type, 'test', 'what does not fit leaves nothing behind');
  },
);

t.test('messages and memberships of the dead vanish when somebody sends', async (t) => {
  let now = Date.now();
  const dropped: DroppedMessage[] = [];
  const layer = open(t, {
    expiry: 10,
    groupExpiry: 10,
    now: () => now,
    onDrop: (drop) => dropped.push(drop),
  });
  for (let n = 0; n < 3; n++) await layer.send('web.dead!one', message);
  await layer.groupAdd('group', 'web.dead!one');
  now += 11_000;
  await layer.send('living', message);
  t.equal(rows(t, layer.path, 'web.dead!'), 0);
  t.equal(raw(t, layer.path).prepare('SELECT count(*) FROM membership').pluck().get(), 0);
  t.same(dropped, Array(3).fill({ channel: 'web.dead!', reason: 'expired' }));
});

t.test('messages that expired between longer-lived ones take no room', async (t) => {
  let now = Date.now();
  const path = freshPath(t);
  const short = open(t, { path, expiry: 10, capacity: 3, now: () => now });
  const long = open(t, { path, expiry: 1000, capacity: 3, now: () => now });
  await long.send('mixed', { type: 'test.1' });
  await short.send('mixed', message);
  await long.send('mixed', { type: 'test.2' });
  await t.rejects(long.send('mixed', message), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
  now += 11_000;
  await long.send('mixed', { type: 'test.3' });
  await t.rejects(long.send('mixed', message), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
  for (const n of [1, 2, 3]) t.match(await long.receive('mixed'), { type: `test.${n}` });
});

t.test('bytes that are no message are dropped and told, and the next one is delivered', async (t) => {
  const dropped: DroppedMessage[] = [];
  const layer = open(t, { onDrop: (drop) => dropped.push(drop) });
  const specific = await layer.newChannel();
  const key = specific.slice(0, specific.indexOf('!') + 1);
  await layer.send('first', message);
  const insert = raw(t, layer.path).prepare('INSERT INTO message VALUES (?, ?, ?, ?, ?)');
  const expiresAt = Date.now() + 60_000;
  for (const body of [Uint8Array.of(0xc1), encode([1, 2]), encode(new Map([[Uint8Array.of(1), 1]]))]) {
    insert.run('general', 1, expiresAt, null, body);
    insert.run(key, 1, expiresAt, specific, body);
    for (const channel of ['general', specific]) {
      const waiting = layer.receive(channel);
      await layer.send(channel, message);
      t.same({ ...(await waiting) }, message);
    }
    t.match(dropped.splice(0), [
      { channel: 'general', reason: 'undecodable', error: { code: 'CHANNELS_ERR_UNDECODABLE' } },
      { channel: key, reason: 'undecodable', error: { code: 'CHANNELS_ERR_UNDECODABLE' } },
    ]);
  }
});

t.test('who waits while the file is deleted goes on with the new one', async (t) => {
  const layer = open(t);
  await layer.send('other', message);
  const waiting = layer.receive('channel');
  removeFile(layer.path);
  await open(t, { path: layer.path }).send('channel', message);
  t.match(await waiting, message);
});

t.test('who sends after the file was deleted sends into the new one', async (t) => {
  const layer = open(t);
  await layer.send('channel', message);
  removeFile(layer.path);
  while (!existsSync(layer.path)) {
    await layer.send('channel', message);
    await turns(1);
  }
  t.match(await open(t, { path: layer.path }).receive('channel'), message);
});

t.test(
  'a -wal or -shm that was deleted is an error for all who have the file open, and nothing is lost',
  async (t) => {
    for (const ending of ['-wal', '-shm']) {
      const layer = open(t);
      await layer.send('channel', message);
      const waiting = t.rejects(layer.receive('third'), { ...unavailable, message: /restart all processes/ });
      rmSync(`${layer.path}${ending}`);
      await until('a send is refused', () => layer.send('other', message).then(Boolean, () => true));
      await waiting;
      await t.rejects(layer.receive('channel'), { ...unavailable, message: /lost its -wal or -shm/ });
      await layer.close();
      t.match(await open(t, { path: layer.path }).receive('channel'), message);
    }
  },
);

t.test('a copy that left the WAL mode is used without a restart', async (t) => {
  const layer = open(t);
  await layer.send('channel', message);
  const path = `${layer.path}.copy`;
  raw(t, layer.path).prepare('VACUUM INTO ?').run(path);
  const copy = open(t, { path });
  t.match(await copy.receive('channel'), message);
  // The layer checks its files ten times a second.
  const until = performance.now() + 250;
  while (performance.now() < until) {
    await copy.send('channel', message);
    t.match(await copy.receive('channel'), message);
    await turns(1);
  }
});

t.test('while another process holds the lock', async (t) => {
  await t.test('a send waits without stopping the event loop', async (t) => {
    const layer = open(t);
    await layer.send('channel', message);
    const db = raw(t, layer.path);
    db.exec('BEGIN IMMEDIATE');
    let settled = false;
    const send = layer.send('channel', message).finally(() => {
      settled = true;
    });
    for (let n = 0; n < 3; n++) await new Promise((resolve) => setTimeout(resolve, 1));
    t.notOk(settled);
    db.exec('COMMIT');
    await send;
    t.equal(rows(t, layer.path, 'channel'), 2);
  });

  await t.test('a send that is aborted meanwhile writes nothing', async (t) => {
    const layer = open(t);
    await layer.send('channel', message);
    const db = raw(t, layer.path);
    db.exec('BEGIN IMMEDIATE');
    const reason = new Error('enough');
    const patience = new AbortController();
    const aborted = layer.send('channel', message, { signal: patience.signal });
    const waiting = layer.send('channel', message);
    await turns(1);
    patience.abort(reason);
    await t.rejects(aborted, reason);
    db.exec('COMMIT');
    await waiting;
    t.equal(rows(t, layer.path, 'channel'), 2);
  });

  await t.test('a receive waits too', async (t) => {
    const layer = open(t);
    await layer.send('channel', message);
    const db = raw(t, layer.path);
    db.exec('BEGIN IMMEDIATE');
    const waiting = layer.receive('channel');
    await turns(1);
    db.exec('COMMIT');
    t.match(await waiting, message);
  });

  await t.test('a write gives up in the end, and says what is the matter', async (t) => {
    const path = freshPath(t);
    const file = new LayerFile(path, () => {});
    const writer = new Writer({ file, now: Date.now, expiryMsOf: () => 60_000, patienceMs: 30 });
    t.teardown(() => file.close());
    await writer.add((store) => store.addMember('group', 'channel', 1));
    const db = raw(t, path);
    db.exec('BEGIN IMMEDIATE');
    const write = writer.add((store) => store.addMember('group', 'other', 1));
    await t.rejects(write, {
      ...unavailable,
      path,
      sqliteCode: 'SQLITE_BUSY',
      message: /locked by another process/,
    });
    db.exec('COMMIT');
    await writer.add((store) => store.addMember('group', 'other', 1));
    writer.close();
  });
});

t.test('a file that cannot be used', async (t) => {
  const refuses = async (t: Test, path: string, expected: object) => {
    const layer = open(t, { path });
    await t.rejects(layer.send('channel', message), { ...unavailable, path, ...expected });
    await t.rejects(layer.receive('channel'), { ...unavailable, path, ...expected });
    await t.rejects(layer.receive(await layer.newChannel()), { ...unavailable, path });
  };

  await t.test('that is something else is refused', async (t) => {
    const path = freshPath(t);
    writeFileSync(path, 'Dear diary, '.repeat(1000));
    await refuses(t, path, { sqliteCode: 'SQLITE_NOTADB', message: /not a SQLite database/ });
  });

  await t.test('that is another database is refused and left as it is', async (t) => {
    const path = freshPath(t);
    raw(t, path).exec('CREATE TABLE person (name TEXT)');
    await refuses(t, path, { message: /database of another program/ });
    t.equal(raw(t, path).pragma('journal_mode', { simple: true }), 'delete');
  });

  await t.test('that another version made is refused', async (t) => {
    const path = freshPath(t);
    const layer = open(t, { path });
    await layer.send('channel', message);
    await layer.close();
    raw(t, path).pragma('user_version = 7');
    await refuses(t, path, { message: /has schema version 7, but this version of linod knows only 6/ });
  });

  await t.test(
    'that another version changes while it is open is refused, and keeps what it has',
    async (t) => {
      const layer = open(t);
      await layer.send('channel', message);
      const leased = await layer.receive('channel', { lease: 60_000 });
      await layer.send('channel', message);
      raw(t, layer.path).pragma('user_version = 7');
      const expected = {
        ...unavailable,
        message: /has schema version 7, but this version of linod knows only 6/,
      };
      await t.rejects(layer.send('other', message), expected);
      await t.rejects(layer.sendMany('other', [message, message]), expected);
      await t.rejects(layer.receive('channel'), expected);
      await t.rejects(layer.receive('channel', { lease: 1 }), expected);
      await t.rejects(layer.groupAdd('group', 'channel'), expected);
      await t.rejects(layer.flush(), expected);
      await t.rejects(leased.ack(), expected);
      t.equal(rows(t, layer.path, 'channel'), 1);
      raw(t, layer.path).pragma('user_version = 6');
      t.strictSame(await layer.receive('channel'), message);
      t.equal(await leased.ack(), true);
    },
  );

  await t.test('that is damaged is refused', async (t) => {
    const path = freshPath(t);
    const layer = open(t, { path });
    await layer.send('channel', message);
    await layer.close();
    const { size } = statSync(path);
    const bytes = Buffer.alloc(size, 0xff);
    readFileSync(path).copy(bytes, 0, 0, 100);
    writeFileSync(path, bytes);
    await refuses(t, path, { sqliteCode: 'SQLITE_CORRUPT', message: /damaged/ });
  });

  await t.test('that is a directory, or in none, is refused', async (t) => {
    const path = freshPath(t);
    await refuses(t, join(path, '..'), { sqliteCode: 'SQLITE_CANTOPEN' });
    await refuses(t, join(path, 'deeper'), { message: /directory that does not exist/ });
  });

  await t.test('that is read-only takes no message', async (t) => {
    const layer = open(t);
    await layer.send('channel', message);
    await layer.close();
    chmodSync(layer.path, 0o444);
    const reader = open(t, { path: layer.path });
    await asNobody(t, () =>
      t.rejects(reader.send('channel', message), { ...unavailable, path: layer.path, message: /write/ }),
    );
  });

  await t.test('for lack of room says so', async (t) => {
    const error = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    t.match(explain('/site/channels.db', error), {
      ...unavailable,
      path: '/site/channels.db',
      message: 'channel layer file "/site/channels.db" cannot grow: the disk is full',
      cause: error,
    });
  });

  await t.test('cannot be a name for memory', async (t) => {
    for (const path of ['', ':memory:']) {
      t.throws(() => new SqliteChannelLayer({ path }), {
        code: 'CHANNELS_ERR_INVALID_OPTION',
        option: 'path',
      });
    }
  });
});

/** With all that lies beside it. */
function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix);
  rmSync(wakeFilePath(path));
}

function freshPath(t: Test): string {
  return join(testDirectory(t), 'channels.db');
}

/** A layer that ends with the test, and its path. */
function open(t: Test, options: Partial<SqliteLayerOptions> = {}): SqliteChannelLayer & { path: string } {
  const path = options.path ?? freshPath(t);
  const layer = new SqliteChannelLayer({ ...options, path });
  t.teardown(() => layer.close());
  return Object.assign(layer, { path });
}

/** The file without any layer. */
function raw(t: Test, path: string): BetterSqlite3.Database {
  const Sqlite: typeof BetterSqlite3 = require('better-sqlite3');
  const db = new Sqlite(path);
  t.teardown(() => db.close());
  return db;
}

function rows(t: Test, path: string, key: string): unknown {
  return raw(t, path).prepare('SELECT count(*) FROM message WHERE key = ?').pluck().get(key);
}

async function takeAll(layer: SqliteChannelLayer, channel: string): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const batch = await layer.receiveMany(channel, { waitMs: 0 });
    if (batch.length === 0) return numbers;
    numbers.push(...batch.map(({ n }) => Number(n)));
  }
}

/** A command that nobody waits for: if it fails, so does the test. */
function beside(t: Test, command: Promise<void>): void {
  command.catch((error: unknown) => t.fail(String(error)));
}

/** Permissions bind everyone but root. */
async function asNobody(t: Test, work: () => Promise<unknown>): Promise<void> {
  if (process.geteuid?.() !== 0) {
    await work();
    return;
  }
  process.seteuid?.(65_534);
  t.teardown(() => process.seteuid?.(0));
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}
