// What stands on the timeline of a rule, from what the server says.

import type { JobSummary, TimelineView } from '../../api.js';
import type { Period } from '../parts/period.js';
import { formatDuration, formatSite } from '../parts/time.js';

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
  /** Its time in words, where it is not `at`. */
  readonly when?: string;
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
    ...view.summaries.map(({ day, text }) => ({
      ...{ key: `s${day}`, at: Date.parse(`${day}T12:00Z`), until: null, when: day },
      ...{ reason: 'summary', sentence: text, job: null },
    })),
    ...view.entries.map(({ id, at, until, reason, sentence, job }) => ({
      ...{ key: `d${id}`, at: Date.parse(at), until: until === null ? null : Date.parse(until) },
      ...{ reason, sentence, job },
    })),
    ...view.jobs.map((job) => ({
      ...{ key: `r${job.id}`, at: Date.parse(job.startedAt), until: null },
      ...{ reason: 'run', sentence: `job ${job.id} ${job.status}: ${job.headline}`, job },
    })),
    ...view.clockChanges.map(({ at, changeMs }) => ({
      ...{ key: `c${at}`, at: Date.parse(at), until: null },
      ...{ reason: 'clock change', sentence: clockText(changeMs), job: null },
    })),
    ...view.future.map(({ dueAt, startsAt, endsAt, reason, sentence }, index) => ({
      ...{ key: `f${dueAt}-${index}`, at: Date.parse(dueAt), until: null },
      reason: reason === 'started' ? 'due' : reason,
      sentence: `${sentence}${futureRunText(dueAt, startsAt, endsAt)}`,
      job: null,
    })),
  ];
  return items.sort((a, b) => a.at - b.at);
}

function clockText(changeMs: number): string {
  return `the clocks go ${changeMs > 0 ? 'forward' : 'back'} by ${formatDuration(Math.abs(changeMs))}`;
}

function futureRunText(dueAt: string, startsAt: string | null, endsAt: string | null): string {
  if (startsAt === null || endsAt === null) return '';
  const begin = startsAt === dueAt ? '' : `, begins at ${formatSite(startsAt).slice(11)}`;
  return `${begin}, runs for about ${formatDuration(Date.parse(endsAt) - Date.parse(startsAt))}`;
}

export function runsOf(view: TimelineView): TimelineRun[] {
  const now = Date.parse(view.now);
  const jobs = [...view.entries.map(({ job }) => job), ...view.jobs].filter((job) => job !== null);
  const unique = new Map(jobs.map((job) => [job.id, job]));
  return [
    ...Array.from(unique.values(), (job) => ({
      from: Date.parse(job.startedAt),
      to: job.endedAt === null ? now : Date.parse(job.endedAt),
      job,
    })),
    ...view.future.flatMap(({ startsAt, endsAt }) =>
      startsAt === null || endsAt === null
        ? []
        : [{ from: Date.parse(startsAt), to: Date.parse(endsAt), job: null }],
    ),
  ];
}

export function isWithin({ from, to }: Period, first: number, last: number | null): boolean {
  return first <= to && (last ?? first) >= from;
}
