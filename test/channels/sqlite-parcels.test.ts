import { createRequire } from 'node:module';
import { join } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import t, { type Test } from 'tap';
import { countOf, pack, unpack } from '../../channels/layers/sqlite/parcel.js';
import { SqliteChannelLayer } from '../../channels/layers/sqlite.js';
import { encode } from '../../channels/msgpack.js';
import { range, settableClock } from '../contracts/run.js';
import { testDirectory } from '../support/directory.js';
import { Random } from '../support/random.js';
import { turns } from '../support/until.js';

const require = createRequire(import.meta.url);

t.test('what is packed comes out again in its order, wherever one begins and ends', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  for (let round = 0; round < 50; round++) {
    const bodies = range(random.whole(0, 60)).map((n) =>
      new Uint8Array(random.pick([0, 1, 300, 5000, 40_000])).fill(n),
    );
    const parcels = pack(bodies);
    t.same(
      parcels.flatMap((parcel) => unpack(parcel, 0, parcel.count)),
      bodies,
    );
    for (const parcel of parcels) {
      t.equal(countOf(parcel), parcel.count);
      const skipped = random.whole(0, parcel.count - 1);
      const limit = random.whole(1, parcel.count - skipped);
      t.same(unpack(parcel, skipped, limit), unpack(parcel, 0, parcel.count).slice(skipped, skipped + limit));
    }
  }
});

t.test('messages that are small travel together, and large ones alone', async (t) => {
  const counts = (...sizes: number[]) =>
    pack(sizes.map((size) => new Uint8Array(size))).map(({ count }) => count);
  t.same(counts(...range(100).map(() => 100)), [100]);
  t.same(counts(...range(100).map(() => 1000)).slice(0, 2), [16, 16]);
  t.same(counts(10, 10, 1_000_000, 10, 10), [2, 1, 2]);
  t.same(counts(), []);
});

t.test('a queue of parcels is a queue of messages, whatever is sent and taken', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const time = settableClock();
  const capacity = 60;
  const layer = open(t, freshPath(t), { capacity, expiry: 10, now: time.now });
  let expected: number[] = [];
  let sent = 0;
  for (let step = 0; step < 1500; step++) {
    const kind = random.next();
    if (kind < 0.45) {
      const numbers = range(random.whole(1, 30)).map(() => sent++);
      const room = capacity - expected.length;
      const outcomes = await layer.sendMany('queue', numbers.map(ofSomeSize));
      t.equal(outcomes.filter(({ accepted }) => accepted).length, Math.min(room, numbers.length));
      expected.push(...numbers.slice(0, room));
    } else if (kind < 0.6) {
      const n = sent++;
      if (expected.length < capacity) {
        await layer.send('queue', ofSomeSize(n));
        expected.push(n);
      } else await t.rejects(layer.send('queue', ofSomeSize(n)), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
    } else if (kind < 0.98) {
      const max = random.whole(1, 40);
      const received = await layer.receiveMany('queue', { max, waitMs: 0 });
      t.same(
        received.map(({ n }) => n),
        expected.splice(0, max),
      );
      // What was read ahead goes back.
      await turns(2);
    } else {
      time.advance(11_000);
      expected = [];
    }
  }
});

t.test('who takes a part of a parcel leaves the rest to others', async (t) => {
  const path = freshPath(t);
  const layers = range(3).map(() => open(t, path, { capacity: 1000 }));
  const [sender] = layers;
  await sender?.sendMany('parts', range(100).map(numbered));
  const received: unknown[] = [];
  for (let turn = 0; received.length < 100; turn++) {
    const [message] = (await layers[turn % 3]?.receiveMany('parts', { max: 1 })) ?? [];
    received.push(message?.n);
    await turns(2);
  }
  t.same(received, range(100));
});

t.test('a part of a parcel that is on lease comes again, and the rest is not disturbed', async (t) => {
  const layer = open(t, freshPath(t), { capacity: 1000 });
  await layer.sendMany('leased', range(20).map(numbered));
  const leased = await layer.receiveMany('leased', { max: 7, lease: 60_000 });
  t.same(numbersOf(await layer.receiveMany('leased', { max: 3 })), [7, 8, 9]);
  await Promise.all(leased.slice(2).map((each) => each.release()));
  const again = await layer.receiveMany('leased', { max: 8, lease: 60_000 });
  t.same(numbersOf(again.map(({ message }) => message)), [2, 3, 4, 5, 6, 10, 11, 12]);
});

