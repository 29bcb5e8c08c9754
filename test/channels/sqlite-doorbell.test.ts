import { chownSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  bellOf,
  bells,
  Doorbells,
  DoorbellWatcher,
  doorbellPath,
  Rings,
} from '../../channels/layers/sqlite/doorbell.js';
import { testDirectory } from '../support/directory.js';
import { turns, until } from '../support/until.js';

t.test('every key has one of the bells, and different keys mostly have different ones', async (t) => {
  const keys = Array.from({ length: 800 }, (_, n) => `linod_site.${n}`);
  const counts = bells.map((bell) => keys.filter((key) => bellOf(key) === bell).length);
  t.equal(
    counts.reduce((sum, count) => sum + count),
    keys.length,
  );
  t.ok(Math.max(...counts) < 200, counts.join(' '));
});

t.test('who watches a bell hears it, and no other', async (t) => {
  const { path, doorbells } = open(t);
  const heard: number[] = [];
  const watcher = new DoorbellWatcher(
    path,
    (bell) => heard.push(bell),
    () => {},
  );
  t.teardown(() => watcher.close());
  watcher.hold();
  watcher.start(2);
  watcher.start(5);
  doorbells.ring((1 << 3) | (1 << 5));
  await until('the bell is heard', () => heard.length > 0);
  await turns();
  t.same([...new Set(heard)], [5]);
});

t.test('a few commits ring at once each', async (t) => {
  const { doorbells, rings } = open(t);
  for (let n = 1; n <= 8; n++) {
    doorbells.ring(1);
    t.equal(rings.of(0), n);
  }
});

t.test('a stream of commits rings seldomer, and for its last one, too', async (t) => {
  const { doorbells, rings } = open(t);
  for (let n = 0; n < 5000; n++) doorbells.ring(1 << 4);
  t.ok(rings.of(4) < 4000, `${rings.of(4)} rings`);
  // Two that come so quickly after the stream that they belong to it: whichever waits for the turn is rung in it.
  doorbells.ring(1 << 6);
  doorbells.ring(1 << 7);
  await until('both have rung', () => rings.of(6) > 0 && rings.of(7) > 0);
  t.equal(rings.total, rings.of(4) + rings.of(6) + rings.of(7));
});

t.test('what is still to be rung is rung by closing', async (t) => {
  const { doorbells, rings } = open(t);
  for (let n = 0; n < 1000; n++) doorbells.ring(1);
  doorbells.ring(1 << 1);
  doorbells.close();
  doorbells.close();
  t.equal(rings.of(1), 1);
});

/** Doorbells of a database that is an empty file. */
function open(t: Test): { path: string; doorbells: Doorbells; rings: Rings } {
  const path = join(testDirectory(t), 'channels.db');
  writeFileSync(path, '');
  const rings = new Rings();
  const doorbells = new Doorbells(path, rings);
  t.teardown(() => doorbells.close());
  t.ok(bells.every((bell) => existsSync(doorbellPath(path, bell))));
  return { path, doorbells, rings };
}

const isRoot = process.geteuid?.() === 0;
const skip = isRoot ? false : 'only root can give files away';

t.test('bells that root makes belong to the owner of the database', { skip }, async (t) => {
  const path = join(testDirectory(t, { 'channels.db': '' }), 'channels.db');
  chownSync(path, 65_534, 65_534);
  new Doorbells(path, new Rings()).close();
  for (const bell of bells) t.match(statSync(doorbellPath(path, bell)), { uid: 65_534, gid: 65_534 });
});
