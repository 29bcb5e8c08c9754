// linod why RULE: explains the past and the future of a rule, or one of its due times.

import { type Command, Option } from 'commander';
import { type DueTimeStory, dueTimeStory } from '../insight/why/due-time-story.js';
import { summaryText } from '../insight/why/entries.js';
import { type DescribedEntry, type RuleStory, ruleStory } from '../insight/why/rule-story.js';
import { instantRule, parseInstant } from '../recurrence/time/parse-instant.js';
import { inWords } from '../rules/rule-words.js';
import type { Site } from '../site/site.js';
import type { Store } from '../store/store.js';
import { findSite, type SiteJsonFlags, siteCommand, tellSwitchedOff, withStore } from './main.js';
import { print, printJson, say, styled } from './views/output.js';
import { parseWholeNumber } from './views/words.js';

interface WhyFlags extends SiteJsonFlags {
  readonly at?: string;
  readonly since?: string;
  readonly limit?: string;
}

export function whyCommand(): Command {
  return siteCommand(
    'why',
    'explain what a job rule did, did not do, and will do',
    'Example:\n  $ linod why 3\n  $ linod why checkdata\n  $ linod why 3 --at 2026-11-24T20:00',
  )
    .argument('<rule>', 'the number or the name of the rule')
    .addOption(
      new Option('--at <time>', `only the due time then, or the nearest to it: ${instantRule}`).conflicts([
        'since',
        'limit',
      ]),
    )
    .option('--since <time>', 'everything since then, instead of the newest entries')
    .option('--limit <count>', 'at most so many entries (default: 10, or 1000 with --since)')
    .action(async (word: string, flags: WhyFlags) => {
      const limit = flags.limit === undefined ? undefined : parseWholeNumber('--limit', flags.limit);
      // A site that is switched off has a past, too.
      const site = await findSite(flags);
      if (!site.settings.useLinod) tellSwitchedOff(site);
      await withStore(site, async (store) => {
        if (flags.at === undefined) await explainRule(site, store, word, { ...flags, limit });
        else await explainDueTime(site, store, word, { ...flags, at: flags.at });
      });
    });
}

async function explainRule(
  site: Site,
  store: Store,
  word: string,
  flags: Pick<WhyFlags, 'json' | 'since'> & { readonly limit: number | undefined },
): Promise<void> {
  const now = new Date();
  const since =
    flags.since === undefined
      ? {}
      : { since: parseInstant('--since', flags.since, { now, timezone: site.settings.timezone }) };
  const limit = flags.limit ?? (flags.since === undefined ? 10 : 1000);
  const story = await ruleStory({ site, store }, word, { ...since, limit, now });
  if (flags.json) printJson(storyJson(story));
  else showStory(story, flags.since === undefined ? 'yet' : `since ${flags.since}`);
}

async function explainDueTime(
  site: Site,
  store: Store,
  word: string,
  flags: Pick<WhyFlags, 'json'> & { readonly at: string },
): Promise<void> {
  const now = new Date();
  const at = parseInstant('--at', flags.at, { now, timezone: site.settings.timezone });
  const story = await dueTimeStory({ site, store }, word, at, now);
  if (flags.json) printJson(dueTimeJson(story));
  else showDueTime(story);
}

/** @param spell as in `nothing has happened yet` */
function showStory({ rule, summaries, entries, outlook }: RuleStory, spell: string): void {
  const time = (instant: Date) => rule.localTime(instant);
  print(styled('bold', String(rule)));
  print(inWords(rule));
  print('');
  for (const summary of summaries) print(`${summary.day}  ${summaryText(summary)}`);
  for (const { at, sentence } of entries) print(`${time(at)}  ${sentence}`);
  if (entries.length + summaries.length === 0) print(`nothing has happened ${spell}`);
  print('');
  const { overdue, waiting, debugged, blockers, next } = outlook;
  for (const sentence of [overdue, ...waiting, debugged]) if (sentence !== null) print(sentence);
  for (const { sentence } of blockers) print(styled('yellow', sentence));
  for (const { at, sentence } of next) print(`${time(at)}  ${sentence}`);
}

function showDueTime({ rule, asked, dueAt, sentences }: DueTimeStory): void {
  print(styled('bold', String(rule)));
  print(`${rule.localTime(dueAt ?? asked)}`);
  for (const sentence of sentences) print(`  ${sentence}`);
  if (sentences.length === 0) say('nothing is known about it');
}

function storyJson({ rule, now, summaries, entries, outlook }: RuleStory): unknown {
  return {
    rule: { id: rule.id, name: rule.name, procedure: rule.procedure },
    now,
    summaries,
    entries: entries.map(entryJson),
    ...outlook,
  };
}

function dueTimeJson({ rule, asked, dueAt, entries, job, attempts, sentences }: DueTimeStory): unknown {
  return {
    rule: { id: rule.id, name: rule.name, procedure: rule.procedure },
    asked,
    dueAt,
    entries: entries.map(entryJson),
    job,
    attempts,
    sentences,
  };
}

function entryJson({ job, ...entry }: DescribedEntry): unknown {
  return { ...entry, job: job === null ? null : { id: job.id, status: job.status, attempt: job.attempt } };
}
