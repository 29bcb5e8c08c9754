// Every setting of a site: what it decides, what is allowed, its default and its environment variables, in
// one schema.

import { basename, resolve } from 'node:path';
import * as v from 'valibot';
import type { Application, ChannelLayer, HttpScope } from '../../channels/index.js';
import { completeLimits, defaultLimits, parseListenAddress } from '../../channels/server/options.js';
import { TrustedProxies } from '../../channels/server/request/proxies.js';
import { durationRule, type GivenDurations, inUnitOf } from '../base/duration.js';
import { parseLevel } from '../base/log-levels.js';
import { consumerSchema } from './consumers.js';
import {
  checkLoggerName,
  formatNames,
  type LevelsByName,
  type RotationPolicy,
  redactPathPattern,
  rootName,
  rotationPeriods,
  spoolKeeps,
  syncPolicies,
} from './log-settings.js';
import { parseProbeAddress } from './probe-address.js';

/** One setting, as it stands below. */
interface Definition<S> {
  /** What it decides, in one or two sentences. */
  readonly text: string;
  /** Another environment variable that sets it, besides `LINOD_` with the setting's name. */
  readonly alias?: string;
  /** Whether only a program can say it, and no environment variable. */
  readonly isProgram?: boolean;
  /** What is allowed, as it follows "expected …". */
  readonly allowed: string;
  readonly schema: S;
  readonly default: unknown;
  /** The default, as documentation shows it. */
  readonly defaultText: string;
  /** Reads the value from the text of an environment variable; undefined when it cannot be one. */
  readonly read?: (text: string) => unknown;
  /** Whether a value is never shown, not even when it is wrong. */
  readonly isSecret?: boolean;
}

/** What the documentation and the errors say of a setting. */
export type AboutSetting = Omit<Definition<never>, 'schema' | 'default'>;

