// The future of a rule: what is due and waits, its next due times, and its blockers.

import { durationText } from '../../base/duration.js';
import { LinodError } from '../../base/errors.js';
import { passedBetween } from '../../rules/ledger-entry.js';
import type { Reason } from '../../rules/reasons.js';
import type { JobRule } from '../../rules/rule.js';
import { debugText } from '../../scheduler/status.js';
import { type Blocker, blockersOf, type Situation } from './blockers.js';
import { type TimeWriter, timesText } from './sentences.js';

/** An upcoming time of a rule. */
export interface UpcomingTime {
  readonly at: Date;
  /** Null for a plain due time. */
  readonly reason: Reason | null;
  readonly sentence: string;
}

export interface Outlook {
  readonly blockers: readonly Blocker[];
  /** The overdue times, as a sentence; null when there are none. */
  readonly overdue: string | null;
  /** Requests and further attempts that wait, as sentences. */
  readonly waiting: readonly string[];
  /** Whether the next runs log at DEBUG, as a sentence; null when they do not. */
  readonly debugged: string | null;
  /** The next due times, with skipped and moved ones, in chronological order. */
  readonly next: readonly UpcomingTime[];
}

/** @param maxTimes how many due times */
export async function outlookOf(situation: Situation, maxTimes: number): Promise<Outlook> {
  const { rule, now, time } = situation;
  return {
    blockers: await blockersOf(situation),
    overdue: overdueText(rule, now, time),
    waiting: await waitingOf(situation),
    debugged: debugText(rule),
    next: upcomingTimes(rule, now, maxTimes),
  };
}

/** A due time that passed less than this ago is about to run. */
const aboutToRunMs = 5000;

function overdueText(rule: JobRule, now: number, time: TimeWriter): string | null {
  const due = rule.nextDueAt?.getTime();
  if (due === undefined || due > now - aboutToRunMs) return null;
  if (rule.policies.runAfter !== '') return `due since ${time(new Date(due))}`;
  const { times } = passedBetween(rule, due, now);
  const have = times === 1 ? 'has' : 'have';
  return `due since ${time(new Date(due))}: ${timesText(times)} ${have} passed; ${madeUpFor(rule, times)}`;
}

/** What will happen with due times that passed, as a clause. */
function madeUpFor({ policies }: JobRule, times: number): string {
  const { misfire, misfireWindowSeconds } = policies;
  if (misfire === 'skip') return `${times === 1 ? 'it' : 'they'} will not be made up for (misfire is skip)`;
  const several = misfire === 'run-all' ? 'each will run' : 'one run will make up for them';
  const one = `${times === 1 ? 'it will run' : several} as soon as possible`;
  if (misfireWindowSeconds === 0) return one;
  return `${one}, unless it is more than ${durationText(misfireWindowSeconds * 1000)} late by then`;
}

async function waitingOf({ db, rule, time, now }: Situation): Promise<string[]> {
  const rows = await db
    .selectFrom('job_requests')
    .select(['id', 'requested_by', 'requested_at', 'run_at', 'attempt', 'of_job', 'debug'])
    .where('rule_id', '=', rule.id)
    .where('action', '=', 'run')
    .where('handled_at', 'is', null)
    .orderBy('id')
    .limit(20)
    .execute();
  return rows.map((row) => {
    const what =
      row.of_job !== null && row.attempt > 1
        ? `attempt ${row.attempt}, after ${row.requested_by},`
        : `request ${row.id} of ${row.requested_by}, made at ${time(new Date(row.requested_at))},`;
    const until = row.run_at > now ? ` until ${time(new Date(row.run_at))}` : '';
    return `${what} waits${until}${row.debug === 1 ? '; its run logs at DEBUG' : ''}`;
  });
}

/** A rule that cannot be read has no upcoming times. */
function upcomingTimes(rule: JobRule, now: number, maxTimes: number): UpcomingTime[] {
  try {
    const times: number[] = [];
    const first = rule.nextDueAt !== null && rule.nextDueAt.getTime() > now ? rule.nextDueAt : null;
    for (
      let at = first ?? rule.dueAfter(new Date(now));
      at !== null && times.length < maxTimes;
      at = rule.dueAfter(at)
    ) {
      times.push(at.getTime());
    }
    const last = times.at(-1);
    const notes = last === undefined ? [] : rule.skippedOrMovedBetween(now, last);
    const due = times.map((at) => {
      const moved = notes.find((note) => note.reason === 'moved' && note.dueAt === at);
      const jitterMs = rule.jitterOf(at);
      const clauses = [
        'due',
        moved?.detail ?? '',
        jitterMs === 0 ? '' : `moved by ${durationText(jitterMs)} of jitter`,
      ];
      const sentence = clauses.filter((text) => text !== '').join(', ');
      return { at: new Date(at), reason: moved === undefined ? null : ('moved' as const), sentence };
    });
    const skipped = notes.flatMap(({ reason, dueAt, detail }) =>
      reason !== 'skipped' || dueAt === null
        ? []
        : [{ at: new Date(dueAt), reason, sentence: `not due: ${detail}` }],
    );
    return [...due, ...skipped].sort((a, b) => a.at.getTime() - b.at.getTime());
  } catch (error) {
    if (error instanceof LinodError) return [];
    throw error;
  }
}
