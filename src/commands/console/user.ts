// linod console user: who may sign in to the console.

import { Argument, Command, Option } from 'commander';
import {
  type Account,
  addAccount,
  listAccounts,
  removeAccount,
  setPassword,
  setRole,
} from '../../console/access/accounts.js';
import { type Role, roles } from '../../console/api.js';
import { writeAudit } from '../../console/audit.js';
import { createLogger } from '../../log/create-logger.js';
import { localTime } from '../../recurrence/time/local-time.js';
import type { Store } from '../../store/store.js';
import {
  person,
  requireSite,
  type SiteFlags,
  type SiteJsonFlags,
  siteCommand,
  siteOption,
  withStore,
} from '../main.js';
import { type Column, printList, say } from '../views/output.js';
import { readPassword } from './read-password.js';

export function userCommand(): Command {
  return new Command('user')
    .description('list and change the accounts of the console')
    .addHelpText(
      'after',
      '\nA viewer reads. An operator also runs, stops, pauses and retries. An admin also edits rules, undoes changes,\n' +
        'drains workers and closes sockets.\n\n' +
        'Example:\n  $ linod console user add ann --role operator',
    )
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand())
    .addCommand(roleCommand())
    .addCommand(passwordCommand());
}

const readsPassword =
  '\nIt asks for the password in a terminal; else it reads one line of the standard input.\n\n';

function addCommand(): Command {
  return new Command('add')
    .description('add an account')
    .argument('<name>', 'the name to sign in with')
    .addOption(siteOption())
    .addOption(new Option('--role <role>', 'what the user may do').choices(roles).default('viewer'))
    .addHelpText('after', `${readsPassword}Example:\n  $ linod console user add ann --role operator`)
    .action(async function (this: Command, name: string) {
      const flags = this.optsWithGlobals<SiteFlags & { readonly role: Role }>();
      await change(flags, { action: 'user.add', name, detail: flags.role }, async (store) => {
        await addAccount(store, name, flags.role, await readPassword(name));
      });
      say(`${name} may sign in as ${flags.role}`);
    });
}

const columns = (timezone: string): ReadonlyArray<Column<Account>> => [
  { title: 'name', cell: ({ name }) => name },
  { title: 'role', cell: ({ role }) => role },
  { title: 'created', cell: ({ createdAt }) => localTime(createdAt, timezone) },
  { title: 'changed', cell: ({ changedAt }) => localTime(changedAt, timezone) },
];

function listCommand(): Command {
  return siteCommand('list', 'list the accounts', 'Example:\n  $ linod console user list').action(
    async function (this: Command) {
      const flags = this.optsWithGlobals<SiteJsonFlags>();
      const site = await requireSite(flags);
      const accounts = await withStore(site, listAccounts);
      printList(flags, accounts, { columns: columns(site.settings.timezone), none: 'there are no accounts' });
    },
  );
}

function removeCommand(): Command {
  return new Command('remove')
    .description('remove an account; its sessions end')
    .argument('<name>', 'the name of the account')
    .addOption(siteOption())
    .addHelpText('after', '\nExample:\n  $ linod console user remove ann')
    .action(async function (this: Command, name: string) {
      await change(this.optsWithGlobals<SiteFlags>(), { action: 'user.remove', name }, (store) =>
        removeAccount(store, name),
      );
      say(`${name} is removed`);
    });
}

function roleCommand(): Command {
  return new Command('role')
    .description('change the role of an account; its sessions end')
    .argument('<name>', 'the name of the account')
    .addArgument(new Argument('<role>', 'what the user may do').choices(roles))
    .addOption(siteOption())
    .addHelpText('after', '\nExample:\n  $ linod console user role ann admin')
    .action(async function (this: Command, name: string, role: Role) {
      await change(this.optsWithGlobals<SiteFlags>(), { action: 'user.role', name, detail: role }, (store) =>
        setRole(store, name, role),
      );
      say(`${name} may sign in as ${role}`);
    });
}

function passwordCommand(): Command {
  return new Command('password')
    .description('change the password of an account; its sessions end')
    .argument('<name>', 'the name of the account')
    .addOption(siteOption())
    .addHelpText('after', `${readsPassword}Example:\n  $ linod console user password ann`)
    .action(async function (this: Command, name: string) {
      await change(this.optsWithGlobals<SiteFlags>(), { action: 'user.password', name }, async (store) => {
        await setPassword(store, name, await readPassword(name));
      });
      say(`the password of ${name} is changed`);
    });
}

interface Change {
  readonly action: string;
  readonly name: string;
  readonly detail?: string;
}

/** Makes a change, and writes it to the audit. */
async function change(
  flags: SiteFlags,
  { action, name, detail = '' }: Change,
  make: (store: Store) => Promise<void>,
): Promise<void> {
  const site = await requireSite(flags);
  const logger = createLogger({ site: site.directory, name: 'linod.console' });
  try {
    await withStore(site, async (store) => {
      await make(store);
      const entry = { user: person(), role: null, address: null, action, target: `user ${name}` };
      await writeAudit({ store, logger }, { ...entry, detail });
    });
  } finally {
    await logger.close();
  }
}
