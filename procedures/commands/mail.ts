// linod mail: lists, retries and shows mails in the outbox.

import { Command, Option } from 'commander';
import {
  type Column,
  ExitError,
  exitCodes,
  jsonOption,
  leastTime,
  parseWholeNumber,
  print,
  printJson,
  printTable,
  rowJson,
  runHere,
  type SiteFlags,
  say,
  siteOption,
  withSiteStore,
} from '../../src/commands/index.js';
import { type BaseRequest, localTime, UsageError } from '../../src/index.js';
import type { QueuedMail } from '../mail/list-mails.js';
import { counted } from '../shared/counted.js';
import { type SiteDatabase, siteDatabase } from '../store/open.js';
import { type MailStatus, mailStatuses, type OutboxMailRow } from '../store/tables.js';

interface QueueFlags extends SiteFlags {
  readonly json?: boolean;
  readonly state: readonly MailStatus[];
  readonly limit: string;
}

interface RetryFlags extends SiteFlags {
  readonly json?: boolean;
  readonly all?: boolean;
}

interface PreviewFlags extends SiteFlags {
  readonly json?: boolean;
  readonly html?: boolean;
}

export function mailCommand(): Command {
  return new Command('mail')
    .description('list, retry and show the mails of the outbox')
    .addHelpText('after', '\nExample:\n  $ linod mail queue --state failed\n  $ linod mail retry --all')
    .addCommand(queueCommand())
    .addCommand(retryCommand())
    .addCommand(previewCommand());
}

/** The default states: all unfinished or failed mails. */
const open: readonly MailStatus[] = ['queued', 'sending', 'deferred', 'failed'];

function queueCommand(): Command {
  return new Command('queue')
    .description('list unsent and failed mails, the newest first, with the answers of the server')
    .addOption(
      new Option('--state <state>', 'only mails in this state; may be given several times')
        .choices(mailStatuses)
        .argParser(addState)
        .default([], open.join(', ')),
    )
    .option('--limit <n>', 'list at most n mails', '50')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod mail queue --state failed --limit 10')
    .action(async (flags: QueueFlags) => {
      const limit = parseWholeNumber('--limit', flags.limit);
      await withOutbox(flags, async (db, { site }) => {
        const { countMails, listMails } = await import('../mail/list-mails.js');
        const mails = await listMails(db, flags.state.length === 0 ? open : flags.state, limit);
        if (flags.json) return printJson(mails);
        printTable(
          columns((instant) => localTime(instant, site.settings.timezone)),
          mails,
        );
        const counts = await countMails(db);
        const words = counts.map(({ state, count }) => `${count} ${state}`);
        say(words.length === 0 ? 'the outbox is empty' : `in all: ${words.join(', ')}`);
      });
    });
}

/** @throws UsageError (`LINOD_ERR_USAGE`) */
function addState(text: string, states: readonly MailStatus[]): readonly MailStatus[] {
  const state = mailStatuses.find((status) => status === text);
  if (state !== undefined) return [...states, state];
  throw new UsageError(`--state: expected ${mailStatuses.join(', ')}, got: ${JSON.stringify(text)}`);
}

function retryCommand(): Command {
  return new Command('retry')
    .description('send failed or deferred mails again at once, with all attempts')
    .argument('[id...]', 'numbers from `linod mail queue`')
    .option('--all', 'all failed and deferred mails')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nThe running worker sends them within seconds.\n' +
        'Exit codes: 0 done, 1 some mail does not exist, or neither failed nor was deferred.\n\n' +
        'Example:\n  $ linod mail retry 17 18',
    )
    .action(async (words: readonly string[], flags: RetryFlags) => {
      if ((words.length === 0) === (flags.all !== true)) {
        throw new UsageError('linod mail retry needs either numbers of mails or --all');
      }
      const ids = words.map((word) => parseWholeNumber('id', word));
      await withOutbox(flags, async (db, ar) => {
        const { retryMails } = await import('../mail/list-mails.js');
        const done = await retryMails(db, flags.all === true ? 'all' : ids, ar.now());
        if (flags.json) printJson({ retried: done });
        else say(`${counted(done.length, 'mail')} tried again`);
        const missing = ids.filter((id) => !done.includes(id));
        if (missing.length === 0) return;
        say(`no failed or deferred mail with number ${missing.join(', ')}`);
        throw new ExitError(exitCodes.failed);
      });
    });
}

function previewCommand(): Command {
  return new Command('preview')
    .description('show the headers and the text of a mail')
    .argument('<id>', 'a number from `linod mail queue`')
    .option('--html', 'print only the HTML, for a file or a browser')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  $ linod mail preview 17\n  $ linod mail preview 17 --html > mail.html',
    )
    .action(async (word: string, flags: PreviewFlags) => {
      const id = parseWholeNumber('id', word);
      await withOutbox(flags, async (db, { site }) => {
        const { findMail } = await import('../mail/list-mails.js');
        const mail = await findMail(db, id);
        if (mail === undefined) return fail(`there is no mail ${id}`);
        if (flags.json) return printJson(rowJson(mail));
        if (!flags.html) return printMail(mail, mail.sender ?? site.settings.mailFrom ?? '');
        if (mail.html === null) return fail(`mail ${id} has no HTML`);
        print(mail.html);
      });
    });
}

function fail(why: string): never {
  say(why);
  throw new ExitError(exitCodes.failed);
}

async function withOutbox(
  flags: SiteFlags,
  use: (db: SiteDatabase, ar: BaseRequest) => Promise<void>,
): Promise<void> {
  await withSiteStore(flags, async (found) => {
    await runHere(found, async (ar) => await use(await siteDatabase(ar), ar));
  });
}

function printMail(mail: OutboxMailRow, sender: string): void {
  const headers = {
    From: sender,
    To: mail.recipient,
    Subject: mail.subject,
    Date: new Date(mail.queued_at).toUTCString(),
    'Message-ID': mail.message_id,
    ...(mail.unsubscribe === null ? {} : { 'List-Unsubscribe': `<${mail.unsubscribe}>` }),
  };
  for (const [name, value] of Object.entries(headers)) print(`${name}: ${visible(value)}`);
  print(`\n${mail.text}`);
}

/** Escapes control characters, which could affect a terminal or begin a line. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (sign) => JSON.stringify(sign).slice(1, -1));
}

function columns(time: (instant: Date) => string): ReadonlyArray<Column<QueuedMail>> {
  return [
    { title: 'mail', cell: (mail) => String(mail.id), align: 'right' },
    {
      title: 'state',
      cell: (mail) => mail.state,
      style: ({ state }) => (state === 'failed' ? 'red' : undefined),
    },
    { title: 'to', cell: (mail) => visible(mail.to) },
    { title: 'subject', cell: (mail) => visible(mail.subject) },
    { title: 'queued', cell: (mail) => time(mail.queuedAt), least: leastTime, isSpare: true },
    { title: 'attempts', cell: (mail) => String(mail.attempts), align: 'right', isSpare: true },
    {
      title: 'next',
      cell: (mail) => (mail.nextAttemptAt === null ? '' : time(mail.nextAttemptAt)),
      least: leastTime,
    },
    { title: 'answer', cell: (mail) => visible(mail.answer ?? '') },
  ];
}
