// Turns ledger entries and jobs into sentences.

import { durationText } from '../../base/duration.js';
import type { Entry } from '../../rules/ledger-entry.js';
import type { Reason } from '../../rules/reasons.js';
import type { Job } from '../../runs/job.js';
import type { LedgerEntry } from './entries.js';

/** Writes an instant in the rule's zone. */
export type TimeWriter = (instant: Date) => string;

/** An entry as a sentence, without its time. */
export function sentenceOf(entry: LedgerEntry, time: TimeWriter): string {
  return writers[entry.reason](entry, time);
}

type SentenceWriter = (entry: LedgerEntry, time: TimeWriter) => string;

const writers: Readonly<Record<Reason, SentenceWriter>> = {
  started: ({ job, detail }, time) =>
    `run on time${detail === '' ? '' : `, ${detail}`}${jobClause(job, time)}`,
  late: ({ job, detail }, time) => `run late, ${detail}${jobClause(job, time)}`,
  requested: ({ job, detail }, time) => `a run was requested ${detail}${jobClause(job, time)}`,
  again: ({ job, detail }, time) => {
    const attempt = job === null ? 'a further attempt' : `attempt ${job.attempt}`;
    return `${attempt}, after ${detail.replace(/^by /, '')}${jobClause(job, time)}`;
  },
  skipped: (entry, time) => `${dueTimes(entry, time)} not run: ${entry.detail}`.trimStart(),
  dropped: (entry, time) => {
    if (entry.job !== null)
      return `${madeUpFor(entry, time)}: job ${entry.job.id} made up for ${entry.times === 1 ? 'it' : 'them'}`;
    return `${dueTimes(entry, time)} not made up for: ${entry.detail}`.trimStart();
  },
  taken: ({ detail }) => `not run again: it was ${detail}`,
  moved: ({ detail }) => `due at another time: ${detail}`,
  lost: ({ detail }) => `lost: ${detail}`,
  cancelled: ({ detail }) => `the rule was cancelled${byOrWhy(detail)}`,
  resumed: ({ detail }) => `the rule was resumed ${detail}`,
  reactivated: ({ detail }) => `rule set-up made the rule active again: it was ${detail}`,
  edited: ({ detail }) => `the rule was changed: ${detail}`,
  removed: ({ detail }) => `the rule was removed: ${detail}`,
  ended: () => 'the rule has ended: it has no further due times',
};

/** An entry of a simulation as a sentence, without its time. */
export function forecastText({ reason, detail, times }: Entry): string {
  // The jobs of a simulation have no numbers.
  const why = detail.replace(/\bjob \d+ was still running/g, 'the run before still goes on');
  const several = times === 1 ? '' : `${timesText(times)} `;
  switch (reason) {
    case 'started':
      return why === '' ? 'due' : `due, ${why}`;
    case 'late':
      return `will run late, ${why}`;
    case 'skipped':
      return `${several}will not run: ${why}`;
    case 'dropped':
      return `${several}will not be made up for: ${why}`;
    case 'moved':
      return `due at another time: ${why}`;
    case 'ended':
      return 'the rule ends: it has no further due times';
    default:
      return why;
  }
}

/** The state of a job, as a clause. */
export function jobText(job: Job, time: TimeWriter): string {
  const { id, status, startDatetime, endDatetime, message } = job;
  if (status === 'running' || endDatetime === null) {
    return `job ${id} has been running since ${time(startDatetime)}, on worker ${job.workerId}`;
  }
  const after = durationText(endDatetime.getTime() - startDatetime.getTime());
  const headline = message.split('\n', 1)[0] ?? '';
  if (status === 'done') return `job ${id} was done after ${after}`;
  if (status === 'lost') return `job ${id} was lost: ${headline}`;
  const how = { failed: 'failed', cancelled: 'was cancelled', timeout: 'timed out' }[status];
  return `job ${id} ${how} after ${after}: ${headline}`;
}

/** `3 due times`, `one due time`, `1000 or more due times`. */
export function timesText(times: number): string {
  if (times === 1) return 'one due time';
  return times >= 1000 ? '1000 or more due times' : `${times} due times`;
}

function jobClause(job: Job | null, time: TimeWriter): string {
  return job === null ? '; its job has been deleted' : `; ${jobText(job, time)}`;
}

/** Empty for a single due time, which stands before the sentence. */
function dueTimes({ times, dueUntil }: LedgerEntry, time: TimeWriter): string {
  return dueUntil === null ? '' : `${timesText(times)} up to ${time(dueUntil)} were`;
}

function madeUpFor({ times, dueUntil }: LedgerEntry, time: TimeWriter): string {
  const until = dueUntil === null ? '' : ` up to ${time(dueUntil)}`;
  return `${timesText(times)}${until} passed meanwhile`;
}

function byOrWhy(detail: string): string {
  return detail.startsWith('by ') ? ` ${detail}` : `: ${detail}`;
}
