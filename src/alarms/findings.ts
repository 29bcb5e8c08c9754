// What is wrong now, with this machine and with the site.

import { hostname } from 'node:os';
import type { Kysely } from 'kysely';
import type { ChannelFigures, ChannelLayer } from '../../channels/index.js';
import { durationText } from '../base/duration.js';
import { directoryBytes } from '../base/files/directory-bytes.js';
import { freeDisks, siteProblems } from '../insight/site-health.js';
import { maxSkewMs } from '../membership/database-clock.js';
import { StartOrders } from '../membership/start-orders.js';
import { parseHealth } from '../membership/worker-health.js';
import type { Site } from '../site/site.js';
import type { Database, WorkerRow } from '../store/schema.js';
import type { Finding } from './kinds.js';
import { ruleFindings } from './rule-findings.js';

/** From here on, a process drops the first of its records. */
const spoolShare = 0.5;
const fillingBytes = 200 * 1024 ** 2;
/** The share of its limit below which something is well again. */
const wellBelow = 0.8;

/** Their subjects begin with the name of this machine. */
export function localFindings(site: Site): Finding[] {
  const host = hostname();
  const findings = freeDisks(site)
    .filter(({ free }) => free < fillingBytes / wellBelow)
    .map(({ directory, subject, free }): Finding => {
      const text = `the disk of ${directory} on ${host} is filling up: ${mebibytes(free)} are free`;
      return { kind: 'disk-filling', subject, text, isNear: free >= fillingBytes };
    });
  const waiting = directoryBytes(site.spoolDirectory);
  const most = spoolShare * site.settings.logSpoolMegabytes * 1024 ** 2;
  if (waiting >= wellBelow * most) {
    const text = `${mebibytes(waiting)} of log records wait in the spool of ${host}; from ${mebibytes(most)} on, a process drops records: is the log written?`;
    findings.push({ kind: 'spool-filling', subject: host, text, isNear: waiting < most });
  }
  return findings;
}

/** Null while the layer is away, or keeps no messages. */
export type Channels = readonly ChannelFigures[] | null;

/** The site's own channels. */
export async function channelFigures(site: Site, layer: ChannelLayer): Promise<Channels> {
  if (!layer.extensions.has('stats')) return null;
  const own = new Set([site.channel, site.logChannel, ...Object.keys(site.settings.consumers)]);
  try {
    return (await layer.stats()).channels.filter(({ channel }) => own.has(channel));
  } catch {
    return null; // a worker that does not hear the layer is an alarm of its own
  }
}

export interface Watched {
  readonly site: Site;
  readonly db: Kysely<Database>;
  readonly clock: { now(): number };
  /** The workers that live. */
  readonly workers: readonly WorkerRow[];
  readonly channels: Channels;
}

export async function siteFindings(watched: Watched): Promise<Finding[]> {
  const { db, clock, workers, channels } = watched;
  return [
    ...(await ruleFindings(db, clock.now())),
    ...(await problemFindings(watched)),
    ...(channels ?? []).flatMap(fullChannel),
    ...workers.flatMap(clockApart),
  ];
}

async function problemFindings({ site, db, clock, workers }: Watched): Promise<Finding[]> {
  const ordered = await new StartOrders(db, clock).list();
  const { at } = await db
    .selectFrom('workers')
    .select(({ fn }) => fn.max<number | null>('heartbeat_at').as('at'))
    .executeTakeFirstOrThrow();
  return siteProblems({ site, workers, ordered, now: clock.now() }).flatMap(({ code, subject, text }) =>
    // Each machine looks after its own disks, and earlier.
    code === 'disk-full' ? [] : [{ kind: code, subject, text, since: code === 'no-worker' ? at : null }],
  );
}

function fullChannel({ channel, depth, capacity }: ChannelFigures): Finding[] {
  if (depth < wellBelow * capacity) return [];
  const text = `channel ${channel} is full: ${depth} messages wait, and further ones are refused`;
  return [{ kind: 'channel-full', subject: channel, text, isNear: depth < capacity }];
}

function clockApart({ id, host, health }: WorkerRow): Finding[] {
  const { skewMs = 0 } = parseHealth(health) ?? {};
  if (Math.abs(skewMs) <= maxSkewMs) return [];
  const how = skewMs > 0 ? 'ahead of' : 'behind';
  const text = `the clock of ${host.split('/', 1)[0]} (worker ${id}) is ${durationText(Math.abs(skewMs))} ${how} the database's: set it, for example with NTP`;
  return [{ kind: 'clocks-apart', subject: id, text }];
}

function mebibytes(bytes: number): string {
  return `${Math.floor((10 * bytes) / 1024 ** 2) / 10} MiB`;
}
