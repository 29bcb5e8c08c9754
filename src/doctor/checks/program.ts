// Checks of the program, its configuration and its machine.

import { nodeProblem } from '../../base/node-version.js';
import { isLocal } from '../../console/access/reach.js';
import { Zone } from '../../recurrence/time/zone.js';
import type { Check } from '../check.js';

const leastFreeBytes = 256 * 1024 ** 2;
const mostWalBytes = 128 * 1024 ** 2;
/** Zone data of a year before the last lacks decisions of governments. */
const oldZoneYears = 2;

export const programChecks: readonly Check[] = [
  {
    id: 'node-version',
    about: 'the version of Node.js',
    advice: 'install a version of Node.js that package.json of linod allows',
    run: ({ program }) => {
      const [major = 0, minor = 0] = program.node.split('.').map(Number);
      const isOld = major < 20 || (major === 20 && minor < 12);
      return isOld
        ? [`Node.js ${program.node} is older than 20.12`]
        : [nodeProblem(program.node) ?? []].flat();
    },
  },
  {
    id: 'native-module',
    about: 'whether better-sqlite3 loads in this Node.js',
    advice: 'rebuild it: npm rebuild better-sqlite3',
    run: ({ program: { nativeProblem } }) => (nativeProblem === null ? [] : [nativeProblem]),
  },
  {
    id: 'zone-data',
    about: "the age of Node's time zone data, and the zones of rules",
    advice:
      'update Node.js, which brings the data; correct the zones of rules with `linod rule N timezone=…`',
    run: ({ now, program: { zoneData }, rules }) => {
      const year = Number.parseInt(zoneData, 10);
      const isOld = new Date(now).getUTCFullYear() - year >= oldZoneYears;
      const zones = new Set(rules().active.flatMap(({ timezone }) => timezone ?? []));
      const unknown = [...zones].filter((zone) => Zone.named(zone) === undefined);
      return [
        ...(isOld ? [`the zone data is of ${zoneData}`] : []),
        ...unknown.map((zone) => `rules are in zone ${zone}, which this Node.js does not know`),
      ];
    },
  },
  {
    id: 'configuration',
    about: 'whether the configuration can be read',
    advice: 'correct the file or the environment variable that is named',
    run: ({ configurationProblem: problem }) => (problem === null ? [] : [problem]),
  },
  {
    id: 'procedures',
    about: 'whether the files of the procedures load',
    advice: 'correct the files; workers go on without them',
    run: ({ site }) => site().brokenProcedures,
  },
  {
    id: 'permissions',
    about: 'whether this user may read and write the files of the site',
    advice: 'give them to the user of the worker with chown, or run linod as that user',
    run: ({ site }) => site().missingRights,
  },
  {
    id: 'disk-space',
    about: 'free space for the databases, the log and the spool files',
    advice: 'free some space, or move the site to a larger disk; `logKeepFiles` removes old log files',
    run: ({ site }) =>
      site()
        .disks.filter(({ freeBytes }) => freeBytes < leastFreeBytes)
        .map(({ directory, freeBytes }) => `${directory} has ${mebibytes(freeBytes)} free`),
  },
  {
    id: 'wal-size',
    about: 'the write-ahead logs of SQLite files',
    advice: 'end programs that keep reading or are suspended: SQLite can then empty the file',
    run: ({ site }) =>
      site()
        .walFiles.filter(({ bytes }) => bytes > mostWalBytes)
        .map(({ path, bytes }) => `${path} has ${mebibytes(bytes)}`),
  },
  {
    id: 'console-exposed',
    about: 'a console that other machines reach without encryption',
    advice: 'let it listen on 127.0.0.1 behind a proxy with TLS, or set httpCertificate and httpKey',
    run: ({ site }) => {
      const { console: listen, httpCertificate, httpTrustedProxies } = site().settings;
      if (listen === '' || isLocal(listen) || httpCertificate !== '' || httpTrustedProxies.length > 0)
        return [];
      return [`the console listens on ${listen}, without TLS and without a proxy`];
    },
  },
  {
    id: 'alarm-delivery',
    about: 'whether somebody gets the alarms',
    advice: 'set alarmMail, alarmWebhook or alarmCommand, then try it: linod alarms test',
    run: ({ site, alarms }) => {
      const { alarmMail, alarmWebhook, alarmCommand, mailUrl, mailFrom } = site().settings;
      const { watchedRules, open, undelivered } = alarms();
      const isMute = alarmMail.length === 0 && alarmWebhook === '' && alarmCommand.length === 0;
      const isNoMail = alarmMail.length > 0 && (mailUrl === null || mailFrom === null);
      return [
        ...(isMute && watchedRules + open > 0
          ? [`nobody gets alarms: ${watchedRules} rules are watched, and ${open} alarms are open`]
          : []),
        ...(isNoMail ? ['alarmMail is set, and mailUrl or mailFrom is not'] : []),
        ...undelivered.map((text) => `an alarm is not delivered by ${text}`),
      ];
    },
  },
  {
    id: 'mail-settings',
    about: 'whether mails can be sent',
    advice: 'set mailUrl and mailFrom; keep a password in the environment',
    run: ({ site, waitingMails }) => {
      const { mailUrl, mailFrom } = site().settings;
      if (mailUrl !== null) return mailFrom === null ? ['mailUrl is set, and mailFrom is not'] : [];
      const waiting = waitingMails();
      return waiting === 0 ? [] : [`${waiting} mails wait, and no mailUrl is set`];
    },
  },
];

export function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}
