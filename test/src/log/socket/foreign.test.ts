// Records of programs that have no sender of their own, as they come in a message.

import t from 'tap';
import { LevelTree } from '../../../../src/log/levels/level-tree.js';
import { writeForeign } from '../../../../src/log/socket/foreign-record.js';
import { recordOfObject } from '../../../../src/log/socket/object-record.js';

/** When a record is said to have happened; undefined for the time of its arrival. */
function timeOf(object: Record<string, unknown>): number | undefined {
  const times: Array<number | undefined> = [];
  const write = (...[, , message, , , at]: Array<unknown>) => {
    t.equal(message, 'paid');
    times.push(typeof at === 'number' ? at : undefined);
  };
  writeForeign({ write }, recordOfObject({ message: 'paid', ...object }), new LevelTree({}));
  t.equal(times.length, 1, `${JSON.stringify(object)} is written`);
  return times[0];
}

t.test(
  'a time is seconds, milliseconds or ISO text; a record with another one keeps its arrival',
  async (t) => {
    const at = Date.UTC(2026, 10, 25, 18, 0, 1, 250);
    for (const time of [
      at,
      at / 1000,
      String(at),
      String(at / 1000),
      '2026-11-25T18:00:01.250Z',
      '2026-11-25T20:00:01.250000+02:00',
      '2026-11-25 20:00:01,250+0200',
    ]) {
      t.equal(timeOf({ time }), at, `time: ${time}`);
      t.equal(timeOf({ created: time }), at, `created: ${time}`);
    }
    const bad = [
      'yesterday',
      '2026-11-25',
      '2026-11-25T20:00:01',
      '',
      -5,
      Number.NaN,
      1e300,
      true,
      {},
      [at],
      null,
    ];
    for (const time of bad) {
      t.equal(timeOf({ time }), undefined, JSON.stringify(time));
      t.equal(timeOf({ time, created: at / 1000 }), at);
    }
    t.equal(timeOf({}), undefined);
  },
);
