// What could not be read of what other programs send.

import t from 'tap';
import { Problems } from '../../../../src/log/socket/problems.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';

t.test(
  'the first problem is reported at once, and at the end of the minute each kind that came meanwhile',
  (t) => {
    const clock = new ManualClock(0);
    const reports: Array<[string, unknown]> = [];
    const problems = new Problems(clock, (text, { problems }) => reports.push([text, problems]));
    problems.add('no message');
    for (const kind of [
      'GLOBAL os system',
      'no message',
      'no message',
      'two',
      'three',
      'four',
      'five',
      'six',
    ])
      problems.add(kind);
    t.same(reports, [['no message', 1]]);
    clock.advance(60_000);
    t.same(reports.splice(0), [
      ['no message', 1],
      ['GLOBAL os system', 9],
      ['no message (2 times)', 9],
      ['two', 9],
      ['three', 9],
      ['four', 9],
      ['and 2 more problems of other kinds', 9],
    ]);
    problems.add('again');
    t.same(reports, [], 'still within a minute of the last');
    problems.close();
    t.same(reports.splice(0), [['again', 10]]);
    clock.advance(120_000);
    t.same(reports, []);
    t.end();
  },
);
