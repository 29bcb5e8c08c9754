// What hears the news of PostgreSQL, where there is no server. With one it is tried out in postgres.test.ts.

import t from 'tap';
import { NoticeListener } from '../../../src/store/postgres/follow.js';
import { parseTarget } from '../../../src/store/postgres/target.js';
import { hastyClock, watchSignals } from '../../support/signals.js';
import { until } from '../../support/until.js';

t.test('trying to connect again and again leaves nothing behind', async (t) => {
  const most = watchSignals(t);
  const clock = hastyClock();
  // Nobody listens on port 1.
  const target = parseTarget('postgres://linod@127.0.0.1:1/shop', {});
  const listener = new NoticeListener(target, { clock, onNews: () => {}, onTrouble: () => {} });
  await until('it has tried twenty times', () => clock.waits() > 40);
  const listeners = most();
  await listener.close();
  t.ok(listeners <= 2, `at most 2 on one signal: ${listeners}`);
});
