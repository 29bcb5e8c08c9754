// What stands on the timeline of a rule, from what the server says.

import type { JobSummary, TimelineView } from '../../../api.js';
import type { Period } from '../../parts/period.js';
import { formatDuration, formatSite } from '../../parts/time.js';

/** A decision, a clock change, or what will be. */
export interface TimelineItem {
  /** For the address. */
  readonly key: string;
  /** In ms since 1970. */
  readonly at: number;
  readonly until: number | null;
  /** Of the ledger, or another word. */
  readonly reason: string;
  readonly sentence: string;
  readonly job: JobSummary | null;
}

/** A bar: a run, or one that will be. */
export interface TimelineRun {
  readonly from: number;
  readonly to: number;
  readonly job: JobSummary | null;
}

/** In the order of their times. */
export function itemsOf(view: TimelineView): TimelineItem[] {
  const items: TimelineItem[] = [
    ...view.summaries.map(({ day, text }) =>
      itemOf(`s${day}`, `${day}T12:00Z`, 'summary', `${day}: ${text}`),
    ),
    ...view.entries.map(({ id, at, until, reason, sentence, job }) => ({
      ...itemOf(`d${id}`, at, reason, sentence, job),
      until: until === null ? null : Date.parse(until),
    })),
    ...view.jobs.map((job) =>
      itemOf(`r${job.id}`, job.startedAt, 'run', `job ${job.id} ${job.status}: ${job.headline}`, job),
    ),
    ...view.clockChanges.map(({ at, changeMs }) => itemOf(`c${at}`, at, 'clock change', clockText(changeMs))),
    ...view.future.map((due, index) => {
      const reason = due.reason === 'started' ? 'due' : due.reason;
      return itemOf(`f${due.dueAt}-${index}`, due.dueAt, reason, due.sentence + futureRunText(due));
    }),
  ];
  return items.sort((a, b) => a.at - b.at);
}

function itemOf(
  key: string,
  at: string,
  reason: string,
  sentence: string,
  job: JobSummary | null = null,
): TimelineItem {
  return { key, at: Date.parse(at), until: null, reason, sentence, job };
}

function clockText(changeMs: number): string {
  return `the clocks go ${changeMs > 0 ? 'forward' : 'back'} by ${formatDuration(Math.abs(changeMs))}`;
}

function futureRunText({ dueAt, startsAt, endsAt }: TimelineView['future'][number]): string {
  if (startsAt === null || endsAt === null) return '';
  const begin = startsAt === dueAt ? '' : `, begins at ${formatSite(startsAt).slice(11)}`;
  return `${begin}, runs for about ${formatDuration(Date.parse(endsAt) - Date.parse(startsAt))}`;
}

export function runsOf(view: TimelineView): TimelineRun[] {
  const known = [...view.entries.map(({ job }) => job), ...view.jobs].filter((job) => job !== null);
  const unique = new Map(known.map((job) => [job.id, job])).values();
  const runs = [
    ...Array.from(unique, (job) => ({ from: job.startedAt, to: job.endedAt ?? view.now, job })),
    ...view.future.map(({ startsAt, endsAt }) => ({ from: startsAt ?? '', to: endsAt ?? '', job: null })),
  ];
  return runs.map(({ from, to, job }) => ({ from: Date.parse(from), to: Date.parse(to), job }));
}

/** False for a time that is not known. */
export function isWithin({ from, to }: Period, first: number, last: number | null): boolean {
  return first <= to && (last ?? first) >= from;
}
