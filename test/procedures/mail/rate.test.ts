import t from 'tap';
import { Rate } from '../../../procedures/mail/smtp/rate.js';

t.test('no second has more turns than are allowed, also after a pause', async (t) => {
  const rate = new Rate(10);
  let now = 5000;
  const turns: number[] = [];
  const take = (count: number) => {
    for (let i = 0; i < count; i++) turns.push(now + rate.take(now));
  };
  take(15);
  now = 60_000;
  take(24);
  t.equal(turns[0], 5000, 'the first waits for nothing');
  t.equal(turns[15], 60_000, 'what was not used is not made up for');
  for (const begin of turns) {
    const inSecond = turns.filter((at) => at >= begin && at < begin + 1000);
    t.ok(inSecond.length <= 10, `from ${begin} on`);
  }
});

t.test('without a limit nobody waits', async (t) => {
  const rate = new Rate(null);
  t.same([rate.take(1), rate.take(1), rate.take(1)], [0, 0, 0]);
});
