// The closed list of reasons in the ledger, with their meanings. See docs/reference/reasons.md.

/** The meaning of a reason, and examples of its details. */
interface Meaning {
  /** A sentence without its subject. */
  readonly means: string;
  /** Examples of the detail that follows it. */
  readonly details: readonly string[];
}

export const reasonMeanings = {
  started: { means: 'a due time was run, on time', details: ['moved by 3 s of jitter'] },
  late: {
    means: 'a due time was run, more than 5 s late',
    details: [
      'no worker ran the rules then',
      'the database was away',
      'the database was locked',
      'the clock was set forward by 1 d',
      'job 7 was still running',
      'group mail was at its limit of 2',
      'all job slots were taken',
      'the worker was busy or asleep',
    ],
  },
  requested: {
    means: 'a person, or another procedure, asked for a run, and it began',
    details: ['by robin'],
  },
  again: {
    means: 'a further attempt began, as the rule says',
    details: ['by job 7, which failed', 'by job 7, which was lost'],
  },
  skipped: {
    means: 'a due time or a request was not run, and will not be',
    details: [
      'job 7 was still running, for 10 s',
      'too late: all job slots were taken',
      'too late: the database was away',
      'the rule was cancelled then',
      'attempt 2, after job 7, which was lost: the rule is not active any more',
      'request 7: withdrawn by robin',
      'no procedure report was registered then',
      'excluded by sat',
      'the clocks skip 2027-03-28T02:30:00',
    ],
  },
  dropped: {
    means: 'due times passed and are not made up for',
    details: [
      '3 further due times passed meanwhile',
      'passed while no worker ran the rules: misfire is skip',
      'passed while the worker was busy or asleep: more than 1 h ago',
      'edited before it started',
      'cancelled before it started',
    ],
  },
  taken: {
    means:
      'the due time has its job already: another worker was quicker, which `linod why` hides, or the clock was set back',
    details: ['job 7 of worker w1', 'run before, as job 7 of worker w1'],
  },
  moved: {
    means: 'the rule is due at another time than was planned',
    details: [
      'from … to …: the clock was set back by 1 h',
      'from … to …: the clock or the time zone changed',
      'from …: excluded by sat',
      'the clocks skip 2027-03-28T02:30:00',
    ],
  },
  lost: {
    means:
      'a run ended with its worker, which died or was stopped; one that was just claimed may not have begun',
    details: ['job 7: worker w1 ended meanwhile: its process is gone', 'job 7: interrupted by a restart'],
  },
  cancelled: {
    means: 'the rule was cancelled, and is not due until it is resumed',
    details: [
      'by robin',
      'failed: Error: no stock (job 7)',
      'failed: the last of 4 attempts was lost (job 7)',
    ],
  },
  resumed: { means: 'a person took the cancelling back', details: ['by robin'] },
  reactivated: {
    means: 'the set-up of the rules took a cancelling by a failure back, or the procedure came back',
    details: ['reactivated', 'restored'],
  },
  edited: {
    means: 'somebody changed the rule',
    details: ['every = 2, by robin', 'every as suggested, by robin'],
  },
  removed: { means: 'the procedure is gone', details: ['no procedure report is registered'] },
  ended: {
    means: 'the last due time of the rule has passed: `until`, `count` or the recurrence itself',
    details: [],
  },
} as const satisfies Readonly<Record<string, Meaning>>;

export type Reason = keyof typeof reasonMeanings;

/** The list, in the order in which it is documented. */
export const reasons: readonly Reason[] = Object.keys(reasonMeanings).filter(isReason);

export function isReason(word: string): word is Reason {
  return Object.hasOwn(reasonMeanings, word);
}
