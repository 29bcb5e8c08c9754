import t from 'tap';
import { Agenda } from '../../../src/simulate/agenda.js';
import { Random } from '../../support/random.js';

t.test('what is on the agenda comes in the order of time, and not before its time', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const agenda = new Agenda<number>();
  const waiting: number[] = [];
  for (let now = 0; now < 300; now++) {
    for (let i = random.whole(0, 3); i > 0; i--) {
      const at = now + random.whole(0, 40);
      agenda.add(at, at);
      waiting.push(at);
    }
    const taken: number[] = [];
    for (let at = agenda.take(now); at !== undefined; at = agenda.take(now)) taken.push(at);
    const expected = waiting.filter((at) => at <= now).sort((a, b) => a - b);
    t.same(taken, expected, `at ${now}`);
    waiting.splice(0, waiting.length, ...waiting.filter((at) => at > now));
    t.equal(agenda.next, Math.min(...waiting));
  }
});
