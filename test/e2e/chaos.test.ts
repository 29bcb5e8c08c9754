// Workers are killed, suspended and ended at random, and the database restarted, while they run rules of every second
// and up. Whatever happens: no due time is run twice, none is missing from the ledger, and no job of a dead process is
// still running.
//
//     npm run chaos        five minutes on each database; SEED=… repeats the choices

import t, { type Test } from 'tap';
import { chaos } from '../support/chaos.js';
import { PostgresServer } from '../support/postgres.js';
import { Random } from '../support/random.js';

const seconds = Number(process.env.CHAOS_SECONDS ?? 4);

async function check(t: Test, server?: PostgresServer): Promise<void> {
  const random = new Random();
  t.comment(`seed ${random.seed}`);
  const options = { random, seconds, rules: 200, workers: 3 };
  const result = await chaos(t, server === undefined ? options : { ...options, server });
  const { done, jobs, dueTimes, twice, untold, hanging, strange } = result;
  t.comment(`${jobs} jobs, ${dueTimes} due times, ${JSON.stringify(done)}`);
  t.ok(jobs > seconds, 'something was run');
  t.same(twice, [], 'no due time is run twice');
  t.same(untold, [], 'every due time is in the ledger');
  t.same(hanging, [], 'no job of a dead process is running');
  t.same(strange, [], 'every run began in the process that its job names');
}

t.test('three workers on SQLite', (t) => check(t));

t.test('three workers on PostgreSQL', async (t) => check(t, await PostgresServer.start(t)));
