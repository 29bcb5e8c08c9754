// What has happened on the site before its pictures are taken: the same each time, but for the date.

import type { Store } from '../../src/store/store.js';

const day = 86_400_000;
const worker = {
  id: 'web1[4711]@k2m0x8t1',
  host: 'web1',
  pid: 4711,
  pid_start: 'k2m0x8t1',
  channels: 'linod_demo',
  version: '0.1.0',
};

/** How often a rule ran, how long it took in seconds, and which of its runs failed, with which message. */
interface Past {
  readonly every: number;
  readonly times: number;
  readonly seconds: number;
  readonly failed: (run: number) => boolean;
  readonly message?: string;
}

const pasts: Readonly<Record<string, Past>> = {
  sync_stock: { every: 20 * 60_000, times: 500, seconds: 4, failed: () => false },
  import_prices: {
    every: 60 * 60_000,
    times: 160,
    seconds: 30,
    failed: (run) => run % 23 === 7 || run > 157,
    message:
      'Error: the price server answered 503\n    at import_prices (procedures/work.ts:20:11)\nCaused by: Error: upstream timed out after 30 s',
  },
  send_invoices: { every: day, times: 30, seconds: 2400, failed: () => false },
  old_export: {
    every: day,
    times: 20,
    seconds: 90,
    failed: (run) => run === 11,
    message: 'Error: ENOSPC: no space left on device, write',
  },
};

/** Gives the rules their past runs and the decisions behind them. */
export async function writePast({ db }: Store): Promise<void> {
  const start = Date.now() - 40 * day;
  await db
    .insertInto('workers')
    .values({ ...worker, started_at: start, heartbeat_at: start, stopped_at: Date.now() - 60_000 })
    .execute();
  const rules = await db.selectFrom('job_rules').select(['id', 'procedure', 'next_due_at']).execute();
  const runs = rules.flatMap(({ id, procedure, next_due_at }) => {
    const past = pasts[procedure];
    return past === undefined || next_due_at === null ? [] : runsOf(id, procedure, past, next_due_at);
  });
  runs.sort((a, b) => a.job.start_datetime - b.job.start_datetime);
  await db.transaction().execute(async (tx) => {
    for (const { job, decision } of runs) {
      await tx.insertInto('jobs').values(job).execute();
      await tx.insertInto('decisions').values(decision).execute();
    }
  });
}

function runsOf(rule: number, procedure: string, past: Past, nextDue: number) {
  return Array.from({ length: past.times }, (_, run) => {
    const dueAt = nextDue - (past.times - run) * past.every;
    // A spread of 40 % without chance.
    const duration = past.seconds * 1000 * (0.8 + ((run * 7919) % 41) / 100);
    const isLate = run % 37 === 20;
    const startedAt = dueAt + (isLate ? 95_000 : 20);
    const hasFailed = past.failed(run);
    const common = { rule_id: rule, due_at: dueAt, worker_id: worker.id };
    return {
      job: {
        ...common,
        procedure,
        start_datetime: startedAt,
        end_datetime: Math.round(startedAt + duration),
        status: hasFailed ? 'failed' : 'done',
        message: hasFailed ? (past.message ?? '') : '',
        cause: hasFailed ? 'threw' : null,
      },
      decision: {
        ...common,
        decided_at: startedAt,
        reason: isLate ? 'late' : 'started',
        detail: isLate ? 'all job slots were taken' : '',
      },
    };
  });
}
