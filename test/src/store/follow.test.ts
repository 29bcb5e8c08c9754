// What hears the news of PostgreSQL, where there is no server. With one it is tried out by the store's contract.

import { getEventListeners } from 'node:events';
import t from 'tap';
import { NoticeListener } from '../../../src/store/postgres/follow.js';
import { parseTarget } from '../../../src/store/postgres/target.js';
import { until } from '../../support/until.js';

t.test('trying to connect again and again leaves nothing behind', async (t) => {
  const signals: AbortSignal[] = [];
  const { AbortController: Original } = globalThis;
  class Watched extends Original {
    constructor() {
      super();
      signals.push(this.signal);
    }
  }
  t.intercept(globalThis, 'AbortController', { value: Watched });

  let waits = 0;
  const clock = {
    now: Date.now,
    after(_delayMs: number, callback: () => void) {
      waits += 1;
      const timer = setImmediate(callback);
      return () => clearImmediate(timer);
    },
  };
  // Nobody listens on port 1.
  const target = parseTarget('postgres://linod@127.0.0.1:1/shop', {});
  const listener = new NoticeListener(target, { clock, onNews: () => {}, onTrouble: () => {} });
  await until('it has tried twenty times', () => waits > 40);
  const listeners = signals.map((signal) => getEventListeners(signal, 'abort').length);
  await listener.close();
  t.ok(
    Math.max(...listeners) <= 2,
    `at most 2 on each of ${listeners.length}, got ${Math.max(...listeners)}`,
  );
});
