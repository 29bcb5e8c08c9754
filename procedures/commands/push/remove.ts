// linod push remove N: forgets a subscription.

import { Command } from 'commander';
import { parseWholeNumber, type SiteFlags, say, siteOption, withSiteStore } from '../../../src/commands.js';
import { UsageError } from '../../../src/index.js';

export function removeCommand(): Command {
  return new Command('remove')
    .description('forget a subscription; the browser may subscribe anew')
    .argument('<id>', 'its number, as `linod push list` shows it')
    .addOption(siteOption())
    .addHelpText('after', '\nExample:\n  $ linod push remove 12')
    .action(async (text: string, flags: SiteFlags) => {
      const id = parseWholeNumber('the number of a subscription', text);
      const { removePushSubscription } = await import('../../push/subscriptions.js');
      await withSiteStore(flags, async ({ store }) => {
        if (!(await removePushSubscription(store.db, id))) {
          throw new UsageError(`no push subscription ${id}; \`linod push list\` lists them`);
        }
        say(`push subscription ${id} is forgotten`);
      });
    });
}
