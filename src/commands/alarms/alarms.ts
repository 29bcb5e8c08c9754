// linod alarms: lists, acknowledges and silences incidents, and sends a test.

import { Command } from 'commander';
import { reasonOf } from '../../alarms/delivery/deliveries.js';
import type { Notice } from '../../alarms/delivery/notice.js';
import { waysOf } from '../../alarms/delivery/ways.js';
import { acknowledge, type ListedIncident, listIncidents, silence } from '../../alarms/incidents.js';
import { kindNames } from '../../alarms/kinds.js';
import { durationRule, durationText, parseDuration } from '../../base/duration.js';
import { UsageError } from '../../base/errors.js';
import { printable } from '../../log/format/unsafe.js';
import { databaseClock } from '../../membership/database-clock.js';
import { localTime } from '../../recurrence/time/local-time.js';
import type { Site } from '../../site/site.js';
import type { Store } from '../../store/store.js';
import {
  ExitError,
  exitCodes,
  person,
  requireSite,
  type SiteFlags,
  type SiteJsonFlags,
  siteCommand,
  siteOption,
  withStore,
} from '../main.js';
import { type Column, leastTime, print, printJson, printList, rowJson, say } from '../views/output.js';
import { parseWholeNumber } from '../views/words.js';

const recentMs = 7 * 86_400_000;
const longestSilenceMs = 366 * 86_400_000;

export function alarmsCommand(): Command {
  return siteCommand(
    'alarms',
    'list the alarms that are open, and those of the last 7 days',
    'Example:\n  $ linod alarms\n  $ linod alarms ack 12\n  $ linod alarms silence not-succeeded 2h',
  )
    .action((flags: SiteJsonFlags) => onSite(flags, (site, store, now) => list(flags, site, store, now)))
    .addCommand(ackCommand())
    .addCommand(silenceCommand())
    .addCommand(testCommand());
}

function ackCommand(): Command {
  return new Command('ack')
    .description('note that somebody looks after an alarm')
    .addOption(siteOption())
    .addHelpText('after', '\nExample:\n  $ linod alarms ack 12')
    .argument('<id>', 'the number of the alarm')
    .action(async function (this: Command, word: string) {
      const id = parseWholeNumber('the number of an alarm', word);
      await onSite(this.optsWithGlobals<SiteFlags>(), async (_site, { db }, now) => {
        const { text } = await acknowledge(db, id, person(), now);
        say(`alarm ${id} is acknowledged: ${printable(text)}`);
      });
    });
}

function silenceCommand(): Command {
  return new Command('silence')
    .description('announce nothing of an alarm, or of all of a kind, for a time')
    .addOption(siteOption())
    .addHelpText(
      'after',
      `
What is still wrong at the end of that time is announced then.

Kinds: ${kindNames.join(', ')}

Example:
  $ linod alarms silence 12 2h
  $ linod alarms silence deaf 30m`,
    )
    .argument('<what>', 'the number or the kind of an alarm')
    .argument('<time>', 'how long: 90s, 15m, 2h, 1d; 0s ends the silence')
    .action(async function (this: Command, what: string, time: string) {
      const ms = parseDuration(time);
      if (ms === undefined || ms > longestSilenceMs)
        throw new UsageError(`expected ${durationRule}, at most 366d, got: ${JSON.stringify(time)}`);
      await onSite(this.optsWithGlobals<SiteFlags>(), async (_site, { db }, now) => {
        const silenced = await silence(db, what, person(), now + ms);
        say(
          ms === 0
            ? `${silenced} is not silenced any more`
            : `${silenced} is silenced for ${durationText(ms)}`,
        );
      });
    });
}

function testCommand(): Command {
  return siteCommand(
    'test',
    'send a test by all configured ways; exit code 1 when one fails',
    'Example:\n  $ linod alarms test',
  ).action(async function (this: Command) {
    const flags = this.optsWithGlobals<SiteJsonFlags>();
    const site = await requireSite(flags);
    const notice = testNotice(site);
    const results = await Promise.all(
      waysOf(site).map(async (way) => {
        try {
          return { way: way.name, ok: true, answer: await way.send([notice], new AbortController().signal) };
        } catch (error) {
          return { way: way.name, ok: false, answer: reasonOf(error) };
        }
      }),
    );
    if (flags.json) printJson(results);
    else
      for (const { way, ok, answer } of results)
        print(`${way}: ${ok ? 'accepted' : 'failed'}: ${printable(answer)}`);
    if (results.length === 0) say('no way is configured: set alarmMail, alarmWebhook or alarmCommand');
    if (results.length === 0 || results.some(({ ok }) => !ok)) throw new ExitError(exitCodes.failed);
  });
}

function testNotice({ name: site }: Site): Notice {
  const raisedAt = new Date().toISOString();
  const text = `this is a test of the alarms of site ${site}, by ${person()}`;
  const about = { kind: 'test', subject: '', text, rule: null };
  return {
    id: `${site}-test-${raisedAt}`,
    site,
    alarm: 0,
    state: 'test',
    ...about,
    raisedAt,
    clearedAt: null,
  };
}

async function onSite(
  flags: SiteFlags,
  use: (site: Site, store: Store, now: number) => Promise<void>,
): Promise<void> {
  const site = await requireSite(flags);
  await withStore(site, async (store) => await use(site, store, (await databaseClock(store)).now()));
}

async function list(flags: SiteJsonFlags, site: Site, { db }: Store, now: number): Promise<void> {
  const time = (ms: number) => localTime(new Date(ms), site.settings.timezone);
  const columns: ReadonlyArray<Column<ListedIncident>> = [
    { title: 'id', cell: ({ id }) => String(id), align: 'right' },
    { title: 'kind', cell: ({ kind }) => kind, least: 15 },
    { title: 'since', cell: ({ raised_at }) => time(raised_at), least: leastTime },
    { title: 'state', cell: (row) => stateOf(row, time), least: leastTime },
    { title: 'what', cell: ({ text }) => printable(text) },
  ];
  printList(flags, await listIncidents(db, now - recentMs, now), {
    columns,
    json: ({ deliveries, ...row }) => ({ ...rowJson(row), deliveries: deliveries.map(rowJson) }),
    none: 'no alarms',
  });
}

function stateOf(row: ListedIncident, time: (ms: number) => string): string {
  if (row.cleared_at !== null) return `over ${time(row.cleared_at)}`;
  if (row.acknowledged_at !== null) return `acknowledged by ${printable(row.acknowledged_by ?? '')}`;
  return row.silenced_until_at === null ? 'open' : `silenced until ${time(row.silenced_until_at)}`;
}
