// Checks of the database, the channel layer and the clocks.

import { durationText } from '../../base/duration.js';
import { maxSkewMs } from '../../membership/database-clock.js';
import type { Check } from '../check.js';
import { mebibytes } from './program.js';

/** The share of a capacity above which a channel or a server counts as full. */
const fullFrom = 0.8;
/** What linod's scripts need. */
const leastRedis = 6;

export const storeChecks: readonly Check[] = [
  {
    id: 'database',
    about: 'whether the database can be reached',
    advice: 'do what the message says; `databaseUrl` names the database',
    run: ({ databaseProblem: problem }) => (problem === null ? [] : [problem]),
  },
  {
    id: 'database-integrity',
    about: 'whether the SQLite file is damaged (PRAGMA quick_check)',
    advice: 'stop the workers and restore a backup: linod restore FILE --force',
    run: ({ integrity }) => integrity(),
  },
  {
    id: 'migrations',
    about: 'migrations that wait, and those of a newer linod',
    advice: 'run linod migrate; for a database of a newer version, update linod',
    run: ({ database }) => {
      const { waitingMigrations, unknownMigrations } = database();
      return [
        ...waitingMigrations.map((name) => `migration ${name} waits`),
        ...unknownMigrations.map((name) => `migration ${name} is unknown: a newer version made it`),
      ];
    },
  },
  {
    id: 'clocks',
    about: 'whether the clocks of this machine, the database, Redis and the workers agree',
    advice: 'set the clocks, for example with NTP',
    run: ({ now, database, redis, workers }) => {
      const servers = orNone(redis).map(({ name, skewMs }) => ({ of: `Redis at ${name}`, skewMs }));
      const apart = [{ of: 'the database', skewMs: database().skewMs }, ...servers]
        .filter(({ skewMs }) => Math.abs(skewMs) > maxSkewMs)
        .map(({ of, skewMs }) => {
          const how = skewMs > 0 ? 'ahead of' : 'behind';
          return `this machine's clock is ${durationText(Math.abs(skewMs))} ${how} that of ${of}`;
        });
      const skewed = workers().filter(({ health }) => Math.abs(health?.skewMs ?? 0) > maxSkewMs);
      const ahead = workers().filter((worker) => worker.heartbeat_at > now - database().skewMs + maxSkewMs);
      return [
        ...apart,
        ...skewed.map(({ id }) => `the clock of worker ${id} differs from the database's`),
        ...ahead.map(({ id }) => `worker ${id} sent a heartbeat from the future`),
      ];
    },
  },
  {
    id: 'layer',
    about: 'whether the channel layer can be reached',
    advice: 'do what the message says; `channelLayer` names the layer',
    run: ({ layerProblem: problem }) => (problem === null ? [] : [problem]),
  },
  {
    id: 'redis-version',
    about: 'the version of Redis',
    advice: `use Redis ${leastRedis} or later`,
    run: ({ redis }) =>
      redis()
        .filter(({ version }) => Number.parseInt(version, 10) < leastRedis)
        .map(({ name, version }) => `${name} is Redis ${version}`),
  },
  {
    id: 'redis-eviction',
    about: 'whether Redis throws messages away when its memory gets short',
    advice: 'set maxmemory-policy to noeviction',
    run: ({ redis }) =>
      redis()
        .filter(({ evictionPolicy }) => evictionPolicy !== 'noeviction')
        .map(({ name, evictionPolicy }) => `${name} has maxmemory-policy ${evictionPolicy}`),
  },
  {
    id: 'redis-persistence',
    about: 'whether waiting messages survive a restart of Redis',
    advice: 'set appendonly yes, or save; log records and requests survive anyway',
    run: ({ redis }) =>
      redis()
        .filter(({ isPersistent }) => isPersistent === false)
        .map(({ name }) => `${name} writes neither an append-only file nor snapshots`),
  },
  {
    id: 'redis-memory',
    about: 'the free memory of Redis',
    advice: 'raise maxmemory, or find out which channel fills: linod channels',
    run: ({ redis }) =>
      redis()
        .filter(({ usedBytes, maxBytes }) => maxBytes > 0 && usedBytes >= fullFrom * maxBytes)
        .map(
          ({ name, usedBytes, maxBytes }) => `${name} uses ${mebibytes(usedBytes)} of ${mebibytes(maxBytes)}`,
        ),
  },
  {
    id: 'full-channels',
    about: 'channels that are full, or nearly so',
    advice: 'look whether a worker listens on the channel: linod channels, linod workers',
    run: ({ layer }) =>
      layer()
        .channels.filter(({ depth, capacity }) => depth >= fullFrom * capacity)
        .map(({ channel, depth, capacity }) => `channel ${channel} has ${depth} of ${capacity} messages`),
  },
  {
    id: 'dead-letters',
    about: 'messages that were given up',
    advice: 'see why with linod channels dead, and send them again with linod channels redrive',
    run: ({ layer }) =>
      layer()
        .channels.filter(({ dead }) => dead > 0)
        .map(({ channel, dead }) => `channel ${channel} has ${dead} dead letters`),
  },
  {
    id: 'same-name',
    about: 'two sites with one name on one channel layer',
    advice: 'give one of them another `name`, `layerPrefix` or database of Redis',
    run: ({ layer }) =>
      layer().strangers.map((id) => `worker ${id} of another site answers on the channels of this one`),
  },
];

/** Without Redis, the other clocks are compared all the same. */
function orNone<T>(facts: () => readonly T[]): readonly T[] {
  try {
    return facts();
  } catch {
    return []; // the checks of Redis report why
  }
}
