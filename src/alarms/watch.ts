// What is wrong now: each check is a pure function of the facts.

import { durationText } from '../base/duration.js';
import { maxSkewMs } from '../membership/database-clock.js';
import { parseHealth } from '../membership/worker-health.js';
import type { LocalFacts, SiteFacts, TroubledRule } from './facts.js';
import type { AlarmKind } from './kinds.js';

/** Something that is wrong. The same kind and subject are the same incident. */
export interface Finding {
  readonly kind: AlarmKind;
  readonly subject: string;
  readonly text: string;
  readonly rule?: number;
  /** Since when, in ms since 1970, where that is known; default: since it was found. */
  readonly since?: number | null;
}

const siteChecks: ReadonlyArray<(facts: SiteFacts) => Finding[]> = [
  notSucceeded,
  ({ failed }) => failed.map((rule) => troubled('failed', rule)),
  // A run that is lost in its last attempt counts as failed.
  ({ failed, lost }) =>
    lost.filter(({ id }) => failed.every((other) => other.id !== id)).map((rule) => troubled('lost', rule)),
  siteProblem,
  channelFull,
  clocksApart,
];

export function siteFindings(facts: SiteFacts): Finding[] {
  return merged(siteChecks.flatMap((check) => check(facts)));
}

/** From here on, a process drops the first of its records. */
const spoolShare = 0.5;
const fillingBytes = 200 * 1024 ** 2;

export function localFindings({ host, disks, spoolBytes, spoolLimitBytes }: LocalFacts): Finding[] {
  const spool: Finding[] =
    spoolBytes < spoolShare * spoolLimitBytes
      ? []
      : [
          {
            kind: 'spool-filling',
            subject: host,
            text: `${mebibytes(spoolBytes)} of log records wait in the spool of ${host}; from ${mebibytes(spoolShare * spoolLimitBytes)} on, a process drops records: is the log written?`,
          },
        ];
  const filling = disks
    .filter(({ free }) => free < fillingBytes)
    .map(({ directory, subject, free }): Finding => {
      const text = `the disk of ${directory} on ${host} is filling up: ${mebibytes(free)} are free`;
      return { kind: 'disk-filling', subject, text };
    });
  return [...spool, ...filling];
}

function notSucceeded({ overdue, now }: SiteFacts): Finding[] {
  return overdue.map(({ id, name, must_succeed_ms, succeeded_at, cancelled_reason, job }) => {
    const since = durationText(now - (succeeded_at ?? now));
    const last = job === null ? 'it has never run' : `its last run is job ${job}`;
    const why = cancelled_reason === null ? last : `it is cancelled: ${cancelled_reason}`;
    const text = `rule ${id} (${name}) has not succeeded for ${since}, and must within ${durationText(must_succeed_ms ?? 0)}; ${why}: linod why ${id}`;
    return { kind: 'not-succeeded', subject: `rule ${id}`, text, rule: id };
  });
}

function troubled(kind: 'failed' | 'lost', { id, name, job, status, message }: TroubledRule): Finding {
  const headline = message.split('\n', 1)[0] ?? '';
  const text = `rule ${id} (${name}): job ${job}, ${status}: ${headline}`;
  return { kind, subject: `rule ${id}`, text, rule: id };
}

function siteProblem({ problems, heardAt }: SiteFacts): Finding[] {
  return problems.flatMap(({ code, subject, text }) =>
    // Each machine looks after its own disks, and earlier.
    code === 'disk-full' ? [] : [{ kind: code, subject, text, since: code === 'no-worker' ? heardAt : null }],
  );
}

function channelFull({ channels }: SiteFacts): Finding[] {
  return (channels ?? [])
    .filter(({ depth, capacity }) => depth >= capacity)
    .map(({ channel, depth }) => ({
      kind: 'channel-full',
      subject: channel,
      text: `channel ${channel} is full: ${depth} messages wait, and further ones are refused`,
    }));
}

function clocksApart({ workers }: SiteFacts): Finding[] {
  return workers.flatMap(({ id, host, health }) => {
    const { skewMs = 0 } = parseHealth(health) ?? {};
    if (Math.abs(skewMs) <= maxSkewMs) return [];
    const how = skewMs > 0 ? 'ahead of' : 'behind';
    const text = `the clock of ${host.split('/', 1)[0]} (worker ${id}) is ${durationText(Math.abs(skewMs))} ${how} the database's: set it, for example with NTP`;
    return [{ kind: 'clocks-apart' as const, subject: id, text }];
  });
}

/** Findings of one incident as one. */
function merged(findings: readonly Finding[]): Finding[] {
  const byKey = new Map<string, Finding>();
  for (const finding of findings) {
    const key = keyOf(finding);
    const other = byKey.get(key);
    byKey.set(key, other === undefined ? finding : { ...other, text: `${other.text}; ${finding.text}` });
  }
  return [...byKey.values()];
}

export function keyOf({ kind, subject }: { readonly kind: string; readonly subject: string }): string {
  return `${kind} ${subject}`;
}

function mebibytes(bytes: number): string {
  return `${Math.floor((10 * bytes) / 1024 ** 2) / 10} MiB`;
}
