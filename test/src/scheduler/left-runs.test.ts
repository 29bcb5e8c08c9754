import t from 'tap';
import { openBench } from '../../support/site.js';

const everySecond = { every: 1, everyUnit: 'secondly' } as const;

t.test('each run that was given up and did not end keeps its place', async (t) => {
  const bench = await openBench(t, { maxJobs: 3 });
  let begun = 0;
  const options = {
    ...everySecond,
    overlap: 'allow',
    timeoutSeconds: 0.1,
    graceSeconds: 0,
    onFailure: 'continue',
  } as const;
  bench.add('hangs', () => new Promise(() => void begun++), options);
  await bench.tasks.setup();
  for (let second = 0; second < 6; second++) {
    bench.clock.advance(1000);
    await bench.tasks.run();
    bench.clock.advance(500);
    await bench.tasks.settled();
  }
  t.equal(begun, 3);
});
