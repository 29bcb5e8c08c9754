// A site with a long history for the console's benchmark: rules, jobs with their decisions and lines, and a log.

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { linod, makeSite, type Site, startWorker } from './linod.js';

export interface Sizes {
  readonly rules: number;
  readonly jobs: number;
  readonly logBytes: number;
}

export const fullSizes: Sizes = { rules: 10_000, jobs: 1_000_000, logBytes: 1e9 };
export const quickSizes: Sizes = { rules: 100, jobs: 10_000, logBytes: 1e7 };

const dayMs = 86_400_000;
const historyMs = 20 * dayMs;

export async function makeLongSite(directory: string, sizes: Sizes): Promise<Site> {
  // A daily rule of each hour and minute; some have long names, as people give them.
  const code = `
import { scheduleDaily } from 'linod';
for (let i = 0; i < ${sizes.rules - 1}; i++)
  scheduleDaily({ name: ['report', 'sync', 'send_invoices_of_branch', 'cleanup'][i % 4] + '_' + i, hour: i % 24, minute: i % 60 }, () => 'ok');
scheduleDaily({ name: 'asked', overlap: 'allow' }, () => 'asked for');
`;
  const site = await makeSite(directory, { logRotate: 'never', maxJobs: 200 }, { file: 'long.mjs', code });
  await (await startWorker(site)).stop();
  await insertHistory(site, sizes);
  writeLog(site, sizes.logBytes);
  return site;
}

/** One job in 200 has failed, and one in 2,000 was lost. Each has its decision, and one in 20 has three lines. */
async function insertHistory(site: Site, { jobs }: Sizes): Promise<void> {
  const store = await linod.openStore(site);
  const { sql } = linod;
  const from = Date.now() - historyMs;
  const stepMs = historyMs / jobs;
  await store.db.transaction().execute(async (tx) => {
    await sql`
      with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n < ${jobs - 1}),
      listed as materialized (select id, procedure, row_number() over (order by id) - 1 as place from job_rules),
      counted as materialized (select count(*) as rules from job_rules)
      insert into jobs (rule_id, procedure, due_at, start_datetime, end_datetime, status, message, worker_id)
      select id, procedure, at, at + 3, at + 3 + n % 5000,
        case when n % 2000 = 1999 then 'lost' when n % 200 = 7 then 'failed' else 'done' end,
        case when n % 200 = 7 then 'Error: connect ECONNREFUSED 10.0.0.7:5432' || char(10) || '    at report.js:12:3'
          else 'wrote ' || (n % 977) || ' rows in ' || (n % 5000) || ' ms' end,
        'bench-' || (n / 100000)
      from (select n, cast(${from} + n * ${stepMs} as integer) as at from numbers)
      join listed on place = n % (select rules from counted)`.execute(tx);
    await sql`
      insert into decisions (rule_id, due_at, decided_at, worker_id, reason, detail)
      select rule_id, due_at, start_datetime, worker_id, 'started', '' from jobs where due_at is not null order by id`.execute(
      tx,
    );
    await sql`
      insert into job_lines (job_id, logged_at, level, text)
      select jobs.id, start_datetime, 'INFO', line || ' of job ' || jobs.id
      from jobs, (select 'opened the database' as line union all select 'read the orders' union all select 'wrote the report')
      where jobs.id % 20 = 0`.execute(tx);
  });
  await store.close();
}

const messages: ReadonlyArray<(n: number) => string> = [
  (n) => `INFO web[812]#${n} shop.http: GET /orders/${n % 9999} 200 {"ms":${n % 90},"bytes":${n % 70_000}}`,
  (n) => `INFO web[813]#${n} shop.http: POST /orders 201 {"ms":${n % 120},"order":${n}}`,
  (n) => `DEBUG web[814]#${n} shop.orders: order ${n} is priced {"rows":${n % 7},"currency":"EUR"}`,
  (n) => `INFO mail[77]#${n} shop.mail: sent the invoice of order ${n} to customer-${n % 5003}@example.org`,
  (n) => `INFO lino_shop[9]#${n} linod.tasks: job ${n} of rule ${n % 10_000} ended: wrote ${n % 977} rows`,
  (n) =>
    n % 50 === 0
      ? `ERROR cron[31]#${n} shop.stock: could not reach the warehouse \n    Error: connect ECONNREFUSED \n        at stock.js:31:9`
      : `WARNING cron[31]#${n} shop.stock: article ${n % 883} is nearly sold out {"left":${n % 5}}`,
];

/** Records of six senders by turns, each with numbers from 1 on. The last file is the only one. */
function writeLog(site: Site, bytes: number): void {
  mkdirSync(dirname(site.logFile), { recursive: true });
  const file = openSync(site.logFile, 'w');
  const from = Date.now() - historyMs;
  let [number, length] = [0, 0];
  let lines: string[] = [];
  while (length < bytes) {
    number++;
    const at = new Date(from + (historyMs * length) / bytes).toISOString();
    const time = `${at.slice(0, 10)} ${at.slice(11, 23)}+00:00`;
    for (const message of messages) {
      const line = `${time} ${message(number)}\n`;
      length += line.length;
      lines.push(line);
    }
    if (lines.length < 30_000 && length < bytes) continue;
    writeSync(file, lines.join(''));
    lines = [];
  }
  closeSync(file);
}

/** While this file is there, a site also has rules that run each second and note when they are called. */
export async function addTicks({ directory }: Site, count: number): Promise<void> {
  await writeFile(
    join(directory, 'procedures', 'ticks.mjs'),
    `
import { writeFileSync } from 'node:fs';
import { scheduleOften } from 'linod';
const calls = [];
for (let i = 0; i < ${count}; i++)
  scheduleOften({ name: 'tick' + i, every: 1, everyUnit: 'secondly' }, (ar) => { calls.push([ar.jobId, Date.now()]); });
process.on('exit', () => writeFileSync(${JSON.stringify(join(directory, 'calls.json'))}, JSON.stringify(calls)));
`,
  );
}
