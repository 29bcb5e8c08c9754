// Every setting of a site: its meaning, default, environment variables and allowed values, in one place.

import { join } from 'node:path';
import { formatNames } from '../log/formats/line-format.js';
import { checkLoggerName } from '../log/levels/override.js';
import { spoolKeeps, syncPolicies } from '../log/policies.js';
import { rotationPeriods } from '../log/rotation.js';
import { isSiteConsumer, type SiteConsumer } from './consumers.js';
import {
  asBoolean,
  asKey,
  asList,
  asNumber,
  asText,
  isRecord,
  isRedisUrl,
  isTimeZone,
  isWhole,
  levelOf,
  within,
} from './setting-values.js';
import type { Settings } from './settings.js';

/** One setting, as the documentation and the errors tell it. */
export interface SettingDefinition<T> {
  /** What it decides, one sentence. */
  readonly text: string;
  /** Environment variables that set it, the strongest first. */
  readonly environment: readonly string[];
  /** What is allowed, as it follows "expected …". */
  readonly allowed: string;
  /** The default, as documentation tells it. */
  readonly defaultText: string;
  /** Whether a value is never shown, not even when it is wrong. */
  readonly isSecret?: boolean;
  /** The checked value, or undefined when it is not allowed. */
  check(value: unknown, directory: string): T | undefined;
  /** A value from text, for environment variables and flags; undefined when it cannot be one. */
  parse?(text: string): unknown;
  default(context: { directory: string }): T;
}

type Definitions = { readonly [K in keyof Settings]: SettingDefinition<Settings[K]> };

