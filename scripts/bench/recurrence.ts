// Measures `Recurrence.nextAfter` for old and new rules.
//
//   node scripts/bench.mjs recurrence
//
// Prints one line a rule: what it costs to make it and ask it for the first time in a process that knows its zone, and
// what further questions cost, each about another instant. In CPU time, which other processes disturb least. Exit
// code 0.

import { Recurrence, type RecurrenceFields } from '../../src/recurrence.js';

const now = Date.parse('2026-11-24T12:00:00Z');
const dayMs = 86_400_000;
const questions = 3000;

const every10s = { everyUnit: 'secondly', every: 10, timezone: 'Europe/Tallinn' } as const;
const daily = { everyUnit: 'daily', timezone: 'Europe/Tallinn' } as const;
const firstAndLastFriday = {
  everyUnit: 'monthly',
  weekdays: ['friday'],
  positions: [1, -1],
  timezone: 'Europe/Tallinn',
} as const;

const cron = { everyUnit: 'cron', timezone: 'Europe/Tallinn', start: '2006-11-24T20:00:00' } as const;

const rules: ReadonlyArray<readonly [title: string, fields: RecurrenceFields]> = [
  ['every 10 s, begun 5 years ago', { ...every10s, start: '2021-11-24T12:00:00' }],
  ['every 10 s, begun today', { ...every10s, start: '2026-11-24T12:00:00' }],
  [
    'every 10 s on Mondays and Fridays, begun 5 years ago',
    { ...every10s, weekdays: ['monday', 'friday'], start: '2021-11-24T12:00:00' },
  ],
  [
    'every 10 s on Mondays, begun 5 years ago, 10 million times',
    { ...every10s, weekdays: ['monday'], start: '2021-11-24T12:00:00', count: 10_000_000 },
  ],
  ['daily 20:00, begun 20 years ago', { ...daily, start: '2006-11-24T20:00:00' }],
  ['daily 20:00, begun today', { ...daily, start: '2026-11-24T20:00:00' }],
  [
    'daily 20:00, begun 20 years ago, 100,000 times',
    { ...daily, start: '2006-11-24T20:00:00', count: 100_000 },
  ],
  ['first and last Friday of the month', { ...firstAndLastFriday, start: '2006-11-24T20:00:00' }],
  [
    'first and last Friday of the month, 10,000 times',
    { ...firstAndLastFriday, start: '2006-11-24T20:00:00', count: 10_000 },
  ],
  [
    'two days before Easter',
    { everyUnit: 'easterly', timezone: 'Europe/Tallinn', start: '2007-04-06T10:00:00' },
  ],
  ['cron 0 4 * * mon-fri', { ...cron, cron: '0 4 * * mon-fri' }],
  ['cron */5 * * * *', { ...cron, cron: '*/5 * * * *' }],
  ['cron 0 12 L * *', { ...cron, cron: '0 12 L * *' }],
  ['cron 0 0 29 2 *', { ...cron, cron: '0 0 29 2 *' }],
  ['cron 0 9 * * 5#2, 10,000 times', { ...cron, cron: '0 9 * * 5#2', count: 10_000 }],
  ['never: cron 0 0 30 2 *', { ...cron, cron: '0 0 30 2 *' }],
  [
    'never: sixth Friday of the month',
    { ...firstAndLastFriday, positions: [6], start: '2006-11-24T20:00:00' },
  ],
  [
    'never: every 168 hours from a Monday, on Fridays',
    { ...every10s, everyUnit: 'hourly', every: 168, weekdays: ['friday'], start: '2006-11-27T12:00:00' },
  ],
];

console.log(`node ${process.version}, ${questions} questions a rule`);
console.log(`${'rule'.padEnd(62)}${'first, µs'.padStart(10)}${'further, µs'.padStart(13)}`);
Recurrence.from({ ...daily, start: '2026-11-24T20:00:00' }).nextAfter(new Date(now));
for (const [title, fields] of rules) {
  const began = process.cpuUsage();
  const recurrence = Recurrence.from(fields);
  recurrence.nextAfter(new Date(now));
  const first = process.cpuUsage(began).user;
  console.log(
    `${title.padEnd(62)}${first.toFixed(0).padStart(10)}${further(recurrence).toFixed(1).padStart(13)}`,
  );
}

/** CPU microseconds a question, about instants spread over the coming year. */
function further(recurrence: Recurrence): number {
  const instants = Array.from(
    { length: questions },
    (_, i) => new Date(now + ((i * 7919) % questions) * (dayMs / 8)),
  );
  for (const instant of instants.slice(0, 300)) recurrence.nextAfter(instant);
  const began = process.cpuUsage();
  for (const instant of instants) recurrence.nextAfter(instant);
  return process.cpuUsage(began).user / questions;
}
