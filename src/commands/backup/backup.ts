// linod backup: writes all that a site keeps into one file.

import type { Command } from 'commander';
import { type SiteJsonFlags, siteCommand, unlessEnded, withSiteStore } from '../main.js';
import { print, printJson, say } from '../views/output.js';
import { copyProgress } from './copy-progress.js';

export function backupCommand(): Command {
  return siteCommand(
    'backup',
    'back up the site into one file, while it runs',
    `The file has the database, the messages that wait in an embedded channel layer, the log, and the records that wait
for it. It does not have the configuration, the procedures and the environment: keep those elsewhere. The file is as
secret as the database.

Exit codes: 0 done, 1 failed.

Example:
  $ linod backup /backups/mysite-$(date +%F).tar.gz`,
  )
    .argument('<file>', 'the backup, a compressed tar; an older one is replaced')
    .action(async (file: string, flags: SiteJsonFlags) => {
      await withSiteStore(flags, async ({ site, store }) => {
        const report = await unlessEnded(async (signal) => {
          const { backUp } = await import('../../backup/backup.js');
          const progress = copyProgress(flags.json === true, signal);
          return await backUp({ site, store, file, ...progress }).finally(progress.clear);
        });
        if (flags.json) return printJson(report);
        print(report.file);
        const messages = report.hasMessages ? 'messages that wait, ' : '';
        say(
          `${megabytes(report.bytes)}: database, ${messages}${report.logFiles} log files, ${report.spoolFiles} spool files`,
        );
        say(`not in it: ${report.configuration.join(', ')}, and the environment`);
      });
    });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
