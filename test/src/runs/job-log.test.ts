// What a job keeps of its run.

import t from 'tap';
import type { BaseRequest } from '../../../src/rules/base-request.js';
import { openBench } from '../../support/site.js';
import { every10, oldestFirst } from '../../support/tasks.js';

t.test("a rule's level decides what its jobs keep", async (t) => {
  const bench = await openBench(t);
  const talk = (ar: BaseRequest) => {
    for (const say of ['debug', 'info', 'warning'] as const) ar[say](say);
  };
  bench.add('quiet', talk, { ...every10, logLevel: 'WARNING' });
  bench.add('chatty', talk, { ...every10, logLevel: 'DEBUG' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(
    (await bench.jobs.lines(1)).map((line) => line.text),
    ['warning'],
  );
  t.same(
    (await bench.jobs.lines(2)).map((line) => line.text),
    ['debug', 'info', 'warning'],
  );
  t.notOk(bench.records.includes('DEBUG procedures.chatty: debug'), "lino.log goes by the site's level");
});

t.test('progress is kept with the job', async (t) => {
  const bench = await openBench(t);
  bench.add('steps', (ar: BaseRequest) => ar.progress(3, 12, 'rows'), every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [{ progress: { done: 3, total: 12, text: 'rows' } }]);
});

t.test('a job keeps a bounded number of lines and says so', async (t) => {
  const bench = await openBench(t);
  bench.add(
    'babble',
    (ar: BaseRequest) => {
      for (let i = 0; i < 10_100; i++) ar.info(`line ${i}`);
    },
    every10,
  );
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  const lines = await bench.jobs.lines(1);
  t.equal(lines.length, 10_001);
  t.equal(lines.at(-1)?.text, 'more than 10000 lines or 8388608 characters: the rest is only in lino.log');
  t.equal(bench.records.filter((record) => record.includes('line ')).length, 10_100);
});

t.test('a job keeps the beginning of a long line, and a bounded number of characters', async (t) => {
  const bench = await openBench(t);
  bench.add('shout', (ar: BaseRequest) => ar.info('a'.repeat(30_000_000)), every10);
  bench.add(
    'babble',
    (ar: BaseRequest) => {
      for (let i = 0; i < 100; i++) ar.info('b'.repeat(1_000_000));
    },
    every10,
  );
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  const [long] = await bench.jobs.lines(1);
  t.ok((long?.text.length ?? 0) < 20_000, 'a line is cut');
  t.match(long?.text, /^a+…$/);
  const lines = await bench.jobs.lines(2);
  t.ok(lines.reduce((sum, { text }) => sum + text.length, 0) < 10_000_000);
});
