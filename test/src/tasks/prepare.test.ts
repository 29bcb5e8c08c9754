// A thread or process is started before the run that needs it is due.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { openBench } from '../../support/site.js';
import { until } from '../../support/until.js';

/** How many processes this one has started that have not ended. */
function children(): number {
  const text = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim();
  return text === '' ? 0 : text.split(' ').length;
}

t.test('a process is started two seconds before its rule is due, and for others nothing is', async (t) => {
  const bench = await openBench(t);
  const before = children();
  const func = (): void => {};
  bench.add('inline', func, { every: 60, everyUnit: 'secondly' });
  const remote = bench.add('remote', func, { every: 300, everyUnit: 'secondly', runIn: 'process' });
  await bench.join();
  await bench.tasks.setup();
  const dueOf = async (name: string) => {
    const rule = (await bench.rules.list()).find(({ procedure }) => procedure === name);
    return rule?.nextDueAt?.getTime() ?? Number.NaN;
  };
  t.equal((await bench.tasks.run()).getTime(), await dueOf('inline'));
  const dueAt = await dueOf(remote.name);
  bench.clock.advance(dueAt - 2001 - bench.clock.now());
  t.equal((await bench.tasks.run()).getTime(), dueAt - 2000, 'the process is the next to do');
  await bench.tasks.settled();
  t.equal(children(), before);
  bench.clock.advance(1);
  await bench.tasks.run();
  await until('a process is there', () => children() === before + 1);
  t.same(bench.tasks.running, [], 'and waits');
  await bench.tasks.run();
  t.equal(children(), before + 1, 'one is enough');
});
