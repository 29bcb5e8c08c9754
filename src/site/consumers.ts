// What `consumers` of a site's configuration may hold: an application, or one with a lease.

import type { Application } from '../../channels/index.js';
import { parseDuration } from '../duration.js';

/** A consumer whose messages are handled at least once. */
export interface LeasedConsumer {
  readonly application: Application;
  /**
   * How long a message is this worker's alone before it comes again, as `30s`, `5m` or `1h`, at most `24h`. It is
   * extended while the handler runs. Without it each message is handled at most once.
   */
  readonly lease?: string | undefined;
}

export type SiteConsumer = Application | LeasedConsumer;

const maxLeaseMs = 24 * 3_600_000;

/** Whether a value of the configuration is a consumer. */
export function isSiteConsumer(value: unknown): value is SiteConsumer {
  if (typeof value === 'function') return true;
  if (typeof value !== 'object' || value === null) return false;
  const { application, lease, ...others } = value as Record<string, unknown>;
  if (typeof application !== 'function' || Object.keys(others).length > 0) return false;
  return lease === undefined || readLease(lease) !== undefined;
}

export function applicationOf(consumer: SiteConsumer): Application {
  return typeof consumer === 'function' ? consumer : consumer.application;
}

/** The leases of those consumers that have one, in milliseconds, by channel. */
export function leasesOf(consumers: Readonly<Record<string, SiteConsumer>>): Record<string, number> {
  const leases = Object.entries(consumers).map(([channel, consumer]): [string, number | undefined] => [
    channel,
    typeof consumer === 'function' ? undefined : readLease(consumer.lease),
  ]);
  return Object.fromEntries(leases.filter((entry): entry is [string, number] => entry[1] !== undefined));
}

function readLease(lease: unknown): number | undefined {
  const ms = typeof lease === 'string' ? parseDuration(lease) : undefined;
  return ms !== undefined && ms >= 1000 && ms <= maxLeaseMs ? ms : undefined;
}
