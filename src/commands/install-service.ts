// linod install-service: a unit of systemd for the worker of a site, and one for its server.

import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { UsageError } from '../base/errors.js';
import type { Site } from '../site/site.js';
import { findSite, type SiteFlags, siteOption } from './main.js';
import { print, say } from './views/output.js';

interface ServiceFlags extends SiteFlags {
  readonly user?: boolean;
  readonly print?: boolean;
  readonly serve?: boolean;
}

/** The watchdog of a worker: an inline run that keeps the event loop for longer ends it. */
const watchdogSeconds = 30;
/** Beyond the grace, a worker writes its log and closes its connections. */
const closingSeconds = 30;

/** What a worker never needs. `MemoryDenyWriteExecute` is missing, because Node compiles while it runs. */
const hardening = `NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
`;

/** The manager of a user may not change the view of the file system. */
const userHardening = 'NoNewPrivileges=yes\n';

export function installServiceCommand(): Command {
  return new Command('install-service')
    .description('write a systemd unit for the worker of the site')
    .addOption(siteOption())
    .option('--user', "a unit of the user's own systemd, instead of the machine's")
    .option('--serve', 'also write a unit for linod serve')
    .option('--print', 'print the units, and write nothing')
    .addHelpText('after', '\nExample:\n  $ linod install-service --print')
    .action(async (flags: ServiceFlags) => {
      const site = await findSite(flags);
      const isOfUser = flags.user ?? false;
      const directory = isOfUser ? join(homedir(), '.config/systemd/user') : '/etc/systemd/system';
      const units: Array<readonly [name: string, words: string]> = [[`linod-${site.name}`, 'start']];
      if (flags.serve) units.push([`linod-${site.name}-serve`, 'serve']);
      for (const [name, words] of units) {
        const file = join(directory, `${name}.service`);
        const text = unitText(site, words, isOfUser);
        if (flags.print) print(`# ${file}\n${text}`);
        else writeUnit(file, text);
      }
      if (flags.print) return;
      const systemctl = isOfUser ? 'systemctl --user' : 'systemctl';
      const names = units.map(([name]) => name).join(' ');
      say(`start it: ${systemctl} daemon-reload && ${systemctl} enable --now ${names}`);
    });
}

function writeUnit(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`cannot write ${file}: ${why}; run it as root, or with --user or --print`);
  }
  say(`${file} is written`);
}

function unitText(site: Site, command: string, isOfUser: boolean): string {
  const { directory, settings } = site;
  const script = resolve(process.argv[1] ?? 'linod');
  const stopSeconds = settings.graceSeconds + closingSeconds;
  return `[Unit]
Description=linod ${command} of site ${site.name}
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=all
WatchdogSec=${watchdogSeconds}
# A worker that starts waits for its database, however long that is away.
TimeoutStartSec=infinity
TimeoutStopSec=${Math.ceil(stopSeconds)}
Restart=always
RestartSec=2
# Only the worker gets TERM: it ends its runs itself.
KillMode=mixed
${isOfUser ? '' : `User=${ownerOf(directory)}\n`}WorkingDirectory=${escaped(directory)}
EnvironmentFile=-${escaped(join(directory, 'service.env'))}
ExecStart=${[process.execPath, script, command, '--site', directory].map(quoted).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
${isOfUser ? userHardening : hardening}
[Install]
WantedBy=${isOfUser ? 'default.target' : 'multi-user.target'}
`;
}

/** The user to whom the site belongs; root's commands act as that user, too. */
function ownerOf(directory: string): string {
  const { uid } = statSync(directory);
  return uid === userInfo().uid ? userInfo().username : String(uid);
}

/** Systemd expands `%`. */
function escaped(text: string): string {
  return text.replaceAll('%', '%%');
}

/** One word of a command line, in which systemd also expands `$`. */
function quoted(word: string): string {
  return `"${escaped(word).replaceAll('$', '$$$$').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
