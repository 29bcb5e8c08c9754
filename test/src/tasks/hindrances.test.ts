import t from 'tap';
import { Hindrances } from '../../../src/tasks/hindrances.js';
import type { JobRule } from '../../../src/tasks/rule.js';

const rule = { id: 1, policies: { group: 'mail' } } as Pick<JobRule, 'id' | 'policies'>;

t.test(
  'what was the matter is told of the times at which it was, and not when these come again',
  async (t) => {
    const hindrances = new Hindrances();
    const told = (dueAt: number) => hindrances.of(rule, dueAt)?.hindrance ?? null;
    hindrances.wasSetForward({ from: 1000, to: 9000, told: 'the clock was set forward by 8 s' });
    hindrances.wasAway(9500);
    hindrances.lookedAt(9600, { waitsForPlace: true, groupWaits: new Map([['mail', 'job 7 was running']]) });
    t.equal(told(5000), 'the clock was set forward by 8 s');
    t.equal(told(9550), 'job 7 was running');
    hindrances.wasSetBack(2000);
    t.equal(told(5000), null);
    t.equal(told(2001), null);
    t.equal(told(1500), 'all places for jobs were taken', 'what was before is not known any better');
  },
);