t.test('files of older versions are brought up to date, with what they hold', async (t) => {
  await t.test('version 1, without leases', async (t) => {
    const path = freshPath(t);
    olderFile(path, 1);
    const layer = open(t, path);
    t.match(await layer.receive('old', { lease: 60_000 }), { message: { n: 1 }, deliveries: 1 });
    t.match(await layer.receive('old'), { n: 2 });
  });

  await t.test('version 2, with one row a message', async (t) => {
    const path = freshPath(t);
    olderFile(path, 2);
    const [a, b] = [open(t, path), open(t, path)];
    await a.send('old', numbered(3));
    t.match(await b.receive('old', { lease: 60_000 }), { message: { n: 0 }, deliveries: 2 });
    t.same(numbersOf(await b.receiveMany('old')), [1, 2, 3]);
  });

  await t.test('and a process of version 2 that has it open is told, instead of misreading it', async (t) => {
    const path = freshPath(t);
    olderFile(path, 2);
    const old = connect(t, path);
    const take = old.prepare('DELETE FROM message WHERE key = ? RETURNING body');
    await open(t, path).sendMany('old', range(10).map(numbered));
    t.throws(() => take.all('old'), /no such table/);
  });
});

function numbered(n: number) {
  return { type: 'test.numbered', n };
}

function ofSomeSize(n: number) {
  return { ...numbered(n), fill: 'x'.repeat((n * 37) % 3000) };
}

function numbersOf(messages: readonly object[]): unknown[] {
  return messages.map((message) => ('n' in message ? message.n : undefined));
}

/** A file as the version of that schema left it: messages 1 and 2 on the channel `old`; in version 2, 0 on lease. */
function olderFile(path: string, version: 1 | 2): void {
  const Sqlite: typeof BetterSqlite3 = require('better-sqlite3');
  const db = new Sqlite(path);
  db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  db.exec(`
    CREATE TABLE message (
      key TEXT NOT NULL, id INTEGER NOT NULL, expires_at INTEGER NOT NULL, channels TEXT, body BLOB NOT NULL,
      PRIMARY KEY (key, id)) WITHOUT ROWID;
    CREATE TABLE membership (
      group_name TEXT NOT NULL, channel TEXT NOT NULL, expires_at INTEGER NOT NULL,
      PRIMARY KEY (group_name, channel)) WITHOUT ROWID;
    CREATE INDEX membership_by_expiry ON membership (expires_at);
    PRAGMA application_id = ${0x6c6e6368};
    PRAGMA user_version = ${version}`);
  const expiresAt = Date.now() + 60_000;
  for (const n of [1, 2])
    db.prepare('INSERT INTO message VALUES (?, ?, ?, NULL, ?)').run('old', n, expiresAt, encode(numbered(n)));
  if (version === 2) {
    db.exec(`
      CREATE TABLE lease (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, ends_at INTEGER NOT NULL, token INTEGER NOT NULL,
        deliveries INTEGER NOT NULL, body BLOB NOT NULL);
      CREATE INDEX lease_by_end ON lease (key, ends_at)`);
    const insert = db.prepare(
      'INSERT INTO lease (key, ends_at, token, deliveries, body) VALUES (?, ?, 1, 1, ?)',
    );
    insert.run('old', Date.now() - 1, encode(numbered(0)));
  }
  db.close();
}

function freshPath(t: Test): string {
  return join(testDirectory(t), 'channels.db');
}

function open(t: Test, path: string, options: object = {}): SqliteChannelLayer {
  const layer = new SqliteChannelLayer({ ...options, path });
  t.teardown(() => layer.close());
  return layer;
}

function connect(t: Test, path: string): BetterSqlite3.Database {
  const Sqlite: typeof BetterSqlite3 = require('better-sqlite3');
  const db = new Sqlite(path);
  t.teardown(() => db.close());
  return db;
}
