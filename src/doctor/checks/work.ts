// Checks of the workers, the rules and the log.

import { durationText } from '../../base/duration.js';
import { registeredBy } from '../../membership/registered-procedures.js';
import { silentAfterMs } from '../../membership/worker-registry.js';
import type { Check } from '../check.js';
import type { Facts, RuleFact } from '../facts.js';
import { mebibytes } from './program.js';

const orphanAfterMs = 300_000;
const overdueAfterMs = 600_000;
/** How many due times or runs make an "always". */
const often = 3;

export const workChecks: readonly Check[] = [
  {
    id: 'workers',
    about: 'whether a worker runs, and the coroutines were started',
    advice: 'start a worker with runworker, and the coroutines with initiate_linod',
    run: ({ site, workers, database }) => {
      const missing = ['log.server', 'run.system.tasks'].filter((name) => !database().ordered.includes(name));
      return [
        ...(workers().length === 0 ? [`no worker of ${site().channel} is running`] : []),
        ...missing.map((name) => `coroutine ${name} was never started`),
      ];
    },
  },
  {
    id: 'silent-workers',
    about: 'workers that are suspended, silent or deaf',
    advice: 'continue a suspended worker with kill -CONT PID; restart others',
    run: ({ now, workers, database }) =>
      workers().flatMap(({ id, pid, isSuspended, heartbeat_at: heardAt, health }) => {
        if (isSuspended) return [`worker ${id} is suspended (process ${pid})`];
        const silentMs = now - database().skewMs - heardAt;
        if (silentMs > silentAfterMs) return [`worker ${id} sent no heartbeat for ${durationText(silentMs)}`];
        const deaf = health?.listeners.filter(({ state }) => state === 'deaf') ?? [];
        return deaf.map(({ channel }) => `worker ${id} is deaf on ${channel}`);
      }),
  },
  {
    id: 'mixed-versions',
    about: 'workers of another version than this linod',
    advice: 'restart the workers after an update, on all machines',
    run: ({ program, workers }) =>
      workers()
        .filter(({ version }) => version !== program.linod)
        .map(({ id, version }) => `worker ${id} is linod ${version}, this is ${program.linod}`),
  },
  {
    id: 'rules-without-procedure',
    about: 'rules whose procedure no worker has',
    advice: 'bring the procedure back, or restart the workers after a deployment',
    run: ({ workers, rules }) => {
      const has = registeredBy(workers());
      if (workers().length === 0) return [];
      const without = rules().active.filter(({ procedure }) => !has(procedure));
      return without.map((rule) => `${nameOf(rule)}: no worker has procedure ${rule.procedure}`);
    },
  },
  {
    id: 'rules-never-run',
    about: 'rules that are overdue, or whose due times pass without a run',
    advice: 'ask for the reason: linod why N',
    run: (facts) => {
      const { active, neverRan } = facts.rules();
      const now = facts.now - facts.database().skewMs;
      return active.flatMap((rule) => {
        const overdueMs = now - (rule.nextDueAt ?? now);
        if (overdueMs > overdueAfterMs) return [`${nameOf(rule)} is overdue by ${durationText(overdueMs)}`];
        const passed = neverRan.get(rule.id) ?? 0;
        return passed < often ? [] : [`${nameOf(rule)} has never run, and ${passed} due times have passed`];
      });
    },
  },
  {
    id: 'rules-always-late',
    about: 'rules whose runs always begin late',
    advice: 'ask for the reason: linod why N',
    run: ({ rules }) =>
      rules().active.flatMap((rule) => {
        const { late = 0, onTime = 0 } = rules().starts.get(rule.id) ?? {};
        return late >= often && onTime === 0 ? [`${nameOf(rule)}: the last ${late} runs began late`] : [];
      }),
  },
  {
    id: 'rules-failing',
    about: 'rules that fail again and again, or that a failure has cancelled',
    advice: 'see the error: linod jobs --rule N; resume a cancelled rule: linod rule N resume',
    run: ({ rules }) => [
      ...rules()
        .active.filter(({ failuresInRow }) => failuresInRow >= often)
        .map((rule) => `${nameOf(rule)} has failed ${rule.failuresInRow} times in a row`),
      ...rules().cancelledByFailure.map((name) => `rule ${name} was cancelled by a failure`),
    ],
  },
  {
    id: 'job-slots',
    about: 'due times that wait since all job slots are taken',
    advice: 'raise maxJobs, start another worker, or let fewer rules come due at once',
    run: ({ rules }) => {
      const { waitedForSlots: waited } = rules();
      return waited < often ? [] : [`${waited} of the last due times waited for a job slot`];
    },
  },
  {
    id: 'log-writer',
    about: 'whether a worker writes the log',
    advice: 'do what the message says; records are kept meanwhile',
    run: ({ workers }) =>
      workers().flatMap(({ id, health }) => {
        const trouble = health?.loggerTrouble ?? null;
        return trouble === null ? [] : [`worker ${id} cannot write lino.log: ${trouble}`];
      }),
  },
  {
    id: 'log-gaps',
    about: 'whether the newest file of the log is complete',
    advice: 'see all faults: linod log verify',
    run: ({ logFaults }) => logFaults(),
  },
  {
    id: 'orphaned-spools',
    about: 'records of ended processes that nobody sends',
    advice: 'start a worker on this machine; for an unreadable file, see docs/guides/troubleshooting.md',
    run: ({ now, spools }) =>
      spools()
        .filter(({ owner, changedAt }) => owner !== 'alive' && now - changedAt > orphanAfterMs)
        .map(({ name, bytes }) => `${name} has ${bytes} bytes of records, and its process has ended`),
  },
  {
    id: 'spool-size',
    about: 'spool files that are nearly full',
    advice: 'look why the log is not written: linod status; raise logSpoolMegabytes',
    run: (facts) => fullSpools(facts),
  },
];

function fullSpools({ site, spools }: Facts): string[] {
  const mostBytes = site().settings.logSpoolMegabytes * 1024 ** 2;
  const bySender = new Map<string, number>();
  for (const { name, bytes } of spools()) {
    const sender = name.replace(/\.\d+\.spool$/, '');
    bySender.set(sender, (bySender.get(sender) ?? 0) + bytes);
  }
  return [...bySender]
    .filter(([, bytes]) => bytes >= 0.8 * mostBytes)
    .map(([sender, bytes]) => `sender ${sender} keeps ${mebibytes(bytes)} of ${mebibytes(mostBytes)}`);
}

function nameOf({ id, name }: RuleFact): string {
  return `rule ${id} ${name}`;
}