/** All settings, in the order of the documentation. */
export const settingDefinitions: Definitions = {
  name: {
    text: "The site's name. Its channels are `linod_NAME` and `linod_NAME.log`.",
    environment: ['LINOD_NAME'],
    allowed: 'a lower-case letter followed by at most 39 lower-case letters, digits, "_" or "-"',
    defaultText: "the directory's name",
    ...asText,
    check: (value) =>
      typeof value === 'string' && /^[a-z][a-z0-9_-]{0,39}$/.test(value) ? value : undefined,
    default: ({ directory }) => directory.split('/').at(-1) ?? '',
  },
  useLinod: {
    text: 'Whether the background daemon is on for this site. When it is off, commands say so and exit with 0.',
    environment: ['LINOD_USE_LINOD'],
    allowed: 'true or false',
    defaultText: '`true`',
    ...asBoolean,
    check: (value) => (typeof value === 'boolean' ? value : undefined),
    default: () => true,
  },
  channelLayer: {
    text: 'What carries messages between processes: a file for processes of one machine, or Redis.',
    environment: ['LINOD_CHANNEL_LAYER', 'REDIS_URL'],
    allowed:
      'a URL that begins with sqlite:, redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://, or a list of Redis URLs',
    defaultText: "`sqlite:channels.db` in the site's directory",
    // Not at every comma: a URL of Sentinels has some.
    parse: (text) => (/,\s*[a-z+]+:\/\//i.test(text) ? text.split(/,\s*(?=[a-z+]+:\/\/)/i) : text),
    check: (value, directory) => {
      if (Array.isArray(value)) return value.length > 0 && value.every(isRedisUrl) ? value : undefined;
      if (typeof value !== 'string') return undefined;
      if (/^sqlite:./.test(value)) return `sqlite:${within(directory, value.slice('sqlite:'.length))}`;
      return isRedisUrl(value) ? value : undefined;
    },
    default: ({ directory }) => `sqlite:${join(directory, 'channels.db')}`,
  },
  layerPrefix: {
    text: 'What all keys on Redis begin with. The Python processes of the site must use the same.',
    environment: ['LINOD_LAYER_PREFIX'],
    allowed: 'a text of 1 to 50 ASCII letters, digits, ":", "-", "_", "." or "{}"',
    defaultText: '`asgi`, as in `channels_redis`',
    ...asText,
    check: (value) => (typeof value === 'string' && /^[\w:.{}-]{1,50}$/.test(value) ? value : undefined),
    default: () => 'asgi',
  },
  layerKeys: {
    text: 'Keys that encrypt messages on Redis, `symmetric_encryption_keys` of `channels_redis`: the first encrypts, each decrypts.',
    environment: ['LINOD_LAYER_KEYS'],
    allowed: 'a list of texts that are not empty',
    defaultText: 'none: no encryption',
    isSecret: true,
    ...asList,
    check: (value) =>
      Array.isArray(value) && value.every((key) => typeof key === 'string' && key !== '') ? value : undefined,
    default: () => [],
  },
  layerSerializer: {
    text: 'The form of messages on Redis, `serializer_format` of `channels_redis`.',
    environment: ['LINOD_LAYER_SERIALIZER'],
    allowed: 'msgpack or json',
    defaultText: '`msgpack`',
    ...asText,
    check: (value) => (value === 'msgpack' || value === 'json' ? value : undefined),
    default: () => 'msgpack',
  },
  databaseUrl: {
    text: 'The database with rules, jobs and their history: a file for workers of one machine, or PostgreSQL.',
    environment: ['LINOD_DATABASE_URL', 'DATABASE_URL'],
    allowed: 'a URL that begins with sqlite:, postgres:// or postgresql://',
    defaultText: "`sqlite:linod.db` in the site's directory",
    ...asText,
    check: (value, directory) => {
      if (typeof value !== 'string') return undefined;
      if (/^sqlite:./.test(value)) return `sqlite:${within(directory, value.slice('sqlite:'.length))}`;
      return /^postgres(ql)?:\/\/./.test(value) ? value : undefined;
    },
    default: ({ directory }) => `sqlite:${join(directory, 'linod.db')}`,
  },
  logDirectory: {
    text: 'The directory of `lino.log` and of the spool files of processes that could not deliver their records.',
    environment: ['LINOD_LOG_DIRECTORY'],
    allowed: "a directory's path",
    defaultText: "`log` in the site's directory",
    ...asText,
    check: (value, directory) =>
      typeof value === 'string' && value !== '' ? within(directory, value) : undefined,
    default: ({ directory }) => join(directory, 'log'),
  },
  logLevel: {
    text: 'The level below which loggers drop records.',
    environment: ['LINOD_LOG_LEVEL', 'LINO_LOGLEVEL'],
    allowed: 'DEBUG, INFO, WARNING, ERROR or CRITICAL',
    defaultText: '`INFO`',
    ...asText,
    check: (value) => {
      try {
        return levelOf(value);
      } catch {
        return undefined; // the caller tells what is allowed
      }
    },
    default: () => 'INFO',
  },
  logSocket: {
    text: 'The Unix socket on which a worker takes log records of programs in other languages. An empty text for none.',
    environment: ['LINOD_LOG_SOCKET'],
    allowed: 'a path; what is longer than a socket may be is told by the worker',
    defaultText: "`linod.sock` in the site's directory",
    ...asText,
    check: (value, directory) => {
      if (typeof value !== 'string') return undefined;
      return value === '' ? '' : within(directory, value);
    },
    default: ({ directory }) => join(directory, 'linod.sock'),
  },
  logSocketMode: {
    text: 'Who may send records to that socket, as permissions of its file.',
    environment: ['LINOD_LOG_SOCKET_MODE'],
    allowed: 'three octal digits such as "660"',
    defaultText: '`600`: the user of the worker',
    ...asText,
    check: (value) => (typeof value === 'string' && /^0?[0-7]{3}$/.test(value) ? value : undefined),
    default: () => '600',
  },
  logFormat: {
    text: 'How a record looks in `lino.log`: see [Formats](log.md#formats). It may be changed at any time.',
    environment: ['LINOD_LOG_FORMAT'],
    allowed: 'text, lino, json or logfmt',
    defaultText: '`text`',
    ...asText,
    check: (value) => formatNames.find((name) => name === value),
    default: () => 'text',
  },
  logLevels: {
    text: 'Levels of single loggers by their dotted names, which hold for the names below them, too.',
    environment: ['LINOD_LOG_LEVELS'],
    allowed:
      'an object from names such as "shop.orders" to levels, or in the environment shop.orders=DEBUG,shop=WARNING',
    defaultText: 'none',
    parse: (text) => {
      const pairs = text.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
      return pairs.every((pair) => pair.length === 2) ? Object.fromEntries(pairs) : undefined;
    },
    check: (value) => {
      if (!isRecord(value)) return undefined;
      try {
        return Object.fromEntries(
          Object.entries(value).map(([name, level]) => [checkLoggerName(name), levelOf(level)]),
        );
      } catch {
        return undefined; // the caller tells what is allowed
      }
    },
    default: () => ({}),
  },
  logSync: {
    text: 'When the disk is waited for: see [What may be lost](log.md#what-may-be-lost).',
    environment: ['LINOD_LOG_SYNC'],
    allowed: 'always, batch or never',
    defaultText: '`batch`',
    ...asText,
    check: (value) => syncPolicies.find((policy) => policy === value),
    default: () => 'batch',
  },
  logOrderMs: {
    text: 'How old a record gets before it is written, in ms, so that earlier ones of other processes come before it; 0 writes what comes first.',
    environment: ['LINOD_LOG_ORDER_MS'],
    allowed: 'a whole number of milliseconds from 0 to 10000',
    defaultText: '`50`',
    ...asNumber,
    check: (value) => (isWhole(value) && value >= 0 && value <= 10_000 ? value : undefined),
    default: () => 50,
  },
  logGatherMs: {
    text: 'How long a record waits in its process for others to go with it, in ms. Only `kill -9` can lose it then. 0 batches only what comes at once.',
    environment: ['LINOD_LOG_GATHER_MS'],
    allowed: 'a whole number of milliseconds from 0 to 10000',
    defaultText: '`40`',
    ...asNumber,
    check: (value) => (isWhole(value) && value >= 0 && value <= 10_000 ? value : undefined),
    default: () => 40,
  },
  logBlockMs: {
    text: 'How long one write to the spool may keep a process, in ms. After a longer one its records stay in memory for ten times as long.',
    environment: ['LINOD_LOG_BLOCK_MS'],
    allowed: 'a whole number of milliseconds from 1 to 60000',
    defaultText: '`200`',
    ...asNumber,
    check: (value) => (isWhole(value) && value >= 1 && value <= 60_000 ? value : undefined),
    default: () => 200,
  },
  logSpoolMegabytes: {
    text: 'How much the spool of one process may hold, in MiB, while nobody takes its records.',
    environment: ['LINOD_LOG_SPOOL_MEGABYTES'],
    allowed: 'a whole number of MiB from 1 to 100000',
    defaultText: '`256`',
    ...asNumber,
    check: (value) => (isWhole(value) && value >= 1 && value <= 100_000 ? value : undefined),
    default: () => 256,
  },
  logSpoolKeeps: {
    text: 'Which records stay when the spool is full: the `oldest`, while new ones are dropped by level, or the `newest`.',
    environment: ['LINOD_LOG_SPOOL_KEEPS'],
    allowed: 'oldest or newest',
    defaultText: '`oldest`',
    ...asText,
    check: (value) => spoolKeeps.find((choice) => choice === value),
    default: () => 'oldest',
  },
  logRotate: {
    text: 'When a new `lino.log` is begun, by the clocks of `timezone`: see [Rotation](log.md#rotation).',
    environment: ['LINOD_LOG_ROTATE'],
    allowed: 'never, hourly or daily',
    defaultText: '`never`',
    ...asText,
    check: (value) => rotationPeriods.find((period) => period === value),
    default: () => 'never',
  },
  logRotateMegabytes: {
    text: 'The size at which a new `lino.log` is begun, in millions of bytes; 0 for none.',
    environment: ['LINOD_LOG_ROTATE_MEGABYTES'],
    allowed: 'a number from 0 to 1000000',
    defaultText: '`0`',
    ...asNumber,
    check: (value) => (typeof value === 'number' && value >= 0 && value <= 1_000_000 ? value : undefined),
    default: () => 0,
  },
  logKeepFiles: {
    text: 'How many files that linod has rotated are kept; 0 for all.',
    environment: ['LINOD_LOG_KEEP_FILES'],
    allowed: 'a whole number from 0 to 100000',
    defaultText: '`30`',
    ...asNumber,
    check: (value) => (isWhole(value) && value >= 0 && value <= 100_000 ? value : undefined),
    default: () => 30,
  },
  logKeepDays: {
    text: 'How many days a file that linod has rotated is kept; 0 for ever.',
    environment: ['LINOD_LOG_KEEP_DAYS'],
    allowed: 'a number of days from 0 to 36500',
    defaultText: '`0`',
    ...asNumber,
    check: (value) => (typeof value === 'number' && value >= 0 && value <= 36_500 ? value : undefined),
    default: () => 0,
  },
  logCompress: {
    text: 'Whether files that linod has rotated are compressed with gzip.',
    environment: ['LINOD_LOG_COMPRESS'],
    allowed: 'true or false',
    defaultText: '`true`',
    ...asBoolean,
    check: (value) => (typeof value === 'boolean' ? value : undefined),
    default: () => true,
  },
  timezone: {
    text: 'The time zone of rules that name none, and of what people are shown.',
    environment: ['LINOD_TIMEZONE'],
    allowed: 'an IANA time zone such as "Europe/Tallinn"',
    defaultText: "the machine's zone",
    ...asText,
    check: (value) => (typeof value === 'string' && isTimeZone(value) ? value : undefined),
    default: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
  },
  procedures: {
    text: 'Files that register procedures, or directories of such files.',
    environment: ['LINOD_PROCEDURES'],
    allowed: 'a list of paths',
    defaultText: "`['procedures']` if there is such a directory",
    ...asList,
    check: (value, directory) =>
      Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')
        ? value.map((item: string) => within(directory, item))
        : undefined,
    default: ({ directory }) => [join(directory, 'procedures')],
  },
  shippedProcedures: {
    text: 'Whether the procedures that ship with linod are registered.',
    environment: ['LINOD_SHIPPED_PROCEDURES'],
    allowed: 'true or false',
    defaultText: '`true`',
    ...asBoolean,
    check: (value) => (typeof value === 'boolean' ? value : undefined),
    default: () => true,
  },
  mailUrl: {
    text: "The server that takes the site's mails; keep a password in the environment.",
    environment: ['LINOD_MAIL_URL'],
    allowed: 'a URL that begins with smtp:// or smtps://, or null',
    defaultText: 'none: mails wait',
    ...asText,
    check: (value) => {
      if (value === null) return null;
      return typeof value === 'string' && /^smtps?:\/\/./.test(value) && URL.canParse(value)
        ? value
        : undefined;
    },
    default: () => null,
  },
  mailFrom: {
    text: 'The sender of mails that name none.',
    environment: ['LINOD_MAIL_FROM'],
    allowed: 'an address such as "shop@example.org" or "Shop <shop@example.org>", or null',
    defaultText: 'none: mails wait',
    ...asText,
    check: (value) =>
      value === null || (typeof value === 'string' && /^[^\r\n@<>]*<?[^\s@<>]+@[^\s@<>]+>?$/.test(value))
        ? value
        : undefined,
    default: () => null,
  },
  mailConnections: {
    text: 'How many mails are sent side by side.',
    environment: ['LINOD_MAIL_CONNECTIONS'],
    allowed: 'a whole number from 1 to 100',
    defaultText: '`5`',
    ...asNumber,
    check: (value) => (isWhole(value) && value >= 1 && value <= 100 ? value : undefined),
    default: () => 5,
  },
  mailsPerSecond: {
    text: 'How many mails a second are sent at most.',
    environment: ['LINOD_MAILS_PER_SECOND'],
    allowed: 'a number from 0.001 to 10000, or null',
    defaultText: 'no limit',
    ...asNumber,
    check: (value) => {
      if (value === null) return null;
      return typeof value === 'number' && value >= 0.001 && value <= 10_000 ? value : undefined;
    },
    default: () => null,
  },
  consumers: {
    text: "The application's own consumers: a channel's name and the application that handles its messages; with a lease, each message is handled at least once: see [Leases](channels.md#leases).",
    environment: [],
    allowed:
      'an object from channel names to applications, (scope, receive, send) => Promise<void>, or to { application, lease: "30s" } with a lease from 1s to 24h',
    defaultText: 'none',
    check: (value) =>
      isRecord(value) && Object.values(value).every(isSiteConsumer)
        ? (value as Record<string, SiteConsumer>)
        : undefined,
    default: () => ({}),
  },
  maxJobs: {
    text: 'How many jobs one worker runs side by side.',
    environment: ['LINOD_MAX_JOBS'],
    allowed: 'a whole number from 1 to 1000',
    defaultText: '`10`',
    ...asNumber,
    check: (value) => (isWhole(value) && value >= 1 && value <= 1000 ? value : undefined),
    default: () => 10,
  },
  graceSeconds: {
    text: 'How long a worker that was asked to stop waits for running jobs before it aborts them, in seconds.',
    environment: ['LINOD_GRACE_SECONDS'],
    allowed: 'a number of seconds from 0 to 86400',
    defaultText: '`25`',
    ...asNumber,
    check: (value) => (typeof value === 'number' && value >= 0 && value <= 86_400 ? value : undefined),
    default: () => 25,
  },
  vapidSubject: {
    text: 'Whom a push service may write to about the pushes of this site: see [push.md](push.md).',
    environment: ['LINOD_VAPID_SUBJECT'],
    allowed: 'a URL that begins with mailto: or https:',
    defaultText: 'none: no pushes',
    ...asText,
    check: (value) =>
      typeof value === 'string' &&
      (value === '' || (/^(mailto:.+@.|https:)/.test(value) && URL.canParse(value)))
        ? value
        : undefined,
    default: () => '',
  },
  vapidPublicKey: {
    text: 'The key by which push services know this site; browsers need it to subscribe.',
    environment: ['LINOD_VAPID_PUBLIC_KEY'],
    allowed: 'a public key of `linod push keys`, 65 bytes as base64url',
    defaultText: 'none: no pushes',
    ...asText,
    check: (value) => asKey(value, 65),
    default: () => '',
  },
  vapidPrivateKey: {
    text: 'The private key that belongs to it.',
    environment: ['LINOD_VAPID_PRIVATE_KEY'],
    allowed: 'a private key of `linod push keys`, 32 bytes as base64url',
    defaultText: 'none: no pushes',
    isSecret: true,
    ...asText,
    check: (value) => asKey(value, 32),
    default: () => '',
  },
  pushToPrivateAddresses: {
    text: 'Whether pushes may go to addresses that are not public. Endpoints come from browsers, so that anybody could name one.',
    environment: ['LINOD_PUSH_TO_PRIVATE_ADDRESSES'],
    allowed: 'true or false',
    defaultText: '`false`',
    ...asBoolean,
    check: (value) => (typeof value === 'boolean' ? value : undefined),
    default: () => false,
  },
};

/** Their names. */
export const settingNames = Object.keys(settingDefinitions) as ReadonlyArray<keyof Settings>;
