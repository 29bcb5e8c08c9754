import t from 'tap';
import { openBench } from '../../support/site.js';
import { until } from '../../support/until.js';

t.test(
  'a rule may fail so often in a row as it allows, and as often again when it was resumed',
  async (t) => {
    const bench = await openBench(t);
    let fails = true;
    const work = () => {
      if (fails) throw new Error('no luck');
    };
    bench.add('mail', work, { everyUnit: 'yearly', onFailure: 'cancel', cancelAfter: 3 });
    await bench.tasks.setup();
    const run = async (works = false) => {
      fails = !works;
      await bench.requests.add(1, 'run', 'ann');
      await bench.tasks.run();
      await bench.tasks.settled();
      return (await bench.rules.get(1)).cancelledReason;
    };
    t.equal(await run(), null);
    t.equal(await run(), null);
    t.equal(await run(true), null);
    t.equal(await run(), null, 'it counts anew since one was done');
    t.equal(await run(), null);
    t.equal(await run(), 'failed: Error: no luck (job 6, 3 failures in a row)');
    await bench.rules.resume(1);
    t.equal(await run(), null);
    t.equal(await run(), null);
    t.equal(await run(), 'failed: Error: no luck (job 9, 3 failures in a row)');
  },
);

t.test(
  'of runs side by side, one that is done ends the row of failures, whichever began first',
  async (t) => {
    const bench = await openBench(t);
    let finish: () => void = () => undefined;
    const work = async ({ args }: { args: unknown }) => {
      if (args !== 'long') throw new Error('no luck');
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    bench.add('mail', work, { everyUnit: 'yearly', onFailure: 'cancel', cancelAfter: 2, overlap: 'allow' });
    await bench.tasks.setup();
    const failuresAfter = async ({ others }: { others: number }) => {
      await bench.requests.add(1, 'run', 'ann');
      await bench.tasks.run();
      await until('it has failed', () => bench.tasks.running.length === others);
      return (await bench.rules.get(1)).failuresInRow;
    };
    await bench.requests.add(1, 'run', 'ann', { args: 'long' });
    await bench.tasks.run();
    t.equal(await failuresAfter({ others: 1 }), 1);
    finish();
    await bench.tasks.settled();
    t.equal((await bench.rules.get(1)).failuresInRow, 0);
    t.equal(await failuresAfter({ others: 0 }), 1, 'so the rule goes on');
  },
);
