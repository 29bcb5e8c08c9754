// Eight processes log at full speed while workers, senders and Redis are killed and suspended, the disk is full, the log's
// directory is taken away, its file renamed, and clocks are set. Whatever happens: each record that was accepted is in
// the log once and in order, or the log itself tells that it is lost.
//
//     npm run torture        five minutes on each layer; SEED=… repeats the choices

import t, { type Test } from 'tap';
import { tortureLog } from '../support/log-torture.js';
import { Random } from '../support/random.js';
import { RedisServer } from '../support/redis.js';

const seconds = Number(process.env.TORTURE_SECONDS ?? 3);

async function check(t: Test, server?: RedisServer): Promise<void> {
  const random = new Random();
  t.comment(`seed ${random.seed}`);
  const options = { random, seconds, senders: 8 };
  const result = await tortureLog(t, server === undefined ? options : { ...options, server });
  const { done, accepted, written, lost, wrong } = result;
  t.comment(`${accepted} accepted, ${written} written, ${lost} told lost, ${JSON.stringify(done)}`);
  t.ok(written > 1000, 'something was logged');
  t.ok(written + lost >= accepted, 'nothing is missing');
  t.same(wrong, [], 'each record stands there once and in order');
}

t.test('on SQLite', (t) => check(t));

t.test('on Redis', async (t) => check(t, await RedisServer.start(t)));
