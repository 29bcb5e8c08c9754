// What a run in a thread or a process has of the database. With Kysely and the tables it is half of what such a one loads, so that
// only a run that touches the database waits for it.

import type { Clock } from '../clock.js';
import { Requests } from '../tasks/requests.js';
import { Rules } from '../tasks/rules.js';
import { RunWrites, type RunWritesOptions } from './writes.js';

export { connector, sqliteConnector } from '../store/store.js';

export interface RemoteWritesOptions extends Omit<RunWritesOptions, 'requests' | 'short'> {
  /** The site's. */
  readonly timezone: string;
  /** The database's, as the worker knows it. */
  readonly clock: Pick<Clock, 'now'>;
}

/** What a run writes, all through its own connection. */
export function remoteWrites({ timezone, clock, ...options }: RemoteWritesOptions): RunWrites {
  return new RunWrites({
    ...options,
    requests: (db) => new Requests(db, new Rules(db, timezone, clock, options.workerId), clock),
  });
}
