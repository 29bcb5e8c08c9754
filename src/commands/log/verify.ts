// linod log verify: whether the log is complete.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { UsageError } from '../../errors.js';
import { ExitError, exitCodes, jsonOption, requireSite, type SiteFlags, siteOption } from '../main.js';
import { printJson, say } from '../output.js';
import { printReport } from './verify-view.js';

export function verifyCommand(): Command {
  return new Command('verify')
    .description('whether each record is in the log once and in order; 3 when something is wrong')
    .argument('[file...]', 'log files, in any order; default: lino.log and what was rotated of it')
    .addOption(jsonOption())
    .addOption(siteOption())
    .addHelpText(
      'after',
      `
Reads plain and gzip files. Each sender numbers its records: a number that is missing, doubled or out of order is named with its
file and line, and so is what is no whole record. What the writer itself has told to be lost is listed and is no fault.

Example:
  $ linod log verify
  $ linod log verify log/lino.log.1 log/lino.log`,
    )
    .action(async (files: readonly string[], flags: SiteFlags & { json?: boolean }) => {
      const site = await requireSite(flags);
      const { findLogParts, readLogParts } = await import('../../log/reading/files.js');
      const { verifyLog } = await import('../../log/reading/verify.js');
      const { timezone } = site.settings;
      const paths = files.map((file) => resolve(file));
      const parts =
        paths.length === 0 ? await findLogParts(site.logFile, timezone) : await readLogParts(paths, timezone);
      const unread = paths.filter((path) => parts.every((part) => part.path !== path));
      const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
      const absent = unread.filter((path) => !isFile(path));
      if (absent.length > 0) throw new UsageError(`there is no log file ${absent.join(', ')}`);
      // While a file is compressed, it is there twice.
      for (const path of unread) say(`${site.shorten(path)} was not read: it is the packed form of another`);
      if (parts.length === 0) say(`there is no ${site.shorten(site.logFile)} yet`);
      const report = await verifyLog(parts, { timezone, growing: site.logFile });
      if (flags.json) printJson(report);
      else printReport(report, (path) => site.shorten(path));
      if (!report.isSound) throw new ExitError(exitCodes.found);
    });
}
