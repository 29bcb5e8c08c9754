// linod log verify: checks that the log is complete.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '../../base/errors.js';
import { printable } from '../../log/format/unsafe.js';
import type { Fault } from '../../log/read/faults.js';
import { findLogParts, readLogParts } from '../../log/read/files.js';
import { type LogReport, type LostNumbers, type SenderReport, verifyLog } from '../../log/read/verify.js';
import { readCheckpoint, type WrittenUpTo } from '../../log/writer/checkpoint.js';
import type { Site } from '../../site/site.js';
import { ExitError, exitCodes, requireSite, type SiteJsonFlags, siteCommand } from '../main.js';
import { type Column, print, printJson, printTable, say, styled } from '../views/output.js';

export function verifyCommand(): Command {
  return siteCommand(
    'verify',
    'check that each record is in the log once and in order; exit with 3 when not',
    `Reads plain and gzip files. Each sender numbers its records. A fault is a number that is missing, doubled or out of
order, a line that is no whole record, or text that was written and is gone. Each fault is listed with its file and
line. Records that the writer reported as lost are listed, too, and are no fault.

Example:
  $ linod log verify
  $ linod log verify log/lino.log.1 log/lino.log`,
  )
    .argument('[file...]', 'log files, in any order (default: lino.log and its rotated files)')
    .action(async (files: readonly string[], flags: SiteJsonFlags) => {
      const site = await requireSite(flags);
      const { timezone } = site.settings;
      const paths = files.map((file) => resolve(file));
      // Before the files are listed, because later writes only add to them.
      const written = paths.length === 0 ? writtenUpTo(site) : undefined;
      const parts =
        paths.length === 0 ? await findLogParts(site.logFile, timezone) : await readLogParts(paths, timezone);
      const unread = paths.filter((path) => parts.every((part) => part.path !== path));
      const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
      const absent = unread.filter((path) => !isFile(path));
      if (absent.length > 0) throw new UsageError(`there is no log file ${absent.join(', ')}`);
      // A file that is being compressed exists twice.
      for (const path of unread)
        say(`${site.shorten(path)} was not read: it is the compressed copy of another file`);
      if (parts.length === 0 && written === undefined) say(`there is no ${site.shorten(site.logFile)} yet`);
      const report = await verifyLog(parts, { timezone, growing: site.logFile, written });
      if (flags.json) printJson(report);
      else printReport(report, (path) => site.shorten(path));
      if (!report.isSound) throw new ExitError(exitCodes.found);
    });
}

/** The last checkpoint of the writer; undefined when there is none, or it cannot be read. */
function writtenUpTo(site: Site): WrittenUpTo | undefined {
  try {
    return readCheckpoint(site.logFile);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const problem = error instanceof Error ? error.message : String(error);
    say(`cannot check whether the end of the log is complete: ${problem}`);
    return undefined;
  }
}

/** Prints the senders, the faults, the records reported as lost, and a summary. */
function printReport(report: LogReport, shorten: (path: string) => string): void {
  printTable(columns, report.senders);
  for (const lost of report.lost) print(`${lineText(lost, shorten)}: reported: ${lostText(lost)}`);
  for (const fault of report.faults) print(styled('red', `${lineText(fault, shorten)}: ${faultText(fault)}`));
  const unlisted = report.faultCount - report.faults.length;
  if (unlisted > 0) say(`and ${unlisted} more`);
  say(summary(report));
}

const columns: ReadonlyArray<Column<SenderReport>> = [
  { title: 'sender', cell: ({ sender }) => sender },
  { title: 'epoch', cell: ({ epoch }) => epoch || '?' },
  ...(['first', 'last'] as const).map((name) => ({ ...count(name), cell: numberIn(name) })),
  ...(['records', 'missing', 'doubled'] as const).map(count),
  { ...count('disordered'), title: 'out of order' },
  count('lost'),
];

/** A sender that appears only in a note has no first and no last record. */
function numberIn(name: 'first' | 'last'): (row: SenderReport) => string {
  return (row) => (row.last < row.first ? '-' : String(row[name]));
}

function count(name: keyof SenderReport & Column<SenderReport>['title']): Column<SenderReport> {
  const isFault = name === 'missing' || name === 'doubled' || name === 'disordered';
  return {
    title: name,
    align: 'right',
    cell: (row) => String(row[name]),
    style: (row) => (isFault && row[name] !== 0 ? 'red' : undefined),
  };
}

function lineText({ file, line }: Pick<Fault, 'file' | 'line'>, shorten: (path: string) => string): string {
  return `${shorten(file)}:${line}`;
}

function lostText({ sender, from, to }: LostNumbers): string {
  return `${numbers(sender, from, to)} ${from === to ? 'is' : 'are'} lost`;
}

/** One sentence about the fault, without file and line. */
function faultText(fault: Fault): string {
  const { sender = '', from = 0, to = from, number = 0, line, toLine = line } = fault;
  const text = fault.text === undefined ? '' : `: ${printable(fault.text)}`;
  const lines = toLine === line ? 'a line' : `${toLine - line + 1} lines`;
  switch (fault.kind) {
    case 'missing':
      return `${numbers(sender, from, to)} ${from === to ? 'is' : 'are'} missing before this line`;
    case 'doubled':
      return `${numbers(sender, from, to)} ${from === to ? 'is' : 'are'} written twice`;
    case 'disordered':
      return `${sender}#${number} comes after ${sender}#${fault.after ?? 0}`;
    case 'torn':
      return `${sender === '' ? 'a note of the writer' : `${sender}#${number}`} has no end`;
    case 'headless':
      return `${lines} of a record without its beginning${text}`;
    case 'cut':
      return `the file ends within a line${text}`;
    case 'foreign':
      return `${lines} that linod did not write${text}`;
    case 'damaged':
      return `${lines} with bytes that linod does not write${text}`;
    case 'unannounced':
      return `the lines of ${sender} begin without the note that names their sender`;
    case 'beheaded':
      return 'the beginning of the file is missing';
    case 'missing-file':
      return `the file before this one is missing: ${fault.problem ?? ''}`;
    case 'shortened':
      return `text that the writer wrote is missing: ${fault.problem ?? ''}`;
    case 'unreadable':
      return `cannot be read from about here on: ${fault.problem ?? ''}`;
  }
}

function numbers(sender: string, from: number, to: number): string {
  return from === to ? `${sender}#${from}` : `${to - from + 1} records, ${sender}#${from}-${to},`;
}

function summary({ files, records, senders, bytes, lost, faultCount, isSound }: LogReport): string {
  const counted = `${plural(records, 'record')} of ${plural(senders.length, 'sender')}`;
  const verdict = isSound ? 'the log is complete' : plural(faultCount, 'fault');
  const reported = lost.length === 0 ? '' : '; the log itself reports the lost records';
  return `${plural(files.length, 'file')}, ${counted}, ${bytes} bytes: ${verdict}${reported}`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
