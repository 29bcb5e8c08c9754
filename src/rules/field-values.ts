// What people may write into each field of a rule, as `linod rule N set` and the console take it.

import { policies, policyNames } from './policies.js';

/** The allowed values by field, in the order in which people see them. */
export const fieldValues: Readonly<Record<string, string>> = {
  when: 'words, a cron expression or an RRULE: see docs/reference/recurrences.md',
  every: 'a positive whole number',
  everyUnit: 'secondly, minutely, hourly, daily, weekly, monthly, yearly, easterly or cron',
  weekdays: 'of monday,tuesday,…',
  positions: 'with monthly or yearly: which of the weekdays, such as 1,-1',
  cron: 'a cron expression of five or six fields',
  startDatetime: 'a wall time: 2026-11-24T20:00:00, or T20:00 with the day left open',
  timezone: 'the IANA name of a time zone, such as Europe/Tallinn',
  until: 'a wall time',
  count: 'a positive whole number',
  missingTime: 'shifted, skipped or at-jump: what happens at a time that the clocks skip',
  repeatedTime: 'first, second or both: which one of a time that the clocks show twice',
  name: 'a name for people',
  logLevel: 'DEBUG, INFO, WARNING, ERROR or CRITICAL',
  ...Object.fromEntries(policyNames.map((name) => [name, policies[name].allowed])),
};