/** @param directory the site's, from which paths count */
export function settingsSchema(directory: string) {
  const path = v.pipe(
    v.string(),
    v.nonEmpty(),
    v.transform((text) => resolve(directory, text)),
  );
  const sqliteUrl = v.pipe(
    v.string(),
    v.regex(/^sqlite:./),
    v.transform((url) => `sqlite:${resolve(directory, url.slice('sqlite:'.length))}`),
  );
  return v.strictObject({
    name: setting({
      text: "The site's name. Its channels are `linod_NAME` and `linod_NAME.log`.",
      allowed: 'a lower-case letter followed by at most 39 lower-case letters, digits, "_" or "-"',
      schema: text(/^[a-z][a-z0-9_-]{0,39}$/),
      default: basename(directory),
      defaultText: "the directory's name",
    }),
    useLinod: setting({
      text: 'Whether the background daemon is on for this site. When it is off, commands say so and exit with 0.',
      ...flag(true),
    }),
    channelLayer: setting({
      text: 'What carries messages between processes: a file for processes of one machine, or Redis.',
      alias: 'REDIS_URL',
      allowed:
        'a URL that begins with sqlite:, redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://, or a list of Redis URLs',
      schema: v.union([sqliteUrl, redisUrl, v.pipe(v.array(redisUrl), v.nonEmpty(), v.readonly())]),
      default: 'sqlite:channels.db',
      defaultText: "`sqlite:channels.db` in the site's directory",
      // Not at every comma: a URL of Sentinels has some.
      read: (text) => (/,\s*[a-z+]+:\/\//i.test(text) ? text.split(/,\s*(?=[a-z+]+:\/\/)/i) : text),
    }),
    layerPrefix: setting({
      text: 'What all keys on Redis begin with. The Python processes of the site must use the same.',
      allowed: 'a text of 1 to 50 ASCII letters, digits, ":", "-", "_", "." or "{}"',
      schema: text(/^[\w:.{}-]{1,50}$/),
      default: 'asgi',
      defaultText: '`asgi`, as in `channels_redis`',
    }),
    layerKeys: setting({
      text: 'Keys that encrypt messages on Redis, `symmetric_encryption_keys` of `channels_redis`: the first encrypts, each decrypts.',
      allowed: 'a list of texts that are not empty',
      schema: v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.readonly()),
      default: [],
      defaultText: 'none: no encryption',
      read: readList,
      isSecret: true,
    }),
    layerSerializer: setting({
      text: 'The form of messages on Redis, `serializer_format` of `channels_redis`.',
      ...choice(['msgpack', 'json'], 'msgpack'),
    }),
    databaseUrl: setting({
      text: 'The database with rules, jobs and their history: a file for workers of one machine, or PostgreSQL.',
      alias: 'DATABASE_URL',
      allowed: 'a URL that begins with sqlite:, postgres:// or postgresql://',
      schema: v.union([sqliteUrl, text(/^postgres(ql)?:\/\/./)]),
      default: 'sqlite:linod.db',
      defaultText: "`sqlite:linod.db` in the site's directory",
    }),
    logDirectory: setting({
      text: 'The directory of `lino.log` and of the spool files.',
      allowed: "a directory's path",
      schema: path,
      default: 'log',
      defaultText: "`log` in the site's directory",
    }),
    logLevel: setting({
      text: 'The level below which loggers drop records.',
      alias: 'LINO_LOGLEVEL',
      allowed: 'DEBUG, INFO, WARNING, ERROR or CRITICAL',
      schema: level,
      default: 'INFO',
      defaultText: '`INFO`',
    }),
    logSocket: setting({
      text: 'The Unix socket on which a worker takes log records of programs in other languages. An empty text for none.',
      allowed: 'a path; the worker warns when it is too long for a socket',
      schema: v.union([v.literal(''), path]),
      default: 'linod.sock',
      defaultText: "`linod.sock` in the site's directory",
    }),
    logSocketMode: setting({
      text: 'Who may send records to that socket, as permissions of its file.',
      allowed: 'three octal digits such as "660"',
      schema: text(/^0?[0-7]{3}$/),
      default: '600',
      defaultText: '`600`: the user of the worker',
    }),
    logFormat: setting({
      text: 'How a record looks in `lino.log`: see [Formats](log-file.md#formats). It may be changed at any time.',
      ...choice(formatNames, 'text'),
    }),
    logLevels: setting({
      text: 'Levels of single loggers by their dotted names. A level also holds for the names below it.',
      allowed:
        'an object from names such as "shop.orders" to levels, or in the environment shop.orders=DEBUG,shop=WARNING',
      schema: v.pipe(noList, v.record(v.pipe(v.string(), v.check(succeeds(checkLoggerName))), level)),
      default: {},
      defaultText: 'none',
      read: readPairs,
    }),
    redact: setting({
      text: 'Paths of values that neither the log nor the console shows: see [Redaction](../guides/logging.md#redaction). It counts for loggers that have no `redact` of their own.',
      allowed: 'a path such as "password", "user.token", "headers.*" or "items[*].secret", or a list of them',
      schema: v.pipe(
        v.union([v.string(), v.array(v.string())]),
        v.transform((given) => [given].flat()),
        v.array(text(redactPathPattern)),
        v.readonly(),
      ),
      default: [],
      defaultText: 'none',
      read: readSeveral,
    }),
    logSync: setting({
      text: 'When the log waits for the disk: see [Log records](../explanation/delivery.md#log-records).',
      ...choice(syncPolicies, 'batch'),
    }),
    logOrderMs: setting({
      text: 'How old a record gets before it is written, in ms. Earlier records of other processes can so come before it. 0 writes records as they arrive.',
      ...duration('Ms', whole(0, 10_000, 150, 'milliseconds')),
    }),
    logGatherMs: setting({
      text: 'How long a record waits in its process for others, in ms. Only `kill -9` can lose it then. 0 batches only the records of one moment.',
      ...duration('Ms', whole(0, 10_000, 40, 'milliseconds')),
    }),
    logBlockMs: setting({
      text: 'How long one write to the spool may keep a process, in ms. After a longer one its records stay in memory for ten times as long.',
      ...duration('Ms', whole(1, 60_000, 200, 'milliseconds')),
    }),
    logSpoolMegabytes: setting({
      text: 'How much the spool of one process may hold, in MiB, while nobody takes its records.',
      ...whole(1, 100_000, 256, 'MiB'),
    }),
    logSpoolKeeps: setting({
      text: 'Which records stay when the spool is full: the `oldest`, while new ones are dropped by level, or the `newest`.',
      ...choice(spoolKeeps, 'oldest'),
    }),
    logRotate: setting({
      text: 'When a new `lino.log` is begun, by the clocks of `timezone`: see [Rotation](../guides/logging.md#rotation).',
      ...choice(rotationPeriods, 'never'),
    }),
    logRotateMegabytes: setting({
      text: 'The size at which a new `lino.log` is begun, in millions of bytes; 0 for none.',
      ...number(0, 1_000_000, 0),
    }),
    logKeepFiles: setting({
      text: 'How many files that linod has rotated are kept; 0 for all.',
      ...whole(0, 100_000, 30),
    }),
    logKeepDays: setting({
      text: 'How many days a file that linod has rotated is kept; 0 for ever.',
      ...duration('Days', number(0, 36_500, 0, 'days')),
    }),
    logCompress: setting({
      text: 'Whether files that linod has rotated are compressed with gzip.',
      ...flag(true),
    }),
    timezone: setting({
      text: 'The time zone of rules that name none, and of the times that people see.',
      allowed: 'an IANA time zone such as "Europe/Tallinn"',
      schema: v.pipe(
        v.string(),
        v.check(succeeds((timeZone) => new Intl.DateTimeFormat('en', { timeZone }))),
      ),
      default: 'UTC',
      defaultText: '`UTC`; `linod init` writes the zone of the machine',
    }),
    procedures: setting({
      text: 'Files that register procedures, or directories of such files.',
      allowed: 'a list of paths',
      schema: v.pipe(v.array(path), v.readonly()),
      default: ['procedures'],
      defaultText: "`['procedures']` if there is such a directory",
      read: readList,
    }),
    shippedProcedures: setting({
      text: 'Whether the procedures that ship with linod are registered.',
      ...flag(true),
    }),
    mailUrl: setting({
      text: "The server that takes the site's mails; keep a password in the environment.",
      allowed: 'a URL that begins with smtp:// or smtps://, or null',
      schema: v.nullable(v.pipe(text(/^smtps?:\/\/./), v.url())),
      default: null,
      defaultText: 'none: mails wait',
    }),
    mailFrom: setting({
      text: 'The sender of mails that name none.',
      allowed: 'an address such as "shop@example.org" or "Shop <shop@example.org>", or null',
      schema: v.nullable(mailAddress),
      default: null,
      defaultText: 'none: mails wait',
    }),
    mailConnections: setting({
      text: 'How many mails are sent side by side.',
      ...whole(1, 100, 5),
    }),
    mailsPerSecond: setting({
      text: 'How many mails a second are sent at most.',
      allowed: 'a number from 0.001 to 10000, or null',
      schema: v.nullable(v.pipe(v.number(), v.minValue(0.001), v.maxValue(10_000))),
      default: null,
      defaultText: 'no limit',
      read: readNumber,
    }),
    consumers: setting({
      text: "The application's own consumers: the name of a channel, and the application that handles its messages. With a lease, each message is handled at least once: see [Leases](../guides/consumers.md#leases).",
      isProgram: true,
      allowed:
        'an object from channel names to applications, (scope, receive, send) => Promise<void>, or to { application, lease: "30s" } with a lease from 1s to 24h',
      schema: v.pipe(noList, v.record(v.string(), consumerSchema)),
      default: {},
      defaultText: 'none',
    }),
    application: setting({
      text: 'Makes the application that answers HTTP requests and WebSockets: see [The protocol server](../guides/server.md).',
      isProgram: true,
      allowed:
        'a function from { layer } to an application, (scope, receive, send) => Promise<void>, or null',
      schema: v.nullable(v.custom<ApplicationFactory>((value) => typeof value === 'function')),
      default: null,
      defaultText: 'none',
    }),
    http: setting({
      text: 'Where `runworker` and `linod serve` serve the application: see [Addresses](../guides/server.md#addresses).',
      allowed: 'an address or a list of them: HOST:PORT, PORT, unix:PATH, fd:NUMBER or systemd',
      schema: v.pipe(
        v.union([v.string(), v.number(), v.array(v.string())]),
        v.transform((given) => [given].flat().map(String)),
        v.array(v.pipe(v.string(), v.check(succeeds(parseListenAddress)))),
        v.readonly(),
      ),
      default: [],
      defaultText: 'none: `runworker` serves nothing, `linod serve` listens on `127.0.0.1:8000`',
      read: readSeveral,
    }),
    httpLimits: setting({
      text: 'What clients can ask at most: see [Limits](../guides/server.md#limits).',
      isProgram: true,
      allowed: `an object from names to numbers above 0; the names are ${Object.keys(defaultLimits).join(', ')}`,
      schema: v.pipe(
        noList,
        v.record(v.string(), v.number()),
        v.check((limits) => succeeds(() => completeLimits(limits))('')),
      ),
      default: {},
      defaultText: 'the default limits',
    }),
    httpTrustedProxies: setting({
      text: 'Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count: see [Behind a proxy](../guides/server.md#behind-a-proxy).',
      allowed: 'an address, a network such as "10.0.0.0/8", "unix", or a list of them',
      schema: v.pipe(
        v.union([v.string(), v.array(v.string())]),
        v.transform((given) => [given].flat()),
        v.check((proxies) => succeeds(() => new TrustedProxies(proxies))('')),
        v.readonly(),
      ),
      default: [],
      defaultText: 'none',
      read: readSeveral,
    }),
    httpCompression: setting({
      text: 'Whether browsers may compress their messages. It costs memory for each socket.',
      ...flag(false),
    }),
    httpCertificate: setting({
      text: 'The certificate of a server that speaks TLS itself, a PEM file.',
      allowed: "a file's path, or an empty text",
      schema: v.union([v.literal(''), path]),
      default: '',
      defaultText: 'none: no TLS',
    }),
    httpKey: setting({
      text: 'The key that belongs to it.',
      allowed: "a file's path, or an empty text",
      schema: v.union([v.literal(''), path]),
      default: '',
      defaultText: 'none',
    }),
    httpSocketMode: setting({
      text: 'Who may connect to a Unix socket of the server, as permissions of its file.',
      allowed: 'three octal digits such as "660"',
      schema: text(/^0?[0-7]{3}$/),
      default: '600',
      defaultText: '`600`: the user of the server',
    }),
    console: setting({
      text: 'Where a worker serves the console: see [The console](../guides/console.md). An empty text for nowhere.',
      allowed: 'an address: HOST:PORT, PORT, unix:PATH, fd:NUMBER or systemd, or an empty text',
      schema: v.union([
        v.literal(''),
        v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.check(succeeds(parseListenAddress))),
      ]),
      default: '',
      defaultText: 'none: `linod console` serves it on `127.0.0.1:8780`',
    }),
    health: setting({
      text: 'Where a worker and `linod serve` answer probes and show metrics: see [Deployment](../guides/deployment.md#probes). Each process of a machine needs its own; an empty text for none.',
      allowed: 'an address: HOST:PORT or PORT, or an empty text',
      schema: v.union([
        v.literal(''),
        v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.check(succeeds(parseProbeAddress))),
      ]),
      default: '',
      defaultText: 'none',
    }),
    consolePrefix: setting({
      text: 'The path of the console behind a proxy that passes it on unchanged.',
      allowed: 'a path such as "/linod", without a slash at its end, or an empty text',
      schema: text(/^(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/),
      default: '',
      defaultText: 'none: the console has the whole host',
    }),
    consoleHosts: setting({
      text: 'Names by which browsers reach the console, as a proxy passes them on in `Host`.',
      allowed: 'a domain, ".example.org" with all below it, an address, or a list of them',
      schema: v.pipe(
        v.union([v.string(), v.array(v.string())]),
        v.transform((given) => [given].flat()),
        v.array(text(/^(\*|\.?[a-z0-9_-][a-z0-9._-]*|\[[\da-f:.]+\])$/i)),
        v.readonly(),
      ),
      default: [],
      defaultText: 'those of the loopback; on another address any',
      read: readSeveral,
    }),
    consoleUserHeader: setting({
      text: 'The header in which a proxy of `httpTrustedProxies` names the user who has signed in there. An empty text for none.',
      allowed: 'the name of a header such as "X-Forwarded-User", or an empty text',
      schema: header,
      default: '',
      defaultText: 'none',
    }),
    consoleGroupHeader: setting({
      text: "The header in which it names the user's groups, with commas between them.",
      allowed: 'the name of a header such as "X-Forwarded-Groups", or an empty text',
      schema: header,
      default: '',
      defaultText: 'none',
    }),
    consoleRoles: setting({
      text: 'The roles of those groups. `*` is everybody whom the proxy names. Of several roles the strongest counts.',
      allowed:
        'an object from groups to viewer, operator or admin, or in the environment ops=operator,*=viewer',
      schema: v.pipe(noList, v.record(v.string(), v.picklist(['viewer', 'operator', 'admin']))),
      default: { '*': 'viewer' },
      defaultText: '`*` is `viewer`',
      read: readPairs,
    }),
    consoleUser: setting({
      text: 'Names the user of a request, for a site with a sign-in of its own.',
      isProgram: true,
      allowed: 'a function from a scope to { name, role } or null, which may be async, or null',
      schema: v.nullable(v.custom<ConsoleUserFunction>((value) => typeof value === 'function')),
      default: null,
      defaultText: 'none',
    }),
    alarmMail: setting({
      text: 'Who gets alarms by mail, from `mailFrom` over `mailUrl`: see [Alarms](../guides/alarms.md).',
      allowed: 'an address such as "ops@example.org", or a list of them',
      schema: v.pipe(
        v.union([v.string(), v.array(v.string())]),
        v.transform((given) => [given].flat()),
        v.array(mailAddress),
        v.readonly(),
      ),
      default: [],
      defaultText: 'nobody',
      read: readSeveral,
    }),
    alarmWebhook: setting({
      text: 'Where alarms are sent by HTTP. An empty text for nowhere.',
      allowed: 'a URL that begins with http:// or https://, without a user and password, or an empty text',
      // Node refuses such a URL at each request, with an error that shows the password.
      schema: v.union([v.literal(''), v.pipe(text(/^https?:\/\/[^@/?#]+(?:[/?#]|$)/), v.url())]),
      default: '',
      defaultText: 'nowhere',
      // Those of chats contain a key.
      isSecret: true,
    }),
    alarmWebhookSecret: setting({
      text: 'The key that signs these requests with HMAC-SHA256; keep it in the environment.',
      allowed: 'a text of at least 16 characters; one that begins with "whsec_" goes on in base64',
      schema: v.union([v.literal(''), v.pipe(v.string(), v.minLength(16))]),
      default: '',
      defaultText: 'none: they are not signed',
      isSecret: true,
    }),
    alarmWebhookFormat: setting({
      text: 'The body of these requests: all fields of an alarm, or a text as Slack, Mattermost and others take it.',
      ...choice(['json', 'slack'], 'json'),
    }),
    alarmCommand: setting({
      text: 'A program that gets each alarm as JSON on its standard input, and its arguments.',
      allowed: 'a path or a list of a path and arguments, each a text that is not empty',
      schema: v.pipe(
        v.union([v.string(), v.array(v.string())]),
        v.transform((given) => [given].flat()),
        v.array(v.pipe(v.string(), v.nonEmpty())),
        v.readonly(),
      ),
      default: [],
      defaultText: 'none',
      read: readSeveral,
    }),
    maxJobs: setting({
      text: 'How many jobs one worker runs side by side.',
      ...whole(1, 1000, 10),
    }),
    graceSeconds: setting({
      text: 'How long a stopping worker waits for running jobs, in seconds. When 5 s of it remain, or half of a shorter time, it asks them to end.',
      ...duration('Seconds', number(0, 86_400, 25, 'seconds')),
    }),
    vapidSubject: setting({
      text: 'Whom a push service may write to about the pushes of this site: see [Push](../guides/push.md).',
      allowed: 'a URL that begins with mailto: or https:',
      schema: v.union([v.literal(''), v.pipe(text(/^(mailto:.+@.|https:)/), v.url())]),
      default: '',
      defaultText: 'none: no pushes',
    }),
    vapidPublicKey: setting({
      text: 'The key by which push services know this site; browsers need it to subscribe.',
      allowed: 'a public key of `linod push keys`, 65 bytes as base64url',
      schema: key(65),
      default: '',
      defaultText: 'none: no pushes',
    }),
    vapidPrivateKey: setting({
      text: 'The private key that belongs to it.',
      allowed: 'a private key of `linod push keys`, 32 bytes as base64url',
      schema: key(32),
      default: '',
      defaultText: 'none: no pushes',
      isSecret: true,
    }),
    pushToPrivateAddresses: setting({
      text: 'Whether pushes may go to addresses that are not public. Endpoints come from browsers, so anybody could name one.',
      ...flag(false),
    }),
  });
}

/** Makes a site's application. The layer is that of the server's process. */
export type ApplicationFactory = (context: { readonly layer: ChannelLayer }) => Application;

/** Somebody whom the site lets into its console. */
export interface ConsoleUser {
  readonly name: string;
  readonly role: 'viewer' | 'operator' | 'admin';
}

/** Names the user of a request to the console; null for nobody. */
export type ConsoleUserFunction = (scope: HttpScope) => ConsoleUser | null | Promise<ConsoleUser | null>;

/** The settings of a site, complete and checked. Docs: docs/reference/configuration.md. */
export type Settings = Readonly<v.InferOutput<ReturnType<typeof settingsSchema>>>;

/** What `linod.config.ts` exports: any of the settings. */
export type SiteConfig = Partial<GivenDurations<Settings>>;

/** Gives an editor the types of the settings; returns what it is given. */
export function defineSite(config: SiteConfig): SiteConfig {
  return config;
}

/** The level of each logger that has one by these settings, that of all among them. */
export function configuredLevels({
  logLevel,
  logLevels,
}: Pick<Settings, 'logLevel' | 'logLevels'>): LevelsByName {
  return { ...logLevels, [rootName]: logLevel };
}

/** How the log is rotated; undefined when that is left to others, such as logrotate. */
export function rotationOf(settings: Settings): RotationPolicy | undefined {
  const { logRotate: every, logRotateMegabytes, logKeepFiles, logKeepDays, logCompress } = settings;
  if (every === 'never' && logRotateMegabytes === 0) return undefined;
  return {
    every,
    maxBytes: logRotateMegabytes * 1e6,
    keepFiles: logKeepFiles,
    keepDays: logKeepDays,
    compress: logCompress,
  };
}

function setting<const S extends v.GenericSchema>(definition: Definition<S>) {
  const { schema, default: byDefault, ...about } = definition;
  return v.pipe(v.optional(schema, byDefault as v.InferInput<S>), v.metadata(about));
}

function flag(byDefault: boolean) {
  return {
    allowed: 'true or false',
    schema: v.boolean(),
    default: byDefault,
    defaultText: `\`${byDefault}\``,
    read: (text: string) =>
      ({ true: true, '1': true, yes: true, false: false, '0': false, no: false })[text.toLowerCase()],
  };
}

function choice<const T extends string>(names: readonly T[], byDefault: T) {
  return {
    allowed: `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`,
    schema: v.picklist(names),
    default: byDefault,
    defaultText: `\`${byDefault}\``,
  };
}

function whole(from: number, to: number, byDefault: number, unit = '') {
  const { schema, allowed, ...rest } = number(from, to, byDefault, unit);
  return {
    ...rest,
    allowed: allowed.replace('a number', 'a whole number'),
    schema: v.pipe(schema, v.integer()),
  };
}

function number(from: number, to: number, byDefault: number, unit = '') {
  return {
    allowed: `a number ${unit && `of ${unit} `}from ${from} to ${to}`,
    schema: v.pipe(v.number(), v.minValue(from), v.maxValue(to)),
    default: byDefault,
    defaultText: `\`${byDefault}\``,
    read: readNumber,
  };
}

type NumberDefinition = Omit<ReturnType<typeof number>, 'schema'> & {
  readonly schema: v.GenericSchema<number, number>;
};

/** A number of a unit that may also be given as a duration. */
function duration(unit: string, { schema, allowed, ...rest }: NumberDefinition) {
  return {
    ...rest,
    allowed: `${allowed}, or ${durationRule}`,
    schema: v.pipe(
      v.union([v.number(), v.string()]),
      v.transform((value) => inUnitOf(unit, value)),
      schema,
    ),
    read: (text: string) => readNumber(text) ?? text,
  };
}

function readNumber(text: string): number | undefined {
  return text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text);
}

/** `a, b` */
function readList(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  return items.filter((item) => item !== '');
}

/** `a`, or `a, b` */
function readSeveral(text: string): string | string[] {
  return text.includes(',') ? readList(text) : text;
}

/** `a=1, b=2` */
function readPairs(text: string): Record<string, string> | undefined {
  const pairs = text.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  return pairs.every((pair) => pair.length === 2) ? Object.fromEntries(pairs) : undefined;
}

function text(pattern: RegExp) {
  return v.pipe(v.string(), v.regex(pattern));
}

/** A key as base64url without padding; empty for none. */
function key(bytes: number) {
  const isLong = (text: string) => Buffer.from(text, 'base64url').length === bytes;
  return v.union([v.literal(''), v.pipe(text(/^[\w-]+$/), v.check(isLong))]);
}

function succeeds(what: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      what(text);
      return true;
    } catch {
      return false; // the error says what is allowed
    }
  };
}

/** Names with an underscore never arrive: see head.ts of the protocol server. */
const header = v.pipe(text(/^(?:[A-Za-z0-9-]+)?$/), v.toLowerCase());

const mailAddress = text(/^[^\r\n@<>]*<?[^\s@<>]+@[^\s@<>]+>?$/);

/** To valibot an array is a record, too. */
const noList = v.custom<Record<string, unknown>>((value) => !Array.isArray(value));

const level = v.pipe(
  v.string(),
  v.check(succeeds(parseLevel)),
  v.transform((text) => parseLevel(text).value),
);

/** Several hosts in one URL are more than URL knows. The layer says what is wrong inside of it. */
const redisUrl = v.union([
  text(/^rediss?\+(sentinel|cluster):\/\/./),
  v.pipe(text(/^(rediss?|unix):\/\/./), v.url()),
]);
