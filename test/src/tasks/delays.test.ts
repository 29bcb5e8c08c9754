import t from 'tap';
import { Delays } from '../../../src/tasks/delays.js';
import type { JobRule } from '../../../src/tasks/rule.js';

const rule = { id: 1, policies: { group: 'mail' } } as Pick<JobRule, 'id' | 'policies'>;

t.test(
  'what was the matter is told of the times at which it was, and not when these come again',
  async (t) => {
    const delays = new Delays();
    const told = (dueAt: number) => delays.of(rule, dueAt)?.why ?? null;
    delays.wasSetForward({ from: 1000, to: 9000, told: 'the clock was set forward by 8 s' });
    delays.wasAway(9500);
    delays.polledAt(9600, { waitsForPlace: true, groupWaits: new Map([['mail', 'job 7 was running']]) });
    t.equal(told(5000), 'the clock was set forward by 8 s');
    t.equal(told(9550), 'job 7 was running');
    delays.wasSetBack(2000);
    t.equal(told(5000), null);
    t.equal(told(2001), null);
    t.equal(told(1500), 'all places for jobs were taken', 'what was before is not known any better');
  },
);
