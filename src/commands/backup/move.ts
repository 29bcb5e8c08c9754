// linod move: copies a site to another database or channel layer.

import { basename } from 'node:path';
import type { Command } from 'commander';
import type { CopiedChannel } from '../../backup/move.js';
import { UsageError } from '../../base/errors.js';
import { hidePassword } from '../../base/hide-password.js';
import type { SiteConfig } from '../../site/settings.js';
import { loadSite } from '../../site/site.js';
import { type SiteJsonFlags, siteCommand, withSiteStore } from '../main.js';
import { print, printJson, printTable, say } from '../views/output.js';
import { copyProgress } from './copy-progress.js';

interface MoveFlags extends SiteJsonFlags {
  readonly database?: string;
  readonly layer?: string;
}

export function moveCommand(): Command {
  return siteCommand(
    'move',
    'copy the site to another database or channel layer, and compare both',
    `The source keeps everything. Put the lines that are printed into the configuration to use the copy. Messages for
single processes are not copied, and dead letters stay in the source.

Both targets are checked before anything is copied. If the copy of the database fails, the new database stays empty.

Exit codes: 0 done; 1 failed; 2 refused: a worker runs, or a target is not empty.

Example:
  $ linod move --database postgres://shop@db.example.org/shop --layer redis://redis.example.org`,
  )
    .option('--database <url>', 'the new database: sqlite:PATH or postgres://…')
    .option('--layer <url>', 'the new channel layer: sqlite:PATH or redis://…')
    .action(async (flags: MoveFlags) => {
      const { database, layer } = flags;
      if (database === undefined && layer === undefined)
        throw new UsageError('expected --database or --layer');
      await withSiteStore(flags, async ({ site, store }) => {
        const settings: SiteConfig = {
          ...(database === undefined ? {} : { databaseUrl: database }),
          ...(layer === undefined ? {} : { channelLayer: layer }),
        };
        const target = await loadSite(site.directory, { flags: settings, anew: true });
        const parts = (['database', 'layer'] as const).filter((part) => flags[part] !== undefined);
        const progress = copyProgress(flags.json === true);
        const { move } = await import('../../backup/move.js');
        const moved = await move({ site, store, target, parts, ...progress }).finally(progress.clear);
        const { tables, channels } = moved;
        const shown = Object.entries(settings).map(
          ([name, url]) => [name, hidePassword(String(url))] as const,
        );
        if (flags.json) return printJson({ tables, channels, settings: Object.fromEntries(shown) });
        printTable(
          [
            { title: 'table', cell: ({ table }) => table },
            { title: 'rows', cell: ({ rows }) => String(rows), align: 'right' },
            { title: 'checksum', cell: ({ checksum }) => checksum },
          ],
          tables,
        );
        for (const channel of channels) print(channelText(channel));
        say(`everything was copied and compared; ${site.shorten(store.name)} is unchanged`);
        say(`write into ${basename(site.configFile)}, then start the workers:`);
        for (const [name, url] of shown) print(`  ${name}: '${url}',`);
      });
    });
}

function channelText({ channel, messages, dead }: CopiedChannel): string {
  const left = dead === 0 ? '' : `; ${dead} dead letters stay in the source`;
  return `channel ${channel}: ${messages} messages${left}`;
}
