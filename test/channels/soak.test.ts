// The short form of `npm run soak`: the same load, some laps of it.

import t, { type Test } from 'tap';
import { RedisServer } from '../../scripts/bench/shared/redis-server.js';
import { Ledger } from '../../scripts/bench/soak/ledger.js';
import { Load } from '../../scripts/bench/soak/load.js';
import { type Medium, redisMedium, sqliteMedium } from '../../scripts/bench/soak/medium.js';
import { openFiles, resources } from '../../scripts/bench/soak/sample.js';
import { exceeds, slopeOf } from '../../scripts/bench/soak/slope.js';
import { testDirectory } from '../support/directory.js';
import { until } from '../support/until.js';

const laps = 7;
const lap = { rounds: 12, everyMs: 0 };
/** Of one round of all kinds of work: to the worker 10, a batch of 40, 5 leases, one to a group, 3 with cancels. */
const messagesPerRound = 59;

t.test('a mixed load loses and doubles nothing on SQLite, and leaves no handle', async (t) => {
  await runLaps(t, sqliteMedium(testDirectory(t)));
});

t.test('nor on Redis, where all connections break after each lap', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.close());
  await runLaps(t, redisMedium(server));
});

async function runLaps(t: Test, medium: Medium): Promise<void> {
  // A file that the first use of a medium opens for good is no leak, so there is a load before the one that counts.
  // Of the files of this process's own start, the last may still be closing.
  await until('the start is over', () => !resources().includes('CloseReq'));
  const waiting = resources().length;
  const first = new Load({ medium, rounds: 1, everyMs: 0 });
  t.teardown(() => first.close());
  await first.lap();
  await first.close();
  await until('the first load is gone', () => resources().length === waiting);
  const files = openFiles();
  const load = new Load({ medium, ...lap });
  t.teardown(() => load.close());
  for (let n = 0; n < laps; n++) await load.lap();
  t.equal(load.lost, 0, 'nothing is lost');
  t.equal(load.doubled, 0, 'nothing comes twice');
  t.equal(load.sent, laps * lap.rounds * messagesPerRound, 'everything was done');
  await load.close();
  await until('nothing keeps the process alive that did not before', () => resources().length === waiting);
  await until('its files are closed', () => openFiles() <= files);
}

t.test('a ledger tells what is lost from what is doubled', async (t) => {
  const ledger = new Ledger();
  const numbers = [ledger.next(), ledger.next(), ledger.next()];
  ledger.take(numbers[0]);
  ledger.take(numbers[0]);
  ledger.take('no number of ours');
  t.match(ledger, { sent: 3, outstanding: 2, doubled: 2 });
});

t.test('a slope is that of the line through the samples, and as sure as they are close to it', async (t) => {
  const hourMs = 3_600_000;
  const line = [0, 1, 2, 3].map((hour) => [hour * hourMs, 10 + 5 * hour] as const);
  const straight = slopeOf(line);
  t.equal(straight.perHour.toFixed(6), '5.000000');
  t.equal(straight.margin.toFixed(6), '0.000000');
  t.ok(exceeds(straight, 4.9));
  t.notOk(exceeds(straight, 5.1));
  const scattered = slopeOf(line.map(([at, value], i) => [at, value + (i % 2 === 0 ? 20 : -20)] as const));
  t.notOk(exceeds(scattered, 0), 'scatter is no growth');
  t.notOk(exceeds(slopeOf(line.slice(0, 2)), 0), 'two samples tell nothing');
});
