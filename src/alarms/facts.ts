// What the checks judge, gathered with a few cheap queries.

import { readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import type { ChannelFigures, ChannelLayer } from '../../channels/index.js';
import { type FreeDisk, freeDisks, type Problem, siteProblems } from '../insight/site-health.js';
import { StartOrders } from '../membership/start-orders.js';
import type { Site } from '../site/site.js';
import type { Database, WorkerRow } from '../store/schema.js';

/** A rule that has not succeeded in time. */
export interface OverdueRule {
  readonly id: number;
  readonly name: string;
  readonly must_succeed_ms: number | null;
  readonly succeeded_at: number | null;
  readonly cancelled_reason: string | null;
  /** Its last run; null for none. */
  readonly job: number | null;
}

/** A rule whose last run has ended badly. */
export interface TroubledRule {
  readonly id: number;
  readonly name: string;
  readonly job: number;
  readonly status: string;
  readonly message: string;
}

/** What is known of this machine. */
export interface LocalFacts {
  readonly host: string;
  readonly disks: readonly FreeDisk[];
  readonly spoolBytes: number;
  readonly spoolLimitBytes: number;
}

/** What is known of the site, by its database and its channel layer. */
export interface SiteFacts {
  readonly now: number;
  readonly problems: readonly Problem[];
  readonly workers: readonly WorkerRow[];
  /** The last heartbeat of all workers; null before the first. */
  readonly heardAt: number | null;
  readonly overdue: readonly OverdueRule[];
  readonly failed: readonly TroubledRule[];
  readonly lost: readonly TroubledRule[];
  /** Null while the layer is away, or keeps no messages. */
  readonly channels: readonly ChannelFigures[] | null;
}

export async function localFacts(site: Site): Promise<LocalFacts> {
  return {
    host: hostname(),
    disks: freeDisks(site),
    spoolBytes: await bytesIn(site.spoolDirectory),
    spoolLimitBytes: site.settings.logSpoolMegabytes * 1024 ** 2,
  };
}

export interface SiteFactsOptions {
  readonly site: Site;
  readonly db: Kysely<Database>;
  readonly clock: { now(): number };
  readonly workers: readonly WorkerRow[];
  readonly channels: SiteFacts['channels'];
}

export async function siteFacts({
  site,
  db,
  clock,
  workers,
  channels,
}: SiteFactsOptions): Promise<SiteFacts> {
  const now = clock.now();
  const ordered = await new StartOrders(db, clock).list();
  return {
    now,
    problems: siteProblems({ site, workers, ordered, now }),
    workers,
    heardAt: await lastHeartbeat(db),
    overdue: await overdueRules(db, now),
    failed: await failedRules(db),
    lost: await lostRules(db),
    channels,
  };
}

/** The site's own channels. @returns null when nothing is known of them */
export async function channelFigures(site: Site, layer: ChannelLayer): Promise<SiteFacts['channels']> {
  if (!layer.extensions.has('stats')) return null;
  const own = new Set([site.channel, site.logChannel, ...Object.keys(site.settings.consumers)]);
  try {
    return (await layer.stats()).channels.filter(({ channel }) => own.has(channel));
  } catch {
    return null; // a worker that does not hear the layer is an alarm of its own
  }
}

async function lastHeartbeat(db: Kysely<Database>): Promise<number | null> {
  const { at } = await db
    .selectFrom('workers')
    .select(({ fn }) => fn.max<number | null>('heartbeat_at').as('at'))
    .executeTakeFirstOrThrow();
  return at;
}

const waitedFor = sql<boolean>`removed_at is null and coalesce(cancelled_by, '') <> 'person'`;

async function overdueRules(db: Kysely<Database>, now: number): Promise<OverdueRule[]> {
  return await db
    .selectFrom('job_rules')
    .select(['id', 'name', 'must_succeed_ms', 'succeeded_at', 'cancelled_reason'])
    .select((eb) =>
      eb
        .selectFrom('jobs')
        .select(({ fn }) => fn.max('jobs.id').as('last'))
        .whereRef('jobs.rule_id', '=', 'job_rules.id')
        .as('job'),
    )
    .where('must_succeed_ms', 'is not', null)
    .where((eb) => eb(eb('succeeded_at', '+', eb.ref('must_succeed_ms')), '<', now))
    .orderBy('seqno')
    .execute();
}

/** An incident stays until a run succeeds, whatever resets the count of failures. */
async function failedRules(db: Kysely<Database>): Promise<TroubledRule[]> {
  const rules = await db
    .selectFrom('job_rules')
    .innerJoin('jobs', 'jobs.rule_id', 'job_rules.id')
    .select(['job_rules.id', 'job_rules.name', 'jobs.id as job', 'jobs.status', 'jobs.message'])
    .where(waitedFor)
    .where((eb) =>
      eb.or([
        eb('failures_in_row', '>', 0),
        eb(
          'job_rules.id',
          'in',
          eb
            .selectFrom('alarms')
            .select(({ ref }) => ref('alarms.rule_id').$notNull().as('rule'))
            .where('kind', '=', 'failed')
            .where('cleared_at', 'is', null),
        ),
      ]),
    )
    .where('jobs.id', '=', (eb) =>
      eb
        .selectFrom('jobs as last')
        .select(({ fn }) => fn.max('last.id').as('last'))
        .whereRef('last.rule_id', '=', 'job_rules.id')
        .where('last.status', 'not in', ['running', 'cancelled']),
    )
    .execute();
  return rules.filter(({ status }) => status !== 'done');
}

async function lostRules(db: Kysely<Database>): Promise<TroubledRule[]> {
  return await db
    .selectFrom('jobs')
    .innerJoin('job_rules', 'job_rules.id', 'jobs.rule_id')
    .select(['job_rules.id', 'job_rules.name', 'jobs.id as job', 'jobs.status', 'jobs.message'])
    // As a literal, so that the partial index is used.
    .where('jobs.status', '=', sql.lit('lost' as const))
    .where(waitedFor)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('jobs as later')
            .select('later.id')
            .whereRef('later.rule_id', '=', 'jobs.rule_id')
            .whereRef('later.id', '>', 'jobs.id')
            .where('later.status', 'in', ['done', 'lost']),
        ),
      ),
    )
    .execute();
}

async function bytesIn(directory: string): Promise<number> {
  try {
    const names = await readdir(directory);
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(directory, name)).then(
          ({ size }) => size,
          () => 0, // sent meanwhile
        ),
      ),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return 0; // nobody has logged yet
  }
}
