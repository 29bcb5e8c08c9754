// linod restore: puts a backup into a site.

import type { Command } from 'commander';
import { loadProcedures, requireSite, type SiteJsonFlags, siteCommand } from '../main.js';
import { print, printJson, say } from '../views/output.js';
import { copyProgress } from './copy-progress.js';

export function restoreCommand(): Command {
  return siteCommand(
    'restore',
    'restore a backup into a site on which no worker runs',
    `The whole backup is checked before anything changes. The site may use another database and another channel layer
than the backup's. Runs that were in progress count as lost. Start the site's programs afterwards.

Exit codes: 0 done; 1 failed, for example because the backup is damaged; 2 refused: a worker runs, the site is not empty,
or a newer linod wrote the backup.

Example:
  $ linod init mysite && linod restore backup.tar.gz --site mysite`,
  )
    .argument('<file>', 'the backup')
    .option('--force', "replace what the site has; its files move to a directory 'before-restore-…'")
    .action(async (file: string, flags: SiteJsonFlags & { readonly force?: boolean }) => {
      const site = await requireSite(flags);
      await loadProcedures(site);
      const progress = copyProgress(flags.json === true);
      const { restore } = await import('../../backup/restore.js');
      const report = await restore({ site, file, force: flags.force ?? false, ...progress });
      progress.clear();
      if (flags.json) return printJson(report);
      const { backup, logFiles, spoolFiles, hasMessages, setAside } = report;
      print(`restored site ${backup.site} as it was at ${backup.createdAt}`);
      const messages = hasMessages ? 'messages that waited, ' : '';
      say(
        `database, ${messages}${logFiles} log files, ${spoolFiles} spool files; linod ${backup.linod} wrote it`,
      );
      if (setAside !== null) say(`what the site had before is in ${site.shorten(setAside)}`);
    });
}
