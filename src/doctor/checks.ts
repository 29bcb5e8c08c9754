// The checks of `linod doctor`, in the order in which they are shown.

import { durationText } from '../base/duration.js';
import { nodeProblem } from '../base/node-version.js';
import { isLocal } from '../console/access/reach.js';
import { maxSkewMs } from '../membership/database-clock.js';
import { registeredBy } from '../membership/registered-procedures.js';
import { Zone } from '../recurrence/time/zone.js';
import { type Check, type CheckResult, runCheck } from './check.js';
import type { Facts } from './facts.js';
import type { RuleFact } from './gather-store.js';
import { mebibytes, type Part } from './part.js';

const leastFreeBytes = 256 * 1024 ** 2;
const mostWalBytes = 128 * 1024 ** 2;
/** Zone data of a year before the last lacks decisions of governments. */
const oldZoneYears = 2;
/** What linod's scripts need. */
const leastRedis = 6;
/** The share of its capacity from which on a channel counts as full. */
const fullFrom = 0.8;
const orphanAfterMs = 300_000;
const overdueAfterMs = 600_000;
/** How many due times or runs make an "always". */
const often = 3;

export const allChecks: readonly Check[] = [
  {
    id: 'node-version',
    about: 'the version of Node.js',
    advice: 'install a version of Node.js that package.json of linod allows',
    run: ({ program: { node } }) => {
      const [major = 0, minor = 0] = node.split('.').map(Number);
      const isOld = major < 20 || (major === 20 && minor < 12);
      return isOld ? [`Node.js ${node} is older than 20.12`] : some(nodeProblem(node));
    },
  },
  {
    id: 'native-module',
    about: 'whether better-sqlite3 loads in this Node.js',
    advice: 'rebuild it: npm rebuild better-sqlite3',
    run: ({ program }) => some(program.nativeProblem),
  },
  {
    id: 'zone-data',
    about: "the age of Node's time zone data, and the zones of rules",
    advice:
      'update Node.js, which brings the data; correct the zones of rules with `linod rule N timezone=…`',
    run: ({ now, program: { zoneData }, rules }) => {
      const isOld = new Date(now).getUTCFullYear() - Number.parseInt(zoneData, 10) >= oldZoneYears;
      const active = rules.has ? rules.get().active : [];
      const zones = new Set(active.flatMap(({ timezone }) => timezone ?? []));
      const unknown = [...zones].filter((zone) => Zone.named(zone) === undefined);
      return [
        ...some(isOld && `the zone data is of ${zoneData}`),
        ...unknown.map((zone) => `rules are in zone ${zone}, which this Node.js does not know`),
      ];
    },
  },
  {
    id: 'configuration',
    about: 'whether the configuration can be read',
    advice: 'correct the file or the environment variable that is named',
    run: ({ configurationProblem }) => some(configurationProblem),
  },
  {
    id: 'procedures',
    about: 'whether the files of the procedures load',
    advice: 'correct the files; workers go on without them',
    run: ({ site }) => site.get().brokenProcedures,
  },
  {
    id: 'permissions',
    about: 'whether this user may read and write the files of the site',
    advice: 'give them to the user of the worker with chown, or run linod as that user',
    run: ({ site }) => site.get().missingRights,
  },
  {
    id: 'disk-space',
    about: 'free space for the databases, the log and the spool files',
    advice: 'free some space, or move the site to a larger disk; `logKeepFiles` removes old log files',
    run: ({ site }) =>
      list(site.get().disks, ({ directory, free }) => {
        return free < leastFreeBytes && `${directory} has ${mebibytes(free)} free`;
      }),
  },
  {
    id: 'wal-size',
    about: 'the write-ahead logs of SQLite files',
    advice: 'end programs that keep reading or are suspended: SQLite can then empty the file',
    run: ({ site }) =>
      list(site.get().walFiles, ({ path, bytes }) => {
        return bytes > mostWalBytes && `${path} has ${mebibytes(bytes)}`;
      }),
  },
  {
    id: 'console-exposed',
    about: 'a console that other machines reach without encryption',
    advice: 'let it listen on 127.0.0.1 behind a proxy with TLS, or set httpCertificate and httpKey',
    run: ({ site }) => {
      const { console: listen, httpCertificate, httpTrustedProxies } = site.get().settings;
      const isSafe =
        listen === '' || isLocal(listen) || httpCertificate !== '' || httpTrustedProxies.length > 0;
      return some(!isSafe && `the console listens on ${listen}, without TLS and without a proxy`);
    },
  },
  {
    id: 'alarm-delivery',
    about: 'whether somebody gets the alarms',
    advice: 'set alarmMail, alarmWebhook or alarmCommand, then try it: linod alarms test',
    run: ({ site, alarms }) => {
      const { alarmMail, alarmWebhook, alarmCommand, mailUrl, mailFrom } = site.get().settings;
      const { watchedRules, open, undelivered } = alarms.get();
      const isMute = alarmMail.length === 0 && alarmWebhook === '' && alarmCommand.length === 0;
      const lacksMail = alarmMail.length > 0 && (mailUrl === null || mailFrom === null);
      const needs = `${watchedRules} rules are watched, and ${open} alarms are open`;
      return [
        ...some(isMute && watchedRules + open > 0 && `nobody gets alarms: ${needs}`),
        ...some(lacksMail && 'alarmMail is set, and mailUrl or mailFrom is not'),
        ...undelivered.map((text) => `an alarm is not delivered by ${text}`),
      ];
    },
  },
  {
    id: 'mail-settings',
    about: 'whether mails can be sent',
    advice: 'set mailUrl and mailFrom; keep a password in the environment',
    run: ({ site, waitingMails }) => {
      const { mailUrl, mailFrom } = site.get().settings;
      if (mailUrl !== null) return some(mailFrom === null && 'mailUrl is set, and mailFrom is not');
      const waiting = waitingMails.get();
      return some(waiting > 0 && `${waiting} mails wait, and no mailUrl is set`);
    },
  },
  {
    id: 'database',
    about: 'whether the database can be reached',
    advice: 'do what the message says; `databaseUrl` names the database',
    run: ({ database }) => problemOf(database),
  },
  {
    id: 'database-integrity',
    about: 'whether the SQLite file is damaged (PRAGMA quick_check)',
    advice: 'stop the workers and restore a backup: linod restore FILE --force',
    run: ({ integrity }) => integrity.get(),
  },
  {
    id: 'migrations',
    about: 'migrations that wait, and those of a newer linod',
    advice: 'run linod migrate; for a database of a newer version, update linod',
    run: ({ database }) => {
      const { waitingMigrations, unknownMigrations } = database.get();
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
    run: ({ database, redis, workers }) => {
      const servers = redis.has
        ? redis.get().map(({ name, skewMs }) => ({ of: `Redis at ${name}`, skewMs }))
        : [];
      const clocks = [{ of: 'the database', skewMs: database.get().skewMs }, ...servers];
      return [
        ...list(clocks, ({ of, skewMs }) => {
          const how = skewMs > 0 ? 'ahead of' : 'behind';
          const text = `this machine's clock is ${durationText(Math.abs(skewMs))} ${how} that of ${of}`;
          return Math.abs(skewMs) > maxSkewMs && text;
        }),
        ...list(workers.get(), ({ id, skewMs }) => {
          return Math.abs(skewMs) > maxSkewMs && `the clock of worker ${id} differs from the database's`;
        }),
      ];
    },
  },
  {
    id: 'layer',
    about: 'whether the channel layer can be reached',
    advice: 'do what the message says; `channelLayer` names the layer',
    run: ({ layer }) => problemOf(layer),
  },
  {
    id: 'redis-version',
    about: 'the version of Redis',
    advice: `use Redis ${leastRedis} or later`,
    run: ({ redis }) =>
      list(redis.get(), ({ name, version }) => {
        return Number.parseInt(version, 10) < leastRedis && `${name} is Redis ${version}`;
      }),
  },
  {
    id: 'redis-eviction',
    about: 'whether Redis throws messages away when its memory gets short',
    advice: 'set maxmemory-policy to noeviction',
    run: ({ redis }) =>
      list(redis.get(), ({ name, evictionPolicy }) => {
        return evictionPolicy !== 'noeviction' && `${name} has maxmemory-policy ${evictionPolicy}`;
      }),
  },
  {
    id: 'redis-persistence',
    about: 'whether waiting messages survive a restart of Redis',
    advice: 'set appendonly yes, or save; log records and requests survive anyway',
    run: ({ redis }) =>
      list(redis.get(), ({ name, isPersistent }) => {
        return isPersistent === false && `${name} writes neither an append-only file nor snapshots`;
      }),
  },
  {
    id: 'full-channels',
    about: 'channels that are full, or nearly so',
    advice: 'look whether a worker listens on the channel: linod channels, linod workers',
    run: ({ layer }) =>
      list(layer.get().channels, ({ channel, depth, capacity }) => {
        return depth >= fullFrom * capacity && `channel ${channel} has ${depth} of ${capacity} messages`;
      }),
  },
  {
    id: 'same-name',
    about: 'two sites with one name on one channel layer',
    advice: 'give one of them another `name`, `layerPrefix` or database of Redis',
    run: ({ layer }) =>
      layer.get().strangers.map((id) => `worker ${id} of another site answers on the channels of this one`),
  },
  {
    id: 'workers',
    about: 'whether workers run and answer, and the coroutines were started: as linod status',
    advice: 'start workers and coroutines; continue a suspended worker with kill -CONT PID, restart others',
    run: ({ workerProblems }) => workerProblems.get(),
  },
  {
    id: 'mixed-versions',
    about: 'workers of another version than this linod',
    advice: 'restart the workers after an update, on all machines',
    run: ({ program: { linod }, workers }) =>
      list(workers.get(), ({ id, version }) => {
        return version !== linod && `worker ${id} is linod ${version}, this is ${linod}`;
      }),
  },
  {
    id: 'rules-without-procedure',
    about: 'rules whose procedure no worker has',
    advice: 'bring the procedure back, or restart the workers after a deployment',
    run: ({ workers, rules }) => {
      const has = registeredBy(workers.get());
      if (workers.get().length === 0) return [];
      return list(rules.get().active, (rule) => {
        return !has(rule.procedure) && `${nameOf(rule)}: no worker has procedure ${rule.procedure}`;
      });
    },
  },
  {
    id: 'rules-never-run',
    about: 'rules that are overdue, or whose due times pass without a run',
    advice: 'ask for the reason: linod why N',
    run: ({ now: here, database, rules }) => {
      const { active, neverRan } = rules.get();
      const now = here - database.get().skewMs;
      return list(active, (rule) => {
        const overdueMs = now - (rule.nextDueAt ?? now);
        if (overdueMs > overdueAfterMs) return `${nameOf(rule)} is overdue by ${durationText(overdueMs)}`;
        const passed = neverRan.get(rule.id) ?? 0;
        return passed >= often && `${nameOf(rule)} has never run, and ${passed} due times have passed`;
      });
    },
  },
  {
    id: 'rules-always-late',
    about: 'rules whose runs always begin late',
    advice: 'ask for the reason: linod why N',
    run: ({ rules }) =>
      list(rules.get().active, (rule) => {
        const { late = 0, onTime = 0 } = rules.get().starts.get(rule.id) ?? {};
        return late >= often && onTime === 0 && `${nameOf(rule)}: the last ${late} runs began late`;
      }),
  },
  {
    id: 'orphaned-spools',
    about: 'records of ended processes that nobody sends',
    advice: 'start a worker on this machine; for an unreadable file, see docs/guides/troubleshooting.md',
    run: ({ now, spools }) =>
      list(spools.get(), ({ name, bytes, changedAt, owner }) => {
        const isOrphaned = owner !== 'alive' && now - changedAt > orphanAfterMs;
        return isOrphaned && `${name} has ${bytes} bytes of records, and its process has ended`;
      }),
  },
];

/** Runs all checks. Never throws. */
export function runChecks(facts: Facts): CheckResult[] {
  return allChecks.map((check) => runCheck(check, facts));
}

/** A finding, or none. */
function some(text: string | false | null | undefined): string[] {
  return text ? [text] : [];
}

/** The findings about some things. */
function list<T>(things: readonly T[], finding: (thing: T) => string | false): string[] {
  return things.flatMap((thing) => some(finding(thing)));
}

/** Why something cannot be reached. @throws NotRunError when nobody tried */
function problemOf(facts: Part<unknown>): string[] {
  if (facts.problem === null) facts.get();
  return some(facts.problem);
}

function nameOf({ id, name }: RuleFact): string {
  return `rule ${id} ${name}`;
}
