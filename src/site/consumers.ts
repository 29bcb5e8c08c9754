// What `consumers` of a site's configuration may hold: an application, or one with a lease.

import * as v from 'valibot';
import type { Application } from '../../channels/index.js';
import { parseDuration } from '../base/duration.js';

/** A consumer whose messages are handled at least once. */
export interface LeasedConsumer {
  readonly application: Application;
  /**
   * How long a message is this worker's alone before it comes again, as `30s`, `5m` or `1h`, at most `24h`.
   * It is extended while the handler runs. Without it each message is handled at most once.
   */
  readonly lease?: string | undefined;
}

export type SiteConsumer = Application | LeasedConsumer;

const maxLeaseMs = 24 * 3_600_000;

const application = v.custom<Application>(
  (value) => typeof value === 'function',
  'an application, (scope, receive, send) => Promise<void>',
);

/** What a consumer may be. */
export const consumerSchema = v.union(
  [
    application,
    v.strictObject({
      application,
      lease: v.optional(
        v.custom<string>(
          (value) => readLease(value) !== undefined,
          'a time from "1s" to "24h", such as "30s"',
        ),
      ),
    }),
  ],
  'an application, (scope, receive, send) => Promise<void>, or { application, lease: "30s" }',
);

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
