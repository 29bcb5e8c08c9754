// Waiting for the database of a worker that is started.

import t from 'tap';
import { awaitStore } from '../../../src/daemon/awaited-store.js';
import { StoreUnavailableError } from '../../../src/store/errors.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { openBench } from '../../support/site.js';
import { turns } from '../../support/until.js';

const away = new StoreUnavailableError('shop', 'no answer', { passes: true });

t.test('it is tried again and again, each time later up to 5 s, and told once', async (t) => {
  const { store } = await openBench(t);
  const clock = new ManualClock(0);
  const triedAt: number[] = [];
  const told: string[] = [];
  const awaited = awaitStore({
    open: async () => {
      triedAt.push(clock.now());
      if (triedAt.length < 8) throw away;
      return store;
    },
    clock,
    signal: new AbortController().signal,
    onAway: ({ message }) => told.push(message),
  });
  for (let i = 0; i < 200; i++) {
    await turns();
    clock.advance(250);
  }
  t.strictSame(await awaited, { store, awayMs: 17_750 });
  t.strictSame(triedAt, [0, 250, 750, 1750, 3750, 7750, 12_750, 17_750]);
  t.strictSame(told, ['cannot open the database shop: no answer']);
});

t.test('what will not pass is thrown at once, and a signal ends the waiting', async (t) => {
  const clock = new ManualClock(0);
  const wrong = new StoreUnavailableError('shop', 'wrong password');
  const stop = new AbortController();
  const options = { clock, signal: stop.signal, onAway: () => stop.abort() };
  await t.rejects(awaitStore({ ...options, open: () => Promise.reject(wrong) }), wrong);
  t.equal(await awaitStore({ ...options, open: () => Promise.reject(away) }), null);
});
